/*
 * route.c: the server's tuple routing, for rows that leave a foreign partition.
 *
 * This is what nodeModifyTable.c does for local partitions in ExecCrossPartitionUpdate, as far as that is
 * open to an extension: a local partition is written through ExecSimpleRelationInsert, as by logical
 * replication, and a foreign one through its wrapper.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/tupconvert.h"
#include "commands/trigger.h"
#include "executor/execPartition.h"
#include "executor/nodeModifyTable.h"
#include "utils/rel.h"

#include "fdw/compat.h"
#include "fdw/route.h"

static bool route_is_partition(const ResultRelInfo *result)
{
    return result->ri_RelationDesc->rd_rel->relispartition;
}

void dynkv_route_check_insert(ResultRelInfo *result, TupleTableSlot *slot, EState *estate)
{
    bool was_routed = result->ri_RootResultRelInfo != NULL;
    bool was_changed = result->ri_TrigDesc && result->ri_TrigDesc->trig_insert_before_row;

    if (route_is_partition(result) && (!was_routed || was_changed))
        ExecPartitionCheck(result, slot, estate, true);
}

bool dynkv_route_leaves(const ModifyTableState *mtstate, ResultRelInfo *result,
                        TupleTableSlot *slot, EState *estate)
{
    if (!route_is_partition(result) || ExecPartitionCheck(result, slot, estate, false))
        return false;
    if (result == mtstate->rootResultRelInfo)
        ExecPartitionCheckEmitError(result, slot, estate);
    return true;
}

/* Made by the first row that moves, as the server does. */
static void route_prepare(ModifyTableState *mtstate)
{
    Relation root = mtstate->rootResultRelInfo->ri_RelationDesc;

    if (mtstate->mt_partition_tuple_routing)
        return;
    mtstate->mt_partition_tuple_routing = ExecSetupPartitionTupleRouting(mtstate->ps.state, root);
    mtstate->mt_root_tuple_slot = table_slot_create(root, NULL);
}

/* The row as the root table has it; both forms have their columns in an order of their own. */
static TupleTableSlot *route_to_root(ModifyTableState *mtstate, ResultRelInfo *result,
                                     TupleTableSlot *slot)
{
    TupleConversionMap *map = ExecGetChildToRootMap(result);

    return map ? execute_attr_map_slot(map->attrMap, slot, mtstate->mt_root_tuple_slot) : slot;
}

static TupleTableSlot *route_from_root(ResultRelInfo *target, TupleTableSlot *slot, EState *estate)
{
    TupleConversionMap *map = dynkv_root_to_child_map(target, estate);

    return map ? execute_attr_map_slot(map->attrMap, slot, target->ri_PartitionTupleSlot) : slot;
}

static void route_insert_foreign(ResultRelInfo *target, TupleTableSlot *slot,
                                 TupleTableSlot *plan_slot, EState *estate)
{
    TriggerDesc *triggers = target->ri_TrigDesc;
    TupleDesc desc = RelationGetDescr(target->ri_RelationDesc);

    slot->tts_tableOid = RelationGetRelid(target->ri_RelationDesc);
    if (triggers && triggers->trig_insert_before_row && !ExecBRInsertTriggers(estate, target, slot))
        return; /* a trigger has said no */
    if (desc->constr && desc->constr->has_generated_stored)
        ExecComputeStoredGenerated(target, estate, slot, CMD_INSERT);
    slot = target->ri_FdwRoutine->ExecForeignInsert(estate, target, slot, plan_slot);
    if (!slot)
        return;
    slot->tts_tableOid = RelationGetRelid(target->ri_RelationDesc);
    ExecARInsertTriggers(estate, target, slot, NIL, NULL);
}

static void route_insert_local(ResultRelInfo *target, TupleTableSlot *slot, EState *estate)
{
    if (target->ri_RelationDesc->rd_rel->relhasindex && !target->ri_IndexRelationDescs)
        ExecOpenIndices(target, false);
    ExecSimpleRelationInsert(target, estate, slot);
}

void dynkv_route_insert(ModifyTableState *mtstate, ResultRelInfo *result, TupleTableSlot *slot,
                        TupleTableSlot *plan_slot)
{
    EState *estate = mtstate->ps.state;
    ResultRelInfo *target;
    MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt); /* as the server inserts */

    route_prepare(mtstate);
    slot = route_to_root(mtstate, result, slot);
    target = ExecFindPartition(mtstate, mtstate->rootResultRelInfo,
                               mtstate->mt_partition_tuple_routing, slot, estate);
    slot = route_from_root(target, slot, estate);
    if (target->ri_FdwRoutine)
        route_insert_foreign(target, slot, plan_slot, estate);
    else
        route_insert_local(target, slot, estate);
    MemoryContextSwitchTo(old);
}
