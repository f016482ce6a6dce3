/*
 * sync_move.c: the objects that differ, to the side that lacks them: first what we lack, then what they do.
 *
 * They go in batches, one on its way at a time; the next leaves when the one before is durable.  So a slow
 * receiver sets the pace.
 */
#include "base/assert.h"
#include "core/sync.h"

static void move_count(struct sync_op *s, size_t bytes)
{
    s->objects_moved++;
    s->bytes_moved += bytes;
}

/* ---- what we lack ---- */

/* False: nothing is left to pull. */
static bool pull_ask(struct dynkv_node *node, struct sync_op *s)
{
    struct dynkv_get body = {.flags = DYNKV_GET_HELD, .r = 1};

    body.items = dynkv_arena_calloc(&node->arena, CORE_SYNC_BATCH_ITEMS, sizeof *body.items);
    for (uint32_t i = 0; i < s->item_count && body.item_count < CORE_SYNC_BATCH_ITEMS; i++) {
        const struct sync_item *item = &s->items[i];

        if (!item->pull)
            continue;
        s->batch[body.item_count] = i;
        body.items[body.item_count++] =
            (struct dynkv_get_item){item->at.key, item->at.partition_len, DYNKV_WANT_OBJECT};
    }
    if (body.item_count == 0)
        return false;
    body.keyspace = s->trees[s->tree].at.keyspace;
    s->batch_count = body.item_count;
    s->stage = SYNC_PULL;
    sync_ask(node, s, DYNKV_MESSAGE_GET, &body);
    return true;
}

void sync_on_pulled(struct dynkv_node *node, struct sync_op *s, const struct dynkv_get_reply *reply)
{
    bool any = false;

    if (reply->result_count != s->batch_count) {
        sync_end(node, s);
        return;
    }
    op_hold(&s->op);
    s->waiting = 1; /* until all are on their way */
    s->op.deadline_ms = node->mono_ms + CORE_SYNC_PATIENCE_MS;
    for (uint32_t i = 0; i < s->batch_count && !s->op.ended; i++) {
        const struct dynkv_get_result *result = &reply->results[i];
        struct sync_item *item = &s->items[s->batch[i]];

        if (result->error == DYNKV_TRUNCATED)
            continue; /* the reply was full: with the next batch */
        any = true;
        item->pull = false;
        if (result->error || result->object.len == 0) {
            s->spoiled = true;
            continue;
        }
        item->object = dynkv_slice_copy(result->object, &s->page);
        move_count(s, item->object.len);
        node->counters.sync_objects_received++;
        node->counters.transfer_objects += s->mode == SYNC_GAIN;
        node->counters.transfer_bytes +=
            s->mode == SYNC_GAIN ? item->at.key.len + item->object.len : 0;
        s->waiting++;
        slot_change(node, &item->at, &s->op, s->batch[i]);
    }
    if (!s->op.ended) {
        if (!any)
            sync_end(node, s); /* a peer that gives nothing at all */
        else if (--s->waiting == 0)
            sync_move(node, s);
    }
    op_release(node, &s->op);
}

enum dynkv_error sync_mutate(struct dynkv_node *node, struct op *op, uint32_t index,
                             const struct dynkv_object *current, struct dynkv_arena *arena,
                             struct dynkv_object *out)
{
    struct sync_op *s = (struct sync_op *)op;
    struct sync_item *item = &s->items[index];
    struct dynkv_object incoming;
    enum dynkv_error error = dynkv_object_decode(item->object, arena, &incoming);
    uint64_t digest;

    if (error)
        return error;
    *out = merge_objects(node, current, &incoming, arena);
    if (!dynkv_object_is_within_limits(out))
        return DYNKV_TOO_LARGE;
    digest = dynkv_object_digest(out);
    /* They lack something of ours. */
    item->push = s->mode == SYNC_REGULAR && digest != dynkv_object_digest(&incoming);
    /* An error leaves the object as it is: another write has brought the same meanwhile. */
    return digest == dynkv_object_digest(current) ? DYNKV_NOT_FOUND : DYNKV_OK;
}

