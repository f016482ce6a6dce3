/*
 * check_clock.c: what was caused later is stamped later: a write after its writer's clock, after every
 * value that it supersedes, and after everything the same store stamped before, restarts included.
 */
#include "check.h"

void check_clock_change(struct sim *sim, const struct sim_change *change,
                        const struct sim_write *write, const struct dynkv_sibling *sibling)
{
    struct sim_node *node = change->node;
    const struct dynkv_version *context =
        write->item_flags & DYNKV_PUT_HAS_CONTEXT ? &write->context : &change->before.version;
    const char *before = NULL;

    if (sibling->timestamp <= node->actor_timestamp && !write->stamp)
        before = "what the same store stamped before";
    if (!(write->item_flags & DYNKV_PUT_DELETE) && !write->stamp &&
        sibling->timestamp <= write->client_clock)
        before = "its writer's clock";
    for (uint32_t i = 0; i < change->before.sibling_count; i++)
        if (dynkv_version_covers(context, change->before.siblings[i].dot) &&
            sibling->timestamp <= change->before.siblings[i].timestamp)
            before = "a value that it supersedes";
    if (before)
        sim_violation(sim, "C", "%s: %s stamped %s, write %u, not after %s",
                      sim_key_text(change->key), node->name, sim_dot_text(sim, sibling->dot),
                      write->number, before);
    if (sibling->timestamp > node->actor_timestamp)
        node->actor_timestamp = sibling->timestamp;
}
