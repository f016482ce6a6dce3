/*
 * merge.c: two objects of a key brought together, for replication, hand-off and anti-entropy.
 *
 * What a merge is stands in model/object.h; here is the one place where the core asks for it, so that the
 * mutants that break it are the same everywhere, and the simulator can put the very function to the test.
 */
#include "core/node_impl.h"

/* The latest of several. */
static void merge_to_one(struct dynkv_object *object)
{
    for (uint32_t i = 1; i < object->sibling_count; i++)
        if (object->siblings[i].timestamp > object->siblings[0].timestamp)
            object->siblings[0] = object->siblings[i];
    if (object->sibling_count > 1)
        object->sibling_count = 1;
}

struct dynkv_object merge_objects(const struct dynkv_node *node, const struct dynkv_object *mine,
                                  const struct dynkv_object *theirs, struct dynkv_arena *arena)
{
    struct dynkv_object merged = dynkv_object_merge(mine, theirs, arena);

    if (mutant_is(node, DYNKV_MUTANT_MERGE_TAKES_INCOMING))
        return *theirs;
    if (mutant_is(node, DYNKV_MUTANT_MERGE_VECTOR_ONLY) && mine->sibling_count) {
        merged.siblings = mine->siblings;
        merged.sibling_count = mine->sibling_count;
    }
    if (mutant_is(node, DYNKV_MUTANT_MERGE_WITHOUT_DOTS)) {
        if (dynkv_version_compare(&mine->version, &theirs->version) == DYNKV_VERSION_AFTER)
            return *mine;
        merged.siblings = theirs->siblings;
        merged.sibling_count = theirs->sibling_count;
    }
    if (mutant_is(node, DYNKV_MUTANT_MERGE_TO_ONE))
        merge_to_one(&merged);
    return merged;
}

struct dynkv_object dynkv_node_merge(const struct dynkv_node *node, const struct dynkv_object *mine,
                                     const struct dynkv_object *theirs, struct dynkv_arena *arena)
{
    return merge_objects(node, mine, theirs, arena);
}
