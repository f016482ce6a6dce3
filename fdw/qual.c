/*
 * qual.c: from conditions to filters.
 *
 * The same walk decides at planning what is told, and makes the filter at execution: it makes a tree of a
 * condition, or finds that it cannot.  Values are put into the tree when they are known.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type_d.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "fdw/codec.h"
#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/qual.h"
#include "model/filter.h"

#define GENERATED_VIRTUAL 'v' /* attgenerated of a column that is never stored; since 18 */
/* Below the limit of filters, for the AND at the top, and as some conditions become several levels. */
#define QUAL_DEPTH_MAX    10
#define QUAL_NODES_MAX    (DYNKV_FILTER_NODES_MAX - 1)

/* A node of a filter whose value is not known yet. */
typedef struct QualNode {
    enum dynkv_filter_op op;
    int column;
    Expr *value; /* of a comparison: the constant, or the array of IN; NULL: true */
    Oid value_type;
    ExprState *state;
    List *children;
} QualNode;

struct DynkvQuals {
    Relation table;
    enum dynkv_filter_format format;
    DynkvMeta *meta;
    Bitmapset *keys;
    int varno;
    int column_count;
    AttrNumber attnos[DYNKV_FILTER_COLUMNS_MAX];
    struct dynkv_filter_column columns[DYNKV_FILTER_COLUMNS_MAX];
    int nodes; /* in all conditions */

    /* At execution. */
    List *conditions; /* QualNodes */
    ExprContext *econtext;
    MemoryContext context; /* of the values; reset by evaluate */
};

static QualNode *qual_compile(DynkvQuals *quals, Node *expr, int depth);

static DynkvQuals *quals_new(Relation table, const DynkvTableOptions *options, int varno)
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

static QualNode *qual_node(DynkvQuals *quals, enum dynkv_filter_op op, int column)
{
    QualNode *node = palloc0(sizeof *node);

    node->op = op;
    node->column = column;
    quals->nodes++;
    return node;
}

static QualNode *qual_not(DynkvQuals *quals, QualNode *child)
{
    QualNode *node;

    if (!child)
        return NULL;
    node = qual_node(quals, DYNKV_FILTER_NOT, 0);
    node->children = list_make1(child);
    return node;
}

/* ---- columns ---- */

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
        column->max_chars = (uint32)(att->atttypmod - VARHDRSZ);
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
    Oid opclass = GetDefaultOpClass(type, BTREE_AM_OID);
    Oid family = OidIsValid(opclass) ? get_opclass_family(opclass) : InvalidOid;
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

