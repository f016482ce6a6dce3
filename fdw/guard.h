/*
 * guard.h: who frees a request or a scan when a statement ends as no C code expects.
 *
 * Executor End callbacks do not run on abort, so requests and scans belong to guards: whatever a guard
 * holds is freed when the memory context it was made in goes away, or when the transaction ends,
 * whichever comes first.  A guard made in a query's context therefore lives exactly as long as the
 * query, also when a cursor outlives the subtransaction that fetched from it.
 */
#ifndef DYNKV_FDW_GUARD_H
#define DYNKV_FDW_GUARD_H

#include "postgres.h"

#include "client/dynkv.h"

typedef struct DynkvConnection DynkvConnection; /* connection.h */
typedef struct DynkvGuard DynkvGuard;

/* A guard in the current memory context. */
extern DynkvGuard *dynkv_guard_create(DynkvConnection *connection);
/* NULL frees nothing.  Each handle is held by at most one guard. */
extern struct dynkv_request *dynkv_guard_request(DynkvGuard *guard, struct dynkv_request *request);
extern void dynkv_guard_free_request(DynkvGuard *guard, struct dynkv_request *request);
extern struct dynkv_scan_handle *dynkv_guard_scan(DynkvGuard *guard,
                                                  struct dynkv_scan_handle *scan);
extern void dynkv_guard_free_scan(DynkvGuard *guard, struct dynkv_scan_handle *scan);

#endif
