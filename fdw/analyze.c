/*
 * analyze.c: a sample of rows, and an estimate of how many there are.
 *
 * Rows stand in partitions by the hash of their partition key, so some partitions chosen at random are
 * as good as a random sample of partition keys.  Units of neighbouring partitions are read whole, in
 * random order, ANALYZE_UNITS_AHEAD at a time, until several times as many rows were read as the sample
 * needs (small tables are thus counted exactly), or a limit is met.  The rows of the units read go
 * through a reservoir, each with the same chance; the counts are those of the units read, divided by
 * their share of all partitions.
 *
 * What is weak: the rows of one partition key come together or not at all.  A sample in which hardly any
 * partition key stands alone makes the server believe that it has seen all of them, so of great tables
 * with a sort key n_distinct of the partition key is too small; reading more rows than the sample needs
 * moves the size from which on that is so.  If few partition keys hold most of the rows, the estimate
 * depends on whether those were met.  If a limit is met within the very first units, that part of the table counts as read whole, and
 * the estimate is too low; ANALYZE VERBOSE tells.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#include "fdw/analyze.h"
#include "fdw/bad_row.h"
#include "fdw/compat.h"
#include "fdw/conflict.h"
#include "fdw/connection.h"
#include "fdw/moment.h"
#include "fdw/report.h"

/* Units that the ring is divided into; more partitions than that are read several at a time. */
#define ANALYZE_UNITS_MAX     1024u
/* Units that are read at the same time. */
#define ANALYZE_UNITS_AHEAD   8
/* Units without which no estimate is made, though fewer had rows enough. */
#define ANALYZE_UNITS_MIN     64u
/* Entries read for each row of the sample; and at most, where partitions are few and great. */
#define ANALYZE_ENTRIES_A_ROW 10.0
#define ANALYZE_ENTRIES_LIMIT (4 * ANALYZE_ENTRIES_A_ROW)
/* A count alone reads no more units than it must, and no more entries than this. */
#define ANALYZE_COUNT_ENTRIES 10000.0
/* Bytes of keys and values read, at most. */
#define ANALYZE_BYTES_MAX     (UINT64CONST(256) * 1024 * 1024)

typedef struct AnalyzeUnit {
    struct dynkv_scan_handle *scan;
    double alive, dead; /* met in it */
} AnalyzeUnit;

typedef struct Analyze {
    Relation rel;
    DynkvTableOptions *options;
    DynkvConflict *conflict;
    DynkvConnection *connection;
    DynkvGuard *guard;
    uint64 keyspace;
    uint64 now_ms;

    uint32 *order; /* units, shuffled */
    uint32 unit_count;
    uint32 unit_partitions; /* partitions in each */
    uint32 units_started, units_done;
    AnalyzeUnit units[ANALYZE_UNITS_AHEAD]; /* those being read */

    HeapTuple *rows; /* the reservoir */
    int row_max;     /* 0: only count */
    int row_count;
    double entries_wanted, entries_limit;
    double select_state;
    double skip; /* rows to pass over before one takes a place; negative: not known */
    Datum *values;
    bool *nulls;
    MemoryContext row_context;

    double alive, dead; /* in units that are done */
    double alive_seen;  /* in all */
    double entries;
    uint64 bytes;
    DynkvBadRows bad_rows;
} Analyze;

static DYNKV_NORETURN void analyze_error(const Analyze *analyze, enum dynkv_error error,
                                         const char *text)
{
    if (error == DYNKV_NO_KEYSPACE)
        dynkv_connection_forget_keyspace(analyze->connection, analyze->options->keyspace);
    dynkv_report(ERROR, error, text, DYNKV_READING, RelationGetRelationName(analyze->rel));
    pg_unreachable();
}

/* ---- what to read ---- */

