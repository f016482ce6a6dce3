/*
 * plan_size.c: rows, widths and costs.
 *
 * Costs: fdw_startup_cost is one round trip, fdw_tuple_cost is one row on its way.  A get of many keys is
 * one round trip for each fetch_size of them, a scan of several partition keys one for each; a scan of
 * all partitions asks every node for pages ahead, which is two round trips before the rows flow.  The
 * defaults, 20 and 0.3, are their measured times (0.15 ms, 2 us) in the server's unit of about 7 us.
 *
 * A row that a node looks at and does not send costs a part of that.
 *
 * By key, a scan of all partitions costs each node, for each page, a look at every partition it has; rows
 * take longer on their way, as all nodes must have answered before the first one is given.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_attribute.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/compat.h"
#include "fdw/extent.h"
#include "fdw/plan_size.h"

/* Rows of a table of which nothing is known: more than one would read whole for the sake of a few. */
#define SIZE_DEFAULT_TUPLES   100000.0
/* Rows of a table that is empty: it will hardly stay so, and plans may be kept for long. */
#define SIZE_EMPTY_TUPLES     1000.0
/* Round trips before the rows of a scan of all partitions flow. */
#define SIZE_SCAN_ROUND_TRIPS 2.0
/* What a row costs that a node looks at, as a share of one that travels, as measured. */
#define SIZE_EXAMINED_ROW     0.5
/* What fdw_tuple_cost is for: a row of so many bytes; and how many more take as long once more, as measured. */
#define SIZE_ROW_BYTES        100.0
#define SIZE_BYTES_A_ROW      450.0

/* What a scan by key costs more, as measured: 5 ms until its first row, and three times as much a row. */
#define SIZE_MERGED_ROUND_TRIPS 30.0
#define SIZE_MERGED_ROW         2.0

/* Bytes beside the value that the formats take for a column: its name, and these. */
#define SIZE_ROW_OVERHEAD  2
#define SIZE_JSON_OVERHEAD 4

/* ---- the table ---- */

/* Bytes of a stored row that are no column's value: the names. */
static double size_names(Relation table, const DynkvTableOptions *options)
{
    TupleDesc desc = RelationGetDescr(table);
    double bytes = 0;

    if (options->format == DYNKV_FORMAT_RAW)
        return 0;
    for (int i = 0; i < desc->natts; i++) {
        if (TupleDescAttr(desc, i)->attisdropped ||
            list_member_int(options->partition_key, i + 1) ||
            list_member_int(options->sort_key, i + 1))
            continue;
        bytes += (double)strlen(NameStr(TupleDescAttr(desc, i)->attname)) +
                 (options->format == DYNKV_FORMAT_JSON ? SIZE_JSON_OVERHEAD : SIZE_ROW_OVERHEAD);
    }
    return bytes;
}

/* Columns of varying width that ANALYZE has not measured share what the others leave of a row. */
static void size_widths(RelOptInfo *rel, Relation table, const DynkvTableOptions *options,
                        double row_bytes)
{
    TupleDesc desc = RelationGetDescr(table);
    double left = row_bytes - size_names(table, options);
    Bitmapset *open = NULL;
    int32 width;
    int attno = -1;

    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute att = TupleDescAttr(desc, i);
        int32 known =
            att->attlen > 0 ? att->attlen : get_attavgwidth(RelationGetRelid(table), att->attnum);

        if (att->attisdropped || dynkv_option_meta(table, att->attnum))
            continue;
        if (known > 0)
            left -= known;
        else
            open = bms_add_member(open, att->attnum);
    }
    if (!open)
        return;
    width = (int32)Min(Max(rint(left / bms_num_members(open)), 1) + VARHDRSZ_SHORT, MaxAllocSize);
    while ((attno = bms_next_member(open, attno)) >= 0)
        rel->attr_widths[attno - rel->min_attr] = width;
}

double dynkv_plan_size_table(RelOptInfo *rel, Relation table, const DynkvTableOptions *options)
{
    DynkvExtent extent;

    if (dynkv_extent_known(options, &extent)) {
        rel->tuples = extent.rows > 0 ? extent.rows : SIZE_EMPTY_TUPLES;
        if (extent.row_bytes > 0)
            size_widths(rel, table, options, extent.row_bytes);
        return extent.row_bytes;
    }
    if (rel->tuples <= 0)
        rel->tuples = SIZE_DEFAULT_TUPLES;
    rel->tuples = Max(rel->tuples, extent.rows);
    return 0;
}

/* ---- an access ---- */

static List *size_bound_clauses(List *used)
{
    List *clauses = NIL;
    ListCell *cell;

    foreach (cell, used)
        clauses = lappend(clauses, ((DynkvBound *)lfirst(cell))->clause);
    return clauses;
}

/* How many combinations of values the equalities have. */
static double size_combinations(PlannerInfo *root, List *used)
{
    double combinations = 1;
    ListCell *cell;

    foreach (cell, used) {
        DynkvBound *bound = lfirst(cell);

        if (bound->kind == DYNKV_BOUND_ANY)
            combinations *= Max(1, dynkv_array_length(root, (Node *)bound->value));
    }
    return combinations;
}

static double size_left_by(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
    return clamp_row_est(rel->tuples * clauselist_selectivity(root, clauses, 0, JOIN_INNER, NULL));
}

DynkvPlanSize dynkv_plan_size(PlannerInfo *root, RelOptInfo *rel, const DynkvTableOptions *options,
                              DynkvAccess access, List *used, List *told, double rows)
{
    double combinations = size_combinations(root, used);
    List *bounds = size_bound_clauses(used);
    DynkvPlanSize size = {.rows = rows};

    switch (access) {
    case DYNKV_POINT_GET:
        /* A key is at most one row, whatever is known of the column's values. */
        size.round_trips = ceil(combinations / options->fetch_size);
        size.fetched = Min(combinations, rel->tuples);
        size.rows = clamp_row_est(Min(rows, size.fetched));
        return size;
    case DYNKV_PARTITION_SCAN:
        size.round_trips = combinations;
        break;
    case DYNKV_RANGE_SCAN:
    case DYNKV_FULL_SCAN:
        size.round_trips = SIZE_SCAN_ROUND_TRIPS;
        break;
    }
    size.examined = size_left_by(root, rel, bounds);
    size.fetched =
        told == NIL ? size.examined : size_left_by(root, rel, list_concat_unique_ptr(bounds, told));
    /* What travels costs what is looked at, too. */
    size.fetched = Min(size.fetched, size.examined);
    return size;
}

void dynkv_plan_cost(const DynkvPlanSize *size, const DynkvTableOptions *options, bool is_merged,
                     Cost *startup, Cost *total)
{
    Cost tuple =
        options->tuple_cost * (1 + Max(size->row_bytes - SIZE_ROW_BYTES, 0) / SIZE_BYTES_A_ROW);
    double kept_there = Max(size->examined - size->fetched, 0);

    *startup = options->startup_cost;
    *total = size->round_trips * options->startup_cost;
    if (is_merged) {
        *startup += SIZE_MERGED_ROUND_TRIPS * options->startup_cost;
        *total += SIZE_MERGED_ROUND_TRIPS * options->startup_cost;
        tuple *= 1 + SIZE_MERGED_ROW;
    }
    *total += size->fetched * (tuple + cpu_tuple_cost) + kept_there * tuple * SIZE_EXAMINED_ROW;
}
