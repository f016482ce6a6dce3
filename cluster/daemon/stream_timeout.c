/*
 * stream_timeout.c: see stream_timeout.h.
 *
 * NNG 1.5.2 has no option for this, and does not tell a stream's descriptor.  So it is looked for among the
 * descriptors there are: the one whose two addresses are the stream's is the stream's, for as long as it is open.
 * That is done once a connection.
 */
#include "daemon/stream_timeout.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage room;
};

static bool address_is(const union address *address, const nng_sockaddr *wanted)
{
    if (address->any.sa_family == AF_INET && wanted->s_family == NNG_AF_INET)
        return address->in.sin_port == wanted->s_in.sa_port &&
               address->in.sin_addr.s_addr == wanted->s_in.sa_addr;
    if (address->any.sa_family == AF_INET6 && wanted->s_family == NNG_AF_INET6)
        return address->in6.sin6_port == wanted->s_in6.sa_port &&
               memcmp(&address->in6.sin6_addr, wanted->s_in6.sa_addr,
                      sizeof wanted->s_in6.sa_addr) == 0;
    return false;
}

static bool socket_is(int fd, const nng_sockaddr *local, const nng_sockaddr *remote)
{
    union address address;
    socklen_t len = sizeof address;

    if (getsockname(fd, &address.any, &len) || !address_is(&address, local))
        return false;
    len = sizeof address;
    return getpeername(fd, &address.any, &len) == 0 && address_is(&address, remote);
}

/* -1: it is not to be found. */
static int socket_find(const nng_sockaddr *local, const nng_sockaddr *remote)
{
    DIR *open_ones = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -1;

    if (!open_ones)
        return -1;
    while (found < 0 && (entry = readdir(open_ones))) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && socket_is(fd, local, remote))
            found = fd;
    }
    closedir(open_ones);
    return found;
}

void dynkvd_stream_set_timeout(nng_stream *stream, uint32_t timeout_ms)
{
    nng_sockaddr local, remote;
    int fd;

    if (nng_stream_get_addr(stream, NNG_OPT_LOCADDR, &local) ||
        nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote))
        return;
    fd = socket_find(&local, &remote);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}
