/* check_dot.c: invariant 1: one dot, one value, ever, wherever it is met. */
#include "base/hash.h"
#include "check.h"

void check_dots(struct sim *sim, const struct sim_key *key, const struct dynkv_object *object,
                const char *where)
{
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];
        const struct sim_applied *applied = oracle_applied(sim, sibling->dot);

        if (!applied)
            sim_violation(sim, "1", "%s: %s has %s, a dot that no put made", sim_key_text(key),
                          where, sim_dot_text(sim, sibling->dot));
        else if (applied->write->key != key || applied->flags != sibling->flags ||
                 applied->timestamp != sibling->timestamp ||
                 applied->expires_at_ms != sibling->expires_at_ms ||
                 applied->value_hash != dynkv_hash(sibling->value, 0))
            sim_violation(sim, "1", "%s: %s has %s with another value than write %u gave it (%s)",
                          sim_key_text(key), where, sim_dot_text(sim, sibling->dot),
                          applied->write->number, sim_key_text(applied->write->key));
    }
}
