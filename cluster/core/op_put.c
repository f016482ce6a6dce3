/*
 * op_put.c: PUT, which also deletes: the life of the operation at its coordinator (put.h has the picture).
 *
 *   item:       routed -> applied (its object made) -> decided
 *   operation:  items undecided -> answered -> lingering -> ended
 *
 * Items in which this node has a role are changed in their slots; once that has happened to all of them, the
 * new objects go to the other roles, while this node's own store syncs.  An item is decided when W roles hold
 * it durably (this node's counts like any other), when too few can still do so, or at the deadline.  Other
 * items are sent on, once, to a node that can coordinate them.  The answer goes out when every item is
 * decided.
 *
 * After that the operation lingers until all roles have answered: a replica that turns out to be silent or
 * down gets a hint at a fallback even though the write has succeeded without it.  Lingering is bounded in
 * number and bytes, since a silent replica makes every write linger until it is found to be down.
 *
 * So others may know a dot that this store loses in a crash.  Every later counter of the same actor would
 * cover it, though no later write here had seen it, and the first merge would drop an acknowledged value
 * (found by the simulator; riak_kv #1643 is its kin).  Therefore a crash ends the actor: restart.c.
 */
#include "base/assert.h"
#include "core/put.h"

/* ---- deciding ---- */

/* What one that was excluded meanwhile has on its disk counts for nothing; it may be this node. */
static bool put_counts(const struct dynkv_node *node, uint64_t id)
{
    return member_counts(members_find(node, id)) || mutant_is(node, DYNKV_MUTANT_EXCLUDED_COUNT);
}

/* The answer waits for all items: since this one was decided a member that has it may have been excluded. */
static void put_recount(struct dynkv_node *node, struct put_op *put, struct put_item *item)
{
    bool lost = false;

    for (uint32_t i = 0; i < item->role_count; i++)
        if (item->roles[i].acked && !put_counts(node, item->roles[i].member)) {
            item->roles[i].acked = false;
            lost = true;
        }
    if (!lost || item->result.error != DYNKV_OK)
        return;
    item->acks = item->result.acks = (uint8_t)put_route_acks(item, false);
    if (item->acks >= put->w)
        return;
    item->result.error = DYNKV_UNAVAILABLE;
    node->counters.writes_unavailable++;
}

static void put_answer(struct dynkv_node *node, struct put_op *put)
{
    struct dynkv_put_reply reply = {.result_count = put->item_count};

    reply.results = dynkv_arena_calloc(&node->arena, put->item_count, sizeof *reply.results);
    for (uint32_t i = 0; i < put->item_count; i++) {
        put_recount(node, put, &put->items[i]);
        reply.results[i] = put->items[i].result;
    }
    reply.extent = extent_tell(node, &put->op.source, put->keyspace, &reply.extent_count);
    node_answer(node, &put->op.source, DYNKV_MESSAGE_PUT_REPLY, &reply);
    put->answered = true;
}

/* Whether to stay for the roles that have not answered: only where a fallback could take one. */
static bool put_begin_linger(struct dynkv_node *node, struct put_op *put)
{
    if (put->open == 0 || put->flags & DYNKV_PUT_STRICT ||
        dynkv_ring_member_count(node->ring) <= put->n)
        return false;
    if (node->lingering >= CORE_LINGER_MAX ||
        node->lingering_bytes + put->bytes > CORE_LINGER_BYTES) {
        node->counters.writes_unfollowed++;
        return false;
    }
    put->lingers = true;
    node->lingering++;
    node->lingering_bytes += put->bytes;
    return true;
}

static void put_end(struct dynkv_node *node, struct put_op *put)
{
    if (put->lingers) {
        node->lingering--;
        node->lingering_bytes -= put->bytes;
    }
    op_end(node, &put->op);
}

