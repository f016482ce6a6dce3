/* extent.c: looking through the session's connections for what they know of a keyspace. */
#include "postgres.h"

#include "fdw/connection_cache.h"
#include "fdw/extent.h"
#include "fdw/txn.h"

typedef struct ExtentSearch {
    const DynkvTableOptions *options;
    DynkvExtent *extent;
    double own_rows;
    bool is_known;
} ExtentSearch;

/*
 * Any user's connection will do: they all speak of one cluster.  Where several know something, the one
 * that knows of most rows is believed; it is the wrong one only after a great DELETE by another user of
 * the same session.
 */
static void extent_look(DynkvConnection *connection, void *arg)
{
    ExtentSearch *search = arg;
    const DynkvTableOptions *options = search->options;
    DynkvTxnBuffer *kept;
    struct dynkv_extent told;
    uint64 id;

    if (connection->serverid != options->serverid)
        return;
    if (dynkv_connection_known_keyspace(connection, options->keyspace, &id) &&
        dynkv_keyspace_extent(connection->client, id, &told) &&
        (!search->is_known || (double)told.keys > search->extent->rows)) {
        search->is_known = true;
        search->extent->rows = (double)told.keys;
        search->extent->row_bytes = told.keys ? (double)told.bytes / (double)told.keys : 0;
    }
    kept = dynkv_txn_find(connection, options->keyspace);
    if (kept)
        search->own_rows = Max(search->own_rows, (double)dynkv_write_buffer_next(kept->buffer));
}

bool dynkv_extent_known(const DynkvTableOptions *options, DynkvExtent *extent)
{
    ExtentSearch search = {.options = options, .extent = extent};

    extent->rows = extent->row_bytes = 0;
    dynkv_connection_each(extent_look, &search);
    /* Of a load into a new table these are its rows; of an UPDATE they are counted already. */
    extent->rows = Max(extent->rows, search.own_rows);
    return search.is_known;
}
