/*
 * table_option.c: a table's options as its plans and executions use them: table over server over
 * default, under the session's settings, and key columns by attribute number.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/limits.h"
#include "fdw/compat.h"
#include "fdw/option.h"
#include "fdw/option_table.h"
#include "model/keyspace.h"

/* dynkv_fdw.r, dynkv_fdw.w */
static int session_r = 0;
static int session_w = 0;

void dynkv_option_init(void)
{
    DefineCustomIntVariable("dynkv_fdw.r", "Replicas that must answer a read.",
                            "Wins over tables' and servers' option r; 0: not set.", &session_r, 0,
                            0, DYNKV_REPLICAS_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
    DefineCustomIntVariable("dynkv_fdw.w", "Replicas that must store a write.",
                            "Wins over tables' and servers' option w; 0: not set.", &session_w, 0,
                            0, DYNKV_REPLICAS_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
    MarkGUCPrefixReserved("dynkv_fdw");
}

static AttrNumber table_find_column(TupleDesc desc, const char *name)
{
    int i;

    for (i = 0; i < desc->natts; i++) {
        Form_pg_attribute att = TupleDescAttr(desc, i);

        if (!att->attisdropped && namestrcmp(&att->attname, name) == 0)
            return att->attnum;
    }
    return InvalidAttrNumber;
}

/* The columns that a key option names, as attribute numbers. */
static List *table_key_columns(Relation rel, const char *option, const char *value)
{
    const char *table = RelationGetRelationName(rel);
    List *columns = NIL;
    ListCell *cell;

    foreach (cell, dynkv_option_split_columns(value)) {
        const char *name = lfirst(cell);
        AttrNumber attno = table_find_column(RelationGetDescr(rel), name);

        if (attno == InvalidAttrNumber)
            ereport(ERROR, (errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
                            errmsg("option \"%s\" of foreign table \"%s\" names column \"%s\", "
                                   "which does not exist",
                                   option, table, name),
                            errhint("ALTER FOREIGN TABLE %s OPTIONS (SET %s '...');",
                                    quote_identifier(table), option)));
        columns = lappend_int(columns, attno);
    }
    return columns;
}

/* Without the option the first column is the partition key, and only the first: not what is left. */
static AttrNumber table_default_key(Relation rel)
{
    TupleDesc desc = RelationGetDescr(rel);
    const char *table = RelationGetRelationName(rel);

    if (desc->natts == 0)
        ereport(ERROR,
                (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
                 errmsg("foreign table \"%s\" has no key, as it has no columns", table),
                 errhint("ALTER FOREIGN TABLE %s ADD COLUMN key text;", quote_identifier(table))));
    if (TupleDescAttr(desc, 0)->attisdropped)
        ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
                        errmsg("foreign table \"%s\" has no key", table),
                        errdetail("It has no option \"partition_key\", and its first column, which "
                                  "would be the key, was dropped."),
                        errhint("ALTER FOREIGN TABLE %s OPTIONS (ADD partition_key '...');",
                                quote_identifier(table))));
    return 1;
}

static void table_resolve_key(Relation rel, List *options, DynkvTableOptions *into)
{
    const char *partition_key = dynkv_option_get(options, "partition_key");
    const char *sort_key = dynkv_option_get(options, "sort_key");
    ListCell *cell;

    if (partition_key)
        into->partition_key = table_key_columns(rel, "partition_key", partition_key);
    else
        into->partition_key = list_make1_int(table_default_key(rel));
    if (sort_key)
        into->sort_key = table_key_columns(rel, "sort_key", sort_key);
    /* Two written options were compared by the validator; the default partition key was not. */
    foreach (cell, into->sort_key) {
        if (list_member_int(into->partition_key, lfirst_int(cell)))
            ereport(ERROR,
                    (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                     errmsg("column \"%s\" of foreign table \"%s\" is in both its partition key "
                            "and its sort key",
                            get_attname(into->relid, (AttrNumber)lfirst_int(cell), false),
                            RelationGetRelationName(rel)),
                     errhint("Without option \"partition_key\" the first column is the partition "
                             "key.")));
    }
}

DynkvTableOptions *dynkv_table_options(Relation rel)
{
    ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
    ForeignServer *server = GetForeignServer(table->serverid);
    DynkvTableOptions *options = palloc0(sizeof *options);

    options->relid = RelationGetRelid(rel);
    options->serverid = table->serverid;
    dynkv_option_defaults(DYNKV_FOR_TABLE, options);
    dynkv_option_apply(server->options, DYNKV_FOR_TABLE, options);
    dynkv_option_apply(table->options, DYNKV_FOR_TABLE, options);
    if (session_r)
        options->r = session_r;
    if (session_w)
        options->w = session_w;

    if (!options->keyspace) {
        const char *name = RelationGetRelationName(rel);

        if (!dynkv_keyspace_name_is_valid(dynkv_slice_text(name)) || dynkv_option_is_reserved(name))
            ereport(ERROR,
                    (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
                     errmsg("the name of foreign table \"%s\" cannot be the name of its keyspace",
                            name),
                     errdetail("A keyspace's name has 1 to %u letters, digits, \"_\", \"-\", \".\" "
                               "or \"$\", and does not begin with \"" DYNKV_RESERVED_PREFIX "\".",
                               DYNKV_NAME_MAX),
                     errhint("ALTER FOREIGN TABLE %s OPTIONS (ADD keyspace '...');",
                             quote_identifier(name))));
        options->keyspace = pstrdup(name);
    }
    table_resolve_key(rel, table->options, options);
    return options;
}

char *dynkv_option_column_name(Relation rel, AttrNumber attno)
{
    List *options = GetForeignColumnOptions(RelationGetRelid(rel), attno);
    const char *name = dynkv_option_get(options, "column_name");

    return pstrdup(name ? name : NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname));
}

const char *dynkv_option_meta(Relation rel, AttrNumber attno)
{
    return dynkv_option_get(GetForeignColumnOptions(RelationGetRelid(rel), attno), "meta");
}
