/*
 * lookup_join.c: the execution of lookup joins.
 *
 * Two batches: one is being looked at while the other is on its way.  Where few rows are wanted, the first batch
 * is as small, and nothing is sent ahead until batches have grown to their size.
 *
 * What a key holds is read as a scan reads it: the transaction's own writes over it (overlay.h), the table's way
 * with concurrent values (conflict.h), rows that cannot be read (bad_row.h).
 *
 * When the server checks a row again that somebody else has updated meanwhile, it says which row of the foreign
 * table goes with it; then nobody is asked.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/limits.h"
#include "fdw/bad_row.h"
#include "fdw/bind.h"
#include "fdw/codec.h"
#include "fdw/compat.h"
#include "fdw/conflict.h"
#include "fdw/lookup.h"
#include "fdw/lookup_batch.h"
#include "fdw/moment.h"
#include "fdw/plan_tree.h"
#include "fdw/scan.h"

typedef struct LookupState {
    CustomScanState css; /* first: it is what the server sees */
    DynkvLookupPlan *plan;
    DynkvTableOptions *options;
    DynkvKeyColumns columns;
    DynkvCodec *codec;
    DynkvConflict *conflict;
    DynkvBadRows bad_rows;
    Relation table;

    List *keys;     /* ExprStates, as the others */
    List *computed; /* NULL for none */
    ExprState *match, *decided;

    MemoryContext context; /* of this state */
    bool is_connected;
    bool has_source; /* else the table is empty */
    DynkvSource source;
    uint64 now_ms; /* what has expired is decided once a scan */

    DynkvLookupBatch *batch, *ahead;
    uint32 batch_size; /* keys of the next batch */
    bool is_growing;   /* batches have not come to their size */
    bool is_outer_done;
    StringInfoData key; /* of the row that is being added */

    /* The outer row in hand. */
    TupleTableSlot *outer;
    bool has_outer;
    bool is_matched;
    bool has_object;      /* the key's rows are given by `conflict` */
    MemoryContext memory; /* of the foreign table's row */
    Datum *values;        /* that row, by attribute number - 1 */
    bool *nulls;

    TupleTableSlot *checked; /* the foreign table's row when one is checked again */
    bool is_checked;         /* it was given for the outer row in hand */
    DynkvLookupCounts counts;
} LookupState;

static LookupState *lookup_state(CustomScanState *node)
{
    return (LookupState *)node;
}

/* ---- the scan tuple ---- */

static void lookup_put_outer(LookupState *state, TupleTableSlot *outer)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    int at = state->plan->outer_at;
    ListCell *cell;

    slot_getallattrs(outer);
    foreach (cell, state->plan->outer) {
        slot->tts_values[at] = outer->tts_values[lfirst_int(cell) - 1];
        slot->tts_isnull[at] = outer->tts_isnull[lfirst_int(cell) - 1];
        at++;
    }
}

static Datum lookup_whole_row(LookupState *state, const Datum *values, const bool *nulls)
{
    TupleDesc desc = RelationGetDescr(state->table);
    HeapTuple row = heap_form_tuple(desc, (Datum *)values, (bool *)nulls);

    return heap_copy_tuple_as_datum(row, desc);
}

/* The foreign table's columns; what is computed of them comes after, in lookup_compute. */
static void lookup_put_inner(LookupState *state, const Datum *values, const bool *nulls)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    int at = 0;
    ListCell *cell;

    foreach (cell, state->plan->attnos) {
        int attno = lfirst_int(cell);

        slot->tts_isnull[at] = attno > 0 && nulls[attno - 1];
        slot->tts_values[at] =
            attno > 0 ? values[attno - 1] : lookup_whole_row(state, values, nulls);
        at++;
    }
}

/* No row of the foreign table. */
static void lookup_put_nothing(LookupState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

    memset(slot->tts_isnull, true, sizeof *slot->tts_isnull * (Size)state->plan->outer_at);
    memset(slot->tts_values, 0, sizeof *slot->tts_values * (Size)state->plan->outer_at);
}

static void lookup_compute(LookupState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    int at = list_length(state->plan->attnos);
    ListCell *cell;

    foreach (cell, state->computed) {
        slot->tts_values[at] = ExecEvalExprSwitchContext(
            lfirst(cell), state->css.ss.ps.ps_ExprContext, &slot->tts_isnull[at]);
        at++;
    }
}

/* Begins the pair of the outer row with what is put in then. */
static ExprContext *lookup_begin_pair(LookupState *state, TupleTableSlot *outer)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

    ResetExprContext(econtext);
    ExecClearTuple(slot);
    lookup_put_nothing(state);
    lookup_put_outer(state, outer);
    ExecStoreVirtualTuple(slot);
    econtext->ecxt_scantuple = slot;
    return econtext;
}

