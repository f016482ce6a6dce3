#include "daemon/peer_sender.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "daemon/log.h"
#include "daemon/url.h"
#include "wire/frame.h"

struct frame {
    struct frame *next;
    struct dynkv_buf bytes;
    uint64_t cluster_id;
    uint32_t messages;
};

struct sender {
    struct dynkv_map_node node; /* in senders->by_url */
    struct sender *next_touched, *next_retired;
    struct dynkvd_senders *senders;
    dynkvd_url url;
    nng_socket socket;
    nng_aio *aio;
    uint64_t used_ms; /* monotonic */
    bool touched;

    pthread_mutex_t lock; /* what is below is shared with NNG's callback */
    struct frame *first, *last;
    size_t bytes;
    uint32_t messages;
    uint32_t messages_sending;
    bool sending; /* the aio is in use */
};

struct dynkvd_senders {
    struct dynkvd_metrics *metrics;
    uint64_t node_id;
    struct dynkv_map by_url;
    struct sender *touched;
    pthread_mutex_t retired_lock;
    struct sender *retired;
    bool is_full; /* said so in the log */
};

static void frame_free(struct frame *frame)
{
    dynkv_buf_fini(&frame->bytes);
    free(frame);
}

/* With the lock held: takes the first frame as a message to send, or NULL. */
static nng_msg *sender_take(struct sender *sender)
{
    struct frame *frame = sender->first;
    nng_msg *message;

    if (!frame)
        return NULL;
    sender->first = frame->next;
    if (!sender->first)
        sender->last = NULL;
    sender->bytes -= frame->bytes.len;
    sender->messages -= frame->messages;
    sender->messages_sending = frame->messages;
    if (nng_msg_alloc(&message, 0) || nng_msg_append(message, frame->bytes.data, frame->bytes.len))
        dynkv_out_of_memory(frame->bytes.len);
    frame_free(frame);
    return message;
}

/* With the lock held. */
static void sender_drop_queue(struct sender *sender)
{
    dynkvd_metric_add(&sender->senders->metrics->messages_dropped, sender->messages);
    while (sender->first) {
        struct frame *frame = sender->first;

        sender->first = frame->next;
        frame_free(frame);
    }
    sender->last = NULL;
    sender->bytes = 0;
    sender->messages = 0;
}

/* Sends the first frame, if there is one and the aio is free. */
static void sender_kick(struct sender *sender)
{
    nng_msg *message = NULL;

    pthread_mutex_lock(&sender->lock);
    if (!sender->sending && (message = sender_take(sender)))
        sender->sending = true;
    pthread_mutex_unlock(&sender->lock);
    if (!message)
        return;
    nng_aio_set_msg(sender->aio, message);
    nng_aio_set_timeout(sender->aio, DYNKVD_SENDER_TIMEOUT_MS);
    nng_send_aio(sender->socket, sender->aio);
}

static void sender_callback(void *argument)
{
    struct sender *sender = argument;
    struct dynkvd_metrics *metrics = sender->senders->metrics;
    int result = nng_aio_result(sender->aio);

    if (result) {
        nng_msg_free(nng_aio_get_msg(sender->aio));
        nng_aio_set_msg(sender->aio, NULL);
    }
    pthread_mutex_lock(&sender->lock);
    if (result) {
        dynkvd_metric_add(&metrics->messages_dropped, sender->messages_sending);
        sender_drop_queue(sender);
    } else {
        dynkvd_metric_add(&metrics->frames_sent, 1);
    }
    sender->sending = false;
    pthread_mutex_unlock(&sender->lock);
    sender_kick(sender);
}

static struct sender *sender_find(struct dynkvd_senders *senders, struct dynkv_slice url,
                                  uint64_t hash)
{
    struct dynkv_map_node *node;

    for (node = dynkv_map_find(&senders->by_url, hash); node; node = dynkv_map_find_next(node)) {
        struct sender *sender = DYNKV_CONTAINER(node, struct sender, node);

        if (dynkv_slice_equal(dynkv_slice_text(sender->url), url))
            return sender;
    }
    return NULL;
}

/* The url may be a peer's invention.  An address that NNG refuses leaves a sender that never connects,
 * whose messages are dropped, so that the refusal is logged once. */
static struct sender *sender_new(struct dynkvd_senders *senders, struct dynkv_slice url,
                                 uint64_t hash)
{
    struct sender *sender;
    dynkvd_url parsed;
    char why[256];
    int result;

    if (senders->by_url.count >= DYNKVD_SENDERS_MAX) {
        if (!senders->is_full)
            dynkvd_log(DYNKV_LOG_WARNING, "more than %u addresses of other nodes: not dialing more",
                       DYNKVD_SENDERS_MAX);
        senders->is_full = true;
        return NULL;
    }
    if (!dynkvd_url_parse((const char *)url.data, url.len, parsed, why, sizeof why) ||
        !dynkv_slice_equal(dynkv_slice_text(parsed), url))
        return NULL;
    sender = dynkv_calloc(1, sizeof *sender);
    sender->senders = senders;
    memcpy(sender->url, parsed, sizeof parsed);
    pthread_mutex_init(&sender->lock, NULL);
    if (nng_aio_alloc(&sender->aio, sender_callback, sender) || nng_push0_open(&sender->socket))
        dynkv_out_of_memory(sizeof *sender);
    nng_socket_set_ms(sender->socket, NNG_OPT_RECONNMINT, DYNKVD_SENDER_REDIAL_MIN_MS);
    nng_socket_set_ms(sender->socket, NNG_OPT_RECONNMAXT, DYNKVD_SENDER_REDIAL_MAX_MS);
    result = nng_dial(sender->socket, sender->url, NULL, NNG_FLAG_NONBLOCK);
    if (result)
        dynkvd_log(DYNKV_LOG_WARNING, "cannot dial the node at %s: %s", sender->url,
                   nng_strerror(result));
    dynkv_map_add(&senders->by_url, &sender->node, hash);
    return sender;
}

