/*
 * plan.c: paths and plans; what they cost is in plan_size.c.
 *
 * Paths: one from the table's own conditions (a full scan, if none bounds the key), the same by key where
 * the query wants some order of it, and one for each useful set of other tables whose columns the key is
 * compared with.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"

#include "fdw/compat.h"
#include "fdw/order.h"
#include "fdw/plan.h"
#include "fdw/plan_size.h"
#include "fdw/qual.h"

/* Candidates of outer tables that parameterized paths are made for. */
#define PLAN_OUTER_SETS_MAX 16
#define PLAN_EXAMINED_MAX   1e6

/* ---- size ---- */

static List *plan_match_clauses(PlannerInfo *root, RelOptInfo *rel, const DynkvKeyColumns *columns,
                                List *clauses)
{
    List *bounds = NIL;
    ListCell *cell;

    foreach (cell, clauses) {
        DynkvBound *bound = dynkv_match_clause(root, rel, columns, lfirst_node(RestrictInfo, cell));

        if (bound)
            bounds = lappend(bounds, bound);
    }
    return bounds;
}

void dynkvGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
    DynkvPlanRel *plan = palloc0(sizeof *plan);
    Relation table = table_open(relid, NoLock);

    rel->fdw_private = plan;
    plan->options = dynkv_table_options(table);
    dynkv_match_key_columns(table, plan->options, &plan->columns);
    plan->told = dynkv_quals_choose(rel, table, plan->options, rel->baserestrictinfo);
    plan->row_bytes = dynkv_plan_size_table(rel, table, plan->options);
    table_close(table, NoLock);

    set_baserel_size_estimates(root, rel);
    plan->access = dynkv_match_access(
        &plan->columns, plan_match_clauses(root, rel, &plan->columns, rel->baserestrictinfo),
        &plan->used);
    rel->rows =
        dynkv_plan_size(root, rel, plan->options, plan->access, plan->used, plan->told, rel->rows)
            .rows;
}

/* ---- paths ---- */

/* The bounds as the planner's copyable nodes: a list of (column, kind, value type, value, clause). */
static List *plan_bounds_to_nodes(List *used)
{
    List *nodes = NIL;
    ListCell *cell;

    foreach (cell, used) {
        DynkvBound *bound = lfirst(cell);

        nodes = lappend(nodes, list_make5(makeInteger(bound->column), makeInteger(bound->kind),
                                          makeInteger((int)bound->value_type), bound->value,
                                          bound->clause));
    }
    return nodes;
}

/* Whether rows come by key without being asked to: a few places, one after the other. */
static bool plan_is_by_key(DynkvAccess access)
{
    return access == DYNKV_POINT_GET || access == DYNKV_PARTITION_SCAN;
}

/* The conditions that nodes can test; those of a join may be, too. */
static List *plan_told(PlannerInfo *root, RelOptInfo *rel, ParamPathInfo *param)
{
    DynkvPlanRel *plan = rel->fdw_private;
    Relation table;
    List *told;

    if (!param || param->ppi_clauses == NIL)
        return plan->told;
    table = table_open(planner_rt_fetch((int)rel->relid, root)->relid, NoLock);
    told = dynkv_quals_choose(rel, table, plan->options,
                              list_concat_copy(plan->told, param->ppi_clauses));
    table_close(table, NoLock);
    return told;
}

/* Rows examined for each that travels; a point get examines none that does not. */
static int plan_examined(const DynkvPlanSize *size)
{
    return (int)Max(1, Min(size->examined / Max(size->fetched, 1), PLAN_EXAMINED_MAX));
}

static void plan_add_path(PlannerInfo *root, RelOptInfo *rel, DynkvAccess access, List *used,
                          enum dynkv_order order, List *pathkeys, ParamPathInfo *param)
{
    DynkvPlanRel *plan = rel->fdw_private;
    DynkvPlanSize size =
        dynkv_plan_size(root, rel, plan->options, access, used, plan_told(root, rel, param),
                        param ? param->ppi_rows : rel->rows);
    QualCost quals = rel->baserestrictcost;
    Cost startup, total;

