/* send.c: messages out of the node: to peers, to clients, and errors to whoever asked. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/node_impl.h"

/*
 * Every message carries the clock, and moves it on.  One with objects is not stamped later than where a next
 * life of this node would begin, so that what a life that ended has sent is older than what the next one says:
 * reap.h counts on that.
 */
static uint64_t send_timestamp(struct dynkv_node *node, uint8_t type)
{
    uint64_t timestamp = dynkv_clock_tick(&node->clock, node->now_ms);
    uint64_t durable = lease_life_begins(node);

    return type == DYNKV_MESSAGE_REPLICATE && timestamp > durable ? durable : timestamp;
}

/* Encodes into the effects' arena. */
static struct dynkv_slice send_encode(struct dynkv_node *node, uint8_t type, uint64_t request_id,
                                      uint32_t deadline_ms, const void *body)
{
    struct dynkv_envelope envelope = {
        .type = type,
        .request_id = request_id,
        .timestamp = send_timestamp(node, type),
        .sender = node->id,
        .ring_version = node->ring ? dynkv_ring_version(node->ring) : 0,
        .deadline_ms = deadline_ms,
    };

    dynkv_buf_reset(&node->scratch);
    dynkv_message_encode(&envelope, body, &node->scratch);
    return dynkv_slice_copy(dynkv_buf_slice(&node->scratch), &node->effects->arena);
}

static void send_message(struct dynkv_node *node, struct dynkv_slice url, uint64_t cluster_id,
                         struct dynkv_slice message)
{
    struct dynkv_effect_send *send = dynkv_effects_add_send(node->effects);

    send->url = dynkv_slice_copy(url, &node->effects->arena);
    send->cluster_id = cluster_id;
    send->message = message;
}

void node_send_url(struct dynkv_node *node, struct dynkv_slice url, uint64_t cluster_id,
                   uint8_t type, const void *body)
{
    send_message(node, url, cluster_id, send_encode(node, type, 0, 0, body));
}

void node_send(struct dynkv_node *node, const struct member *to, uint8_t type, uint64_t request_id,
               uint32_t deadline_ms, const void *body)
{
    struct dynkv_slice message = send_encode(node, type, request_id, deadline_ms, body);

    send_message(node, to->info.peer_url, node->cluster_id, message);
}

void node_answer(struct dynkv_node *node, const struct source *source, uint8_t type,
                 const void *body)
{
    if (source->kind == SOURCE_CLIENT) {
        struct dynkv_slice message = send_encode(node, type, source->request_id, 0, body);
        struct dynkv_effect_reply *reply = dynkv_effects_add_reply(node->effects);

        reply->client = source->client;
        reply->message = message;
    } else if (source->kind == SOURCE_PEER) {
        const struct member *peer = members_find(node, source->peer);

        if (peer)
            node_send(node, peer, type, source->request_id, 0, body);
    }
}

void node_answer_error(struct dynkv_node *node, const struct source *source, enum dynkv_error error,
                       const char *format, ...)
{
    char text[DYNKV_TEXT_MAX];
    struct dynkv_error_reply body = {.error = (uint8_t)error};
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (written < 0)
        written = 0;
    body.text =
        dynkv_slice(text, (size_t)written < sizeof text ? (size_t)written : sizeof text - 1);
    node_answer(node, source, DYNKV_MESSAGE_ERROR, &body);
}
