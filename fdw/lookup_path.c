/*
 * lookup_path.c: where a lookup join can stand, and what it costs.
 *
 * The conditions are those that the planner gives for this very pair of relations: some it has moved here from
 * elsewhere, some it has left to the tables' own scans.  What is not asked for by key is looked at for each pair
 * of rows.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"

#include "fdw/compat.h"
#include "fdw/lookup.h"
#include "fdw/lookup_batch.h"
#include "fdw/plan.h"
#include "fdw/plan_size.h"

/* What a key that is asked for costs, in rows of a scan, as measured: replicas must look for it and agree on it. */
#define LOOKUP_KEY_ROWS 6.0

/* dynkv_fdw.enable_lookup_join */
static bool is_enabled = true;
static set_join_pathlist_hook_type previous_hook = NULL;

/* ---- the key ---- */

List *dynkv_lookup_join_clauses(RelOptInfo *join, JoinType type, List *clauses)
{
    List *deciding = NIL;
    ListCell *cell;

    foreach (cell, clauses) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

        if (!IS_OUTER_JOIN(type) || !RINFO_IS_PUSHED_DOWN(clause, join->relids))
            deciding = lappend(deciding, clause);
    }
    return deciding;
}

/* The equalities that are still missing of the key, from such conditions; how many. */
static int lookup_take_equalities(PlannerInfo *root, RelOptInfo *inner, List *clauses, Relids outer,
                                  DynkvLookupKey *key)
{
    DynkvPlanRel *plan = inner->fdw_private;
    int taken = 0;
    ListCell *cell;

    foreach (cell, clauses) {
        DynkvBound *bound =
            dynkv_match_clause(root, inner, &plan->columns, lfirst_node(RestrictInfo, cell));

        if (!bound || bound->kind != DYNKV_BOUND_EQ || key->columns[bound->column] ||
            !bms_is_subset(pull_varnos(root, (Node *)bound->value), outer))
            continue;
        key->columns[bound->column] = bound;
        taken++;
    }
    return taken;
}

bool dynkv_lookup_find_key(PlannerInfo *root, RelOptInfo *inner, List *clauses, Relids outer,
                           DynkvLookupKey *key)
{
    DynkvPlanRel *plan = inner->fdw_private;
    int own, joined;

    memset(key, 0, sizeof *key);
    own = lookup_take_equalities(root, inner, inner->baserestrictinfo, outer, key);
    joined = lookup_take_equalities(root, inner, clauses, outer, key);
    return joined > 0 && own + joined == plan->columns.count;
}

/* Those that the key does not decide. */
static List *lookup_open_clauses(List *clauses, const DynkvLookupKey *key, int columns)
{
    List *open = list_copy(clauses);

    for (int i = 0; i < columns; i++)
        open = list_delete_ptr(open, key->columns[i]->clause);
    return open;
}

/* ---- where ---- */

/* Whether a gating node is needed, which nobody would put on this one. */
static bool lookup_has_pseudoconstant(List *clauses)
{
    ListCell *cell;

    foreach (cell, clauses)
        if (lfirst_node(RestrictInfo, cell)->pseudoconstant)
            return true;
    return false;
}

/* Columns and the whole row; the others nothing here could fill. */
static bool lookup_has_system_columns(RelOptInfo *inner)
{
    Bitmapset *attributes = NULL;
    ListCell *cell;

    pull_varattnos((Node *)inner->reltarget->exprs, inner->relid, &attributes);
    foreach (cell, inner->baserestrictinfo)
        pull_varattnos((Node *)lfirst_node(RestrictInfo, cell)->clause, inner->relid, &attributes);
    return !bms_is_empty(attributes) &&
           bms_next_member(attributes, -1) < 0 - FirstLowInvalidHeapAttributeNumber;
}

/* A dynkv table that is only read: what is updated or deleted must be remembered by its own scan (rows.h). */
static bool lookup_is_inner(PlannerInfo *root, RelOptInfo *inner, RelOptInfo *outer)
{
    return (inner->reloptkind == RELOPT_BASEREL || inner->reloptkind == RELOPT_OTHER_MEMBER_REL) &&
           inner->rtekind == RTE_RELATION && inner->fdwroutine &&
           inner->fdwroutine->GetForeignPaths == dynkvGetForeignPaths && !IS_DUMMY_REL(inner) &&
           !IS_DUMMY_REL(outer) && !bms_is_member((int)inner->relid, root->all_result_relids) &&
           bms_is_subset(inner->lateral_relids, outer->relids) &&
           !lookup_has_pseudoconstant(inner->baserestrictinfo) && !lookup_has_system_columns(inner);
}

