/*
 * lookup_plan.c: the plan of a lookup join: its scan tuple, and its expressions over that.
 *
 * From version 16 on a column that an outer join may have made null is another Var than the column itself, and the
 * server looks for a Var in the scan tuple with the same marks.  Here one column stands for both, as conditions on
 * a match are only looked at while its columns have not been made null; so marks are made alike.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "fdw/compat.h"
#include "fdw/lookup.h"
#include "fdw/plan.h"

/* ---- conditions ---- */

/* By security level, else as they were: one of a higher level must not see rows that a lower one keeps out. */
static List *lookup_order_clauses(List *clauses)
{
    List *ordered = NIL;
    ListCell *cell;

    foreach (cell, clauses) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
        int at = list_length(ordered);

        while (at > 0 && list_nth_node(RestrictInfo, ordered, at - 1)->security_level >
                             clause->security_level)
            at--;
        ordered = list_insert_nth(ordered, at, clause);
    }
    return ordered;
}

/* Takes those that the key decides out of the list, and adds them to *decided. */
static List *lookup_take_decided(List *clauses, const DynkvLookupKey *key, int count,
                                 List **decided)
{
    List *open = NIL;
    ListCell *cell;

    foreach (cell, clauses) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
        bool is_decided = false;

        for (int i = 0; i < count; i++)
            is_decided |= key->columns[i]->clause == clause;
        if (is_decided)
            *decided = lappend(*decided, clause->clause);
        else
            open = lappend(open, clause);
    }
    return open;
}

/* The table's own conditions that its scan would look at. */
static List *lookup_inner_clauses(RelOptInfo *inner)
{
    DynkvPlanRel *plan = inner->fdw_private;
    List *clauses = NIL;
    ListCell *cell;

    foreach (cell, inner->baserestrictinfo)
        if (!dynkv_match_is_null(inner, &plan->columns, lfirst(cell), IS_NOT_NULL))
            clauses = lappend(clauses, lfirst(cell));
    return clauses;
}

/* ---- the scan tuple ---- */

static List *lookup_add_entry(List *entries, Expr *expr)
{
    return lappend(entries,
                   makeTargetEntry(expr, (AttrNumber)(list_length(entries) + 1), NULL, false));
}

/* The foreign table's columns that the node looks at or hands up; at least one, which names the table. */
static List *lookup_attnos(RelOptInfo *inner, List *tlist, List *exprs)
{
    DynkvPlanRel *plan = inner->fdw_private;
    Bitmapset *attributes = NULL;
    List *attnos = NIL;
    int member = -1;

    pull_varattnos((Node *)inner->reltarget->exprs, inner->relid, &attributes);
    pull_varattnos((Node *)tlist, inner->relid, &attributes);
    pull_varattnos((Node *)exprs, inner->relid, &attributes);
    while ((member = bms_next_member(attributes, member)) >= 0)
        attnos = lappend_int(attnos, member + FirstLowInvalidHeapAttributeNumber);
    return attnos ? attnos : list_make1_int(plan->columns.attnos[0]);
}

static List *lookup_add_inner(PlannerInfo *root, RelOptInfo *inner, List *attnos, List *entries)
{
    RangeTblEntry *rte = planner_rt_fetch((int)inner->relid, root);
    Relation table = table_open(rte->relid, NoLock);
    ListCell *cell;

    foreach (cell, attnos) {
        AttrNumber attno = (AttrNumber)lfirst_int(cell);
        Form_pg_attribute att =
            attno > 0 ? TupleDescAttr(RelationGetDescr(table), attno - 1) : NULL;
        Var *var = att ? makeVar((int)inner->relid, attno, att->atttypid, att->atttypmod,
                                 att->attcollation, 0)
                       : makeWholeRowVar(rte, (int)inner->relid, 0, false);

        entries = lookup_add_entry(entries, (Expr *)var);
    }
    table_close(table, NoLock);
    return entries;
}

/* What the foreign table's scan would compute, as it has to be done before an outer join makes it null. */
static List *lookup_computed(RelOptInfo *inner)
{
    List *computed = NIL;
    ListCell *cell;

    foreach (cell, inner->reltarget->exprs)
        if (IsA(lfirst(cell), PlaceHolderVar))
            computed = lappend(computed, lfirst(cell));
    return computed;
}

