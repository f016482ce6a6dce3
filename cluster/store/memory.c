/*
 * memory.c: the engine that lives as long as the process.
 *
 * Every record is in a hash table, for points, and in an AVL tree ordered by (space, partition, keyspace,
 * key), for ranges.  Key and record share one allocation with the nodes.  A record that changes is
 * overwritten where the new one fits without much waste, as most do; else it gets a new allocation, in both.
 */
#include <stdlib.h>
#include <string.h>

#include "base/avl.h"
#include "base/hash.h"
#include "base/map.h"
#include "store/engine_impl.h"

struct item {
    struct dynkv_map_node by_key;
    struct dynkv_avl_node in_order;
    struct dynkv_engine_key at; /* the key's bytes stand behind the struct, then the record's */
    struct dynkv_slice record;
    size_t room; /* for the record's bytes */
};

struct memory {
    struct dynkv_engine base;
    struct dynkv_map map;
    struct dynkv_avl tree;
    struct dynkv_map meta;
    uint64_t bytes, hints;
};

static uint64_t item_hash(const struct dynkv_engine_key *at)
{
    return dynkv_hash(at->key, dynkv_hash_pair(at->keyspace, at->partition) + at->space);
}

static bool item_is_at(const struct item *item, const struct dynkv_engine_key *at)
{
    return item->at.space == at->space && item->at.partition == at->partition &&
           item->at.keyspace == at->keyspace && dynkv_slice_equal(item->at.key, at->key);
}

static struct item *item_find_hashed(const struct dynkv_map *map, const struct dynkv_engine_key *at,
                                     uint64_t hash)
{
    struct dynkv_map_node *node = dynkv_map_find(map, hash);

    for (; node; node = dynkv_map_find_next(node)) {
        struct item *item = DYNKV_CONTAINER(node, struct item, by_key);

        if (item_is_at(item, at))
            return item;
    }
    return NULL;
}

static struct item *item_find(const struct dynkv_map *map, const struct dynkv_engine_key *at)
{
    return item_find_hashed(map, at, item_hash(at));
}

static int item_compare(const void *key, const struct dynkv_avl_node *node)
{
    const struct dynkv_engine_key *a = key;
    const struct dynkv_engine_key *b = &DYNKV_CONTAINER(node, struct item, in_order)->at;

    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->keyspace != b->keyspace)
        return a->keyspace < b->keyspace ? -1 : 1;
    return dynkv_slice_compare(a->key, b->key);
}

static struct item *item_new(const struct dynkv_engine_key *at, struct dynkv_slice record)
{
    struct item *item = dynkv_alloc(sizeof *item + at->key.len + record.len);
    uint8_t *bytes = (uint8_t *)(item + 1);

    if (at->key.len)
        memcpy(bytes, at->key.data, at->key.len);
    if (record.len)
        memcpy(bytes + at->key.len, record.data, record.len);
    *item = (struct item){.at = *at};
    item->at.key.data = bytes;
    item->record = dynkv_slice(bytes + at->key.len, record.len);
    item->room = record.len;
    return item;
}

static size_t item_bytes(const struct item *item)
{
    return sizeof *item + item->at.key.len + item->room;
}

/* False: it has no room for the record, or far too much. */
static bool item_overwrite(struct item *item, struct dynkv_slice record)
{
    if (record.len > item->room || record.len < item->room / 2)
        return false;
    if (record.len)
        memcpy((uint8_t *)(item + 1) + item->at.key.len, record.data, record.len);
    item->record.len = record.len;
    return true;
}

static void memory_remove(struct memory *memory, struct item *item)
{
    memory->bytes -= item_bytes(item);
    memory->hints -= item->at.space == DYNKV_ENGINE_HINTS;
    dynkv_map_remove(&memory->map, &item->by_key);
    dynkv_avl_remove(&memory->tree, &item->in_order);
    free(item);
}

static void memory_put(struct memory *memory, const struct dynkv_engine_key *at,
                       struct dynkv_slice record)
{
    uint64_t hash = item_hash(at);
    struct item *old = item_find_hashed(&memory->map, at, hash), *item;