static bool lookup_is_type(JoinType type)
{
    switch (type) {
    case JOIN_INNER:
    case JOIN_LEFT:
    case JOIN_SEMI:
    case JOIN_ANTI:
    case JOIN_UNIQUE_OUTER: /* an inner join, of outer rows that are made unique */
        return true;
    default:
        return false;
    }
}

/* ---- cost ---- */

/* Keys asked for, and batches: repeated keys are dropped within a batch. */
static double lookup_keys(PlannerInfo *root, const DynkvPlanRel *plan, const DynkvLookupKey *key,
                          double rows, double *batches)
{
    double at_once = plan->options->fetch_size;
    List *values = NIL;
    EstimationInfo estimation;
    double different;

    for (int i = 0; i < plan->columns.count; i++)
        values = lappend(values, key->columns[i]->value);
    different = estimate_num_groups(root, values, rows, NULL, &estimation);
    /* Where nothing is known of the values they are taken to be all different. */
    if (different > at_once || (estimation.flags & SELFLAG_USED_DEFAULT)) {
        *batches = ceil(rows / at_once);
        return rows;
    }
    *batches = ceil(rows / (at_once * DYNKV_LOOKUP_ROWS_A_KEY));
    return Min(rows, different * *batches);
}

/*
 * The pairs of rows and their conditions.  A key has one row at most, and is not looked at again; but where a whole
 * table might be read instead, that plan is charged for what the planner takes for a match, which can be far too
 * many, and for the comparison of keys; so must this one be.
 */
static Cost lookup_pairs_cost(PlannerInfo *root, const CustomPath *path, RelOptInfo *inner,
                              const DynkvLookupKey *key, List *clauses, double rows, double batches)
{
    DynkvPlanRel *plan = inner->fdw_private;
    double pairs = batches > 1 ? Max(rows, path->path.rows) : rows;
    QualCost quals;

    if (batches <= 1)
        clauses = lookup_open_clauses(clauses, key, plan->columns.count);
    cost_qual_eval(&quals, clauses, root);
    return quals.startup + inner->baserestrictcost.startup +
           pairs * (cpu_tuple_cost + quals.per_tuple + inner->baserestrictcost.per_tuple);
}

/* Of one row it costs what a nested loop costs, less a trifle: more rows than expected cost it less. */
static void lookup_cost(PlannerInfo *root, CustomPath *path, RelOptInfo *inner, const Path *outer,
                        const DynkvLookupKey *key, List *clauses)
{
    DynkvPlanRel *plan = inner->fdw_private;
    const PathTarget *target = path->path.pathtarget;
    DynkvPlanSize size = {.row_bytes = plan->row_bytes};
    double rows = clamp_row_est(outer->rows);
    Cost startup, total;

    size.fetched = size.examined = lookup_keys(root, plan, key, rows, &size.round_trips);
    dynkv_plan_cost(&size, plan->options, false, &startup, &total);
    /* That of a request's first key is in its round trip. */
    total +=
        Max(size.fetched - size.round_trips, 0) * plan->options->tuple_cost * (LOOKUP_KEY_ROWS - 1);
    total += lookup_pairs_cost(root, path, inner, key, clauses, rows, size.round_trips);

    /* Where few rows are wanted, the first batch has as few. */
    path->path.startup_cost = outer->startup_cost + startup + target->cost.startup;
    path->path.total_cost =
        outer->total_cost + total + target->cost.startup + path->path.rows * target->cost.per_tuple;
    path->path.total_cost = Max(path->path.total_cost, path->path.startup_cost);
}

/* ---- paths ---- */

static List *lookup_reparameterize(PlannerInfo *root, List *private, RelOptInfo *child)
{
    List *clauses = list_nth(private, DYNKV_LOOKUP_PATH_CLAUSES);
    List *translated = list_copy(private);

    lfirst(list_nth_cell(translated, DYNKV_LOOKUP_PATH_CLAUSES)) =
        dynkv_adjust_for_child(root, (Node *)clauses, child);
    return translated;
}

