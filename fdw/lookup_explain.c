/* lookup_explain.c: a lookup join in EXPLAIN; the words are those of a foreign scan (explain.c). */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "fdw/compat.h"
#include "fdw/lookup.h"
#include "fdw/plan_tree.h"

static const char *explain_type(JoinType type)
{
    switch (type) {
    case JOIN_LEFT:
        return "left";
    case JOIN_SEMI:
        return "semi";
    case JOIN_ANTI:
        return "anti";
    default:
        return "inner";
    }
}

/* The foreign table, as scans are headed. */
static char *explain_table(const DynkvLookupPlan *plan, Oid relid, ExplainState *es)
{
    const char *name = get_rel_name(relid);
    const char *alias = list_nth(es->rtable_names, (int)plan->inner - 1);
    StringInfoData text;

    initStringInfo(&text);
    if (es->verbose)
        appendStringInfo(&text, "%s.",
                         quote_identifier(get_namespace_name(get_rel_namespace(relid))));
    appendStringInfoString(&text, quote_identifier(name));
    if (alias && strcmp(alias, name) != 0)
        appendStringInfo(&text, " %s", quote_identifier(alias));
    return text.data;
}

static char *explain_key(const DynkvLookupPlan *plan, Oid relid, const DynkvKeyColumns *columns,
                         List *context)
{
    StringInfoData text;
    int at = 0;
    ListCell *cell;

    initStringInfo(&text);
    foreach (cell, plan->keys) {
        appendStringInfo(&text, "%s(%s = %s)", at > 0 ? " AND " : "",
                         quote_identifier(get_attname(relid, columns->attnos[at], false)),
                         deparse_expression(lfirst(cell), context, true, false));
        at++;
    }
    return text.data;
}

static void explain_counts(CustomScanState *node, ExplainState *es)
{
    DynkvLookupCounts counts = dynkv_lookup_counts(node);

    ExplainPropertyUInteger("Dynkv Requests", NULL, counts.requests, es);
    ExplainPropertyUInteger("Dynkv Messages", NULL, counts.messages, es);
    ExplainPropertyUInteger("Dynkv Keys", NULL, counts.keys, es);
    ExplainPropertyUInteger("Dynkv Rows Received", NULL, counts.received, es);
    ExplainPropertyUInteger("Dynkv Rows Fetched", NULL, counts.rows, es);
    ExplainPropertyUInteger("Dynkv Bytes Fetched", NULL, counts.bytes, es);
    if (counts.has_own_writes)
        ExplainPropertyUInteger("Dynkv Rows Of This Transaction", NULL, counts.own_rows, es);
}

static void explain_match(CustomScanState *node, const DynkvLookupPlan *plan, List *context,
                          ExplainState *es)
{
    const Instrumentation *instrument = node->ss.ps.instrument;
    double removed;

    if (plan->match == NIL)
        return;
    ExplainPropertyText(
        "Join Filter",
        deparse_expression((Node *)make_ands_explicit(plan->match), context, true, false), es);
    if (!es->analyze || !instrument)
        return;
    removed = instrument->nloops > 0 ? instrument->nfiltered2 / instrument->nloops : 0;
    if (removed > 0 || es->format != EXPLAIN_FORMAT_TEXT)
        ExplainPropertyFloat("Rows Removed by Join Filter", NULL, removed, 0, es);
}

void dynkv_lookup_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    DynkvLookupPlan *plan = dynkv_lookup_plan_read(scan);
    List *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
    Relation table = dynkv_lookup_table(node);
    DynkvTableOptions *options = dynkv_table_options(table);
    DynkvKeyColumns columns;
    uint64 row_bound;

    dynkv_match_key_columns(table, options, &columns);
    explain_match(node, plan, context, es);
    ExplainPropertyText("Dynkv Table", explain_table(plan, RelationGetRelid(table), es), es);
    ExplainPropertyText("Dynkv Keyspace", options->keyspace, es);
    ExplainPropertyText("Dynkv Access", "lookup join", es);
    ExplainPropertyText("Dynkv Join", explain_type(plan->type), es);
    ExplainPropertyText("Dynkv Key", explain_key(plan, RelationGetRelid(table), &columns, context),
                        es);
    row_bound = dynkv_plan_row_bound(&node->ss.ps);
    if (row_bound > 0)
        ExplainPropertyUInteger("Dynkv Limit", NULL, row_bound, es);
    if (es->analyze)
        explain_counts(node, es);
}
