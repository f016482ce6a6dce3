/*
 * qual.c: from conditions to the trees of filters.
 *
 * The same walk decides at planning what is told, and makes the filter at execution: it makes a tree of a
 * condition, or finds that it cannot.  Values are put into the tree when they are known (qual_value.c).
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fdw/codec.h"
#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/match.h"
#include "fdw/qual_tree.h"

#define GENERATED_VIRTUAL  'v'   /* attgenerated of a column that is never stored; since 18 */
#define NUMERIC_SCALE_SIGN 0x400 /* of a typmod's scale, which has 11 bits */
/* Below the limit of filters, for the AND at the top, and as some conditions become several levels. */
#define QUAL_DEPTH_MAX     10
#define QUAL_NODES_MAX     (DYNKV_FILTER_NODES_MAX - 1)

static DynkvQualNode *qual_compile(DynkvQuals *quals, Node *expr, int depth);

DynkvQuals *dynkv_quals_new(Relation table, const DynkvTableOptions *options, int varno)
{
    DynkvQuals *quals = palloc0(sizeof *quals);
    ListCell *cell;

    quals->table = table;
    quals->format = options->format == DYNKV_FORMAT_JSON ? DYNKV_FILTER_JSON : DYNKV_FILTER_ROW;
    quals->meta = dynkv_meta_create(table);
    quals->varno = varno;
    foreach (cell, options->partition_key)
        quals->keys = bms_add_member(quals->keys, lfirst_int(cell));
    foreach (cell, options->sort_key)
        quals->keys = bms_add_member(quals->keys, lfirst_int(cell));
    return quals;
}

static DynkvQualNode *qual_node(DynkvQuals *quals, enum dynkv_filter_op op, int column)
{
    DynkvQualNode *node = palloc0(sizeof *node);

    node->op = op;
    node->column = column;
    quals->nodes++;
    return node;
}

static DynkvQualNode *qual_not(DynkvQuals *quals, DynkvQualNode *child)
{
    DynkvQualNode *node;

    if (!child)
        return NULL;
    node = qual_node(quals, DYNKV_FILTER_NOT, 0);
    node->children = list_make1(child);
    return node;
}

/* ---- columns ---- */

/* precision << 16 | scale, as filters have it; 0: any. */
static uint32 qual_numeric_limit(int32 typmod)
{
    return typmod < VARHDRSZ ? 0 : (uint32)(typmod - VARHDRSZ);
}

/* How the stored form of a type is read; 0: not for comparisons. */
static enum dynkv_filter_type qual_type(Oid type, int32 typmod)
{
    switch (type) {
    case BOOLOID:
        return DYNKV_FILTER_BOOL;
    case INT2OID:
        return DYNKV_FILTER_INT2;
    case INT4OID:
        return DYNKV_FILTER_INT4;
    case INT8OID:
        return DYNKV_FILTER_INT8;
    case FLOAT4OID:
        return DYNKV_FILTER_FLOAT4;
    case FLOAT8OID:
        return DYNKV_FILTER_FLOAT8;
    case TEXTOID:
    case VARCHAROID:
        return GetDatabaseEncoding() == PG_UTF8 ? DYNKV_FILTER_TEXT : 0;
    case BYTEAOID:
        return DYNKV_FILTER_BYTEA;
    case UUIDOID:
        return DYNKV_FILTER_UUID;
    case DATEOID:
        return DYNKV_FILTER_DATE;
    case TIMESTAMPOID: /* with a precision, what is read is rounded */
        return typmod < 0 ? DYNKV_FILTER_TIMESTAMP : 0;
    case TIMESTAMPTZOID:
        return typmod < 0 ? DYNKV_FILTER_TIMESTAMPTZ : 0;
    case NUMERICOID: /* with a scale below zero, digits before the point are rounded */
        return typmod < VARHDRSZ || !(qual_numeric_limit(typmod) & NUMERIC_SCALE_SIGN)
                   ? DYNKV_FILTER_NUMERIC
                   : 0;
    default:
        return 0;
    }
}

static Node *qual_strip(Node *expr)
{
    /* varchar is compared as text: the same bytes under another name. */
    while (expr && IsA(expr, RelabelType))
        expr = (Node *)((RelabelType *)expr)->arg;
    return expr;
}

