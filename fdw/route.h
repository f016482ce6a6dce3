/*
 * route.h: partitions: rows that do not belong into the one they are written to.
 *
 * The server routes rows of an INSERT, and of an UPDATE of a local partition, to foreign partitions.  It does
 * not look at what an UPDATE makes of a foreign partition's row, nor at rows written to a partition directly;
 * a row in the wrong partition would be found by no query that knows the bounds.  So this does both.
 */
#ifndef DYNKV_FDW_ROUTE_H
#define DYNKV_FDW_ROUTE_H

#include "postgres.h"

#include "nodes/execnodes.h"

/* Raises 23514 for a row of an INSERT that the partition's bounds exclude, unless the server has looked. */
extern void dynkv_route_check_insert(ResultRelInfo *result, TupleTableSlot *slot, EState *estate);

/* Whether an updated row leaves its partition; 23514 if the statement names the partition itself. */
extern bool dynkv_route_leaves(const ModifyTableState *mtstate, ResultRelInfo *result,
                               TupleTableSlot *slot, EState *estate);
/*
 * Inserts it where it belongs now, with the triggers of that partition for an INSERT; the caller deletes it
 * here.  The triggers here are those of an UPDATE, which the server fires.
 */
extern void dynkv_route_insert(ModifyTableState *mtstate, ResultRelInfo *result,
                               TupleTableSlot *slot, TupleTableSlot *plan_slot);

#endif
