/*
 * sync_leaf.c: the leaves that differ: whose keys are in them, and who lacks what.
 *
 * Keys are compared page by page, in order.  The peer reads a page of its partition and tells the keys of
 * the leaves asked for; we read the same stretch of ours.  Whoever had to stop first ends the page, and the
 * next one begins there.
 */
#include "base/assert.h"
#include "core/prove.h"

static void leaves_ask(struct dynkv_node *node, struct sync_op *s)
{
    const struct sync_tree *tree = &s->trees[s->tree];
    struct dynkv_leaf_keys body = {
        .keyspace = tree->at.keyspace,
        .partition = tree->at.partition,
        .leaf_count = tree->node_count,
        .lower = dynkv_buf_slice(&s->lower),
        .busy_too = s->mode != SYNC_REGULAR,
    };

    body.leaves = dynkv_arena_calloc(&node->arena, tree->node_count, sizeof *body.leaves);
    for (uint32_t i = 0; i < tree->node_count; i++)
        body.leaves[i].index = tree->nodes[i];
    s->stage = SYNC_THEIRS;
    sync_ask(node, s, DYNKV_MESSAGE_LEAF_KEYS, &body);
}

static void leaves_take_all(struct sync_op *s)
{
    for (uint32_t i = 0; i < s->tree_count; i++) {
        struct sync_tree *tree = &s->trees[i];

        tree->node_count = DYNKV_MERKLE_LEAVES;
        tree->nodes = dynkv_arena_calloc(&s->op.arena, DYNKV_MERKLE_LEAVES, sizeof *tree->nodes);
        for (uint32_t j = 0; j < DYNKV_MERKLE_LEAVES; j++)
            tree->nodes[j] = j;
    }
}

void sync_leaves_begin(struct dynkv_node *node, struct sync_op *s)
{
    if (mutant_is(node, DYNKV_MUTANT_SYNC_WHOLE_TREES) ||
        mutant_is(node, DYNKV_MUTANT_SYNC_SENDS_ALL))
        leaves_take_all(s);
    s->tree = 0;
    leaves_ask(node, s);
}

void sync_leaves_next(struct dynkv_node *node, struct sync_op *s)
{
    if (s->objects_moved >= CORE_SYNC_OBJECTS_MAX || s->bytes_moved >= CORE_SYNC_BYTES_MAX) {
        s->unfinished |= s->more || s->tree + 1 < s->tree_count;
        sync_end(node, s);
        return;
    }
    if (s->more) {
        struct dynkv_buf lower = {0};

        dynkv_put_raw(&lower, s->end); /* end lives in the page */
        dynkv_buf_fini(&s->lower);
        s->lower = lower;
    } else {
        dynkv_buf_reset(&s->lower);
        if (s->mode != SYNC_REGULAR && !s->spoiled) {
            prove_mark(node, s, &s->trees[s->tree]);
            s->progress = true;
        }
        s->spoiled = false;
        s->tree++;
    }
    dynkv_arena_reset(&s->page);
    if (s->tree == s->tree_count)
        sync_end(node, s);
    else
        leaves_ask(node, s);
}

/* ---- theirs ---- */

/* Whether a peer's page can be what was asked for: else it would be compared for ever, or in vain. */
static bool theirs_are_possible(const struct dynkv_node *node, const struct sync_op *s,
                                const struct dynkv_leaf_keys_reply *reply)
{
    const struct sync_place *at = &s->trees[s->tree].at;
    struct dynkv_slice lower = dynkv_buf_slice(&s->lower);

    if (reply->more && dynkv_slice_compare(reply->next, lower) <= 0)
        return false;
    for (uint32_t i = 0; i < reply->key_count; i++) {
        const struct dynkv_leaf_key *key = &reply->keys[i];

        if (i == 0 ? dynkv_slice_compare(key->key, lower) < 0
                   : dynkv_slice_compare(key->key, reply->keys[i - 1].key) <= 0)
            return false;
        if (key->partition_len < 1 || key->partition_len > key->key.len ||
            place_partition(node, at->keyspace, key->key, key->partition_len) != at->partition)
            return false;
    }
    return true;
}

void sync_on_theirs(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_leaf_keys_reply *reply)
{
    const struct sync_place *at = &s->trees[s->tree].at;
    struct dynkv_effect_range *range;
    uint32_t *partition;

    if (reply->error || !theirs_are_possible(node, s, reply)) {
        sync_end(node, s);
        return;
    }
    node->counters.sync_keys_exchanged += reply->key_count;
    s->their_count = reply->key_count;
    s->theirs = dynkv_arena_copy(&s->page, reply->keys, reply->key_count * sizeof *reply->keys);
    for (uint32_t i = 0; i < reply->key_count; i++) {
        s->theirs[i].key = dynkv_slice_copy(s->theirs[i].key, &s->page);
        s->theirs[i].version = dynkv_slice_copy(s->theirs[i].version, &s->page);
    }
    s->more = reply->more != 0;
    s->end = s->more ? dynkv_slice_copy(reply->next, &s->page) : dynkv_slice(NULL, 0);

    range = dynkv_effects_add_range(node->effects);
    partition = dynkv_arena_copy(&node->effects->arena, &at->partition, sizeof at->partition);
    range->token = op_token(&s->op, 0);
    range->keyspace = at->keyspace;
    range->partitions = partition;
    range->partition_count = 1;
    range->lower = dynkv_slice_copy(dynkv_buf_slice(&s->lower), &node->effects->arena);
    range->upper = dynkv_slice_copy(s->end, &node->effects->arena);
    range->limit = CORE_SYNC_PAGE_RECORDS;
    range->limit_bytes = CORE_SYNC_PAGE_BYTES;
    s->stage = SYNC_MINE;
    s->op.deadline_ms = node->mono_ms + CORE_SYNC_PATIENCE_MS;
}

