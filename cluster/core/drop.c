/*
 * drop.c: letting go of what is not this node's any more: records of partitions that it keeps in no ring,
 * once their owners have proved to hold them, and in the end itself, when it gave its place up.
 *
 * This rule alone keeps data safe, whatever the members disagree on: nothing is deleted here that the
 * owners do not hold on their disks.  The tree of a partition is dropped with its records, in one effect of the
 * store; slots that are made meanwhile wait with their loads until it is durable, or they would find the
 * old records (slot.c).
 */
#include <stdlib.h>

#include "core/prove.h"
#include "core/tree.h"

struct drop_op {
    struct op op;
    struct sync_place at;
};

static void drop_done(struct dynkv_node *node, struct op *op)
{
    slot_release(node, ((struct drop_op *)op)->at.keyspace, ((struct drop_op *)op)->at.partition);
    op_end(node, op);
}

static void drop_on_stored(struct dynkv_node *node, struct op *op, uint32_t item,
                           enum dynkv_error error)
{
    (void)item;
    (void)error; /* a store that fails takes the node out of service */
    drop_done(node, op);
}

static void drop_on_deadline(struct dynkv_node *node, struct op *op)
{
    storage_has_failed(node, DYNKV_TIMEOUT, "the deletion of a partition");
    drop_done(node, op);
}

static const struct op_class drop_class = {
    .name = "drop",
    .is_upkeep = true,
    .on_stored = drop_on_stored,
    .on_deadline = drop_on_deadline,
};

static void drop_tree(struct dynkv_node *node, uint64_t keyspace, uint32_t partition)
{
    struct source nobody = {.kind = SOURCE_NONE};
    struct drop_op *drop = op_new(node, &drop_class, sizeof *drop, &nobody, DYNKV_DEADLINE_MAX_MS);
    struct dynkv_effect_store *store = dynkv_effects_add_store(node->effects);

    drop->at = (struct sync_place){keyspace, partition};
    store->kind = DYNKV_STORE_DROP_TREE;
    store->token = op_token(&drop->op, 0);
    store->keyspace = keyspace;
    store->partition = partition;
    node->counters.trees_dropped++;
    tree_dropped(node, keyspace, partition);
    slot_hold(node, keyspace, partition);
}

static void drop_strays(struct dynkv_node *node)
{
    const bool *busy = slot_busy_partitions(node);

    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct keyspace *keyspace = node->keyspaces[i];

        if (!tree_is_ready(node, keyspace->id))
            continue;
        for (uint32_t p = 0; p < node->partitions; p++)
            if (prove_is_stray(node, keyspace, p) && !busy[p] &&
                (prove_is_held(node, keyspace, p) ||
                 mutant_is(node, DYNKV_MUTANT_DROP_WITHOUT_PROOF)))
                drop_tree(node, keyspace->id, p);
    }
}

/* ---- leaving ---- */

static bool drop_holds_nothing(const struct dynkv_node *node)
{
    if (node->counters.slots_in_use || node->held_count || node->hints.count ||
        !hints_are_surveyed(node))
        return false;
    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct dynkv_merkle *trees = tree_all(node, node->keyspaces[i]->id);

        if (node->keyspaces[i]->def.dropped)
            continue;
        if (!tree_is_ready(node, node->keyspaces[i]->id))
            return false;
        for (uint32_t p = 0; trees && p < node->partitions; p++)
            if (trees[p].root)
                return false;
    }
    return true;
}

static void drop_leave(struct dynkv_node *node)
{
    members_set_left(node, node->self, dynkv_clock_tick(&node->clock, node->now_ms));
    node_log(node, DYNKV_LOG_INFO, "%.*s has left the cluster: it can be stopped",
             (int)node->self->info.name.len, (const char *)node->self->info.name.data);
    gossip_spread_member(node, node->self);
}

void drop_tick(struct dynkv_node *node)
{
    if (node->mono_ms < node->drop_next_ms || prove_mode(node) != SYNC_STRAY)
        return;
    node->drop_next_ms = node->mono_ms + CORE_DROP_INTERVAL_MS;
    drop_strays(node);
    /* One that had a place, and has none. */
    if (node->table.epoch && node->self->info.joined && !place_is_held(node, node->id) &&
        drop_holds_nothing(node))
        drop_leave(node);
}
