/*
 * explain.c: access, key condition, and with ANALYZE what it took.
 *
 * The key condition shows the values' expressions as they were planned.  A value that comes from an outer
 * table is a parameter by now; ruleutils finds what it stands for by the plan nodes above this one, which
 * FDWs are not told, so they are looked up in the plan tree (plan_tree.h).
 */
#include "postgres.h"

#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "fdw/compat.h"
#include "fdw/explain.h"
#include "fdw/modify.h"
#include "fdw/plan.h"
#include "fdw/plan_tree.h"
#include "fdw/scan.h"

static char *explain_key(ForeignScanState *node, const DynkvPlan *plan, ExplainState *es)
{
    static const char *const operators[] = {
        [DYNKV_BOUND_EQ] = "=",    [DYNKV_BOUND_ANY] = "= ANY", [DYNKV_BOUND_LT] = "<",
        [DYNKV_BOUND_LE] = "<=",   [DYNKV_BOUND_GE] = ">=",     [DYNKV_BOUND_GT] = ">",
        [DYNKV_BOUND_LIKE] = "~~", [DYNKV_BOUND_PREFIX] = "^@",
    };
    Relation rel = node->ss.ss_currentRelation;
    ForeignScan *scan = (ForeignScan *)node->ss.ps.plan;
    List *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan,
                                             dynkv_plan_ancestors(&node->ss.ps));
    DynkvKeyColumns columns;
    StringInfoData text;

    dynkv_match_key_columns(rel, dynkv_table_options(rel), &columns);
    initStringInfo(&text);
    for (int i = 0; i < plan->bound_count; i++) {
        const DynkvBound *bound = &plan->bounds[i];
        char *column = get_attname(RelationGetRelid(rel), columns.attnos[bound->column], false);
        char *value = deparse_expression(list_nth(scan->fdw_exprs, i), context, es->verbose, false);

        if (i > 0)
            appendStringInfoString(&text, " AND ");
        if (bound->kind == DYNKV_BOUND_ANY)
            appendStringInfo(&text, "(%s = ANY (%s))", quote_identifier(column), value);
        else
            appendStringInfo(&text, "(%s %s %s)", quote_identifier(column), operators[bound->kind],
                             value);
    }
    return text.data;
}

/* The conditions that nodes test. */
static char *explain_filter(ForeignScanState *node, const DynkvPlan *plan, ExplainState *es)
{
    List *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan,
                                             dynkv_plan_ancestors(&node->ss.ps));

    return deparse_expression((Node *)make_ands_explicit(plan->filter), context, es->verbose,
                              false);
}

/* The columns that rows are ordered by: those of the key that have more than one value. */
static char *explain_order(ForeignScanState *node, const DynkvPlan *plan)
{
    Relation rel = node->ss.ss_currentRelation;
    DynkvKeyColumns columns;
    StringInfoData text;
    int at = 0;

    dynkv_match_key_columns(rel, dynkv_table_options(rel), &columns);
    while (at < plan->bound_count && plan->bounds[at].column == at &&
           plan->bounds[at].kind == DYNKV_BOUND_EQ)
        at++;
    initStringInfo(&text);
    for (; at < columns.count; at++)
        appendStringInfo(
            &text, "%s%s%s", text.len > 0 ? ", " : "",
            quote_identifier(get_attname(RelationGetRelid(rel), columns.attnos[at], false)),
            plan->order == DYNKV_ORDER_FALLING ? " DESC" : "");
    return text.data;
}

static const char *explain_access(DynkvAccess access)
{
    switch (access) {
    case DYNKV_FULL_SCAN:
        break;
    case DYNKV_RANGE_SCAN:
        return "range scan";
    case DYNKV_PARTITION_SCAN:
        return "partition scan";
    case DYNKV_POINT_GET:
        return "point get";
    }
    return "full scan";
}

void dynkvExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
    DynkvPlan *plan = dynkv_plan_read((ForeignScan *)node->ss.ps.plan);
    DynkvScanCounts counts;
    uint64 row_bound;

    ExplainPropertyText("Dynkv Keyspace", dynkv_scan_keyspace(node), es);
    ExplainPropertyText("Dynkv Access", explain_access(plan->access), es);
    if (plan->bound_count > 0)
        ExplainPropertyText("Dynkv Key", explain_key(node, plan, es), es);
    if (plan->filter != NIL)
        ExplainPropertyText("Dynkv Filter", explain_filter(node, plan, es), es);
    if (plan->order != DYNKV_ORDER_PARTITION)
        ExplainPropertyText("Dynkv Order", explain_order(node, plan), es);
    row_bound = dynkv_plan_row_bound(&node->ss.ps);
    if (row_bound > 0)
        ExplainPropertyUInteger("Dynkv Limit", NULL, row_bound, es);
    if (!es->analyze)
        return;
    counts = dynkv_scan_counts(node);
    ExplainPropertyUInteger("Dynkv Requests", NULL, counts.requests, es);
    ExplainPropertyUInteger("Dynkv Messages", NULL, counts.messages, es);
    if (plan->filter != NIL)
        ExplainPropertyUInteger("Dynkv Rows Examined", NULL, counts.examined, es);
    ExplainPropertyUInteger("Dynkv Rows Received", NULL, counts.received, es);
    ExplainPropertyUInteger("Dynkv Rows Fetched", NULL, counts.rows, es);
    ExplainPropertyUInteger("Dynkv Bytes Fetched", NULL, counts.bytes, es);
    if (counts.has_own_writes)
        ExplainPropertyUInteger("Dynkv Rows Of This Transaction", NULL, counts.own_rows, es);
}

void dynkvExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result, List *fdw_private,
                               int subplan_index, ExplainState *es)
{
    DynkvTableOptions *options = dynkv_table_options(result->ri_RelationDesc);
    DynkvModifyCounts counts;

    ExplainPropertyText("Dynkv Keyspace", options->keyspace, es);
    ExplainPropertyInteger("Dynkv Batch Size", NULL, options->batch_size, es);
    if (!es->analyze || !dynkv_modify_counts(result, &counts))
        return;
    if (counts.is_immediate)
        ExplainPropertyUInteger("Dynkv Rows Flushed", NULL, counts.flushed, es);
    else
        ExplainPropertyUInteger("Dynkv Rows Buffered", NULL, counts.buffered, es);
}
