/* address.c: parsing of the addresses of nodes. */
#include "client/address.h"

#include <stdio.h>
#include <sys/un.h>

#define SHOWN_MAX 100 /* bytes of a faulty address that a message repeats */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static struct dynkv_slice trimmed(struct dynkv_slice text)
{
    while (text.len && is_blank(text.data[0]))
        text = dynkv_slice(text.data + 1, text.len - 1);
    while (text.len && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static bool strip_prefix(struct dynkv_slice *text, const char *prefix)
{
    struct dynkv_slice wanted = dynkv_slice_text(prefix);

    if (!dynkv_slice_has_prefix(*text, wanted))
        return false;
    *text = dynkv_slice(text->data + wanted.len, text->len - wanted.len);
    return true;
}

static enum dynkv_error refuse(struct dynkv_slice url, const char *why, char *text,
                               size_t text_size)
{
    int shown = url.len > SHOWN_MAX ? SHOWN_MAX : (int)url.len;

    snprintf(text, text_size, "host \"%.*s\" %s", shown, (const char *)url.data, why);
    return DYNKV_INVALID;
}

static void copy_text(char *to, struct dynkv_slice from)
{
    if (from.len)
        memcpy(to, from.data, from.len);
    to[from.len] = 0;
}

static const char *parse_ipc(struct dynkv_slice path, struct dynkv_address *out)
{
    struct sockaddr_un limit;

    if (!path.len || path.data[0] != '/')
        return "needs an absolute path: write ipc:///path/of/socket";
    if (path.len >= sizeof limit.sun_path)
        return "has a path longer than a socket's name may be (107 bytes)";
    out->is_ipc = true;
    copy_text(out->host, path);
    snprintf(out->text, sizeof out->text, "ipc://%.*s", (int)path.len, (const char *)path.data);
    return NULL;
}

/* Digits of a port; the shortest form, so that equal addresses have equal texts. */
static bool parse_port(struct dynkv_slice digits, char *out, size_t out_size)
{
    unsigned value = 0;

    if (!digits.len || digits.len > 5)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(digits.data[i] - '0');
    }
    snprintf(out, out_size, "%u", value % 65536u);
    return value >= 1 && value <= 65535;
}

static const char *parse_tcp(struct dynkv_slice rest, struct dynkv_address *out)
{
    const char *missing = "lacks a port: write host:port, for example 127.0.0.1:7401";
    struct dynkv_slice host = rest;
    struct dynkv_slice port;
    bool bracketed = rest.len && rest.data[0] == '[';
    const uint8_t *colon = rest.len ? memrchr(rest.data, ':', rest.len) : NULL;
    const uint8_t *bracket = rest.len ? memrchr(rest.data, ']', rest.len) : NULL;

    if (!colon || (bracketed && bracket && colon < bracket))
        return missing;
    host.len = (size_t)(colon - rest.data);
    port = dynkv_slice(colon + 1, rest.len - host.len - 1);
    if (bracketed) {
        if (!bracket || bracket + 1 != colon)
            return "has a bracket out of place: write [address]:port";
        host = dynkv_slice(host.data + 1, host.len - 2);
    } else if (host.len && memchr(host.data, ':', host.len)) {
        return "is an IPv6 address without brackets: write [address]:port";
    }
    if (!host.len)
        return "lacks a host name: write host:port, for example 127.0.0.1:7401";
    for (size_t i = 0; i < host.len; i++)
        if (host.data[i] <= ' ' || host.data[i] == '/' || host.data[i] == '[' ||
            host.data[i] == ']')
            return "has a character that no host name has";
    if (!parse_port(port, out->port, sizeof out->port))
        return "has a port that is not a number from 1 to 65535";
    copy_text(out->host, host);
    snprintf(out->text, sizeof out->text, bracketed ? "[%s]:%s" : "%s:%s", out->host, out->port);
    return NULL;
}

enum dynkv_error dynkv_address_parse(struct dynkv_slice url, struct dynkv_address *out, char *text,
                                     size_t text_size)
{
    struct dynkv_slice rest = trimmed(url);
    const char *fault;

    memset(out, 0, sizeof *out);
    if (!rest.len)
        return refuse(rest, "is empty: write host:port or ipc:///path", text, text_size);
    if (rest.len > DYNKV_URL_MAX)
        return refuse(rest, "is longer than 255 bytes", text, text_size);
    if (memchr(rest.data, 0, rest.len))
        return refuse(dynkv_slice_text(""), "has a zero byte in it", text, text_size);
    if (strip_prefix(&rest, "ipc://"))
        fault = parse_ipc(rest, out);
    else if (strip_prefix(&rest, "tcp://") || !memmem(rest.data, rest.len, "://", 3))
        fault = parse_tcp(rest, out);
    else
        fault = "has a scheme that is not supported: use tcp:// or ipc://";
    if (fault)
        return refuse(trimmed(url), fault, text, text_size);
    return DYNKV_OK;
}

enum dynkv_error dynkv_address_parse_list(const char *hosts, struct dynkv_address *out,
                                          uint32_t *count, char *text, size_t text_size)
{
    struct dynkv_slice rest = dynkv_slice_text(hosts ? hosts : "");

    *count = 0;
    if (!trimmed(rest).len) {
        snprintf(text, text_size, "no hosts given: write at least one host:port or ipc:///path");
        return DYNKV_INVALID;
    }
    for (;;) {
        const uint8_t *comma = rest.len ? memchr(rest.data, ',', rest.len) : NULL;
        struct dynkv_slice one = rest;
        enum dynkv_error error;

        if (*count == DYNKV_HOSTS_MAX) {
            snprintf(text, text_size, "more than %u hosts: a few are enough to find the others",
                     DYNKV_HOSTS_MAX);
            return DYNKV_INVALID;
        }
        if (comma)
            one.len = (size_t)(comma - rest.data);
        error = dynkv_address_parse(one, &out[*count], text, text_size);
        if (error)
            return error;
        ++*count;
        if (!comma)
            return DYNKV_OK;
        rest = dynkv_slice(comma + 1, rest.len - one.len - 1);
    }
}
