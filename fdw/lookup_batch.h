/*
 * lookup_batch.h: some outer rows of a lookup join, and their keys, which are asked for at once.
 *
 * Rows are copied.  A key that several rows have is asked for once.  States: gathering (add), then sent, then
 * looked at in the order of the rows, then reset.
 */
#ifndef DYNKV_FDW_LOOKUP_BATCH_H
#define DYNKV_FDW_LOOKUP_BATCH_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "fdw/multi_get.h"

/* Where keys repeat, a batch has up to so many rows for each key that it could ask for. */
#define DYNKV_LOOKUP_ROWS_A_KEY 8

typedef struct DynkvLookupBatch DynkvLookupBatch;

/* In the current memory context. */
extern DynkvLookupBatch *dynkv_lookup_batch_create(void);
/* key: the row's, or an empty one if no row can have its key. */
extern void dynkv_lookup_batch_add(DynkvLookupBatch *batch, TupleTableSlot *row,
                                   struct dynkv_slice key, uint32 partition_len);
extern uint32 dynkv_lookup_batch_rows(const DynkvLookupBatch *batch);
extern uint32 dynkv_lookup_batch_keys(const DynkvLookupBatch *batch);
extern Size dynkv_lookup_batch_bytes(const DynkvLookupBatch *batch);
extern void dynkv_lookup_batch_send(DynkvLookupBatch *batch, DynkvSource *source);
/*
 * The next row in the slot, which is of minimal tuples; false: no more.  Its key and what that holds, NULL: nothing,
 * are valid until the next call of anything with this source.
 */
extern bool dynkv_lookup_batch_next(DynkvLookupBatch *batch, DynkvSource *source,
                                    TupleTableSlot *slot, struct dynkv_slice *key,
                                    const struct dynkv_object **object);
/* Rows that the cluster has sent for it. */
extern uint64 dynkv_lookup_batch_received(const DynkvLookupBatch *batch);
/* Forgets rows, keys and request.  source: NULL if it was not sent. */
extern void dynkv_lookup_batch_reset(DynkvLookupBatch *batch, DynkvSource *source);

#endif
