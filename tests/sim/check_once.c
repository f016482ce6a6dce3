/*
 * check_once.c: invariant 11: a write applies whole, as it was asked for, and once, however often its
 * request arrives.  A coordinator remembers requests in memory: another one, or the same after a restart,
 * may apply a repetition again (then as a sibling).  If its writer stamped it, that changes nothing for
 * readers who take the last value: what was written by somebody who had seen it stays, and stays the last.
 * What is refused is not applied.
 */
#include "check.h"

void check_once(struct sim *sim, const struct sim_change *change, struct sim_write *write)
{
    if (write->item_flags & DYNKV_PUT_DELETE)
        return; /* one tombstone looks like another: whose it is can't be told for certain */
    for (const struct sim_applied *it = change->key->applied; it; it = it->next_of_key)
        if (it->write == write && it->node == change->node->index && it->life == change->node->life)
            sim_violation(sim, "11", "%s: write %u was applied a second time by %s (first %s)",
                          sim_key_text(change->key), write->number, change->node->name,
                          sim_dot_text(sim, it->dot));
}

/* A node answers that nothing was written. */
void check_refused(struct sim *sim, const struct sim_node *node, const struct sim_write *write,
                   enum dynkv_error error)
{
    if (write->item_flags & DYNKV_PUT_DELETE)
        return;
    for (const struct sim_applied *it = write->key->applied; it; it = it->next_of_key)
        if (it->write == write && it->node == node->index && it->life == node->life)
            sim_violation(sim, "11", "%s: write %u was applied by %s, which answers %s",
                          sim_key_text(write->key), write->number, node->name,
                          dynkv_error_name(error));
}

void check_whole(struct sim *sim, const struct sim_change *change, const struct sim_write *write,
                 const struct dynkv_sibling *sibling)
{
    uint64_t ttl_ms = sim->keyspaces[change->key->keyspace].plan.ttl_ms;
    bool is_delete = (write->item_flags & DYNKV_PUT_DELETE) != 0;
    bool is_never = write->expires_at_ms == DYNKV_EXPIRES_NEVER;
    uint64_t expires_at_ms = is_delete || is_never  ? 0
                             : write->expires_at_ms ? write->expires_at_ms
                             : ttl_ms               ? sim_node_wall_ms(sim, change->node) + ttl_ms
                                                    : 0;

    if (((sibling->flags & DYNKV_SIBLING_TOMBSTONE) != 0) != is_delete ||
        sibling->expires_at_ms != expires_at_ms ||
        !dynkv_slice_equal(sibling->value, is_delete ? dynkv_slice(NULL, 0) : write->value))
        sim_violation(sim, "11",
                      "%s: write %u was applied by %s otherwise than asked for: %zu bytes, flags "
                      "%u, expiry %llu instead of %llu",
                      sim_key_text(change->key), write->number, change->node->name,
                      sibling->value.len, sibling->flags,
                      (unsigned long long)sibling->expires_at_ms,
                      (unsigned long long)expires_at_ms);
}

static bool is_taken_away(const struct sim_change *change, struct dynkv_dot dot)
{
    return object_has_dot(&change->before, dot) && !object_has_dot(&change->after, dot);
}

/* The write was applied before as this dot, by whatever coordinator: who had seen that, and wrote on? */
static void check_against_later(struct sim *sim, const struct sim_change *change,
                                const struct sim_write *write, const struct dynkv_sibling *sibling,
                                struct dynkv_dot first)
{
    for (const struct sim_applied *it = change->key->applied; it; it = it->next_of_key)
        if (it->write != write && dynkv_version_covers(&it->context, first) &&
            (it->timestamp <= sibling->timestamp || is_taken_away(change, it->dot)))
            sim_violation(sim, "11",
                          "%s: write %u, applied once more by %s, %s %s, whose writer had seen it",
                          sim_key_text(change->key), write->number, change->node->name,
                          is_taken_away(change, it->dot) ? "takes the place of" : "is later than",
                          sim_dot_text(sim, it->dot));
}

void check_stamped(struct sim *sim, const struct sim_change *change, const struct sim_write *write,
                   const struct dynkv_sibling *sibling)
{
    if (!write->stamp)
        return;
    for (const struct sim_applied *it = change->key->applied; it; it = it->next_of_key)
        if (it->write == write)
            check_against_later(sim, change, write, sibling, it->dot);
}