/* The outer plan's columns; *places gets which ones. */
static List *lookup_add_outer(const Plan *outer, List *entries, List **places)
{
    ListCell *cell;

    foreach (cell, outer->targetlist) {
        TargetEntry *entry = lfirst_node(TargetEntry, cell);

        if (!IsA(entry->expr, Var) && !IsA(entry->expr, PlaceHolderVar))
            continue; /* a constant or parameter: who needs it has it */
        entries = lookup_add_entry(entries, entry->expr);
        *places = lappend_int(*places, entry->resno);
    }
    return entries;
}

/* ---- marks of outer joins ---- */

static bool lookup_is_same(const Node *a, const Node *b)
{
    if (IsA(a, Var) && IsA(b, Var))
        return ((const Var *)a)->varno == ((const Var *)b)->varno &&
               ((const Var *)a)->varattno == ((const Var *)b)->varattno &&
               ((const Var *)a)->varlevelsup == 0 && ((const Var *)b)->varlevelsup == 0;
    return IsA(a, PlaceHolderVar) && IsA(b, PlaceHolderVar) &&
           ((const PlaceHolderVar *)a)->phid == ((const PlaceHolderVar *)b)->phid &&
           ((const PlaceHolderVar *)a)->phlevelsup == ((const PlaceHolderVar *)b)->phlevelsup;
}

/* The entry of the scan tuple that is this column; NULL: none. */
static TargetEntry *lookup_entry(List *entries, const Node *node)
{
    ListCell *cell;

    foreach (cell, entries)
        if (lookup_is_same((Node *)lfirst_node(TargetEntry, cell)->expr, node))
            return lfirst(cell);
    return NULL;
}

/* Gives columns of the scan tuple the marks that they have in what the node hands up. */
static bool lookup_mark_entries(Node *node, void *entries)
{
    TargetEntry *entry;

    if (!node)
        return false;
    if (IsA(node, Var) || IsA(node, PlaceHolderVar)) {
        entry = lookup_entry(entries, node);
        if (entry)
            entry->expr = (Expr *)dynkv_with_marks_of((Node *)entry->expr, node);
        if (entry || IsA(node, Var))
            return false;
    }
    return expression_tree_walker(node, lookup_mark_entries, entries);
}

/* Gives an expression's columns the marks that they have in the scan tuple. */
static Node *lookup_mark_mutator(Node *node, void *entries)
{
    TargetEntry *entry;

    if (!node)
        return NULL;
    if (IsA(node, Var) || IsA(node, PlaceHolderVar)) {
        entry = lookup_entry(entries, node);
        if (entry)
            return dynkv_with_marks_of(node, (Node *)entry->expr);
        if (IsA(node, Var))
            return copyObject(node);
    }
    return expression_tree_mutator(node, lookup_mark_mutator, entries);
}

static List *lookup_mark(List *exprs, List *entries)
{
    return (List *)lookup_mark_mutator((Node *)exprs, entries);
}

/* ---- the plan ---- */

/* Places in custom_private, and in custom_exprs. */
enum {
    LOOKUP_TYPE,
    LOOKUP_USER,
    LOOKUP_VALUE_TYPES,
    LOOKUP_ATTNOS,
    LOOKUP_OUTER,
};
enum {
    LOOKUP_KEYS,
    LOOKUP_COMPUTED,
    LOOKUP_MATCH,
    LOOKUP_DECIDED,
};

/* What the node evaluates, before it is made for the scan tuple. */
typedef struct LookupExprs {
    List *keys, *value_types;
    List *match, *decided, *others;
    List *computed;
} LookupExprs;

static void lookup_exprs(PlannerInfo *root, RelOptInfo *rel, RelOptInfo *inner, CustomPath *path,
                         LookupExprs *exprs)
{
    DynkvPlanRel *plan = inner->fdw_private;
    const Path *outer = linitial(path->custom_paths);
    JoinType type = (JoinType)intVal(list_nth(path->custom_private, DYNKV_LOOKUP_PATH_TYPE));
    List *clauses = list_nth(path->custom_private, DYNKV_LOOKUP_PATH_CLAUSES);
    List *deciding = dynkv_lookup_join_clauses(rel, type, clauses);
    DynkvLookupKey key;

    memset(exprs, 0, sizeof *exprs);
    if (!dynkv_lookup_find_key(root, inner, deciding,
                               bms_union(outer->parent->relids, PATH_REQ_OUTER(&path->path)), &key))
        elog(ERROR, "a lookup join has lost its key");
    for (int i = 0; i < plan->columns.count; i++) {
        exprs->keys = lappend(exprs->keys, key.columns[i]->value);
        exprs->value_types = lappend_oid(exprs->value_types, key.columns[i]->value_type);
    }
    exprs->others =
        extract_actual_clauses(lookup_order_clauses(list_difference_ptr(clauses, deciding)), false);
    deciding = lookup_take_decided(deciding, &key, plan->columns.count, &exprs->decided);
    exprs->match = lookup_order_clauses(lookup_take_decided(lookup_inner_clauses(inner), &key,
                                                            plan->columns.count, &exprs->decided));
    /* Those of the table alone come first, as they would in its scan. */
    exprs->match =
        extract_actual_clauses(list_concat(exprs->match, lookup_order_clauses(deciding)), false);
    exprs->computed = lookup_computed(inner);
}

