/*
 * check_merge.c: invariant 5: a merge is commutative, associative and idempotent, byte for byte.
 *
 * Two ways: of every change, the new object absorbs the old one, whichever way round; and the node's own merge
 * is put to the test with states that the key had before, on any node.
 */
#include "check.h"

static struct dynkv_object merge_of(struct sim *sim, const struct sim_node *node,
                                    const struct dynkv_object *a, const struct dynkv_object *b)
{
    return node ? dynkv_node_merge(node->core, a, b, &sim->step_arena)
                : dynkv_object_merge(a, b, &sim->step_arena);
}

static bool objects_equal(struct sim *sim, const struct dynkv_object *a,
                          const struct dynkv_object *b)
{
    struct dynkv_buf left = {0};
    bool equal;

    dynkv_object_encode(a, &left);
    dynkv_buf_reset(&sim->scratch);
    dynkv_object_encode(b, &sim->scratch);
    equal = dynkv_slice_equal(dynkv_buf_slice(&left), dynkv_buf_slice(&sim->scratch));
    dynkv_buf_fini(&left);
    return equal;
}

static bool merge_gives(struct sim *sim, const struct dynkv_object *a, const struct dynkv_object *b,
                        const struct dynkv_object *expected)
{
    struct dynkv_object merged = merge_of(sim, NULL, a, b);

    return objects_equal(sim, &merged, expected);
}

void check_merge(struct sim *sim, const struct sim_change *change)
{
    if (merge_gives(sim, &change->before, &change->after, &change->after) &&
        merge_gives(sim, &change->after, &change->before, &change->after) &&
        merge_gives(sim, &change->after, &change->after, &change->after))
        return;
    sim_violation(sim, "5", "%s: on %s the new object %s is not a merge of the old one %s",
                  sim_key_text(change->key), change->node->name,
                  sim_version_text(sim, &change->after.version),
                  sim_version_text(sim, &change->before.version));
}

/* ---- the laws ---- */

/* NULL, or the law that does not hold for these. */
static const char *law_broken(struct sim *sim, const struct sim_node *node,
                              const struct dynkv_object *a, const struct dynkv_object *b,
                              const struct dynkv_object *c)
{
    struct dynkv_object ab = merge_of(sim, node, a, b), ba = merge_of(sim, node, b, a);
    struct dynkv_object bc = merge_of(sim, node, b, c), aa = merge_of(sim, node, a, a);
    struct dynkv_object left = merge_of(sim, node, &ab, c), right = merge_of(sim, node, a, &bc);

    if (!objects_equal(sim, &aa, a))
        return "idempotent";
    if (!objects_equal(sim, &ab, &ba))
        return "commutative";
    return objects_equal(sim, &left, &right) ? NULL : "associative";
}

static bool decode(struct sim *sim, struct dynkv_slice bytes, struct dynkv_object *out)
{
    return dynkv_object_decode(bytes, &sim->step_arena, out) == DYNKV_OK;
}

/* A state of the key that was not met before: tried with two that were. */
void check_merge_laws(struct sim *sim, const struct sim_node *node, struct sim_key *key,
                      const struct dynkv_object *object)
{
    uint32_t place = key->merge_count++ % SIM_STATES_KEPT;
    uint64_t draw = dynkv_object_digest(object);
    struct dynkv_buf bytes = {0};
    struct dynkv_object b, c;
    const char *broken;

    if (key->merge_count > 2) {
        uint32_t kept = place < key->merge_count - 1 && key->merge_count > SIM_STATES_KEPT
                            ? SIM_STATES_KEPT
                            : place;

        if (decode(sim, key->merge_states[draw % kept], &b) &&
            decode(sim, key->merge_states[(draw >> 32) % kept], &c) &&
            (broken = law_broken(sim, node, object, &b, &c)))
            sim_violation(sim, "5", "%s: the merge of %s is not %s: %s, %s, %s", sim_key_text(key),
                          node->name, broken, sim_version_text(sim, &object->version),
                          sim_version_text(sim, &b.version), sim_version_text(sim, &c.version));
    }
    dynkv_object_encode(object, &bytes);
    key->merge_states[place] = dynkv_slice_copy(dynkv_buf_slice(&bytes), &sim->arena);
    dynkv_buf_fini(&bytes);
}
