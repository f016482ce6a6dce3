/*
 * publish.c: dynkv_publish_table() and dynkv_unpublish_table(), and reading what they wrote.
 *
 * They write as a foreign table does: into the transaction's buffer (txn.h).  Each call is a command of its
 * own, so that the last of several in one statement counts.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fdw/catalog.h"
#include "fdw/codec.h"
#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/definition.h"
#include "fdw/publish.h"
#include "fdw/txn.h"
#include "fdw/writer.h"

extern PGDLLEXPORT Datum dynkv_publish_table(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_unpublish_table(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(dynkv_publish_table);
PG_FUNCTION_INFO_V1(dynkv_unpublish_table);

static struct dynkv_key_ref publish_key(const char *table)
{
    struct dynkv_slice key = dynkv_text_to_utf8(table, (int)strlen(table));

    return (struct dynkv_key_ref){.key = key, .partition_len = (uint32)key.len};
}

/* The server's options, for the keyspace of definitions; whatever its write_mode, they are transactional. */
static const DynkvTableOptions *publish_options(const DynkvCatalog *catalog)
{
    DynkvTableOptions *options = palloc(sizeof *options);

    *options = catalog->options;
    options->keyspace = pstrdup(DYNKV_TABLES_KEYSPACE);
    options->is_immediate = false;
    return options;
}

static DynkvWriter *publish_writer(const DynkvCatalog *catalog)
{
    return dynkv_writer_create(catalog->connection, publish_options(catalog), DYNKV_TABLES_KEYSPACE,
                               GetCurrentCommandId(true));
}

static void publish_begin(const char *function)
{
    PreventCommandIfReadOnly(function);
    PreventCommandIfParallelMode(function);
}

/* The command is over: what follows in the same statement sees it, and comes after it. */
static void publish_end(DynkvWriter *writer)
{
    dynkv_writer_finish(writer);
    CommandCounterIncrement();
}

/* Error unless it is a foreign table of a dynkv server, and the user's own. */
static void publish_check(Relation rel)
{
    if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE ||
        !dynkv_catalog_is_server(GetForeignTable(RelationGetRelid(rel))->serverid))
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a foreign table of dynkv_fdw",
                               RelationGetRelationName(rel))));
    if (!dynkv_table_is_owned_by(RelationGetRelid(rel), GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, RelationGetRelationName(rel));
}

Datum dynkv_publish_table(PG_FUNCTION_ARGS)
{
    Relation rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
    DynkvDefinition *definition;
    DynkvCatalog catalog;
    DynkvWriter *writer;
    struct dynkv_key_ref at;
    DynkvNewRow row;
    char *json;

    publish_begin("dynkv_publish_table()");
    publish_check(rel);
    definition = dynkv_definition_of_table(rel);
    (void)dynkv_codec_create(rel, dynkv_table_options(rel)); /* nobody could read it otherwise */
    dynkv_catalog_open(&catalog, GetForeignTable(RelationGetRelid(rel))->serverid);
    json = dynkv_definition_to_json(definition);
    at = publish_key(definition->table);
    row = (DynkvNewRow){.key = at.key,
                        .partition_len = at.partition_len,
                        .value = dynkv_text_to_utf8(json, (int)strlen(json))};
    writer = publish_writer(&catalog);
    dynkv_writer_put(writer, &row, dynkv_slice(NULL, 0));
    publish_end(writer);
    relation_close(rel, AccessShareLock);
    PG_RETURN_VOID();
}

/* Whether the cluster has a definition under that key. */
static bool publish_is_stored(DynkvCatalog *catalog, struct dynkv_key_ref key)
{
    struct dynkv_call call = {
        .deadline_ms = (uint32)catalog->options.deadline_ms,
        .r = (uint8)catalog->options.r,
        .strict = catalog->options.strict,
    };
    const struct dynkv_read_result *read;
    uint64 keyspace;

    if (!dynkv_catalog_keyspace(catalog, DYNKV_TABLES_KEYSPACE, false, &keyspace))
        return false;
    read = dynkv_request_reads(
        dynkv_catalog_wait(catalog, dynkv_get_start(catalog->client, keyspace, &key, 1, &call),
                           DYNKV_READING),
        NULL);
    return dynkv_object_latest(&read->object, 0) != NULL;
}

static bool publish_exists(DynkvCatalog *catalog, DynkvWriter *writer, struct dynkv_key_ref key)
{
    switch (dynkv_writer_find(writer, key.key)) {
    case DYNKV_WRITER_PUT:
        return true;
    case DYNKV_WRITER_DELETED:
        return false;
    case DYNKV_WRITER_NOTHING:
        break;
    }
    return publish_is_stored(catalog, key);
}

Datum dynkv_unpublish_table(PG_FUNCTION_ARGS)
{
    struct dynkv_key_ref at = publish_key(text_to_cstring(PG_GETARG_TEXT_PP(1)));
    DynkvCatalog catalog;
    DynkvWriter *writer;

    publish_begin("dynkv_unpublish_table()");
    dynkv_catalog_open_name(&catalog, PG_GETARG_TEXT_PP(0));
    writer = publish_writer(&catalog);
    if (at.key.len == 0 || !publish_exists(&catalog, writer, at))
        PG_RETURN_BOOL(false);
    dynkv_writer_delete(writer, at.key, at.partition_len, dynkv_slice(NULL, 0));
    publish_end(writer);
    PG_RETURN_BOOL(true);
}

/* ---- reading ---- */

static void published_in_cluster(DynkvCatalog *catalog, const DynkvTxnBuffer *kept,
                                 DynkvPublishedVisit visit, void *arg)
{
    DynkvCatalogScan scan;
    struct dynkv_key_ref at;
    struct dynkv_slice json;
    uint64 keyspace;

    if (!dynkv_catalog_keyspace(catalog, DYNKV_TABLES_KEYSPACE, false, &keyspace))
        return;
    dynkv_catalog_scan(catalog, keyspace, 0, &scan);
    while (dynkv_catalog_scan_next(&scan, &at, &json))
        if (!kept || !dynkv_write_buffer_find(kept->buffer, at.key, DYNKV_ALL_COMMANDS, NULL))
            visit(at.key, json, arg);
}

static void published_in_buffer(const DynkvTxnBuffer *kept, DynkvPublishedVisit visit, void *arg)
{
    DynkvBufferCursor *cursor = dynkv_buffer_cursor_create(kept->buffer, DYNKV_ALL_COMMANDS);
    DynkvBuffered row;

    while (dynkv_buffer_cursor_next(cursor, &row))
        if (!row.write.is_delete)
            visit(row.write.at.key, row.write.value, arg);
    dynkv_buffer_cursor_close(cursor);
}

void dynkv_published_each(DynkvCatalog *catalog, DynkvPublishedVisit visit, void *arg)
{
    const DynkvTxnBuffer *kept = dynkv_txn_find(catalog->connection, DYNKV_TABLES_KEYSPACE);

    published_in_cluster(catalog, kept, visit, arg);
    if (kept)
        published_in_buffer(kept, visit, arg);
}
