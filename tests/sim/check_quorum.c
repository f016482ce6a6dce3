/*
 * check_quorum.c: invariant 13: where r + w > n, a read sees every write that was acknowledged before it
 * began, or what superseded it.  Not asked for of a key some of whose replicas lost their disk meanwhile, nor of a
 * read that an excluded member has answered, which was cut off from the others and has not heard: it counts itself.
 */
#include "check.h"

void check_quorum(struct sim *sim, const struct sim_client *client, const struct sim_need *need,
                  const struct dynkv_object *object)
{
    if (client->heard_excluded)
        return;
    if (need->key->reaped_us < need->since_us)
        check_reaped(sim, need->key, object, "a read");
    if (need->loss_epoch != need->key->loss_epoch)
        return;
    for (uint32_t i = 0; i < need->version.count; i++) {
        struct dynkv_dot dot = need->version.entries[i];
        const struct sim_applied *applied = oracle_applied(sim, dot);

        if (dynkv_version_covers(&object->version, dot) || oracle_is_reaped(need->key, dot))
            continue;
        sim_violation(sim, "13",
                      "%s: a read with r=%u gave version %s, without %s of write %u, which was "
                      "acknowledged at w=%u before",
                      sim_key_text(need->key), client->r, sim_version_text(sim, &object->version),
                      sim_dot_text(sim, dot), applied ? applied->write->number : 0,
                      applied ? applied->write->w : 0);
        return;
    }
}
