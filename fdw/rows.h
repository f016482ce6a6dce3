/*
 * rows.h: what an UPDATE or DELETE must remember of each row it read: its key, version and expiry.
 *
 * The scan of a statement's target table gives each row a number, hands it up as the row's ctid, and
 * notes key and version under it; the ModifyTable node, however many joins and sorts later, finds them
 * by that ctid.  Numbers are unique among all scans of one table in one statement.  Memory is bounded by
 * work_mem (spool.h), and all is freed with the statement.
 */
#ifndef DYNKV_FDW_ROWS_H
#define DYNKV_FDW_ROWS_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "storage/itemptr.h"

#include "base/bytes.h"
#include "model/version.h"

typedef struct DynkvRows DynkvRows;

typedef struct DynkvOldRow {
    struct dynkv_slice key;
    uint32 partition_len;
    struct dynkv_slice version; /* encoded */
    uint64 expires_at_ms;       /* for a write that keeps the row's expiry */
    int place, count;           /* the row is this one of its key's, from 0 (conflict.h) */
} DynkvOldRow;

/* The statement's rows of that table: the same for the scan and the modification. */
extern DynkvRows *dynkv_rows_of(EState *estate, Oid relid);
/* The row's version is that argument, not yet encoded. */
extern void dynkv_rows_remember(DynkvRows *rows, const DynkvOldRow *row,
                                const struct dynkv_version *version, ItemPointer ctid);
/* The slices live in the current memory context.  A ctid that is none of ours is an error. */
extern void dynkv_rows_recall(DynkvRows *rows, ItemPointer ctid, DynkvOldRow *row);
/* The statement ends: gives back the temporary file.  On abort that happens by itself. */
extern void dynkv_rows_close(DynkvRows *rows);

/* The system columns that a local row has in its header: 0, as with postgres_fdw. */
extern void dynkv_rows_make_header(TupleTableSlot *slot);

#endif
