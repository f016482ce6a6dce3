/*
 * modify_rows.c: rows into writes.
 *
 * INSERT is a PUT: it overwrites what is there, unless on_insert says 'error' (unique.h).  UPDATE and DELETE
 * carry the version that the statement read, which the scan noted under the row's ctid (rows.h).  They are
 * about keys: one that is read as several rows (conflict 'siblings') is written once, and that settles all of
 * them.  An UPDATE of any of them keeps that one.  A DELETE must have met all: it would take away others, too.
 *
 * The writer (writer.h) gathers rows however they come, from INSERT, COPY, UPDATE or DELETE, with triggers or
 * RETURNING or without, so the server's batches are used for ON CONFLICT DO NOTHING alone.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/hash.h"
#include "fdw/compat.h"
#include "fdw/modify.h"
#include "fdw/modify_state.h"
#include "fdw/moment.h"
#include "fdw/route.h"

/* 128 bits of hash stand for a key: two keys of one statement do not meet in it. */
typedef struct ModifyDigest {
    uint64 a, b;
} ModifyDigest;

typedef struct ModifyDone {
    ModifyDigest key;
    char status;
} ModifyDone;

#define SH_PREFIX               modifydone
#define SH_ELEMENT_TYPE         ModifyDone
#define SH_KEY_TYPE             ModifyDigest
#define SH_KEY                  key
#define SH_HASH_KEY(table, key) ((uint32)(key).a)
#define SH_EQUAL(table, x, y)   ((x).a == (y).a && (x).b == (y).b)
#define SH_SCOPE                static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct DynkvModifyDone {
    modifydone_hash *keys;
};

DynkvModifyDone *dynkv_modify_done_create(MemoryContext context)
{
    DynkvModifyDone *done = MemoryContextAlloc(context, sizeof *done);

    done->keys = modifydone_create(context, 64, NULL);
    return done;
}

/* When the new row expires; old: the row that it replaces, NULL for an INSERT. */
static uint64 modify_expiry(const DynkvModifyState *state, TupleTableSlot *slot,
                            const DynkvOldRow *old)
{
    AttrNumber attno = dynkv_codec_meta(state->codec)->attnos[DYNKV_META_EXPIRES_AT];
    TimestampTz moment;

    if (!attno)
        return old ? old->expires_at_ms : 0;
    if (slot->tts_isnull[attno - 1])
        return state->sets_expiry ||
                       (old ? old->expires_at_ms != 0 : state->operation == CMD_UPDATE)
                   ? DYNKV_EXPIRES_NEVER
                   : 0;
    moment = DatumGetTimestampTz(slot->tts_values[attno - 1]);
    return moment == DT_NOEND ? DYNKV_EXPIRES_NEVER : dynkv_moment_to_ms(moment);
}

/* NOT NULL and CHECK: of foreign tables the server leaves them to whoever keeps the rows. */
static void modify_check_row(ResultRelInfo *result, TupleTableSlot *slot, EState *estate)
{
    if (RelationGetDescr(result->ri_RelationDesc)->constr)
        ExecConstraints(result, slot, estate);
}

/* The row's key, value and expiry, in the current memory context. */
static void modify_encode(DynkvModifyState *state, TupleTableSlot *slot, const DynkvOldRow *old,
                          DynkvNewRow *row)
{
    StringInfoData key, value;

    slot_getallattrs(slot);
    initStringInfo(&key);
    initStringInfo(&value);
    dynkv_codec_put_key(state->codec, slot->tts_values, slot->tts_isnull, &key,
                        &row->partition_len);
    dynkv_codec_put_value(state->codec, slot->tts_values, slot->tts_isnull, &value);
    row->key = dynkv_slice(key.data, (size_t)key.len);
    row->value = dynkv_slice(value.data, (size_t)value.len);
    row->expires_at_ms = modify_expiry(state, slot, old);
}

/* What meta columns show is not known of a row before it is written: RETURNING gives NULL. */
static void modify_clear_meta(const DynkvModifyState *state, const ResultRelInfo *result,
                              TupleTableSlot *slot)
{
    const DynkvMeta *meta = dynkv_codec_meta(state->codec);
    bool *nulls;

    if (!meta->columns || (!result->ri_projectReturning && !result->ri_TrigDesc))
        return;
    nulls = palloc(sizeof *nulls * (Size)slot->tts_tupleDescriptor->natts);
    memcpy(nulls, slot->tts_isnull, sizeof *nulls * (Size)slot->tts_tupleDescriptor->natts);
    for (int kind = 0; kind < DYNKV_META_KINDS; kind++)
        if (meta->attnos[kind] && kind != DYNKV_META_EXPIRES_AT)
            nulls[meta->attnos[kind] - 1] = true;
    ExecForceStoreHeapTuple(heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, nulls),
                            slot, false);
}

