/*
 * rows.h: what an UPDATE or DELETE must remember of each row it read: the key and the version.
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

/* The statement's rows of that table: the same for the scan and the modification. */
extern DynkvRows *dynkv_rows_of(EState *estate, Oid relid);
extern void dynkv_rows_remember(DynkvRows *rows, struct dynkv_slice key, uint32 partition_len,
                                const struct dynkv_version *version, ItemPointer ctid);
/* The slices live in the current memory context.  A ctid that is none of ours is an error. */
extern void dynkv_rows_recall(DynkvRows *rows, ItemPointer ctid, struct dynkv_slice *key,
                              uint32 *partition_len, struct dynkv_slice *version);
/* The statement ends: gives back the temporary file.  On abort that happens by itself. */
extern void dynkv_rows_close(DynkvRows *rows);

#endif
