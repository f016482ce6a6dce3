/* check_limits.c: invariant 12: queues and objects stay within their limits, and refusals are counted. */
#include "check.h"

#define OPERATIONS_MAX 100000u /* CORE_OPS_MAX */

void check_limits_change(struct sim *sim, const struct sim_change *change)
{
    if (change->applied && change->after.sibling_count > DYNKV_SIBLINGS_MAX)
        sim_violation(sim, "12", "%s: a put on %s left %u siblings", sim_key_text(change->key),
                      change->node->name, change->after.sibling_count);
}

void check_limits_tick(struct sim *sim, struct sim_node *node)
{
    uint64_t refused = sim_node_counter(sim, node, "siblings_refused");

    if (sim_node_counter(sim, node, "operations_in_flight") > OPERATIONS_MAX)
        sim_violation(sim, "12", "%s has more operations in flight than it may", node->name);
    if (refused < node->refused_replies)
        sim_violation(sim, "12", "%s refused %llu writes for their siblings and counted %llu",
                      node->name, (unsigned long long)node->refused_replies,
                      (unsigned long long)refused);
}
