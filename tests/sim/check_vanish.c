/* check_vanish.c: invariant 2: a value vanishes only under a context that contains its dot. */
#include "check.h"

/* What stood there before is there still, or a write that the object knows of superseded it. */
void check_vanish_change(struct sim *sim, const struct sim_change *change)
{
    for (uint32_t i = 0; i < change->before.sibling_count; i++) {
        struct dynkv_dot dot = change->before.siblings[i].dot;
        const struct sim_applied *applied = oracle_applied(sim, dot);

        if (!applied || object_has_dot(&change->after, dot) || oracle_is_reaped(change->key, dot) ||
            oracle_is_superseded(change->key, applied, &change->after.version, false))
            continue;
        sim_violation(sim, "2",
                      "%s: %s of write %u vanished on %s%s, and no write it knows of had seen it; "
                      "version before %s, after %s",
                      sim_key_text(change->key), sim_dot_text(sim, dot), applied->write->number,
                      change->node->name,
                      applied->is_acknowledged ? ", though it was acknowledged" : "",
                      sim_version_text(sim, &change->before.version),
                      sim_version_text(sim, &change->after.version));
    }
}

/* The same for a state by itself: it must not claim to know a durable write that it does not have. */
void check_vanish_state(struct sim *sim, const struct sim_key *key,
                        const struct dynkv_object *object)
{
    for (const struct sim_applied *it = key->applied; it; it = it->next_of_key) {
        if (!it->is_durable || it->may_be_lost || oracle_is_reaped(key, it->dot) ||
            !dynkv_version_covers(&object->version, it->dot) || object_has_dot(object, it->dot) ||
            oracle_is_superseded(key, it, &object->version, false))
            continue;
        sim_violation(sim, "2",
                      "%s: a version %s covers %s of write %u, but neither the value is there nor "
                      "a write that had seen it",
                      sim_key_text(key), sim_version_text(sim, &object->version),
                      sim_dot_text(sim, it->dot), it->write->number);
        return;
    }
}

/* A put's result is what its own context makes of the object, byte for byte. */
void check_put_result(struct sim *sim, const struct sim_change *change, struct sim_write *write,
                      const struct dynkv_sibling *sibling)
{
    bool has_context = (write->item_flags & DYNKV_PUT_HAS_CONTEXT) != 0;
    const struct dynkv_version *context = has_context ? &write->context : &change->before.version;
    struct dynkv_object expected;
    struct dynkv_buf bytes = {0};
    enum dynkv_error error =
        dynkv_object_put(&change->before, context, sibling, &sim->step_arena, &expected);

    if (!error)
        dynkv_object_encode(&expected, &bytes);
    if (error || !dynkv_slice_equal(dynkv_buf_slice(&bytes), change->after_bytes))
        sim_violation(sim, "2",
                      "%s: write %u on %s %s context %s gave %u siblings and version %s, of %u "
                      "siblings and version %s",
                      sim_key_text(change->key), write->number, change->node->name,
                      has_context ? "with" : "without a", sim_version_text(sim, context),
                      change->after.sibling_count, sim_version_text(sim, &change->after.version),
                      change->before.sibling_count, sim_version_text(sim, &change->before.version));
    dynkv_buf_fini(&bytes);
}

/*
 * A writer that is told of no siblings may give the answer's version as its next context: all that it covers
 * must have been seen by the writer, or superseded by something that was.
 */
void check_put_answer(struct sim *sim, const struct sim_write *write,
                      const struct dynkv_put_result *result)
{
    const struct sim_applied *own = oracle_answered(sim, write, result);
    struct dynkv_version told;

    if (!own || result->siblings > 1 || !(write->item_flags & DYNKV_PUT_HAS_CONTEXT) ||
        dynkv_version_parse(result->context, &sim->step_arena, &told))
        return;
    for (const struct sim_applied *it = write->key->applied; it; it = it->next_of_key)
        if (it != own && it->is_durable && !it->may_be_lost &&
            !oracle_is_reaped(write->key, it->dot) && dynkv_version_covers(&told, it->dot) &&
            !dynkv_version_covers(&write->context, it->dot) &&
            !oracle_is_superseded(write->key, it, &told, false))
            sim_violation(sim, "2",
                          "%s: write %u was answered with %u sibling and version %s, which covers "
                          "%s of write %u; its context %s did not",
                          sim_key_text(write->key), write->number, result->siblings,
                          sim_version_text(sim, &told), sim_dot_text(sim, it->dot),
                          it->write->number, sim_version_text(sim, &write->context));
}
