/*
 * client_socket.h: the REP socket on which clients ask.
 *
 * One NNG socket with a pool of contexts; a context is a request that can be in flight.  A context goes
 *
 *   RECEIVING -> POSTED (in the loop's queue) -> HELD (the core has it) -> SENDING -> RECEIVING ...
 *
 * NNG's callbacks move it to POSTED and back to RECEIVING, the loop's runner does the rest.  The token
 * by which the core knows a request is (generation << 32 | context): a reply to a request that was
 * answered already, in an emergency, finds another generation and does nothing.
 *
 * A client that does not take its replies would hold contexts for ever: after
 * DYNKVD_REPLY_TIMEOUT_MS its connection is closed.
 */
#ifndef DYNKV_DAEMON_CLIENT_SOCKET_H
#define DYNKV_DAEMON_CLIENT_SOCKET_H

#include "daemon/loop.h"
#include "daemon/url.h"

#include <nng/nng.h>

#define DYNKVD_CONTEXTS         1024u /* requests in flight, those that are being refused too */
#define DYNKVD_REQUESTS_MAX     960u  /* requests in flight; beyond: OVERLOADED */
#define DYNKVD_REPLY_TIMEOUT_MS 10000

enum dynkvd_request_state {
    DYNKVD_REQUEST_RECEIVING,
    DYNKVD_REQUEST_POSTED,
    DYNKVD_REQUEST_HELD,
    DYNKVD_REQUEST_SENDING,
};

struct dynkvd_request {
    struct dynkvd_item item;
    struct dynkvd_clients *clients;
    nng_ctx context;
    nng_aio *aio;
    nng_msg *message; /* POSTED, HELD: the request; its memory is used again for the reply */
    nng_pipe pipe;
    uint32_t index, generation;
    uint32_t counted_bytes; /* in the backlog metric */
    _Atomic int state;
};

/* NULL, and why in error.  node_id is the sender that refusals name. */
struct dynkvd_clients *dynkvd_clients_open(struct dynkvd_loop *loop, struct dynkvd_metrics *metrics,
                                           uint64_t node_id, char *error, size_t error_size);
/* Puts the port that the kernel gave into url.  False, and why in error. */
bool dynkvd_clients_listen(struct dynkvd_clients *clients, dynkvd_url url, char *error,
                           size_t error_size);
/* Begins to receive. */
void dynkvd_clients_start(struct dynkvd_clients *clients);

/* By the runner: the request, taken from the queue, is given to the core. */
void dynkvd_request_hold(struct dynkvd_request *request);
uint64_t dynkvd_request_token(const struct dynkvd_request *request);
struct dynkv_slice dynkvd_request_bytes(const struct dynkvd_request *request);
/* By the loop's runner. */
void dynkvd_clients_reply(struct dynkvd_clients *clients, uint64_t token,
                          struct dynkv_slice message);
/* An ERROR reply made here, without the core; by whoever has the request, before or
 * after it was HELD. */
void dynkvd_request_refuse(struct dynkvd_request *request, enum dynkv_error error,
                           const char *text);
/* By the runner: refuses every request that is HELD (those in the queue have their turn). */
void dynkvd_clients_refuse_all(struct dynkvd_clients *clients, enum dynkv_error error,
                               const char *text);
/* Waits until nothing is in flight, or timeout_ms have passed (false). */
bool dynkvd_clients_wait_idle(struct dynkvd_clients *clients, uint32_t timeout_ms);
/* Closes the socket and frees everything; no callback runs afterwards. */
void dynkvd_clients_close(struct dynkvd_clients *clients);

#endif
