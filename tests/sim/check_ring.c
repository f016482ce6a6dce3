/*
 * check_ring.c: invariant 8: a node's ring is the one that its places make, covers every partition with
 * distinct members, no member holds more than its share, and it does not change without a plan.
 */
#include "check.h"

static void ring_check_balance(struct sim *sim, const struct sim_node *node,
                               const struct dynkv_ring *ring, uint32_t members, uint32_t n)
{
    uint32_t partitions = dynkv_ring_partitions(ring),
             fair = (partitions * n + members - 1) / members;
    uint64_t ids[SIM_NODES_MAX] = {0}, list[DYNKV_REPLICAS_MAX];
    uint32_t held[SIM_NODES_MAX] = {0};

    for (uint32_t i = 0; i < partitions; i++) {
        uint32_t count = dynkv_ring_preference(ring, i, list, n);

        if (count != n)
            sim_violation(sim, "8", "on %s partition %u has %u replicas instead of %u", node->name,
                          i, count, n);
        for (uint32_t j = 0; j < count; j++) {
            uint32_t at = 0;

            while (at < members && ids[at] && ids[at] != list[j])
                at++;
            if (at == members)
                return; /* more ids than members: the version tells */
            ids[at] = list[j];
            held[at]++;
            for (uint32_t k = 0; k < j; k++)
                if (list[k] == list[j])
                    sim_violation(sim, "8", "on %s partition %u has a replica twice", node->name,
                                  i);
        }
    }
    for (uint32_t i = 0; i < members; i++)
        if (held[i] * 100 > fair * 105 && held[i] > fair + 1)
            sim_violation(sim, "8", "on %s a member holds %u replicas at n=%u, fair is %u",
                          node->name, held[i], n, fair);
}

void check_ring(struct sim *sim, struct sim_node *node)
{
    struct dynkv_node_stage stage = dynkv_node_stage(node->core);
    const struct dynkv_ring *ring = dynkv_node_ring(node->core);
    uint64_t version = dynkv_ring_version(ring);

    if (!dynkv_node_is_member(node->core) || version == node->ring_seen)
        return;
    node->ring_seen = version;
    sim_ring_note(sim, node, false);
    if (sim->ring_version && version != sim->ring_version && stage.epoch == 0 && sim->dots.count &&
        stage.phase != DYNKV_CHANGE_SWITCHED && stage.phase != DYNKV_CHANGE_FINISHED)
        sim_violation(sim, "8", "the ring of %s changed, though nobody planned it", node->name);
    for (uint32_t n = 1; n <= DYNKV_REPLICAS_MAX && n <= dynkv_ring_member_count(ring); n++)
        ring_check_balance(sim, node, ring, dynkv_ring_member_count(ring), n);
}
