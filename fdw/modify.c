/*
 * modify.c: the beginning and the end of a statement that writes, and who writes for it; what it makes of its
 * rows is in modify_rows.c.
 *
 * What is sent immediately must be there before AFTER triggers look at the table, and rows must have been
 * checked before, so writers are finished by an ExecutorFinish hook, before the server runs the triggers;
 * the End callbacks finish what came after that (COPY, which does not go through the executor, and WITH
 * queries that are run to their end).
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class_d.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "lib/ilist.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/compat.h"
#include "fdw/modify.h"
#include "fdw/modify_state.h"

/* Those of all statements that are being executed. */
static dlist_head modify_states = DLIST_STATIC_INIT(modify_states);
static ExecutorFinish_hook_type modify_next_finish;

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
    state->skips_existing = dynkv_modify_skips_existing(state->rel, plan);
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
    state->ctid_attno = ExecFindJunkAttributeInTlist(subplan->targetlist, DYNKV_MODIFY_CTID);
    state->wholerow_attno =
        ExecFindJunkAttributeInTlist(subplan->targetlist, DYNKV_MODIFY_WHOLEROW);
    if (!AttributeNumberIsValid(state->ctid_attno))
        elog(ERROR, "could not find junk ctid column");
    /* A plain scan gives each row once; a join may give it several times, and the first one counts. */
    if (!IsA(subplan, ForeignScan) || state->options->conflict == DYNKV_CONFLICT_SIBLINGS)
        state->done = dynkv_modify_done_create(estate->es_query_cxt);
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

/* ---- writers ---- */

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

DynkvWriter *dynkv_modify_writer(DynkvModifyState *state)
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
