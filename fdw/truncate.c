/*
 * truncate.c: a scan of keys, and a delete for each with the version that was read.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/fetch.h"
#include "fdw/truncate.h"
#include "fdw/writer.h"

static void truncate_check(Relation rel, const DynkvTableOptions *options)
{
    if (!options->truncatable)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("foreign table \"%s\" does not allow truncates",
                               RelationGetRelationName(rel)),
                        errhint("It, or its server, has the option truncatable 'off'.")));
}

static void truncate_keys(DynkvFetch *fetch, DynkvWriter *writer)
{
    struct dynkv_buf version = {NULL, 0, 0};
    DynkvEntry entry;

    PG_TRY();
    {
        while (dynkv_fetch_next(fetch, &entry)) {
            dynkv_buf_reset(&version);
            dynkv_version_encode(&entry.object->version, &version);
            dynkv_writer_delete(writer, entry.key, entry.partition_len, dynkv_buf_slice(&version));
            CHECK_FOR_INTERRUPTS();
        }
        dynkv_writer_finish(writer);
    }
    PG_FINALLY();
    {
        dynkv_buf_fini(&version);
    }
    PG_END_TRY();
    dynkv_fetch_close(fetch);
}

static void truncate_table(Relation rel, CommandId command)
{
    DynkvTableOptions *options = dynkv_table_options(rel);
    const char *table = RelationGetRelationName(rel);
    DynkvConnection *connection = dynkv_connection_get(options->serverid, GetUserId());
    DynkvFetchPlan plan = {
        .options = options,
        .table = table,
        .access = DYNKV_FULL_SCAN,
        .keys_only = true,
        .before = command,
    };
    DynkvFetch *fetch = dynkv_fetch_create(connection, &plan);

    if (fetch)
        truncate_keys(fetch, dynkv_writer_create(connection, options, table, command));
}

void dynkvExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
    CommandId command = GetCurrentCommandId(true);
    ListCell *cell;

    foreach (cell, rels)
        truncate_check(lfirst(cell), dynkv_table_options(lfirst(cell)));
    foreach (cell, rels) {
        MemoryContext context =
            AllocSetContextCreate(CurrentMemoryContext, "dynkv truncate", ALLOCSET_DEFAULT_SIZES);
        MemoryContext old = MemoryContextSwitchTo(context);

        truncate_table(lfirst(cell), command);
        MemoryContextSwitchTo(old);
        MemoryContextDelete(context);
    }
}
