/*
 * op.c: operations and their sub-requests.
 *
 *   op_new -> (loads, ranges, changes, questions to peers, each with a token) -> op_end
 *
 * An operation ends once, in its own class; op_end takes it out of the table, so that late answers find
 * nothing.  Where code goes on using an operation after a call that may have ended it, it holds it.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "core/node_impl.h"

void *op_new(struct dynkv_node *node, const struct op_class *class, size_t size,
             const struct source *source, uint32_t deadline_ms)
{
    struct op *op = dynkv_calloc(1, size);

    if (deadline_ms == 0)
        deadline_ms = DYNKV_DEADLINE_DEFAULT_MS;
    if (deadline_ms > DYNKV_DEADLINE_MAX_MS)
        deadline_ms = DYNKV_DEADLINE_MAX_MS;
    /* Answer a little before the asker gives up, so that it hears why. */
    deadline_ms -= deadline_ms / 16;
    op->class = class;
    op->id = node->next_id++;
    op->source = *source;
    op->deadline_ms = node->mono_ms + deadline_ms;
    op->prev = node->op_last;
    if (node->op_last)
        node->op_last->next = op;
    else
        node->op_first = op;
    node->op_last = op;
    dynkv_map_add(&node->ops, &op->by_id, dynkv_hash_pair(op->id, 0));
    node->counters.operations_in_flight += !class->is_upkeep;
    return op;
}

uint64_t op_token(const struct op *op, uint32_t index)
{
    DYNKV_ASSERT(index < 1u << CORE_INDEX_BITS);
    return op->id << CORE_INDEX_BITS | index;
}

uint32_t op_index(uint64_t token)
{
    return (uint32_t)(token & ((1u << CORE_INDEX_BITS) - 1));
}

struct op *op_find(struct dynkv_node *node, uint64_t token)
{
    uint64_t id = token >> CORE_INDEX_BITS;
    struct dynkv_map_node *found = dynkv_map_find(&node->ops, dynkv_hash_pair(id, 0));

    for (; found; found = dynkv_map_find_next(found)) {
        struct op *op = DYNKV_CONTAINER(found, struct op, by_id);

        if (op->id == id)
            return op;
    }
    return NULL;
}

static void op_free(struct op *op)
{
    if (op->class->fini)
        op->class->fini(op);
    dynkv_arena_fini(&op->arena);
    free(op->subs);
    free(op);
}

void op_end(struct dynkv_node *node, struct op *op)
{
    DYNKV_ASSERT(!op->ended);
    op->ended = true;
    dynkv_map_remove(&node->ops, &op->by_id);
    *(op->prev ? &op->prev->next : &node->op_first) = op->next;
    *(op->next ? &op->next->prev : &node->op_last) = op->prev;
    node->counters.operations_in_flight -= !op->class->is_upkeep;
    if (op->holds == 0)
        op_free(op);
}

void op_hold(struct op *op)
{
    op->holds++;
}

void op_release(struct dynkv_node *node, struct op *op)
{
    (void)node;
    DYNKV_ASSERT(op->holds > 0);
    if (--op->holds == 0 && op->ended)
        op_free(op);
}

uint32_t op_left_ms(const struct dynkv_node *node, const struct op *op)
{
    return op->deadline_ms > node->mono_ms ? (uint32_t)(op->deadline_ms - node->mono_ms) : 1;
}

uint32_t op_ask(struct dynkv_node *node, struct op *op, uint64_t peer, void *data)
{
    struct sub *sub;

    if (op->sub_count == op->sub_cap) {
        op->sub_cap = op->sub_cap ? op->sub_cap * 2 : 4;
        op->subs = dynkv_realloc(op->subs, op->sub_cap * sizeof *op->subs);
    }
    sub = &op->subs[op->sub_count];
    sub->peer = peer;
    sub->slow_ms = op->class->on_slow ? node->mono_ms + CORE_HEDGE_MS : 0;
    sub->open = true;
    sub->data = data;
    return op->sub_count++;
}

void op_load(struct dynkv_node *node, struct op *op, uint32_t item, uint64_t keyspace,
             uint32_t partition, struct dynkv_slice key)
{
    struct dynkv_effect_load *load = dynkv_effects_add_load(node->effects);

    load->token = op_token(op, item);
    load->keyspace = keyspace;
    load->partition = partition;
    load->key = dynkv_slice_copy(key, &node->effects->arena);
}

void op_on_answer(struct dynkv_node *node, const struct dynkv_envelope *envelope,
                  const union dynkv_body *body)
{
    struct op *op = op_find(node, envelope->request_id);
    uint32_t index = op_index(envelope->request_id);

    if (!op || index >= op->sub_count || !op->subs[index].open ||
        op->subs[index].peer != envelope->sender)
        return; /* late, repeated, or not from the one that was asked */
    op->subs[index].open = false;
    op_hold(op);
    op->class->on_answer(node, op, index, envelope, body);
    op_release(node, op);
}

/* Walks all operations; each may end, and may start others, on the way. */
static void op_for_each(struct dynkv_node *node,
                        void (*visit)(struct dynkv_node *node, struct op *op, uint64_t context),
                        uint64_t context)
{
    struct op *op = node->op_first;
    uint64_t last_id = node->next_id; /* those that start meanwhile are not visited */

    while (op && op->id < last_id) {
        struct op *next;

        op_hold(op);
        visit(node, op, context);
        /* An operation that ended keeps its link; what it links to can't have ended meanwhile,
         * because a visit ends the visited operation only. */
        next = op->next;
        op_release(node, op);
        op = next;
    }
}

static void op_visit_tick(struct dynkv_node *node, struct op *op, uint64_t context)
{
    uint32_t count = op->sub_count; /* those asked on the way are not slow yet */

    (void)context;
    if (op->deadline_ms <= node->mono_ms) {
        op->class->on_deadline(node, op);
        DYNKV_ASSERT(op->ended);
        return;
    }
    for (uint32_t i = 0; i < count && !op->ended; i++) {
        struct sub *sub = &op->subs[i];

        if (!sub->open || sub->slow_ms == 0 || sub->slow_ms > node->mono_ms)
            continue;
        sub->slow_ms = 0;
        op->class->on_slow(node, op, i);
    }
}

void op_tick(struct dynkv_node *node)
{
    op_for_each(node, op_visit_tick, 0);
}

static void op_visit_member_down(struct dynkv_node *node, struct op *op, uint64_t member)
{
    for (uint32_t i = 0; i < op->sub_count && !op->ended; i++) {
        if (!op->subs[i].open || op->subs[i].peer != member)
            continue;
        op->subs[i].open = false;
        op->class->on_answer(node, op, i, NULL, NULL);
    }
}

void op_on_member_down(struct dynkv_node *node, uint64_t member)
{
    op_for_each(node, op_visit_member_down, member);
}
