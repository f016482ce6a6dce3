#include "daemon/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool dynkvd_socket_listen(nng_socket socket, const char *option, dynkvd_url url, char *error,
                          size_t error_size)
{
    nng_listener listener;
    int port;
    int result = nng_listen(socket, url, &listener, 0);

    if (result == 0) {
        if (dynkvd_url_is_tcp(url) &&
            nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0)
            dynkvd_url_set_port(url, (uint16_t)port);
        return true;
    }
    snprintf(
        error, error_size, "--%s: cannot listen on %s: %s%s", option, url, nng_strerror(result),
        result == NNG_EADDRINUSE ? " (is another dynkvd running there? give another port)" : "");
    return false;
}

void dynkvd_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec dynkvd_deadline(uint64_t timeout_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(timeout_ms / 1000);
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

pthread_t dynkvd_thread_start(const char *name, void *(*body)(void *), void *argument)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, body, argument);

    if (result) {
        fprintf(stderr, "dynkvd: cannot start the %s thread: %s\n", name, strerror(result));
        exit(1);
    }
    pthread_setname_np(thread, name);
    return thread;
}
