/*
 * scan.c: a foreign scan.
 *
 * Begin touches no network, so that EXPLAIN works without a cluster.  The first Iterate connects,
 * evaluates the key values and begins to fetch.  Which rows a key is: conflict.h.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "fdw/bad_row.h"
#include "fdw/bind.h"
#include "fdw/codec.h"
#include "fdw/compat.h"
#include "fdw/conflict.h"
#include "fdw/connection.h"
#include "fdw/fetch.h"
#include "fdw/moment.h"
#include "fdw/plan.h"
#include "fdw/plan_tree.h"
#include "fdw/qual.h"
#include "fdw/rows.h"
#include "fdw/scan.h"

/* Where rows must pass conditions, and a LIMIT wants few: how many are fetched at first. */
#define SCAN_FEWEST_TRIED    UINT64CONST(10)
#define SCAN_TRIED_A_ROW     10
/* Of rows that nodes look at for a LIMIT, one more for each so many that the planner expects. */
#define SCAN_EXAMINED_MARGIN 4

typedef struct DynkvScanState {
    DynkvPlan *plan;
    DynkvTableOptions *options;
    DynkvKeyColumns columns;
    DynkvCodec *codec;
    DynkvBind *bind;
    DynkvQuals *quals; /* that nodes test; NULL: none */
    struct dynkv_slice filter;
    DynkvRows *rows; /* of an UPDATE or DELETE's target; else NULL */
    DynkvConflict *conflict;
    bool needs_header; /* xmin, xmax, cmin or cmax is asked for */

    MemoryContext context;       /* of this state */
    MemoryContext row_context;   /* of the row given out last */
    DynkvConnection *connection; /* NULL until the first Iterate */
    DynkvFetch *fetch;           /* NULL: the keyspace is not there, no rows */
    uint32 partition_len;        /* of the key that was begun last */
    bool is_begun;               /* one was, since the scan began or began anew */
    bool is_bound;               /* the values were evaluated since the last change */
    uint64 now_ms;               /* what has expired is decided once a scan */
    DynkvScanCounts counts;
    DynkvBadRows bad_rows;
} DynkvScanState;

/* System columns that stand in a local row's header; ctid and tableoid the server has elsewhere. */
static bool scan_needs_header(const ForeignScan *scan)
{
    static const AttrNumber attnos[] = {MinTransactionIdAttributeNumber,
                                        MaxTransactionIdAttributeNumber,
                                        MinCommandIdAttributeNumber, MaxCommandIdAttributeNumber};
    Bitmapset *named = NULL;

    if (!scan->fsSystemCol)
        return false;
    pull_varattnos((Node *)scan->scan.plan.targetlist, scan->scan.scanrelid, &named);
    pull_varattnos((Node *)scan->scan.plan.qual, scan->scan.scanrelid, &named);
    for (size_t i = 0; i < lengthof(attnos); i++)
        if (bms_is_member(attnos[i] - FirstLowInvalidHeapAttributeNumber, named))
            return true;
    return false;
}

static DynkvScanState *scan_state(ForeignScanState *node)
{
    return (DynkvScanState *)node->fdw_state;
}

DynkvScanCounts dynkv_scan_counts(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);
    DynkvScanCounts counts = state->counts;

    if (state->fetch)
        counts.requests = dynkv_fetch_requests(state->fetch);
    if (state->fetch)
        counts.received = dynkv_fetch_received(state->fetch);
    if (state->fetch)
        counts.examined = dynkv_fetch_examined(state->fetch);
    if (state->fetch)
        counts.own_rows = dynkv_fetch_own_rows(state->fetch, &counts.has_own_writes);
    return counts;
}

const char *dynkv_scan_keyspace(ForeignScanState *node)
{
    return scan_state(node)->options->keyspace;
}

void dynkvBeginForeignScan(ForeignScanState *node, int eflags)
{
    Relation rel = node->ss.ss_currentRelation;
    DynkvScanState *state = palloc0(sizeof *state);
    EState *estate = node->ss.ps.state;

    node->fdw_state = state;
    state->context = CurrentMemoryContext;
    state->plan = dynkv_plan_read((ForeignScan *)node->ss.ps.plan);
    state->options = dynkv_table_options(rel);
    dynkv_match_key_columns(rel, state->options, &state->columns);
    state->codec = dynkv_codec_create(rel, state->options);
    state->bind = dynkv_bind_create(node, state->plan, state->codec, &state->columns);
    state->quals = dynkv_quals_create(node, state->options, state->plan->filter);
    state->conflict = dynkv_conflict_create(rel, state->options, state->codec,
                                            state->plan->wants_all ? NULL : state->plan->wanted,
                                            state->plan->wants_all || state->plan->wanted != NULL);
    state->needs_header = scan_needs_header((ForeignScan *)node->ss.ps.plan);
    if (state->plan->is_target && !(eflags & EXEC_FLAG_EXPLAIN_ONLY))
        state->rows = dynkv_rows_of(estate, RelationGetRelid(rel));
    state->row_context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv row", ALLOCSET_DEFAULT_SIZES);
}

CommandId dynkv_scan_before(const EState *estate)
{
    return estate->es_snapshot ? estate->es_snapshot->curcid : GetCurrentCommandId(false);
}

