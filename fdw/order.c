/*
 * order.c: from the columns of the key to pathkeys.
 *
 * Only what the query asks for somewhere (ORDER BY, DISTINCT, GROUP BY, a merge join, min and max) has an
 * equivalence class; a column that has none ends the useful part of the order.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "optimizer/paths.h"
#include "utils/lsyscache.h"

#include "fdw/codec.h"
#include "fdw/compat.h"
#include "fdw/order.h"

static bool order_has_column(RelOptInfo *rel, const DynkvKeyColumns *columns, int column,
                             EquivalenceClass *class)
{
    DynkvMemberIterator it;
    EquivalenceMember *member;

    dynkv_member_iterator_begin(&it, class, rel->relids);
    while ((member = dynkv_member_iterator_next(&it)) != NULL)
        if (bms_equal(member->em_relids, rel->relids) &&
            dynkv_match_is_column(rel, columns, column, (Node *)member->em_expr))
            return true;
    return false;
}

/* The class by which the query orders or joins the column as the key does; NULL: none. */
static EquivalenceClass *order_class(PlannerInfo *root, RelOptInfo *rel,
                                     const DynkvKeyColumns *columns, int column, Oid family)
{
    ListCell *cell;

    foreach (cell, root->eq_classes) {
        EquivalenceClass *class = lfirst(cell);

        if (!class->ec_has_volatile && list_member_oid(class->ec_opfamilies, family) &&
            dynkv_codec_is_ordered(columns->types[column], class->ec_collation) &&
            order_has_column(rel, columns, column, class))
            return class;
    }
    return NULL;
}

/* Keys are never NULL, so NULLs may be where the query wants them. */
static bool order_nulls_first(PlannerInfo *root, EquivalenceClass *class, bool falls)
{
    ListCell *cell;

    foreach (cell, root->query_pathkeys) {
        PathKey *pathkey = lfirst(cell);

        if (pathkey->pk_eclass == class)
            return pathkey->pk_nulls_first;
    }
    return falls;
}

static bool order_is_one_value(List *used, int column)
{
    ListCell *cell;

    foreach (cell, used) {
        DynkvBound *bound = lfirst(cell);

        if (bound->column == column && bound->kind == DYNKV_BOUND_EQ)
            return true;
    }
    return false;
}

static bool order_is_in(List *pathkeys, EquivalenceClass *class)
{
    ListCell *cell;

    foreach (cell, pathkeys)
        if (((PathKey *)lfirst(cell))->pk_eclass == class)
            return true;
    return false;
}

List *dynkv_order_pathkeys(PlannerInfo *root, RelOptInfo *rel, const DynkvKeyColumns *columns,
                           List *used, enum dynkv_order order)
{
    bool falls = order == DYNKV_ORDER_FALLING;
    List *pathkeys = NIL;

    for (int i = 0; i < columns->count; i++) {
        Oid family = dynkv_match_family(columns->types[i]);
        EquivalenceClass *class;

        if (order_is_one_value(used, i))
            continue;
        class = OidIsValid(family) ? order_class(root, rel, columns, i, family) : NULL;
        if (!class)
            break;
        if (EC_MUST_BE_REDUNDANT(class) || order_is_in(pathkeys, class))
            continue;
        pathkeys = lappend(pathkeys, dynkv_make_pathkey(root, class, family, falls,
                                                        order_nulls_first(root, class, falls)));
    }
    return truncate_useless_pathkeys(root, rel, pathkeys);
}
