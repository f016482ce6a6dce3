/*
 * rocksdb.c: points, batches and the rest of the rocksdb engine, an LSM tree on disk.
 *
 * A write call is one WriteBatch with at most one sync of the log, so it holds whole or not at all, after
 * a crash too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/rocksdb_impl.h"

/* ---- errors and names ---- */

const char *rocks_advice(const char *text)
{
    if (strstr(text, "Permission denied") || strstr(text, "Read-only"))
        return "make the folder writable for this user, or choose another --data";
    if (strstr(text, "No space") || strstr(text, "File too large") || strstr(text, "quota"))
        return "free disk space or raise the limit, and start the node again";
    if (strstr(text, "While lock file") || strstr(text, "lock hold by"))
        return "another process uses this folder: stop it, or choose another --data";
    if (strstr(text, "Too many open files"))
        return "raise the limit of open files (ulimit -n)";
    if (strstr(text, "Corruption"))
        return "restore the folder from a backup, or start with an empty one";
    return "look for errors of the disk in the system's log; choose another --data, or mend this "
           "folder";
}

enum dynkv_error rocks_error(struct rocks *rocks, char *text, const char *doing)
{
    enum dynkv_error error = strstr(text, "Corruption") ? DYNKV_CORRUPT : DYNKV_STORAGE;

    snprintf(rocks->base.last_error, sizeof rocks->base.last_error,
             "cannot %s in the data folder %s: %s; %s", doing, rocks->path, text,
             rocks_advice(text));
    rocksdb_free(text);
    return error;
}

void rocks_name(struct dynkv_buf *out, uint32_t partition, uint64_t keyspace,
                struct dynkv_slice key)
{
    dynkv_buf_reset(out);
    dynkv_put_u32_be(out, partition);
    dynkv_put_u64_be(out, keyspace);
    dynkv_put_raw(out, key);
}

void rocks_name_after(struct dynkv_buf *out, uint32_t partition, uint64_t keyspace)
{
    if (keyspace < UINT64_MAX)
        rocks_name(out, partition, keyspace + 1, dynkv_slice(NULL, 0));
    else
        rocks_name(out, partition + 1, 0, dynkv_slice(NULL, 0));
}

/* ---- reading ---- */

/* What a get of RocksDB gave (found, a text, or neither) as our answer; takes both over. */
static struct dynkv_engine_value take_value(struct rocks *rocks, rocksdb_pinnableslice_t *found,
                                            char *text, const char *doing,
                                            struct dynkv_arena *arena)
{
    struct dynkv_engine_value value = {DYNKV_NOT_FOUND, {NULL, 0}};

    if (text) {
        value.error = rocks_error(rocks, text, doing);
    } else if (found) {
        size_t len;
        const char *data = rocksdb_pinnableslice_value(found, &len);

        value.error = DYNKV_OK;
        value.data = dynkv_slice_copy(dynkv_slice(data, len), arena);
    }
    rocksdb_pinnableslice_destroy(found);
    return value;
}

static struct dynkv_engine_value get_one(struct rocks *rocks, enum rocks_family family,
                                         struct dynkv_slice name, const char *doing,
                                         struct dynkv_arena *arena)
{
    char *text = NULL;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned_cf(rocks->db, rocks->read, rocks->families[family],
                              name.len ? (const char *)name.data : "", name.len, &text);

    return take_value(rocks, found, text, doing, arena);
}

/* Answers those of the keys that are of one space: a call of RocksDB reads one family. */
static void get_many(struct rocks *rocks, enum dynkv_engine_space space,
                     const struct dynkv_engine_key *keys, uint32_t count, struct dynkv_buf *names,
                     struct dynkv_arena *arena, struct dynkv_engine_value *values)
{
    uint32_t *places = dynkv_arena_calloc(&rocks->scratch, count, sizeof *places), taken = 0;
    const char **starts = dynkv_arena_calloc(&rocks->scratch, count, sizeof *starts);
    size_t *lens = dynkv_arena_calloc(&rocks->scratch, count, sizeof *lens);
    rocksdb_pinnableslice_t **found = dynkv_arena_calloc(&rocks->scratch, count, sizeof *found);
    char **texts = dynkv_arena_calloc(&rocks->scratch, count, sizeof *texts);
    size_t at = 0;

