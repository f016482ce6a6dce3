#include "daemon/client_socket.h"

#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "daemon/log.h"
#include "daemon/refusal.h"
#include "daemon/socket.h"

struct dynkvd_clients {
    struct dynkvd_loop *loop;
    struct dynkvd_metrics *metrics;
    uint64_t node_id;
    nng_socket socket;
    struct dynkvd_request *requests; /* DYNKVD_CONTEXTS */
    _Atomic bool waiting;            /* somebody is in wait_idle: tell it */
    pthread_mutex_t lock;
    pthread_cond_t idle;
};

static void request_receive(struct dynkvd_request *request)
{
    atomic_store(&request->state, DYNKVD_REQUEST_RECEIVING);
    nng_aio_set_timeout(request->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(request->context, request->aio);
}

/* The reply is on its way, or given up: the context is free for the next request. */
static void request_finish(struct dynkvd_request *request)
{
    struct dynkvd_clients *clients = request->clients;

    dynkvd_metric_sub(&clients->metrics->backlog_bytes, request->counted_bytes);
    atomic_fetch_sub(&clients->metrics->requests_in_flight, 1);
    if (atomic_load(&clients->waiting)) {
        pthread_mutex_lock(&clients->lock);
        pthread_cond_broadcast(&clients->idle);
        pthread_mutex_unlock(&clients->lock);
    }
    request_receive(request);
}

static void on_sent(struct dynkvd_request *request, int result)
{
    nng_msg *message = nng_aio_get_msg(request->aio);

    if (result) {
        if (message)
            nng_msg_free(message);
        nng_aio_set_msg(request->aio, NULL);
        dynkvd_metric_add(&request->clients->metrics->replies_dropped, 1);
        if (result == NNG_ETIMEDOUT)
            nng_pipe_close(request->pipe); /* frees what else waits for this client */
    }
    request_finish(request);
}

static void on_received(struct dynkvd_request *request)
{
    struct dynkvd_clients *clients = request->clients;
    struct dynkvd_metrics *metrics = clients->metrics;
    uint64_t in_flight, backlog;

    request->message = nng_aio_get_msg(request->aio);
    nng_aio_set_msg(request->aio, NULL);
    request->pipe = nng_msg_get_pipe(request->message);
    request->generation++;
    request->counted_bytes = (uint32_t)nng_msg_len(request->message);
    dynkvd_metric_add(&metrics->requests_received, 1);
    in_flight = atomic_fetch_add(&metrics->requests_in_flight, 1);
    backlog = atomic_fetch_add(&metrics->backlog_bytes, request->counted_bytes);
    atomic_store(&request->state, DYNKVD_REQUEST_POSTED);
    if (in_flight >= DYNKVD_REQUESTS_MAX || backlog > DYNKVD_BACKLOG_BYTES_MAX) {
        dynkvd_request_refuse(request, DYNKV_OVERLOADED,
                              "the node has too many requests in flight; try again, or ask "
                              "another node");
        return;
    }
    if (dynkvd_loop_post(clients->loop, &request->item, true))
        dynkvd_loop_run(clients->loop);
}

static void request_callback(void *argument)
{
    struct dynkvd_request *request = argument;
    int result = nng_aio_result(request->aio);

    if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
        nng_msg *unsent = nng_aio_get_msg(request->aio);

        if (unsent && atomic_load(&request->state) == DYNKVD_REQUEST_SENDING)
            nng_msg_free(unsent);
        return; /* the socket is being closed */
    }
    if (atomic_load(&request->state) == DYNKVD_REQUEST_SENDING)
        on_sent(request, result);
    else if (result == 0)
        on_received(request);
    else
        request_receive(request);
}

struct dynkvd_clients *dynkvd_clients_open(struct dynkvd_loop *loop, struct dynkvd_metrics *metrics,
                                           uint64_t node_id, char *error, size_t error_size)
{
    struct dynkvd_clients *clients = dynkv_calloc(1, sizeof *clients);
    int result;

    clients->loop = loop;
    clients->metrics = metrics;
    clients->node_id = node_id;
    clients->requests = dynkv_calloc(DYNKVD_CONTEXTS, sizeof *clients->requests);
    pthread_mutex_init(&clients->lock, NULL);
    dynkvd_condition_init(&clients->idle);
    result = nng_rep0_open(&clients->socket);
    if (!result)
        result = nng_socket_set_size(clients->socket, NNG_OPT_RECVMAXSZ, DYNKV_MESSAGE_MAX);
    for (uint32_t i = 0; i < DYNKVD_CONTEXTS && !result; i++) {
        struct dynkvd_request *request = &clients->requests[i];

        request->item.kind = DYNKVD_ITEM_REQUEST;
        request->clients = clients;
        request->index = i;
        result = nng_ctx_open(&request->context, clients->socket);
        if (!result)
            result = nng_aio_alloc(&request->aio, request_callback, request);
    }
    if (!result)
        return clients;
    snprintf(error, error_size, "cannot open the socket for clients: %s", nng_strerror(result));
    dynkvd_clients_close(clients);
    return NULL;
}

