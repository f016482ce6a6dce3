/* check_return.c: invariant 7: what was superseded is never met again beside what superseded it. */
#include "check.h"

void check_return(struct sim *sim, const struct sim_key *key, const struct dynkv_object *object)
{
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        const struct sim_applied *applied = oracle_applied(sim, object->siblings[i].dot);

        /* By a write that exists: one that a crash lost was never there. */
        if (applied && !applied->is_from_old &&
            oracle_is_superseded(key, applied, &object->version, true))
            sim_violation(sim, "7",
                          "%s: %s of write %u is there in version %s, which knows a write that "
                          "superseded it",
                          sim_key_text(key), sim_dot_text(sim, applied->dot),
                          applied->write->number, sim_version_text(sim, &object->version));
    }
}
