/*
 * absent.h: on_insert 'error' when rows are sent: new rows whose keys must still be free.
 *
 * A statement has found no row with such a key (unique.h), but others may have inserted one since.  So:
 *
 *   check    before anything of a transaction is sent, its new keys are looked for once more.  One that is
 *            there is a unique_violation, and nothing was written.
 *   send     a new row carries the version that the check saw, mostly none.  A row that gets there in
 *            between is not overwritten but stays beside it as a sibling.
 *   settle   whoever comes second at the node that coordinates the key is told that there are siblings.  He
 *            gives way: writes the other's row over both, and fails.  Of two who meet, at most one is told so:
 *            a node sends a row to others after it has applied it.
 *
 * Two who insert at the same moment through different nodes, because one of them cannot reach the other's,
 * may both not be told; both rows are kept as siblings then.  That is as far as it goes without consensus.
 */
#ifndef DYNKV_FDW_ABSENT_H
#define DYNKV_FDW_ABSENT_H

#include "postgres.h"

#include "fdw/pipeline.h"
#include "fdw/txn.h"

/* What the cluster has of some keys; NULL: it has no keyspace.  Lives until *get is freed, by the guard. */
extern const struct dynkv_read_result *
dynkv_absent_read(DynkvGuard *guard, DynkvConnection *connection, const DynkvTableOptions *options,
                  const char *table, const struct dynkv_key_ref *keys, int count,
                  struct dynkv_request **get);

/* Raises unique_violation if a new key of the buffer is taken; notes the versions seen in the buffer. */
extern void dynkv_absent_check(DynkvTxnBuffer *kept);
/*
 * Gives way to those beside whom the rows of a pipeline that has finished stand.  How many rows gave way; *key
 * is one of them, in the current memory context.
 */
extern int dynkv_absent_give_way(DynkvPipeline *pipeline, struct dynkv_slice *key);
/*
 * "(id)=(1)", or the bytes if the table relid is gone or another by now: for the error that the caller raises
 * next, in any case, and not within its ereport.
 */
extern char *dynkv_absent_describe(Oid relid, struct dynkv_slice key);

#endif