/* The attribute that an expression is, if it stands in the value; else 0. */
static AttrNumber qual_attribute(const DynkvQuals *quals, Node *expr)
{
    Var *var = (Var *)qual_strip(expr);
    Form_pg_attribute att;

    if (!var || !IsA(var, Var) || var->varno != quals->varno || var->varlevelsup != 0 ||
        var->varattno <= 0 || bms_is_member(var->varattno, quals->keys) ||
        dynkv_meta_has(quals->meta, var->varattno))
        return 0;
    att = TupleDescAttr(RelationGetDescr(quals->table), var->varattno - 1);
    if (att->attisdropped || att->attgenerated == GENERATED_VIRTUAL ||
        get_typtype(att->atttypid) == TYPTYPE_DOMAIN)
        return 0;
    return var->varattno;
}

/* Its place among the filter's columns; -1: there are too many, or its type is none for that. */
static int qual_column(DynkvQuals *quals, AttrNumber attno, bool is_compared)
{
    Form_pg_attribute att = TupleDescAttr(RelationGetDescr(quals->table), attno - 1);
    enum dynkv_filter_type type = qual_type(att->atttypid, att->atttypmod);
    struct dynkv_filter_column *column;
    char *name;
    int at = 0;

    if (!type && is_compared)
        return -1;
    if (!type)
        type = quals->format == DYNKV_FILTER_JSON &&
                       (att->atttypid == JSONOID || att->atttypid == JSONBOID)
                   ? DYNKV_FILTER_PRESENT
                   : DYNKV_FILTER_ANY;
    while (at < quals->column_count && quals->attnos[at] != attno)
        at++;
    if (at < quals->column_count)
        return at;
    if (at == DYNKV_FILTER_COLUMNS_MAX)
        return -1;
    name = dynkv_option_column_name(quals->table, attno);
    quals->column_count++;
    quals->attnos[at] = attno;
    column = &quals->columns[at];
    column->type = type;
    column->name = dynkv_text_to_utf8(name, (int)strlen(name));
    if (att->atttypid == VARCHAROID && att->atttypmod >= VARHDRSZ)
        column->limit = (uint32)(att->atttypmod - VARHDRSZ);
    if (type == DYNKV_FILTER_NUMERIC)
        column->limit = qual_numeric_limit(att->atttypmod);
    return at;
}

/* ---- values ---- */

static bool qual_has_column(Node *expr, void *varno)
{
    if (!expr)
        return false;
    if (IsA(expr, Var))
        return ((Var *)expr)->varno == *(int *)varno;
    return expression_tree_walker(expr, qual_has_column, varno);
}

static bool qual_is_value(DynkvQuals *quals, Node *expr, int depth)
{
    Node *plain = qual_strip(expr);

    if (IsA(plain, Const) || IsA(plain, Param))
        return true;
    return depth == 1 && !qual_has_column(expr, &quals->varno) &&
           !contain_volatile_functions(expr) && !contain_subplans(expr);
}

