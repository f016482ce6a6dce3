/*
 * batch.h: writes of different keys that go out as one request.
 *
 * States: gathering (add), then in flight (send), then done with (settle), then gathering again.
 */
#ifndef DYNKV_FDW_BATCH_H
#define DYNKV_FDW_BATCH_H

#include "postgres.h"

#include "fdw/connection.h"

typedef struct DynkvBatch DynkvBatch;

/* In the current memory context. */
extern DynkvBatch *dynkv_batch_create(DynkvGuard *guard);
extern int dynkv_batch_count(const DynkvBatch *batch);
extern size_t dynkv_batch_bytes(const DynkvBatch *batch);
/* From now on no key will be added twice, nor asked for. */
extern void dynkv_batch_expect_unique(DynkvBatch *batch);
extern bool dynkv_batch_has(const DynkvBatch *batch, struct dynkv_slice key);
/*
 * Copies the write; one of the same key that is there already gives way to it.  is_new: without a context it
 * replaces nothing, instead of what its coordinator has.
 */
extern void dynkv_batch_add(DynkvBatch *batch, const struct dynkv_write *write, bool is_new);
extern void dynkv_batch_send(DynkvBatch *batch, struct dynkv_client *client, uint64 keyspace,
                             const struct dynkv_call *call);
extern bool dynkv_batch_is_done(const DynkvBatch *batch);
/* Waits until the batch in flight is done. */
extern void dynkv_batch_wait(DynkvBatch *batch, DynkvConnection *connection);
/* How a batch that is done went. */
typedef struct DynkvBatchOutcome {
    enum dynkv_error error; /* the worst */
    const char *text;       /* libdynkv's, about that */
    int acknowledged;       /* writes that enough replicas have stored */
    int unknown;     /* writes that may have taken effect or not; the rest certainly has not */
    int fewest_acks; /* replicas that have stored the other writes, each at least so many */
} DynkvBatchOutcome;

extern void dynkv_batch_outcome(const DynkvBatch *batch, DynkvBatchOutcome *outcome);
/* Of a batch that is done, new rows beside which other values stand; timestamp: that the cluster gave it. */
typedef void (*DynkvCrowdedVisit)(const struct dynkv_write *write, uint64 timestamp, void *arg);
extern void dynkv_batch_each_crowded(const DynkvBatch *batch, DynkvCrowdedVisit visit, void *arg);
/* Forgets writes and request. */
extern void dynkv_batch_reset(DynkvBatch *batch);

#endif
