/*
 * plan_tree.h: what the plan nodes above a foreign scan say about it.
 *
 * The server tells wrappers nothing of the nodes above theirs; they are found from the top of the statement's
 * plan.  Source: ExecSetTupleBound of executor/execProcnode.c, which does not go on to foreign scans.
 */
#ifndef DYNKV_FDW_PLAN_TREE_H
#define DYNKV_FDW_PLAN_TREE_H

#include "postgres.h"

#include "nodes/execnodes.h"

/* The nodes above one of ours, the nearest first. */
extern List *dynkv_plan_ancestors(PlanState *node);

/*
 * How many rows the nodes above will take at most, by a LIMIT (and its OFFSET) that is known before the
 * statement runs; 0: that is not known, or any number.  It counts rows that pass the node's own conditions.
 */
extern uint64 dynkv_plan_row_bound(PlanState *node);

#endif
