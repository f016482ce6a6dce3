/*
 * bind.c: evaluates bounds and counts through their combinations, like an odometer.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/limits.h"
#include "fdw/bind.h"
#include "fdw/prefix.h"

/* The values of one bound column, as they stand in a key: sorted, each once. */
typedef struct BindColumn {
    struct dynkv_slice *values;
    int count;
    int at; /* the odometer's wheel */
} BindColumn;

struct DynkvBind {
    const DynkvPlan *plan;
    const DynkvKeyColumns *columns;
    DynkvCodec *codec;
    ExprContext *econtext;
    List *values; /* ExprStates, in the order of the plan's bounds */

    MemoryContext context; /* of all below; reset by evaluate */
    int column_count;      /* columns with equalities */
    BindColumn equal[INDEX_MAX_KEYS];
    bool has_lower, has_upper;
    struct dynkv_slice lower, upper; /* of the column after those: lower <= bytes < upper */
    bool is_empty;                   /* nothing matches */
    bool is_done;                    /* the odometer has gone round */
};

/* Where a value of one integer type stands in the range of another. */
typedef enum BindFit {
    BIND_BELOW,
    BIND_FITS,
    BIND_ABOVE,
} BindFit;

DynkvBind *dynkv_bind_create(ForeignScanState *node, const DynkvPlan *plan, DynkvCodec *codec,
                             const DynkvKeyColumns *columns)
{
    DynkvBind *bind = palloc0(sizeof *bind);
    ForeignScan *scan = (ForeignScan *)node->ss.ps.plan;

    bind->plan = plan;
    bind->columns = columns;
    bind->codec = codec;
    bind->econtext = node->ss.ps.ps_ExprContext;
    bind->values = ExecInitExprList(list_truncate(list_copy(scan->fdw_exprs), plan->bound_count),
                                    (PlanState *)node);
    bind->context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv key values", ALLOCSET_DEFAULT_SIZES);
    return bind;
}

static BindFit bind_fit(Oid column_type, Oid value_type, Datum *value)
{
    int64 number, least, most;

    if (column_type == value_type)
        return BIND_FITS;
    switch (value_type) {
    case INT2OID:
        number = DatumGetInt16(*value);
        break;
    case INT4OID:
        number = DatumGetInt32(*value);
        break;
    case INT8OID:
        number = DatumGetInt64(*value);
        break;
    default:
        return BIND_FITS; /* the same bytes under another name, like text and varchar */
    }
    least = column_type == INT2OID   ? PG_INT16_MIN
            : column_type == INT4OID ? PG_INT32_MIN
                                     : PG_INT64_MIN;
    most = column_type == INT2OID   ? PG_INT16_MAX
           : column_type == INT4OID ? PG_INT32_MAX
                                    : PG_INT64_MAX;
    if (number < least)
        return BIND_BELOW;
    if (number > most)
        return BIND_ABOVE;
    *value = column_type == INT2OID   ? Int16GetDatum((int16)number)
             : column_type == INT4OID ? Int32GetDatum((int32)number)
                                      : Int64GetDatum(number);
    return BIND_FITS;
}

bool dynkv_bind_convert(Oid column_type, Oid value_type, Datum *value)
{
    return bind_fit(column_type, value_type, value) == BIND_FITS;
}

/* The bytes of one value in a key. */
static struct dynkv_slice bind_encode(DynkvBind *bind, int column, Datum value)
{
    MemoryContext old = MemoryContextSwitchTo(bind->context);
    StringInfoData bytes;

    initStringInfo(&bytes);
    dynkv_codec_put_key_column(bind->codec, column, value, &bytes);
    MemoryContextSwitchTo(old);
    return dynkv_slice(bytes.data, (size_t)bytes.len);
}

/* ---- equalities ---- */

static int bind_compare(const void *a, const void *b)
{
    return dynkv_slice_compare(*(const struct dynkv_slice *)a, *(const struct dynkv_slice *)b);
}

static void bind_add_value(DynkvBind *bind, const DynkvBound *bound, Datum value)
{
    BindColumn *column = &bind->equal[bound->column];

    if (bind_fit(bind->columns->types[bound->column], bound->value_type, &value) == BIND_FITS)
        column->values[column->count++] = bind_encode(bind, bound->column, value);
}

static void bind_sort_values(BindColumn *column)
{
    int kept = 0;

    if (column->count < 2)
        return;
    qsort(column->values, (size_t)column->count, sizeof *column->values, bind_compare);
    for (int i = 1; i < column->count; i++)
        if (!dynkv_slice_equal(column->values[i], column->values[kept]))
            column->values[++kept] = column->values[i];
    column->count = kept + 1;
}

