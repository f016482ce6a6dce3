/*
 * sync_prove.c: exchanges that prove something (prove.h): the comparison of single trees with one peer, and
 * the transfer of whole partitions to one that holds nothing of them.
 *
 * An exchange begins with the roots of the trees in question.  Those that are equal are proved by that.  Of
 * the others, if we hold nothing of some, those are fetched page by page, and compared in a later exchange;
 * else they are descended into, and what a side lacks is moved, as in any exchange.  A tree whose leaves have
 * been gone through without any key left undone is proved, too.
 *
 * A transfer needs no record of how far it is: the trees that it fills tell, and are rebuilt after a restart.  A
 * page that was lost is asked for again from where it began, by this life of the node.
 */
#include "base/assert.h"
#include "core/prove.h"
#include "core/tree.h"

/* ---- the first question ---- */

static bool prove_start(struct dynkv_node *node, const struct member *peer, enum sync_mode mode)
{
    struct dynkv_prove body = {0};
    struct sync_place *places;
    struct sync_op *s;
    uint32_t count;

    if (peer == node->self || !place_is_up(node, peer->info.id))
        return false;
    places = prove_places(node, peer->info.id, CORE_SYNC_ROOTS_MAX, &count);
    if (count == 0)
        return false;
    s = sync_open(node, peer->info.id, mode);
    s->prove_key = prove_key(node);
    s->trees = dynkv_arena_calloc(&s->op.arena, count, sizeof *s->trees);
    s->tree_count = count;
    body.places = dynkv_arena_calloc(&node->arena, count, sizeof *body.places);
    body.place_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct dynkv_merkle *tree = tree_find(node, places[i].keyspace, places[i].partition);

        s->trees[i].at = places[i];
        s->trees[i].root = tree ? tree->root : 0;
        body.places[i] =
            (struct dynkv_prove_place){places[i].keyspace, places[i].partition, s->trees[i].root};
    }
    s->stage = SYNC_PROVE;
    sync_ask(node, s, DYNKV_MESSAGE_PROVE, &body);
    return true;
}

bool sync_prove_tick(struct dynkv_node *node)
{
    struct sync *sync = node->sync;
    enum sync_mode mode = prove_mode(node);

    if (mode == SYNC_REGULAR || node->mono_ms < sync->prove_next_ms)
        return false;
    for (uint32_t i = 0; i < CORE_SYNC_TRIES && i < node->member_count; i++) {
        sync->prove_turn = (sync->prove_turn + 1) % node->member_count;
        if (prove_start(node, node->members[sync->prove_turn], mode))
            return true;
    }
    sync->prove_next_ms = node->mono_ms + CORE_PROVE_IDLE_MS;
    return false;
}

static bool place_is(const struct sync_place *a, const struct sync_place *b)
{
    return a->keyspace == b->keyspace && a->partition == b->partition;
}

/* Sorts the trees by what the peer says of their roots: those proved are done with. */
static void prove_sort(struct dynkv_node *node, struct sync_op *s,
                       const struct dynkv_prove_reply *reply)
{
    struct sync_tree *differ = dynkv_arena_calloc(&s->op.arena, s->tree_count, sizeof *differ);
    uint32_t count = 0, empty = 0, kept = 0;
    uint32_t first = (uint32_t)dynkv_random_below(&node->random, s->tree_count);

    for (uint32_t k = 0; k < s->tree_count; k++) {
        uint32_t i = (first + k) % s->tree_count;

        if (reply->results[i].proof == DYNKV_PROOF_EQUAL) {
            prove_mark(node, s, &s->trees[i]);
            s->progress = true;
        } else if (reply->results[i].proof == DYNKV_PROOF_DIFFERS) {
            differ[count] = s->trees[i];
            differ[count].pages =
                s->mode == SYNC_GAIN &&
                (s->trees[i].root == 0 || place_is(&s->trees[i].at, &node->sync->page_at));
            empty += differ[count++].pages;
        }
    }
    for (uint32_t i = 0; i < count && kept < DYNKV_TREE_PARTS_MAX; i++)
        if (empty == 0 || differ[i].pages)
            differ[kept++] = differ[i];
    s->trees = differ;
    s->tree_count = kept;
}