/* To be called after anything that may have decided an item or closed a role. */
static void put_settle(struct dynkv_node *node, struct put_op *put)
{
    if (put->undecided)
        return;
    if (!put->answered) {
        put_answer(node, put);
        if (!put_begin_linger(node, put))
            put_end(node, put);
    } else if (put->open == 0) {
        put_end(node, put);
    }
}

static void put_decide(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                       enum dynkv_error error)
{
    DYNKV_ASSERT(!item->decided);
    if (error == DYNKV_UNAVAILABLE && mutant_is(node, DYNKV_MUTANT_APPLIED_IS_REFUSED))
        error = DYNKV_OVERLOADED;
    item->decided = true;
    item->result.error = (uint8_t)error;
    item->result.acks = item->acks;
    if (error == DYNKV_UNAVAILABLE)
        node->counters.writes_unavailable++;
    put->undecided--;
}

static void put_close_role(struct put_op *put, struct put_item *item, struct put_role *role)
{
    DYNKV_ASSERT(role->open && item->open > 0 && put->open > 0);
    role->open = false;
    item->open--;
    put->open--;
}

/* There is no object to be sent to anybody. */
static void put_refuse(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                       enum dynkv_error error)
{
    for (uint32_t i = 0; i < item->role_count; i++)
        if (item->roles[i].open)
            put_close_role(put, item, &item->roles[i]);
    if (!item->decided)
        put_decide(node, put, item, error);
}

/* A member's role is done; if it failed, the next fallback takes its place and goes into *again. */
static void put_role_done(struct dynkv_node *node, struct put_op *put, uint32_t index,
                          uint64_t member, bool ack, struct put_batch **again)
{
    struct put_item *item = &put->items[index];
    struct put_role *role = item->roles, *next;
    uint32_t early = mutant_is(node, DYNKV_MUTANT_ANSWER_EARLY);

    while (role->member != member)
        role++;
    DYNKV_ASSERT(role < item->roles + item->role_count);
    put_close_role(put, item, role);
    ack = ack && put_counts(node, member);
    role->acked = ack;
    item->acks = (uint8_t)put_route_acks(item, false);
    if (!ack) {
        next = put_route_fallback(node, put, item, role);
        if (next) {
            next->sent = true;
            put_batch_add(put, again, next->member, next->hint_for, false, index);
        } else {
            node->counters.hints_skipped += !(put->flags & DYNKV_PUT_STRICT);
        }
    }
    if (item->decided)
        return;
    if (item->acks + early >= put->w)
        put_decide(node, put, item, DYNKV_OK);
    else if (put_route_acks(item, true) < put->w)
        put_decide(node, put, item, DYNKV_UNAVAILABLE);
}

/* All items of this node's are applied: the others' turn. */
static void put_replicate(struct dynkv_node *node, struct put_op *put)
{
    struct put_batch *all = NULL;

    for (uint32_t i = 0; i < put->item_count; i++) {
        struct put_item *item = &put->items[i];

        for (uint32_t j = 0; j < item->role_count; j++) {
            struct put_role *role = &item->roles[j];

            if (!role->open || role->sent || role->member == node->id)
                continue;
            role->sent = true;
            if (place_is_up(node, role->member))
                put_batch_add(put, &all, role->member, role->hint_for, false, i);
            else /* since the routing */
                put_role_done(node, put, i, role->member, false, &all);
        }
    }
    put_send(node, put, all);
}

/* ---- what happens to an item ---- */

static void put_on_applied(struct dynkv_node *node, struct op *op, uint32_t index,
                           enum dynkv_error error, struct dynkv_slice object)
{
    struct put_op *put = (struct put_op *)op;
    struct put_item *item = &put->items[index];

