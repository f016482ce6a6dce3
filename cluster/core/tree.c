/*
 * tree.c: the live hash trees, and how they are rebuilt at start-up.
 *
 * The trees of one keyspace are its forest.  A forest is rebuilt with a cursor that goes through the
 * records in the store's order (partition, key):
 *
 *   counted          what lies before the cursor; a change there goes to its tree at once
 *   in flight        a page from the cursor on has been asked for; where it will end is not known yet
 *   not yet counted  what lies behind
 *
 * Every key must be counted exactly once, with its newest digest.  A page shows the store as it was when
 * its flush was carried out: changes made later, and those made earlier in the same flush, are not in it.
 * So changes behind the cursor are noted (struct noted), and when a page comes
 *
 *   - its records yield to what is noted of their keys, and keys noted in its range that it does not have
 *     are added: they are new;
 *   - of what is noted behind the new cursor, that from before the page was asked for is forgotten: its
 *     flush is over, so the next page will show it.  The rest is kept.
 *
 * So the notes never hold more than the changes made while two pages were on their way.
 */
#include "core/tree.h"

#include <stdlib.h>

#include "base/assert.h"

#define TREE_PAGE_RECORDS    2000u         /* a step must not take long */
#define TREE_PAGE_BYTES      (2u << 20)    /* of keys and records */
#define TREE_PAGE_PARTITIONS 1024u         /* one page looks into so many */
#define TREE_PAGE_WAIT_MS    (60u * 1000u) /* then it is asked for again */

struct forest {
    struct dynkv_map_node by_keyspace;
    uint64_t keyspace;
    bool ready;
    struct dynkv_merkle *trees; /* one a partition; NULL: no record was ever seen */
    uint64_t keys, bytes;       /* in all of them, without the dead */
    uint32_t partition;         /* the cursor: everything before it is counted */
    struct dynkv_buf key;
};

/* A change to a key that is not counted yet. */
struct noted {
    struct dynkv_map_node by_key;
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_slice key; /* in the same piece of memory */
    struct dynkv_merkle_value value;
    uint64_t page; /* the newest page asked for when it was noted */
};

struct trees {
    struct dynkv_map forests;
    struct dynkv_map notes;
    uint64_t page; /* the number of the newest page asked for */
    /* the page in flight */
    struct forest *rebuilding;
    uint64_t token;
    uint32_t page_end; /* partitions from here on were not asked for */
};

struct trees *trees_new(void)
{
    return dynkv_calloc(1, sizeof(struct trees));
}

/* ---- forests ---- */

static struct forest *forest_find(const struct trees *trees, uint64_t keyspace)
{
    struct dynkv_map_node *found = dynkv_map_find(&trees->forests, dynkv_hash_pair(keyspace, 0));

    for (; found; found = dynkv_map_find_next(found)) {
        struct forest *forest = DYNKV_CONTAINER(found, struct forest, by_keyspace);

        if (forest->keyspace == keyspace)
            return forest;
    }
    return NULL;
}

static struct forest *forest_open(struct dynkv_node *node, uint64_t keyspace)
{
    struct forest *forest = forest_find(node->trees, keyspace);

    if (forest)
        return forest;
    forest = dynkv_calloc(1, sizeof *forest);
    forest->keyspace = keyspace;
    dynkv_map_add(&node->trees->forests, &forest->by_keyspace, dynkv_hash_pair(keyspace, 0));
    node->counters.trees_rebuilding++;
    return forest;
}

static void forest_free(struct forest *forest, uint32_t partitions)
{
    for (uint32_t i = 0; forest->trees && i < partitions; i++)
        dynkv_merkle_fini(&forest->trees[i]);
    free(forest->trees);
    dynkv_buf_fini(&forest->key);
    free(forest);
}

static struct dynkv_merkle *forest_tree(struct dynkv_node *node, struct forest *forest,
                                        uint32_t partition)
{
    DYNKV_ASSERT(partition < node->partitions);
    if (!forest->trees)
        forest->trees = dynkv_calloc(node->partitions, sizeof *forest->trees);
    return &forest->trees[partition];
}

static bool value_is_tombstone(struct dynkv_merkle_value value)
{
    return value.digest && value.life == DYNKV_MERKLE_DEAD;
}

