#include "daemon/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP "tcp://"
#define IPC "ipc://"

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool port_is_valid(const char *port)
{
    char *end;
    unsigned long value;

    if (port[0] < '0' || port[0] > '9')
        return false;
    value = strtoul(port, &end, 10);
    return *end == '\0' && value <= UINT16_MAX;
}

static bool host_is_valid(const char *host, size_t len)
{
    if (len && host[0] == '[')
        return len > 2 && host[len - 1] == ']' &&
               strspn(host + 1, "0123456789abcdefABCDEF:.%") >= len - 2;
    return memchr(host, ':', len) == NULL && memchr(host, '/', len) == NULL;
}

bool dynkvd_url_parse(const char *text, size_t len, dynkvd_url out, char *error, size_t error_size)
{
    const char *host, *port;

    if (len == 0 || len + strlen(TCP) > DYNKV_URL_MAX) {
        snprintf(error, error_size, "an address has 1 to %u characters",
                 DYNKV_URL_MAX - (unsigned)strlen(TCP));
        return false;
    }
    if (memmem(text, len, "://", 3))
        snprintf(out, sizeof(dynkvd_url), "%.*s", (int)len, text);
    else
        snprintf(out, sizeof(dynkvd_url), TCP "%.*s", (int)len, text);
    for (const char *c = out; *c; c++)
        if (*c <= ' ' || *c == 0x7f) {
            snprintf(error, error_size, "an address has no blanks or control characters");
            return false;
        }
    if (starts_with(out, IPC) && out[strlen(IPC)])
        return true;
    host = out + strlen(TCP);
    port = strrchr(host, ':');
    if (starts_with(out, TCP) && port && port_is_valid(port + 1) &&
        host_is_valid(host, (size_t)(port - host)))
        return true;
    snprintf(error, error_size,
             "'%.*s' is not an address: use host:port, tcp://host:port or "
             "ipc://path",
             (int)len, text);
    return false;
}

bool dynkvd_url_is_tcp(const char *url)
{
    return starts_with(url, TCP);
}

bool dynkvd_url_is_wildcard(const char *url)
{
    static const char *const wildcards[] = {":", "*:", "0.0.0.0:", "[::]:"};

    if (dynkvd_url_is_tcp(url))
        for (size_t i = 0; i < sizeof wildcards / sizeof *wildcards; i++)
            if (starts_with(url + strlen(TCP), wildcards[i]))
                return true;
    return false;
}

void dynkvd_url_set_port(dynkvd_url url, uint16_t port)
{
    char *at = strrchr(url, ':');

    if (dynkvd_url_is_tcp(url) && strtoul(at + 1, NULL, 10) == 0)
        snprintf(at, sizeof(dynkvd_url) - (size_t)(at - url), ":%u", port);
}
