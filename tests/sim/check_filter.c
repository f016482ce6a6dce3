/*
 * check_filter.c: F: a scan with a filter gives every key that may match it, and of keys with one value, that
 * never expires, only those that do.
 *
 * What a reader may count on says which values the key must have had: those of its writes that nothing has ever
 * superseded, and that were not reaped once they had expired.  Left out, it had exactly one value, and that does not match.
 */
#include "check.h"

static bool filter_matches(const struct sim_write *write, uint32_t least)
{
    return write->number >= least;
}

/* Whether any write superseded it, also one that came later: then nobody can say what the reader met. */
static bool is_ever_superseded(const struct sim_key *key, const struct sim_applied *applied)
{
    for (const struct sim_applied *it = key->applied; it; it = it->next_of_key)
        if (it != applied && dynkv_version_covers(&it->context, applied->dot))
            return true;
    return false;
}

static void check_left_out(struct sim *sim, const struct sim_need *need, uint32_t least)
{
    uint32_t values = 0, matching = 0;

    if (need->loss_epoch != need->key->loss_epoch)
        return;
    for (const struct sim_applied *it = need->key->applied; it; it = it->next_of_key) {
        if (it->flags & DYNKV_SIBLING_TOMBSTONE || !dynkv_version_covers(&need->version, it->dot) ||
            oracle_is_reaped(need->key, it->dot) || is_ever_superseded(need->key, it))
            continue;
        values++;
        matching += filter_matches(it->write, least);
    }
    if (matching || values > 1)
        sim_violation(sim, "F",
                      "%s: a scan for writes from %u on left it out, though it has %u values, of "
                      "which %u match",
                      sim_key_text(need->key), least, values, matching);
}

void check_filter(struct sim *sim, const struct sim_need *need, uint32_t least,
                  const struct dynkv_object *entry)
{
    const struct dynkv_sibling *only = entry && entry->sibling_count == 1 ? entry->siblings : NULL;
    const struct sim_write *write;

    if (!entry) {
        check_left_out(sim, need, least);
        return;
    }
    if (!only || only->flags & DYNKV_SIBLING_TOMBSTONE || only->expires_at_ms)
        return;
    write = oracle_write_of(sim, only);
    if (write && !filter_matches(write, least))
        sim_violation(sim, "F", "%s: a scan for writes from %u on gave write %u alone",
                      sim_key_text(need->key), least, write->number);
}