static const CustomPathMethods lookup_path_methods = {
    .CustomName = DYNKV_LOOKUP_NAME,
    .PlanCustomPath = dynkv_lookup_plan,
    .ReparameterizeCustomPathByChild = lookup_reparameterize,
};

/* What stands for the inner side: it takes no parameters, so conditions with those are left to the join. */
static Path *lookup_inner_stand_in(RelOptInfo *inner)
{
    Path *path = makeNode(Path);

    path->pathtype = T_ForeignScan;
    path->parent = inner;
    path->pathtarget = inner->reltarget;
    path->rows = inner->rows;
    return path;
}

static void lookup_add_path(PlannerInfo *root, RelOptInfo *join, RelOptInfo *inner, Path *outer,
                            JoinType type, JoinPathExtraData *extra)
{
    Relids required = bms_union(PATH_REQ_OUTER(outer), join->lateral_relids);
    List *clauses = extra->restrictlist;
    CustomPath *path;
    DynkvLookupKey key;

    required = bms_del_members(required, join->relids);
    if (bms_overlap(PATH_REQ_OUTER(outer), inner->relids) ||
        bms_overlap(PATH_REQ_OUTER(outer), inner->top_parent_relids) ||
        (!bms_is_empty(required) && !bms_overlap(required, extra->param_source_rels)))
        return;
    path = makeNode(CustomPath);
    path->path.param_info = get_joinrel_parampathinfo(
        root, join, outer, lookup_inner_stand_in(inner), extra->sjinfo, required, &clauses);
    if (lookup_has_pseudoconstant(clauses) ||
        !dynkv_lookup_find_key(root, inner, dynkv_lookup_join_clauses(join, type, clauses),
                               bms_union(outer->parent->relids, required), &key))
        return;
    path->path.pathtype = T_CustomScan;
    path->path.parent = join;
    path->path.pathtarget = join->reltarget;
    path->path.rows = path->path.param_info ? path->path.param_info->ppi_rows : join->rows;
    path->path.pathkeys = build_join_pathkeys(root, join, type, outer->pathkeys);
    path->flags = DYNKV_CUSTOM_PROJECTION;
    path->custom_paths = list_make1(outer);
    path->custom_private = list_make3(makeInteger(type), makeInteger((int)inner->relid), clauses);
    path->methods = &lookup_path_methods;
    dynkv_path_take_disabled(&path->path, outer);
    lookup_cost(root, path, inner, outer, &key, clauses);
    add_path(join, &path->path);
}

static void lookup_add_paths(PlannerInfo *root, RelOptInfo *join, RelOptInfo *outer,
                             RelOptInfo *inner, JoinType type, JoinPathExtraData *extra)
{
    ListCell *cell;

    if (type == JOIN_UNIQUE_OUTER) {
        Path *unique =
            (Path *)create_unique_path(root, outer, outer->cheapest_total_path, extra->sjinfo);

        lookup_add_path(root, join, inner, unique, JOIN_INNER, extra);
        return;
    }
    foreach (cell, outer->pathlist)
        lookup_add_path(root, join, inner, lfirst(cell), type, extra);
}

static void lookup_join_pathlist(PlannerInfo *root, RelOptInfo *join, RelOptInfo *outer,
                                 RelOptInfo *inner, JoinType type, JoinPathExtraData *extra)
{
    if (previous_hook)
        previous_hook(root, join, outer, inner, type, extra);
    if (is_enabled && lookup_is_type(type) && lookup_is_inner(root, inner, outer))
        lookup_add_paths(root, join, outer, inner, type, extra);
}

void dynkv_lookup_init(void)
{
    DefineCustomBoolVariable("dynkv_fdw.enable_lookup_join",
                             "Enables the planner's use of lookup joins with foreign tables.",
                             "They ask for the keys of many rows at once.", &is_enabled, true,
                             PGC_USERSET, 0, NULL, NULL, NULL);
    RegisterCustomScanMethods(&dynkv_lookup_scan_methods);
    previous_hook = set_join_pathlist_hook;
    set_join_pathlist_hook = lookup_join_pathlist;
}