static void bind_array(DynkvBind *bind, const DynkvBound *bound, Datum value)
{
    BindColumn *column = &bind->equal[bound->column];
    ArrayType *array = DatumGetArrayTypeP(value);
    Datum *elements;
    bool *nulls;
    int count;
    int16 len;
    bool by_value;
    char align;

    get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &by_value, &align);
    deconstruct_array(array, ARR_ELEMTYPE(array), len, by_value, align, &elements, &nulls, &count);
    column->values =
        MemoryContextAllocHuge(bind->context, sizeof *column->values * (size_t)Max(count, 1));
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            bind_add_value(bind, bound, elements[i]);
    bind_sort_values(column);
}

static void bind_equality(DynkvBind *bind, const DynkvBound *bound, Datum value)
{
    BindColumn *column = &bind->equal[bound->column];

    bind->column_count++;
    if (bound->kind == DYNKV_BOUND_ANY) {
        bind_array(bind, bound, value);
    } else {
        column->values = MemoryContextAlloc(bind->context, sizeof *column->values);
        bind_add_value(bind, bound, value);
    }
    if (column->count == 0)
        bind->is_empty = true;
}

/* ---- ranges ---- */

bool dynkv_bind_prefix_end(struct dynkv_slice prefix, struct dynkv_slice *end)
{
    size_t len = prefix.len;
    uint8 *bytes;

    while (len > 0 && prefix.data[len - 1] == 0xff)
        len--;
    if (len == 0)
        return false;
    bytes = palloc(len);
    memcpy(bytes, prefix.data, len);
    bytes[len - 1]++;
    *end = dynkv_slice(bytes, len);
    return true;
}

/*
 * The least bytes after all keys whose column has this value.  Where the column is the whole key that is
 * the value's bytes and a zero; else other columns follow, and it is the end of the prefix.  False if
 * there is no such.  In the current memory context.
 */
static bool bind_after(const DynkvBind *bind, struct dynkv_slice value, struct dynkv_slice *after)
{
    uint8 *bytes;

    if (bind->columns->count > 1)
        return dynkv_bind_prefix_end(value, after);
    bytes = palloc0(value.len + 1);
    if (value.len > 0)
        memcpy(bytes, value.data, value.len);
    *after = dynkv_slice(bytes, value.len + 1);
    return true;
}

static void bind_raise_lower(DynkvBind *bind, struct dynkv_slice bytes)
{
    if (!bind->has_lower || dynkv_slice_compare(bytes, bind->lower) > 0)
        bind->lower = bytes;
    bind->has_lower = true;
}

static void bind_reduce_upper(DynkvBind *bind, struct dynkv_slice bytes)
{
    if (!bind->has_upper || dynkv_slice_compare(bytes, bind->upper) < 0)
        bind->upper = bytes;
    bind->has_upper = true;
}

static void bind_range(DynkvBind *bind, const DynkvBound *bound, Datum value)
{
    bool is_lower = bound->kind == DYNKV_BOUND_GT || bound->kind == DYNKV_BOUND_GE;
    struct dynkv_slice bytes, after;
    MemoryContext old;

    switch (bind_fit(bind->columns->types[bound->column], bound->value_type, &value)) {
    case BIND_BELOW: /* all values of the column are above */
        bind->is_empty |= !is_lower;
        return;
    case BIND_ABOVE:
        bind->is_empty |= is_lower;
        return;
    case BIND_FITS:
        break;
    }
    bytes = bind_encode(bind, bound->column, value);
    old = MemoryContextSwitchTo(bind->context);
    switch (bound->kind) {
    case DYNKV_BOUND_GE:
        bind_raise_lower(bind, bytes);
        break;
    case DYNKV_BOUND_GT:
        if (bind_after(bind, bytes, &after))
            bind_raise_lower(bind, after);
        else
            bind->is_empty = true;
        break;
    case DYNKV_BOUND_LT:
        bind_reduce_upper(bind, bytes);
        break;
    case DYNKV_BOUND_LE:
        if (bind_after(bind, bytes, &after))
            bind_reduce_upper(bind, after);
        break;
    default:
        Assert(false);
    }
    MemoryContextSwitchTo(old);
}

/* All keys whose column begins with the value, or with what a pattern begins with. */
static void bind_prefix(DynkvBind *bind, const DynkvBound *bound, Datum value)
{
    MemoryContext old = MemoryContextSwitchTo(bind->context);
    DynkvPrefixKind kind =
        bound->kind == DYNKV_BOUND_LIKE ? DYNKV_PREFIX_LIKE : DYNKV_PREFIX_STARTS;
    struct dynkv_slice prefix, end;

    prefix = dynkv_prefix_bytes(kind, bind->columns->types[bound->column], value);
    if (prefix.len > 0) {
        bind_raise_lower(bind, prefix);
        if (dynkv_bind_prefix_end(prefix, &end))
            bind_reduce_upper(bind, end);
    }
    MemoryContextSwitchTo(old);
}

