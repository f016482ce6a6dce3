/* put_apply.c: what an item of a PUT makes of the object (see put.h). */
#include "core/put.h"

static struct written put_written(const struct put_op *put, const struct put_item *item)
{
    return (struct written){
        .client = put->client,
        .sequence = put->sequence,
        .keyspace = put->keyspace,
        .key = item->at.key,
        .context = item->context,
        .value = item->value,
        .expires_at_ms = item->expires_at_ms,
        .flags = item->flags,
    };
}

/* What the client is told, once W replicas have it. */
static void put_tell(struct put_op *put, struct put_item *item, const struct applied *applied)
{
    item->result.context = dynkv_slice_copy(applied->context, &put->op.arena);
    item->result.timestamp = applied->timestamp;
    item->result.siblings = applied->siblings;
}

/*
 * Whether the write is a repetition, and if so *error is what becomes of it.  OK: the object stays as it is, and
 * goes to the store and the replicas once more.  NOT_FOUND: the record does not know of the write any more: what
 * has seen it was reaped, and nothing is left to be done.  UNAVAILABLE: it was applied to a hint that has gone
 * home since; what became of it there is not known.
 */
static bool put_is_repeated(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                            const struct dynkv_object *current, enum dynkv_error *error)
{
    struct written written = put_written(put, item);
    struct applied applied;

    if (!remember_find(node, &written, &applied))
        return false;
    *error = DYNKV_OK;
    if (!dynkv_version_covers(&current->version, applied.dot)) {
        *error = item->at.hint_for ? DYNKV_UNAVAILABLE : DYNKV_NOT_FOUND;
        if (item->at.hint_for)
            return true;
    }
    node->counters.writes_recognised++;
    put_tell(put, item, &applied);
    return true;
}

/*
 * The new sibling's dot; counter 0 if there is none to be had.  On a hint it is the hint's lineage that
 * stamps: a name made from the counter, which is unique in this store, so that no two lineages are the same.
 */
static struct dynkv_dot put_dot(struct dynkv_node *node, struct put_item *item,
                                const struct dynkv_object *current)
{
    struct dynkv_dot dot;

    if (dynkv_version_counter(&current->version, node->actor) >= node->counter_next)
        restart_is_old_copy(node, "a key has a version that this run did not make");
    /* A restart may have set the clock back behind what others stamped, and this store holds. */
    for (uint32_t i = 0; i < current->sibling_count; i++)
        if (current->siblings[i].timestamp > node->clock.last)
            node->clock.last = current->siblings[i].timestamp;
    dot = lease_next_dot(node);
    if (!item->at.hint_for || dot.counter == 0 || mutant_is(node, DYNKV_MUTANT_HINT_OWN_ACTOR))
        return dot;
    item->lineage = hints_lineage(node, &item->at);
    if (!item->lineage)
        item->lineage = dynkv_hash_pair(node->actor, dot.counter) | 1; /* not 0 */
    dot.actor = item->lineage;
    return dot;
}

static uint8_t put_siblings(const struct dynkv_node *node, const struct dynkv_object *object)
{
    return mutant_is(node, DYNKV_MUTANT_TELL_NO_SIBLINGS) ? 1 : (uint8_t)object->sibling_count;
}

/* When the new sibling expires; 0: never. */
static uint64_t put_expiry(const struct dynkv_node *node, const struct put_op *put,
                           const struct put_item *item)
{
    if (mutant_is(node, DYNKV_MUTANT_LOSE_EXPIRY) || item->flags & DYNKV_PUT_DELETE ||
        item->expires_at_ms == DYNKV_EXPIRES_NEVER)
        return 0;
    if (item->expires_at_ms == 0 && put->ttl_ms)
        return node->now_ms + put->ttl_ms;
    return item->expires_at_ms;
}

void put_remember(struct dynkv_node *node, const struct put_op *put, const struct put_item *item)
{
    struct written written = put_written(put, item);
    struct applied applied = {item->dot, item->result.timestamp, item->result.context,
                              item->result.siblings};

    remember(node, &written, &applied);
}

enum dynkv_error put_mutate(struct dynkv_node *node, struct op *op, uint32_t index,
                            const struct dynkv_object *current, struct dynkv_arena *arena,
                            struct dynkv_object *out)
{
    struct put_op *put = (struct put_op *)op;
    struct put_item *item = &put->items[index];
    struct dynkv_version context = current->version;
    struct dynkv_sibling sibling = {.value = item->value,
                                    .expires_at_ms = put_expiry(node, put, item)};
    struct dynkv_buf encoded = {0};
    struct applied applied;
    enum dynkv_error error;

    if (put_is_repeated(node, put, item, current, &error)) {
        *out = *current;
        return error;
    }
    if (item->flags & DYNKV_PUT_HAS_CONTEXT) {
        error = dynkv_version_parse(item->context, arena, &context);
        if (error)
            return error;
        if (dynkv_version_counter(&context, node->actor) >= node->counter_next)
            return DYNKV_INVALID; /* a context that no read can have given */
    }
    if (mutant_is(node, DYNKV_MUTANT_IGNORE_CONTEXT))
        context = current->version;
    sibling.dot = put_dot(node, item, current);
    if (sibling.dot.counter == 0)
        return DYNKV_OVERLOADED;
    sibling.timestamp = dynkv_clock_tick(&node->clock, node->now_ms);
    if (item->flags & DYNKV_PUT_DELETE) {
        sibling.flags = DYNKV_SIBLING_TOMBSTONE;
        sibling.value = dynkv_slice(NULL, 0);
    }
    error = dynkv_object_put(current, &context, &sibling, arena, out);
    if (error)
        return error;
    if (!dynkv_object_is_within_limits(out))
        return DYNKV_TOO_LARGE;
    dynkv_version_encode(&out->version, &encoded);
    applied = (struct applied){sibling.dot, sibling.timestamp, dynkv_buf_slice(&encoded),
                               put_siblings(node, out)};
    put_tell(put, item, &applied);
    dynkv_buf_fini(&encoded);
    item->dot = sibling.dot;
    return DYNKV_OK;
}