static uint32 analyze_partitions(Analyze *analyze)
{
    struct dynkv_request *request = dynkv_guard_request(
        analyze->guard, dynkv_ring_start(dynkv_connection_client(analyze->connection),
                                         (uint32)analyze->options->deadline_ms));
    uint32 partitions;

    dynkv_connection_wait(analyze->connection, request);
    if (dynkv_request_error(request))
        analyze_error(analyze, dynkv_request_error(request), dynkv_request_text(request));
    partitions = dynkv_request_ring(request)->partitions;
    dynkv_guard_free_request(analyze->guard, request);
    return partitions;
}

static void analyze_choose_units(Analyze *analyze)
{
    /* Both are powers of two. */
    uint32 partitions = analyze_partitions(analyze);
    uint32 i;

    analyze->unit_count = Min(partitions, ANALYZE_UNITS_MAX);
    analyze->unit_partitions = partitions / analyze->unit_count;
    analyze->order = palloc(sizeof *analyze->order * analyze->unit_count);
    for (i = 0; i < analyze->unit_count; i++) {
        uint32 place = (uint32)(anl_random_fract() * (i + 1));

        analyze->order[i] = analyze->order[place];
        analyze->order[place] = i;
    }
}

static bool analyze_is_at_limit(const Analyze *analyze)
{
    return analyze->entries >= analyze->entries_limit || analyze->bytes >= ANALYZE_BYTES_MAX;
}

static void analyze_start_unit(Analyze *analyze, AnalyzeUnit *unit)
{
    struct dynkv_scan_options options = {
        .keys_only = analyze->row_max == 0,
        .dead_too = true,
        .page_size = (uint32)analyze->options->fetch_size,
        .r = (uint8)analyze->options->r,
        .deadline_ms = (uint32)analyze->options->deadline_ms,
        .partition_first = analyze->order[analyze->units_started] * analyze->unit_partitions,
        .partition_count = analyze->unit_partitions,
    };

    unit->alive = unit->dead = 0;
    unit->scan = dynkv_guard_scan(analyze->guard,
                                  dynkv_scan_start(dynkv_connection_client(analyze->connection),
                                                   analyze->keyspace, &options));
    analyze->units_started++;
}

static bool analyze_wants_unit(const Analyze *analyze)
{
    return analyze->units_started < analyze->unit_count && !analyze_is_at_limit(analyze) &&
           (analyze->entries < analyze->entries_wanted ||
            analyze->units_started < ANALYZE_UNITS_MIN);
}

/* ---- rows ---- */

/* NULL: it cannot be read, and is to be skipped. */
static HeapTuple analyze_row(Analyze *analyze, const DynkvConflictRow *from)
{
    MemoryContext old = MemoryContextSwitchTo(analyze->row_context);
    HeapTuple row = NULL;
    bool is_read = true;

    if (analyze->options->skips_bad_rows)
        is_read = dynkv_bad_row_get(&analyze->bad_rows, analyze->conflict, from, analyze->values,
                                    analyze->nulls);
    else
        dynkv_conflict_get(analyze->conflict, from, analyze->values, analyze->nulls);
    MemoryContextSwitchTo(old);
    if (is_read)
        row = heap_form_tuple(RelationGetDescr(analyze->rel), analyze->values, analyze->nulls);
    MemoryContextReset(analyze->row_context);
    return row;
}

/* The first rows fill the reservoir; a later one takes the place of a random one (Vitter 1985). */
static void analyze_offer(Analyze *analyze, const DynkvConflictRow *from)
{
    HeapTuple row;
    int place;

    if (analyze->row_count < analyze->row_max) {
        row = analyze_row(analyze, from);
        if (row)
            analyze->rows[analyze->row_count++] = row;
        return;
    }
    if (analyze->skip < 0)
        analyze->skip =
            anl_get_next_S(analyze->alive_seen, analyze->row_max, &analyze->select_state);
    if (analyze->skip <= 0) {
        place = (int)(analyze->row_max * anl_random_fract());
        row = analyze_row(analyze, from);
        if (row) {
            heap_freetuple(analyze->rows[place]);
            analyze->rows[place] = row;
        }
    }
    analyze->skip -= 1;
}

