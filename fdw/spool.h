/*
 * spool.h: bytes put aside for the rest of a statement, in memory up to work_mem and then on disk.
 *
 * Append gives the offset to read from later, in any order.  Everything lives in the memory context
 * and the resource owner that were current when the spool was made; an abort frees all of it, but a
 * statement that ends well must reset its spools, so that no temporary file is left open.
 */
#ifndef DYNKV_FDW_SPOOL_H
#define DYNKV_FDW_SPOOL_H

#include "postgres.h"

typedef struct DynkvSpool DynkvSpool;

extern DynkvSpool *dynkv_spool_create(void);
extern uint64 dynkv_spool_append(DynkvSpool *spool, const void *data, size_t size);
/* Exactly size bytes that were appended, from offset. */
extern void dynkv_spool_read(DynkvSpool *spool, uint64 offset, void *data, size_t size);
/* How many bytes were appended. */
extern uint64 dynkv_spool_size(const DynkvSpool *spool);
/* Empty again; the memory stays. */
extern void dynkv_spool_reset(DynkvSpool *spool);

#endif
