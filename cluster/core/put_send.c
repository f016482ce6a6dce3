/* put_send.c: what the coordinator of a PUT sends: one message a peer, and one for each absent member. */
#include "core/put.h"

static struct put_batch *batch_for(struct put_op *put, struct put_batch **all,
                                   const struct put_batch *like, size_t bytes)
{
    struct put_batch *batch = *all;

    while (batch &&
           (batch->peer != like->peer || batch->hint_for != like->hint_for ||
            batch->is_forward != like->is_forward || batch->bytes + bytes > DYNKV_BATCH_MAX))
        batch = batch->next;
    if (batch)
        return batch;
    batch = dynkv_arena_calloc(&put->op.arena, 1, sizeof *batch);
    *batch = *like;
    batch->items = dynkv_arena_calloc(&put->op.arena, put->item_count, sizeof *batch->items);
    batch->next = *all;
    *all = batch;
    return batch;
}

void put_batch_add(struct put_op *put, struct put_batch **all, uint64_t peer, uint64_t hint_for,
                   bool is_forward, uint32_t index)
{
    const struct put_item *item = &put->items[index];
    const struct put_batch like = {.peer = peer, .hint_for = hint_for, .is_forward = is_forward};
    size_t bytes = item->at.key.len + item->value.len + item->object.len;
    struct put_batch *batch = batch_for(put, all, &like, bytes);

    batch->items[batch->count++] = index;
    batch->bytes += bytes;
}

static void send_replicate(struct dynkv_node *node, struct put_op *put, const struct member *peer,
                           uint64_t token, const struct put_batch *batch)
{
    struct dynkv_replicate body = {
        .keyspace = put->keyspace, .item_count = batch->count, .hint_for = batch->hint_for};

    body.items = dynkv_arena_calloc(&node->arena, batch->count, sizeof *body.items);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct put_item *item = &put->items[batch->items[i]];

        body.items[i] =
            (struct dynkv_replicate_item){item->at.key, item->at.partition_len, item->object};
    }
    node_send(node, peer, DYNKV_MESSAGE_REPLICATE, token, op_left_ms(node, &put->op), &body);
}

static void send_forward(struct dynkv_node *node, struct put_op *put, const struct member *peer,
                         uint64_t token, const struct put_batch *batch)
{
    struct dynkv_put body = {
        .keyspace = put->keyspace,
        .flags = put->flags | DYNKV_PUT_FORWARDED,
        .w = (uint8_t)put->w,
        .client = put->client,
        .sequence = put->sequence,
        .item_count = batch->count,
        .stamp = put->stamp,
    };

    node->counters.forwarded_items += batch->count;
    body.items = dynkv_arena_calloc(&node->arena, batch->count, sizeof *body.items);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct put_item *item = &put->items[batch->items[i]];

        body.items[i] = (struct dynkv_put_item){
            .key = item->at.key,
            .partition_len = item->at.partition_len,
            .flags = item->flags,
            .context = item->context,
            .expires_at_ms = item->expires_at_ms,
            .value = item->value,
        };
    }
    node_send(node, peer, DYNKV_MESSAGE_PUT, token, op_left_ms(node, &put->op), &body);
}

/* To a peer that is gone meanwhile nothing is sent: the question runs into the deadline. */
void put_send(struct dynkv_node *node, struct put_op *put, struct put_batch *all)
{
    for (; all; all = all->next) {
        const struct member *peer = members_find(node, all->peer);
        uint64_t token = op_token(&put->op, op_ask(node, &put->op, all->peer, all));

        if (peer && all->is_forward)
            send_forward(node, put, peer, token, all);
        else if (peer)
            send_replicate(node, put, peer, token, all);
    }
}

void put_send_again(struct dynkv_node *node, struct put_op *put, const struct put_batch *batch)
{
    struct put_batch *again = dynkv_arena_copy(&put->op.arena, batch, sizeof *batch);

    again->resends++;
    again->next = NULL;
    put_send(node, put, again);
}

void put_send_unasked(struct dynkv_node *node, struct put_op *put, struct put_batch *all)
{
    for (; all; all = all->next) {
        const struct member *peer = members_find(node, all->peer);

        if (peer)
            send_replicate(node, put, peer, 0, all);
    }
}