    if (old && item_overwrite(old, record))
        return;
    if (old)
        memory_remove(memory, old);
    item = item_new(at, record);
    dynkv_map_add(&memory->map, &item->by_key, hash);
    dynkv_avl_insert(&memory->tree, &item->in_order, &item->at, item_compare);
    memory->bytes += item_bytes(item);
    memory->hints += at->space == DYNKV_ENGINE_HINTS;
}

static void memory_delete(struct memory *memory, const struct dynkv_engine_key *at)
{
    struct item *item = item_find(&memory->map, at);

    if (item)
        memory_remove(memory, item);
}

static void memory_put_meta(struct memory *memory, struct dynkv_slice name,
                            struct dynkv_slice value)
{
    struct dynkv_engine_key at = {.key = name};
    struct item *old = item_find(&memory->meta, &at), *item;

    if (old) {
        dynkv_map_remove(&memory->meta, &old->by_key);
        free(old);
    }
    if (value.len == 0)
        return;
    item = item_new(&at, value);
    dynkv_map_add(&memory->meta, &item->by_key, item_hash(&at));
}

/* Removes all records of one partition, or of one keyspace, or of one in the other, as the operation says. */
static void memory_drop(struct memory *memory, const struct dynkv_engine_op *op)
{
    struct dynkv_avl_node *node, *next;

    if (op->kind != DYNKV_ENGINE_DROP_KEYSPACE) {
        struct dynkv_engine_key first = {.partition = op->at.partition};

        node = dynkv_avl_seek(&memory->tree, &first, item_compare);
    } else {
        node = dynkv_avl_first(&memory->tree);
    }
    for (; node; node = next) {
        struct item *item = DYNKV_CONTAINER(node, struct item, in_order);

        next = dynkv_avl_next(node);
        if (item->at.space != DYNKV_ENGINE_RECORDS)
            break; /* they come last */
        if (op->kind != DYNKV_ENGINE_DROP_KEYSPACE && item->at.partition != op->at.partition)
            break;
        if (op->kind == DYNKV_ENGINE_DROP_PARTITION || item->at.keyspace == op->at.keyspace)
            memory_remove(memory, item);
    }
}

/* ---- the engine's calls ---- */

static struct dynkv_engine *memory_open(const struct dynkv_engine_config *config, char *error_text,
                                        size_t size)
{
    struct memory *memory = dynkv_calloc(1, sizeof *memory);

    (void)config;
    (void)error_text;
    (void)size;
    return &memory->base;
}

static void memory_close(struct dynkv_engine *engine)
{
    struct memory *memory = (struct memory *)engine;
    struct dynkv_map_node *node, *next;

    for (node = dynkv_map_first(&memory->map); node; node = next) {
        next = dynkv_map_next(&memory->map, node);
        free(DYNKV_CONTAINER(node, struct item, by_key));
    }
    for (node = dynkv_map_first(&memory->meta); node; node = next) {
        next = dynkv_map_next(&memory->meta, node);
        free(DYNKV_CONTAINER(node, struct item, by_key));
    }
    dynkv_map_fini(&memory->map);
    dynkv_map_fini(&memory->meta);
    free(memory);
}

static struct dynkv_engine_value item_value(const struct item *item, struct dynkv_arena *arena)
{
    struct dynkv_engine_value value = {DYNKV_NOT_FOUND, {NULL, 0}};

    if (item) {
        value.error = DYNKV_OK;
        value.data = dynkv_slice_copy(item->record, arena);
    }
    return value;
}

static void memory_get(struct dynkv_engine *engine, const struct dynkv_engine_key *keys,
                       uint32_t count, struct dynkv_arena *arena, struct dynkv_engine_value *values)
{
    struct memory *memory = (struct memory *)engine;

    for (uint32_t i = 0; i < count; i++)
        values[i] = item_value(item_find(&memory->map, &keys[i]), arena);
}

