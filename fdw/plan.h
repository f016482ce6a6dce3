/*
 * plan.h: estimates, paths and plans of foreign scans, made without asking the cluster.
 *
 * A plan's fdw_exprs are the values of the bounds, in the order of its bounds, and then the conditions that
 * nodes test (qual.h); they are evaluated at execution, so generic plans, parameters and joins bind keys like
 * constants do.
 */
#ifndef DYNKV_FDW_PLAN_H
#define DYNKV_FDW_PLAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "base/order.h"
#include "fdw/match.h"

/* What planning knows of a table: its RelOptInfo's fdw_private. */
typedef struct DynkvPlanRel {
    DynkvTableOptions *options;
    DynkvKeyColumns columns;
    DynkvAccess access; /* from the table's own conditions, and with what bounds */
    List *used;
    List *told;       /* of those conditions, what nodes can test */
    double row_bytes; /* 0: not known */
} DynkvPlanRel;

/* What a ForeignScan's fdw_private says; see dynkv_plan_read. */
typedef struct DynkvPlan {
    DynkvAccess access;
    enum dynkv_order order; /* of the keys; PARTITION: any */
    bool is_exact;      /* what comes passes all conditions, as far as is known: keys, and nodes */
    int examined_a_row; /* rows that nodes look at for one that they send, as estimated */
    bool is_target;     /* rows are to be updated or deleted: remember them (rows.h) */
    bool wants_all;     /* all columns */
    Bitmapset *wanted;  /* else these, by attribute number; may be none */
    int bound_count;
    DynkvBound *bounds; /* clause and value are not set: values are in fdw_exprs */
    List *filter;       /* conditions that nodes test; the plan's own */
} DynkvPlan;

/* In the current memory context. */
extern DynkvPlan *dynkv_plan_read(ForeignScan *scan);

extern void dynkvGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void dynkvGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *dynkvGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
                                        ForeignPath *path, List *tlist, List *clauses,
                                        Plan *outer_plan);

#endif