static bool qual_is_integer(Oid type)
{
    return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool qual_is_float(Oid type)
{
    return type == FLOAT4OID || type == FLOAT8OID;
}

static bool qual_is_text(Oid type)
{
    return type == TEXTOID || type == VARCHAROID;
}

/* Whether the operator of a family compares the two as filters do. */
static bool qual_types_fit(Oid column, Oid value)
{
    return column == value || (qual_is_integer(column) && qual_is_integer(value)) ||
           (qual_is_float(column) && qual_is_float(value)) ||
           (qual_is_text(column) && qual_is_text(value));
}

/* ---- conditions ---- */

/* The btree strategy of an operator on a type; *negated: of its negation.  0: any other operator. */
static int qual_strategy(Oid operator, Oid type, bool *negated)
{
    Oid family = dynkv_match_family(type);
    int strategy;

    *negated = false;
    if (!OidIsValid(family) || !OidIsValid(operator))
        return 0;
    strategy = get_op_opfamily_strategy(operator, family);
    if (strategy)
        return strategy;
    operator= get_negator(operator);
    *negated = true;
    /* <> is in no family, but its negator is. */
    strategy = OidIsValid(operator) ? get_op_opfamily_strategy(operator, family) : 0;
    return strategy == BTEqualStrategyNumber ? strategy : 0;
}

static bool qual_collation_fits(Oid type, Oid collation, int strategy)
{
    return strategy == BTEqualStrategyNumber ? dynkv_codec_is_comparable(type, collation)
                                             : dynkv_codec_is_ordered(type, collation);
}

static DynkvQualNode *qual_comparison(DynkvQuals *quals, enum dynkv_filter_op op, AttrNumber attno,
                                      Node *value, Oid value_type)
{
    int column = qual_column(quals, attno, true);
    DynkvQualNode *node;

    if (column < 0)
        return NULL;
    node = qual_node(quals, op, column);
    node->value = (Expr *)value;
    node->value_type = value_type;
    return node;
}

static Oid qual_attribute_type(const DynkvQuals *quals, AttrNumber attno)
{
    return TupleDescAttr(RelationGetDescr(quals->table), attno - 1)->atttypid;
}

/*
 * LIKE, NOT LIKE, ^@ and starts_with(): by the functions that do it.  0: the function is another one.  Under a
 * deterministic collation they compare bytes.
 */
static enum dynkv_filter_op qual_pattern_op(Oid function, bool *negated)
{
    *negated = function == F_TEXTNLIKE;
    switch (function) {
    case F_TEXTLIKE:
    case F_TEXTNLIKE:
        return DYNKV_FILTER_LIKE;
    case F_STARTS_WITH:
        return DYNKV_FILTER_STARTS_WITH;
    default:
        return 0;
    }
}

static DynkvQualNode *qual_pattern(DynkvQuals *quals, Oid function, Oid collation, List *args,
                                   int depth)
{
    bool negated;
    enum dynkv_filter_op op = qual_pattern_op(function, &negated);
    AttrNumber attno = op ? qual_attribute(quals, linitial(args)) : 0;
    DynkvQualNode *node;

    if (!attno || !qual_is_text(qual_attribute_type(quals, attno)) ||
        !qual_is_value(quals, lsecond(args), depth) ||
        !qual_collation_fits(TEXTOID, collation, BTEqualStrategyNumber))
        return NULL;
    node = qual_comparison(quals, op, attno, lsecond(args), TEXTOID);
    return negated ? qual_not(quals, node) : node;
}

static DynkvQualNode *qual_operator(DynkvQuals *quals, OpExpr *op, int depth)
{
    static const enum dynkv_filter_op ops[BTMaxStrategyNumber + 1] = {
        [BTLessStrategyNumber] = DYNKV_FILTER_LT,
        [BTLessEqualStrategyNumber] = DYNKV_FILTER_LE,
        [BTEqualStrategyNumber] = DYNKV_FILTER_EQ,
        [BTGreaterEqualStrategyNumber] = DYNKV_FILTER_GE,
        [BTGreaterStrategyNumber] = DYNKV_FILTER_GT,
    };
    Oid operator= op->opno;
    AttrNumber attno;
    Node *value;
    DynkvQualNode *node;
    int strategy;
    bool negated;
    Oid type;

    if (list_length(op->args) != 2)
        return NULL;
    if (qual_pattern_op(get_opcode(operator), &negated))
        return qual_pattern(quals, get_opcode(operator), op->inputcollid, op->args, depth);
    attno = qual_attribute(quals, linitial(op->args));
    value = lsecond(op->args);
    if (!attno) {
        attno = qual_attribute(quals, lsecond(op->args));
        value = linitial(op->args);
        operator= get_commutator(operator);
    }
    if (!attno || !qual_is_value(quals, value, depth))
        return NULL;
    type = qual_attribute_type(quals, attno);
    strategy = qual_strategy(operator, type, &negated);
    if (!strategy || !qual_types_fit(type, exprType(value)) ||
        (qual_is_text(type) && !qual_collation_fits(type, op->inputcollid, strategy)))
        return NULL;
    node = qual_comparison(quals, ops[strategy], attno, value, exprType(value));
    return negated ? qual_not(quals, node) : node;
}

/* starts_with(), the function of ^@. */
static DynkvQualNode *qual_function(DynkvQuals *quals, FuncExpr *call, int depth)
{
    bool negated;

    return qual_pattern_op(call->funcid, &negated)
               ? qual_pattern(quals, call->funcid, call->inputcollid, call->args, depth)
               : NULL;
}

/* = ANY, and its opposite <> ALL. */
static DynkvQualNode *qual_array(DynkvQuals *quals, ScalarArrayOpExpr *op, int depth)
{
    AttrNumber attno = qual_attribute(quals, linitial(op->args));
    Node *value = lsecond(op->args);
    Oid value_type = get_base_element_type(exprType(value));
    DynkvQualNode *node;
    bool negated;
    Oid type;

    if (!attno || !OidIsValid(value_type) || !qual_is_value(quals, value, depth))
        return NULL;
    type = qual_attribute_type(quals, attno);
    if (qual_strategy(op->opno, type, &negated) != BTEqualStrategyNumber || negated == op->useOr ||
        !qual_types_fit(type, value_type) ||
        (qual_is_text(type) && !qual_collation_fits(type, op->inputcollid, BTEqualStrategyNumber)))
        return NULL;
    node = qual_comparison(quals, DYNKV_FILTER_IN, attno, value, value_type);
    return negated ? qual_not(quals, node) : node;
}

static DynkvQualNode *qual_null_test(DynkvQuals *quals, NullTest *test)
{
    AttrNumber attno = test->argisrow ? 0 : qual_attribute(quals, (Node *)test->arg);
    int column = attno ? qual_column(quals, attno, false) : -1;
    DynkvQualNode *node;

    if (column < 0)
        return NULL;
    node = qual_node(quals, DYNKV_FILTER_IS_NULL, column);
    return test->nulltesttype == IS_NULL ? node : qual_not(quals, node);
}

/* A boolean column that stands alone. */
static DynkvQualNode *qual_boolean(DynkvQuals *quals, Node *expr)
{
    AttrNumber attno = qual_attribute(quals, expr);

    if (!attno || qual_attribute_type(quals, attno) != BOOLOID)
        return NULL;
    return qual_comparison(quals, DYNKV_FILTER_EQ, attno, NULL, BOOLOID);
}

/* IS TRUE and the like: never null. */
static DynkvQualNode *qual_boolean_test(DynkvQuals *quals, BooleanTest *test)
{
    DynkvQualNode *is_true = qual_boolean(quals, (Node *)test->arg);
    DynkvQualNode *is_null, *node;

    if (!is_true)
        return NULL;
    is_null = qual_node(quals, DYNKV_FILTER_IS_NULL, is_true->column);
    switch (test->booltesttype) {
    case IS_UNKNOWN:
        return is_null;
    case IS_NOT_UNKNOWN:
        return qual_not(quals, is_null);
    case IS_FALSE:
    case IS_NOT_FALSE:
        is_true = qual_not(quals, is_true);
        break;
    default:
        break;
    }
    node = qual_node(quals, DYNKV_FILTER_AND, 0);
    node->children = list_make2(qual_not(quals, is_null), is_true);
    return test->booltesttype == IS_TRUE || test->booltesttype == IS_FALSE ? node
                                                                           : qual_not(quals, node);
}

static DynkvQualNode *qual_logic(DynkvQuals *quals, BoolExpr *expr, int depth)
{
    DynkvQualNode *node;
    ListCell *cell;

    if (expr->boolop == NOT_EXPR)
        return qual_not(quals, qual_compile(quals, linitial(expr->args), depth + 1));
    node = qual_node(quals, expr->boolop == AND_EXPR ? DYNKV_FILTER_AND : DYNKV_FILTER_OR, 0);
    foreach (cell, expr->args) {
        DynkvQualNode *child = qual_compile(quals, lfirst(cell), depth + 1);

        if (!child)
            return NULL;
        node->children = lappend(node->children, child);
    }
    return node;
}

/* NULL: no filter can say it.  What it has added to columns and nodes is the caller's to take back. */
static DynkvQualNode *qual_compile(DynkvQuals *quals, Node *expr, int depth)
{
    check_stack_depth();
    if (depth > QUAL_DEPTH_MAX)
        return NULL;
    switch (nodeTag(expr)) {
    case T_OpExpr:
        return qual_operator(quals, (OpExpr *)expr, depth);
    case T_FuncExpr:
        return qual_function(quals, (FuncExpr *)expr, depth);
    case T_ScalarArrayOpExpr:
        return qual_array(quals, (ScalarArrayOpExpr *)expr, depth);
    case T_NullTest:
        return qual_null_test(quals, (NullTest *)expr);
    case T_BooleanTest:
        return qual_boolean_test(quals, (BooleanTest *)expr);
    case T_BoolExpr:
        return qual_logic(quals, (BoolExpr *)expr, depth);
    default:
        return qual_boolean(quals, expr);
    }
}

DynkvQualNode *dynkv_quals_take(DynkvQuals *quals, Node *expr)
{
    int column_count = quals->column_count;
    int nodes = quals->nodes;
    DynkvQualNode *node = qual_compile(quals, expr, 1);

    if (node && quals->nodes <= QUAL_NODES_MAX)
        return node;
    quals->column_count = column_count;
    quals->nodes = nodes;
    return NULL;
}

List *dynkv_quals_choose(RelOptInfo *rel, Relation table, const DynkvTableOptions *options,
                         List *clauses)
{
    DynkvQuals *quals;
    List *chosen = NIL;
    ListCell *cell;

    if (options->format == DYNKV_FORMAT_RAW)
        return NIL;
    quals = dynkv_quals_new(table, options, (int)rel->relid);
    foreach (cell, clauses) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

        /* A value must not be evaluated, and perhaps fail, before a security barrier has let rows by. */
        if (!clause->pseudoconstant && restriction_is_securely_promotable(clause, rel) &&
            dynkv_quals_take(quals, (Node *)clause->clause))
            chosen = lappend(chosen, clause);
    }
    return chosen;
}