    size.row_bytes = plan->row_bytes;
    dynkv_plan_cost(&size, plan->options, pathkeys != NIL && !plan_is_by_key(access), &startup,
                    &total);
    if (param) {
        QualCost join_quals;

        cost_qual_eval(&join_quals, param->ppi_clauses, root);
        quals.startup += join_quals.startup;
        quals.per_tuple += join_quals.per_tuple;
        /* All paths with one parameterization must agree, and this is the best estimate. */
        param->ppi_rows = size.rows;
    }
    startup += quals.startup + rel->reltarget->cost.startup;
    total += quals.startup + rel->reltarget->cost.startup + size.fetched * quals.per_tuple +
             size.rows * rel->reltarget->cost.per_tuple;
    add_path(rel, (Path *)dynkv_create_scan_path(
                      root, rel, size.rows, startup, Max(startup, total), pathkeys,
                      param ? param->ppi_req_outer : rel->lateral_relids,
                      list_make4(makeInteger(access), plan_bounds_to_nodes(used),
                                 makeInteger((int)order), makeInteger(plan_examined(&size)))));
}

/* The table's own access in the orders that it gives by itself, or that are worth something. */
static void plan_add_own_paths(PlannerInfo *root, RelOptInfo *rel)
{
    DynkvPlanRel *plan = rel->fdw_private;
    ParamPathInfo *lateral =
        rel->lateral_relids ? get_baserel_parampathinfo(root, rel, rel->lateral_relids) : NULL;
    List *rising = NIL;
    List *falling = NIL;

    /* The order of a path with parameters is worth nothing to the planner. */
    if (!lateral) {
        rising = dynkv_order_pathkeys(root, rel, &plan->columns, plan->used, DYNKV_ORDER_RISING);
        falling = dynkv_order_pathkeys(root, rel, &plan->columns, plan->used, DYNKV_ORDER_FALLING);
    }
    if (rising == NIL || !plan_is_by_key(plan->access))
        plan_add_path(root, rel, plan->access, plan->used, DYNKV_ORDER_PARTITION, NIL, lateral);
    if (rising != NIL)
        plan_add_path(root, rel, plan->access, plan->used, DYNKV_ORDER_RISING, rising, lateral);
    if (falling != NIL)
        plan_add_path(root, rel, plan->access, plan->used, DYNKV_ORDER_FALLING, falling, lateral);
}

/* What plan_is_key_member looks for. */
typedef struct PlanMember {
    const DynkvKeyColumns *columns;
    int column;
} PlanMember;

static bool plan_is_key_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class,
                               EquivalenceMember *member, void *arg)
{
    PlanMember *wanted = arg;

    return dynkv_match_is_column(rel, wanted->columns, wanted->column, (Node *)member->em_expr);
}

/* The bounds that columns of other tables would put on the key. */
static List *plan_join_bounds(PlannerInfo *root, RelOptInfo *rel)
{
    DynkvPlanRel *plan = rel->fdw_private;
    List *clauses = NIL;
    ListCell *cell;

    foreach (cell, rel->joininfo) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

        if (join_clause_is_movable_to(clause, rel))
            clauses = lappend(clauses, clause);
    }
    for (int i = 0; rel->has_eclass_joins && i < plan->columns.count; i++) {
        PlanMember wanted = {.columns = &plan->columns, .column = i};
        List *derived = generate_implied_equalities_for_column(root, rel, plan_is_key_member,
                                                               &wanted, rel->lateral_referencers);

        foreach (cell, derived) {
            RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

            if (join_clause_is_movable_to(clause, rel))
                clauses = lappend(clauses, clause);
        }
    }
    return plan_match_clauses(root, rel, &plan->columns, clauses);
}

/* The other tables that a bound's value needs. */
static Relids plan_outer_of(RelOptInfo *rel, const DynkvBound *bound)
{
    return bms_del_member(bms_copy(bound->clause->clause_relids), (int)rel->relid);
}

static List *plan_add_outer_set(List *sets, Relids outer)
{
    ListCell *cell;

    foreach (cell, sets)
        if (bms_equal(lfirst(cell), outer))
            return sets;
    return list_length(sets) < PLAN_OUTER_SETS_MAX ? lappend(sets, outer) : sets;
}

/* The outer tables of each bound alone, then of all bounds together (a key of several columns). */
static List *plan_outer_sets(RelOptInfo *rel, List *bounds)
{
    List *sets = NIL;
    Relids all = NULL;
    ListCell *cell;

    foreach (cell, bounds) {
        Relids outer = plan_outer_of(rel, lfirst(cell));

        all = bms_add_members(all, outer);
        sets = plan_add_outer_set(sets, outer);
    }
    return all ? plan_add_outer_set(sets, all) : sets;
}