static void analyze_entry(Analyze *analyze, AnalyzeUnit *unit, const struct dynkv_scan_item *item)
{
    DynkvConflictRow row;
    bool is_dead = true;
    uint32 i;

    analyze->entries += 1;
    analyze->bytes += item->at.key.len;
    for (i = 0; i < item->object.sibling_count; i++)
        analyze->bytes += item->object.siblings[i].value.len;
    dynkv_conflict_begin(analyze->conflict, item->at.key, &item->object, analyze->now_ms);
    while (dynkv_conflict_next(analyze->conflict, &row)) {
        is_dead = false;
        if (analyze->row_max > 0)
            analyze_offer(analyze, &row);
        unit->alive += 1;
        analyze->alive_seen += 1;
    }
    unit->dead += is_dead;
}

/* ---- reading ---- */

static void analyze_finish_unit(Analyze *analyze, AnalyzeUnit *unit)
{
    dynkv_guard_free_scan(analyze->guard, unit->scan);
    unit->scan = NULL;
    analyze->alive += unit->alive;
    analyze->dead += unit->dead;
    analyze->units_done++;
}

/* Takes what has come of one unit; false: nothing had. */
static bool analyze_read_unit(Analyze *analyze, AnalyzeUnit *unit)
{
    bool got_something = false;
    struct dynkv_scan_item item;

    while (!analyze_is_at_limit(analyze)) {
        CHECK_FOR_INTERRUPTS();
        switch (dynkv_scan_next(unit->scan, &item)) {
        case DYNKV_SCAN_ITEM:
            analyze_entry(analyze, unit, &item);
            got_something = true;
            break;
        case DYNKV_SCAN_WAIT:
            return got_something;
        case DYNKV_SCAN_END:
            analyze_finish_unit(analyze, unit);
            return true;
        case DYNKV_SCAN_ERROR:
            analyze_error(analyze, dynkv_scan_error(unit->scan), dynkv_scan_text(unit->scan));
        }
    }
    return got_something;
}

static void analyze_read(Analyze *analyze)
{
    for (;;) {
        bool is_busy = false;
        bool got_something = false;
        int i;

        for (i = 0; i < ANALYZE_UNITS_AHEAD; i++) {
            AnalyzeUnit *unit = &analyze->units[i];

            if (!unit->scan && analyze_wants_unit(analyze))
                analyze_start_unit(analyze, unit);
            if (unit->scan) {
                is_busy = true;
                got_something |= analyze_read_unit(analyze, unit);
            }
        }
        if (!is_busy || analyze_is_at_limit(analyze))
            return;
        if (!got_something)
            dynkv_connection_wait_any(analyze->connection);
    }
}

/* ---- the whole ---- */

static void analyze_init(Analyze *analyze, Relation rel)
{
    analyze->rel = rel;
    analyze->options = dynkv_table_options(rel);
    analyze->connection = dynkv_connection_get(analyze->options->serverid, rel->rd_rel->relowner);
    analyze->guard = dynkv_guard_create(analyze->connection);
    analyze->now_ms = dynkv_now_ms();
    analyze->entries_limit = ANALYZE_COUNT_ENTRIES;
    /* Statistics are not worth an error, nor a function's time: one of several values is as good. */
    analyze->options->resolver = NULL;
    if (analyze->options->conflict == DYNKV_CONFLICT_ERROR)
        analyze->options->conflict = DYNKV_CONFLICT_LWW;
    analyze->conflict = dynkv_conflict_create(
        rel, analyze->options, dynkv_codec_create(rel, analyze->options), NULL, true);
}

