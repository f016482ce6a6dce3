/*
 * publish.c: dynkv_publish_table() and dynkv_unpublish_table().
 *
 * What they write is in the cluster at once, whatever becomes of the transaction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fdw/catalog.h"
#include "fdw/codec.h"
#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/definition.h"

extern PGDLLEXPORT Datum dynkv_publish_table(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_unpublish_table(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(dynkv_publish_table);
PG_FUNCTION_INFO_V1(dynkv_unpublish_table);

static struct dynkv_key_ref publish_key(const char *table)
{
    struct dynkv_slice key = dynkv_text_to_utf8(table, (int)strlen(table));

    return (struct dynkv_key_ref){.key = key, .partition_len = (uint32)key.len};
}

static void publish_write(DynkvCatalog *catalog, uint64 keyspace, const struct dynkv_write *write)
{
    struct dynkv_call call = {
        .deadline_ms = (uint32)catalog->options.deadline_ms,
        .w = (uint8)catalog->options.w,
        .strict = catalog->options.strict,
    };

    (void)dynkv_catalog_wait(catalog, dynkv_put_start(catalog->client, keyspace, write, 1, &call),
                             DYNKV_WRITING);
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
    struct dynkv_write write = {.is_delete = false};
    uint64 keyspace = 0;
    char *json;

    publish_check(rel);
    definition = dynkv_definition_of_table(rel);
    (void)dynkv_codec_create(rel, dynkv_table_options(rel)); /* nobody could read it otherwise */
    dynkv_catalog_open(&catalog, GetForeignTable(RelationGetRelid(rel))->serverid);
    (void)dynkv_catalog_keyspace(&catalog, DYNKV_TABLES_KEYSPACE, true, &keyspace);
    json = dynkv_definition_to_json(definition);
    write.at = publish_key(definition->table);
    write.value = dynkv_text_to_utf8(json, (int)strlen(json));
    publish_write(&catalog, keyspace, &write);
    relation_close(rel, AccessShareLock);
    PG_RETURN_VOID();
}

/* Whether there is a definition under that key. */
static bool publish_exists(DynkvCatalog *catalog, uint64 keyspace, struct dynkv_key_ref key)
{
    struct dynkv_call call = {
        .deadline_ms = (uint32)catalog->options.deadline_ms,
        .r = (uint8)catalog->options.r,
        .strict = catalog->options.strict,
    };
    const struct dynkv_read_result *read = dynkv_request_reads(
        dynkv_catalog_wait(catalog, dynkv_get_start(catalog->client, keyspace, &key, 1, &call),
                           DYNKV_READING),
        NULL);

    return dynkv_object_latest(&read->object, 0) != NULL;
}

Datum dynkv_unpublish_table(PG_FUNCTION_ARGS)
{
    char *table = text_to_cstring(PG_GETARG_TEXT_PP(1));
    struct dynkv_write write = {.at = publish_key(table), .is_delete = true};
    DynkvCatalog catalog;
    uint64 keyspace = 0;

    dynkv_catalog_open_name(&catalog, PG_GETARG_TEXT_PP(0));
    if (write.at.key.len == 0 ||
        !dynkv_catalog_keyspace(&catalog, DYNKV_TABLES_KEYSPACE, false, &keyspace) ||
        !publish_exists(&catalog, keyspace, write.at))
        PG_RETURN_BOOL(false);
    publish_write(&catalog, keyspace, &write);
    PG_RETURN_BOOL(true);
}
