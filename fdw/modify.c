/*
 * modify.c: rows into writes.
 *
 * INSERT is a PUT: it overwrites what is there, unless on_insert says 'error' (unique.h).  UPDATE and DELETE
 * carry the version that the statement read, which the scan noted under the row's ctid (rows.h).  They are
 * about keys: one that is read as several rows (conflict 'siblings') is written once, and that settles all of
 * them.  An UPDATE of any of them keeps that one.  A DELETE must have met all: it would take away others, too.
 *
 * The writer (writer.h) gathers rows however they come, from INSERT, COPY, UPDATE or DELETE, with triggers or
 * RETURNING or without, so the server's batches are used for ON CONFLICT DO NOTHING alone.
 *
 * What is sent immediately must be there before AFTER triggers look at the table, and rows must have been
 * checked before, so writers are finished by an ExecutorFinish hook, before the server runs the triggers;
 * the End callbacks finish what came after that (COPY, which does not go through the executor, and WITH
 * queries that are run to their end).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "lib/ilist.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/hash.h"
#include "fdw/codec.h"
#include "fdw/compat.h"
#include "fdw/modify.h"
#include "fdw/moment.h"
#include "fdw/route.h"
#include "fdw/rows.h"
#include "fdw/settle.h"
#include "fdw/unique.h"
#include "fdw/writer.h"

#define MODIFY_CTID     "ctid"
#define MODIFY_WHOLEROW "wholerow"

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

typedef struct DynkvModifyState {
    MemoryContextCallback on_reset;
    dlist_node node; /* in modify_states */
    EState *estate;
    ModifyTableState *mtstate;
    Relation rel;
    DynkvTableOptions *options;
    DynkvCodec *codec;
    CommandId command;
    CmdType operation;   /* of the statement: an UPDATE may move rows into a partition */
    bool sets_expiry;    /* it names the column that shows meta 'expires_at' */
    DynkvWriter *writer; /* NULL: nothing written yet */
    bool shares_writer;  /* it is another's */
    DynkvUnique *unique; /* on_insert 'error', once there is a writer; else NULL */
    bool skips_existing; /* ON CONFLICT DO NOTHING */
    bool is_moved_into;  /* the statement reads what is inserted */
    Oid user;
    MemoryContext row_context;             /* of the row being written */
    DynkvRows *rows;                       /* of UPDATE and DELETE */
    AttrNumber ctid_attno, wholerow_attno; /* in the plan's rows */
    modifydone_hash *done; /* keys already updated or deleted; NULL: no row can come twice */
    DynkvSettle *settle;   /* of a DELETE; else NULL */
} DynkvModifyState;

/* Those of all statements that are being executed. */
static dlist_head modify_states = DLIST_STATIC_INIT(modify_states);
static ExecutorFinish_hook_type modify_next_finish;

/* ---- planning ---- */

int dynkvIsForeignRelUpdatable(Relation rel)
{
    return dynkv_table_options(rel)->updatable
               ? (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE)
               : 0;
}

void dynkvAddForeignUpdateTargets(PlannerInfo *root, Index index, RangeTblEntry *entry,
                                  Relation rel)
{
    add_row_identity_var(
        root, makeVar((int)index, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0), index,
        MODIFY_CTID);
    /*
     * RETURNING of a DELETE shows the row that was; for UPDATE the server asks for it itself.  It is a
     * RECORD, as the server has it, so that partitions of different row types share one column.
     */
    if (root->parse->commandType == CMD_DELETE && root->parse->returningList)
        add_row_identity_var(root,
                             makeVar((int)index, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0),
                             index, MODIFY_WHOLEROW);
}

/* DO NOTHING needs to know whether the row is there, which is what on_insert 'error' asks. */
static bool modify_skips_existing(Relation rel, const ModifyTable *plan)
{
    if (!plan || plan->onConflictAction == ONCONFLICT_NONE)
        return false;
    if (plan->onConflictAction == ONCONFLICT_NOTHING && dynkv_table_options(rel)->insert_errors)
        return true;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("INSERT with ON CONFLICT is not supported on foreign table \"%s\"",
                    RelationGetRelationName(rel)),
             plan->onConflictAction == ONCONFLICT_NOTHING
                 ? errhint("INSERT overwrites the row with the same key; with the option "
                           "on_insert 'error' of the table ON CONFLICT DO NOTHING keeps it.")
                 : errhint("INSERT into a dynkv table overwrites the row with the same key.")));
}

List *dynkvPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan_index)
{
    Relation rel = table_open(planner_rt_fetch(index, root)->relid, NoLock);

    modify_skips_existing(rel, plan); /* as early as at planning */
    table_close(rel, NoLock);
    return NIL;
}

/* ---- begin and end ---- */

static void modify_on_reset(void *arg)
{
    dlist_delete(&((DynkvModifyState *)arg)->node);
}

