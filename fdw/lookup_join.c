/*
 * lookup_join.c: the execution of lookup joins: each outer row with the rows of its key.
 *
 * What a key holds is read as a scan reads it: the transaction's own writes over it (overlay.h), the table's way
 * with concurrent values (conflict.h), rows that cannot be read (bad_row.h).
 *
 * When the server checks a row again that somebody else has updated meanwhile (EvalPlanQual), it says which row of
 * the foreign table goes with it; then nobody is asked.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/compat.h"
#include "fdw/lookup_state.h"

static DynkvLookupState *lookup_state(CustomScanState *node)
{
    return (DynkvLookupState *)node;
}

/* ---- rows ---- */

/* Whether the server says what row of the foreign table goes with the outer one. */
static bool lookup_is_check(const DynkvLookupState *state)
{
    const EPQState *epq = state->css.ss.ps.state->es_epq_active;
    Index at = state->plan->inner - 1;

    return epq && (epq->relsubs_done[at] || epq->relsubs_slot[at] || epq->relsubs_rowmark[at]);
}

/* That row, if there is one, in values and nulls. */
static bool lookup_checked_row(DynkvLookupState *state)
{
    EPQState *epq = state->css.ss.ps.state->es_epq_active;
    Index inner = state->plan->inner;
    TupleTableSlot *slot = epq->relsubs_slot[inner - 1];

    if (state->is_checked)
        return false;
    state->is_checked = true;
    if (!slot && epq->relsubs_rowmark[inner - 1] &&
        EvalPlanQualFetchRowMark(epq, inner, state->checked))
        slot = state->checked;
    if (TupIsNull(slot))
        return false;
    slot_getallattrs(slot);
    memcpy(state->values, slot->tts_values,
           sizeof *state->values * (Size)RelationGetDescr(state->table)->natts);
    memcpy(state->nulls, slot->tts_isnull,
           sizeof *state->nulls * (Size)RelationGetDescr(state->table)->natts);
    return true;
}

static bool lookup_read_row(DynkvLookupState *state, const DynkvConflictRow *row)
{
    MemoryContext old;
    bool is_read = true;

    state->counts.rows++;
    state->counts.bytes += row->key.len + row->sibling->value.len;
    MemoryContextReset(state->memory);
    old = MemoryContextSwitchTo(state->memory);
    if (state->options->skips_bad_rows)
        is_read =
            dynkv_bad_row_get(&state->bad_rows, state->conflict, row, state->values, state->nulls);
    else
        dynkv_conflict_get(state->conflict, row, state->values, state->nulls);
    MemoryContextSwitchTo(old);
    return is_read;
}

/* The next row of the key, in values and nulls. */
static bool lookup_found_row(DynkvLookupState *state)
{
    DynkvConflictRow row;

    while (state->has_object && dynkv_conflict_next(state->conflict, &row))
        if (lookup_read_row(state, &row))
            return true;
    return false;
}

/* The next outer row, and what its key holds. */
static bool lookup_next_outer(DynkvLookupState *state)
{
    const struct dynkv_object *object = NULL;
    struct dynkv_slice key = dynkv_slice(NULL, 0);

    state->is_matched = state->is_checked = false;
    if (lookup_is_check(state)) {
        TupleTableSlot *row = ExecProcNode(linitial(state->css.custom_ps));

        if (TupIsNull(row))
            return false;
        ExecCopySlot(state->outer, row);
        return true;
    }
    if (!dynkv_lookup_feed_next(state, &key, &object))
        return false;
    state->has_object = object != NULL;
    if (object)
        dynkv_conflict_begin(state->conflict, key, object, state->now_ms);
    return true;
}

/* ---- pairs ---- */

/* The outer row and the foreign table's, if they match, are in the scan tuple; false: no more of those. */
static bool lookup_next_match(DynkvLookupState *state)
{
    bool is_check = lookup_is_check(state);

    while (is_check ? lookup_checked_row(state) : lookup_found_row(state)) {
        ExprContext *econtext = dynkv_lookup_begin_pair(state, state->outer);

        dynkv_lookup_add_inner(state);
        if (ExecQual(state->match, econtext) && (!is_check || ExecQual(state->decided, econtext)))
            return true;
        InstrCountFiltered2(state, 1);
    }
    return false;
}

/* What the pair in the scan tuple becomes; NULL: the conditions after the join leave it out. */
static TupleTableSlot *lookup_project(DynkvLookupState *state)
{
    PlanState *ps = &state->css.ss.ps;

    if (!ExecQual(ps->qual, ps->ps_ExprContext)) {
        InstrCountFiltered1(state, 1);
        return NULL;
    }
    return ps->ps_ProjInfo ? ExecProject(ps->ps_ProjInfo) : state->css.ss.ss_ScanTupleSlot;
}

/* The next joined row of the outer row in hand; NULL: no more. */
static TupleTableSlot *lookup_next_pair(DynkvLookupState *state)
{
    JoinType type = state->plan->type;
    TupleTableSlot *slot;

    while (lookup_next_match(state)) {
        state->is_matched = true;
        if (type == JOIN_ANTI)
            break;
        slot = lookup_project(state);
        if (type == JOIN_SEMI)
            state->has_outer = false;
        if (slot || type == JOIN_SEMI)
            return slot;
    }
    state->has_outer = false;
    if (state->is_matched || (type != JOIN_LEFT && type != JOIN_ANTI))
        return NULL;
    dynkv_lookup_begin_pair(state, state->outer);
    return lookup_project(state);
}

