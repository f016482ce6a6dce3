/*
 * fetch.h: entries from the cluster, for the targets of a binding, one at a time.
 *
 * Point gets go out as multi-gets of fetch_size keys, the next while the last is being given out;
 * scans fetch pages ahead by themselves, and several partition keys are scanned at once.  Where few entries
 * are expected, requests begin with so many, and double; and nothing is fetched ahead until that has ended.  What the
 * transaction has written itself is laid over what the cluster gives (overlay.h).
 */
#ifndef DYNKV_FDW_FETCH_H
#define DYNKV_FDW_FETCH_H

#include "postgres.h"

#include "fdw/bind.h"
#include "fdw/connection.h"
#include "fdw/overlay.h"

typedef struct DynkvFetch DynkvFetch;

typedef struct DynkvEntry {
    struct dynkv_slice key;
    uint32 partition_len;
    const struct dynkv_object *object;
} DynkvEntry;

/* What is read, and how. */
typedef struct DynkvFetchPlan {
    const DynkvTableOptions *options;
    const char *table;
    DynkvAccess access;
    DynkvBind *bind;        /* NULL: one target, everything */
    enum dynkv_order order; /* of the keys; PARTITION: any */
    uint64 expected; /* how many entries will be taken, if that is known; 0: all.  More may be. */
    uint64 examined; /* how many nodes will have to look at for those, as it was planned */
    bool keys_only;
    const struct dynkv_slice
        *filter;      /* for scans that are begun from now on; NULL, or empty: none */
    CommandId before; /* own writes of earlier commands than this one are seen */
} DynkvFetchPlan;

/*
 * In the current memory context, which must be the query's or the scan's.  NULL: there is nothing to read,
 * as there is no such keyspace, and nothing written that would make it.
 */
extern DynkvFetch *dynkv_fetch_create(DynkvConnection *connection, const DynkvFetchPlan *plan);
/* The next entry, valid until the next call; false: no more.  Keys that hold nothing are left out. */
extern bool dynkv_fetch_next(DynkvFetch *fetch, DynkvEntry *entry);
/*
 * The values of the binding have changed, or not: start over.  When they have not, what is still here is
 * given out again without asking the cluster.
 */
extern void dynkv_fetch_restart(DynkvFetch *fetch, bool values_changed);
extern uint64 dynkv_fetch_requests(const DynkvFetch *fetch);
/* Rows that nodes have sent, whether they were given out or not. */
extern uint64 dynkv_fetch_received(const DynkvFetch *fetch);
/* Rows that nodes have looked at for those. */
extern uint64 dynkv_fetch_examined(const DynkvFetch *fetch);
/* Rows given out that the transaction has written itself; has_any: whether it might have. */
extern uint64 dynkv_fetch_own_rows(const DynkvFetch *fetch, bool *has_any);
extern void dynkv_fetch_close(DynkvFetch *fetch);

#endif
