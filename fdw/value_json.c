/*
 * value_json.c: format 'json', one JSON object {column name: value}.
 *
 * Numbers are JSON numbers (NaN and the infinities, which JSON has not, are strings), json and jsonb
 * columns stand in the object as they are, arrays and composites are what to_json makes of them (an array
 * that does not begin at 1 is a string in its text form), bytea is a string '\x...', and every other type
 * a string in its text form.  NULL is null; but that of a json or jsonb column is left out, as null there
 * is a value of its own.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "fdw/value_codec.h"
#include "fdw/value_json.h"

static bool json_is_json(const DynkvColumn *column)
{
    return column->base == JSONOID || column->base == JSONBOID;
}

/* The two vector types of the system's catalogs are arrays whose text form is not an array's. */
static bool json_is_array(const DynkvColumn *column)
{
    return OidIsValid(get_element_type(column->base)) && column->base != OIDVECTOROID &&
           column->base != INT2VECTOROID;
}

static bool json_is_nested(const DynkvColumn *column)
{
    return type_is_rowtype(column->base) || json_is_array(column);
}

void dynkv_json_init(DynkvValueColumns *columns)
{
    int i;

    for (i = 0; i < columns->count; i++) {
        DynkvColumn *column = &columns->columns[i];

        if (json_is_nested(column))
            dynkv_json_bind(&column->to_json, F_TO_JSON, JSONOID, column->base);
    }
}

/* ---- writing ---- */

static void json_put_quoted(StringInfo out, const char *text)
{
    appendStringInfoChar(out, '"');
    appendStringInfoString(out, text);
    appendStringInfoChar(out, '"');
}

/* finite: a number that JSON can write. */
static void json_put_number(StringInfo out, const char *text, bool finite)
{
    if (finite)
        appendStringInfoString(out, text);
    else
        json_put_quoted(out, text);
}

static void json_put_bytes(StringInfo out, struct varlena *data)
{
    Size len = VARSIZE_ANY_EXHDR(data);

    appendStringInfoString(out, "\"\\\\x");
    enlargeStringInfo(out, (int)len * 2 + 1);
    out->len += (int)hex_encode(VARDATA_ANY(data), len, out->data + out->len);
    appendStringInfoChar(out, '"');
}

/* JSON arrays begin at 1; of others the text form is written, as a string. */
static bool json_begins_at_one(const DynkvColumn *column, Datum value)
{
    AnyArrayType *array;

    if (!json_is_array(column))
        return true;
    array = DatumGetAnyArrayP(value);
    for (int i = 0; i < AARR_NDIM(array); i++)
        if (AARR_LBOUND(array)[i] != 1)
            return false;
    return true;
}

static void json_put_column(DynkvColumn *column, Datum value, StringInfo out)
{
    bool is_nested;
    char *form;

    switch (column->base) {
    case BOOLOID:
        appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
        return;
    case INT2OID:
        appendStringInfo(out, "%d", DatumGetInt16(value));
        return;
    case INT4OID:
        appendStringInfo(out, "%d", DatumGetInt32(value));
        return;
    case INT8OID:
        appendStringInfo(out, INT64_FORMAT, DatumGetInt64(value));
        return;
    case OIDOID:
        appendStringInfo(out, "%u", DatumGetObjectId(value));
        return;
    case FLOAT4OID:
        json_put_number(out, dynkv_column_to_text(column, value), isfinite(DatumGetFloat4(value)));
        return;
    case FLOAT8OID:
        json_put_number(out, dynkv_column_to_text(column, value), isfinite(DatumGetFloat8(value)));
        return;
    case BYTEAOID:
        json_put_bytes(out, PG_DETOAST_DATUM_PACKED(value));
        return;
    default:
        break;
    }
    is_nested = json_is_nested(column) && json_begins_at_one(column, value);
    if (is_nested)
        form = TextDatumGetCString(FunctionCall1(&column->to_json, value));
    else
        form = dynkv_column_to_text(column, value);
    if (is_nested || json_is_json(column))
        appendStringInfoString(out, form);
    else if (column->base == NUMERICOID)
        json_put_number(out, form,
                        !numeric_is_nan(DatumGetNumeric(value)) &&
                            !numeric_is_inf(DatumGetNumeric(value)));
    else
        escape_json(out, form);
}

