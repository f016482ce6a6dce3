/* explain.h: what EXPLAIN says of scans and modifications. */
#ifndef DYNKV_FDW_EXPLAIN_H
#define DYNKV_FDW_EXPLAIN_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "fdw/compat.h"

extern void dynkvExplainForeignScan(ForeignScanState *node, ExplainState *es);
extern void dynkvExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result,
                                      List *fdw_private, int subplan_index, ExplainState *es);

#endif
