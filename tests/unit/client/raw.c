/* raw.c: servers that say what they are told to. */
#include "tests/unit/client/raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

struct raw_server {
    struct raw_script script;
    int fd;
    char host[32];
    pthread_t thread;
};

static bool send_all(int fd, struct dynkv_slice bytes)
{
    while (bytes.len) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes = dynkv_slice(bytes.data + sent, bytes.len - (size_t)sent);
    }
    return true;
}

static void serve(const struct raw_script *script, int fd)
{
    uint8_t byte;
    uint32_t waited = 0;

    if (!send_all(fd, script->at_once))
        return;
    while (waited < script->wait_for && recv(fd, &byte, 1, 0) == 1)
        waited++;
    do {
        if (!send_all(fd, script->then))
            return;
    } while (script->is_endless);
    while (!script->closes && recv(fd, &byte, 1, 0) == 1)
        continue;
}

static void *run(void *argument)
{
    struct raw_server *server = argument;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        serve(&server->script, fd);
        close(fd);
    }
    return NULL;
}

struct raw_server *raw_start(const struct raw_script *script)
{
    struct raw_server *server = dynkv_calloc(1, sizeof *server);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;

    server->script = *script;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    DYNKV_ASSERT(server->fd >= 0);
    DYNKV_ASSERT(bind(server->fd, (struct sockaddr *)&name, sizeof name) == 0);
    DYNKV_ASSERT(listen(server->fd, 16) == 0);
    DYNKV_ASSERT(getsockname(server->fd, (struct sockaddr *)&name, &size) == 0);
    snprintf(server->host, sizeof server->host, "127.0.0.1:%u", ntohs(name.sin_port));
    DYNKV_ASSERT(pthread_create(&server->thread, NULL, run, server) == 0);
    return server;
}

const char *raw_host(const struct raw_server *server)
{
    return server->host;
}

void raw_stop(struct raw_server *server)
{
    shutdown(server->fd, SHUT_RDWR); /* ends accept */
    pthread_join(server->thread, NULL);
    close(server->fd);
    free(server);
}
