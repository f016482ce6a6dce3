/*
 * txn.h: the life of what a transaction has written and not sent yet.
 *
 * Writes of tables with write_mode 'transaction' are kept in a buffer (write_buffer.h) for each connection
 * (server and user mapping) and keyspace.  Later reads of the transaction look through it (overlay.h).
 *
 *   - A subtransaction that aborts takes its writes back; one that commits leaves them to its parent.
 *   - PRE_COMMIT sends everything (flush.h); errors there still abort the transaction.
 *   - PREPARE TRANSACTION is refused.
 *   - The end of the transaction forgets everything, then the connections' requests (connection.h).
 *
 * A buffer keeps the connection and the options that it was begun with, so that dropping or altering the
 * table, the server or the user mapping in the same transaction does not lose writes made before.
 */
#ifndef DYNKV_FDW_TXN_H
#define DYNKV_FDW_TXN_H

#include "postgres.h"

#include "lib/ilist.h"

#include "fdw/connection.h"
#include "fdw/option.h"
#include "fdw/write_buffer.h"

/* A subtransaction that has written, and the number of its first write. */
typedef struct DynkvTxnLevel {
    int nest_level;
    uint64 first;
} DynkvTxnLevel;

/* What is kept for one keyspace by one connection. */
typedef struct DynkvTxnBuffer {
    slist_node node;
    DynkvConnection *connection;
    DynkvTableOptions options; /* of the first table that wrote; keyspace is a copy */
    char *table;               /* its name, for messages */
    DynkvWriteBuffer *buffer;
    /* The last table with on_insert 'error' that wrote new rows (absent.h); NULL: none did. */
    char *unique_table;
    Oid unique_relid;
    DynkvConflictMode unique_conflict; /* of a resolver: siblings */
    DynkvTxnLevel *levels;             /* rising; the top transaction has none */
    int level_count, level_room;
} DynkvTxnBuffer;

/* What this transaction keeps; NULL: nothing. */
extern DynkvTxnBuffer *dynkv_txn_find(DynkvConnection *connection, const char *keyspace);
/* The same, begun if there is none. */
extern DynkvTxnBuffer *dynkv_txn_get(DynkvConnection *connection, const DynkvTableOptions *options,
                                     const char *table);
/* New rows will be kept that must be new to the cluster still when they are sent, for this table. */
extern void dynkv_txn_expect_new(DynkvTxnBuffer *kept, const DynkvTableOptions *options,
                                 const char *table);
/* Keeps a write, in the current subtransaction. */
extern void dynkv_txn_add(DynkvTxnBuffer *kept, const DynkvBuffered *write);

extern void dynkv_txn_init(void); /* the transaction callbacks; from _PG_init */

#endif
