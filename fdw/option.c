/*
 * option.c: the one table of options, the validator, and what reads lists of options by the table.
 *
 * Defaults are written as text and pass through the same parser as what users write (option_value.c),
 * so there is one rule for each option.  The validator sees an object's own options only: what depends on
 * other objects (do the key columns exist?) is checked in table_option.c, when the table is used.
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "client/dynkv.h"
#include "fdw/compat.h"
#include "fdw/option.h"
#include "fdw/option_table.h"
#include "model/keyspace.h"

#define SERVER_FIELD(name) offsetof(DynkvServerOptions, name)
#define TABLE_FIELD(name)  offsetof(DynkvTableOptions, name)

#define S DYNKV_ON_SERVER
#define T DYNKV_ON_TABLE
#define C DYNKV_ON_COLUMN

static const DynkvOptionDef option_table[] = {
    /* How to reach the cluster. */
    {"hosts", S, DYNKV_FOR_SERVER, DYNKV_OPTION_HOSTS, 0, 0, NULL, SERVER_FIELD(hosts),
     "the nodes to begin with"},
    {"routing", S, DYNKV_FOR_SERVER, DYNKV_OPTION_ROUTING, 0, 0, "ring", SERVER_FIELD(route_any),
     "whether to ask the replicas of a key directly or any node"},
    {"connect_timeout", S, DYNKV_FOR_SERVER, DYNKV_OPTION_MS, 1, DYNKV_DEADLINE_MAX_MS, "2s",
     SERVER_FIELD(connect_timeout_ms), "how long connecting to a node may take"},
    {"keep_connections", S, DYNKV_FOR_SERVER, DYNKV_OPTION_BOOL, 0, 0, "on",
     SERVER_FIELD(keep_connections), "whether connections outlive the transaction"},

    /* What a table is. */
    {"keyspace", T, DYNKV_FOR_TABLE, DYNKV_OPTION_KEYSPACE, 0, 0, NULL, TABLE_FIELD(keyspace),
     "the keyspace that holds the rows; the table's name if not given"},
    {"format", T, DYNKV_FOR_TABLE, DYNKV_OPTION_FORMAT, 0, 0, "row", TABLE_FIELD(format),
     "how the columns that are not key are stored"},
    {"partition_key", T, DYNKV_FOR_NOBODY, DYNKV_OPTION_COLUMNS, 0, 0, NULL, 0,
     "the columns that decide which nodes hold a row"},
    {"sort_key", T, DYNKV_FOR_NOBODY, DYNKV_OPTION_COLUMNS, 0, 0, NULL, 0,
     "the columns that tell rows with the same partition key apart, and order them"},

    /* How a table is read and written; a table's wins over its server's. */
    {"r", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_INT, 0, DYNKV_REPLICAS_MAX, "0", TABLE_FIELD(r),
     "replicas that must answer a read; 0: as the keyspace says"},
    {"w", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_INT, 0, DYNKV_REPLICAS_MAX, "0", TABLE_FIELD(w),
     "replicas that must store a write; 0: as the keyspace says"},
    {"strict", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_BOOL, 0, 0, "off", TABLE_FIELD(strict),
     "whether only the replicas of a key count, and none that stands in for one"},
    {"deadline", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_MS, 1, DYNKV_DEADLINE_MAX_MS, "5s",
     TABLE_FIELD(deadline_ms), "how long one request may take"},
    {"fetch_size", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_INT, 1, DYNKV_SCAN_ITEMS_MAX, "1000",
     TABLE_FIELD(fetch_size), "rows that a scan asks a node for at once"},
    {"batch_size", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_INT, 1, DYNKV_BATCH_ITEMS_MAX, "1000",
     TABLE_FIELD(batch_size), "rows that are written at once"},
    {"fdw_startup_cost", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_COST, 0, 0, "20",
     TABLE_FIELD(startup_cost), "what the planner adds for each round trip to the cluster"},
    {"fdw_tuple_cost", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_COST, 0, 0, "0.3",
     TABLE_FIELD(tuple_cost), "what the planner adds for each row from the cluster"},
    {"updatable", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_BOOL, 0, 0, "on", TABLE_FIELD(updatable),
     "whether INSERT, UPDATE and DELETE are allowed"},
    {"truncatable", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_BOOL, 0, 0, "on", TABLE_FIELD(truncatable),
     "whether TRUNCATE is allowed"},
    {"write_mode", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_WRITE_MODE, 0, 0, "transaction",
     TABLE_FIELD(is_immediate), "whether writes wait for the transaction to commit"},
    {"on_insert", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_ON_INSERT, 0, 0, "put",
     TABLE_FIELD(insert_errors), "whether INSERT of a key that is there overwrites it"},
    {"on_bad_row", S | T, DYNKV_FOR_TABLE, DYNKV_OPTION_ON_BAD_ROW, 0, 0, "error",
     TABLE_FIELD(skips_bad_rows), "whether rows that cannot be read are skipped"},
    {"conflict", T, DYNKV_FOR_TABLE, DYNKV_OPTION_CONFLICT, 0, 0, "lww", TABLE_FIELD(conflict),
     "what a key with several concurrent values is read as"},
    {"resolver", T, DYNKV_FOR_TABLE, DYNKV_OPTION_FUNCTION, 0, 0, NULL, TABLE_FIELD(resolver),
     "the function that makes one row of the concurrent values of a key"},

    {"meta", C, DYNKV_FOR_NOBODY, DYNKV_OPTION_META, 0, 0, NULL, 0,
     "what the column shows of a row, instead of a part of its value"},
    {"column_name", C, DYNKV_FOR_NOBODY, DYNKV_OPTION_NAME, 0, 0, NULL, 0,
     "the column's name in stored values; the column's own if not given"},
};

