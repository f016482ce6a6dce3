/*
 * sync_answer.c: the asked side of anti-entropy.
 *
 * It answers from its trees and its store and remembers one thing: whom it serves.  A descent is refused
 * while it leads one itself or serves another peer.  Where two lead one towards each other at the same time,
 * the one with the greater id gives way, so that one of them goes on.
 */
#include "base/assert.h"
#include "core/sync.h"
#include "core/tree.h"

/* ---- roots ---- */

static void roots_compare(struct dynkv_node *node, uint64_t peer, const struct keyspace *keyspace,
                          const uint64_t *theirs, struct dynkv_tree_roots_reply *reply)
{
    const struct dynkv_merkle *trees = tree_all(node, keyspace->id);

    for (uint32_t p = 0; p < node->partitions; p++) {
        uint64_t mine = trees ? trees[p].root : 0;

        if ((!mine && !theirs[p]) || !sync_is_kept_by_both(node, keyspace, p, peer))
            continue;
        node->counters.sync_roots_compared++;
        if ((mine != theirs[p] || mutant_is(node, DYNKV_MUTANT_SYNC_EVERY_ROOT)) &&
            reply->place_count < CORE_SYNC_ROOTS_MAX)
            reply->places[reply->place_count++] = (struct dynkv_tree_place){keyspace->id, p};
    }
}

void on_tree_roots(struct dynkv_node *node, const struct source *source,
                   const struct dynkv_tree_roots *body)
{
    struct dynkv_tree_roots_reply reply = {0};
    uint64_t *theirs = dynkv_arena_calloc(&node->arena, node->partitions, sizeof *theirs);

    reply.places = dynkv_arena_calloc(&node->arena, CORE_SYNC_ROOTS_MAX, sizeof *reply.places);
    for (uint32_t i = 0; i < body->keyspace_count; i++) {
        const struct dynkv_tree_keyspace *asked = &body->keyspaces[i];
        const struct keyspace *keyspace = keyspaces_find(node, asked->keyspace);

        if (!keyspace || !tree_is_ready(node, keyspace->id))
            continue; /* not known, or being rebuilt: nothing to say */
        memset(theirs, 0, node->partitions * sizeof *theirs);
        for (uint32_t j = 0; j < asked->root_count; j++)
            if (asked->roots[j].partition < node->partitions)
                theirs[asked->roots[j].partition] = asked->roots[j].root;
        roots_compare(node, source->peer, keyspace, theirs, &reply);
    }
    node_answer(node, source, DYNKV_MESSAGE_TREE_ROOTS_REPLY, &reply);
}

/* ---- nodes ---- */

static bool serve(struct dynkv_node *node, uint64_t peer)
{
    struct sync *sync = node->sync;

    if (sync->descending && (sync->leading != peer || node->id < peer))
        return false;
    if (sync->serving && sync->serving != peer && sync->serving_until_ms > node->mono_ms)
        return false;
    sync->serving = peer;
    sync->serving_until_ms = node->mono_ms + CORE_SYNC_SERVE_MS;
    return true;
}

/* The sums of the children of all nodes asked for; false: there is no such node. */
static bool nodes_sums(struct dynkv_node *node, const struct dynkv_tree_nodes *body,
                       struct dynkv_tree_nodes_reply *reply)
{
    uint32_t fanout = dynkv_merkle_fanout(body->level);
    size_t count = 0;

    for (uint32_t i = 0; i < body->part_count; i++)
        count += (size_t)body->parts[i].node_count * fanout;
    if (count > (size_t)body->part_count * DYNKV_MERKLE_LEAVES)
        return false; /* nodes named more than once */
    reply->sums = dynkv_arena_calloc(&node->arena, count, sizeof *reply->sums);
    for (uint32_t i = 0; i < body->part_count; i++) {
        const struct dynkv_tree_part *part = &body->parts[i];
        const struct dynkv_merkle *tree = tree_find(node, part->keyspace, part->partition);

        if (!tree_is_ready(node, part->keyspace))
            return false;
        for (uint32_t j = 0; j < part->node_count; j++) {
            uint64_t sums[DYNKV_MERKLE_FANOUT_MAX];

            if (part->nodes[j].index >= dynkv_merkle_width(body->level))
                return false;
            dynkv_merkle_children(tree, body->level, part->nodes[j].index, sums);
            for (uint32_t k = 0; k < fanout; k++)
                reply->sums[reply->sum_count++].sum = sums[k];
        }
    }
    return true;
}

/* All that these trees know is durable. */
static bool nodes_are_quiet(const struct dynkv_node *node, const struct dynkv_tree_nodes *body)
{
    const bool *busy = slot_busy_partitions(node);

    for (uint32_t i = 0; i < body->part_count; i++)
        if (body->parts[i].partition >= node->partitions || busy[body->parts[i].partition])
            return false;
    return true;
}

