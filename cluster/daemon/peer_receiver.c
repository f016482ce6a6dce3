#include "daemon/peer_receiver.h"

#include <nng/protocol/pipeline0/pull.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/socket.h"

struct dynkvd_receiver {
    struct dynkvd_loop *loop;
    struct dynkvd_metrics *metrics;
    nng_socket socket;
    nng_aio *aio;
    _Atomic bool paused; /* nothing is being received; whoever clears it must receive */
};

static bool receiver_is_over_limit(struct dynkvd_receiver *receiver, uint64_t limit)
{
    return dynkvd_metric_get(&receiver->metrics->backlog_bytes) > limit;
}

static void receiver_callback(void *argument)
{
    struct dynkvd_receiver *receiver = argument;
    int result = nng_aio_result(receiver->aio);
    bool must_run = false;

    if (result == NNG_ECLOSED || result == NNG_ECANCELED)
        return; /* the socket is being closed */
    if (result == 0) {
        struct dynkvd_frame *frame = dynkv_calloc(1, sizeof *frame);

        frame->item.kind = DYNKVD_ITEM_FRAME;
        frame->message = nng_aio_get_msg(receiver->aio);
        nng_aio_set_msg(receiver->aio, NULL);
        dynkvd_metric_add(&receiver->metrics->frames_received, 1);
        dynkvd_metric_add(&receiver->metrics->backlog_bytes, nng_msg_len(frame->message));
        /* Posted before the next is received, which keeps the order; run after, so that it can be. */
        must_run = dynkvd_loop_post(receiver->loop, &frame->item, true);
    }
    if (receiver_is_over_limit(receiver, DYNKVD_BACKLOG_BYTES_MAX)) {
        atomic_store(&receiver->paused, true);
        /* The last item may have been done between the look and the store: then nobody resumes. */
        dynkvd_receiver_resume(receiver);
    } else {
        nng_recv_aio(receiver->socket, receiver->aio);
    }
    if (must_run)
        dynkvd_loop_run(receiver->loop);
}

struct dynkvd_receiver *dynkvd_receiver_open(struct dynkvd_loop *loop,
                                             struct dynkvd_metrics *metrics, char *error,
                                             size_t error_size)
{
    struct dynkvd_receiver *receiver = dynkv_calloc(1, sizeof *receiver);
    int result = nng_pull0_open(&receiver->socket);

    receiver->loop = loop;
    receiver->metrics = metrics;
    if (!result)
        result = nng_socket_set_size(receiver->socket, NNG_OPT_RECVMAXSZ, DYNKV_MESSAGE_MAX);
    if (!result)
        result = nng_aio_alloc(&receiver->aio, receiver_callback, receiver);
    if (!result)
        return receiver;
    snprintf(error, error_size, "cannot open the socket for other nodes: %s", nng_strerror(result));
    dynkvd_receiver_close(receiver);
    dynkvd_receiver_free(receiver);
    return NULL;
}

bool dynkvd_receiver_listen(struct dynkvd_receiver *receiver, dynkvd_url url, char *error,
                            size_t error_size)
{
    return dynkvd_socket_listen(receiver->socket, "peer", url, error, error_size);
}

void dynkvd_receiver_start(struct dynkvd_receiver *receiver)
{
    nng_recv_aio(receiver->socket, receiver->aio);
}

struct dynkv_slice dynkvd_frame_bytes(const struct dynkvd_frame *frame)
{
    return dynkv_slice(nng_msg_body(frame->message), nng_msg_len(frame->message));
}

void dynkvd_frame_free(struct dynkvd_receiver *receiver, struct dynkvd_frame *frame)
{
    dynkvd_metric_sub(&receiver->metrics->backlog_bytes, nng_msg_len(frame->message));
    nng_msg_free(frame->message);
    free(frame);
}

void dynkvd_receiver_resume(struct dynkvd_receiver *receiver)
{
    /* Only from half the limit on, so that it does not stop and go with every frame. */
    if (atomic_load(&receiver->paused) &&
        !receiver_is_over_limit(receiver, DYNKVD_BACKLOG_BYTES_MAX / 2) &&
        atomic_exchange(&receiver->paused, false))
        nng_recv_aio(receiver->socket, receiver->aio);
}

void dynkvd_receiver_close(struct dynkvd_receiver *receiver)
{
    nng_close(receiver->socket);
    if (receiver->aio)
        nng_aio_stop(receiver->aio);
}

void dynkvd_receiver_free(struct dynkvd_receiver *receiver)
{
    if (receiver->aio)
        nng_aio_free(receiver->aio);
    free(receiver);
}
