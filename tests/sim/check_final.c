/*
 * check_final.c: invariants 3, 4 and 14, once all is healed: acknowledged writes are there, the siblings are
 * the oracle's maximal writes, all replicas hold the same bytes, and nothing is left in flight.
 */
#include "check.h"

static struct dynkv_object final_merged(struct sim *sim, const struct sim_key *key)
{
    struct dynkv_object merged = {0};

    for (uint32_t i = 0; i < key->replica_count; i++) {
        struct sim_node *node = sim_node_by_id(sim, key->replicas[i]);
        struct dynkv_object held;

        if (!node || !sim_node_serves(node))
            continue;
        held = oracle_held(sim, node, key);
        merged = dynkv_object_merge(&merged, &held, &sim->step_arena);
    }
    return merged;
}

/* None of its replicas will ever come back: until one of them is replaced nobody can be given it. */
static bool final_has_no_replica(struct sim *sim, const struct sim_key *key)
{
    for (uint32_t i = 0; i < key->replica_count; i++) {
        const struct sim_node *node = sim_node_by_id(sim, key->replicas[i]);

        if (node && !node->is_excluded)
            return false;
    }
    return key->replica_count > 0;
}

/* What is only kept for members that will not come back is not lost; readers don't see it. */
static bool final_is_kept(struct sim *sim, const struct sim_key *key, struct dynkv_dot dot)
{
    return oracle_hint_holders(sim, key, dot) ||
           (final_has_no_replica(sim, key) && oracle_holders(sim, key, dot));
}

static void final_check_key(struct sim *sim, const struct sim_key *key)
{
    struct dynkv_object merged = final_merged(sim, key);

    for (const struct sim_applied *it = key->applied; it; it = it->next_of_key) {
        bool is_there = object_has_dot(&merged, it->dot);
        bool covered = dynkv_version_covers(&merged.version, it->dot);

        if (it->may_be_lost || oracle_is_reaped(key, it->dot) || final_is_kept(sim, key, it->dot))
            continue;
        if (it->is_acknowledged && !covered)
            sim_violation(sim, "3", "%s: the acknowledged write %u, %s, is gone: version %s",
                          sim_key_text(key), it->write->number, sim_dot_text(sim, it->dot),
                          sim_version_text(sim, &merged.version));
        else if (it->is_durable && !is_there &&
                 !oracle_is_superseded(key, it, &merged.version, false))
            sim_violation(sim, "4", "%s: write %u, %s, is maximal and not among the siblings",
                          sim_key_text(key), it->write->number, sim_dot_text(sim, it->dot));
    }
    check_return(sim, key, &merged);
}

void check_final_siblings(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        final_check_key(sim, &sim->keys[i]);
        dynkv_arena_reset(&sim->step_arena);
    }
}

static struct dynkv_slice final_record(struct sim *sim, struct sim_node *node,
                                       const struct sim_key *key)
{
    struct sim_cell *cell =
        sim_disk_cell(&node->disk, key->partition, sim->keyspaces[key->keyspace].id,
                      dynkv_slice(key->bytes, key->len), false);

    return cell ? dynkv_buf_slice(&cell->record) : dynkv_slice(NULL, 0);
}

/* One has deleted it already and the other has not yet. */
static bool final_is_being_reaped(struct sim *sim, const struct sim_key *key,
                                  const struct dynkv_object *a, const struct dynkv_object *b)
{
    const struct dynkv_object *left = a->version.count ? a : b;
    struct dynkv_version all = dynkv_version_merge(&key->reaped, &left->version, &sim->step_arena);

    return (a->version.count == 0 || b->version.count == 0) &&
           dynkv_version_compare(&all, &key->reaped) == DYNKV_VERSION_EQUAL;
}

static bool final_differ(struct sim *sim, const struct sim_key *key, struct sim_node *a,
                         struct sim_node *b)
{
    struct dynkv_object held_a, held_b;

    if (dynkv_slice_equal(final_record(sim, a, key), final_record(sim, b, key)))
        return false;
    held_a = oracle_held(sim, a, key);
    held_b = oracle_held(sim, b, key);
    return !final_is_being_reaped(sim, key, &held_a, &held_b);
}

/* Two replicas that hold something else; false if there are none. */
static bool final_differing(struct sim *sim, const struct sim_key *key, struct sim_node *pair[2])
{
    pair[0] = NULL;
    for (uint32_t i = 0; i < key->replica_count; i++) {
        pair[1] = sim_node_by_id(sim, key->replicas[i]);
        if (!pair[1] || !sim_node_serves(pair[1]))
            continue;
        if (!pair[0])
            pair[0] = pair[1];
        else if (final_differ(sim, key, pair[0], pair[1]))
            return true;
    }
    return false;
}

bool check_is_identical(struct sim *sim)
{
    struct sim_node *pair[2];

    for (uint32_t i = 0; i < sim->swarm.keys; i++)
        if (final_differing(sim, &sim->keys[i], pair))
            return false;
    return true;
}

void check_final_identical(struct sim *sim)
{
    struct sim_node *pair[2];

    for (uint32_t i = 0; i < sim->swarm.keys; i++)
        if (final_differing(sim, &sim->keys[i], pair))
            sim_violation(sim, "14", "%s: %s and %s still differ after all is healed",
                          sim_key_text(&sim->keys[i]), pair[0]->name, pair[1]->name);
}

/* It will not come back under this identity. */
static bool final_is_lost(const struct sim_node *node)
{
    return !node || node->is_excluded || (node->is_wiped && node->id == node->old_id);
}

/*
 * Hints for a lost member stay until it is replaced.  So do those for one that is no replica of the key any more,
 * while a replica is lost: they go to all of them.
 */
static bool is_for_a_lost_one(struct sim *sim, const struct sim_cell *cell)
{
    const struct sim_key *key = oracle_hint_key(sim, cell);
    bool is_replica = false, lacks_one = false;

    for (uint32_t i = 0; key && i < key->replica_count; i++) {
        is_replica = is_replica || key->replicas[i] == cell->keyspace;
        lacks_one = lacks_one || final_is_lost(sim_node_by_id(sim, key->replicas[i]));
    }
    return final_is_lost(sim_node_by_id(sim, cell->keyspace)) || (lacks_one && !is_replica);
}

static uint32_t disk_hints(struct sim *sim, const struct sim_node *node)
{
    uint32_t count = 0;

    for (struct dynkv_avl_node *it = dynkv_avl_first(&node->disk.hints); it;
         it = dynkv_avl_next(it))
        count += DYNKV_CONTAINER(it, struct sim_cell, node)->record.len != 0 &&
                 !is_for_a_lost_one(sim, DYNKV_CONTAINER(it, struct sim_cell, node));
    return count;
}

bool check_hints_are_gone(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        if (sim_node_serves(&sim->nodes[i]) && disk_hints(sim, &sim->nodes[i]))
            return false;
    return true;
}

void check_final_quiet(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];

        if (!sim_node_serves(node))
            continue;
        if (sim_node_counter(sim, node, "operations_in_flight") ||
            sim_node_counter(sim, node, "slots_in_use"))
            sim_violation(sim, "14", "%s has work in flight, though nobody asks it anything",
                          node->name);
        if (disk_hints(sim, node))
            sim_violation(sim, "14", "%s keeps hints, though all are healed", node->name);
    }
}