/* ---- counts ---- */

/* Messages of the connection so far; 0 if nobody wants to know. */
static uint64 lookup_messages(const LookupState *state)
{
    struct dynkv_client_stats stats;

    if (!state->css.ss.ps.instrument || !state->has_source)
        return 0;
    dynkv_client_stats(state->source.client, &stats);
    return stats.messages_sent;
}

/* ---- batches ---- */

/* The key of the outer row; empty: no row can have it. */
static struct dynkv_slice lookup_key(LookupState *state, TupleTableSlot *outer,
                                     uint32 *partition_len)
{
    ExprContext *econtext = lookup_begin_pair(state, outer);
    MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
    bool is_possible = true;

    resetStringInfo(&state->key);
    for (int i = 0; i < state->columns.count && is_possible; i++) {
        bool is_null;
        Datum value = ExecEvalExpr(list_nth(state->keys, i), econtext, &is_null);

        is_possible =
            !is_null && dynkv_bind_convert(state->columns.types[i],
                                           list_nth_oid(state->plan->value_types, i), &value);
        if (is_possible)
            dynkv_codec_put_key_column(state->codec, i, value, &state->key);
        if (i + 1 == state->columns.partition_count)
            *partition_len = (uint32)state->key.len;
    }
    MemoryContextSwitchTo(old);
    /* No key is empty, or longer than the limit. */
    if (!is_possible || *partition_len == 0 || state->key.len > DYNKV_KEY_MAX)
        return dynkv_slice(NULL, 0);
    return dynkv_slice(state->key.data, (size_t)state->key.len);
}

static bool lookup_has_room(const LookupState *state, const DynkvLookupBatch *batch)
{
    uint32 rows = state->batch_size * (state->is_growing ? 1 : DYNKV_LOOKUP_ROWS_A_KEY);

    /* Two batches share what a node may use. */
    return dynkv_lookup_batch_keys(batch) < state->batch_size &&
           dynkv_lookup_batch_rows(batch) < rows &&
           dynkv_lookup_batch_bytes(batch) < (Size)work_mem * 1024 / 2;
}

static void lookup_send(LookupState *state, DynkvLookupBatch *batch)
{
    uint64 messages = lookup_messages(state);

    if (!state->has_source)
        return;
    dynkv_lookup_batch_send(batch, &state->source);
    state->counts.keys += dynkv_lookup_batch_keys(batch);
    state->counts.messages += lookup_messages(state) - messages;
}

static void lookup_fill(LookupState *state, DynkvLookupBatch *batch)
{
    PlanState *child = linitial(state->css.custom_ps);
    uint32 size = (uint32)state->options->fetch_size;

    while (!state->is_outer_done && lookup_has_room(state, batch)) {
        TupleTableSlot *row = ExecProcNode(child);
        uint32 partition_len = 0;

        state->is_outer_done = TupIsNull(row);
        if (!state->is_outer_done) {
            struct dynkv_slice key = lookup_key(state, row, &partition_len);

            dynkv_lookup_batch_add(batch, row, key, partition_len);
        }
    }
    state->is_growing = state->batch_size < size;
    state->batch_size = Min(state->batch_size * 2, size);
    lookup_send(state, batch);
}

static void lookup_drop(LookupState *state, DynkvLookupBatch *batch)
{
    state->counts.received += dynkv_lookup_batch_received(batch);
    dynkv_lookup_batch_reset(batch, state->has_source ? &state->source : NULL);
}

/* The next batch with rows becomes the one that is looked at; false: there is none. */
static bool lookup_next_batch(LookupState *state)
{
    DynkvLookupBatch *next = state->ahead;

    lookup_drop(state, state->batch);
    state->ahead = state->batch;
    state->batch = next;
    if (dynkv_lookup_batch_rows(next) == 0)
        lookup_fill(state, next);
    if (!state->is_growing)
        lookup_fill(state, state->ahead);
    return dynkv_lookup_batch_rows(next) > 0;
}

static void lookup_begin_batches(LookupState *state)
{
    uint64 wanted = dynkv_plan_row_bound(&state->css.ss.ps);
    uint32 size = (uint32)state->options->fetch_size;

    state->batch_size = wanted > 0 && wanted < size ? (uint32)wanted : size;
    state->is_growing = state->batch_size < size;
    state->is_outer_done = false;
    state->has_outer = false;
}