/* Adds one of the forest's trees to its totals, or takes it away. */
static void forest_count(struct forest *forest, const struct dynkv_merkle *tree, int sign)
{
    uint64_t keys = dynkv_merkle_keys(tree) - tree->counts[DYNKV_MERKLE_DEAD];

    forest->keys += sign > 0 ? keys : -keys;
    forest->bytes += sign > 0 ? tree->bytes : -tree->bytes;
}

static void forest_replace(struct dynkv_node *node, struct forest *forest, uint32_t partition,
                           struct dynkv_slice key, struct dynkv_merkle_value before,
                           struct dynkv_merkle_value after)
{
    struct dynkv_merkle *tree = forest_tree(node, forest, partition);

    forest_count(forest, tree, -1);
    dynkv_merkle_replace(tree, key, before, after);
    forest_count(forest, tree, 1);
    node->counters.tombstones += value_is_tombstone(after);
    node->counters.tombstones -= value_is_tombstone(before);
}

static void forest_add(struct dynkv_node *node, struct forest *forest, uint32_t partition,
                       struct dynkv_slice key, struct dynkv_merkle_value value)
{
    struct dynkv_merkle_value none = {0};

    if (value.digest)
        forest_replace(node, forest, partition, key, none, value);
}

static bool forest_has_counted(const struct forest *forest, uint32_t partition,
                               struct dynkv_slice key)
{
    if (forest->ready || partition != forest->partition)
        return forest->ready || partition < forest->partition;
    return dynkv_slice_compare(key, dynkv_buf_slice(&forest->key)) < 0;
}

/* ---- notes ---- */

static uint64_t note_hash(uint64_t keyspace, struct dynkv_slice key)
{
    return dynkv_hash(key, keyspace);
}

static struct noted *note_find(const struct trees *trees, uint64_t keyspace, uint32_t partition,
                               struct dynkv_slice key)
{
    struct dynkv_map_node *found = dynkv_map_find(&trees->notes, note_hash(keyspace, key));

    for (; found; found = dynkv_map_find_next(found)) {
        struct noted *noted = DYNKV_CONTAINER(found, struct noted, by_key);

        if (noted->keyspace == keyspace && noted->partition == partition &&
            dynkv_slice_equal(noted->key, key))
            return noted;
    }
    return NULL;
}

static void note(struct trees *trees, const struct slot_key *at, struct dynkv_merkle_value value)
{
    struct noted *noted = note_find(trees, at->keyspace, at->partition, at->key);

    if (!noted) {
        uint8_t *key;

        noted = dynkv_calloc(1, sizeof *noted + at->key.len);
        key = (uint8_t *)(noted + 1);
        memcpy(key, at->key.data, at->key.len);
        noted->keyspace = at->keyspace;
        noted->partition = at->partition;
        noted->key = dynkv_slice(key, at->key.len);
        dynkv_map_add(&trees->notes, &noted->by_key, note_hash(at->keyspace, at->key));
    }
    noted->value = value;
    noted->page = trees->page;
}

static void note_forget(struct trees *trees, struct noted *noted)
{
    dynkv_map_remove(&trees->notes, &noted->by_key);
    free(noted);
}

/* After a page of this forest: counts what is noted before its new cursor, forgets what is old. */
static void notes_sweep(struct dynkv_node *node, struct forest *forest)
{
    struct trees *trees = node->trees;
    struct dynkv_map_node *at = dynkv_map_first(&trees->notes), *next;

    for (; at; at = next) {
        struct noted *noted = DYNKV_CONTAINER(at, struct noted, by_key);

        next = dynkv_map_next(&trees->notes, at);
        if (noted->keyspace == forest->keyspace &&
            forest_has_counted(forest, noted->partition, noted->key)) {
            forest_add(node, forest, noted->partition, noted->key, noted->value);
            note_forget(trees, noted);
        } else if (noted->page < trees->page) {
            note_forget(trees, noted);
        }
    }
}

static void notes_drop(struct trees *trees, uint64_t keyspace)
{
    struct dynkv_map_node *at = dynkv_map_first(&trees->notes), *next;

    for (; at; at = next) {
        struct noted *noted = DYNKV_CONTAINER(at, struct noted, by_key);

        next = dynkv_map_next(&trees->notes, at);
        if (noted->keyspace == keyspace)
            note_forget(trees, noted);
    }
}

/* ---- rebuilding ---- */

static void page_end(struct dynkv_node *node, struct op *op)
{
    node->trees->rebuilding = NULL;
    op_end(node, op);
}