static void pull_item_done(struct dynkv_node *node, struct sync_op *s)
{
    if (--s->waiting == 0)
        sync_move(node, s);
}

void sync_on_applied(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error,
                     struct dynkv_slice object)
{
    struct sync_op *s = (struct sync_op *)op;

    if (op->ended)
        return;
    s->items[item].my_len = object.len;
    s->spoiled |= error && error != DYNKV_NOT_FOUND;
    if (error)
        pull_item_done(node, s);
}

void sync_on_stored(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error)
{
    (void)item;
    (void)error; /* a failed store takes the node out of service; the next step ends this */
    pull_item_done(node, (struct sync_op *)op);
}

/* ---- what they lack ---- */

/* False: nothing is left to push. */
static bool push_load(struct dynkv_node *node, struct sync_op *s)
{
    size_t bytes = 0;

    s->batch_count = 0;
    for (uint32_t i = 0; i < s->item_count && s->batch_count < CORE_SYNC_BATCH_ITEMS; i++) {
        struct sync_item *item = &s->items[i];

        if (!item->push)
            continue;
        if (s->batch_count && bytes + item->my_len > CORE_SYNC_BATCH_BYTES)
            break;
        bytes += item->my_len;
        item->push = false;
        item->object = dynkv_slice(NULL, 0);
        s->batch[s->batch_count++] = i;
    }
    if (s->batch_count == 0)
        return false;
    s->stage = SYNC_PUSH;
    s->op.deadline_ms = node->mono_ms + CORE_SYNC_PATIENCE_MS;
    s->waiting = s->batch_count;
    for (uint32_t i = 0; i < s->batch_count; i++) {
        const struct slot_key *at = &s->items[s->batch[i]].at;

        op_load(node, &s->op, s->batch[i], at->keyspace, at->partition, at->key);
    }
    return true;
}

static void push_send(struct dynkv_node *node, struct sync_op *s)
{
    struct dynkv_replicate body = {.keyspace = s->trees[s->tree].at.keyspace};

    body.items = dynkv_arena_calloc(&node->arena, s->batch_count, sizeof *body.items);
    for (uint32_t i = 0; i < s->batch_count; i++) {
        const struct sync_item *item = &s->items[s->batch[i]];

        if (item->object.len == 0)
            continue; /* not there any more */
        body.items[body.item_count++] = (struct dynkv_replicate_item){
            .key = item->at.key, .partition_len = item->at.partition_len, .object = item->object};
        move_count(s, item->object.len);
    }
    if (body.item_count == 0) {
        sync_move(node, s);
        return;
    }
    node->counters.sync_objects_sent += body.item_count;
    sync_ask(node, s, DYNKV_MESSAGE_REPLICATE, &body);
}

void sync_on_loaded(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error,
                    struct dynkv_slice object)
{
    struct sync_op *s = (struct sync_op *)op;

    if (!error)
        s->items[item].object = dynkv_slice_copy(object, &s->page);
    if (--s->waiting == 0)
        push_send(node, s);
}

void sync_on_pushed(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_replicate_reply *reply)
{
    if (reply->error)
        sync_end(node, s);
    else
        sync_move(node, s);
}

/* ---- both ---- */

void sync_move(struct dynkv_node *node, struct sync_op *s)
{
    bool full = s->objects_moved >= CORE_SYNC_OBJECTS_MAX || s->bytes_moved >= CORE_SYNC_BYTES_MAX;

    if (node->storage_failed) {
        sync_end(node, s);
    } else if (s->stage == SYNC_PAGE) {
        sync_pages_next(node, s);
    } else if (full && s->item_count) {
        s->unfinished = true;
        sync_end(node, s);
    } else if (!pull_ask(node, s) && !push_load(node, s)) {
        sync_leaves_next(node, s);
    }
}