static void lookup_connect(LookupState *state)
{
    MemoryContext old = MemoryContextSwitchTo(state->context);
    Oid user = OidIsValid(state->plan->user) ? state->plan->user : GetUserId();
    DynkvConnection *connection = dynkv_connection_get(state->options->serverid, user);

    state->has_source = dynkv_source_open(&state->source, connection, state->options,
                                          RelationGetRelationName(state->table),
                                          dynkv_scan_before(state->css.ss.ps.state));
    state->now_ms = dynkv_now_ms();
    state->is_connected = true;
    lookup_begin_batches(state);
    MemoryContextSwitchTo(old);
}

/* ---- rows ---- */

/* Whether the server says what row of the foreign table goes with the outer one. */
static bool lookup_is_check(const LookupState *state)
{
    const EPQState *epq = state->css.ss.ps.state->es_epq_active;
    Index at = state->plan->inner - 1;

    return epq && (epq->relsubs_done[at] || epq->relsubs_slot[at] || epq->relsubs_rowmark[at]);
}

/* That row, if there is one, in values and nulls. */
static bool lookup_checked_row(LookupState *state)
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

static bool lookup_read_row(LookupState *state, const DynkvConflictRow *row)
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
static bool lookup_found_row(LookupState *state)
{
    DynkvConflictRow row;

    while (state->has_object && dynkv_conflict_next(state->conflict, &row))
        if (lookup_read_row(state, &row))
            return true;
    return false;
}

static bool lookup_next_in_batch(LookupState *state, struct dynkv_slice *key,
                                 const struct dynkv_object **object)
{
    uint64 messages = lookup_messages(state);
    bool is_there = dynkv_lookup_batch_next(state->batch, state->has_source ? &state->source : NULL,
                                            state->outer, key, object);

    state->counts.messages += lookup_messages(state) - messages;
    return is_there;
}

/* The next outer row, and what its key holds. */
static bool lookup_next_outer(LookupState *state)
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
    if (!state->is_connected)
        lookup_connect(state);
    while (!lookup_next_in_batch(state, &key, &object))
        if (!lookup_next_batch(state))
            return false;
    state->has_object = object != NULL;
    if (object)
        dynkv_conflict_begin(state->conflict, key, object, state->now_ms);
    return true;
}

/* ---- pairs ---- */

/* The outer row and the foreign table's, if they match, are in the scan tuple; false: no more of those. */
static bool lookup_next_match(LookupState *state)
{
    bool is_check = lookup_is_check(state);

    while (is_check ? lookup_checked_row(state) : lookup_found_row(state)) {
        ExprContext *econtext = lookup_begin_pair(state, state->outer);
        MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);

        lookup_put_inner(state, state->values, state->nulls);
        MemoryContextSwitchTo(old);
        lookup_compute(state);
        if (ExecQual(state->match, econtext) && (!is_check || ExecQual(state->decided, econtext)))
            return true;
        InstrCountFiltered2(state, 1);
    }
    return false;
}

/* What the pair in the scan tuple becomes; NULL: the conditions after the join leave it out. */
static TupleTableSlot *lookup_project(LookupState *state)
{
    PlanState *ps = &state->css.ss.ps;

    if (!ExecQual(ps->qual, ps->ps_ExprContext)) {
        InstrCountFiltered1(state, 1);
        return NULL;
    }
    return ps->ps_ProjInfo ? ExecProject(ps->ps_ProjInfo) : state->css.ss.ss_ScanTupleSlot;
}

/* The next joined row of the outer row in hand; NULL: no more. */
static TupleTableSlot *lookup_next_pair(LookupState *state)
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
    lookup_begin_pair(state, state->outer);
    return lookup_project(state);
}

static TupleTableSlot *lookup_next(LookupState *state)
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

static void lookup_begin_row(LookupState *state)
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

static void lookup_begin_exprs(LookupState *state)
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
    LookupState *state = lookup_state(node);
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
    LookupState *state = lookup_state(node);

    lookup_drop(state, state->batch);
    lookup_drop(state, state->ahead);
    ExecEndNode(linitial(node->custom_ps));
}

static void lookup_rescan(CustomScanState *node)
{
    LookupState *state = lookup_state(node);
    PlanState *child = linitial(node->custom_ps);

    ExecScanReScan(&node->ss);
    lookup_drop(state, state->batch);
    lookup_drop(state, state->ahead);
    lookup_begin_batches(state);
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
    LookupState *state = lookup_state(node);
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
    LookupState *state = (LookupState *)newNode(sizeof *state, T_CustomScanState);

    state->css.methods = &lookup_exec_methods;
    return (Node *)state;
}

const CustomScanMethods dynkv_lookup_scan_methods = {
    .CustomName = DYNKV_LOOKUP_NAME,
    .CreateCustomScanState = lookup_create,
};
