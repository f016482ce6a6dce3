/*
 * qual_value.c: from trees to filters: the values of one execution are put in, and it becomes bytes.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "fdw/compat.h"
#include "fdw/qual_tree.h"

static void qual_init(DynkvQuals *quals, DynkvQualNode *node, PlanState *parent)
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
    quals = dynkv_quals_new(node->ss.ss_currentRelation, options,
                            (int)((Scan *)node->ss.ps.plan)->scanrelid);
    quals->econtext = node->ss.ps.ps_ExprContext;
    quals->context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv filter", ALLOCSET_SMALL_SIZES);
    foreach (cell, clauses) {
        DynkvQualNode *condition = dynkv_quals_take(quals, lfirst(cell));

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

/* A number's digits; empty if filters have none so long. */
static struct dynkv_slice qual_digits(Datum value)
{
    struct dynkv_slice text =
        dynkv_slice_text(DatumGetCString(DirectFunctionCall1(numeric_out, value)));
    struct dynkv_slice digits;

    return dynkv_filter_numeric(text, &digits) ? digits : dynkv_slice(NULL, 0);
}

/* Whether filters can have a constant. */
static bool qual_is_told(Oid type, const struct dynkv_filter_value *constant)
{
    return type != NUMERICOID || constant->bytes.len > 0;
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
    case NUMERICOID:
        constant.bytes = qual_digits(value);
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

/* The elements of IN: rising, each once.  false: filters cannot have one of them. */
static bool qual_list(const DynkvQuals *quals, const DynkvQualNode *node, Datum value,
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
        struct dynkv_filter_value *element = &out->values[out->value_count];

        if (nulls[i]) {
            out->has_null = true;
            continue;
        }
        *element = qual_constant(node->value_type, elements[i]);
        if (!qual_is_told(node->value_type, element))
            return false;
        out->value_count++;
    }
    if (out->value_count == 0)
        return true;
    qsort_arg(out->values, out->value_count, sizeof *out->values, qual_compare, &type);
    for (uint32 i = 1; i < out->value_count; i++)
        if (qual_compare(&out->values[i], &out->values[kept], &type) != 0)
            out->values[++kept] = out->values[i];
    out->value_count = (uint32)kept + 1;
    return true;
}

/* false: a value is none that filters can have. */
static bool qual_fill(DynkvQuals *quals, const DynkvQualNode *node, struct dynkv_filter_node *out)
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
            if (!qual_fill(quals, lfirst(cell), &out->children[out->child_count++]))
                return false;
        return true;
    }
    if (node->op == DYNKV_FILTER_IS_NULL)
        return true;
    if (node->state)
        value = ExecEvalExpr(node->state, quals->econtext, &is_null);
    if (is_null) {
        out->op = DYNKV_FILTER_NULL;
        return true;
    }
    if (node->op == DYNKV_FILTER_IN)
        return qual_list(quals, node, value, out);
    out->values = palloc(sizeof *out->values);
    out->values[0] = qual_constant(node->value_type, value);
    out->value_count = 1;
    return qual_is_told(node->value_type, &out->values[0]);
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
    struct dynkv_slice bytes = dynkv_slice(NULL, 0);
    MemoryContext old;
    ListCell *cell;

    MemoryContextReset(quals->context);
    if (quals->conditions == NIL)
        return bytes;
    old = MemoryContextSwitchTo(quals->context);
    filter.root.children =
        palloc(sizeof *filter.root.children * (Size)list_length(quals->conditions));
    foreach (cell, quals->conditions)
        if (qual_fill(quals, lfirst(cell), &filter.root.children[filter.root.child_count]))
            filter.root.child_count++;
    if (filter.root.child_count > 0)
        do
            bytes = qual_encode(&filter);
        while (bytes.len == 0 && qual_drop_greatest(&filter));
    MemoryContextSwitchTo(old);
    return bytes;
}