#undef S
#undef T
#undef C

/* ---- the validator ---- */

static int option_context(Oid catalog)
{
    switch (catalog) {
    case ForeignServerRelationId:
        return DYNKV_ON_SERVER;
    case ForeignTableRelationId:
        return DYNKV_ON_TABLE;
    case AttributeRelationId:
        return DYNKV_ON_COLUMN;
    default:
        return 0; /* the wrapper and user mappings: none */
    }
}

static const char *option_context_name(Oid catalog)
{
    switch (catalog) {
    case ForeignServerRelationId:
        return "a server";
    case ForeignTableRelationId:
        return "a foreign table";
    case AttributeRelationId:
        return "a column";
    case UserMappingRelationId:
        return "a user mapping";
    default:
        return "the foreign-data wrapper";
    }
}

static const DynkvOptionDef *option_find(const char *name)
{
    int i;

    for (i = 0; i < (int)lengthof(option_table); i++)
        if (strcmp(option_table[i].name, name) == 0)
            return &option_table[i];
    return NULL;
}

/* The valid name that is near enough to be meant, or NULL. */
static const char *option_closest(const char *name, int context)
{
    const char *closest = NULL;
    int name_len = (int)strlen(name);
    int distance = 3; /* more edits than that, or half the word, is another word */
    int i;

    if (name_len > 63)
        return NULL;
    for (i = 0; i < (int)lengthof(option_table); i++) {
        const DynkvOptionDef *def = &option_table[i];
        int edits;

        if (!(def->contexts & context))
            continue;
        edits = varstr_levenshtein_less_equal(name, name_len, def->name, (int)strlen(def->name), 1,
                                              1, 1, distance, true);
        if (edits <= distance && edits * 2 <= name_len) {
            closest = def->name;
            distance = edits - 1;
        }
    }
    return closest;
}

static DYNKV_NORETURN void option_name_error(const char *name, Oid catalog)
{
    int context = option_context(catalog);
    const DynkvOptionDef *elsewhere = option_find(name);
    const char *closest = elsewhere ? NULL : option_closest(name, context);
    const char *where = option_context_name(catalog);
    StringInfoData valid;
    int i;

    initStringInfo(&valid);
    for (i = 0; i < (int)lengthof(option_table); i++)
        if (option_table[i].contexts & context)
            appendStringInfo(&valid, "%s%s", valid.len ? ", " : "", option_table[i].name);
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
             errmsg("invalid option \"%s\" for %s", name, where),
             elsewhere ? errdetail("\"%s\" is an option of %s.", name,
                                   elsewhere->contexts & DYNKV_ON_SERVER  ? "a server"
                                   : elsewhere->contexts & DYNKV_ON_TABLE ? "a foreign table"
                                                                          : "a column")
             : closest ? errdetail("Perhaps you meant the option \"%s\".", closest)
                       : 0,
             valid.len ? errhint("Valid options in this context are: %s.", valid.data)
                       : errhint("There are no options in this context: %s takes none.", where)));
}

