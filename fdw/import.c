/*
 * import.c: IMPORT FOREIGN SCHEMA.
 *
 * A cluster has no schemas, so any name will do for the remote one.  Its tables are the definitions
 * published with dynkv_publish_table(); with the option import_inferred also the keyspaces that none of
 * those use, as far as their rows tell what they are (infer.h).
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "foreign/fdwapi.h"
#include "utils/builtins.h"

#include "fdw/catalog.h"
#include "fdw/compat.h"
#include "fdw/definition.h"
#include "fdw/infer.h"
#include "fdw/option.h"
#include "fdw/publish.h"

typedef struct Import {
    ImportForeignSchemaStmt *statement;
    DynkvCatalog catalog;
    bool inferred;
    List *keyspaces; /* of published tables, names */
    List *tables;    /* published ones, names */
    List *chosen;    /* of DynkvDefinition */
} Import;

static void import_read_options(Import *import)
{
    ListCell *cell;

    foreach (cell, import->statement->options) {
        DefElem *option = lfirst_node(DefElem, cell);

        if (strcmp(option->defname, "import_inferred") != 0)
            ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                            errmsg("invalid option \"%s\"", option->defname),
                            errhint("Valid options of IMPORT FOREIGN SCHEMA: import_inferred.")));
        import->inferred = defGetBoolean(option);
    }
}

static bool import_lists(List *relations, const char *table)
{
    ListCell *cell;

    foreach (cell, relations)
        if (strcmp(lfirst_node(RangeVar, cell)->relname, table) == 0)
            return true;
    return false;
}

/* LIMIT TO, EXCEPT. */
static bool import_is_wanted(const Import *import, const char *table)
{
    switch (import->statement->list_type) {
    case FDW_IMPORT_SCHEMA_LIMIT_TO:
        return import_lists(import->statement->table_list, table);
    case FDW_IMPORT_SCHEMA_EXCEPT:
        return !import_lists(import->statement->table_list, table);
    case FDW_IMPORT_SCHEMA_ALL:
        break;
    }
    return true;
}

static bool import_has_name(List *names, const char *name)
{
    ListCell *cell;

    foreach (cell, names)
        if (strcmp(lfirst(cell), name) == 0)
            return true;
    return false;
}

/* ---- published tables ---- */

static void import_published(struct dynkv_slice key, struct dynkv_slice json, void *arg)
{
    Import *import = arg;
    char *table = dynkv_catalog_string(key);
    bool is_wanted = import_is_wanted(import, table);
    DynkvDefinition *definition;
    const char *keyspace;

    /* With import_inferred their keyspaces must be known, too. */
    if (!is_wanted && !import->inferred)
        return;
    definition = dynkv_definition_from_json(table, dynkv_catalog_string(json));
    keyspace = dynkv_definition_option(definition, "keyspace");
    import->tables = lappend(import->tables, table);
    if (keyspace)
        import->keyspaces = lappend(import->keyspaces, pstrdup(keyspace));
    if (is_wanted)
        import->chosen = lappend(import->chosen, definition);
}

/* ---- keyspaces without a published table ---- */

static void import_keyspace(Import *import, const char *keyspace, uint64 id)
{
    DynkvDefinition *definition;

    if (dynkv_option_is_reserved(keyspace) || import_has_name(import->keyspaces, keyspace) ||
        import_has_name(import->tables, keyspace) || !import_is_wanted(import, keyspace))
        return;
    definition = dynkv_infer(&import->catalog, keyspace, id);
    if (definition)
        import->chosen = lappend(import->chosen, definition);
}

static int import_compare_keyspaces(const void *a, const void *b)
{
    return dynkv_slice_compare((*(const struct dynkv_keyspace_info *const *)a)->name,
                               (*(const struct dynkv_keyspace_info *const *)b)->name);
}

static void import_inferred(Import *import)
{
    const struct dynkv_keyspace_info *keyspaces;
    const struct dynkv_keyspace_info **sorted;
    uint32 count, i;

    keyspaces = dynkv_request_keyspaces(
        dynkv_catalog_wait(&import->catalog,
                           dynkv_keyspace_list_start(import->catalog.client,
                                                     (uint32)import->catalog.options.deadline_ms),
                           DYNKV_READING),
        &count);
    sorted = palloc(sizeof *sorted * Max(count, 1));
    for (i = 0; i < count; i++)
        sorted[i] = &keyspaces[i];
    qsort(sorted, count, sizeof *sorted, import_compare_keyspaces);
    for (i = 0; i < count; i++)
        import_keyspace(import, dynkv_catalog_string(sorted[i]->name), sorted[i]->id);
}

/* The cluster gives them in no order; statements and notices come by name. */
static int import_compare(const ListCell *a, const ListCell *b)
{
    return strcmp(((const DynkvDefinition *)lfirst(a))->table,
                  ((const DynkvDefinition *)lfirst(b))->table);
}

List *dynkvImportForeignSchema(ImportForeignSchemaStmt *statement, Oid serverid)
{
    Import import = {.statement = statement};
    List *statements = NIL;
    ListCell *cell;

    import_read_options(&import);
    dynkv_catalog_open(&import.catalog, serverid);
    dynkv_published_each(&import.catalog, import_published, &import);
    if (import.inferred)
        import_inferred(&import);
    list_sort(import.chosen, import_compare);
    foreach (cell, import.chosen)
        statements = lappend(
            statements, dynkv_definition_to_sql(lfirst(cell), import.catalog.server->servername));
    return statements;
}
