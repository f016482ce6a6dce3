/* plan_tree.c: a walk down the statement's plan, and back up from the scan. */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "fdw/plan_tree.h"

static bool tree_find_ancestors(Plan *plan, Plan *wanted, List **ancestors);

static bool tree_find_in_list(List *plans, Plan *wanted, List **ancestors)
{
    ListCell *cell;

    foreach (cell, plans)
        if (tree_find_ancestors(lfirst(cell), wanted, ancestors))
            return true;
    return false;
}

/* The nodes above `wanted`, the nearest first. */
static bool tree_find_ancestors(Plan *plan, Plan *wanted, List **ancestors)
{
    bool found;

    if (!plan)
        return false;
    if (plan == wanted)
        return true;
    found = tree_find_ancestors(plan->lefttree, wanted, ancestors) ||
            tree_find_ancestors(plan->righttree, wanted, ancestors);
    if (!found && IsA(plan, Append))
        found = tree_find_in_list(((Append *)plan)->appendplans, wanted, ancestors);
    else if (!found && IsA(plan, MergeAppend))
        found = tree_find_in_list(((MergeAppend *)plan)->mergeplans, wanted, ancestors);
    else if (!found && IsA(plan, SubqueryScan))
        found = tree_find_ancestors(((SubqueryScan *)plan)->subplan, wanted, ancestors);
    else if (!found && IsA(plan, CustomScan))
        found = tree_find_in_list(((CustomScan *)plan)->custom_plans, wanted, ancestors);
    if (found)
        *ancestors = lappend(*ancestors, plan);
    return found;
}

List *dynkv_plan_ancestors(PlanState *node)
{
    PlannedStmt *statement = node->state->es_plannedstmt;
    List *ancestors = NIL;

    if (!tree_find_ancestors(statement->planTree, node->plan, &ancestors))
        tree_find_in_list(statement->subplans, node->plan, &ancestors);
    return ancestors;
}

/* ---- limits ---- */

/* Whether a node gives a row for each that it takes, at most, and takes no more than it is asked for. */
static bool tree_passes_rows(const Plan *plan)
{
    switch (nodeTag(plan)) {
    case T_Result:
    case T_SubqueryScan:
        return plan->qual == NIL;
    case T_ProjectSet:
    case T_LockRows:
    case T_Append:
    case T_MergeAppend:
        return true;
    default:
        return false;
    }
}

/* Whether an expression needs more than the statement's own parameters. */
static bool tree_is_unknown(Node *expr, void *econtext)
{
    if (!expr)
        return false;
    switch (nodeTag(expr)) {
    case T_Var:
    case T_SubPlan:
    case T_AlternativeSubPlan:
        return true;
    case T_Param: /* without a list: EXPLAIN of a generic plan */
        return ((Param *)expr)->paramkind != PARAM_EXTERN ||
               !((ExprContext *)econtext)->ecxt_param_list_info;
    default:
        return expression_tree_walker(expr, tree_is_unknown, econtext);
    }
}

/* The value of a LIMIT or OFFSET; false: it is not known yet.  NULL is no limit, as in nodeLimit.c. */
static bool tree_count(PlanState *node, Node *expr, int64 *count)
{
    ExprContext *econtext = node->ps_ExprContext;
    ExprState *state;
    Datum value;
    bool is_null;

    *count = 0;
    if (!expr)
        return true;
    if (tree_is_unknown(expr, econtext) || contain_volatile_functions(expr))
        return false;
    state = ExecInitExpr((Expr *)expr, NULL);
    value = ExecEvalExprSwitchContext(state, econtext, &is_null);
    *count = is_null ? 0 : DatumGetInt64(value);
    return *count >= 0;
}

uint64 dynkv_plan_row_bound(PlanState *node)
{
    ListCell *cell;

    foreach (cell, dynkv_plan_ancestors(node)) {
        Plan *plan = lfirst(cell);
        Limit *limit = (Limit *)plan;
        int64 count, offset;

        if (!IsA(plan, Limit) && !tree_passes_rows(plan))
            return 0;
        if (!IsA(plan, Limit))
            continue;
        if (!limit->limitCount || !tree_count(node, limit->limitCount, &count) ||
            !tree_count(node, limit->limitOffset, &offset))
            return 0;
        return (uint64)count + (uint64)offset;
    }
    return 0;
}