void sync_on_proved(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_prove_reply *reply)
{
    if (reply->result_count != s->tree_count) {
        sync_end(node, s);
        return;
    }
    prove_sort(node, s, reply);
    s->tree = 0;
    if (s->tree_count == 0)
        sync_end(node, s);
    else if (s->trees[0].pages)
        sync_pages_begin(node, s);
    else
        sync_descend(node, s);
}

/* ---- whole partitions ---- */

static void page_ask(struct dynkv_node *node, struct sync_op *s)
{
    const struct sync_place *at = &s->trees[s->tree].at;
    struct dynkv_pull body = {at->keyspace, at->partition, dynkv_buf_slice(&s->lower)};

    s->stage = SYNC_PAGE;
    sync_ask(node, s, DYNKV_MESSAGE_PULL, &body);
}

void sync_pages_begin(struct dynkv_node *node, struct sync_op *s)
{
    dynkv_buf_reset(&s->lower);
    if (place_is(&s->trees[s->tree].at, &node->sync->page_at))
        dynkv_put_raw(&s->lower, dynkv_buf_slice(&node->sync->page_lower));
    page_ask(node, s);
}

/* The page is stored: the next one, or the next tree. */
void sync_pages_next(struct dynkv_node *node, struct sync_op *s)
{
    struct sync *sync = node->sync;

    s->progress = true;
    sync->page_at = s->trees[s->tree].at;
    dynkv_buf_reset(&sync->page_lower);
    if (s->more) {
        dynkv_put_raw(&sync->page_lower, s->end); /* it lives in the page */
        dynkv_buf_reset(&s->lower);
        dynkv_put_raw(&s->lower, dynkv_buf_slice(&sync->page_lower));
        dynkv_arena_reset(&s->page);
        page_ask(node, s);
        return;
    }
    sync->page_at = (struct sync_place){0, 0};
    dynkv_arena_reset(&s->page);
    if (++s->tree == s->tree_count)
        sync_end(node, s);
    else
        sync_pages_begin(node, s);
}

static bool page_is_possible(const struct dynkv_node *node, const struct sync_op *s,
                             const struct dynkv_pull_reply *reply)
{
    const struct sync_place *at = &s->trees[s->tree].at;

    if (reply->error ||
        (reply->more && dynkv_slice_compare(reply->next, dynkv_buf_slice(&s->lower)) <= 0))
        return false;
    for (uint32_t i = 0; i < reply->item_count; i++) {
        const struct dynkv_replicate_item *item = &reply->items[i];

        if (item->object.len == 0 || item->partition_len < 1 ||
            item->partition_len > item->key.len ||
            place_partition(node, at->keyspace, item->key, item->partition_len) != at->partition)
            return false;
    }
    return true;
}

void sync_on_page(struct dynkv_node *node, struct sync_op *s, const struct dynkv_pull_reply *reply)
{
    const struct sync_place *at = &s->trees[s->tree].at;

    if (!page_is_possible(node, s, reply)) {
        sync_end(node, s);
        return;
    }
    s->more = reply->more != 0;
    s->end = s->more ? dynkv_slice_copy(reply->next, &s->page) : dynkv_slice(NULL, 0);
    s->items = dynkv_arena_calloc(&s->page, reply->item_count, sizeof *s->items);
    s->item_count = reply->item_count;
    s->waiting = 1; /* until all are on their way */
    op_hold(&s->op);
    for (uint32_t i = 0; i < reply->item_count && !s->op.ended; i++) {
        const struct dynkv_replicate_item *from = &reply->items[i];
        struct sync_item *item = &s->items[i];

        item->at = (struct slot_key){at->keyspace, at->partition, from->partition_len,
                                     dynkv_slice_copy(from->key, &s->page), 0};
        item->object = dynkv_slice_copy(from->object, &s->page);
        node->counters.transfer_objects++;
        node->counters.transfer_bytes += from->key.len + from->object.len;
        s->waiting++;
        slot_change(node, &item->at, &s->op, i);
    }
    s->op.deadline_ms = node->mono_ms + CORE_SYNC_PATIENCE_MS;
    if (!s->op.ended && --s->waiting == 0)
        sync_move(node, s);
    op_release(node, &s->op);
}

