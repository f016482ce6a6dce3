/*
 * match.c: from clauses to bounds of key columns, and from bounds to the way to read.
 *
 * The operator must be of the btree operator family of the column type's default operator class: then
 * "=" and "<" mean what the encoding of keys means by them.  Collations: equality must be deterministic,
 * order must be byte order (dynkv_codec_is_ordered).
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "fdw/codec.h"
#include "fdw/match.h"
#include "fdw/prefix.h"

void dynkv_match_key_columns(Relation rel, const DynkvTableOptions *options,
                             DynkvKeyColumns *columns)
{
    ListCell *cell;

    memset(columns, 0, sizeof *columns);
    columns->partition_count = list_length(options->partition_key);
    foreach (cell, options->partition_key)
        columns->attnos[columns->count++] = (AttrNumber)lfirst_int(cell);
    foreach (cell, options->sort_key)
        columns->attnos[columns->count++] = (AttrNumber)lfirst_int(cell);
    for (int i = 0; i < columns->count; i++)
        columns->types[i] =
            getBaseType(TupleDescAttr(RelationGetDescr(rel), columns->attnos[i] - 1)->atttypid);
}

bool dynkv_match_is_column(RelOptInfo *rel, const DynkvKeyColumns *columns, int column, Node *expr)
{
    Var *var;

    /* varchar is compared as text: the same bytes under another name. */
    while (expr && IsA(expr, RelabelType))
        expr = (Node *)((RelabelType *)expr)->arg;
    if (!expr || !IsA(expr, Var))
        return false;
    var = (Var *)expr;
    return var->varno == (int)rel->relid && var->varlevelsup == 0 &&
           var->varattno == columns->attnos[column];
}

static int match_column(RelOptInfo *rel, const DynkvKeyColumns *columns, Node *expr)
{
    for (int i = 0; i < columns->count; i++)
        if (dynkv_match_is_column(rel, columns, i, expr))
            return i;
    return -1;
}

/* May be evaluated before the rows are read, and once for all of them. */
static bool match_is_value(PlannerInfo *root, RelOptInfo *rel, Node *expr)
{
    return !bms_is_member((int)rel->relid, pull_varnos(root, expr)) &&
           !contain_volatile_functions(expr) && !contain_subplans(expr);
}

