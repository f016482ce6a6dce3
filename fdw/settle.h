/*
 * settle.h: a DELETE from a table with conflict 'siblings' takes away whole keys, so it must have met each row
 * of a key that it met any of: else it would take away a value that its condition does not speak of.
 */
#ifndef DYNKV_FDW_SETTLE_H
#define DYNKV_FDW_SETTLE_H

#include "postgres.h"

#include "fdw/codec.h"
#include "fdw/rows.h"

typedef struct DynkvSettle DynkvSettle;

/* In the current memory context. */
extern DynkvSettle *dynkv_settle_create(Relation rel, DynkvCodec *codec);
extern void dynkv_settle_met(DynkvSettle *settle, const DynkvOldRow *row);
/* Raises the error if a key was met in part. */
extern void dynkv_settle_finish(DynkvSettle *settle);

#endif
