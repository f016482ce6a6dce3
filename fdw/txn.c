/*
 * txn.c: one buffer for each connection and keyspace; their levels; the transaction's events.
 *
 * Memory is below TopTransactionContext and files belong to its resource owner, so whatever happens at the
 * end of a transaction, nothing is left but the list's head, which the end of the transaction clears.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "fdw/connection_cache.h"
#include "fdw/flush.h"
#include "fdw/txn.h"

/* In the order they were begun in, newest first. */
static slist_head txn_buffers = SLIST_STATIC_INIT(txn_buffers);

/* ---- buffers ---- */

DynkvTxnBuffer *dynkv_txn_find(DynkvConnection *connection, const char *keyspace)
{
    slist_iter at;

    slist_foreach(at, &txn_buffers)
    {
        DynkvTxnBuffer *kept = slist_container(DynkvTxnBuffer, node, at.cur);

        if (kept->connection == connection && strcmp(kept->options.keyspace, keyspace) == 0)
            return kept;
    }
    return NULL;
}

DynkvTxnBuffer *dynkv_txn_get(DynkvConnection *connection, const DynkvTableOptions *options,
                              const char *table)
{
    DynkvTxnBuffer *kept = dynkv_txn_find(connection, options->keyspace);
    MemoryContext old;

    if (kept)
        return kept;
    old = MemoryContextSwitchTo(TopTransactionContext);
    kept = palloc0(sizeof *kept);
    kept->connection = connection;
    kept->options = *options;
    kept->options.keyspace = pstrdup(options->keyspace);
    /* The statement's memory, and of no use to a flush. */
    kept->options.partition_key = kept->options.sort_key = NIL;
    kept->options.resolver = NULL;
    kept->table = pstrdup(table);
    kept->buffer = dynkv_write_buffer_create(TopTransactionResourceOwner);
    slist_push_head(&txn_buffers, &kept->node);
    MemoryContextSwitchTo(old);
    return kept;
}

void dynkv_txn_expect_new(DynkvTxnBuffer *kept, const DynkvTableOptions *options, const char *table)
{
    if (kept->unique_table && kept->unique_relid == options->relid)
        return;
    kept->unique_table = MemoryContextStrdup(TopTransactionContext, table);
    kept->unique_relid = options->relid;
    kept->unique_conflict = options->resolver ? DYNKV_CONFLICT_SIBLINGS : options->conflict;
}

/* ---- levels ---- */

static void txn_begin_level(DynkvTxnBuffer *kept, int nest_level)
{
    if (kept->level_count == kept->level_room) {
        int room = Max(kept->level_room * 2, 4);
        Size size = sizeof *kept->levels * (Size)room;

        kept->levels = kept->levels ? repalloc(kept->levels, size)
                                    : MemoryContextAlloc(TopTransactionContext, size);
        kept->level_room = room;
    }
    kept->levels[kept->level_count].nest_level = nest_level;
    kept->levels[kept->level_count].first = dynkv_write_buffer_next(kept->buffer);
    kept->level_count++;
}

static DynkvTxnLevel *txn_level(DynkvTxnBuffer *kept)
{
    return kept->level_count > 0 ? &kept->levels[kept->level_count - 1] : NULL;
}

void dynkv_txn_add(DynkvTxnBuffer *kept, const DynkvBuffered *write)
{
    int nest_level = GetCurrentTransactionNestLevel();
    DynkvTxnLevel *level = txn_level(kept);

    /* The top transaction is level 1. */
    if (nest_level > (level ? level->nest_level : 1))
        txn_begin_level(kept, nest_level);
    level = txn_level(kept);
    dynkv_write_buffer_add(kept->buffer, write, level ? level->first : 0);
}

static void txn_abort_level(DynkvTxnBuffer *kept, int nest_level)
{
    DynkvTxnLevel *level;

    while ((level = txn_level(kept)) != NULL && level->nest_level >= nest_level) {
        dynkv_write_buffer_rollback(kept->buffer, level->first);
        kept->level_count--;
    }
}

/* Its writes become the parent's. */
static void txn_commit_level(DynkvTxnBuffer *kept, int nest_level)
{
    DynkvTxnLevel *level = txn_level(kept);
    int parent = nest_level - 1;

    if (!level || level->nest_level < nest_level)
        return;
    if (parent == 1 || (kept->level_count > 1 && level[-1].nest_level == parent))
        kept->level_count--;
    else
        level->nest_level = parent;
}

/* ---- events ---- */

static void txn_refuse_prepare(void)
{
    slist_iter at;

    slist_foreach(at, &txn_buffers)
    {
        DynkvTxnBuffer *kept = slist_container(DynkvTxnBuffer, node, at.cur);

        if (!dynkv_write_buffer_is_empty(kept->buffer))
            ereport(ERROR,
                    (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                     errmsg("cannot PREPARE a transaction that has written to foreign table "
                            "\"%s\"",
                            kept->table),
                     errdetail("The cluster does not take part in two-phase commit."),
                     errhint("Use COMMIT, or write to tables with write_mode 'immediate', whose "
                             "writes are no part of the transaction.")));
    }
}

/*
 * The one callback of the extension: what is written goes first, then the requests, so that nothing is in
 * flight for a buffer that is gone.  Later events than PRE_COMMIT must not fail, and an abort, perhaps in
 * the middle of an error's handling, does no more than forget.
 */
static void txn_on_xact(XactEvent event, void *arg)
{
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
        dynkv_flush(&txn_buffers);
        break;
    case XACT_EVENT_PRE_PREPARE:
        txn_refuse_prepare();
        break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_PARALLEL_ABORT:
        slist_init(&txn_buffers);
        dynkv_connection_end_transaction();
        break;
    case XACT_EVENT_PARALLEL_PRE_COMMIT: /* workers do not write */
        break;
    }
}

static void txn_on_subxact(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
                           void *arg)
{
    int nest_level = GetCurrentTransactionNestLevel();
    slist_iter at;

    if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
        return;
    slist_foreach(at, &txn_buffers)
    {
        DynkvTxnBuffer *kept = slist_container(DynkvTxnBuffer, node, at.cur);

        if (event == SUBXACT_EVENT_ABORT_SUB)
            txn_abort_level(kept, nest_level);
        else
            txn_commit_level(kept, nest_level);
    }
}

void dynkv_txn_init(void)
{
    RegisterXactCallback(txn_on_xact, NULL);
    RegisterSubXactCallback(txn_on_subxact, NULL);
}