void dynkv_json_put(DynkvValueColumns *columns, const Datum *values, const bool *nulls,
                    StringInfo out)
{
    int nest_level = dynkv_settings_enter(columns->settings);
    int start = out->len;
    char *utf8;
    int i;

    appendStringInfoChar(out, '{');
    for (i = 0; i < columns->count; i++) {
        DynkvColumn *column = &columns->columns[i];
        bool is_null = nulls[column->attno - 1];

        if (is_null && json_is_json(column))
            continue;
        if (out->len > start + 1)
            appendStringInfoChar(out, ',');
        escape_json(out, column->name);
        appendStringInfoChar(out, ':');
        if (is_null)
            appendStringInfoString(out, "null");
        else
            json_put_column(column, values[column->attno - 1], out);
    }
    appendStringInfoChar(out, '}');
    dynkv_settings_leave(nest_level);

    utf8 = pg_server_to_any(out->data + start, out->len - start, PG_UTF8);
    if (utf8 != out->data + start) {
        out->len = start;
        appendStringInfoString(out, utf8);
    }
}

/* ---- reading ---- */

static Datum json_get_number(DynkvColumn *column, const char *text, const DynkvPlace *place)
{
    Datum number, whole;

    switch (column->base) {
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
        return dynkv_column_from_text(column, pstrdup(text), place);
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
        break;
    default:
        dynkv_column_mismatch(column, "a number", place);
    }
    if (text[strcspn(text, ".eE")] == '\0')
        return dynkv_column_from_text(column, pstrdup(text), place);
    /* 1.0 and 1e3 are integers to many writers. */
    number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
                                 Int32GetDatum(-1));
    whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
    if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
        dynkv_column_mismatch(column, psprintf("the number %s", text), place);
    return dynkv_column_from_text(column, DatumGetCString(DirectFunctionCall1(numeric_out, whole)),
                                  place);
}

static Datum json_get_nested(DynkvColumn *column, const DynkvJsonMember *member,
                             const DynkvPlace *place)
{
    bool is_array = member->type == JSON_TOKEN_ARRAY_START;
    bool fits = is_array ? json_is_array(column) : type_is_rowtype(column->base);

    if (!fits)
        dynkv_column_mismatch(column, is_array ? "a JSON array" : "a JSON object", place);
    return dynkv_column_from_text(
        column, dynkv_json_nested_text(pnstrdup(member->raw, (Size)member->raw_len), column->base),
        place);
}

static Datum json_get_member(DynkvColumn *column, const DynkvJsonMember *member,
                             const DynkvPlace *place)
{
    if (json_is_json(column))
        return dynkv_column_from_text(column, pnstrdup(member->raw, (Size)member->raw_len), place);
    switch (member->type) {
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        return dynkv_column_from_bool(column, member->type == JSON_TOKEN_TRUE, place);
    case JSON_TOKEN_NUMBER:
        return json_get_number(column, member->text, place);
    case JSON_TOKEN_STRING:
        return dynkv_column_from_text(column, pstrdup(member->text), place);
    default:
        return json_get_nested(column, member, place);
    }
}

typedef struct JsonRow {
    DynkvValueColumns *columns;
    const Bitmapset *wanted;
    Datum *values;
    bool *nulls;
    DynkvPlace *place;
    int next;
} JsonRow;

/* The column of that name, looking first where the writer's order would have it; NULL: none. */
static DynkvColumn *json_find_column(JsonRow *row, const char *name)
{
    int tried;

    for (tried = 0; tried < row->columns->count; tried++) {
        DynkvColumn *column;

        if (row->next >= row->columns->count)
            row->next = 0;
        column = &row->columns->columns[row->next++];
        if (strcmp(column->name, name) == 0)
            return column;
    }
    return NULL;
}

static void json_visit(void *state, const DynkvJsonMember *member)
{
    JsonRow *row = state;
    DynkvColumn *column = json_find_column(row, member->name);
    int index;

    if (!column || !dynkv_value_is_wanted(column, row->wanted))
        return;
    index = column->attno - 1;
    /* Of a name that stands there twice the last counts, as in jsonb. */
    row->nulls[index] = member->type == JSON_TOKEN_NULL && !json_is_json(column);
    if (row->nulls[index])
        return;
    row->place->column = column;
    row->values[index] = json_get_member(column, member, row->place);
    dynkv_column_check_domain(column, row->values[index]);
    row->place->column = NULL;
}

void dynkv_json_get(DynkvValueColumns *columns, struct dynkv_slice value, const Bitmapset *wanted,
                    Datum *values, bool *nulls, DynkvPlace *place)
{
    JsonRow row = {
        .columns = columns, .wanted = wanted, .values = values, .nulls = nulls, .place = place};
    const char *problem = dynkv_json_each(dynkv_text_from_utf8(value, place), json_visit, &row);

    if (problem)
        dynkv_place_error(place, ERRCODE_FDW_ERROR, problem);
}
