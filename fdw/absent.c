/* absent.c: see absent.h. */
#include "postgres.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/hash.h"
#include "fdw/absent.h"
#include "fdw/codec.h"
#include "fdw/column.h"
#include "fdw/conflict.h"
#include "fdw/moment.h"
#include "fdw/report.h"

/* New rows that are asked for together. */
typedef struct AbsentBatch {
    DynkvTxnBuffer *kept;
    DynkvTableOptions options; /* as the table has them that asks for it */
    DynkvGuard *guard;
    MemoryContext memory; /* of the rows */
    struct dynkv_key_ref *keys;
    int count, room;
} AbsentBatch;

static char *absent_key_text(Oid relid, struct dynkv_slice key)
{
    Relation rel = try_relation_open(relid, AccessShareLock);
    char *text;

    if (!rel)
        return NULL;
    text = dynkv_codec_describe_key(dynkv_codec_create(rel, dynkv_table_options(rel)), rel, key);
    relation_close(rel, NoLock);
    return text;
}

/* The transaction may have altered the key since.  An error is not passed on, as the caller's follows. */
char *dynkv_absent_describe(Oid relid, struct dynkv_slice key)
{
    MemoryContext context = CurrentMemoryContext;
    char *volatile text = NULL;

    PG_TRY();
    {
        text = absent_key_text(relid, key);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        FlushErrorState();
    }
    PG_END_TRY();
    return text ? text : dynkv_hex(key);
}

/* ---- reading ---- */

const struct dynkv_read_result *dynkv_absent_read(DynkvGuard *guard, DynkvConnection *connection,
                                                  const DynkvTableOptions *options,
                                                  const char *table,
                                                  const struct dynkv_key_ref *keys, int count,
                                                  struct dynkv_request **get)
{
    struct dynkv_call call = {
        .deadline_ms = (uint32)options->deadline_ms,
        .r = (uint8)options->r,
        .strict = options->strict,
    };
    uint64 keyspace;

    *get = NULL;
    if (count == 0 || !dynkv_connection_keyspace(connection, options, table, false, &keyspace))
        return NULL;
    *get = dynkv_guard_request(guard, dynkv_get_start(dynkv_connection_client(connection), keyspace,
                                                      keys, (uint32)count, &call));
    dynkv_connection_wait(connection, *get);
    if (dynkv_request_error(*get))
        dynkv_report(ERROR, dynkv_request_error(*get), dynkv_request_text(*get), DYNKV_READING,
                     table);
    return dynkv_request_reads(*get, NULL);
}

static struct dynkv_slice absent_copy(struct dynkv_slice bytes)
{
    uint8 *copy = palloc(Max(bytes.len, 1));

    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return dynkv_slice(copy, bytes.len);
}

static struct dynkv_slice absent_version(const struct dynkv_version *version)
{
    /* One buffer for the backend: what the library allocates must not be lost by an error. */
    static struct dynkv_buf encoded;

    dynkv_buf_reset(&encoded);
    dynkv_version_encode(version, &encoded);
    return absent_copy(dynkv_buf_slice(&encoded));
}

/* ---- before anything is sent ---- */

static DYNKV_NORETURN void absent_violation(const AbsentBatch *batch, struct dynkv_slice key)
{
    const char *text = dynkv_absent_describe(batch->options.relid, key); /* not within ereport */

    ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                    errmsg("duplicate key in foreign table \"%s\"", batch->kept->unique_table),
                    errdetail("Key %s was inserted by another session in the meantime.", text),
                    errhint("Nothing of this transaction was written.  Try it again.")));
}

/* The version goes along with the row: a tombstone is replaced, and only what came later stays beside it. */
static void absent_note(DynkvTxnBuffer *kept, struct dynkv_slice key,
                        const struct dynkv_version *version)
{
    DynkvBuffered row;

    if (version->count == 0 ||
        !dynkv_write_buffer_find(kept->buffer, key, DYNKV_ALL_COMMANDS, &row))
        return;
    row.write.at.key = key;
    row.write.value = absent_copy(row.write.value);
    row.write.context = absent_version(version);
    row.write.has_context = true;
    dynkv_write_buffer_add(kept->buffer, &row, 0);
}

static void absent_ask(AbsentBatch *batch)
{
    MemoryContext old = MemoryContextSwitchTo(batch->memory);
    uint64 now_ms = dynkv_now_ms();
    struct dynkv_request *get;
    const struct dynkv_read_result *reads =
        dynkv_absent_read(batch->guard, batch->kept->connection, &batch->options,
                          batch->kept->unique_table, batch->keys, batch->count, &get);

    for (int i = 0; reads && i < batch->count; i++) {
        if (dynkv_conflict_has_row(&batch->options, &reads[i].object, now_ms))
            absent_violation(batch, batch->keys[i].key);
        absent_note(batch->kept, batch->keys[i].key, &reads[i].object.version);
    }
    dynkv_guard_free_request(batch->guard, get);
    batch->count = 0;
    MemoryContextSwitchTo(old);
    MemoryContextReset(batch->memory);
}

