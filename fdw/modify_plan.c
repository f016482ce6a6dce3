/* modify_plan.c: what a statement may do to a foreign table, and what its plan carries along for that. */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "fdw/modify.h"
#include "fdw/modify_state.h"

int dynkvIsForeignRelUpdatable(Relation rel)
{
    return dynkv_table_options(rel)->updatable
               ? (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE)
               : 0;
}

void dynkvAddForeignUpdateTargets(PlannerInfo *root, Index index, RangeTblEntry *entry,
                                  Relation rel)
{
    add_row_identity_var(
        root, makeVar((int)index, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0), index,
        DYNKV_MODIFY_CTID);
    /*
     * RETURNING of a DELETE shows the row that was; for UPDATE the server asks for it itself.  It is a
     * RECORD, as the server has it, so that partitions of different row types share one column.
     */
    if (root->parse->commandType == CMD_DELETE && root->parse->returningList)
        add_row_identity_var(root,
                             makeVar((int)index, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0),
                             index, DYNKV_MODIFY_WHOLEROW);
}

/* DO NOTHING needs to know whether the row is there, which is what on_insert 'error' asks. */
bool dynkv_modify_skips_existing(Relation rel, const ModifyTable *plan)
{
    if (!plan || plan->onConflictAction == ONCONFLICT_NONE)
        return false;
    if (plan->onConflictAction == ONCONFLICT_NOTHING && dynkv_table_options(rel)->insert_errors)
        return true;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("INSERT with ON CONFLICT is not supported on foreign table \"%s\"",
                    RelationGetRelationName(rel)),
             plan->onConflictAction == ONCONFLICT_NOTHING
                 ? errhint("INSERT overwrites the row with the same key; with the option "
                           "on_insert 'error' of the table ON CONFLICT DO NOTHING keeps it.")
                 : errhint("INSERT into a dynkv table overwrites the row with the same key.")));
}

static bool modify_names_ctid(PlannerInfo *root, Index index)
{
    Bitmapset *columns = NULL;

    pull_varattnos((Node *)root->parse->jointree, index, &columns);
    return bms_is_member(SelfItemPointerAttributeNumber - FirstLowInvalidHeapAttributeNumber,
                         columns);
}

/*
 * In a statement that writes the table ctid is the number of a row that was read (rows.h).  What a user has in
 * mind is another thing: DELETE ... WHERE ctid = '(0,1)' would delete whatever row came first.
 */
static void modify_check_conditions(PlannerInfo *root, Index index, Relation rel)
{
    if (modify_names_ctid(root, index) ||
        (root->parse->resultRelation > 0 &&
         modify_names_ctid(root, (Index)root->parse->resultRelation)))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot find rows of foreign table \"%s\" by their ctid",
                               RelationGetRelationName(rel)),
                        errdetail("Rows in the cluster have a key, and no place."),
                        errhint("Name them by the columns of the key.")));
}

List *dynkvPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan_index)
{
    Relation rel = table_open(planner_rt_fetch(index, root)->relid, NoLock);

    dynkv_modify_skips_existing(rel, plan); /* as early as at planning */
    modify_check_conditions(root, index, rel);
    table_close(rel, NoLock);
    return NIL;
}
