/*
 * remember.c: writes that were applied here, so that a repetition finds its dot and makes no second one
 * (riak_kv #627, #1188), whether the first was answered well, badly, or not yet.  A repetition is then
 * stored and replicated like any write, which is what a client that heard "unavailable" asks for.
 *
 * Remembered is each item by itself, not the request: a batch is split up when parts of it are sent on,
 * differently each time, and all parts have its sequence number.  (Two parts of one length once got each
 * other's answer: a write acknowledged and never made, found by the simulator.)
 *
 * The newest CORE_REMEMBERED_MAX items are kept, in at most CORE_REMEMBERED_BYTES of contexts.
 */
#include <stdlib.h>

#include "core/node_impl.h"

struct remembered {
    struct dynkv_map_node by_identity;
    uint64_t client, sequence, item;
    struct dynkv_dot dot;
    uint64_t timestamp;
    struct dynkv_slice context; /* owned: encoded version after the write */
    uint8_t siblings;
};

/* All that the client asked for, as one number. */
static uint64_t remember_item(const struct dynkv_node *node, const struct written *written)
{
    uint64_t hash = dynkv_hash(written->key, written->keyspace);

    if (mutant_is(node, DYNKV_MUTANT_REMEMBER_WHOLE))
        return 0;
    hash = dynkv_hash_pair(hash, dynkv_hash(written->value, written->flags));
    hash = dynkv_hash_pair(hash, dynkv_hash(written->context, written->expires_at_ms));
    return hash;
}

static uint64_t remember_identity(const struct written *written, uint64_t item)
{
    return dynkv_hash_pair(dynkv_hash_pair(written->client, written->sequence), item);
}

static struct remembered *remember_place(struct dynkv_node *node, uint64_t number)
{
    return &node->remembered[number % CORE_REMEMBERED_MAX];
}

bool remember_find(struct dynkv_node *node, const struct written *written, struct applied *out)
{
    uint64_t item = remember_item(node, written);
    struct dynkv_map_node *found =
        written->client ? dynkv_map_find(&node->remembered_map, remember_identity(written, item))
                        : NULL;

    for (; found; found = dynkv_map_find_next(found)) {
        struct remembered *it = DYNKV_CONTAINER(found, struct remembered, by_identity);

        if (it->client != written->client || it->sequence != written->sequence || it->item != item)
            continue;
        *out = (struct applied){it->dot, it->timestamp, it->context, it->siblings};
        return true;
    }
    return false;
}

static void remember_forget_oldest(struct dynkv_node *node)
{
    struct remembered *oldest = remember_place(node, node->remembered_first++);

    dynkv_map_remove(&node->remembered_map, &oldest->by_identity);
    node->remembered_bytes -= oldest->context.len;
    free((void *)(uintptr_t)oldest->context.data);
}

void remember(struct dynkv_node *node, const struct written *written, const struct applied *applied)
{
    struct remembered *it;
    uint8_t *context;

    if (!written->client || mutant_is(node, DYNKV_MUTANT_FORGET_REQUESTS))
        return;
    if (!node->remembered)
        node->remembered = dynkv_calloc(CORE_REMEMBERED_MAX, sizeof *node->remembered);
    while (node->remembered_map.count && (node->remembered_map.count == CORE_REMEMBERED_MAX ||
                                          node->remembered_bytes > CORE_REMEMBERED_BYTES))
        remember_forget_oldest(node);
    it = remember_place(node, node->remembered_first + node->remembered_map.count);
    it->client = written->client;
    it->sequence = written->sequence;
    it->item = remember_item(node, written);
    it->dot = applied->dot;
    it->timestamp = applied->timestamp;
    it->siblings = applied->siblings;
    context = dynkv_alloc(applied->context.len);
    memcpy(context, applied->context.data, applied->context.len);
    it->context = dynkv_slice(context, applied->context.len);
    node->remembered_bytes += it->context.len;
    dynkv_map_add(&node->remembered_map, &it->by_identity, remember_identity(written, it->item));
}

void remember_fini(struct dynkv_node *node)
{
    while (node->remembered_map.count)
        remember_forget_oldest(node);
    free(node->remembered);
    dynkv_map_fini(&node->remembered_map);
}
