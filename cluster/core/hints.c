/*
 * hints.c: which hints this node keeps, and whether there is room for another.
 *
 * The hints themselves are in the store; here is a small entry for each, so that the quota and the numbers
 * that status shows are exact, and so that it is known of every partition whether a hint of it exists.  An
 * entry is found by the hash of target and key alone: two that share one (one in 2^64 a pair) would count as
 * one until the next start, no more.
 *
 * After a start the entries are made again by a survey of the store (handoff.c).  Hints that come in
 * meanwhile have their entries at once; the survey then finds them known.  Until it is over the node reckons
 * with as many old ones as there can be: the lease says how many, it is saved with the hint that is more than
 * the last one said.  (Found by the simulator: without it, each start gave away the quota anew.)
 *
 * The key of a hint in the store: u32 BE partition, u64 BE keyspace, key.  (Its record is as any record.)
 */
#include <stdlib.h>

#include "base/assert.h"
#include "core/node_impl.h"

#define HINTS_PREFIX 12u /* of a key: partition and keyspace */

struct hint {
    struct dynkv_map_node by_hash;
    uint64_t lineage;
    uint32_t bytes;
};

static uint64_t hint_hash(const struct slot_key *at)
{
    uint64_t place = dynkv_hash_pair(at->hint_for, at->keyspace);

    return dynkv_hash(at->key, dynkv_hash_pair(place, at->partition));
}

static struct hint *hint_find(const struct dynkv_node *node, const struct slot_key *at)
{
    struct dynkv_map_node *found = dynkv_map_find(&node->hints, hint_hash(at));

    return found ? DYNKV_CONTAINER(found, struct hint, by_hash) : NULL;
}

/* Adds to all that is counted, or takes from it. */
static void hints_count(struct dynkv_node *node, const struct slot_key *at, int32_t by)
{
    struct member *target = members_find(node, at->hint_for);

    DYNKV_ASSERT(target); /* members are for ever, and no hint is taken for a stranger */
    if (!node->hints_in)
        node->hints_in = dynkv_calloc(node->partitions, sizeof *node->hints_in);
    DYNKV_ASSERT(at->partition < node->partitions);
    node->hints_in[at->partition] += (uint32_t)by;
    target->handoff.pending += (uint32_t)by;
    node->counters.hints_pending += (uint64_t)(int64_t)by;
}

static void hint_set(struct dynkv_node *node, const struct slot_key *at, size_t bytes)
{
    struct hint *hint = hint_find(node, at);

    if (!hint) {
        hint = dynkv_calloc(1, sizeof *hint);
        dynkv_map_add(&node->hints, &hint->by_hash, hint_hash(at));
        hints_count(node, at, 1);
    }
    node->hints_bytes = node->hints_bytes - hint->bytes + bytes;
    hint->bytes = (uint32_t)bytes;
}

static void hint_remove(struct dynkv_node *node, const struct slot_key *at)
{
    struct hint *hint = hint_find(node, at);

    if (!hint)
        return;
    node->hints_bytes -= hint->bytes;
    dynkv_map_remove(&node->hints, &hint->by_hash);
    free(hint);
    hints_count(node, at, -1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t hints_total(const struct dynkv_node *node)
{
    return node->hints.count + node->hints_before;
}

static uint64_t hints_total_bytes(const struct dynkv_node *node)
{
    return node->hints_bytes + node->hints_bytes_before;
}

void hints_reserve(struct dynkv_node *node)
{
    node->hints_bound = least(hints_total(node) + CORE_HINTS_AHEAD, node->hints_max);
    node->hints_bytes_bound =
        least(hints_total_bytes(node) + CORE_HINTS_BYTES_AHEAD, node->hints_bytes_max);
}

void hints_surveyed(struct dynkv_node *node)
{
    node->hints_before = node->hints_bytes_before = 0;
}

bool hints_take(struct dynkv_node *node, const struct slot_key *at, size_t bytes)
{
    const struct hint *old = hint_find(node, at);
    size_t with_key = bytes + at->key.len;

    if (bytes == 0) {
        hint_remove(node, at);
        return true;
    }
    if (((!old && hints_total(node) >= node->hints_max) ||
         hints_total_bytes(node) - (old ? old->bytes : 0) + with_key > node->hints_bytes_max) &&
        !mutant_is(node, DYNKV_MUTANT_HINTS_WITHOUT_QUOTA)) {
        node->counters.hints_refused += !mutant_is(node, DYNKV_MUTANT_HINTS_UNCOUNTED);
        return false;
    }
    hint_set(node, at, with_key);
    if (hints_total(node) > node->hints_bound || hints_total_bytes(node) > node->hints_bytes_bound)
        lease_extend(node); /* it is stored with the hint, or neither is */
    node->counters.hints_stored++;
    return true;
}

void hints_seen(struct dynkv_node *node, const struct slot_key *at, size_t bytes)
{
    uint64_t size = bytes + at->key.len;

    if (hint_find(node, at))
        return;
    hint_set(node, at, size);
    node->hints_before -= least(node->hints_before, 1);
    node->hints_bytes_before -= least(node->hints_bytes_before, size);
}

uint64_t hints_lineage(const struct dynkv_node *node, const struct slot_key *at)
{
    const struct hint *hint = hint_find(node, at);

    return hint ? hint->lineage : 0;
}

void hints_set_lineage(struct dynkv_node *node, const struct slot_key *at, uint64_t lineage)
{
    struct hint *hint = hint_find(node, at);

    DYNKV_ASSERT(hint);
    hint->lineage = lineage;
}

struct dynkv_slice hints_key(const struct slot_key *at, struct dynkv_arena *arena)
{
    struct dynkv_buf buf = {0};
    struct dynkv_slice key;

    dynkv_put_u32_be(&buf, at->partition);
    dynkv_put_u64_be(&buf, at->keyspace);
    dynkv_put_raw(&buf, at->key);
    key = dynkv_slice_copy(dynkv_buf_slice(&buf), arena);
    dynkv_buf_fini(&buf);
    return key;
}

bool hints_key_open(struct dynkv_slice key, uint64_t hint_for, struct slot_key *at)
{
    uint64_t head[2] = {0, 0}; /* partition, keyspace */

    if (key.len <= HINTS_PREFIX)
        return false;
    for (uint32_t i = 0; i < HINTS_PREFIX; i++)
        head[i >= 4] = head[i >= 4] << 8 | key.data[i];
    *at = (struct slot_key){
        .keyspace = head[1],
        .partition = (uint32_t)head[0],
        .key = dynkv_slice(key.data + HINTS_PREFIX, key.len - HINTS_PREFIX),
        .hint_for = hint_for,
    };
    return true;
}

uint32_t hints_in_partition(const struct dynkv_node *node, uint32_t partition)
{
    return node->hints_in ? node->hints_in[partition] : 0;
}

bool hints_are_surveyed(const struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->members[i] != node->self && !node->members[i]->handoff.surveyed)
            return false;
    return true;
}

void hints_fini(struct dynkv_node *node)
{
    struct dynkv_map_node *at, *next;

    for (at = dynkv_map_first(&node->hints); at; at = next) {
        next = dynkv_map_next(&node->hints, at);
        free(DYNKV_CONTAINER(at, struct hint, by_hash));
    }
    dynkv_map_fini(&node->hints);
    free(node->hints_in);
}
