/*
 * value_json_nested.c: JSON arrays and objects as array and row literals.
 *
 * to_json has no reverse for arrays that C code can call in every version, but every type has an input
 * function: an array becomes '{"a","b"}' with each element in its own text form, and that is read.  A
 * composite goes through jsonb_populate_record, which is the reverse for rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "fdw/value_json.h"

static char *nested_value_text(JsonbValue *value, Oid type);

void dynkv_json_bind(FmgrInfo *function, Oid function_oid, Oid result, Oid argument)
{
    Node *null = (Node *)makeNullConst(argument, -1, InvalidOid);

    fmgr_info(function_oid, function);
    fmgr_info_set_expr((Node *)makeFuncExpr(function_oid, result, list_make1(null), InvalidOid,
                                            InvalidOid, COERCE_EXPLICIT_CALL),
                       function);
}

static void nested_put_element(StringInfo out, const char *text)
{
    appendStringInfoChar(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            appendStringInfoChar(out, '\\');
        appendStringInfoChar(out, *text);
    }
    appendStringInfoChar(out, '"');
}

static bool nested_is_array(const JsonbValue *value)
{
    return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

static void nested_put_array(StringInfo out, JsonbContainer *array, Oid element)
{
    bool elements_are_json = element == JSONOID || element == JSONBOID;
    JsonbIterator *iterator = JsonbIteratorInit(array);
    JsonbIteratorToken token;
    JsonbValue value;
    bool inside = false;
    bool first = true;

    check_stack_depth();
    appendStringInfoChar(out, '{');
    while ((token = JsonbIteratorNext(&iterator, &value, inside)) != WJB_DONE) {
        inside = true; /* from here on elements come whole */
        if (token != WJB_ELEM)
            continue;
        if (!first)
            appendStringInfoChar(out, ',');
        first = false;
        if (value.type == jbvNull) /* of JSON elements too, as in jsonb_populate_record */
            appendStringInfoString(out, "NULL");
        else if (nested_is_array(&value) && !elements_are_json)
            nested_put_array(out, value.val.binary.data, element); /* one more dimension */
        else
            nested_put_element(out, nested_value_text(&value, element));
    }
    appendStringInfoChar(out, '}');
}

static char *nested_row_text(JsonbValue *object, Oid type)
{
    LOCAL_FCINFO(call, 2);
    FmgrInfo populate;
    Datum row;
    Oid output;
    bool is_varlena;

    dynkv_json_bind(&populate, F_JSONB_POPULATE_RECORD, type, type);
    InitFunctionCallInfoData(*call, &populate, 2, InvalidOid, NULL, NULL);
    call->args[0].value = (Datum)0;
    call->args[0].isnull = true;
    call->args[1].value = JsonbPGetDatum(JsonbValueToJsonb(object));
    call->args[1].isnull = false;
    row = FunctionCallInvoke(call);
    getTypeOutputInfo(type, &output, &is_varlena);
    return OidOutputFunctionCall(output, row);
}

static char *nested_json_text(JsonbValue *value)
{
    Jsonb *document = JsonbValueToJsonb(value);

    return JsonbToCString(NULL, &document->root, VARSIZE(document));
}

/* What the input function of the type reads; the value is not null. */
static char *nested_value_text(JsonbValue *value, Oid type)
{
    Oid base = getBaseType(type);

    if (base == JSONOID || base == JSONBOID)
        return nested_json_text(value);
    switch (value->type) {
    case jbvBool:
        return value->val.boolean ? "true" : "false";
    case jbvNumeric:
        return DatumGetCString(
            DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
    case jbvString:
        return pnstrdup(value->val.string.val, (Size)value->val.string.len);
    default:
        break;
    }
    if (nested_is_array(value) && OidIsValid(get_element_type(base))) {
        StringInfoData text;

        initStringInfo(&text);
        nested_put_array(&text, value->val.binary.data, get_element_type(base));
        return text.data;
    }
    if (!nested_is_array(value) && type_is_rowtype(base))
        return nested_row_text(value, base);
    return nested_json_text(value); /* the type's input function says what it thinks of it */
}

char *dynkv_json_nested_text(char *json, Oid type)
{
    Jsonb *document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
    JsonbValue value = {.type = jbvBinary};

    value.val.binary.data = &document->root;
    value.val.binary.len = (int)VARSIZE(document) - VARHDRSZ;
    return nested_value_text(&value, type);
}