    if (error == DYNKV_SIBLINGS_LIMIT && !mutant_is(node, DYNKV_MUTANT_REFUSE_UNCOUNTED))
        node->counters.siblings_refused++;
    if (!error) {
        if (item->dot.counter) /* here: a hint for which there is no room is refused after mutate */
            put_remember(node, put, item);
        item->object = dynkv_slice_copy(object, &op->arena);
        put->bytes += object.len;
        if (item->lineage)
            hints_set_lineage(node, &item->at, item->lineage);
    } else {
        if (error == DYNKV_NOT_FOUND) { /* it was done, and has been reaped: all replicas had it */
            item->acks = (uint8_t)put->n;
            error = DYNKV_OK;
        }
        put_refuse(node, put, item, error);
    }
    if (--put->unapplied == 0)
        put_replicate(node, put);
    put_settle(node, put);
}

static void put_on_stored(struct dynkv_node *node, struct op *op, uint32_t index,
                          enum dynkv_error error)
{
    struct put_op *put = (struct put_op *)op;
    struct put_batch *again = NULL;

    put_role_done(node, put, index, node->id, error == DYNKV_OK, &again);
    put_send(node, put, again);
    put_settle(node, put);
}

/* The node that coordinated for us has decided. */
static void put_on_forwarded(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                             const struct dynkv_put_result *result)
{
    if (item->decided)
        return;
    if (result) {
        item->acks = result->acks;
        item->result.context = dynkv_slice_copy(result->context, &put->op.arena);
        item->result.timestamp = result->timestamp;
        item->result.siblings = result->siblings;
    }
    put_decide(node, put, item, result ? (enum dynkv_error)result->error : DYNKV_UNAVAILABLE);
}

static void put_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                          const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    struct put_op *put = (struct put_op *)op;
    const struct put_batch *batch = op->subs[sub].data;
    struct put_batch *again = NULL;
    bool ack = body && envelope->type == DYNKV_MESSAGE_REPLICATE_REPLY &&
               body->replicate_reply.error == DYNKV_OK;
    bool decided = body && envelope->type == DYNKV_MESSAGE_PUT_REPLY &&
                   body->put_reply.result_count == batch->count;

    if (body && envelope->type == DYNKV_MESSAGE_REPLICATE_REPLY &&
        body->replicate_reply.error == DYNKV_STALE && batch->resends < CORE_PUT_RESENDS) {
        put_send_again(node, put, batch);
        return;
    }
    if (body && mutant_is(node, DYNKV_MUTANT_COUNT_ANY_ANSWER))
        ack = true;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t index = batch->items[i];

        if (batch->is_forward)
            put_on_forwarded(node, put, &put->items[index],
                             decided ? &body->put_reply.results[i] : NULL);
        else
            put_role_done(node, put, index, batch->peer, ack, &again);
    }
    put_send(node, put, again);
    put_settle(node, put);
}

/* Roles that are silent still: each leaves a hint at a fallback, and nobody waits to hear of it. */
static void put_leave_hints(struct dynkv_node *node, struct put_op *put)
{
    struct put_batch *all = NULL;

    for (uint32_t i = 0; i < put->item_count; i++) {
        struct put_item *item = &put->items[i];
        uint32_t count = item->role_count;

        for (uint32_t j = 0; j < count; j++) {
            const struct put_role *role = &item->roles[j];
            const struct put_role *next;

            if (!role->open || !role->sent)
                continue;
            next = put_route_fallback(node, put, item, role);
            if (next)
                put_batch_add(put, &all, next->member, next->hint_for, false, i);
            else
                node->counters.hints_skipped += !(put->flags & DYNKV_PUT_STRICT);
        }
    }
    put_send_unasked(node, put, all);
}

static void put_on_deadline(struct dynkv_node *node, struct op *op)
{
    struct put_op *put = (struct put_op *)op;

    for (uint32_t i = 0; i < put->item_count; i++)
        if (!put->items[i].decided)
            put_decide(node, put, &put->items[i], DYNKV_UNAVAILABLE);
    if (!put->answered)
        put_answer(node, put);
    put_leave_hints(node, put);
    put_end(node, put);
}