/* False: a record is corrupt. */
static bool page_count(struct dynkv_node *node, struct forest *forest,
                       const struct dynkv_record *record)
{
    struct noted *noted = note_find(node->trees, forest->keyspace, record->partition, record->key);
    struct dynkv_object object;
    struct dynkv_slice bytes;
    uint32_t partition_len;

    if (noted) {
        if (!mutant_is(node, DYNKV_MUTANT_TREE_TRUSTS_PAGES)) {
            forest_add(node, forest, record->partition, record->key, noted->value);
            note_forget(node->trees, noted);
            return true;
        }
        note_forget(node->trees, noted);
    }
    if (record_open(record->record, &partition_len, &bytes) ||
        dynkv_object_decode(bytes, &node->arena, &object))
        return false;
    forest_add(node, forest, record->partition, record->key, dynkv_merkle_value(&object));
    return true;
}

static void forest_advance(struct dynkv_node *node, struct forest *forest,
                           const struct dynkv_event *event)
{
    dynkv_buf_reset(&forest->key);
    if (event->as.scanned.more) {
        forest->partition = event->as.scanned.cursor_partition;
        dynkv_put_raw(&forest->key, event->as.scanned.cursor_key);
    } else if (node->trees->page_end < node->partitions) {
        forest->partition = node->trees->page_end;
    } else {
        forest->ready = true;
        dynkv_buf_fini(&forest->key);
        node->counters.trees_rebuilding--;
    }
}

static void page_on_scanned(struct dynkv_node *node, struct op *op, uint32_t item,
                            const struct dynkv_event *event)
{
    struct forest *forest = node->trees->rebuilding;

    (void)item;
    if (event->as.scanned.error) {
        page_end(node, op); /* the node is out of service */
        return;
    }
    for (uint32_t i = 0; i < event->as.scanned.record_count; i++)
        if (!page_count(node, forest, &event->as.scanned.records[i])) {
            storage_has_failed(node, DYNKV_CORRUPT, "a scan");
            page_end(node, op);
            return;
        }
    forest_advance(node, forest, event);
    notes_sweep(node, forest);
    page_end(node, op);
    tree_tick(node);
}

static const struct op_class page_class = {
    .name = "tree page",
    .is_upkeep = true,
    .on_scanned = page_on_scanned,
    .on_deadline = page_end, /* it is asked for again by the next tick */
};

static void page_ask(struct dynkv_node *node, struct forest *forest)
{
    struct trees *trees = node->trees;
    struct source nobody = {.kind = SOURCE_NONE};
    struct op *op = op_new(node, &page_class, sizeof *op, &nobody, TREE_PAGE_WAIT_MS);
    struct dynkv_effect_range *range = dynkv_effects_add_range(node->effects);
    struct dynkv_arena *arena = &node->effects->arena;
    uint32_t count = node->partitions - forest->partition;
    uint32_t *partitions;

    if (count > TREE_PAGE_PARTITIONS)
        count = TREE_PAGE_PARTITIONS;
    partitions = dynkv_arena_alloc(arena, count * sizeof *partitions);
    for (uint32_t i = 0; i < count; i++)
        partitions[i] = forest->partition + i;
    trees->rebuilding = forest;
    trees->page++;
    trees->page_end = forest->partition + count;
    trees->token = op_token(op, 0);
    range->token = trees->token;
    range->keyspace = forest->keyspace;
    range->partitions = partitions;
    range->partition_count = count;
    range->first_lower = dynkv_slice_copy(dynkv_buf_slice(&forest->key), arena);
    range->limit = TREE_PAGE_RECORDS;
    range->limit_bytes = TREE_PAGE_BYTES;
}

void tree_tick(struct dynkv_node *node)
{
    struct trees *trees = node->trees;
    struct dynkv_map_node *at;

    if (trees->rebuilding || node->counters.trees_rebuilding == 0 || node->storage_failed ||
        !dynkv_node_is_member(node))
        return;
    for (at = dynkv_map_first(&trees->forests); at; at = dynkv_map_next(&trees->forests, at)) {
        struct forest *forest = DYNKV_CONTAINER(at, struct forest, by_keyspace);

        if (!forest->ready) {
            page_ask(node, forest);
            return;
        }
    }
}

/* ---- for the rest of the node ---- */

