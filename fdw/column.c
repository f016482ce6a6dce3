/*
 * column.c: what column.h promises: values to and from text and numbers, and errors with their place.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "fdw/column.h"
#include "fdw/option.h"

#define HEX_BYTES_SHOWN 32

void dynkv_column_init(DynkvColumn *column, Relation rel, AttrNumber attno)
{
    Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attno - 1);

    memset(column, 0, sizeof *column);
    column->attno = attno;
    column->label = pstrdup(NameStr(att->attname));
    column->type = att->atttypid;
    column->typmod = att->atttypmod;
    column->base = getBaseTypeAndTypmod(att->atttypid, &column->typmod);
    column->context = CurrentMemoryContext;
}

void dynkv_column_init_value(DynkvColumn *column, Relation rel)
{
    Oid function;
    bool is_varlena;

    column->name = dynkv_option_column_name(rel, column->attno);
    column->utf8 = dynkv_text_to_utf8(column->name, (int)strlen(column->name));
    getTypeOutputInfo(column->base, &function, &is_varlena);
    fmgr_info(function, &column->output);
    getTypeInputInfo(column->base, &function, &column->input_param);
    fmgr_info(function, &column->input);
}

/* ---- errors ---- */

char *dynkv_hex(struct dynkv_slice bytes)
{
    size_t shown = Min(bytes.len, HEX_BYTES_SHOWN);
    StringInfoData text;
    size_t i;

    initStringInfo(&text);
    appendStringInfoString(&text, "\\x");
    for (i = 0; i < shown; i++)
        appendStringInfo(&text, "%02x", bytes.data[i]);
    if (shown < bytes.len)
        appendStringInfo(&text, "... (%zu bytes)", bytes.len);
    return text.data;
}

void dynkv_place_error(const DynkvPlace *place, int sqlstate, const char *problem)
{
    const char *column = place->column ? place->column->label : NULL;

    /* The message has it all; the context would say it again. */
    if (error_context_stack && error_context_stack->arg == place)
        error_context_stack = error_context_stack->previous;
    ereport(ERROR, (errcode(sqlstate),
                    column ? errmsg("cannot read column \"%s\" of foreign table \"%s\": %s", column,
                                    place->table, problem)
                           : errmsg("cannot read foreign table \"%s\": %s", place->table, problem),
                    errdetail("The row's key in keyspace \"%s\" is %s.", place->keyspace,
                              dynkv_hex(place->key)),
                    errhint("It was written by another client, or through a table with other "
                            "columns, types or format.  Write it anew, delete it, or pass over "
                            "such rows with the table's option on_bad_row 'skip'.")));
}

void dynkv_place_context(void *arg)
{
    const DynkvPlace *place = arg;

    if (place->column)
        errcontext("reading column \"%s\" of foreign table \"%s\", key %s", place->column->label,
                   place->table, dynkv_hex(place->key));
    else
        errcontext("reading foreign table \"%s\", key %s", place->table, dynkv_hex(place->key));
}

void dynkv_column_mismatch(const DynkvColumn *column, const char *found, const DynkvPlace *place)
{
    dynkv_place_error(
        place, ERRCODE_FDW_INVALID_DATA_TYPE,
        psprintf("the value is %s, the column's type %s", found, format_type_be(column->type)));
}

static DYNKV_NORETURN void column_out_of_range(const DynkvColumn *column, const char *value,
                                               const DynkvPlace *place)
{
    dynkv_place_error(
        place, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        psprintf("%s is no value of the column's type %s", value, format_type_be(column->type)));
}

/* ---- text and its encoding ---- */

struct dynkv_slice dynkv_text_to_utf8(const char *text, int len)
{
    char *utf8 = pg_server_to_any(text, len, PG_UTF8);

    return utf8 == text ? dynkv_slice(text, (size_t)len) : dynkv_slice_text(utf8);
}