/* ---- evaluation ---- */

void dynkv_bind_evaluate(DynkvBind *bind)
{
    ListCell *cell;
    int i = 0;

    MemoryContextReset(bind->context);
    memset(bind->equal, 0, sizeof bind->equal);
    bind->column_count = 0;
    bind->has_lower = bind->has_upper = false;
    bind->is_empty = false;

    foreach (cell, bind->values) {
        const DynkvBound *bound = &bind->plan->bounds[i++];
        bool is_null;
        Datum value = ExecEvalExprSwitchContext(lfirst(cell), bind->econtext, &is_null);

        if (is_null) {
            /* No comparison with NULL is true. */
            bind->is_empty = true;
            break;
        }
        if (dynkv_bound_is_equality(bound->kind))
            bind_equality(bind, bound, value);
        else if (bound->kind == DYNKV_BOUND_LIKE || bound->kind == DYNKV_BOUND_PREFIX)
            bind_prefix(bind, bound, value);
        else
            bind_range(bind, bound, value);
    }
    if (bind->has_upper && dynkv_slice_compare(bind->lower, bind->upper) >= 0)
        bind->is_empty = true; /* also where the upper bound is the empty string */
    dynkv_bind_rewind(bind);
}

void dynkv_bind_rewind(DynkvBind *bind)
{
    for (int i = 0; i < bind->column_count; i++)
        bind->equal[i].at = 0;
    bind->is_done = bind->is_empty;
}

/* Where a wheel stands; falling, it turns backwards. */
static struct dynkv_slice bind_value(const DynkvBind *bind, int column)
{
    const BindColumn *wheel = &bind->equal[column];

    return wheel->values[bind->plan->order == DYNKV_ORDER_FALLING ? wheel->count - 1 - wheel->at
                                                                  : wheel->at];
}

/* The last column's wheel turns fastest, so that combinations come in key order. */
static void bind_turn(DynkvBind *bind)
{
    for (int i = bind->column_count - 1; i >= 0; i--) {
        if (++bind->equal[i].at < bind->equal[i].count)
            return;
        bind->equal[i].at = 0;
    }
    bind->is_done = true;
}

/* Columns [from, to) of the combination that is next. */
static struct dynkv_slice bind_columns(const DynkvBind *bind, int from, int to)
{
    StringInfoData bytes;

    initStringInfo(&bytes);
    for (int i = from; i < to; i++) {
        struct dynkv_slice value = bind_value(bind, i);

        appendBinaryStringInfo(&bytes, (const char *)value.data, (int)value.len);
    }
    return dynkv_slice(bytes.data, (size_t)bytes.len);
}

static struct dynkv_slice bind_concat(struct dynkv_slice a, struct dynkv_slice b)
{
    uint8 *bytes = palloc(a.len + b.len + 1);

    if (a.len > 0)
        memcpy(bytes, a.data, a.len);
    if (b.len > 0)
        memcpy(bytes + a.len, b.data, b.len);
    return dynkv_slice(bytes, a.len + b.len);
}

/* The range of a scan within what `prefix` fixes of it. */
static void bind_target_range(const DynkvBind *bind, struct dynkv_slice prefix, DynkvTarget *target)
{
    target->lower = bind_concat(prefix, bind->has_lower ? bind->lower : dynkv_slice(NULL, 0));
    if (bind->has_upper)
        target->upper = bind_concat(prefix, bind->upper);
    else if (prefix.len == 0 || !bind_after(bind, prefix, &target->upper))
        target->upper = dynkv_slice(NULL, 0);
}

bool dynkv_bind_next(DynkvBind *bind, DynkvTarget *target)
{
    int partition_count = bind->columns->partition_count;

    memset(target, 0, sizeof *target);
    while (!bind->is_done) {
        switch (bind->plan->access) {
        case DYNKV_POINT_GET:
            target->key = bind_columns(bind, 0, bind->column_count);
            target->partition_len = (uint32)bind_columns(bind, 0, partition_count).len;
            break;
        case DYNKV_PARTITION_SCAN:
            target->key = bind_columns(bind, 0, partition_count);
            target->partition_len = (uint32)target->key.len;
            bind_target_range(bind, bind_columns(bind, partition_count, bind->column_count),
                              target);
            break;
        case DYNKV_RANGE_SCAN:
        case DYNKV_FULL_SCAN:
            bind_target_range(bind, bind_columns(bind, 0, bind->column_count), target);
            break;
        }
        bind_turn(bind);
        if (bind->plan->access == DYNKV_RANGE_SCAN || bind->plan->access == DYNKV_FULL_SCAN)
            return true;
        /* No key is empty, or longer than the limit: such a value matches no row. */
        if (target->partition_len > 0 && target->key.len <= DYNKV_KEY_MAX)
            return true;
    }
    return false;
}