/* How many entries will be taken; with conditions tested here, nobody knows how many more than rows. */
static uint64 scan_expected(ForeignScanState *node)
{
    uint64 rows = dynkv_plan_row_bound(&node->ss.ps);

    if (rows > 0 && !scan_state(node)->plan->is_exact)
        return Max(rows, SCAN_FEWEST_TRIED) * SCAN_TRIED_A_ROW;
    return rows;
}

/* How many nodes look at for those: as many as the planner thought, and some more. */
static uint64 scan_examined(const DynkvScanState *state, uint64 expected)
{
    uint64 a_row = (uint64)state->plan->examined_a_row;

    if (a_row <= 1 || expected > PG_UINT64_MAX / (2 * a_row))
        return expected;
    return expected * a_row + expected * a_row / SCAN_EXAMINED_MARGIN;
}

static void scan_connect(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);
    EState *estate = node->ss.ps.state;
    MemoryContext old = MemoryContextSwitchTo(state->context);
    DynkvFetchPlan plan = {
        .options = state->options,
        .table = RelationGetRelationName(node->ss.ss_currentRelation),
        .access = state->plan->access,
        .bind = state->bind,
        .order = state->plan->order,
        .expected = scan_expected(node),
        .keys_only = !dynkv_conflict_needs_value(state->conflict),
        .filter = &state->filter,
        .before = dynkv_scan_before(estate),
    };

    plan.examined = scan_examined(state, plan.expected);
    state->connection = dynkv_connection_get(
        state->options->serverid, dynkv_scan_user((ForeignScan *)node->ss.ps.plan, estate));
    state->fetch = dynkv_fetch_create(state->connection, &plan);
    MemoryContextSwitchTo(old);
}

static void scan_bind(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);

    if (!state->connection)
        scan_connect(node);
    dynkv_bind_evaluate(state->bind);
    if (state->quals)
        state->filter = dynkv_quals_evaluate(state->quals);
    state->now_ms = dynkv_now_ms();
    state->is_bound = true;
}

/* false: a row that cannot be read, and is to be skipped. */
static bool scan_get_row(DynkvScanState *state, const DynkvConflictRow *row, TupleTableSlot *slot)
{
    if (state->options->skips_bad_rows)
        return dynkv_bad_row_get(&state->bad_rows, state->conflict, row, slot->tts_values,
                                 slot->tts_isnull);
    dynkv_conflict_get(state->conflict, row, slot->tts_values, slot->tts_isnull);
    return true;
}

/* Fills the slot with the wanted columns; the others are NULL, and nobody looks at them.  false: skipped. */
static bool scan_store_row(ForeignScanState *node, const DynkvConflictRow *row)
{
    DynkvScanState *state = scan_state(node);
    TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
    MemoryContext old;
    bool is_read;

    MemoryContextReset(state->row_context);
    old = MemoryContextSwitchTo(state->row_context);
    is_read = scan_get_row(state, row, slot);
    MemoryContextSwitchTo(old);
    if (!is_read)
        return false;
    ExecStoreVirtualTuple(slot);
    if (state->rows) {
        DynkvOldRow noted = {
            .key = row->key,
            .partition_len = state->partition_len,
            .expires_at_ms = row->expires_at_ms,
            .place = row->place,
            .count = row->count,
        };

        dynkv_rows_remember(state->rows, &noted, &row->object->version, &slot->tts_tid);
    }
    if (state->needs_header)
        dynkv_rows_make_header(slot);
    return true;
}

/* The next row of the key that was begun, or of one that comes after it; false: no more. */
static bool scan_find_row(DynkvScanState *state, DynkvConflictRow *row)
{
    DynkvEntry entry;

    while (!state->is_begun || !dynkv_conflict_next(state->conflict, row)) {
        state->is_begun = dynkv_fetch_next(state->fetch, &entry);
        if (!state->is_begun)
            return false;
        state->partition_len = entry.partition_len;
        dynkv_conflict_begin(state->conflict, entry.key, entry.object, state->now_ms);
    }
    return true;
}

static void scan_next_row(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);
    DynkvConflictRow row;

    while (scan_find_row(state, &row)) {
        state->counts.rows++;
        state->counts.bytes += row.key.len + row.sibling->value.len;
        if (scan_store_row(node, &row))
            return;
    }
}

static uint64 scan_messages(const DynkvScanState *state)
{
    struct dynkv_client_stats stats;

    dynkv_client_stats(dynkv_connection_client(state->connection), &stats);
    return stats.messages_sent;
}

TupleTableSlot *dynkvIterateForeignScan(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);
    TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
    uint64 messages = 0;

    ExecClearTuple(slot);
    if (!state->is_bound)
        scan_bind(node);
    if (!state->fetch)
        return slot;
    if (node->ss.ps.instrument)
        messages = scan_messages(state);
    scan_next_row(node);
    if (node->ss.ps.instrument)
        state->counts.messages += scan_messages(state) - messages;
    return slot;
}

void dynkvReScanForeignScan(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);
    bool values_changed = node->ss.ps.chgParam != NULL;

    if (!state->is_bound)
        return;
    state->is_begun = false;
    if (state->fetch)
        dynkv_fetch_restart(state->fetch, values_changed);
    if (values_changed)
        state->is_bound = false;
    else
        dynkv_bind_rewind(state->bind);
}

void dynkvEndForeignScan(ForeignScanState *node)
{
    DynkvScanState *state = scan_state(node);

    if (state && state->fetch)
        dynkv_fetch_close(state->fetch);
}
