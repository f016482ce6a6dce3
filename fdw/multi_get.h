/*
 * multi_get.h: a keyspace as one scan reads it, and the rows of many of its keys by one request.
 *
 * What the transaction has written itself is laid over what the cluster gives (overlay.h); of keys that it has
 * all written itself the cluster is not asked.
 */
#ifndef DYNKV_FDW_MULTI_GET_H
#define DYNKV_FDW_MULTI_GET_H

#include "postgres.h"

#include "fdw/connection.h"
#include "fdw/overlay.h"

typedef struct DynkvSource {
    DynkvConnection *connection;
    struct dynkv_client *client;
    DynkvGuard *guard;
    const DynkvTableOptions *options;
    const char *table;
    bool has_keyspace; /* else only the overlay has rows */
    uint64 keyspace;
    DynkvOverlay *overlay; /* NULL: the transaction has written nothing there */
    uint64 requests;       /* that were sent */
} DynkvSource;

/*
 * In the current memory context, which must be the query's or the scan's.  before: own writes of earlier
 * commands than this one are seen.  false: there is nothing to read, as there is no such keyspace, and nothing
 * written that would make it.
 */
extern bool dynkv_source_open(DynkvSource *source, DynkvConnection *connection,
                              const DynkvTableOptions *options, const char *table,
                              CommandId before);
/* Raises what libdynkv says of a request. */
extern void dynkv_source_error(DynkvSource *source, enum dynkv_error error, const char *text);
/* Rows given out that the transaction has written itself; has_any: whether it might have. */
extern uint64 dynkv_source_own_rows(const DynkvSource *source, bool *has_any);

/* Zeroed: no keys.  Then keys are added, then it is sent, then the rows are looked at. */
typedef struct DynkvMultiGet {
    struct dynkv_key_ref *keys; /* in the memory context of the first one; not freed here */
    uint32 count, room;
    struct dynkv_request *request; /* NULL: not sent, or the cluster need not be asked */
} DynkvMultiGet;

/* The key's bytes must stay. */
extern void dynkv_multi_get_add(DynkvMultiGet *get, struct dynkv_slice key, uint32 partition_len);
extern void dynkv_multi_get_send(DynkvSource *source, DynkvMultiGet *get);
/*
 * What the n-th key holds, after waiting for it; NULL: nothing.  Valid until the next call with this source, or
 * until the get is freed.
 */
extern const struct dynkv_object *dynkv_multi_get_object(DynkvSource *source, DynkvMultiGet *get,
                                                         uint32 n);
/* Rows that the cluster has sent for it so far. */
extern uint64 dynkv_multi_get_received(const DynkvMultiGet *get);
/* Forgets request and keys. */
extern void dynkv_multi_get_free(DynkvSource *source, DynkvMultiGet *get);

#endif