/* Without the marks of computed columns: what they are made of. */
static Node *lookup_open_mutator(Node *node, void *computed)
{
    ListCell *cell;

    if (!node)
        return NULL;
    if (IsA(node, PlaceHolderVar))
        foreach (cell, (List *)computed)
            if (lookup_is_same(lfirst(cell), node))
                return lookup_open_mutator((Node *)((PlaceHolderVar *)node)->phexpr, computed);
    return expression_tree_mutator(node, lookup_open_mutator, computed);
}

static List *lookup_add_computed(List *entries, List *computed)
{
    ListCell *cell;

    foreach (cell, computed)
        entries = lookup_add_entry(entries, lfirst(cell));
    return entries;
}

Plan *dynkv_lookup_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
                        List *clauses, List *plans)
{
    RelOptInfo *inner =
        root->simple_rel_array[intVal(list_nth(path->custom_private, DYNKV_LOOKUP_PATH_INNER))];
    CustomScan *scan = makeNode(CustomScan);
    LookupExprs exprs;
    List *attnos, *all, *opened;
    List *entries = NIL;
    List *outer = NIL;

    lookup_exprs(root, rel, inner, path, &exprs);
    all = list_make4(exprs.keys, exprs.match, exprs.decided, exprs.others);
    attnos = lookup_attnos(inner, tlist, all);
    entries = lookup_add_inner(root, inner, attnos, entries);
    entries = lookup_add_computed(entries, exprs.computed);
    entries = lookup_add_outer(linitial(plans), entries, &outer);
    /* The target list may yet be replaced, by expressions of what the join gives. */
    lookup_mark_entries((Node *)rel->reltarget->exprs, entries);
    lookup_mark_entries((Node *)tlist, entries);
    opened = (List *)lookup_open_mutator((Node *)exprs.computed, exprs.computed);

    scan->scan.plan.targetlist = tlist;
    scan->scan.plan.qual = lookup_mark(exprs.others, entries);
    scan->flags = path->flags;
    scan->custom_plans = plans;
    scan->custom_scan_tlist = entries;
    scan->custom_exprs =
        list_make4(lookup_mark(exprs.keys, entries), lookup_mark(opened, entries),
                   lookup_mark(exprs.match, entries), lookup_mark(exprs.decided, entries));
    scan->custom_private =
        list_make5(list_nth(path->custom_private, DYNKV_LOOKUP_PATH_TYPE),
                   makeInteger((int)inner->userid), exprs.value_types, attnos, outer);
    scan->methods = &dynkv_lookup_scan_methods;
    return &scan->scan.plan;
}

DynkvLookupPlan *dynkv_lookup_plan_read(CustomScan *scan)
{
    DynkvLookupPlan *plan = palloc0(sizeof *plan);
    const TargetEntry *first = linitial_node(TargetEntry, scan->custom_scan_tlist);

    plan->type = (JoinType)intVal(list_nth(scan->custom_private, LOOKUP_TYPE));
    plan->user = (Oid)intVal(list_nth(scan->custom_private, LOOKUP_USER));
    plan->value_types = list_nth(scan->custom_private, LOOKUP_VALUE_TYPES);
    plan->attnos = list_nth(scan->custom_private, LOOKUP_ATTNOS);
    plan->outer = list_nth(scan->custom_private, LOOKUP_OUTER);
    /* Its number in the range table of the whole statement, which the server has put in there. */
    plan->inner = (Index)castNode(Var, first->expr)->varno;
    plan->keys = list_nth(scan->custom_exprs, LOOKUP_KEYS);
    plan->computed = list_nth(scan->custom_exprs, LOOKUP_COMPUTED);
    plan->match = list_nth(scan->custom_exprs, LOOKUP_MATCH);
    plan->decided = list_nth(scan->custom_exprs, LOOKUP_DECIDED);
    plan->outer_at = list_length(plan->attnos) + list_length(plan->computed);
    return plan;
}