/* Columns of the table that the statement names, by attribute number. */
static Bitmapset *modify_named_columns(const ModifyTableState *mtstate, ResultRelInfo *result)
{
    EState *estate = mtstate->ps.state;
    Bitmapset *offset = mtstate->operation == CMD_UPDATE ? ExecGetUpdatedCols(result, estate)
                                                         : ExecGetInsertedCols(result, estate);
    Bitmapset *named = NULL;
    int member = -1;

    while ((member = bms_next_member(offset, member)) >= 0)
        if (member + FirstLowInvalidHeapAttributeNumber > 0)
            named = bms_add_member(named, member + FirstLowInvalidHeapAttributeNumber);
    return named;
}

/* An INSERT may name a meta column to leave it NULL, as COPY without a list of columns does. */
static void modify_check_named(DynkvModifyState *state, ModifyTableState *mtstate,
                               ResultRelInfo *result)
{
    const DynkvMeta *meta = dynkv_codec_meta(state->codec);
    Bitmapset *named;

    if (!meta->columns || mtstate->operation == CMD_DELETE)
        return;
    named = modify_named_columns(mtstate, result);
    if (mtstate->operation == CMD_UPDATE)
        dynkv_meta_check_written(meta, state->rel, named);
    state->sets_expiry = bms_is_member(meta->attnos[DYNKV_META_EXPIRES_AT], named);
}

/* In the query's context: lives until the statement ends, or until abort deletes that context. */
static DynkvModifyState *modify_create(ModifyTableState *mtstate, ResultRelInfo *result)
{
    EState *estate = mtstate->ps.state;
    const ModifyTable *plan = (const ModifyTable *)mtstate->ps.plan;
    MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
    DynkvModifyState *state = palloc0(sizeof *state);

    state->estate = estate;
    state->mtstate = mtstate;
    state->rel = result->ri_RelationDesc;
    state->options = dynkv_table_options(state->rel);
    state->codec = dynkv_codec_create(state->rel, state->options);
    state->operation = mtstate->operation;
    modify_check_named(state, mtstate, result);
    state->user = dynkv_modify_user(result, estate);
    state->skips_existing = modify_skips_existing(state->rel, plan);
    /* COPY has no plan, and does not tell its command id. */
    state->command = plan ? estate->es_output_cid : GetCurrentCommandId(true);
    state->row_context =
        AllocSetContextCreate(estate->es_query_cxt, "dynkv row", ALLOCSET_DEFAULT_SIZES);
    dlist_push_tail(&modify_states, &state->node);
    state->on_reset.func = modify_on_reset;
    state->on_reset.arg = state;
    MemoryContextRegisterResetCallback(estate->es_query_cxt, &state->on_reset);
    MemoryContextSwitchTo(old);
    result->ri_FdwState = state;
    return state;
}

void dynkvBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result, List *fdw_private,
                             int subplan_index, int eflags)
{
    EState *estate = mtstate->ps.state;
    Plan *subplan = outerPlan(mtstate->ps.plan);
    DynkvModifyState *state;

    if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
        return;
    state = modify_create(mtstate, result);
    if (mtstate->operation == CMD_INSERT)
        return;
    state->rows = dynkv_rows_of(estate, RelationGetRelid(state->rel));
    state->ctid_attno = ExecFindJunkAttributeInTlist(subplan->targetlist, MODIFY_CTID);
    state->wholerow_attno = ExecFindJunkAttributeInTlist(subplan->targetlist, MODIFY_WHOLEROW);
    if (!AttributeNumberIsValid(state->ctid_attno))
        elog(ERROR, "could not find junk ctid column");
    /* A plain scan gives each row once; a join may give it several times, and the first one counts. */
    if (!IsA(subplan, ForeignScan) || state->options->conflict == DYNKV_CONFLICT_SIBLINGS)
        state->done = modifydone_create(estate->es_query_cxt, 64, NULL);
    if (mtstate->operation == CMD_DELETE && state->options->conflict == DYNKV_CONFLICT_SIBLINGS)
        state->settle = dynkv_settle_create(state->rel, state->codec);
}

void dynkvBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *result)
{
    DynkvModifyState *state = result->ri_FdwState;

    if (!state) {
        modify_create(mtstate, result);
        return;
    }
    /* A partition that an UPDATE moves rows into may be one of its targets, and is read by it. */
    state->is_moved_into = true;
    if (state->writer)
        dynkv_writer_hold(state->writer);
}

/* What has to be known of all parts of the statement before anything is sent. */
static void modify_check(const EState *estate)
{
    dlist_iter at;

    dlist_foreach(at, &modify_states)
    {
        DynkvModifyState *state = dlist_container(DynkvModifyState, node, at.cur);

        if (state->estate != estate)
            continue;
        if (state->settle)
            dynkv_settle_finish(state->settle);
        if (state->unique)
            dynkv_unique_finish(state->unique);
    }
}

