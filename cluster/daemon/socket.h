/*
 * socket.h: small things that the daemon's sockets and threads share.
 */
#ifndef DYNKV_DAEMON_SOCKET_H
#define DYNKV_DAEMON_SOCKET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <nng/nng.h>

#include "daemon/url.h"

/* Listens on url and puts the port that the kernel gave in the place of port 0.  False, and why. */
bool dynkvd_socket_listen(nng_socket socket, const char *option, dynkvd_url url, char *error,
                          size_t error_size);
/* A condition whose timed waits go by the monotonic clock. */
void dynkvd_condition_init(pthread_cond_t *condition);
/* timeout_ms from now, for such a wait. */
struct timespec dynkvd_deadline(uint64_t timeout_ms);
/* Starts a thread, which ends the program if there can be none. */
pthread_t dynkvd_thread_start(const char *name, void *(*body)(void *), void *argument);

#endif
