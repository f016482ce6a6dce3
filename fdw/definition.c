/* definition.c: definitions from tables, and to statements; JSON is in definition_json.c. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace_d.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "fdw/compat.h"
#include "fdw/definition.h"
#include "fdw/option.h"

void dynkv_definition_add_option(List **options, const char *name, const char *value)
{
    *options =
        lappend(*options, makeDefElem(pstrdup(name), (Node *)makeString(pstrdup(value)), -1));
}

static const char *definition_find_option(List *options, const char *name)
{
    ListCell *cell;

    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);

        if (strcmp(option->defname, name) == 0)
            return defGetString(option);
    }
    return NULL;
}

const char *dynkv_definition_option(const DynkvDefinition *definition, const char *name)
{
    return definition_find_option(definition->options, name);
}

/* ---- from a table ---- */

/* With its schema, unless that is pg_catalog, which every search path has. */
static char *definition_type_name(Oid type, int32 typmod)
{
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    uint16 flags = FORMAT_TYPE_TYPEMOD_GIVEN;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for type %u", type);
    if (((Form_pg_type)GETSTRUCT(tuple))->typnamespace != PG_CATALOG_NAMESPACE)
        flags |= FORMAT_TYPE_FORCE_QUALIFY;
    ReleaseSysCache(tuple);
    return format_type_extended(type, typmod, flags);
}

static char *definition_collation_name(Oid collation)
{
    HeapTuple tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
    Form_pg_collation form;
    char *name;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for collation %u", collation);
    form = (Form_pg_collation)GETSTRUCT(tuple);
    name = quote_qualified_identifier(get_namespace_name(form->collnamespace),
                                      NameStr(form->collname));
    ReleaseSysCache(tuple);
    return name;
}

static DynkvColumnDefinition *definition_of_column(Relation rel, Form_pg_attribute att)
{
    DynkvColumnDefinition *column = palloc0(sizeof *column);
    int32 typmod = att->atttypmod;
    Oid base = getBaseTypeAndTypmod(att->atttypid, &typmod);

    column->name = pstrdup(NameStr(att->attname));
    column->type = definition_type_name(att->atttypid, att->atttypmod);
    if (base != att->atttypid)
        column->base = definition_type_name(base, typmod);
    if (OidIsValid(att->attcollation) && att->attcollation != get_typcollation(att->atttypid))
        column->collation = definition_collation_name(att->attcollation);
    column->not_null = att->attnotnull;
    column->options = GetForeignColumnOptions(RelationGetRelid(rel), att->attnum);
    return column;
}

/* What defaults depend on is written down: another table may have another name and first column. */
DynkvDefinition *dynkv_definition_of_table(Relation rel)
{
    DynkvTableOptions *options = dynkv_table_options(rel);
    DynkvDefinition *definition = palloc0(sizeof *definition);
    TupleDesc desc = RelationGetDescr(rel);
    ListCell *cell;
    int i;

    definition->table = pstrdup(RelationGetRelationName(rel));
    for (i = 0; i < desc->natts; i++)
        if (!TupleDescAttr(desc, i)->attisdropped)
            definition->columns =
                lappend(definition->columns, definition_of_column(rel, TupleDescAttr(desc, i)));
    foreach (cell, GetForeignTable(RelationGetRelid(rel))->options) {
        DefElem *option = lfirst_node(DefElem, cell);

        dynkv_definition_add_option(&definition->options, option->defname, defGetString(option));
    }
    if (!dynkv_definition_option(definition, "keyspace"))
        dynkv_definition_add_option(&definition->options, "keyspace", options->keyspace);
    if (!dynkv_definition_option(definition, "partition_key")) {
        AttrNumber key = (AttrNumber)linitial_int(options->partition_key);

        dynkv_definition_add_option(
            &definition->options, "partition_key",
            quote_identifier(NameStr(TupleDescAttr(desc, key - 1)->attname)));
    }
    return definition;
}

