/*
 * defer.c: requests that wait, in order, until this node can serve them: for a lease (lease.c), or, when it has
 * just come back, to be told what its store may have forgotten.
 *
 * The latter takes a few exchanges with a member that is sure, if one is there.  A client that were refused
 * meanwhile would have to try again by itself, and where several nodes come back at once it has nobody else to
 * ask.  So its requests wait a little; then they are refused.  Members that ask are refused at once: they know
 * others.
 */
#include <stdlib.h>
#include <string.h>

#include "core/node_impl.h"

struct deferred {
    struct deferred *next;
    uint64_t client;
    uint8_t *bytes;
    size_t len;
};

bool defer_request(struct dynkv_node *node, const struct dynkv_event *event)
{
    struct deferred *deferred;

    if (node->deferred_count >= CORE_DEFERRED_MAX)
        return false;
    deferred = dynkv_calloc(1, sizeof *deferred);
    deferred->client = event->as.request.client;
    deferred->len = event->as.request.bytes.len;
    deferred->bytes = dynkv_alloc(deferred->len);
    if (deferred->len)
        memcpy(deferred->bytes, event->as.request.bytes.data, deferred->len);
    *node->deferred_tail = deferred;
    node->deferred_tail = &deferred->next;
    node->deferred_count++;
    return true;
}

static struct deferred *defer_take(struct dynkv_node *node)
{
    struct deferred *first = node->deferred;

    if (first) {
        node->deferred = first->next;
        node->deferred_count--;
        if (!node->deferred)
            node->deferred_tail = &node->deferred;
    }
    return first;
}

static void defer_free(struct deferred *deferred)
{
    free(deferred->bytes);
    free(deferred);
}

void defer_retry(struct dynkv_node *node)
{
    uint32_t count = node->deferred_count; /* some may have to wait again, at the end of the list */

    for (; count; count--) {
        struct deferred *deferred = defer_take(node);
        struct dynkv_event event = {
            .type = DYNKV_EVENT_REQUEST,
            .now_ms = node->now_ms,
            .mono_ms = node->mono_ms,
            .as.request = {deferred->client, {deferred->bytes, deferred->len}},
        };

        node_on_request(node, &event);
        defer_free(deferred);
    }
}

bool defer_until_sure(struct dynkv_node *node, const struct dynkv_event *event)
{
    return node->mono_ms < node->started_ms + CORE_UNSURE_HOLD_MS && defer_request(node, event);
}

void defer_tick(struct dynkv_node *node)
{
    if (node->deferred && node->lease_ready &&
        (!node->counters.unsure || node->mono_ms >= node->started_ms + CORE_UNSURE_HOLD_MS))
        defer_retry(node);
}

void defer_fini(struct dynkv_node *node)
{
    struct deferred *deferred;

    while ((deferred = defer_take(node)))
        defer_free(deferred);
}