void on_tree_nodes(struct dynkv_node *node, const struct source *source,
                   const struct dynkv_tree_nodes *body)
{
    struct dynkv_tree_nodes_reply reply = {0};

    if (body->part_count == 0) {
        if (node->sync->serving == source->peer)
            node->sync->serving = 0;
        return;
    }
    if ((body->quiet && !nodes_are_quiet(node, body)) || !serve(node, source->peer))
        reply.error = DYNKV_OVERLOADED;
    else if (body->level >= DYNKV_MERKLE_LEAF_LEVEL || !nodes_sums(node, body, &reply))
        reply = (struct dynkv_tree_nodes_reply){.error = DYNKV_INVALID};
    node_answer(node, source, DYNKV_MESSAGE_TREE_NODES_REPLY, &reply);
}

/* ---- keys ---- */

struct keys_op {
    struct op op;
    uint64_t keyspace;
    bool busy_too;
    struct leaf_set leaves;
};

static void keys_fail(struct dynkv_node *node, struct op *op, enum dynkv_error error)
{
    struct dynkv_leaf_keys_reply reply = {.error = (uint8_t)error};

    node_answer(node, &op->source, DYNKV_MESSAGE_LEAF_KEYS_REPLY, &reply);
    op_end(node, op);
}

static bool keys_add(struct dynkv_node *node, const struct keys_op *keys,
                     const struct dynkv_record *record, struct dynkv_leaf_keys_reply *reply)
{
    struct dynkv_leaf_key *out = &reply->keys[reply->key_count];
    struct dynkv_object object;
    struct dynkv_slice bytes;
    struct dynkv_buf version = {0};
    struct slot_key at = {
        .keyspace = keys->keyspace, .partition = record->partition, .key = record->key};

    if (record_open(record->record, &out->partition_len, &bytes) ||
        dynkv_object_decode(bytes, &node->arena, &object))
        return false;
    out->key = record->key;
    out->digest = slot_is_busy(node, &at) && !keys->busy_too ? 0 : dynkv_object_digest(&object);
    dynkv_version_encode(&object.version, &version);
    out->version = dynkv_slice_copy(dynkv_buf_slice(&version), &node->arena);
    dynkv_buf_fini(&version);
    reply->key_count++;
    return true;
}

static void keys_on_scanned(struct dynkv_node *node, struct op *op, uint32_t item,
                            const struct dynkv_event *event)
{
    struct keys_op *keys = (struct keys_op *)op;
    struct dynkv_leaf_keys_reply reply = {
        .more = event->as.scanned.more,
        .next = event->as.scanned.cursor_key,
    };

    (void)item;
    if (event->as.scanned.error) {
        keys_fail(node, op, event->as.scanned.error);
        return;
    }
    reply.keys =
        dynkv_arena_calloc(&node->arena, event->as.scanned.record_count, sizeof *reply.keys);
    for (uint32_t i = 0; i < event->as.scanned.record_count; i++) {
        const struct dynkv_record *record = &event->as.scanned.records[i];

        if (leaf_set_has(&keys->leaves, dynkv_merkle_leaf(record->key)) &&
            !keys_add(node, keys, record, &reply)) {
            storage_has_failed(node, DYNKV_CORRUPT, "a scan");
            keys_fail(node, op, DYNKV_CORRUPT);
            return;
        }
    }
    node_answer(node, &op->source, DYNKV_MESSAGE_LEAF_KEYS_REPLY, &reply);
    op_end(node, op);
}

static void keys_on_deadline(struct dynkv_node *node, struct op *op)
{
    keys_fail(node, op, DYNKV_TIMEOUT);
}

static const struct op_class keys_class = {
    .name = "leaf keys",
    .is_upkeep = true,
    .on_scanned = keys_on_scanned,
    .on_deadline = keys_on_deadline,
};

void on_leaf_keys(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                  const struct dynkv_leaf_keys *body)
{
    struct keys_op *keys = op_new(node, &keys_class, sizeof *keys, source, deadline_ms);
    struct dynkv_effect_range *range;
    uint32_t *partition;

    keys->keyspace = body->keyspace;
    keys->busy_too = body->busy_too != 0;
    if (body->partition >= node->partitions) {
        keys_fail(node, &keys->op, DYNKV_INVALID);
        return;
    }
    for (uint32_t i = 0; i < body->leaf_count; i++) {
        if (body->leaves[i].index >= DYNKV_MERKLE_LEAVES) {
            keys_fail(node, &keys->op, DYNKV_INVALID);
            return;
        }
        leaf_set_add(&keys->leaves, body->leaves[i].index);
    }
    if (node->sync->serving == source->peer)
        node->sync->serving_until_ms = node->mono_ms + CORE_SYNC_SERVE_MS;
    range = dynkv_effects_add_range(node->effects);
    partition = dynkv_arena_copy(&node->effects->arena, &body->partition, sizeof body->partition);
    range->token = op_token(&keys->op, 0);
    range->keyspace = body->keyspace;
    range->partitions = partition;
    range->partition_count = 1;
    range->lower = dynkv_slice_copy(body->lower, &node->effects->arena);
    range->limit = CORE_SYNC_PAGE_RECORDS;
    range->limit_bytes = CORE_SYNC_PAGE_BYTES;
}