void dynkvEndForeignModify(EState *estate, ResultRelInfo *result)
{
    DynkvModifyState *state = result->ri_FdwState;

    if (!state)
        return; /* EXPLAIN */
    modify_check(estate);
    if (state->writer)
        dynkv_writer_finish(state->writer);
    if (state->rows)
        dynkv_rows_close(state->rows);
    state->rows = NULL; /* a partition that rows were moved into ends twice */
}

void dynkvEndForeignInsert(EState *estate, ResultRelInfo *result)
{
    dynkvEndForeignModify(estate, result);
}

static void modify_on_finish(QueryDesc *query)
{
    dlist_iter at;

    modify_check(query->estate);
    dlist_foreach(at, &modify_states)
    {
        DynkvModifyState *state = dlist_container(DynkvModifyState, node, at.cur);

        if (state->estate == query->estate && state->writer)
            dynkv_writer_finish(state->writer);
    }
    if (modify_next_finish)
        modify_next_finish(query);
    else
        standard_ExecutorFinish(query);
}

void dynkv_modify_init(void)
{
    modify_next_finish = ExecutorFinish_hook;
    ExecutorFinish_hook = modify_on_finish;
}

bool dynkv_modify_counts(const ResultRelInfo *result, DynkvModifyCounts *counts)
{
    const DynkvModifyState *state = result->ri_FdwState;

    memset(counts, 0, sizeof *counts);
    if (!state)
        return false;
    counts->is_immediate = state->options->is_immediate;
    if (state->writer && !state->shares_writer) {
        counts->buffered = dynkv_writer_buffered(state->writer);
        counts->flushed = dynkv_writer_flushed(state->writer);
    }
    return true;
}

/* ---- writing ---- */

/* Whether the statement reads the keyspace it inserts into, under whatever table's name. */
static bool modify_reads_target(const DynkvModifyState *state)
{
    EState *estate = state->estate;

    for (Index index = 1; index <= (Index)estate->es_range_table_size; index++) {
        RangeTblEntry *entry = exec_rt_fetch(index, estate);
        bool is_same;
        Relation rel;

        if (entry->rtekind != RTE_RELATION || entry->relkind != RELKIND_FOREIGN_TABLE ||
            (entry->relid == RelationGetRelid(state->rel) && !entry->inFromCl))
            continue;
        if (GetForeignServerIdByRelId(entry->relid) != state->options->serverid)
            continue;
        rel = table_open(entry->relid, AccessShareLock);
        is_same = strcmp(dynkv_table_options(rel)->keyspace, state->options->keyspace) == 0;
        table_close(rel, NoLock);
        if (is_same)
            return true;
    }
    return false;
}

/* Another part of the statement that writes the same keyspace (WITH ... INSERT, children); NULL: none. */
static DynkvModifyState *modify_partner(const DynkvModifyState *state)
{
    DynkvModifyState *unwritten = NULL;
    dlist_iter at;

    dlist_foreach(at, &modify_states)
    {
        DynkvModifyState *other = dlist_container(DynkvModifyState, node, at.cur);

        if (other == state || other->estate != state->estate || other->user != state->user ||
            other->options->serverid != state->options->serverid ||
            strcmp(other->options->keyspace, state->options->keyspace) != 0)
            continue;
        if (other->writer)
            return other;
        unwritten = other;
    }
    return unwritten;
}

/*
 * Parts of one statement that write a keyspace immediately have one writer, which holds their writes until all
 * are known: a row that one deletes and another puts back would else be sent in any order.
 */
static DynkvWriter *modify_create_writer(DynkvModifyState *state, DynkvConnection *connection)
{
    DynkvModifyState *partner = state->options->is_immediate ? modify_partner(state) : NULL;
    DynkvWriter *writer;

    state->shares_writer = partner && partner->writer;
    writer = state->shares_writer
                 ? partner->writer
                 : dynkv_writer_create(connection, state->options,
                                       RelationGetRelationName(state->rel), state->command);
    if (partner)
        dynkv_writer_hold(writer);
    return writer;
}

static DynkvWriter *modify_writer(DynkvModifyState *state)
{
    DynkvConnection *connection;
    MemoryContext old;

    if (state->writer)
        return state->writer;
    old = MemoryContextSwitchTo(state->estate->es_query_cxt);
    connection = dynkv_connection_get(state->options->serverid, state->user);
    state->writer = modify_create_writer(state, connection);
    if (state->options->insert_errors)
        state->unique = dynkv_unique_create(state->rel, connection, state->options, state->codec,
                                            state->writer);
    if (state->options->is_immediate && (state->unique || state->settle || state->is_moved_into ||
                                         (!state->rows && modify_reads_target(state))))
        dynkv_writer_hold(state->writer);
    MemoryContextSwitchTo(old);
    return state->writer;
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
        modifydone_insert(state->done, digest, &found);
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
    modify_writer(state);
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

    modify_writer(state);
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
    DynkvWriter *writer = modify_writer(state);
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
    DynkvWriter *writer = modify_writer(state);
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
