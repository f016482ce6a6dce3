/*
 * conflict.h: which rows a key is.
 *
 * Concurrent writes of a key stay beside each other as siblings until somebody who has seen them writes.
 * How a reader sees them is the table's choice:
 *
 *   conflict 'lww'       one row, the sibling written last; none if that is a delete or has expired
 *   conflict 'siblings'  a row for each sibling that is alive, the latest written first
 *   conflict 'error'     an error (SQLSTATE DYNKV_ERRCODE_CONFLICT) if more than one is alive
 *   resolver 'f'         one row, which a function makes of those that are alive (resolver.h)
 *
 * With all but 'lww' a delete or an expiry only takes away what its writer had seen: a concurrent value is
 * alive, whatever the times.  Reading settles nothing; an UPDATE or DELETE carries the version of the whole
 * key, so it replaces all siblings that its statement saw, in every mode.
 */
#ifndef DYNKV_FDW_CONFLICT_H
#define DYNKV_FDW_CONFLICT_H

#include "postgres.h"

#include "fdw/codec.h"
#include "model/object.h"

/* "concurrent values": of a class that the SQL standard leaves to implementations. */
#define DYNKV_ERRCODE_CONFLICT MAKE_SQLSTATE('K', 'V', '0', '0', '1')

typedef struct DynkvConflict DynkvConflict;

/*
 * In the current memory context.  wanted: attribute numbers, NULL for all; needs_row false: rows are counted
 * only.  Checks that the resolver is there and fits.
 */
extern DynkvConflict *dynkv_conflict_create(Relation rel, const DynkvTableOptions *options,
                                            DynkvCodec *codec, const Bitmapset *wanted,
                                            bool needs_row);
/* false: entries without values are enough. */
extern bool dynkv_conflict_needs_value(const DynkvConflict *conflict);
/* The next key; key and object must stay until the last of its rows was taken. */
extern void dynkv_conflict_begin(DynkvConflict *conflict, struct dynkv_slice key,
                                 const struct dynkv_object *object, uint64 now_ms);

typedef struct DynkvConflictRow {
    struct dynkv_slice key;
    const struct dynkv_object *object;
    const struct dynkv_sibling *sibling; /* of several that made the row, the latest */
    int place, count;                    /* the key's rows: this is the n-th from 0 */
    uint64 expires_at_ms;                /* for a write that keeps the row's expiry */
} DynkvConflictRow;

/* Without decoding anything; false: no more. */
extern bool dynkv_conflict_next(DynkvConflict *conflict, DynkvConflictRow *row);
/* The columns of that row, in the current memory context; those not wanted are NULL. */
extern void dynkv_conflict_get(DynkvConflict *conflict, const DynkvConflictRow *row, Datum *values,
                               bool *nulls);

/* Whether there is any row. */
extern bool dynkv_conflict_has_row(const DynkvTableOptions *options,
                                   const struct dynkv_object *object, uint64 now_ms);

#endif
