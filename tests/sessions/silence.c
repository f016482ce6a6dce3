/*
 * silence.c: listening sockets of our own that nobody reads from.
 *
 * A socket whose queue of connections is full makes the kernel drop further SYNs, as a firewall would
 * (tcp_conn_request in Linux), so a connect to it neither succeeds nor fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/sessions/sessions.h"

#define SOCKETS_MAX 32
#define FILL        4 /* more than a queue of length 0 takes */

static int sockets[SOCKETS_MAX];
static size_t socket_count;

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && socket_count < SOCKETS_MAX, "%s", strerror(errno));
    sockets[socket_count++] = fd;
    return fd;
}

static uint16_t listen_somewhere(int queue)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = open_socket();

    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, queue) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &len) == 0,
          "%s", strerror(errno));
    return ntohs(at.sin_port);
}

/* A connect that has been begun. */
static int call(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = open_socket();

    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS, "%s",
          strerror(errno));
    return fd;
}

bool silence_takes(uint16_t port)
{
    struct pollfd wait = {.fd = call(port), .events = POLLOUT};

    return poll(&wait, 1, 200) > 0;
}

uint16_t silence_answering(void)
{
    return listen_somewhere(16);
}

uint16_t silence_swallowing(void)
{
    uint16_t port = listen_somewhere(0);

    for (int i = 0; i < FILL; i++)
        call(port);
    return port;
}

void silences_end(void)
{
    while (socket_count > 0)
        close(sockets[--socket_count]);
}