static enum dynkv_error memory_write(struct dynkv_engine *engine, const struct dynkv_engine_op *ops,
                                     uint32_t count, bool synced)
{
    struct memory *memory = (struct memory *)engine;

    (void)synced;
    for (uint32_t i = 0; i < count; i++)
        switch (ops[i].kind) {
        case DYNKV_ENGINE_PUT:
            memory_put(memory, &ops[i].at, ops[i].value);
            break;
        case DYNKV_ENGINE_DELETE:
            memory_delete(memory, &ops[i].at);
            break;
        case DYNKV_ENGINE_META:
            memory_put_meta(memory, ops[i].at.key, ops[i].value);
            break;
        case DYNKV_ENGINE_DROP_KEYSPACE:
        case DYNKV_ENGINE_DROP_PARTITION:
        case DYNKV_ENGINE_DROP_TREE:
            memory_drop(memory, &ops[i]);
            break;
        }
    return DYNKV_OK;
}

/* Where the order begins in the range's place-th partition; it may be outside. */
static struct dynkv_avl_node *memory_enter(const struct memory *memory,
                                           const struct dynkv_engine_range *range, uint32_t place)
{
    struct dynkv_engine_key at = {range->partitions[place], range->keyspace, range->lower,
                                  range->space};
    struct dynkv_avl_node *node;

    if (range->order != DYNKV_ORDER_FALLING) {
        if (place == 0 && range->first_lower.len)
            at.key = range->first_lower;
        return dynkv_avl_seek(&memory->tree, &at, item_compare);
    }
    at.key = range->upper;
    if (range->upper.len == 0 && ++at.keyspace == 0 && ++at.partition == 0)
        at.space++;
    node = dynkv_avl_seek(&memory->tree, &at, item_compare);
    return node ? dynkv_avl_prev(node) : dynkv_avl_last(&memory->tree);
}

static bool memory_is_in(const struct item *item, const struct dynkv_engine_range *range,
                         uint32_t partition)
{
    return item->at.space == range->space && item->at.partition == partition &&
           item->at.keyspace == range->keyspace && !engine_is_beyond(range, item->at.key);
}

static enum dynkv_error memory_scan(struct dynkv_engine *engine,
                                    const struct dynkv_engine_range *range, uint32_t limit_each,
                                    dynkv_engine_visit *visit, void *context, bool *more,
                                    uint32_t *next_partition, struct dynkv_buf *next_key)
{
    struct memory *memory = (struct memory *)engine;
    struct engine_limit so_far = {0};

    for (uint32_t i = 0; i < range->partition_count; i++) {
        uint32_t partition = range->partitions[i], count = 0;
        struct dynkv_avl_node *node = memory_enter(memory, range, i);

        while (node && (limit_each == 0 || count < limit_each)) {
            const struct item *item = DYNKV_CONTAINER(node, struct item, in_order);

            if (!memory_is_in(item, range, partition))
                break;
            if (engine_limit_reached(&so_far, range)) {
                *more = true;
                *next_partition = partition;
                dynkv_put_raw(next_key, item->at.key);
                return DYNKV_OK;
            }
            so_far.stopped = !visit(context, partition, item->at.key, item->record);
            so_far.records++;
            so_far.bytes += item->at.key.len + item->record.len;
            count++;
            node =
                range->order == DYNKV_ORDER_FALLING ? dynkv_avl_prev(node) : dynkv_avl_next(node);
        }
    }
    return DYNKV_OK;
}

static struct dynkv_engine_value memory_meta(struct dynkv_engine *engine, struct dynkv_slice name,
                                             struct dynkv_arena *arena)
{
    struct memory *memory = (struct memory *)engine;
    struct dynkv_engine_key at = {.key = name};

    return item_value(item_find(&memory->meta, &at), arena);
}

static enum dynkv_error memory_sync(struct dynkv_engine *engine)
{
    (void)engine;
    return DYNKV_OK;
}

static enum dynkv_error memory_checkpoint(struct dynkv_engine *engine, const char *path)
{
    (void)engine;
    (void)path;
    return DYNKV_UNSUPPORTED;
}

static void memory_stats(struct dynkv_engine *engine, struct dynkv_engine_stats *out)
{
    const struct memory *memory = (struct memory *)engine;

    out->records = memory->tree.count - memory->hints;
    out->bytes = memory->bytes;
}

const struct engine_class engine_memory = {
    .kind = "memory",
    .open = memory_open,
    .close = memory_close,
    .get = memory_get,
    .write = memory_write,
    .scan = memory_scan,
    .meta = memory_meta,
    .sync = memory_sync,
    .checkpoint = memory_checkpoint,
    .stats = memory_stats,
};
