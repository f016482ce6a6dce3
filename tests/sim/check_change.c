/*
 * check_change.c: invariant 9, and what changes of the membership promise: an old owner lets go of nothing that
 * the new ones do not hold; a hint is dropped only when it has come home; a change ends in one way
 * everywhere; and when it is finished nobody reads from old owners any more.
 */
#include "check.h"

/* Every dot that the object knows is known to the node's disk; or was, before that disk was lost. */
static bool disk_covers(struct sim *sim, struct sim_node *node, const struct sim_key *key,
                        const struct dynkv_object *object)
{
    struct dynkv_object held = oracle_held(sim, node, key);

    for (const struct sim_applied *it = key->applied; it; it = it->next_of_key)
        if (dynkv_version_covers(&object->version, it->dot) &&
            !dynkv_version_covers(&held.version, it->dot) && !(it->lost_from >> node->index & 1))
            return false;
    return true;
}

/* The first replica of a ring that lacks something of the object; NULL: all have it. */
static struct sim_node *who_lacks(struct sim *sim, const struct dynkv_ring *ring,
                                  const struct sim_key *key, const struct dynkv_object *object,
                                  const struct sim_node *but)
{
    uint64_t list[DYNKV_REPLICAS_MAX];
    uint32_t count = sim_key_replicas(sim, ring, key, list);

    for (uint32_t i = 0; i < count; i++) {
        struct sim_node *owner = sim_node_by_id(sim, list[i]);

        if (owner && owner != but && !owner->is_excluded && !disk_covers(sim, owner, key, object))
            return owner;
    }
    return NULL;
}

void check_dropped(struct sim *sim, struct sim_node *node, const struct dynkv_effect_store *store)
{
    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        struct sim_key *key = &sim->keys[i];
        struct sim_cell *cell;
        struct dynkv_object object;
        struct sim_node *lacking;

        if (key->partition != store->partition ||
            sim->keyspaces[key->keyspace].id != store->keyspace)
            continue;
        cell = sim_disk_cell(&node->disk, key->partition, store->keyspace,
                             dynkv_slice(key->bytes, key->len), false);
        if (!cell)
            continue;
        object = oracle_cell_object(sim, node, cell);
        lacking = who_lacks(sim, dynkv_node_ring(node->core), key, &object, node);
        if (lacking)
            sim_violation(sim, "9", "%s: %s drops it at version %s, and %s does not hold that",
                          sim_key_text(key), node->name, sim_version_text(sim, &object.version),
                          lacking->name);
        /* An owner that had proved it, and has lost its disk meanwhile, takes it along. */
        for (struct sim_applied *it = key->applied; it; it = it->next_of_key)
            if (it->lost_from && dynkv_version_covers(&object.version, it->dot) &&
                !(oracle_holders(sim, key, it->dot) & ~(1u << node->index)))
                it->may_be_lost = true;
        dynkv_buf_reset(&cell->newest);
        cell->newest_life = node->life;
    }
}

void check_hint_gone(struct sim *sim, struct sim_node *node, const struct sim_key *key,
                     uint64_t target, const struct dynkv_object *hint)
{
    struct sim_node *home = sim_node_by_id(sim, target), *lacking;
    const struct dynkv_ring *other = dynkv_node_other_ring(node->core);

    if (home && !home->is_excluded && disk_covers(sim, home, key, hint))
        return;
    lacking = who_lacks(sim, dynkv_node_ring(node->core), key, hint, NULL);
    if (!lacking && other)
        lacking = who_lacks(sim, other, key, hint, NULL);
    /* Whose identity is no more may have taken it before; only of one that is gone more is asked. */
    if (lacking && dynkv_node_excludes(node->core, target))
        sim_violation(
            sim, "9", "%s: %s deletes a hint for one that is gone, version %s, which %s lacks",
            sim_key_text(key), node->name, sim_version_text(sim, &hint->version), lacking->name);
}

/* ---- at ticks ---- */

static void check_excluded(struct sim *sim, const struct sim_node *node)
{
    static const struct sim_disk empty = {0};

    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *other = &sim->nodes[i];

        if (other->is_excluded || !other->id || !dynkv_node_excludes(node->core, other->id))
            continue;
        SIM_TRACE(sim, "%s is excluded: what it holds is lost", other->name);
        check_on_disk_lost(sim, other, &empty);
        other->is_excluded = true;
    }
}

/* A change has ended here: everywhere in the same way, and with nobody left behind. */
static void check_ended(struct sim *sim, const struct sim_node *node,
                        const struct dynkv_node_stage *stage)
{
    uint64_t *ended = stage->changes < SIM_CHANGES_MAX ? &sim->epoch_after[stage->changes] : NULL;
    uint64_t version = dynkv_ring_version(dynkv_node_ring(node->core));

    if (!ended)
        return;
    if (*ended && *ended != stage->epoch + 1)
        sim_violation(sim, "8", "change %llu was finished by one, and cancelled by %s",
                      (unsigned long long)stage->changes, node->name);
    if (*ended == stage->epoch + 1)
        return;
    *ended = stage->epoch + 1;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *other = &sim->nodes[i];

        if (sim_node_serves(other) && dynkv_ring_version(dynkv_node_ring(other->core)) != version &&
            !other->was_unsure)
            sim_violation(sim, "8",
                          "change %llu has ended on %s, and readers still use another ring on %s",
                          (unsigned long long)stage->changes, node->name, other->name);
    }
}

void check_change_tick(struct sim *sim, struct sim_node *node)
{
    struct dynkv_node_stage stage = dynkv_node_stage(node->core);

    check_excluded(sim, node);
    node->had_place |= stage.is_placed;
    node->has_left |= stage.has_left;
    if (!stage.change && stage.changes && stage.changes != node->changes_seen && !node->is_excluded)
        check_ended(sim, node, &stage);
    node->changes_seen = stage.changes;
}