static struct frame *sender_begin_frame(struct sender *sender, uint64_t cluster_id)
{
    struct frame *frame = dynkv_calloc(1, sizeof *frame);

    frame->cluster_id = cluster_id;
    dynkv_frame_begin(&frame->bytes, cluster_id, sender->senders->node_id);
    if (sender->last)
        sender->last->next = frame;
    else
        sender->first = frame;
    sender->last = frame;
    sender->bytes += frame->bytes.len;
    return frame;
}

/* With the lock held: into the last frame if it has room, else into a new one; false if dropped. */
static bool sender_append(struct sender *sender, uint64_t cluster_id, struct dynkv_slice message)
{
    struct frame *frame = sender->last;
    size_t before;

    if (sender->messages >= DYNKVD_SENDER_QUEUE_MESSAGES ||
        sender->bytes + message.len > DYNKVD_SENDER_QUEUE_BYTES)
        return false;
    if (!frame || frame->cluster_id != cluster_id ||
        frame->bytes.len >= DYNKVD_SENDER_FRAME_BYTES ||
        (frame->messages && frame->bytes.len + message.len > DYNKV_MESSAGE_MAX / 2))
        frame = sender_begin_frame(sender, cluster_id);
    before = frame->bytes.len;
    if (!dynkv_frame_add(&frame->bytes, message))
        return false;
    sender->bytes += frame->bytes.len - before;
    frame->messages++;
    sender->messages++;
    return true;
}

struct dynkvd_senders *dynkvd_senders_new(struct dynkvd_metrics *metrics, uint64_t node_id)
{
    struct dynkvd_senders *senders = dynkv_calloc(1, sizeof *senders);

    senders->metrics = metrics;
    senders->node_id = node_id;
    pthread_mutex_init(&senders->retired_lock, NULL);
    return senders;
}

void dynkvd_senders_add(struct dynkvd_senders *senders, const struct dynkv_effect_send *send,
                        uint64_t mono_ms)
{
    uint64_t hash = dynkv_hash(send->url, 0);
    struct sender *sender = sender_find(senders, send->url, hash);
    bool queued = false;

    if (!sender)
        sender = sender_new(senders, send->url, hash);
    if (sender) {
        sender->used_ms = mono_ms;
        if (!sender->touched) {
            sender->touched = true;
            sender->next_touched = senders->touched;
            senders->touched = sender;
        }
        pthread_mutex_lock(&sender->lock);
        queued = sender_append(sender, send->cluster_id, send->message);
        pthread_mutex_unlock(&sender->lock);
    }
    dynkvd_metric_add(
        queued ? &senders->metrics->messages_sent : &senders->metrics->messages_dropped, 1);
}

void dynkvd_senders_flush(struct dynkvd_senders *senders)
{
    while (senders->touched) {
        struct sender *sender = senders->touched;

        senders->touched = sender->next_touched;
        sender->touched = false;
        sender_kick(sender);
    }
}

void dynkvd_senders_retire_idle(struct dynkvd_senders *senders, uint64_t mono_ms)
{
    struct dynkv_map_node *node = dynkv_map_first(&senders->by_url), *next;

    for (; node; node = next) {
        struct sender *sender = DYNKV_CONTAINER(node, struct sender, node);

        next = dynkv_map_next(&senders->by_url, node);
        if (mono_ms - sender->used_ms < DYNKVD_SENDER_IDLE_MS)
            continue;
        dynkv_map_remove(&senders->by_url, node);
        senders->is_full = false;
        pthread_mutex_lock(&senders->retired_lock);
        sender->next_retired = senders->retired;
        senders->retired = sender;
        pthread_mutex_unlock(&senders->retired_lock);
    }
}

static void sender_free(struct sender *sender)
{
    nng_close(sender->socket);
    nng_aio_stop(sender->aio);
    nng_aio_free(sender->aio);
    sender_drop_queue(sender);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}

void dynkvd_senders_close_retired(struct dynkvd_senders *senders)
{
    struct sender *sender, *next;

    pthread_mutex_lock(&senders->retired_lock);
    sender = senders->retired;
    senders->retired = NULL;
    pthread_mutex_unlock(&senders->retired_lock);
    for (; sender; sender = next) {
        next = sender->next_retired;
        sender_free(sender);
    }
}

void dynkvd_senders_free(struct dynkvd_senders *senders)
{
    struct dynkv_map_node *node;

    while ((node = dynkv_map_first(&senders->by_url))) {
        dynkv_map_remove(&senders->by_url, node);
        sender_free(DYNKV_CONTAINER(node, struct sender, node));
    }
    dynkvd_senders_close_retired(senders);
    dynkv_map_fini(&senders->by_url);
    pthread_mutex_destroy(&senders->retired_lock);
    free(senders);
}
