/*
 * check_acks.c: invariants 3 and 10: what is acknowledged is on that many disks, of replicas if the write was
 * strict, and stays there;
 * only replicas, under an identity that never lost its data, hold keys and answer for them.
 */
#include "check.h"

/* Members that have it, and are excluded, which the node that counted them has not heard. */
static uint32_t acks_of_excluded(struct sim *sim, const struct sim_node *node,
                                 const struct sim_key *key, const struct sim_applied *applied)
{
    uint32_t holders = 0;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *other = &sim->nodes[i];

        if (other->is_excluded && !dynkv_node_excludes(node->core, other->id) &&
            oracle_disk_has(sim, other, key, applied->dot))
            holders |= 1u << i;
    }
    return holders;
}

static bool ring_has_excluded(const struct sim *sim, const struct dynkv_ring *ring,
                              const struct sim_key *key)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].is_excluded && sim_key_is_on(sim, ring, key, sim->nodes[i].id))
            return true;
    return false;
}

/*
 * Who has it on disk, of a ring's replicas and of those that stand in for one; or had, before it was lost.  What
 * was kept for one that is excluded may be at any other replica by now.
 */
static uint32_t acks_of(struct sim *sim, const struct sim_node *node, const struct dynkv_ring *ring,
                        const struct sim_write *write, const struct sim_applied *applied)
{
    const struct sim_key *key = write->key;
    uint32_t holders = ring_has_excluded(sim, ring, key)
                           ? oracle_holders(sim, key, applied->dot)
                           : oracle_replica_holders(sim, ring, key, applied->dot);

    if (!write->is_strict)
        holders |= oracle_hint_holders(sim, key, applied->dot);
    return (uint32_t)__builtin_popcount(holders | acks_of_excluded(sim, node, key, applied) |
                                        applied->lost_from);
}

/* Where this node coordinated it: of each ring that it had to reach. */
static uint32_t acks_by_ring(struct sim *sim, const struct sim_node *node,
                             const struct sim_write *write, const struct sim_applied *applied)
{
    struct dynkv_node_stage stage = dynkv_node_stage(node->core);
    const struct dynkv_ring *other = dynkv_node_other_ring(node->core);
    uint32_t acks = acks_of(sim, node, dynkv_node_ring(node->core), write, applied), also;

    /* Before it has accepted the change it may have begun without it. */
    if (!other || !stage.is_accepted)
        return acks;
    also = acks_of(sim, node, other, write, applied);
    return also < acks ? also : acks;
}

void check_acks(struct sim *sim, const struct sim_node *node, const struct sim_write *write,
                const struct dynkv_put_result *result)
{
    const struct sim_applied *applied = oracle_answered(sim, write, result);
    uint32_t acks = 0;

    if (applied && oracle_is_reaped(write->key, applied->dot))
        return; /* all replicas had it, or what had seen it */
    if (applied)
        acks = (uint32_t)__builtin_popcount(
            (write->is_strict ? oracle_record_holders(sim, write->key, applied->dot)
                              : oracle_holders(sim, write->key, applied->dot)) |
            acks_of_excluded(sim, node, write->key, applied) | applied->lost_from);
    if (applied && applied->node == node->index && applied->life == node->life &&
        sim_key_is_on(sim, dynkv_node_ring(node->core), write->key, node->id))
        acks = acks_by_ring(sim, node, write, applied);
    if (acks >= write->w && acks >= result->acks)
        return;
    sim_violation(sim, "3",
                  "%s: write %u (w=%u) was answered OK with %u acknowledgements, but %u replicas "
                  "have it on disk",
                  sim_key_text(write->key), write->number, write->w, result->acks, acks);
}

void check_stays(struct sim *sim, const struct sim_change *change)
{
    enum dynkv_version_order order =
        dynkv_version_compare(&change->after.version, &change->before.version);

    if (order != DYNKV_VERSION_EQUAL && order != DYNKV_VERSION_AFTER)
        sim_violation(sim, "3", "%s: the version on %s went back from %s to %s",
                      sim_key_text(change->key), change->node->name,
                      sim_version_text(sim, &change->before.version),
                      sim_version_text(sim, &change->after.version));
}

void check_identity(struct sim *sim, const struct sim_node *node, const struct sim_key *key)
{
    /* Who was a replica once may hear of it from one who has not heard; who will be one, from one who has. */
    for (uint32_t i = 0; i < sim->ring_count; i++)
        if (sim_key_is_on(sim, sim->rings[i], key, node->id))
            return;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const struct dynkv_ring *other =
            sim->nodes[i].core ? dynkv_node_other_ring(sim->nodes[i].core) : NULL;

        if (other && sim_key_is_on(sim, other, key, node->id))
            return;
    }
    sim_violation(sim, "10", "%s: %s stored it, and is no replica of it", sim_key_text(key),
                  node->name);
}

void check_identity_sent(struct sim *sim, const struct sim_node *node, uint32_t first)
{
    if (!node->is_wiped || node->id != node->old_id)
        return;
    for (uint32_t i = first; i < node->effects.send_count; i++) {
        uint8_t type = node->effects.sends[i].message.data[1];

        if (type == DYNKV_MESSAGE_REPLICATE_REPLY || type == DYNKV_MESSAGE_GET_REPLY ||
            type == DYNKV_MESSAGE_VERIFY_REPLY)
            sim_violation(sim, "10", "%s lost its store and answers %s as if it had not",
                          node->name, dynkv_message_name(type));
    }
}