/* ---- to a statement ---- */

typedef struct DefinitionPlace {
    const DynkvDefinition *definition;
    const DynkvColumnDefinition *column;
} DefinitionPlace;

static void definition_context(void *arg)
{
    const DefinitionPlace *place = arg;

    errcontext("type of column \"%s\" of the published table \"%s\"", place->column->name,
               place->definition->table);
}

/* The type of that name in this database, written so that it is found again; NULL: there is none. */
static char *definition_local_type(const char *name, DefinitionPlace *place)
{
    ErrorContextCallback context = {
        .previous = error_context_stack, .callback = definition_context, .arg = place};
    int32 typmod;
    Type tuple;
    Oid type;

    /* A name that is none, or that has a wrong modifier, is an error. */
    error_context_stack = &context;
    tuple = LookupTypeName(NULL, dynkv_parse_type_name(name), &typmod, true);
    error_context_stack = context.previous;
    if (!tuple)
        return NULL;
    type = typeTypeId(tuple);
    ReleaseSysCache(tuple);
    return definition_type_name(type, typmod);
}

static char *definition_choose_type(const DynkvDefinition *definition,
                                    const DynkvColumnDefinition *column)
{
    DefinitionPlace place = {.definition = definition, .column = column};
    char *type = definition_local_type(column->type, &place);

    if (type)
        return type;
    if (column->base)
        type = definition_local_type(column->base, &place);
    if (!type)
        type = pstrdup("text");
    ereport(NOTICE, (errmsg("type %s of column \"%s\" of table \"%s\" does not exist here, the "
                            "column becomes %s",
                            column->type, column->name, definition->table, type)));
    return type;
}

static char *definition_choose_collation(const DynkvDefinition *definition,
                                         const DynkvColumnDefinition *column)
{
    List *names = NIL;
    Oid collation = InvalidOid;

    if (SplitIdentifierString(pstrdup(column->collation), '.', &names) && names != NIL) {
        List *strings = NIL;
        ListCell *cell;

        foreach (cell, names)
            strings = lappend(strings, makeString(lfirst(cell)));
        if (list_length(strings) <= 2)
            collation = get_collation_oid(strings, true);
    }
    if (OidIsValid(collation))
        return definition_collation_name(collation);
    ereport(NOTICE, (errmsg("collation %s of column \"%s\" of table \"%s\" does not exist here, "
                            "the column has its type's",
                            column->collation, column->name, definition->table)));
    return NULL;
}

static void definition_put_options(StringInfo sql, List *options)
{
    ListCell *cell;

    if (options == NIL)
        return;
    appendStringInfoString(sql, " OPTIONS (");
    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);

        if (foreach_current_index(cell) > 0)
            appendStringInfoString(sql, ", ");
        appendStringInfo(sql, "%s %s", quote_identifier(option->defname),
                         quote_literal_cstr(defGetString(option)));
    }
    appendStringInfoChar(sql, ')');
}

char *dynkv_definition_to_sql(const DynkvDefinition *definition, const char *server)
{
    StringInfoData sql;
    ListCell *cell;

    initStringInfo(&sql);
    appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(definition->table));
    foreach (cell, definition->columns) {
        const DynkvColumnDefinition *column = lfirst(cell);
        char *collation;

        appendStringInfo(&sql, "%s\n  %s %s", foreach_current_index(cell) > 0 ? "," : "",
                         quote_identifier(column->name),
                         definition_choose_type(definition, column));
        definition_put_options(&sql, column->options);
        if (column->collation &&
            (collation = definition_choose_collation(definition, column)) != NULL)
            appendStringInfo(&sql, " COLLATE %s", collation);
        if (column->not_null)
            appendStringInfoString(&sql, " NOT NULL");
    }
    appendStringInfo(&sql, "\n) SERVER %s", quote_identifier(server));
    definition_put_options(&sql, definition->options);
    return sql.data;
}
