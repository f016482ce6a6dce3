#include "daemon/peer_sender.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "daemon/log.h"
#include "daemon/peer_link.h"
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
    struct dynkvd_link *link; /* NULL: NNG refused the url */
    uint64_t used_ms;         /* monotonic */
    bool touched;

    pthread_mutex_t lock; /* what is below is shared with the link's threads */
    struct frame *first, *last;
    struct frame *flying; /* given to the link */
    size_t bytes;         /* of those that wait */
    uint32_t messages;
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

/* Gives the first frame to the link, if there is one and the link is free. */
static void sender_kick(struct sender *sender)
{
    struct frame *frame = NULL;

    pthread_mutex_lock(&sender->lock);
    if (!sender->link)
        sender_drop_queue(sender);
    if (!sender->flying && sender->first) {
        frame = sender->flying = sender->first;
        sender->first = frame->next;
        if (!sender->first)
            sender->last = NULL;
        sender->bytes -= frame->bytes.len;
        sender->messages -= frame->messages;
    }
    pthread_mutex_unlock(&sender->lock);
    if (frame)
        dynkvd_link_send(sender->link, dynkv_buf_slice(&frame->bytes));
}

static void sender_on_done(void *argument, bool sent)
{
    struct sender *sender = argument;
    struct dynkvd_metrics *metrics = sender->senders->metrics;
    struct frame *frame;

    pthread_mutex_lock(&sender->lock);
    frame = sender->flying;
    sender->flying = NULL;
    if (sent) {
        dynkvd_metric_add(&metrics->frames_sent, 1);
    } else {
        dynkvd_metric_add(&metrics->messages_dropped, frame->messages);
        sender_drop_queue(sender);
    }
    pthread_mutex_unlock(&sender->lock);
    frame_free(frame);
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
    const char *refusal;

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
    sender->link = dynkvd_link_new(sender->url, sender_on_done, sender, &refusal);
    if (!sender->link)
        dynkvd_log(DYNKV_LOG_WARNING, "cannot dial the node at %s: %s", sender->url, refusal);
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

void dynkvd_senders_tick(struct dynkvd_senders *senders, uint64_t mono_ms)
{
    struct dynkv_map_node *node = dynkv_map_first(&senders->by_url);

    for (; node; node = dynkv_map_next(&senders->by_url, node)) {
        struct sender *sender = DYNKV_CONTAINER(node, struct sender, node);

        if (sender->link)
            dynkvd_link_tick(sender->link, mono_ms);
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
    if (sender->link)
        dynkvd_link_free(sender->link);
    if (sender->flying)
        frame_free(sender->flying);
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