    dynkv_buf_reset(names);
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i].space != space)
            continue;
        dynkv_put_u32_be(names, keys[i].partition);
        dynkv_put_u64_be(names, keys[i].keyspace);
        dynkv_put_raw(names, keys[i].key);
        lens[taken] = ROCKS_PREFIX + keys[i].key.len;
        places[taken++] = i;
    }
    if (taken == 0)
        return;
    for (uint32_t i = 0; i < taken; i++) {
        starts[i] = (const char *)names->data + at;
        at += lens[i];
    }
    rocksdb_batched_multi_get_cf(rocks->db, rocks->read, rocks->families[rocks_family(space)],
                                 taken, starts, lens, found, texts, false);
    for (uint32_t i = 0; i < taken; i++)
        values[places[i]] = take_value(rocks, found[i], texts[i], "read a record", arena);
}

static void rocks_get(struct dynkv_engine *engine, const struct dynkv_engine_key *keys,
                      uint32_t count, struct dynkv_arena *arena, struct dynkv_engine_value *values)
{
    struct rocks *rocks = (struct rocks *)engine;
    struct dynkv_buf names = {0};

    if (count == 1) {
        rocks_name(&names, keys->partition, keys->keyspace, keys->key);
        *values = get_one(rocks, rocks_family(keys->space), dynkv_buf_slice(&names),
                          "read a record", arena);
    } else {
        dynkv_arena_reset(&rocks->scratch);
        get_many(rocks, DYNKV_ENGINE_RECORDS, keys, count, &names, arena, values);
        get_many(rocks, DYNKV_ENGINE_HINTS, keys, count, &names, arena, values);
    }
    dynkv_buf_fini(&names);
}

/* Uses nothing of the engine's but what RocksDB itself keeps safe: it may run beside the other calls. */
static bool rocks_peek(struct dynkv_engine *engine, const struct dynkv_engine_key *key,
                       struct dynkv_arena *arena, struct dynkv_engine_value *value)
{
    struct rocks *rocks = (struct rocks *)engine;
    struct dynkv_buf name = {0};
    rocksdb_pinnableslice_t *found;
    char *text = NULL;

    rocks_name(&name, key->partition, key->keyspace, key->key);
    found = rocksdb_get_pinned_cf(rocks->db, rocks->read_cached,
                                  rocks->families[rocks_family(key->space)],
                                  (const char *)name.data, name.len, &text);
    dynkv_buf_fini(&name);
    if (text) { /* "Result incomplete", or an error, which get will tell */
        rocksdb_free(text);
        return false;
    }
    *value = take_value(rocks, found, NULL, NULL, arena);
    return true;
}

static struct dynkv_engine_value rocks_meta(struct dynkv_engine *engine, struct dynkv_slice name,
                                            struct dynkv_arena *arena)
{
    return get_one((struct rocks *)engine, ROCKS_META, name, "read metadata", arena);
}

/* ---- writing ---- */

/* All records from one (partition, keyspace) up to another. */
static void rocks_drop_range(struct rocks *rocks, rocksdb_writebatch_t *batch, uint32_t partition,
                             uint64_t keyspace, uint32_t end_partition, uint64_t end_keyspace)
{
    struct dynkv_buf first = {0}, end = {0};

    rocks_name(&first, partition, keyspace, dynkv_slice(NULL, 0));
    rocks_name(&end, end_partition, end_keyspace, dynkv_slice(NULL, 0));
    rocksdb_writebatch_delete_range_cf(batch, rocks->families[ROCKS_RECORDS],
                                       (const char *)first.data, first.len, (const char *)end.data,
                                       end.len);
    dynkv_buf_fini(&first);
    dynkv_buf_fini(&end);
}