void dynkv_text_check_utf8(struct dynkv_slice bytes, const DynkvPlace *place)
{
    if (bytes.len > (size_t)MaxAllocSize - 1)
        dynkv_place_error(place, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the text is too long");
    if (!pg_verify_mbstr(PG_UTF8, (const char *)bytes.data, (int)bytes.len, true))
        dynkv_place_error(place, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
                          psprintf("the bytes are no UTF-8 text: %s", dynkv_hex(bytes)));
}

char *dynkv_text_from_utf8(struct dynkv_slice bytes, const DynkvPlace *place)
{
    const char *data = (const char *)bytes.data;
    char *text;

    dynkv_text_check_utf8(bytes, place);
    if (bytes.len == 0)
        return pstrdup("");
    text = pg_any_to_server(data, (int)bytes.len, PG_UTF8);
    return text == data ? pnstrdup(data, bytes.len) : text;
}

/* ---- the text form ---- */

/* Types that no setting changes, neither themselves nor what they are made of. */
static bool type_is_plain(Oid type)
{
    switch (type) {
    case BOOLOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case NAMEOID:
    case CHAROID:
    case BYTEAOID:
    case UUIDOID:
    case JSONOID:
    case JSONBOID:
    case DATEOID:
    case TIMEOID:
    case TIMETZOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
        return true;
    default:
        return false;
    }
}

DynkvSettingsNeed dynkv_column_needs_settings(const DynkvColumn *column)
{
    Oid element = get_element_type(column->base);

    if (type_is_plain(column->base) || type_is_enum(column->base))
        return DYNKV_SETTINGS_NONE;
    /* Floats and dates in an array follow the styles; what else might name a schema. */
    if (column->base == INTERVALOID || type_is_plain(element) || element == INTERVALOID)
        return DYNKV_SETTINGS_STYLES;
    return DYNKV_SETTINGS_ALL;
}

static void settings_put(const char *name, const char *value)
{
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
}

int dynkv_settings_enter(DynkvSettingsNeed need)
{
    int nest_level;

    if (need == DYNKV_SETTINGS_NONE)
        return 0;
    nest_level = NewGUCNestLevel();
    /* Setting costs far more than asking, and most sessions have them as they should be. */
    if (DateStyle != USE_ISO_DATES)
        settings_put("datestyle", "ISO");
    if (IntervalStyle != INTSTYLE_POSTGRES)
        settings_put("intervalstyle", "postgres");
    if (extra_float_digits < 1)
        settings_put("extra_float_digits", "1");
    if (need == DYNKV_SETTINGS_ALL)
        settings_put("search_path", "pg_catalog");
    return nest_level;
}

void dynkv_settings_leave(int nest_level)
{
    if (nest_level)
        AtEOXact_GUC(true, nest_level);
}

/* The shortest text that reads back as the same float, whatever extra_float_digits says. */
static char *column_float4_text(DynkvColumn *column, Datum value)
{
    float4 number = DatumGetFloat4(value);

    return isfinite(number) ? float_to_shortest_decimal(number)
                            : OutputFunctionCall(&column->output, value);
}

static char *column_float8_text(DynkvColumn *column, Datum value)
{
    float8 number = DatumGetFloat8(value);

    return isfinite(number) ? double_to_shortest_decimal(number)
                            : OutputFunctionCall(&column->output, value);
}

char *dynkv_column_to_text(DynkvColumn *column, Datum value)
{
    static const int utc = 0;

    switch (column->base) {
    case DATEOID:
    case TIMEOID:
    case TIMETZOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
        return JsonEncodeDateTime(palloc(MAXDATELEN + 1), value, column->base, &utc);
    case FLOAT4OID:
        return column_float4_text(column, value);
    case FLOAT8OID:
        return column_float8_text(column, value);
    default:
        return OutputFunctionCall(&column->output, value);
    }
}

void dynkv_column_check_domain(DynkvColumn *column, Datum value)
{
    if (column->type != column->base)
        domain_check(value, false, column->type, &column->domain_cache, column->context);
}

Datum dynkv_column_from_text(DynkvColumn *column, char *text, const DynkvPlace *place)
{
    (void)place; /* the input function's errors get it as context */
    return InputFunctionCall(&column->input, text, column->input_param, column->typmod);
}

Datum dynkv_column_from_utf8(DynkvColumn *column, struct dynkv_slice text, const DynkvPlace *place)
{
    bool is_text = column->base == TEXTOID || (column->base == VARCHAROID && column->typmod < 0);

    if (is_text && GetDatabaseEncoding() == PG_UTF8) {
        dynkv_text_check_utf8(text, place);
        return PointerGetDatum(cstring_to_text_with_len((const char *)text.data, (int)text.len));
    }
    return dynkv_column_from_text(column, dynkv_text_from_utf8(text, place), place);
}

/* ---- numbers and bytes ---- */

Datum dynkv_column_from_bool(DynkvColumn *column, bool value, const DynkvPlace *place)
{
    if (column->base != BOOLOID)
        dynkv_column_mismatch(column, "a boolean", place);
    return BoolGetDatum(value);
}

Datum dynkv_column_from_int(DynkvColumn *column, int64 value, const DynkvPlace *place)
{
    bool fits = true;
    Datum datum = 0;

    switch (column->base) {
    case INT2OID:
        fits = value >= PG_INT16_MIN && value <= PG_INT16_MAX;
        datum = Int16GetDatum((int16)value);
        break;
    case INT4OID:
        fits = value >= PG_INT32_MIN && value <= PG_INT32_MAX;
        datum = Int32GetDatum((int32)value);
        break;
    case INT8OID:
        return Int64GetDatum(value);
    case OIDOID:
        fits = value >= 0 && value <= PG_UINT32_MAX;
        datum = ObjectIdGetDatum((Oid)value);
        break;
    case FLOAT4OID:
        return Float4GetDatum((float4)value);
    case FLOAT8OID:
        return Float8GetDatum((float8)value);
    case NUMERICOID:
        return dynkv_column_from_text(column, psprintf(INT64_FORMAT, value), place);
    default:
        dynkv_column_mismatch(column, "an integer", place);
    }
    if (!fits)
        column_out_of_range(column, psprintf(INT64_FORMAT, value), place);
    return datum;
}

Datum dynkv_column_from_uint(DynkvColumn *column, uint64 value, const DynkvPlace *place)
{
    if (value <= (uint64)PG_INT64_MAX)
        return dynkv_column_from_int(column, (int64)value, place);
    switch (column->base) {
    case FLOAT4OID:
    case FLOAT8OID:
        return dynkv_column_from_float(column, (double)value, place);
    case NUMERICOID:
        return dynkv_column_from_text(column, psprintf(UINT64_FORMAT, value), place);
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
        column_out_of_range(column, psprintf(UINT64_FORMAT, value), place);
    default:
        dynkv_column_mismatch(column, "an integer", place);
    }
}

Datum dynkv_column_from_float(DynkvColumn *column, double value, const DynkvPlace *place)
{
    switch (column->base) {
    case FLOAT4OID:
        if (!isinf(value) && isinf((float4)value))
            column_out_of_range(column, psprintf("%g", value), place);
        return Float4GetDatum((float4)value);
    case FLOAT8OID:
        return Float8GetDatum(value);
    case NUMERICOID: {
        char *text = DatumGetCString(DirectFunctionCall1(float8out, Float8GetDatum(value)));

        return dynkv_column_from_text(column, text, place);
    }
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
        /* Some languages know only floats.  2^63 itself is out of range. */
        if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0) ||
            value != (double)(int64)value)
            column_out_of_range(column, psprintf("%.17g", value), place);
        return dynkv_column_from_int(column, (int64)value, place);
    default:
        dynkv_column_mismatch(column, "a float", place);
    }
}

Datum dynkv_column_from_bytes(DynkvColumn *column, struct dynkv_slice bytes,
                              const DynkvPlace *place)
{
    if (column->base != BYTEAOID)
        dynkv_column_mismatch(column, "binary", place);
    return PointerGetDatum(cstring_to_text_with_len((const char *)bytes.data, (int)bytes.len));
}