bool dynkvd_clients_listen(struct dynkvd_clients *clients, dynkvd_url url, char *error,
                           size_t error_size)
{
    return dynkvd_socket_listen(clients->socket, "listen", url, error, error_size);
}

void dynkvd_clients_start(struct dynkvd_clients *clients)
{
    for (uint32_t i = 0; i < DYNKVD_CONTEXTS; i++)
        request_receive(&clients->requests[i]);
}

void dynkvd_request_hold(struct dynkvd_request *request)
{
    atomic_store(&request->state, DYNKVD_REQUEST_HELD);
}

uint64_t dynkvd_request_token(const struct dynkvd_request *request)
{
    return (uint64_t)request->generation << 32 | request->index;
}

struct dynkv_slice dynkvd_request_bytes(const struct dynkvd_request *request)
{
    return dynkv_slice(nng_msg_body(request->message), nng_msg_len(request->message));
}

/* Only who has the request does this: the callback that received it, or the runner. */
static void request_send(struct dynkvd_request *request, struct dynkv_slice bytes)
{
    nng_msg *message = request->message;

    request->message = NULL;
    atomic_store(&request->state, DYNKVD_REQUEST_SENDING);
    nng_msg_clear(message);
    if (nng_msg_append(message, bytes.data, bytes.len))
        dynkv_out_of_memory(bytes.len);
    nng_aio_set_msg(request->aio, message);
    nng_aio_set_timeout(request->aio, DYNKVD_REPLY_TIMEOUT_MS);
    nng_ctx_send(request->context, request->aio);
}

void dynkvd_clients_reply(struct dynkvd_clients *clients, uint64_t token,
                          struct dynkv_slice message)
{
    struct dynkvd_request *request = &clients->requests[(uint32_t)token];

    DYNKV_ASSERT((uint32_t)token < DYNKVD_CONTEXTS);
    if (atomic_load(&request->state) != DYNKVD_REQUEST_HELD ||
        dynkvd_request_token(request) != token)
        return; /* refused meanwhile */
    if (message.len > DYNKV_MESSAGE_MAX) {
        dynkvd_metric_add(&clients->metrics->replies_dropped, 1);
        dynkvd_log(DYNKV_LOG_WARNING, "a reply of %zu bytes is over the limit of %u", message.len,
                   DYNKV_MESSAGE_MAX);
        dynkvd_request_refuse(request, DYNKV_TOO_LARGE,
                              "the answer is larger than a message; ask for less at once");
        return;
    }
    request_send(request, message);
}

void dynkvd_request_refuse(struct dynkvd_request *request, enum dynkv_error error, const char *text)
{
    struct dynkv_buf reply = {0};

    dynkvd_metric_add(&request->clients->metrics->requests_refused, 1);
    dynkvd_refusal_encode(dynkvd_request_bytes(request), request->clients->node_id, error, text,
                          &reply);
    request_send(request, dynkv_buf_slice(&reply));
    dynkv_buf_fini(&reply);
}

void dynkvd_clients_refuse_all(struct dynkvd_clients *clients, enum dynkv_error error,
                               const char *text)
{
    for (uint32_t i = 0; i < DYNKVD_CONTEXTS; i++)
        if (atomic_load(&clients->requests[i].state) == DYNKVD_REQUEST_HELD)
            dynkvd_request_refuse(&clients->requests[i], error, text);
}

bool dynkvd_clients_wait_idle(struct dynkvd_clients *clients, uint32_t timeout_ms)
{
    struct timespec until = dynkvd_deadline(timeout_ms);
    int result = 0;

    pthread_mutex_lock(&clients->lock);
    atomic_store(&clients->waiting, true);
    while (atomic_load(&clients->metrics->requests_in_flight) && result == 0)
        result = pthread_cond_timedwait(&clients->idle, &clients->lock, &until);
    atomic_store(&clients->waiting, false);
    pthread_mutex_unlock(&clients->lock);
    return result == 0;
}

void dynkvd_clients_close(struct dynkvd_clients *clients)
{
    nng_close(clients->socket);
    for (uint32_t i = 0; i < DYNKVD_CONTEXTS; i++) {
        struct dynkvd_request *request = &clients->requests[i];

        if (request->aio) {
            nng_aio_stop(request->aio);
            nng_aio_free(request->aio);
        }
        if (request->message)
            nng_msg_free(request->message);
    }
    pthread_cond_destroy(&clients->idle);
    pthread_mutex_destroy(&clients->lock);
    free(clients->requests);
    free(clients);
}