static enum dynkv_error rocks_add_op(struct rocks *rocks, rocksdb_writebatch_t *batch,
                                     const struct dynkv_engine_op *op, struct dynkv_buf *name)
{
    rocksdb_column_family_handle_t *family = rocks->families[rocks_family(op->at.space)];
    rocksdb_column_family_handle_t *meta = rocks->families[ROCKS_META];
    const char *value = (const char *)op->value.data, *key = (const char *)op->at.key.data;

    switch (op->kind) {
    case DYNKV_ENGINE_PUT:
        rocks_name(name, op->at.partition, op->at.keyspace, op->at.key);
        rocksdb_writebatch_put_cf(batch, family, (const char *)name->data, name->len, value,
                                  op->value.len);
        break;
    case DYNKV_ENGINE_DELETE:
        rocks_name(name, op->at.partition, op->at.keyspace, op->at.key);
        rocksdb_writebatch_delete_cf(batch, family, (const char *)name->data, name->len);
        break;
    case DYNKV_ENGINE_META:
        if (op->value.len)
            rocksdb_writebatch_put_cf(batch, meta, key, op->at.key.len, value, op->value.len);
        else
            rocksdb_writebatch_delete_cf(batch, meta, key, op->at.key.len);
        break;
    case DYNKV_ENGINE_DROP_KEYSPACE:
        break; /* see rocks_write */
    case DYNKV_ENGINE_DROP_PARTITION:
        rocks_drop_range(rocks, batch, op->at.partition, 0, op->at.partition + 1, 0);
        break;
    case DYNKV_ENGINE_DROP_TREE:
        if (op->at.keyspace < UINT64_MAX)
            rocks_drop_range(rocks, batch, op->at.partition, op->at.keyspace, op->at.partition,
                             op->at.keyspace + 1);
        else
            rocks_drop_range(rocks, batch, op->at.partition, op->at.keyspace, op->at.partition + 1,
                             0);
        break;
    }
    return DYNKV_OK;
}

/*
 * The order in which the operations go into the batch.  Puts and deletes alone are sorted by key (the
 * order of two to the same key is kept): the memtable is a skip list, and finds the place beside the
 * last one in a fraction of the time that it takes to walk to a random one.
 */
static int op_order_compare(const void *a, const void *b, void *ops_)
{
    const struct dynkv_engine_op *ops = ops_;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    const struct dynkv_engine_key *x = &ops[i].at, *y = &ops[j].at;
    int order;

    if (x->space != y->space)
        return x->space < y->space ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    if (x->keyspace != y->keyspace)
        return x->keyspace < y->keyspace ? -1 : 1;
    order = dynkv_slice_compare(x->key, y->key);
    return order ? order : (i > j) - (i < j);
}

static uint32_t *rocks_order_ops(const struct dynkv_engine_op *ops, uint32_t count)
{
    uint32_t *order = dynkv_alloc(count * sizeof *order);
    bool simple = true;

    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
        simple = simple && (ops[i].kind == DYNKV_ENGINE_PUT || ops[i].kind == DYNKV_ENGINE_DELETE);
    }
    if (simple)
        qsort_r(order, count, sizeof *order, op_order_compare, (void *)(uintptr_t)ops);
    return order;
}

/* What stands in the store, and what this very batch has put there before. */
static enum dynkv_error rocks_drop(struct rocks *rocks, rocksdb_writebatch_t *batch,
                                   const struct dynkv_engine_op *ops, uint32_t place)
{
    struct dynkv_buf name = {0};
    enum dynkv_error error = DYNKV_OK;

    for (uint32_t i = 0; i < place && !error; i++) {
        struct dynkv_engine_op undo = ops[i];

        undo.kind = DYNKV_ENGINE_DELETE;
        if (ops[i].kind == DYNKV_ENGINE_PUT && ops[i].at.space == DYNKV_ENGINE_RECORDS &&
            ops[i].at.keyspace == ops[place].at.keyspace)
            error = rocks_add_op(rocks, batch, &undo, &name);
    }
    dynkv_buf_fini(&name);
    return error ? error : rocks_drop_keyspace(rocks, batch, ops[place].at.keyspace);
}

