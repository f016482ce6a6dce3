/* connection_cache.h: a cache entry, for connection.c, the end of transactions, and SQL functions. */
#ifndef DYNKV_FDW_CONNECTION_CACHE_H
#define DYNKV_FDW_CONNECTION_CACHE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "storage/latch.h"

#include "fdw/connection.h"

struct DynkvConnection {
    Oid umid; /* the key: user mapping; first */
    Oid serverid;
    struct dynkv_client *client; /* NULL: empty, and nothing below counts */
    WaitEventSet *wait_set;      /* its descriptor, the latch, the postmaster's death */
    MemoryContext context;       /* of the client's keyspaces and its own guard */
    DynkvGuard *own;             /* for requests that belong to no query */
    dlist_head guards;
    slist_head keyspaces;
    uint32 server_hash, mapping_hash;
    uint32 descriptors; /* reported to fd.c */
    bool keep;          /* keep_connections */
    bool in_use;        /* by this transaction */
    bool invalidated;
};

typedef void (*DynkvConnectionVisit)(DynkvConnection *connection, void *arg);

/* All entries that have a client; visit may close the one it is given. */
extern void dynkv_connection_each(DynkvConnectionVisit visit, void *arg);
extern void dynkv_connection_close(DynkvConnection *connection);
/* The transaction has ended: frees what guards hold, and closes what was only kept for it. */
extern void dynkv_connection_end_transaction(void);

/* A connection's own guard, in a context that is deleted after the client is closed. */
extern DynkvGuard *dynkv_guard_create_own(DynkvConnection *connection, MemoryContext context);
/* Of all guards of a connection: frees what they hold; and leaves them without a client, which goes. */
extern void dynkv_guards_free_handles(DynkvConnection *connection);
extern void dynkv_guards_detach(DynkvConnection *connection);

#endif