void trees_free(struct dynkv_node *node)
{
    struct trees *trees = node->trees;
    struct dynkv_map_node *at, *next;

    for (at = dynkv_map_first(&trees->notes); at; at = next) {
        next = dynkv_map_next(&trees->notes, at);
        free(DYNKV_CONTAINER(at, struct noted, by_key));
    }
    for (at = dynkv_map_first(&trees->forests); at; at = next) {
        next = dynkv_map_next(&trees->forests, at);
        forest_free(DYNKV_CONTAINER(at, struct forest, by_keyspace), node->partitions);
    }
    dynkv_map_fini(&trees->notes);
    dynkv_map_fini(&trees->forests);
    free(trees);
}

void tree_keyspace_opened(struct dynkv_node *node, uint64_t keyspace)
{
    forest_open(node, keyspace);
}

void tree_keyspace_dropped(struct dynkv_node *node, uint64_t keyspace)
{
    struct trees *trees = node->trees;
    struct forest *forest = forest_find(trees, keyspace);

    if (!forest)
        return;
    if (trees->rebuilding == forest)
        page_end(node, op_find(node, trees->token));
    if (!forest->ready)
        node->counters.trees_rebuilding--;
    notes_drop(trees, keyspace);
    for (uint32_t i = 0; forest->trees && i < node->partitions; i++)
        node->counters.tombstones -= forest->trees[i].counts[DYNKV_MERKLE_DEAD];
    dynkv_map_remove(&trees->forests, &forest->by_keyspace);
    forest_free(forest, node->partitions);
}

void tree_dropped(struct dynkv_node *node, uint64_t keyspace, uint32_t partition)
{
    struct forest *forest = forest_find(node->trees, keyspace);
    struct dynkv_merkle *tree;

    DYNKV_ASSERT(forest && forest->ready); /* or a page under way would count what is gone */
    tree = forest_tree(node, forest, partition);
    forest_count(forest, tree, -1);
    dynkv_merkle_fini(tree);
    *tree = (struct dynkv_merkle){0};
}

static bool keyspace_is_dropped(const struct dynkv_node *node, uint64_t id)
{
    for (uint32_t i = 0; i < node->keyspace_count; i++)
        if (node->keyspaces[i]->id == id)
            return node->keyspaces[i]->def.dropped;
    return false;
}

void tree_changed(struct dynkv_node *node, const struct slot_key *at,
                  struct dynkv_merkle_value before, struct dynkv_merkle_value after)
{
    struct forest *forest = forest_find(node->trees, at->keyspace);

    if (mutant_is(node, DYNKV_MUTANT_TREE_MISSES_DELETES) && before.digest &&
        after.life == DYNKV_MERKLE_DEAD)
        after.digest = before.digest;
    if (mutant_is(node, DYNKV_MUTANT_TREE_KEEPS_OLD))
        before = (struct dynkv_merkle_value){0};
    if (!forest) {
        /* A peer may know a keyspace before we do, or not yet that it is gone. */
        if (keyspace_is_dropped(node, at->keyspace))
            return;
        forest = forest_open(node, at->keyspace);
    }
    if (forest_has_counted(forest, at->partition, at->key))
        forest_replace(node, forest, at->partition, at->key, before, after);
    else
        note(node->trees, at, after);
}

bool tree_is_ready(const struct dynkv_node *node, uint64_t keyspace)
{
    const struct forest *forest = forest_find(node->trees, keyspace);

    return forest && forest->ready;
}

const struct dynkv_merkle *tree_all(const struct dynkv_node *node, uint64_t keyspace)
{
    const struct forest *forest = forest_find(node->trees, keyspace);

    return forest ? forest->trees : NULL;
}

bool tree_total(const struct dynkv_node *node, uint64_t keyspace, uint64_t *keys, uint64_t *bytes)
{
    const struct forest *forest = forest_find(node->trees, keyspace);

    if (!forest || !forest->ready)
        return false;
    *keys = forest->keys;
    *bytes = forest->bytes;
    return true;
}

const struct dynkv_merkle *tree_find(const struct dynkv_node *node, uint64_t keyspace,
                                     uint32_t partition)
{
    const struct dynkv_merkle *trees = tree_all(node, keyspace);

    if (!trees || partition >= node->partitions || dynkv_merkle_keys(&trees[partition]) == 0)
        return NULL;
    return &trees[partition];
}

const struct dynkv_merkle *dynkv_node_tree(const struct dynkv_node *node, uint64_t keyspace,
                                           uint32_t partition, bool *ready)
{
    *ready = tree_is_ready(node, keyspace);
    return tree_find(node, keyspace, partition);
}
