/* scan.h: the executor's callbacks of foreign scans. */
#ifndef DYNKV_FDW_SCAN_H
#define DYNKV_FDW_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"

/* What a scan has done, for EXPLAIN ANALYZE. */
typedef struct DynkvScanCounts {
    uint64 requests; /* gets and scans begun */
    uint64 messages; /* sent to nodes */
    uint64 received; /* rows that nodes have sent, whether they were looked at or not */
    uint64 examined; /* rows that nodes have looked at for those, where they test conditions */
    uint64 rows;     /* keys that came with a row, before the query's own conditions */
    uint64 bytes;    /* of those keys and values */
    uint64 own_rows; /* of those rows, written by this transaction */
    bool has_own_writes;
} DynkvScanCounts;

extern DynkvScanCounts dynkv_scan_counts(ForeignScanState *node);
extern const char *dynkv_scan_keyspace(ForeignScanState *node);
/* Own writes that a scan sees are those of the commands before this one, by its snapshot. */
extern CommandId dynkv_scan_before(const EState *estate);

extern void dynkvBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *dynkvIterateForeignScan(ForeignScanState *node);
extern void dynkvReScanForeignScan(ForeignScanState *node);
extern void dynkvEndForeignScan(ForeignScanState *node);

#endif