static TupleTableSlot *lookup_next(DynkvLookupState *state)
{
    TupleTableSlot *slot = NULL;

    while (!slot) {
        CHECK_FOR_INTERRUPTS();
        if (!state->has_outer)
            state->has_outer = lookup_next_outer(state);
        if (!state->has_outer)
            return ExecClearTuple(state->css.ss.ps.ps_ResultTupleSlot);
        slot = lookup_next_pair(state);
    }
    return slot;
}

static TupleTableSlot *lookup_exec(CustomScanState *node)
{
    return lookup_next(lookup_state(node));
}

/* ---- begin and end ---- */

static void lookup_begin_row(DynkvLookupState *state)
{
    TupleDesc desc = RelationGetDescr(state->table);
    EState *estate = state->css.ss.ps.state;
    PlanState *child = linitial(state->css.custom_ps);

    state->outer = ExecInitExtraTupleSlot(estate, ExecGetResultType(child), &TTSOpsMinimalTuple);
    state->checked = ExecInitExtraTupleSlot(estate, desc, &TTSOpsVirtual);
    state->memory =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv looked up row", ALLOCSET_DEFAULT_SIZES);
    state->values = palloc0(sizeof *state->values * (Size)desc->natts);
    state->nulls = palloc0(sizeof *state->nulls * (Size)desc->natts);
    initStringInfo(&state->key);
    state->batch = dynkv_lookup_batch_create();
    state->ahead = dynkv_lookup_batch_create();
}

static void lookup_begin_exprs(DynkvLookupState *state)
{
    PlanState *ps = &state->css.ss.ps;

    state->keys = ExecInitExprList(state->plan->keys, ps);
    state->computed = ExecInitExprList(state->plan->computed, ps);
    state->match = ExecInitQual(state->plan->match, ps);
    state->decided = ExecInitQual(state->plan->decided, ps);
}

/* The columns of the foreign table that are wanted; NULL: all. */
static Bitmapset *lookup_wanted(const DynkvLookupPlan *plan)
{
    Bitmapset *wanted = NULL;
    ListCell *cell;

    foreach (cell, plan->attnos) {
        if (lfirst_int(cell) == 0)
            return NULL;
        wanted = bms_add_member(wanted, lfirst_int(cell));
    }
    return wanted;
}

static void lookup_begin(CustomScanState *node, EState *estate, int eflags)
{
    DynkvLookupState *state = lookup_state(node);
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;

    state->context = CurrentMemoryContext;
    state->plan = dynkv_lookup_plan_read(scan);
    state->table = ExecOpenScanRelation(estate, state->plan->inner, eflags);
    node->custom_ps = list_make1(ExecInitNode(linitial(scan->custom_plans), estate, eflags));
    state->options = dynkv_table_options(state->table);
    dynkv_match_key_columns(state->table, state->options, &state->columns);
    state->codec = dynkv_codec_create(state->table, state->options);
    state->conflict = dynkv_conflict_create(state->table, state->options, state->codec,
                                            lookup_wanted(state->plan), true);
    lookup_begin_row(state);
    lookup_begin_exprs(state);
}

static void lookup_end(CustomScanState *node)
{
    DynkvLookupState *state = lookup_state(node);

    dynkv_lookup_feed_restart(state);
    ExecEndNode(linitial(node->custom_ps));
}

static void lookup_rescan(CustomScanState *node)
{
    DynkvLookupState *state = lookup_state(node);
    PlanState *child = linitial(node->custom_ps);

    ExecScanReScan(&node->ss);
    dynkv_lookup_feed_restart(state);
    state->has_outer = false;
    if (node->ss.ps.chgParam)
        UpdateChangedParamSet(child, node->ss.ps.chgParam);
    if (!child->chgParam)
        ExecReScan(child);
}

Relation dynkv_lookup_table(CustomScanState *node)
{
    return lookup_state(node)->table;
}

DynkvLookupCounts dynkv_lookup_counts(CustomScanState *node)
{
    DynkvLookupState *state = lookup_state(node);
    DynkvLookupCounts counts = state->counts;

    counts.received += dynkv_lookup_batch_received(state->batch);
    counts.received += dynkv_lookup_batch_received(state->ahead);
    if (state->has_source) {
        counts.requests = state->source.requests;
        counts.own_rows = dynkv_source_own_rows(&state->source, &counts.has_own_writes);
    }
    return counts;
}

static const CustomExecMethods lookup_exec_methods = {
    .CustomName = DYNKV_LOOKUP_NAME,
    .BeginCustomScan = lookup_begin,
    .ExecCustomScan = lookup_exec,
    .EndCustomScan = lookup_end,
    .ReScanCustomScan = lookup_rescan,
    .ExplainCustomScan = dynkv_lookup_explain,
};

static Node *lookup_create(CustomScan *scan)
{
    DynkvLookupState *state = (DynkvLookupState *)newNode(sizeof *state, T_CustomScanState);

    state->css.methods = &lookup_exec_methods;
    return (Node *)state;
}

const CustomScanMethods dynkv_lookup_scan_methods = {
    .CustomName = DYNKV_LOOKUP_NAME,
    .CreateCustomScanState = lookup_create,
};
