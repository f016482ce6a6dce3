/* put_apply.c: what an item of a PUT makes of the object (see put.h). */
#include "core/put.h"
#include "core/reap.h"

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

static uint8_t put_siblings(const struct dynkv_node *node, const struct dynkv_object *object)
{
    return mutant_is(node, DYNKV_MUTANT_TELL_NO_SIBLINGS) ? 1 : (uint8_t)object->sibling_count;
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

/* A restart may have set the clock back behind what others stamped, and this store holds. */
static void put_observe(struct dynkv_node *node, const struct dynkv_object *current)
{
    for (uint32_t i = 0; i < current->sibling_count; i++)
        if (current->siblings[i].timestamp > node->clock.last)
            node->clock.last = current->siblings[i].timestamp;
}

/*
 * A write that its writer stamped may come to several coordinators, one after the other died, and late.  It has
 * the same time wherever it is applied, so for readers who take the last value it can never come after what was
 * written by somebody who had seen it.  And where something as new is known, or was reaped, it is not
 * applied at all: it may have been seen there, and replaced.  What has its very time and value is the write itself.
 */
static enum dynkv_error put_check_stamp(const struct dynkv_node *node, const struct put_op *put,
                                        const struct put_item *item,
                                        const struct dynkv_object *current, bool *is_here)
{
    bool is_late = reap_is_fenced(node, item->at.partition, put->stamp);
    bool is_delete = (item->flags & DYNKV_PUT_DELETE) != 0;

    *is_here = false;
    for (uint32_t i = 0; i < current->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &current->siblings[i];

        if (sibling->timestamp == put->stamp &&
            ((sibling->flags & DYNKV_SIBLING_TOMBSTONE) != 0) == is_delete &&
            (is_delete || dynkv_slice_equal(sibling->value, item->value)))
            *is_here = true;
        is_late |= sibling->timestamp >= put->stamp;
    }
    return is_late && !*is_here ? DYNKV_STALE : DYNKV_OK;
}

/* The stamped write has been here before: it goes to the store and the replicas once more. */
static void put_tell_here(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                          const struct dynkv_object *current)
{
    struct dynkv_buf encoded = {0};
    struct applied applied = {.timestamp = put->stamp, .siblings = put_siblings(node, current)};

    dynkv_version_encode(&current->version, &encoded);
    applied.context = dynkv_buf_slice(&encoded);
    put_tell(put, item, &applied);
    dynkv_buf_fini(&encoded);
    node->counters.writes_recognised++;
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
    dot = lease_next_dot(node);
    if (!item->at.hint_for || dot.counter == 0 || mutant_is(node, DYNKV_MUTANT_HINT_OWN_ACTOR))
        return dot;
    item->lineage = hints_lineage(node, &item->at);
    if (!item->lineage)
        item->lineage = dynkv_hash_pair(node->actor, dot.counter) | 1; /* not 0 */
    dot.actor = item->lineage;
    return dot;
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
    bool is_stamped = item->flags & DYNKV_PUT_STAMPED && !mutant_is(node, DYNKV_MUTANT_STAMP_ANEW);
    struct applied applied;
    enum dynkv_error error;
    bool is_here;

    if (put_is_repeated(node, put, item, current, &error)) {
        *out = *current;
        return error;
    }
    put_observe(node, current);
    if (is_stamped) {
        error = put_check_stamp(node, put, item, current, &is_here);
        if (is_here)
            put_tell_here(node, put, item, current);
        if (error || is_here) {
            *out = *current;
            return error;
        }
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
    sibling.timestamp = is_stamped ? put->stamp : dynkv_clock_tick(&node->clock, node->now_ms);
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
