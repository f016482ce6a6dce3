/*
 * rows.c: row numbers are offsets into a spool, dressed as ctids.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/tuptable.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#include "fdw/rows.h"
#include "fdw/spool.h"

/* Offsets of a ctid stay in the range heap tuples use: 15 bits, counted from 1. */
#define ROWS_OFFSET_BITS 15
#define ROWS_OFFSET_MASK ((UINT64CONST(1) << ROWS_OFFSET_BITS) - 2)

struct DynkvRows {
    MemoryContextCallback on_reset;
    dlist_node node;
    EState *estate;
    Oid relid;
    DynkvSpool *spool;
};

/* What stands in the spool before the bytes of key and version. */
typedef struct RowsEntry {
    uint64 expires_at_ms;
    uint32 key_len;
    uint32 partition_len;
    uint32 version_len;
    uint16 place, count;
} RowsEntry;

/* All statements that are being executed. */
static dlist_head rows_of_statements = DLIST_STATIC_INIT(rows_of_statements);

static void rows_on_reset(void *arg)
{
    DynkvRows *rows = arg;

    dlist_delete(&rows->node);
}

DynkvRows *dynkv_rows_of(EState *estate, Oid relid)
{
    MemoryContext old;
    DynkvRows *rows;
    dlist_iter at;

    dlist_foreach(at, &rows_of_statements)
    {
        rows = dlist_container(DynkvRows, node, at.cur);
        if (rows->estate == estate && rows->relid == relid)
            return rows;
    }
    old = MemoryContextSwitchTo(estate->es_query_cxt);
    rows = palloc0(sizeof *rows);
    rows->estate = estate;
    rows->relid = relid;
    rows->spool = dynkv_spool_create();
    rows->on_reset.func = rows_on_reset;
    rows->on_reset.arg = rows;
    MemoryContextRegisterResetCallback(estate->es_query_cxt, &rows->on_reset);
    dlist_push_head(&rows_of_statements, &rows->node);
    MemoryContextSwitchTo(old);
    return rows;
}

static void rows_number_to_ctid(uint64 number, ItemPointer ctid)
{
    ItemPointerSet(ctid, (BlockNumber)(number / ROWS_OFFSET_MASK),
                   (OffsetNumber)(number % ROWS_OFFSET_MASK + FirstOffsetNumber));
}

static uint64 rows_ctid_to_number(ItemPointer ctid)
{
    return (uint64)ItemPointerGetBlockNumber(ctid) * ROWS_OFFSET_MASK +
           (uint64)ItemPointerGetOffsetNumber(ctid) - FirstOffsetNumber;
}

void dynkv_rows_remember(DynkvRows *rows, const DynkvOldRow *row,
                         const struct dynkv_version *version, ItemPointer ctid)
{
    /* One buffer for the backend: what the library allocates must not hang on an executor state. */
    static struct dynkv_buf encoded;
    RowsEntry entry;
    uint64 number;

    dynkv_buf_reset(&encoded);
    dynkv_version_encode(version, &encoded);
    memset(&entry, 0, sizeof entry);
    entry.expires_at_ms = row->expires_at_ms;
    entry.key_len = (uint32)row->key.len;
    entry.partition_len = row->partition_len;
    entry.version_len = (uint32)encoded.len;
    entry.place = (uint16)row->place;
    entry.count = (uint16)row->count;
    number = dynkv_spool_append(rows->spool, &entry, sizeof entry);
    dynkv_spool_append(rows->spool, row->key.data, row->key.len);
    dynkv_spool_append(rows->spool, encoded.data, encoded.len);
    rows_number_to_ctid(number, ctid);
}

void dynkv_rows_recall(DynkvRows *rows, ItemPointer ctid, DynkvOldRow *row)
{
    uint64 number = rows_ctid_to_number(ctid);
    RowsEntry entry;
    uint8 *bytes;

    dynkv_spool_read(rows->spool, number, &entry, sizeof entry);
    bytes = palloc(entry.key_len + entry.version_len);
    number += sizeof entry;
    dynkv_spool_read(rows->spool, number, bytes, entry.key_len);
    number += entry.key_len;
    dynkv_spool_read(rows->spool, number, bytes + entry.key_len, entry.version_len);
    row->key = dynkv_slice(bytes, entry.key_len);
    row->partition_len = entry.partition_len;
    row->version = dynkv_slice(bytes + entry.key_len, entry.version_len);
    row->expires_at_ms = entry.expires_at_ms;
    row->place = entry.place;
    row->count = entry.count;
}

void dynkv_rows_close(DynkvRows *rows)
{
    dynkv_spool_reset(rows->spool);
}

void dynkv_rows_make_header(TupleTableSlot *slot)
{
    bool should_free;
    HeapTuple row = ExecFetchSlotHeapTuple(slot, true, &should_free);

    Assert(!should_free);
    HeapTupleHeaderSetXmin(row->t_data, InvalidTransactionId);
    HeapTupleHeaderSetXmax(row->t_data, InvalidTransactionId);
    HeapTupleHeaderSetCmin(row->t_data, InvalidTransactionId);
}
