/* flush.h: sends what a transaction has kept, just before it commits. */
#ifndef DYNKV_FDW_FLUSH_H
#define DYNKV_FDW_FLUSH_H

#include "postgres.h"

#include "lib/ilist.h"

/*
 * All buffers (DynkvTxnBuffer) in the list.  Waits are interrupted by cancels and by statement_timeout,
 * counted from the beginning of the flush.  Errors: the plain one if nothing was written, else 08007,
 * telling how many rows were.
 */
extern void dynkv_flush(slist_head *buffers);

#endif
