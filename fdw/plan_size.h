/*
 * plan_size.h: how much a way to read a table asks of the cluster, and how much comes of it.
 *
 * Rows pass through three numbers: examined, which nodes look at; fetched, which travel, and is less where
 * nodes test conditions (qual.h); rows, which the query keeps.
 */
#ifndef DYNKV_FDW_PLAN_SIZE_H
#define DYNKV_FDW_PLAN_SIZE_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "fdw/match.h"

typedef struct DynkvPlanSize {
    double round_trips;
    double examined;
    double fetched;
    double rows;
    double row_bytes; /* of key and value; 0: not known */
} DynkvPlanSize;

/*
 * The rows of the table (rel->tuples), and the widths of columns that ANALYZE has not measured: what the
 * session was told of the keyspace (extent.h), else what ANALYZE counted, else a default.  Returns the bytes
 * of a row; 0: not known.
 */
extern double dynkv_plan_size_table(RelOptInfo *rel, Relation table,
                                    const DynkvTableOptions *options);
/*
 * Of an access.  used: its bounds; told: the conditions (RestrictInfos) that nodes test; rows: the planner's
 * estimate of what all conditions leave.
 */
extern DynkvPlanSize dynkv_plan_size(PlannerInfo *root, RelOptInfo *rel,
                                     const DynkvTableOptions *options, DynkvAccess access,
                                     List *used, List *told, double rows);
/* Startup and total cost of reading, without that of conditions and expressions above; size->row_bytes counts. */
extern void dynkv_plan_cost(const DynkvPlanSize *size, const DynkvTableOptions *options,
                            bool is_merged, Cost *startup, Cost *total);

#endif
