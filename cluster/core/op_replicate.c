/*
 * op_replicate.c: REPLICATE, objects to be merged into what this replica holds, or to be kept as hints for a
 * member that is absent.
 *
 * The sender is told when all of them are durable, or what kept one from it: one answer, since a
 * coordinator counts the message as one acknowledgement for each of its items.
 */
#include "core/reap.h"

struct replicate_op {
    struct op op;
    struct dynkv_slice *objects; /* one an item */
    uint32_t left;
};

static void replicate_end(struct dynkv_node *node, struct op *op, enum dynkv_error error)
{
    struct dynkv_replicate_reply reply = {.error = (uint8_t)error};

    node_answer(node, &op->source, DYNKV_MESSAGE_REPLICATE_REPLY, &reply);
    op_end(node, op);
}

static enum dynkv_error replicate_mutate(struct dynkv_node *node, struct op *op, uint32_t item,
                                         const struct dynkv_object *current,
                                         struct dynkv_arena *arena, struct dynkv_object *out)
{
    struct replicate_op *replicate = (struct replicate_op *)op;
    struct dynkv_object incoming;
    enum dynkv_error error = dynkv_object_decode(replicate->objects[item], arena, &incoming);

    if (error)
        return error;
    *out = merge_objects(node, current, &incoming, arena);
    return dynkv_object_is_within_limits(out) ? DYNKV_OK : DYNKV_TOO_LARGE;
}

static void replicate_on_applied(struct dynkv_node *node, struct op *op, uint32_t item,
                                 enum dynkv_error error, struct dynkv_slice object)
{
    (void)item;
    (void)object;
    if (error && !op->ended)
        replicate_end(node, op, error);
    else if (!op->ended && mutant_is(node, DYNKV_MUTANT_ACK_BEFORE_DURABLE) &&
             --((struct replicate_op *)op)->left == 0)
        replicate_end(node, op, DYNKV_OK);
}

static void replicate_on_stored(struct dynkv_node *node, struct op *op, uint32_t item,
                                enum dynkv_error error)
{
    struct replicate_op *replicate = (struct replicate_op *)op;

    (void)item;
    if (mutant_is(node, DYNKV_MUTANT_ACK_BEFORE_DURABLE))
        return;
    if (error || --replicate->left == 0)
        replicate_end(node, op, error);
}

static void replicate_on_deadline(struct dynkv_node *node, struct op *op)
{
    replicate_end(node, op, DYNKV_TIMEOUT);
}

static const struct op_class replicate_class = {
    .name = "replicate",
    .mutate = replicate_mutate,
    .on_applied = replicate_on_applied,
    .on_stored = replicate_on_stored,
    .on_deadline = replicate_on_deadline,
};

static bool replicate_is_possible(const struct dynkv_replicate *body)
{
    for (uint32_t i = 0; i < body->item_count; i++)
        if (body->items[i].object.len == 0 || body->items[i].partition_len < 1 ||
            body->items[i].partition_len > body->items[i].key.len)
            return false;
    return body->item_count > 0;
}

/* It was sent before something was reaped that it may bring back. */
static bool replicate_is_stale(const struct dynkv_node *node, const struct source *source,
                               const struct dynkv_replicate *body)
{
    for (uint32_t i = 0; i < body->item_count && source->kind == SOURCE_PEER; i++) {
        const struct dynkv_replicate_item *item = &body->items[i];

        if (reap_is_fenced(node,
                           place_partition(node, body->keyspace, item->key, item->partition_len),
                           source->timestamp))
            return true;
    }
    return false;
}

/* OK, or why the message is not for this node now. */
static enum dynkv_error replicate_check(struct dynkv_node *node, const struct source *source,
                                        const struct dynkv_replicate *body)
{
    if (!replicate_is_possible(body))
        return DYNKV_MALFORMED;
    if (node->counters.operations_in_flight >= CORE_OPS_MAX)
        return DYNKV_OVERLOADED;
    /* Meant for another, which had this address before; or this node has yet to hear of its place. */
    if (!node->self->info.joined && !place_is_held(node, node->id))
        return DYNKV_RING_CHANGED;
    if (body->hint_for && !members_find(node, body->hint_for))
        return DYNKV_RING_CHANGED; /* a member that this node has not heard of yet */
    /* A hint of a dropped keyspace would be thrown away; one not heard of yet looks the same. */
    if (body->hint_for && !keyspaces_find(node, body->keyspace))
        return DYNKV_NO_KEYSPACE;
    if (replicate_is_stale(node, source, body)) {
        node->counters.stale_refused++;
        return DYNKV_STALE;
    }
    return DYNKV_OK;
}

void on_replicate(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                  const struct dynkv_replicate *body)
{
    enum dynkv_error error = replicate_check(node, source, body);
    uint64_t hint_for = body->hint_for == node->id ? 0 : body->hint_for;
    struct replicate_op *replicate;
    struct op *op;

    if (error) {
        struct dynkv_replicate_reply reply = {.error = (uint8_t)error};

        node_answer(node, source, DYNKV_MESSAGE_REPLICATE_REPLY, &reply);
        return;
    }
    replicate = op_new(node, &replicate_class, sizeof *replicate, source, deadline_ms);
    op = &replicate->op;
    replicate->left = body->item_count;
    replicate->objects =
        dynkv_arena_calloc(&op->arena, body->item_count, sizeof *replicate->objects);
    node->counters.replicated_items += hint_for ? 0 : body->item_count;
    op_hold(op);
    for (uint32_t i = 0; i < body->item_count && !op->ended; i++) {
        const struct dynkv_replicate_item *item = &body->items[i];
        struct slot_key at = {
            .keyspace = body->keyspace,
            .partition = place_partition(node, body->keyspace, item->key, item->partition_len),
            .partition_len = item->partition_len,
            .key = item->key,
            .hint_for = hint_for,
        };

        replicate->objects[i] = dynkv_slice_copy(item->object, &op->arena);
        if (i && mutant_is(node, DYNKV_MUTANT_APPLY_FIRST_OF_BATCH)) {
            replicate->left--;
            continue;
        }
        slot_change(node, &at, op, i);
    }
    op_release(node, op);
}