/* As rocks_error, for what writes the log. */
static enum dynkv_error rocks_log_error(struct rocks *rocks, char *text, const char *doing)
{
    rocks->log_failed = true;
    return rocks_error(rocks, text, doing);
}

static enum dynkv_error rocks_write(struct dynkv_engine *engine, const struct dynkv_engine_op *ops,
                                    uint32_t count, bool synced)
{
    struct rocks *rocks = (struct rocks *)engine;
    rocksdb_writebatch_t *batch;
    enum dynkv_error error = DYNKV_OK;
    struct dynkv_buf name = {0};
    uint32_t *order;
    char *text = NULL;

    if (rocks->log_failed)
        return DYNKV_STORAGE;
    batch = rocksdb_writebatch_create();

    order = rocks_order_ops(ops, count);
    for (uint32_t i = 0; i < count && !error; i++)
        error = ops[order[i]].kind == DYNKV_ENGINE_DROP_KEYSPACE
                    ? rocks_drop(rocks, batch, ops, order[i])
                    : rocks_add_op(rocks, batch, &ops[order[i]], &name);
    free(order);
    if (!error)
        rocksdb_write(rocks->db, synced ? rocks->write_synced : rocks->write, batch, &text);
    rocksdb_writebatch_destroy(batch);
    dynkv_buf_fini(&name);
    return text ? rocks_log_error(rocks, text, "write") : error;
}

static enum dynkv_error rocks_sync(struct dynkv_engine *engine)
{
    struct rocks *rocks = (struct rocks *)engine;
    char *text = NULL;

    if (rocks->log_failed)
        return DYNKV_STORAGE;
    rocksdb_flush_wal(rocks->db, 1, &text);
    return text ? rocks_log_error(rocks, text, "sync") : DYNKV_OK;
}

static enum dynkv_error rocks_checkpoint(struct dynkv_engine *engine, const char *path)
{
    struct rocks *rocks = (struct rocks *)engine;
    rocksdb_checkpoint_t *checkpoint;
    char *text = NULL;

    if (rocks->log_failed) /* it would start a new log */
        return DYNKV_STORAGE;
    checkpoint = rocksdb_checkpoint_object_create(rocks->db, &text);
    if (!text) {
        rocksdb_checkpoint_create(checkpoint, path, 0, &text);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    return text ? rocks_error(rocks, text, "make a checkpoint") : DYNKV_OK;
}

static uint64_t rocks_number(struct rocks *rocks, const char *property)
{
    uint64_t number = 0;

    rocksdb_property_int_cf(rocks->db, rocks->families[ROCKS_RECORDS], property, &number);
    return number;
}

static void rocks_stats(struct dynkv_engine *engine, struct dynkv_engine_stats *out)
{
    struct rocks *rocks = (struct rocks *)engine;

    out->records = rocks_number(rocks, "rocksdb.estimate-num-keys");
    out->bytes = rocks_number(rocks, "rocksdb.total-sst-files-size") +
                 rocks_number(rocks, "rocksdb.cur-size-all-mem-tables");
}

const struct engine_class engine_rocksdb = {
    .kind = "rocksdb",
    .open = rocks_open,
    .close = rocks_close,
    .get = rocks_get,
    .peek = rocks_peek,
    .write = rocks_write,
    .scan = rocks_scan,
    .meta = rocks_meta,
    .sync = rocks_sync,
    .checkpoint = rocks_checkpoint,
    .stats = rocks_stats,
};