/* ---- mine ---- */

static void item_add(struct dynkv_node *node, struct sync_op *s, struct dynkv_slice key,
                     uint32_t partition_len, bool pull, bool push, size_t my_len)
{
    const struct sync_place *at = &s->trees[s->tree].at;
    struct sync_item item = {
        .at = {at->keyspace, at->partition, partition_len, key},
        .pull = pull,
        .push = push,
        .my_len = my_len,
    };

    item.pull = item.pull && s->mode != SYNC_STRAY;
    item.push = item.push && s->mode != SYNC_GAIN;
    if (!item.pull && !item.push)
        return;
    if (slot_is_busy(node, &item.at) && s->mode != SYNC_GAIN) {
        s->spoiled = true;
        return; /* a write is under way, and brings the newest by itself */
    }
    item.at.key = dynkv_slice_copy(key, &s->page);
    s->items[s->item_count++] = item;
}

/* Both hold the key. */
static void item_compare(struct dynkv_node *node, struct sync_op *s,
                         const struct dynkv_leaf_key *theirs, const struct dynkv_object *mine,
                         size_t my_len)
{
    struct dynkv_version version;
    enum dynkv_version_order order;

    bool same = theirs->digest == dynkv_object_digest(mine) &&
                !mutant_is(node, DYNKV_MUTANT_SYNC_SENDS_ALL);

    if (theirs->digest == 0 || same || dynkv_version_parse(theirs->version, &node->arena, &version))
        return;
    order = dynkv_version_compare(&mine->version, &version);
    if (s->mode == SYNC_STRAY) /* theirs is not fetched, so it can't be merged here */
        item_add(node, s, theirs->key, theirs->partition_len, false, order != DYNKV_VERSION_BEFORE,
                 my_len);
    else /* where each side has something, the merge of theirs into ours shows whether they lack ours */
        item_add(node, s, theirs->key, theirs->partition_len, order != DYNKV_VERSION_AFTER,
                 order == DYNKV_VERSION_AFTER, my_len);
}

/* Goes through both sides in step; false: a record of ours is corrupt. */
static bool page_compare(struct dynkv_node *node, struct sync_op *s,
                         const struct dynkv_record *records, uint32_t count)
{
    const struct sync_tree *tree = &s->trees[s->tree];
    struct leaf_set leaves = {{0}};
    uint32_t i = 0, j = 0;

    for (uint32_t k = 0; k < tree->node_count; k++)
        leaf_set_add(&leaves, tree->nodes[k]);
    while (i < count || j < s->their_count) {
        const struct dynkv_leaf_key *theirs = j < s->their_count ? &s->theirs[j] : NULL;
        int order = !theirs      ? -1
                    : i == count ? 1
                                 : dynkv_slice_compare(records[i].key, theirs->key);

        if (order > 0) {
            if (s->more && dynkv_slice_compare(theirs->key, s->end) >= 0)
                break; /* we stopped reading before it */
            if (theirs->digest)
                item_add(node, s, theirs->key, theirs->partition_len, true, false, 0);
        } else if (leaf_set_has(&leaves, dynkv_merkle_leaf(records[i].key))) {
            struct dynkv_object object;
            struct dynkv_slice bytes;
            uint32_t partition_len;

            if (record_open(records[i].record, &partition_len, &bytes) ||
                dynkv_object_decode(bytes, &node->arena, &object))
                return false;
            if (order < 0)
                item_add(node, s, records[i].key, partition_len, false, true, bytes.len);
            else
                item_compare(node, s, theirs, &object, bytes.len);
        }
        i += order <= 0;
        j += order >= 0;
    }
    return true;
}

void sync_on_mine(struct dynkv_node *node, struct op *op, uint32_t item,
                  const struct dynkv_event *event)
{
    struct sync_op *s = (struct sync_op *)op;
    size_t most = (size_t)event->as.scanned.record_count + s->their_count;

    (void)item;
    if (event->as.scanned.error) {
        sync_end(node, s);
        return;
    }
    if (event->as.scanned.more) {
        s->more = true;
        s->end = dynkv_slice_copy(event->as.scanned.cursor_key, &s->page);
    }
    s->items = dynkv_arena_calloc(&s->page, most, sizeof *s->items);
    s->batch = dynkv_arena_calloc(&s->page, most, sizeof *s->batch);
    s->item_count = 0;
    if (!page_compare(node, s, event->as.scanned.records, event->as.scanned.record_count)) {
        storage_has_failed(node, DYNKV_CORRUPT, "a scan");
        sync_end(node, s);
        return;
    }
    sync_move(node, s);
}