/* A path that takes its key values from the tables in outer, if those help. */
static void plan_add_join_path(PlannerInfo *root, RelOptInfo *rel, List *own, List *join,
                               Relids outer)
{
    DynkvPlanRel *plan = rel->fdw_private;
    List *bounds = list_copy(own);
    List *used;
    DynkvAccess access;
    bool helps = false;
    ListCell *cell;

    foreach (cell, join)
        if (bms_is_subset(plan_outer_of(rel, lfirst(cell)), outer))
            bounds = lappend(bounds, lfirst(cell));
    access = dynkv_match_access(&plan->columns, bounds, &used);
    foreach (cell, used)
        helps |= list_member_ptr(join, lfirst(cell));
    if (!helps)
        return;
    plan_add_path(root, rel, access, used, DYNKV_ORDER_PARTITION, NIL,
                  get_baserel_parampathinfo(root, rel, bms_union(outer, rel->lateral_relids)));
}

static bool plan_is_empty(RelOptInfo *rel)
{
    DynkvPlanRel *plan = rel->fdw_private;
    ListCell *cell;

    foreach (cell, rel->baserestrictinfo)
        if (dynkv_match_is_null(rel, &plan->columns, lfirst(cell), IS_NULL))
            return true;
    return false;
}

void dynkvGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
    DynkvPlanRel *plan = rel->fdw_private;
    List *own = plan_match_clauses(root, rel, &plan->columns, rel->baserestrictinfo);
    List *join = plan_join_bounds(root, rel);
    ListCell *cell;

    if (plan_is_empty(rel)) {
        mark_dummy_rel(rel);
        return;
    }
    plan_add_own_paths(root, rel);
    foreach (cell, plan_outer_sets(rel, join))
        plan_add_join_path(root, rel, own, join, lfirst(cell));
}

/* ---- plan ---- */

/*
 * An equality that the key's bytes decide needs no second look at each row.  The clause may also be
 * another one that follows from the same equivalence class, as the server treats index conditions.
 */
static bool plan_is_consumed(RestrictInfo *clause, List *bounds)
{
    ListCell *cell;

    foreach (cell, bounds) {
        List *bound = lfirst(cell);
        int kind = intVal(lsecond(bound));
        RestrictInfo *bound_clause = list_nth(bound, 4);

        if (!dynkv_bound_is_equality((DynkvBoundKind)kind))
            continue;
        if (clause == bound_clause ||
            (clause->parent_ec && clause->parent_ec == bound_clause->parent_ec))
            return true;
    }
    return false;
}

/* The columns that the plan hands up or looks at itself. */
static Bitmapset *plan_wanted(RelOptInfo *rel, List *quals, bool *all, bool *is_ctid_wanted)
{
    Bitmapset *attributes = NULL;
    Bitmapset *wanted = NULL;
    int member = -1;

    *all = *is_ctid_wanted = false;
    pull_varattnos((Node *)rel->reltarget->exprs, rel->relid, &attributes);
    pull_varattnos((Node *)quals, rel->relid, &attributes);
    while ((member = bms_next_member(attributes, member)) >= 0) {
        int attno = member + FirstLowInvalidHeapAttributeNumber;

        if (attno > 0)
            wanted = bms_add_member(wanted, attno);
        else if (attno == 0)
            *all = true;
        else if (attno == SelfItemPointerAttributeNumber)
            *is_ctid_wanted = true;
    }
    return wanted;
}

/* Places in fdw_private. */
enum {
    PLAN_ACCESS,
    PLAN_IS_TARGET,
    PLAN_WANTS_ALL,
    PLAN_WANTED, /* attribute numbers */
    PLAN_BOUNDS, /* column, kind, value type; column, kind, ... */
    PLAN_ORDER,  /* from here on: not written by plan_write */
    PLAN_IS_EXACT,
    PLAN_EXAMINED,
};

static List *plan_write(DynkvAccess access, bool is_target, bool wants_all, Bitmapset *wanted,
                        List *bounds)
{
    List *attributes = NIL;
    List *numbers = NIL;
    ListCell *cell;
    int attno = -1;

    while ((attno = bms_next_member(wanted, attno)) >= 0)
        attributes = lappend_int(attributes, attno);
    foreach (cell, bounds) {
        List *bound = lfirst(cell);

        for (int i = 0; i < 3; i++)
            numbers = lappend_int(numbers, intVal(list_nth(bound, i)));
    }
    return list_make5(makeInteger(access), makeInteger(is_target), makeInteger(wants_all),
                      attributes, numbers);
}