/* ---- the asked side ---- */

void on_prove(struct dynkv_node *node, const struct source *source, const struct dynkv_prove *body)
{
    struct dynkv_prove_reply reply = {.result_count = body->place_count};
    const bool *busy = slot_busy_partitions(node);

    reply.results = dynkv_arena_calloc(&node->arena, body->place_count, sizeof *reply.results);
    for (uint32_t i = 0; i < body->place_count; i++) {
        const struct dynkv_prove_place *asked = &body->places[i];
        const struct dynkv_merkle *tree;

        if (asked->partition >= node->partitions || !keyspaces_find(node, asked->keyspace) ||
            !tree_is_ready(node, asked->keyspace))
            continue; /* nothing to say */
        tree = tree_find(node, asked->keyspace, asked->partition);
        reply.results[i].proof = (tree ? tree->root : 0) == asked->root && !busy[asked->partition]
                                     ? DYNKV_PROOF_EQUAL
                                     : DYNKV_PROOF_DIFFERS;
    }
    node_answer(node, source, DYNKV_MESSAGE_PROVE_REPLY, &reply);
}

static void pull_fail(struct dynkv_node *node, struct op *op, enum dynkv_error error)
{
    struct dynkv_pull_reply reply = {.error = (uint8_t)error};

    node_answer(node, &op->source, DYNKV_MESSAGE_PULL_REPLY, &reply);
    op_end(node, op);
}

static void pull_on_scanned(struct dynkv_node *node, struct op *op, uint32_t item,
                            const struct dynkv_event *event)
{
    struct dynkv_pull_reply reply = {
        .more = event->as.scanned.more,
        .next = event->as.scanned.cursor_key,
        .item_count = event->as.scanned.record_count,
    };

    (void)item;
    if (event->as.scanned.error) {
        pull_fail(node, op, event->as.scanned.error);
        return;
    }
    reply.items = dynkv_arena_calloc(&node->arena, reply.item_count, sizeof *reply.items);
    for (uint32_t i = 0; i < reply.item_count; i++) {
        const struct dynkv_record *record = &event->as.scanned.records[i];

        reply.items[i].key = record->key;
        if (record_open(record->record, &reply.items[i].partition_len, &reply.items[i].object)) {
            storage_has_failed(node, DYNKV_CORRUPT, "a scan");
            pull_fail(node, op, DYNKV_CORRUPT);
            return;
        }
    }
    node_answer(node, &op->source, DYNKV_MESSAGE_PULL_REPLY, &reply);
    op_end(node, op);
}

static void pull_on_deadline(struct dynkv_node *node, struct op *op)
{
    pull_fail(node, op, DYNKV_TIMEOUT);
}

static const struct op_class pull_class = {
    .name = "pull",
    .is_upkeep = true,
    .on_scanned = pull_on_scanned,
    .on_deadline = pull_on_deadline,
};

void on_pull(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
             const struct dynkv_pull *body)
{
    struct op *op = op_new(node, &pull_class, sizeof *op, source, deadline_ms);
    struct dynkv_effect_range *range;

    if (body->partition >= node->partitions) {
        pull_fail(node, op, DYNKV_INVALID);
        return;
    }
    range = dynkv_effects_add_range(node->effects);
    range->token = op_token(op, 0);
    range->keyspace = body->keyspace;
    range->partitions =
        dynkv_arena_copy(&node->effects->arena, &body->partition, sizeof body->partition);
    range->partition_count = 1;
    range->lower = dynkv_slice_copy(body->lower, &node->effects->arena);
    range->limit = CORE_SYNC_PAGE_RECORDS;
    range->limit_bytes = CORE_SYNC_PAGE_BYTES;
}