/* A row that an INSERT or COPY gives; one that was moved here has what it showed where it was. */
static void modify_check_given(const DynkvModifyState *state, TupleTableSlot *slot)
{
    const DynkvMeta *meta = dynkv_codec_meta(state->codec);
    Bitmapset *given = NULL;

    if (!meta->columns || state->operation == CMD_UPDATE)
        return;
    for (int kind = 0; kind < DYNKV_META_KINDS; kind++)
        if (meta->attnos[kind] && !slot->tts_isnull[meta->attnos[kind] - 1])
            given = bms_add_member(given, meta->attnos[kind]);
    dynkv_meta_check_written(meta, state->rel, given);
}

/* The row that was read; false: the statement has already changed its key. */
static bool modify_recall(DynkvModifyState *state, TupleTableSlot *plan_slot, DynkvOldRow *old)
{
    bool is_null;
    Datum ctid = ExecGetJunkAttribute(plan_slot, state->ctid_attno, &is_null);
    ModifyDigest digest;

    if (is_null)
        elog(ERROR, "ctid is NULL");
    dynkv_rows_recall(state->rows, (ItemPointer)DatumGetPointer(ctid), old);
    if (state->settle)
        dynkv_settle_met(state->settle, old);
    if (state->done) {
        bool found;

        digest.a = dynkv_hash(old->key, 1);
        digest.b = dynkv_hash(old->key, 2);
        modifydone_insert(state->done->keys, digest, &found);
        return !found;
    }
    return true;
}

/* For a RETURNING that names xmin; the server's slots have leftovers there. */
static void modify_make_header(const ResultRelInfo *result, TupleTableSlot *slot)
{
    if (result->ri_projectReturning)
        dynkv_rows_make_header(slot);
}

static void modify_insert(DynkvModifyState *state, const DynkvNewRow *row)
{
    if (state->unique && dynkv_unique_check(state->unique, row->key, row->partition_len))
        dynkv_writer_put_new(state->writer, row);
    else
        dynkv_writer_put(state->writer, row, dynkv_slice(NULL, 0));
}

/* ON CONFLICT DO NOTHING: writes a row unless its key is there; false: it is. */
static bool modify_insert_missing(DynkvModifyState *state, const DynkvNewRow *row, bool exists)
{
    switch (dynkv_writer_find(state->writer, row->key)) {
    case DYNKV_WRITER_PUT:
        return false;
    case DYNKV_WRITER_DELETED:
        dynkv_writer_put(state->writer, row, dynkv_slice(NULL, 0));
        return true;
    case DYNKV_WRITER_NOTHING:
        break;
    }
    if (!exists)
        dynkv_writer_put_new(state->writer, row);
    return !exists;
}

TupleTableSlot *dynkvExecForeignInsert(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
                                       TupleTableSlot *plan_slot)
{
    DynkvModifyState *state = result->ri_FdwState;
    MemoryContext old_context;
    DynkvNewRow row;
    int count = 1;

    if (state->skips_existing) {
        dynkvExecForeignBatchInsert(estate, result, &slot, &plan_slot, &count);
        modify_make_header(result, slot);
        return count > 0 ? slot : NULL;
    }
    modify_check_row(result, slot, estate);
    dynkv_route_check_insert(result, slot, estate);
    dynkv_modify_writer(state);
    MemoryContextReset(state->row_context);
    old_context = MemoryContextSwitchTo(state->row_context);
    modify_encode(state, slot, NULL, &row);
    modify_check_given(state, slot);
    modify_insert(state, &row);
    if (state->operation == CMD_UPDATE)
        modify_clear_meta(state, result, slot);
    MemoryContextSwitchTo(old_context);
    modify_make_header(result, slot);
    return slot;
}

/*
 * More than one only for ON CONFLICT DO NOTHING, which asks for a batch of keys at a time; else the writer
 * gathers rows.  One where somebody wants to know of each row at once.
 */