DynkvPlan *dynkv_plan_read(ForeignScan *scan)
{
    List *private = scan->fdw_private;
    List *numbers = list_nth(private, PLAN_BOUNDS);
    DynkvPlan *plan = palloc0(sizeof *plan);
    ListCell *cell;

    plan->access = (DynkvAccess)intVal(list_nth(private, PLAN_ACCESS));
    plan->order = (enum dynkv_order)intVal(list_nth(private, PLAN_ORDER));
    plan->is_exact = intVal(list_nth(private, PLAN_IS_EXACT)) != 0;
    plan->examined_a_row = intVal(list_nth(private, PLAN_EXAMINED));
    plan->is_target = intVal(list_nth(private, PLAN_IS_TARGET)) != 0;
    plan->wants_all = intVal(list_nth(private, PLAN_WANTS_ALL)) != 0;
    foreach (cell, (List *)list_nth(private, PLAN_WANTED))
        plan->wanted = bms_add_member(plan->wanted, lfirst_int(cell));
    plan->bound_count = list_length(numbers) / 3;
    plan->filter = list_copy_tail(scan->fdw_exprs, plan->bound_count);
    plan->bounds = palloc0(sizeof *plan->bounds * (size_t)Max(plan->bound_count, 1));
    for (int i = 0; i < plan->bound_count; i++) {
        plan->bounds[i].column = list_nth_int(numbers, 3 * i);
        plan->bounds[i].kind = (DynkvBoundKind)list_nth_int(numbers, 3 * i + 1);
        plan->bounds[i].value_type = (Oid)list_nth_int(numbers, 3 * i + 2);
    }
    return plan;
}

/* Of the conditions that the keys do not decide alone, those that nodes test. */
static List *plan_tested(RelOptInfo *rel, Oid relid, DynkvAccess access, List *clauses)
{
    DynkvPlanRel *plan = rel->fdw_private;
    Relation table;
    List *told;

    /* A node tests for scans: of a key that is asked for by name, the row is on its way already. */
    if (access == DYNKV_POINT_GET)
        return NIL;
    table = table_open(relid, NoLock);
    told = dynkv_quals_choose(rel, table, plan->options, clauses);
    table_close(table, NoLock);
    return told;
}

/*
 * Whether a row that comes passes all conditions, as nodes have tested them or they bound the key.  That
 * is an expectation and no promise: all are looked at again.
 */
static bool plan_is_exact(List *clauses, List *told, List *bounds)
{
    ListCell *cell, *at;

    foreach (cell, clauses) {
        bool is_decided = list_member_ptr(told, lfirst(cell));

        foreach (at, bounds)
            is_decided |= list_nth((List *)lfirst(at), 4) == lfirst(cell);
        if (!is_decided)
            return false;
    }
    return true;
}

ForeignScan *dynkvGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
                                 List *tlist, List *clauses, Plan *outer_plan)
{
    DynkvPlanRel *plan = rel->fdw_private;
    DynkvAccess access = (DynkvAccess)intVal(linitial(path->fdw_private));
    List *bounds = lsecond(path->fdw_private);
    List *values = NIL;
    List *quals = NIL;
    List *consumed = NIL;
    List *open = NIL;
    List *told, *private;
    Bitmapset *wanted;
    bool wants_all, is_ctid_wanted, is_target;
    ListCell *cell;

    foreach (cell, clauses) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

        if (clause->pseudoconstant)
            continue; /* a gating node above looks at it */
        if (dynkv_match_is_null(rel, &plan->columns, clause, IS_NOT_NULL))
            continue;
        if (plan_is_consumed(clause, bounds)) {
            consumed = lappend(consumed, clause->clause);
        } else {
            quals = lappend(quals, clause->clause);
            open = lappend(open, clause);
        }
    }
    foreach (cell, bounds)
        values = lappend(values, list_nth(lfirst(cell), 3));
    told = plan_tested(rel, relid, access, open);
    foreach (cell, told)
        values = lappend(values, copyObject(lfirst_node(RestrictInfo, cell)->clause));
    wanted = plan_wanted(rel, quals, &wants_all, &is_ctid_wanted);
    is_target = is_ctid_wanted && bms_is_member((int)rel->relid, root->all_result_relids);
    private = plan_write(access, is_target, wants_all, wanted, bounds);
    private = lappend(private, lthird(path->fdw_private));
    private = lappend(private, makeInteger(plan_is_exact(open, told, bounds)));
    private = lappend(private, lfourth(path->fdw_private));
    return make_foreignscan(tlist, quals, rel->relid, values, private, NIL, consumed, outer_plan);
}