static void analyze_init_sample(Analyze *analyze, HeapTuple *rows, int row_max)
{
    int natts = RelationGetDescr(analyze->rel)->natts;

    analyze->rows = rows;
    analyze->row_max = row_max;
    analyze->entries_wanted = ANALYZE_ENTRIES_A_ROW * row_max;
    analyze->entries_limit = ANALYZE_ENTRIES_LIMIT * row_max;
    analyze->skip = -1;
    analyze->select_state = anl_init_selection_state(row_max);
    analyze->values = palloc0(sizeof *analyze->values * (Size)natts);
    analyze->nulls = palloc0(sizeof *analyze->nulls * (Size)natts);
    analyze->row_context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv analyze row", ALLOCSET_DEFAULT_SIZES);
}

/* From the units read to the whole table. */
static void analyze_estimate(Analyze *analyze, int elevel, double *total_rows, double *total_dead)
{
    uint32 units = analyze->units_done;
    bool is_cut = false;
    int i;

    /* Units that a limit cut short are no measure, unless there is no better one. */
    for (i = 0; i < ANALYZE_UNITS_AHEAD; i++)
        is_cut |= analyze->units[i].scan != NULL;
    for (i = 0; i < ANALYZE_UNITS_AHEAD && analyze->units_done == 0; i++) {
        if (!analyze->units[i].scan)
            continue;
        analyze->alive += analyze->units[i].alive;
        analyze->dead += analyze->units[i].dead;
        units++;
    }
    *total_rows = units ? rint(analyze->alive * analyze->unit_count / units) : 0;
    *total_dead = units ? rint(analyze->dead * analyze->unit_count / units) : 0;
    ereport(elevel,
            (errmsg("\"%s\": read %u of %u partitions, containing %.0f live rows and %.0f dead "
                    "rows; %d rows in sample, %.0f estimated total rows%s",
                    RelationGetRelationName(analyze->rel), units * analyze->unit_partitions,
                    analyze->unit_count * analyze->unit_partitions, analyze->alive, analyze->dead,
                    analyze->row_count, *total_rows,
                    is_cut ? "; stopped at the limit of what ANALYZE reads" : "")));
}

/* False: nobody has written yet. */
static bool analyze_run(Analyze *analyze)
{
    if (!dynkv_connection_keyspace(analyze->connection, analyze->options,
                                   RelationGetRelationName(analyze->rel), false,
                                   &analyze->keyspace))
        return false;
    analyze_choose_units(analyze);
    analyze_read(analyze);
    return true;
}

static void analyze_close(Analyze *analyze)
{
    int i;

    for (i = 0; i < ANALYZE_UNITS_AHEAD; i++)
        dynkv_guard_free_scan(analyze->guard, analyze->units[i].scan);
}

static int analyze_acquire_rows(Relation rel, int elevel, HeapTuple *rows, int row_max,
                                double *total_rows, double *total_dead)
{
    Analyze *analyze = palloc0(sizeof *analyze);

    *total_rows = *total_dead = 0;
    analyze_init(analyze, rel);
    analyze_init_sample(analyze, rows, row_max);
    if (analyze_run(analyze))
        analyze_estimate(analyze, elevel, total_rows, total_dead);
    analyze_close(analyze);
    MemoryContextDelete(analyze->row_context);
    return analyze->row_count;
}

/*
 * The size is asked for before the sample is taken, and matters where several tables share a sample, as
 * a partitioned table's partitions do.  pg_class.relpages shows it.
 */
bool dynkvAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *total_pages)
{
    Analyze *analyze = palloc0(sizeof *analyze);
    double width = get_rel_data_width(rel, NULL) + MAXALIGN(SizeofHeapTupleHeader);
    double rows = 0;
    double dead;

    analyze_init(analyze, rel);
    if (analyze_run(analyze))
        analyze_estimate(analyze, DEBUG2, &rows, &dead);
    analyze_close(analyze);
    *func = analyze_acquire_rows;
    *total_pages = (BlockNumber)Max(1, Min(ceil(rows * width / BLCKSZ), MaxBlockNumber));
    return true;
}
