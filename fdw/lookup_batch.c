/* lookup_batch.c: rows in an array, their keys in a hash table. */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/hash.h"
#include "fdw/lookup_batch.h"

/* A key of the batch, and where it stands in the get. */
typedef struct LookupKey {
    struct dynkv_slice key;
    uint32 hash;
    uint32 at;
    char status;
} LookupKey;

#define SH_PREFIX               lookupkeys
#define SH_ELEMENT_TYPE         LookupKey
#define SH_KEY_TYPE             struct dynkv_slice
#define SH_KEY                  key
#define SH_HASH_KEY(table, key) ((uint32)dynkv_hash(key, 0))
#define SH_EQUAL(table, a, b)   dynkv_slice_equal(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, a) ((a)->hash)
#define SH_SCOPE              static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define LOOKUP_FIRST_ROOM 64
#define LOOKUP_NO_KEY     PG_UINT32_MAX

typedef struct LookupRow {
    MinimalTuple tuple;
    uint32 key; /* its place in the get, or NO_KEY */
} LookupRow;

struct DynkvLookupBatch {
    MemoryContext context; /* of all below */
    LookupRow *rows;
    uint32 count, room;
    uint32 next; /* to be looked at */
    Size bytes;
    lookupkeys_hash *keys; /* NULL: none yet */
    DynkvMultiGet get;
};

DynkvLookupBatch *dynkv_lookup_batch_create(void)
{
    DynkvLookupBatch *batch = palloc0(sizeof *batch);

    batch->context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv lookup batch", ALLOCSET_DEFAULT_SIZES);
    return batch;
}

/* Where the key stands in the get; a new one is copied there. */
static uint32 batch_key(DynkvLookupBatch *batch, struct dynkv_slice key, uint32 partition_len)
{
    LookupKey *entry;
    uint8 *copy;
    bool found;

    if (!batch->keys)
        batch->keys = lookupkeys_create(batch->context, LOOKUP_FIRST_ROOM, NULL);
    entry = lookupkeys_insert(batch->keys, key, &found);
    if (found)
        return entry->at;
    copy = palloc(key.len);
    memcpy(copy, key.data, key.len);
    entry->key = dynkv_slice(copy, key.len);
    entry->at = batch->get.count;
    dynkv_multi_get_add(&batch->get, entry->key, partition_len);
    batch->bytes += key.len + sizeof *entry;
    return entry->at;
}

void dynkv_lookup_batch_add(DynkvLookupBatch *batch, TupleTableSlot *row, struct dynkv_slice key,
                            uint32 partition_len)
{
    MemoryContext old = MemoryContextSwitchTo(batch->context);
    LookupRow *added;

    if (batch->count == batch->room) {
        batch->room = batch->room ? batch->room * 2 : LOOKUP_FIRST_ROOM;
        batch->rows = batch->rows ? repalloc(batch->rows, sizeof *batch->rows * batch->room)
                                  : palloc(sizeof *batch->rows * batch->room);
    }
    added = &batch->rows[batch->count++];
    added->tuple = ExecCopySlotMinimalTuple(row);
    added->key = key.len > 0 ? batch_key(batch, key, partition_len) : LOOKUP_NO_KEY;
    batch->bytes += added->tuple->t_len + sizeof *added;
    MemoryContextSwitchTo(old);
}

uint32 dynkv_lookup_batch_rows(const DynkvLookupBatch *batch)
{
    return batch->count;
}

uint32 dynkv_lookup_batch_keys(const DynkvLookupBatch *batch)
{
    return batch->get.count;
}

Size dynkv_lookup_batch_bytes(const DynkvLookupBatch *batch)
{
    return batch->bytes;
}

void dynkv_lookup_batch_send(DynkvLookupBatch *batch, DynkvSource *source)
{
    dynkv_multi_get_send(source, &batch->get);
}

bool dynkv_lookup_batch_next(DynkvLookupBatch *batch, DynkvSource *source, TupleTableSlot *slot,
                             struct dynkv_slice *key, const struct dynkv_object **object)
{
    const LookupRow *row;

    if (batch->next == batch->count)
        return false;
    row = &batch->rows[batch->next++];
    ExecStoreMinimalTuple(row->tuple, slot, false);
    *object = NULL;
    if (row->key == LOOKUP_NO_KEY || !source)
        return true;
    *key = batch->get.keys[row->key].key;
    *object = dynkv_multi_get_object(source, &batch->get, row->key);
    return true;
}

uint64 dynkv_lookup_batch_received(const DynkvLookupBatch *batch)
{
    return dynkv_multi_get_received(&batch->get);
}

void dynkv_lookup_batch_reset(DynkvLookupBatch *batch, DynkvSource *source)
{
    if (source)
        dynkv_multi_get_free(source, &batch->get);
    MemoryContextReset(batch->context);
    memset(&batch->get, 0, sizeof batch->get);
    batch->rows = NULL;
    batch->count = batch->room = batch->next = 0;
    batch->bytes = 0;
    batch->keys = NULL;
}
