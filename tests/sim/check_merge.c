/*
 * check_merge.c: invariant 5, on the states a node goes through: the new object absorbs the old one,
 * whichever way round they are merged and however often, byte for byte.
 */
#include "check.h"

static bool merge_gives(const struct dynkv_object *a, const struct dynkv_object *b,
                        struct dynkv_slice expected, struct sim *sim)
{
    struct dynkv_object merged = dynkv_object_merge(a, b, &sim->step_arena);

    dynkv_buf_reset(&sim->scratch);
    dynkv_object_encode(&merged, &sim->scratch);
    return dynkv_slice_equal(dynkv_buf_slice(&sim->scratch), expected);
}

void check_merge(struct sim *sim, const struct sim_change *change)
{
    if (merge_gives(&change->before, &change->after, change->after_bytes, sim) &&
        merge_gives(&change->after, &change->before, change->after_bytes, sim) &&
        merge_gives(&change->after, &change->after, change->after_bytes, sim))
        return;
    sim_violation(sim, "5", "%s: on %s the new object %s is not a merge of the old one %s",
                  sim_key_text(change->key), change->node->name,
                  sim_version_text(sim, &change->after.version),
                  sim_version_text(sim, &change->before.version));
}