int dynkvGetForeignModifyBatchSize(ResultRelInfo *result)
{
    const DynkvModifyState *state = result->ri_FdwState;
    const TriggerDesc *triggers = result->ri_TrigDesc;

    if (!state || !state->skips_existing || result->ri_projectReturning ||
        result->ri_WithCheckOptions != NIL ||
        (triggers && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
        return 1;
    return state->options->batch_size;
}

/* Rows that are written move to the front, as the server counts them. */
TupleTableSlot **dynkvExecForeignBatchInsert(EState *estate, ResultRelInfo *result,
                                             TupleTableSlot **slots, TupleTableSlot **plan_slots,
                                             int *slot_count)
{
    DynkvModifyState *state = result->ri_FdwState;
    int count = *slot_count;
    int written = 0;
    struct dynkv_key_ref *keys;
    MemoryContext old_context;
    DynkvNewRow *rows;
    bool *exists;

    dynkv_modify_writer(state);
    MemoryContextReset(state->row_context);
    old_context = MemoryContextSwitchTo(state->row_context);
    rows = palloc(sizeof *rows * (Size)count);
    keys = palloc(sizeof *keys * (Size)count);
    exists = palloc(sizeof *exists * (Size)count);
    for (int i = 0; i < count; i++) {
        modify_check_row(result, slots[i], estate);
        dynkv_route_check_insert(result, slots[i], estate);
        modify_encode(state, slots[i], NULL, &rows[i]);
        modify_check_given(state, slots[i]);
        keys[i].key = rows[i].key;
        keys[i].partition_len = rows[i].partition_len;
    }
    dynkv_unique_find(state->unique, keys, count, exists);
    for (int i = 0; i < count; i++) {
        if (modify_insert_missing(state, &rows[i], exists[i])) {
            TupleTableSlot *slot = slots[written];

            slots[written++] = slots[i];
            slots[i] = slot; /* the server keeps the slots for its next batch */
        }
    }
    MemoryContextSwitchTo(old_context);
    *slot_count = written;
    return slots;
}

static void modify_move(DynkvModifyState *state, const DynkvOldRow *old, const DynkvNewRow *row)
{
    if (state->unique)
        dynkv_unique_move(state->unique, old->key, row->key, row->partition_len);
    dynkv_writer_move(state->writer, old->key, old->partition_len, old->version, row,
                      state->unique != NULL);
}

TupleTableSlot *dynkvExecForeignUpdate(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
                                       TupleTableSlot *plan_slot)
{
    DynkvModifyState *state = result->ri_FdwState;
    DynkvWriter *writer = dynkv_modify_writer(state);
    MemoryContext old_context;
    DynkvOldRow old;
    DynkvNewRow row;
    bool is_first;

    MemoryContextReset(state->row_context);
    old_context = MemoryContextSwitchTo(state->row_context);
    is_first = modify_recall(state, plan_slot, &old);
    if (is_first && dynkv_route_leaves(state->mtstate, result, slot, estate)) {
        dynkv_writer_delete(writer, old.key, old.partition_len, old.version);
        dynkv_route_insert(state->mtstate, result, slot, plan_slot);
        modify_clear_meta(state, result, slot);
    } else if (is_first) {
        modify_check_row(result, slot, estate);
        modify_encode(state, slot, &old, &row);
        if (dynkv_slice_equal(row.key, old.key) && row.partition_len == old.partition_len)
            dynkv_writer_put(writer, &row, old.version);
        else
            modify_move(state, &old, &row);
        modify_clear_meta(state, result, slot);
    }
    MemoryContextSwitchTo(old_context);
    modify_make_header(result, slot);
    return is_first ? slot : NULL;
}

/* The row that was, for RETURNING. */
static void modify_store_old_row(DynkvModifyState *state, TupleTableSlot *plan_slot,
                                 TupleTableSlot *slot)
{
    bool is_null;
    Datum row = ExecGetJunkAttribute(plan_slot, state->wholerow_attno, &is_null);
    HeapTupleHeader header;
    HeapTupleData tuple;

    ExecClearTuple(slot);
    if (is_null)
        elog(ERROR, "wholerow is NULL");
    header = DatumGetHeapTupleHeader(row);
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    ItemPointerSetInvalid(&tuple.t_self);
    tuple.t_tableOid = InvalidOid;
    tuple.t_data = header;
    heap_deform_tuple(&tuple, slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
    ExecStoreVirtualTuple(slot);
    ExecMaterializeSlot(slot);
}

TupleTableSlot *dynkvExecForeignDelete(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
                                       TupleTableSlot *plan_slot)
{
    DynkvModifyState *state = result->ri_FdwState;
    DynkvWriter *writer = dynkv_modify_writer(state);
    MemoryContext old_context;
    DynkvOldRow old;
    bool is_first;

    MemoryContextReset(state->row_context);
    old_context = MemoryContextSwitchTo(state->row_context);
    is_first = modify_recall(state, plan_slot, &old);
    if (is_first) {
        dynkv_writer_delete(writer, old.key, old.partition_len, old.version);
        if (AttributeNumberIsValid(state->wholerow_attno))
            modify_store_old_row(state, plan_slot, slot);
    }
    MemoryContextSwitchTo(old_context);
    if (is_first && AttributeNumberIsValid(state->wholerow_attno))
        modify_make_header(result, slot);
    return is_first ? slot : NULL;
}
