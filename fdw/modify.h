/* modify.h: INSERT, UPDATE, DELETE and COPY into foreign tables. */
#ifndef DYNKV_FDW_MODIFY_H
#define DYNKV_FDW_MODIFY_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "utils/relcache.h"

extern int dynkvIsForeignRelUpdatable(Relation rel);
extern void dynkvAddForeignUpdateTargets(PlannerInfo *root, Index index, RangeTblEntry *entry,
                                         Relation rel);
extern List *dynkvPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index index,
                                    int subplan_index);
extern void dynkvBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result,
                                    List *fdw_private, int subplan_index, int eflags);
extern TupleTableSlot *dynkvExecForeignInsert(EState *estate, ResultRelInfo *result,
                                              TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern int dynkvGetForeignModifyBatchSize(ResultRelInfo *result);
extern TupleTableSlot **dynkvExecForeignBatchInsert(EState *estate, ResultRelInfo *result,
                                                    TupleTableSlot **slots,
                                                    TupleTableSlot **plan_slots, int *slot_count);
extern TupleTableSlot *dynkvExecForeignUpdate(EState *estate, ResultRelInfo *result,
                                              TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot *dynkvExecForeignDelete(EState *estate, ResultRelInfo *result,
                                              TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void dynkvEndForeignModify(EState *estate, ResultRelInfo *result);
extern void dynkvBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *result);
extern void dynkvEndForeignInsert(EState *estate, ResultRelInfo *result);

/* What a statement has written to one table, for EXPLAIN ANALYZE. */
typedef struct DynkvModifyCounts {
    bool is_immediate;
    uint64 buffered; /* writes kept for the commit */
    uint64 flushed;  /* writes sent and acknowledged */
} DynkvModifyCounts;

/* false: it was not executed. */
extern bool dynkv_modify_counts(const ResultRelInfo *result, DynkvModifyCounts *counts);

extern void dynkv_modify_init(void); /* from _PG_init */

#endif