static void absent_add(AbsentBatch *batch, const struct dynkv_key_ref *at)
{
    MemoryContext old = MemoryContextSwitchTo(batch->memory);

    batch->keys[batch->count].key = absent_copy(at->key);
    batch->keys[batch->count].partition_len = at->partition_len;
    batch->count++;
    MemoryContextSwitchTo(old);
    if (batch->count == batch->room)
        absent_ask(batch);
}

void dynkv_absent_check(DynkvTxnBuffer *kept)
{
    AbsentBatch batch = {.kept = kept, .options = kept->options};
    DynkvBufferCursor *cursor;
    DynkvBuffered row;

    if (!kept->unique_table)
        return;
    batch.options.relid = kept->unique_relid;
    batch.options.conflict = kept->unique_conflict;
    batch.guard = dynkv_guard_create(kept->connection);
    batch.memory =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv new keys", ALLOCSET_SMALL_SIZES);
    batch.room = kept->options.batch_size;
    batch.keys = palloc(sizeof *batch.keys * (Size)batch.room);
    cursor = dynkv_buffer_cursor_create(kept->buffer, DYNKV_ALL_COMMANDS);
    while (dynkv_buffer_cursor_next(cursor, &row)) {
        if (row.is_new && !row.write.is_delete && !row.write.has_context)
            absent_add(&batch, &row.write.at);
        CHECK_FOR_INTERRUPTS();
    }
    absent_ask(&batch);
    dynkv_buffer_cursor_close(cursor);
    MemoryContextDelete(batch.memory);
}

/* ---- after it was sent ---- */

/* Clocks of several nodes may give two rows one time. */
static bool absent_is_ours(const struct dynkv_sibling *sibling, const DynkvCrowded *crowded)
{
    return sibling->timestamp == crowded->timestamp &&
           dynkv_hash(sibling->value, 0) == crowded->value_hash;
}

/* The row that was there first, of those that are alive beside ours; *ours: ours is there still. */
static const struct dynkv_sibling *absent_first(const struct dynkv_object *object,
                                                const DynkvCrowded *crowded, bool *ours)
{
    const struct dynkv_sibling *first = NULL;
    uint64 now_ms = dynkv_now_ms();

    *ours = false;
    for (uint32 i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];

        if (dynkv_sibling_is_dead(sibling, now_ms))
            continue;
        if (absent_is_ours(sibling, crowded))
            *ours = true;
        else if (!first || sibling->timestamp < first->timestamp)
            first = sibling;
    }
    return first;
}

static void absent_put_back(DynkvGuard *guard, const DynkvPipeline *pipeline,
                            const struct dynkv_write *writes, int count)
{
    DynkvPipelineTarget target = dynkv_pipeline_target(pipeline);
    struct dynkv_call call = {
        .deadline_ms = (uint32)target.options->deadline_ms,
        .w = (uint8)target.options->w,
        .strict = target.options->strict,
    };
    struct dynkv_request *put;

    if (count == 0)
        return;
    put =
        dynkv_guard_request(guard, dynkv_put_start(dynkv_connection_client(target.connection),
                                                   target.keyspace, writes, (uint32)count, &call));
    dynkv_connection_wait(target.connection, put);
    if (dynkv_request_error(put))
        dynkv_report(ERROR, dynkv_request_error(put), dynkv_request_text(put), DYNKV_WRITING,
                     target.table);
}

int dynkv_absent_give_way(DynkvPipeline *pipeline, struct dynkv_slice *key)
{
    DynkvPipelineTarget target = dynkv_pipeline_target(pipeline);
    int count, put_back = 0, lost = 0;
    const DynkvCrowded *crowded = dynkv_pipeline_take_crowded(pipeline, &count);
    const struct dynkv_read_result *reads;
    struct dynkv_key_ref *keys;
    struct dynkv_write *writes;
    struct dynkv_request *get;
    DynkvGuard *guard;

    if (count == 0)
        return 0;
    guard = dynkv_guard_create(target.connection);
    keys = palloc(sizeof *keys * (Size)count);
    writes = palloc(sizeof *writes * (Size)count);
    for (int i = 0; i < count; i++)
        keys[i] = crowded[i].at;
    reads = dynkv_absent_read(guard, target.connection, target.options, target.table, keys, count,
                              &get);
    for (int i = 0; reads && i < count; i++) {
        const struct dynkv_object *object = &reads[i].object;
        bool ours;
        const struct dynkv_sibling *first = absent_first(object, &crowded[i], &ours);

        if (!first)
            continue; /* what stands beside it is a tombstone */
        lost++;
        *key = keys[i].key;
        if (ours)
            writes[put_back++] = (struct dynkv_write){
                .at = keys[i],
                .has_context = true,
                .context = absent_version(&object->version),
                .expires_at_ms = dynkv_meta_kept_expiry(first),
                .value = first->value,
            };
    }
    absent_put_back(guard, pipeline, writes, put_back);
    return lost;
}
