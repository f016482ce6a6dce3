/*
 * bad_row.h: rows that cannot be read: what another client has written under the table's keyspace, or what
 * was written before an ALTER of the table.
 *
 * on_bad_row 'error', the default: reading one is an error that names table, key and column (codec.h).
 * on_bad_row 'skip': it is passed over with a warning that says the same; so UPDATE and DELETE do not see
 * it either.  Each row is then read in a subtransaction of its own, as an error in a type's input function
 * can be taken back by no other means; PostgreSQL has none while a plan runs in parallel, so there it is an
 * error again.
 */
#ifndef DYNKV_FDW_BAD_ROW_H
#define DYNKV_FDW_BAD_ROW_H

#include "postgres.h"

#include "fdw/conflict.h"

/* What one scan has passed over; zeroed at first. */
typedef struct DynkvBadRows {
    uint64 skipped;
} DynkvBadRows;

/* dynkv_conflict_get for a table with on_bad_row 'skip'; false: skipped. */
extern bool dynkv_bad_row_get(DynkvBadRows *bad, DynkvConflict *conflict,
                              const DynkvConflictRow *row, Datum *values, bool *nulls);

#endif