bool put_is_undecided_before(const struct dynkv_node *node, uint64_t op_id)
{
    for (const struct op *op = node->op_first; op && op->id < op_id; op = op->next)
        if (op->class->on_deadline == put_on_deadline && ((const struct put_op *)op)->undecided)
            return true;
    return false;
}

static const struct op_class put_class = {
    .name = "put",
    .mutate = put_mutate,
    .on_applied = put_on_applied,
    .on_stored = put_on_stored,
    .on_answer = put_on_answer,
    .on_deadline = put_on_deadline,
};

/* ---- the beginning ---- */

static void put_start(struct dynkv_node *node, struct put_op *put)
{
    struct op *op = &put->op;
    struct put_batch *forwards = NULL;
    bool *here = dynkv_arena_calloc(&op->arena, put->item_count, sizeof *here);

    for (uint32_t i = 0; i < put->item_count; i++) {
        struct put_item *item = &put->items[i];
        enum dynkv_error error;
        uint64_t to;

        switch (put_route(node, put, item, &error, &to)) {
        case PUT_HERE:
            here[i] = true;
            put->unapplied++;
            break;
        case PUT_FORWARD:
            put_batch_add(put, &forwards, to, 0, true, i);
            break;
        case PUT_NOWHERE:
            put_decide(node, put, item, error);
            break;
        }
    }
    put_send(node, put, forwards);
    op_hold(op);
    put_settle(node, put);
    for (uint32_t i = 0; i < put->item_count && !op->ended; i++)
        if (here[i])
            slot_change(node, &put->items[i].at, op, i);
    op_release(node, op);
}

static void put_take_items(struct put_op *put, const struct dynkv_put *body)
{
    struct dynkv_arena *arena = &put->op.arena;

    put->item_count = put->undecided = body->item_count;
    put->items = dynkv_arena_calloc(arena, body->item_count, sizeof *put->items);
    for (uint32_t i = 0; i < body->item_count; i++) {
        const struct dynkv_put_item *from = &body->items[i];
        struct put_item *item = &put->items[i];

        item->at.keyspace = body->keyspace;
        item->at.key = dynkv_slice_copy(from->key, arena);
        item->at.partition_len = from->partition_len;
        item->flags = from->flags;
        item->context = dynkv_slice_copy(from->context, arena);
        item->value = dynkv_slice_copy(from->value, arena);
        item->expires_at_ms = from->expires_at_ms;
        put->bytes += from->key.len + from->value.len;
    }
}

void on_put(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
            const struct dynkv_put *body)
{
    const struct keyspace *keyspace = keyspaces_require(node, source, body->keyspace);
    struct dynkv_put_reply none = {0};
    struct put_op *put;
    uint32_t w;

    if (!keyspace)
        return;
    w = body->w ? body->w : keyspace->def.w;
    if (w > keyspace->def.n) {
        node_answer_error(node, source, DYNKV_INVALID, "w=%u is more than the keyspace's n=%u", w,
                          keyspace->def.n);
        return;
    }
    if (body->stamp > node->clock.last) {
        node_answer_error(node, source, DYNKV_INVALID,
                          "the writes are stamped with a time to come");
        return;
    }
    if (body->item_count == 0) {
        node_answer(node, source, DYNKV_MESSAGE_PUT_REPLY, &none);
        return;
    }
    for (uint32_t i = 0; i < body->item_count; i++)
        (*(body->items[i].flags & DYNKV_PUT_DELETE ? &node->counters.deletes
                                                   : &node->counters.puts))++;
    put = op_new(node, &put_class, sizeof *put, source, deadline_ms);
    put->keyspace = body->keyspace;
    put->ttl_ms = keyspace->def.ttl_ms;
    put->n = keyspace->def.n;
    put->w = w;
    put->flags = body->flags;
    put->client = body->client;
    put->sequence = body->sequence;
    put->stamp = body->stamp;
    put_take_items(put, body);
    put_start(node, put);
}
