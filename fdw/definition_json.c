/*
 * definition_json.c: definitions as JSON.  What is read may have been written by anybody: all of it is
 * checked, and nothing of it is believed to be quoted.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "fdw/compat.h"
#include "fdw/definition.h"

#define DEFINITION_VERSION     1
/* PostgreSQL's own limit. */
#define DEFINITION_COLUMNS_MAX 1600

/* ---- writing ---- */

static void json_put(StringInfo json, const char *name, const char *value)
{
    appendStringInfo(json, ", \"%s\": ", name);
    escape_json(json, value);
}

static void json_put_options(StringInfo json, List *options)
{
    ListCell *cell;

    appendStringInfoString(json, ", \"options\": {");
    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);

        if (foreach_current_index(cell) > 0)
            appendStringInfoString(json, ", ");
        escape_json(json, option->defname);
        appendStringInfoString(json, ": ");
        escape_json(json, defGetString(option));
    }
    appendStringInfoChar(json, '}');
}

static void json_put_column(StringInfo json, const DynkvColumnDefinition *column)
{
    appendStringInfoString(json, "{\"name\": ");
    escape_json(json, column->name);
    json_put(json, "type", column->type);
    if (column->base)
        json_put(json, "base", column->base);
    if (column->collation)
        json_put(json, "collation", column->collation);
    if (column->not_null)
        appendStringInfoString(json, ", \"not_null\": true");
    if (column->options != NIL)
        json_put_options(json, column->options);
    appendStringInfoChar(json, '}');
}

char *dynkv_definition_to_json(const DynkvDefinition *definition)
{
    StringInfoData json;
    ListCell *cell;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"definition\": %d", DEFINITION_VERSION);
    json_put(&json, "table", definition->table);
    appendStringInfoString(&json, ", \"columns\": [");
    foreach (cell, definition->columns) {
        if (foreach_current_index(cell) > 0)
            appendStringInfoString(&json, ", ");
        json_put_column(&json, lfirst(cell));
    }
    appendStringInfoChar(&json, ']');
    json_put_options(&json, definition->options);
    appendStringInfoChar(&json, '}');
    return json.data;
}

/* ---- reading ---- */

static DYNKV_NORETURN void json_error(const char *table, const char *problem)
{
    ereport(ERROR,
            (errcode(ERRCODE_FDW_ERROR),
             errmsg("the published definition of table \"%s\" is not usable: %s", table, problem),
             errhint("Publish the table again with dynkv_publish_table(), remove it with "
                     "dynkv_unpublish_table(), or leave it out with EXCEPT.")));
}

/* For errors of the JSON parser. */
static void json_context(void *arg)
{
    errcontext("published definition of table \"%s\"", (const char *)arg);
}

/* A member that is a string; NULL: it is not there. */
static char *json_get_string(const char *table, JsonbContainer *object, const char *name)
{
    JsonbValue value;

    if (!getKeyJsonValueFromContainer(object, name, (int)strlen(name), &value))
        return NULL;
    if (value.type != jbvString)
        json_error(table, psprintf("\"%s\" is not a string", name));
    return pnstrdup(value.val.string.val, (Size)value.val.string.len);
}

static char *json_need_string(const char *table, JsonbContainer *object, const char *name)
{
    char *text = json_get_string(table, object, name);

    if (!text || !text[0])
        json_error(table, psprintf("\"%s\" is missing", name));
    return text;
}

/* A member that is an object or array; NULL: it is not there. */
static JsonbContainer *json_get_container(const char *table, JsonbContainer *object,
                                          const char *name, bool is_array)
{
    JsonbValue value;

    if (!getKeyJsonValueFromContainer(object, name, (int)strlen(name), &value))
        return NULL;
    if (value.type != jbvBinary || (is_array ? !JsonContainerIsArray(value.val.binary.data)
                                             : !JsonContainerIsObject(value.val.binary.data)))
        json_error(table, psprintf("\"%s\" is not an %s", name, is_array ? "array" : "object"));
    return value.val.binary.data;
}

static List *json_get_options(const char *table, JsonbContainer *object)
{
    JsonbContainer *container = json_get_container(table, object, "options", false);
    List *options = NIL;
    JsonbIterator *iterator;
    JsonbIteratorToken token;
    JsonbValue value;
    char *name = NULL;

    if (!container)
        return NIL;
    iterator = JsonbIteratorInit(container);
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token != WJB_KEY && token != WJB_VALUE)
            continue;
        if (value.type != jbvString)
            json_error(table, "the value of an option is not a string");
        if (token == WJB_KEY)
            name = pnstrdup(value.val.string.val, (Size)value.val.string.len);
        else
            dynkv_definition_add_option(&options, name,
                                        pnstrdup(value.val.string.val, (Size)value.val.string.len));
    }
    return options;
}

static DynkvColumnDefinition *json_get_column(const char *table, JsonbContainer *object)
{
    DynkvColumnDefinition *column = palloc0(sizeof *column);
    JsonbValue value;

    column->name = json_need_string(table, object, "name");
    column->type = json_need_string(table, object, "type");
    column->base = json_get_string(table, object, "base");
    column->collation = json_get_string(table, object, "collation");
    column->not_null = getKeyJsonValueFromContainer(object, "not_null", 8, &value) &&
                       value.type == jbvBool && value.val.boolean;
    column->options = json_get_options(table, object);
    return column;
}

static void json_check_version(const char *table, JsonbContainer *object)
{
    JsonbValue value;
    Datum known = DirectFunctionCall1(int4_numeric, Int32GetDatum(DEFINITION_VERSION));

    if (!getKeyJsonValueFromContainer(object, "definition", 10, &value) || value.type != jbvNumeric)
        json_error(table, "\"definition\", its version, is missing");
    if (DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(value.val.numeric), known)))
        json_error(table, "it was published by a later version of the extension");
}

static DynkvDefinition *json_read(const char *table, JsonbContainer *object)
{
    DynkvDefinition *definition = palloc0(sizeof *definition);
    JsonbContainer *columns;
    uint32 i;

    if (!JsonContainerIsObject(object))
        json_error(table, "it is not a JSON object");
    json_check_version(table, object);
    definition->table = pstrdup(table);
    definition->options = json_get_options(table, object);
    columns = json_get_container(table, object, "columns", true);
    if (!columns)
        json_error(table, "\"columns\" is missing");
    if (JsonContainerSize(columns) > DEFINITION_COLUMNS_MAX)
        json_error(table, "it has too many columns");
    for (i = 0; i < JsonContainerSize(columns); i++) {
        JsonbValue *value = getIthJsonbValueFromContainer(columns, i);

        if (!value || value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
            json_error(table, "a column is not an object");
        definition->columns =
            lappend(definition->columns, json_get_column(table, value->val.binary.data));
    }
    return definition;
}

DynkvDefinition *dynkv_definition_from_json(const char *table, const char *json)
{
    ErrorContextCallback context = {.previous = error_context_stack,
                                    .callback = json_context,
                                    .arg = unconstify(char *, table)};
    Jsonb *document;

    error_context_stack = &context;
    document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
    error_context_stack = context.previous;
    return json_read(table, &document->root);
}