/* No column may be in both keys. */
static void option_check_keys(const char *partition_key, const char *sort_key)
{
    List *partition = dynkv_option_split_columns(partition_key);
    ListCell *cell;

    foreach (cell, dynkv_option_split_columns(sort_key)) {
        char *name = lfirst(cell);

        if (dynkv_option_lists_column(partition, name))
            dynkv_option_value_error(
                option_find("sort_key"), sort_key,
                psprintf("Column \"%s\" is in the partition key already.", name));
    }
}

/* What two options of one object say together. */
static void option_check_pairs(List *options)
{
    const char *partition_key = dynkv_option_get(options, "partition_key");
    const char *sort_key = dynkv_option_get(options, "sort_key");
    const char *conflict = dynkv_option_get(options, "conflict");

    if (partition_key && sort_key)
        option_check_keys(partition_key, sort_key);
    if (conflict && strcmp(conflict, "lww") != 0 && dynkv_option_get(options, "resolver"))
        dynkv_option_value_error(
            option_find("conflict"), conflict,
            "A resolver makes one row of the values, so none are left to show or "
            "to complain of.");
    if (dynkv_option_get(options, "meta") && dynkv_option_get(options, "column_name"))
        dynkv_option_value_error(option_find("meta"), dynkv_option_get(options, "meta"),
                                 "A meta column is no part of the value, so it has no column_name "
                                 "there.");
}

void dynkv_option_validate(List *options, Oid catalog)
{
    int context = option_context(catalog);
    ListCell *cell;

    foreach (cell, options) {
        DefElem *element = lfirst_node(DefElem, cell);
        const DynkvOptionDef *def = option_find(element->defname);

        if (!def || !(def->contexts & context))
            option_name_error(element->defname, catalog);
        dynkv_option_parse(def, defGetString(element), NULL);
    }
    option_check_pairs(options);
}

/* ---- reading ---- */

const char *dynkv_option_get(List *options, const char *name)
{
    ListCell *cell;

    foreach (cell, options) {
        DefElem *element = lfirst_node(DefElem, cell);

        if (strcmp(element->defname, name) == 0)
            return defGetString(element);
    }
    return NULL;
}

void dynkv_option_defaults(DynkvOptionTarget target, void *into)
{
    int i;

    for (i = 0; i < (int)lengthof(option_table); i++) {
        const DynkvOptionDef *def = &option_table[i];

        if (def->target == target && def->boot)
            dynkv_option_parse(def, def->boot, (char *)into + def->offset);
    }
}

void dynkv_option_apply(List *options, DynkvOptionTarget target, void *into)
{
    ListCell *cell;

    foreach (cell, options) {
        DefElem *element = lfirst_node(DefElem, cell);
        const DynkvOptionDef *def = option_find(element->defname);

        if (def && def->target == target)
            dynkv_option_parse(def, defGetString(element), (char *)into + def->offset);
    }
}

DynkvServerOptions *dynkv_server_options(Oid serverid)
{
    ForeignServer *server = GetForeignServer(serverid);
    DynkvServerOptions *options = palloc0(sizeof *options);

    dynkv_option_defaults(DYNKV_FOR_SERVER, options);
    dynkv_option_apply(server->options, DYNKV_FOR_SERVER, options);
    if (!options->hosts)
        ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
                        errmsg("server \"%s\" has no option \"hosts\"", server->servername),
                        errhint("ALTER SERVER %s OPTIONS (ADD hosts '127.0.0.1:7401');",
                                quote_identifier(server->servername))));
    return options;
}
