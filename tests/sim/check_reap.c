/*
 * check_reap.c: invariant 7, of what is reaped: it is dead, every replica holds just that or what has seen it,
 * no hint holds anything older; and from then on no value that it had hidden is stored or read anywhere.
 *
 * A store that goes back in time may bring back what was reaped since: that is not promised, and such values
 * are left out of it.
 */
#include "check.h"

#define CLOCKS_APART_MS 60000u /* DYNKV_CLOCK_DRIFT_MAX_MS */

/* A value in the object that what was reaped, or is about to be, hides; NULL: none. */
static const struct sim_applied *reap_hidden(struct sim *sim, const struct dynkv_object *object,
                                             const struct dynkv_version *reaped)
{
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];
        const struct sim_applied *applied = oracle_applied(sim, sibling->dot);

        if (applied && !(sibling->flags & DYNKV_SIBLING_TOMBSTONE) &&
            dynkv_version_covers(reaped, sibling->dot) && !applied->is_reaped &&
            !applied->is_from_old)
            return applied;
    }
    return NULL;
}

void check_reaped(struct sim *sim, const struct sim_key *key, const struct dynkv_object *object,
                  const char *where)
{
    const struct sim_applied *back = reap_hidden(sim, object, &key->reaped);

    if (back)
        sim_violation(sim, "7",
                      "%s: %s of write %u is back (%s), after a tombstone that hid it was reaped",
                      sim_key_text(key), sim_dot_text(sim, back->dot), back->write->number, where);
}

struct reap_check {
    const struct dynkv_object *object;
    const char *where;
};

static void reap_check_held(struct sim *sim, const struct sim_key *key,
                            const struct dynkv_object *held, void *context)
{
    const struct reap_check *check = context;
    const struct sim_applied *hidden = reap_hidden(sim, held, &check->object->version);

    if (hidden)
        sim_violation(sim, "7",
                      "%s: version %s is reaped, though %s holds %s of write %u, which it hides",
                      sim_key_text(key), sim_version_text(sim, &check->object->version),
                      check->where, sim_dot_text(sim, hidden->dot), hidden->write->number);
}

void check_reap(struct sim *sim, struct sim_node *node, struct sim_key *key,
                const struct dynkv_object *object)
{
    struct reap_check check = {.object = object};

    if (!dynkv_object_is_dead(object, sim->latest_wall_ms - CLOCKS_APART_MS))
        sim_violation(sim, "7", "%s: %s deleted version %s, which is alive", sim_key_text(key),
                      node->name, sim_version_text(sim, &object->version));
    SIM_TRACE(sim, "%s reaps %s %s", node->name, sim_key_text(key),
              sim_version_text(sim, &object->version));
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        struct sim_applied *applied = oracle_applied(sim, object->siblings[i].dot);

        if (applied)
            applied->is_reaped = true;
    }
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *other = &sim->nodes[i];
        struct dynkv_object held;

        if (other->is_excluded)
            continue; /* nobody will hear of what it holds */
        held = oracle_on_disk(sim, &other->disk, key);
        check.where = other->name;
        reap_check_held(sim, key, &held, &check);
        oracle_hints(sim, &other->disk, key, reap_check_held, &check);
    }
    key->reaped = dynkv_version_merge(&key->reaped, &object->version, &sim->arena);
    key->reaped_us = sim->now_us;
}

static void reap_mark_old(struct sim *sim, const struct sim_key *key,
                          const struct dynkv_object *object, void *context)
{
    (void)key;
    (void)context;
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        struct sim_applied *applied = oracle_applied(sim, object->siblings[i].dot);

        if (applied)
            applied->is_from_old = true;
    }
}

void check_reap_restored(struct sim *sim, struct sim_disk *old)
{
    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        struct sim_key *key = &sim->keys[i];
        struct dynkv_object object = oracle_on_disk(sim, old, key);

        reap_mark_old(sim, key, &object, NULL);
        oracle_hints(sim, old, key, reap_mark_old, NULL);
    }
}

/* ---- the end ---- */

static bool reap_is_left(struct sim *sim, struct sim_node *node, const struct sim_key *key)
{
    struct dynkv_object object = oracle_held(sim, node, key);

    if (node->is_excluded || node->has_left)
        return false;
    return object.version.count && dynkv_object_is_dead(&object, sim_node_wall_ms(sim, node));
}

bool check_reap_has_work(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        for (uint32_t j = 0; j < sim->swarm.keys; j++)
            if (reap_is_left(sim, &sim->nodes[i], &sim->keys[j]))
                return true;
    return false;
}

void check_final_reaped(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        for (uint32_t j = 0; j < sim->swarm.keys; j++)
            if (reap_is_left(sim, &sim->nodes[i], &sim->keys[j]))
                sim_violation(sim, "7", "%s: %s keeps a record that is dead, though all is well",
                              sim_key_text(&sim->keys[j]), sim->nodes[i].name);
}