static QualNode *qual_comparison(DynkvQuals *quals, enum dynkv_filter_op op, AttrNumber attno,
                                 Node *value, Oid value_type)
{
    int column = qual_column(quals, attno, true);
    QualNode *node;

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

static QualNode *qual_operator(DynkvQuals *quals, OpExpr *op, int depth)
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
    QualNode *node;
    int strategy;
    bool negated;
    Oid type;

    if (list_length(op->args) != 2)
        return NULL;
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

/* = ANY, and its opposite <> ALL. */
static QualNode *qual_array(DynkvQuals *quals, ScalarArrayOpExpr *op, int depth)
{
    AttrNumber attno = qual_attribute(quals, linitial(op->args));
    Node *value = lsecond(op->args);
    Oid value_type = get_base_element_type(exprType(value));
    QualNode *node;
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

static QualNode *qual_null_test(DynkvQuals *quals, NullTest *test)
{
    AttrNumber attno = test->argisrow ? 0 : qual_attribute(quals, (Node *)test->arg);
    int column = attno ? qual_column(quals, attno, false) : -1;
    QualNode *node;

    if (column < 0)
        return NULL;
    node = qual_node(quals, DYNKV_FILTER_IS_NULL, column);
    return test->nulltesttype == IS_NULL ? node : qual_not(quals, node);
}

/* A boolean column that stands alone. */
static QualNode *qual_boolean(DynkvQuals *quals, Node *expr)
{
    AttrNumber attno = qual_attribute(quals, expr);

    if (!attno || qual_attribute_type(quals, attno) != BOOLOID)
        return NULL;
    return qual_comparison(quals, DYNKV_FILTER_EQ, attno, NULL, BOOLOID);
}

/* IS TRUE and the like: never null. */
static QualNode *qual_boolean_test(DynkvQuals *quals, BooleanTest *test)
{
    QualNode *is_true = qual_boolean(quals, (Node *)test->arg);
    QualNode *is_null, *node;

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

static QualNode *qual_logic(DynkvQuals *quals, BoolExpr *expr, int depth)
{
    QualNode *node;
    ListCell *cell;

    if (expr->boolop == NOT_EXPR)
        return qual_not(quals, qual_compile(quals, linitial(expr->args), depth + 1));
    node = qual_node(quals, expr->boolop == AND_EXPR ? DYNKV_FILTER_AND : DYNKV_FILTER_OR, 0);
    foreach (cell, expr->args) {
        QualNode *child = qual_compile(quals, lfirst(cell), depth + 1);

        if (!child)
            return NULL;
        node->children = lappend(node->children, child);
    }
    return node;
}

/* NULL: no filter can say it.  What it has added to columns and nodes is the caller's to take back. */
static QualNode *qual_compile(DynkvQuals *quals, Node *expr, int depth)
{
    check_stack_depth();
    if (depth > QUAL_DEPTH_MAX)
        return NULL;
    switch (nodeTag(expr)) {
    case T_OpExpr:
        return qual_operator(quals, (OpExpr *)expr, depth);
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

/* The whole of a condition, or nothing of it. */
static QualNode *qual_take(DynkvQuals *quals, Node *expr)
{
    int column_count = quals->column_count;
    int nodes = quals->nodes;
    QualNode *node = qual_compile(quals, expr, 1);

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
    quals = quals_new(table, options, (int)rel->relid);
    foreach (cell, clauses) {
        RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

        /* A value must not be evaluated, and perhaps fail, before a security barrier has let rows by. */
        if (!clause->pseudoconstant && restriction_is_securely_promotable(clause, rel) &&
            qual_take(quals, (Node *)clause->clause))
            chosen = lappend(chosen, copyObject(clause->clause));
    }
    return chosen;
}

/* ---- execution ---- */

static void qual_init(DynkvQuals *quals, QualNode *node, PlanState *parent)
{
    ListCell *cell;

    if (node->value)
        node->state = ExecInitExpr(node->value, parent);
    foreach (cell, node->children)
        qual_init(quals, lfirst(cell), parent);
}

DynkvQuals *dynkv_quals_create(ForeignScanState *node, const DynkvTableOptions *options,
                               List *clauses)
{
    DynkvQuals *quals;
    ListCell *cell;

    if (clauses == NIL)
        return NULL;
    quals =
        quals_new(node->ss.ss_currentRelation, options, (int)((Scan *)node->ss.ps.plan)->scanrelid);
    quals->econtext = node->ss.ps.ps_ExprContext;
    quals->context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv filter", ALLOCSET_SMALL_SIZES);
    foreach (cell, clauses) {
        QualNode *condition = qual_take(quals, lfirst(cell));

        if (!condition)
            continue; /* what could be told has become something else: all rows are fetched */
        qual_init(quals, condition, &node->ss.ps);
        quals->conditions = lappend(quals->conditions, condition);
    }
    return quals;
}

static int64 qual_date(DateADT date)
{
    return DATE_IS_NOBEGIN(date) ? PG_INT64_MIN : DATE_IS_NOEND(date) ? PG_INT64_MAX : date;
}

/* A constant as filters have it. */
static struct dynkv_filter_value qual_constant(Oid type, Datum value)
{
    struct dynkv_filter_value constant = {0};
    struct varlena *data;

    switch (type) {
    case BOOLOID:
        constant.integer = DatumGetBool(value);
        break;
    case INT2OID:
        constant.integer = DatumGetInt16(value);
        break;
    case INT4OID:
        constant.integer = DatumGetInt32(value);
        break;
    case INT8OID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID: /* all three are 64 bits */
        constant.integer = DatumGetInt64(value);
        break;
    case DATEOID:
        constant.integer = qual_date(DatumGetDateADT(value));
        break;
    case FLOAT4OID:
        constant.real = DatumGetFloat4(value);
        break;
    case FLOAT8OID:
        constant.real = DatumGetFloat8(value);
        break;
    case UUIDOID:
        constant.bytes = dynkv_slice(DatumGetUUIDP(value)->data, UUID_LEN);
        break;
    default: /* text, varchar, bytea */
        data = PG_DETOAST_DATUM_PACKED(value);
        constant.bytes = dynkv_slice(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
    }
    return constant;
}

static int qual_compare(const void *a, const void *b, void *type)
{
    return dynkv_filter_compare(*(enum dynkv_filter_type *)type, a, b);
}

/* The elements of IN: rising, each once. */
static void qual_list(const DynkvQuals *quals, const QualNode *node, Datum value,
                      struct dynkv_filter_node *out)
{
    enum dynkv_filter_type type = quals->columns[node->column].type;
    ArrayType *array = DatumGetArrayTypeP(value);
    Datum *elements;
    bool *nulls;
    int count, kept = 0;
    int16 len;
    bool by_value;
    char align;

    get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &by_value, &align);
    deconstruct_array(array, ARR_ELEMTYPE(array), len, by_value, align, &elements, &nulls, &count);
    out->values =
        MemoryContextAllocHuge(CurrentMemoryContext, sizeof *out->values * (Size)Max(count, 1));
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            out->has_null = true;
        else
            out->values[out->value_count++] = qual_constant(node->value_type, elements[i]);
    }
    if (out->value_count == 0)
        return;
    qsort_arg(out->values, out->value_count, sizeof *out->values, qual_compare, &type);
    for (uint32 i = 1; i < out->value_count; i++)
        if (qual_compare(&out->values[i], &out->values[kept], &type) != 0)
            out->values[++kept] = out->values[i];
    out->value_count = (uint32)kept + 1;
}

static void qual_fill(DynkvQuals *quals, const QualNode *node, struct dynkv_filter_node *out)
{
    bool is_null = false;
    Datum value = BoolGetDatum(true);
    ListCell *cell;

    memset(out, 0, sizeof *out);
    out->op = node->op;
    out->column = (uint32)node->column;
    if (node->children != NIL) {
        out->children = palloc(sizeof *out->children * (Size)list_length(node->children));
        foreach (cell, node->children)
            qual_fill(quals, lfirst(cell), &out->children[out->child_count++]);
        return;
    }
    if (node->op == DYNKV_FILTER_IS_NULL)
        return;
    if (node->state)
        value = ExecEvalExpr(node->state, quals->econtext, &is_null);
    if (is_null) {
        out->op = DYNKV_FILTER_NULL;
    } else if (node->op == DYNKV_FILTER_IN) {
        qual_list(quals, node, value, out);
    } else {
        out->values = palloc(sizeof *out->values);
        out->values[0] = qual_constant(node->value_type, value);
        out->value_count = 1;
    }
}

/* The filter in the current memory context; empty if it is larger than one may be. */
static struct dynkv_slice qual_encode(const struct dynkv_filter *filter)
{
    struct dynkv_buf bytes = {0};
    uint8 *copy = NULL;
    size_t len;

    /* Nothing here raises an error, so that the buffer is not lost. */
    dynkv_filter_encode(filter, &bytes);
    len = bytes.len;
    if (len <= DYNKV_FILTER_MAX)
        copy = palloc_extended(len, MCXT_ALLOC_NO_OOM);
    if (copy)
        memcpy(copy, bytes.data, len);
    dynkv_buf_fini(&bytes);
    return dynkv_slice(copy, copy ? len : 0);
}

/* Without its greatest condition, which is an IN of very many; false: there is none. */
static bool qual_drop_greatest(struct dynkv_filter *filter)
{
    struct dynkv_filter_node *conditions = filter->root.children;
    uint32 greatest = 0;
    size_t most = 0;

    if (filter->root.child_count < 2)
        return false;
    for (uint32 i = 0; i < filter->root.child_count; i++) {
        struct dynkv_filter one = *filter;
        struct dynkv_buf bytes = {0};

        one.root = conditions[i];
        dynkv_filter_encode(&one, &bytes);
        if (bytes.len > most) {
            most = bytes.len;
            greatest = i;
        }
        dynkv_buf_fini(&bytes);
    }
    conditions[greatest] = conditions[--filter->root.child_count];
    return true;
}

struct dynkv_slice dynkv_quals_evaluate(DynkvQuals *quals)
{
    struct dynkv_filter filter = {.format = quals->format,
                                  .columns = quals->columns,
                                  .column_count = (uint32)quals->column_count,
                                  .root = {.op = DYNKV_FILTER_AND}};
    struct dynkv_slice bytes;
    MemoryContext old;
    ListCell *cell;

    MemoryContextReset(quals->context);
    if (quals->conditions == NIL)
        return dynkv_slice(NULL, 0);
    old = MemoryContextSwitchTo(quals->context);
    filter.root.children =
        palloc(sizeof *filter.root.children * (Size)list_length(quals->conditions));
    foreach (cell, quals->conditions)
        qual_fill(quals, lfirst(cell), &filter.root.children[filter.root.child_count++]);
    do
        bytes = qual_encode(&filter);
    while (bytes.len == 0 && qual_drop_greatest(&filter));
    MemoryContextSwitchTo(old);
    return bytes;
}