static bool match_is_integer(Oid type)
{
    return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* A value of this type can be put into a key column of that type (bind.c converts integers). */
static bool match_type(Oid column_type, Oid value_type)
{
    return column_type == value_type || IsBinaryCoercible(value_type, column_type) ||
           IsBinaryCoercible(column_type, value_type) ||
           (match_is_integer(column_type) && match_is_integer(value_type));
}

Oid dynkv_match_family(Oid type)
{
    return lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
}

/* The btree strategy of an operator with the key column on its left; 0 for any other operator. */
static int match_strategy(Oid operator, Oid column_type)
{
    Oid family = dynkv_match_family(column_type);
    int strategy;
    Oid left, right;

    if (!OidIsValid(family) || !op_in_opfamily(operator, family))
        return 0;
    get_op_opfamily_properties(operator, family, false, &strategy, &left, &right);
    return strategy;
}

static bool match_collation(Oid column_type, Oid collation, DynkvBoundKind kind)
{
    if (dynkv_bound_is_equality(kind))
        return !OidIsValid(collation) || get_collation_isdeterministic(collation);
    return dynkv_codec_is_ordered(column_type, collation);
}

static DynkvBound *match_bound(int column, DynkvBoundKind kind, Oid value_type, Node *value,
                               RestrictInfo *clause)
{
    DynkvBound *bound = palloc0(sizeof *bound);

    bound->column = column;
    bound->kind = kind;
    bound->value_type = value_type;
    bound->value = (Expr *)value;
    bound->clause = clause;
    return bound;
}

/*
 * A pattern or prefix.  Keys are compared by their bytes, so under any deterministic collation: what it
 * says of order does not matter here.
 */
static DynkvBound *match_prefix(Oid function, const DynkvKeyColumns *columns, int column,
                                Oid collation, Node *value, RestrictInfo *clause)
{
    DynkvPrefixKind kind = dynkv_prefix_kind(function);
    Oid value_type = exprType(value);
    Const *pattern = (Const *)value;
    StringInfoData prefix;
    bool is_exact;

    if (!dynkv_prefix_is_for(columns->types[column]) || !OidIsValid(collation) ||
        !get_collation_isdeterministic(collation))
        return NULL;
    if (IsA(value, Const) && !pattern->constisnull) {
        initStringInfo(&prefix);
        is_exact = dynkv_prefix_of(kind, pattern->constvalue, &prefix);
        /* A pattern without wildcards is an equality, except that char(n) ignores blanks in those. */
        if (is_exact && match_type(columns->types[column], TEXTOID) &&
            columns->types[column] != BPCHAROID)
            return match_bound(column, DYNKV_BOUND_EQ, TEXTOID,
                               (Node *)makeConst(TEXTOID, -1, collation, -1,
                                                 PointerGetDatum(cstring_to_text_with_len(
                                                     prefix.data, prefix.len)),
                                                 false, false),
                               clause);
        if (prefix.len == 0)
            return NULL;
    }
    return match_bound(column, kind == DYNKV_PREFIX_LIKE ? DYNKV_BOUND_LIKE : DYNKV_BOUND_PREFIX,
                       value_type, value, clause);
}

static DynkvBound *match_operator(PlannerInfo *root, RelOptInfo *rel,
                                  const DynkvKeyColumns *columns, RestrictInfo *clause)
{
    static const DynkvBoundKind kinds[BTMaxStrategyNumber + 1] = {
        [BTLessStrategyNumber] = DYNKV_BOUND_LT,    [BTLessEqualStrategyNumber] = DYNKV_BOUND_LE,
        [BTEqualStrategyNumber] = DYNKV_BOUND_EQ,   [BTGreaterEqualStrategyNumber] = DYNKV_BOUND_GE,
        [BTGreaterStrategyNumber] = DYNKV_BOUND_GT,
    };
    OpExpr *op = (OpExpr *)clause->clause;
    Oid operator= op->opno;
    Node *value;
    int column, strategy;
    Oid value_type;

    if (list_length(op->args) != 2)
        return NULL;
    column = match_column(rel, columns, linitial(op->args));
    value = lsecond(op->args);
    if (column < 0) {
        column = match_column(rel, columns, lsecond(op->args));
        value = linitial(op->args);
        operator= get_commutator(op->opno);
    }
    if (column < 0 || !OidIsValid(operator) || !match_is_value(root, rel, value))
        return NULL;
    if (dynkv_prefix_kind(get_opcode(operator)) != DYNKV_PREFIX_NONE)
        return match_prefix(get_opcode(operator), columns, column, op->inputcollid, value, clause);
    strategy = match_strategy(operator, columns->types[column]);
    value_type = exprType(value);
    if (strategy == 0 || !match_type(columns->types[column], value_type) ||
        !match_collation(columns->types[column], op->inputcollid, kinds[strategy]))
        return NULL;
    return match_bound(column, kinds[strategy], value_type, value, clause);
}

/* starts_with(column, value), the function of ^@. */
static DynkvBound *match_function(PlannerInfo *root, RelOptInfo *rel,
                                  const DynkvKeyColumns *columns, RestrictInfo *clause)
{
    FuncExpr *call = (FuncExpr *)clause->clause;
    int column;

    if (dynkv_prefix_kind(call->funcid) == DYNKV_PREFIX_NONE)
        return NULL;
    column = match_column(rel, columns, linitial(call->args));
    if (column < 0 || !match_is_value(root, rel, lsecond(call->args)))
        return NULL;
    return match_prefix(call->funcid, columns, column, call->inputcollid, lsecond(call->args),
                        clause);
}

static DynkvBound *match_array(PlannerInfo *root, RelOptInfo *rel, const DynkvKeyColumns *columns,
                               RestrictInfo *clause)
{
    ScalarArrayOpExpr *op = (ScalarArrayOpExpr *)clause->clause;
    int column = match_column(rel, columns, linitial(op->args));
    Node *value = lsecond(op->args);
    Oid value_type = get_base_element_type(exprType(value));

    if (column < 0 || !op->useOr || !OidIsValid(value_type) || !match_is_value(root, rel, value) ||
        match_strategy(op->opno, columns->types[column]) != BTEqualStrategyNumber ||
        !match_type(columns->types[column], value_type) ||
        !match_collation(columns->types[column], op->inputcollid, DYNKV_BOUND_ANY))
        return NULL;
    return match_bound(column, DYNKV_BOUND_ANY, value_type, value, clause);
}

/* A boolean key column stands alone in a condition, or under NOT. */
static DynkvBound *match_boolean(RelOptInfo *rel, const DynkvKeyColumns *columns,
                                 RestrictInfo *clause)
{
    Node *expr = (Node *)clause->clause;
    bool wanted = true;
    int column;

    if (is_notclause(expr)) {
        expr = (Node *)get_notclausearg((Expr *)expr);
        wanted = false;
    }
    column = match_column(rel, columns, expr);
    if (column < 0 || columns->types[column] != BOOLOID)
        return NULL;
    return match_bound(column, DYNKV_BOUND_EQ, BOOLOID, makeBoolConst(wanted, false), clause);
}

DynkvBound *dynkv_match_clause(PlannerInfo *root, RelOptInfo *rel, const DynkvKeyColumns *columns,
                               RestrictInfo *clause)
{
    /* A value must not be evaluated, and perhaps fail, before a security barrier has let rows by. */
    if (clause->pseudoconstant || !restriction_is_securely_promotable(clause, rel))
        return NULL;
    if (IsA(clause->clause, OpExpr))
        return match_operator(root, rel, columns, clause);
    if (IsA(clause->clause, ScalarArrayOpExpr))
        return match_array(root, rel, columns, clause);
    if (IsA(clause->clause, FuncExpr))
        return match_function(root, rel, columns, clause);
    return match_boolean(rel, columns, clause);
}

bool dynkv_match_is_null(RelOptInfo *rel, const DynkvKeyColumns *columns,
                         const RestrictInfo *clause, NullTestType kind)
{
    const NullTest *test = (const NullTest *)clause->clause;

    return IsA(test, NullTest) && test->nulltesttype == kind && !test->argisrow &&
           match_column(rel, columns, (Node *)test->arg) >= 0;
}

/* The equality on a column: one value rather than a list. */
static DynkvBound *match_equality(List *bounds, int column, bool allow_array)
{
    DynkvBound *array = NULL;
    ListCell *cell;

    foreach (cell, bounds) {
        DynkvBound *bound = lfirst(cell);

        if (bound->column != column)
            continue;
        if (bound->kind == DYNKV_BOUND_EQ)
            return bound;
        if (bound->kind == DYNKV_BOUND_ANY && allow_array && !array)
            array = bound;
    }
    return array;
}

DynkvAccess dynkv_match_access(const DynkvKeyColumns *columns, List *bounds, List **used)
{
    List *equal = NIL;
    List *range = NIL;
    DynkvBound *bound;
    ListCell *cell;
    int bound_count;

    while (list_length(equal) < columns->count &&
           (bound = match_equality(bounds, list_length(equal), true)) != NULL)
        equal = lappend(equal, bound);

    /* Less than the partition key says nothing of where rows are: only one range can be scanned. */
    if (list_length(equal) < columns->partition_count) {
        equal = NIL;
        while ((bound = match_equality(bounds, list_length(equal), false)) != NULL)
            equal = lappend(equal, bound);
    }
    bound_count = list_length(equal);
    foreach (cell, bounds) {
        bound = lfirst(cell);
        if (bound->column == bound_count && !dynkv_bound_is_equality(bound->kind))
            range = lappend(range, bound);
    }
    *used = list_concat(equal, range);
    if (bound_count == columns->count)
        return DYNKV_POINT_GET;
    if (bound_count >= columns->partition_count)
        return DYNKV_PARTITION_SCAN;
    return *used ? DYNKV_RANGE_SCAN : DYNKV_FULL_SCAN;
}
