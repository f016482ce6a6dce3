/*
 * batch.c: the bytes of a batch, its keys in a hash table, and its request.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "base/hash.h"
#include "fdw/batch.h"

/* A key of the batch, by its hash; the bytes decide. */
typedef struct BatchKey {
    uint64 hash;
    int write; /* the last one of this hash */
    char status;
} BatchKey;

#define SH_PREFIX               batchkeys
#define SH_ELEMENT_TYPE         BatchKey
#define SH_KEY_TYPE             uint64
#define SH_KEY                  hash
#define SH_HASH_KEY(table, key) ((uint32)(key))
#define SH_EQUAL(table, a, b)   ((a) == (b))
#define SH_SCOPE                static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct DynkvBatch {
    DynkvGuard *guard;
    struct dynkv_request *request; /* in flight or done; NULL while gathering */
    MemoryContext bytes;           /* of keys, values and contexts */
    size_t byte_count;
    struct dynkv_write *writes;
    bool *is_new;   /* by write */
    int *same_hash; /* by write: the one before it with the same hash, or -1 */
    int count, room;
    batchkeys_hash *keys;
    bool is_unique; /* nobody looks for keys */
};

#define BATCH_FIRST_ROOM 8

DynkvBatch *dynkv_batch_create(DynkvGuard *guard)
{
    DynkvBatch *batch = palloc0(sizeof *batch);

    batch->guard = guard;
    batch->bytes =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv batch", ALLOCSET_DEFAULT_SIZES);
    batch->room = BATCH_FIRST_ROOM;
    batch->writes = palloc(sizeof *batch->writes * (size_t)batch->room);
    batch->is_new = palloc(sizeof *batch->is_new * (size_t)batch->room);
    batch->same_hash = palloc(sizeof *batch->same_hash * (size_t)batch->room);
    batch->keys = batchkeys_create(CurrentMemoryContext, BATCH_FIRST_ROOM, NULL);
    return batch;
}

int dynkv_batch_count(const DynkvBatch *batch)
{
    return batch->count;
}

size_t dynkv_batch_bytes(const DynkvBatch *batch)
{
    return batch->byte_count;
}

static uint64 batch_hash(struct dynkv_slice key)
{
    return dynkv_hash(key, 0);
}

static int batch_find(const DynkvBatch *batch, struct dynkv_slice key, const BatchKey *entry)
{
    int at = entry ? entry->write : -1;

    while (at >= 0 && !dynkv_slice_equal(batch->writes[at].at.key, key))
        at = batch->same_hash[at];
    return at;
}

bool dynkv_batch_has(const DynkvBatch *batch, struct dynkv_slice key)
{
    return batch->count > 0 &&
           batch_find(batch, key, batchkeys_lookup(batch->keys, batch_hash(key))) >= 0;
}

static struct dynkv_slice batch_copy(DynkvBatch *batch, struct dynkv_slice bytes)
{
    void *copy;

    if (bytes.len == 0)
        return dynkv_slice(NULL, 0);
    copy = MemoryContextAlloc(batch->bytes, bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    batch->byte_count += bytes.len;
    return dynkv_slice(copy, bytes.len);
}

void dynkv_batch_expect_unique(DynkvBatch *batch)
{
    batch->is_unique = true;
}

static int batch_new_write(DynkvBatch *batch)
{
    int at = batch->count++;

    if (at == batch->room) {
        batch->room *= 2;
        batch->writes = repalloc(batch->writes, sizeof *batch->writes * (size_t)batch->room);
        batch->is_new = repalloc(batch->is_new, sizeof *batch->is_new * (size_t)batch->room);
        batch->same_hash =
            repalloc(batch->same_hash, sizeof *batch->same_hash * (size_t)batch->room);
    }
    batch->writes[at].at.key = dynkv_slice(NULL, 0);
    return at;
}

/* Where the write of this key is, or a new place, whose key is still empty. */
static int batch_place(DynkvBatch *batch, struct dynkv_slice key)
{
    bool found;
    BatchKey *entry = batchkeys_insert(batch->keys, batch_hash(key), &found);
    int at = found ? batch_find(batch, key, entry) : -1;

    if (at >= 0)
        return at;
    at = batch_new_write(batch);
    batch->same_hash[at] = found ? entry->write : -1;
    entry->write = at;
    return at;
}

void dynkv_batch_add(DynkvBatch *batch, const struct dynkv_write *write, bool is_new)
{
    int at = batch->is_unique ? batch_new_write(batch) : batch_place(batch, write->at.key);
    struct dynkv_slice key = batch->writes[at].at.key;

    if (key.len == 0)
        key = batch_copy(batch, write->at.key);
    batch->writes[at] = *write;
    batch->writes[at].at.key = key;
    batch->writes[at].value = batch_copy(batch, write->value);
    batch->writes[at].context = batch_copy(batch, write->context);
    batch->writes[at].has_context |= is_new; /* an empty one: nothing was seen */
    batch->is_new[at] = is_new;
}

void dynkv_batch_send(DynkvBatch *batch, struct dynkv_client *client, uint64 keyspace,
                      const struct dynkv_call *call)
{
    batch->request = dynkv_guard_request(
        batch->guard, dynkv_put_start(client, keyspace, batch->writes, (uint32)batch->count, call));
    /* The library has its copy; keys are still asked for. */
}

bool dynkv_batch_is_done(const DynkvBatch *batch)
{
    return dynkv_request_is_done(batch->request);
}

void dynkv_batch_wait(DynkvBatch *batch, DynkvConnection *connection)
{
    dynkv_connection_wait(connection, batch->request);
}

/* Whether a write that ended like this may have taken effect: it was sent, or some replica has it. */
static bool batch_is_unknown(const struct dynkv_write_result *result, enum dynkv_error all)
{
    switch (result->error) {
    case DYNKV_TIMEOUT:
    case DYNKV_UNAVAILABLE:
    case DYNKV_STORAGE:
        /* CONNECT is libdynkv's word for a request of which nothing was sent. */
        return all != DYNKV_CONNECT || result->acks > 0;
    default:
        return result->acks > 0;
    }
}

void dynkv_batch_outcome(const DynkvBatch *batch, DynkvBatchOutcome *outcome)
{
    uint32 count = 0;
    const struct dynkv_write_result *results = dynkv_request_writes(batch->request, &count);

    memset(outcome, 0, sizeof *outcome);
    outcome->error = dynkv_request_error(batch->request);
    outcome->text = dynkv_request_text(batch->request);
    outcome->fewest_acks = count > 0 ? DYNKV_REPLICAS_MAX : 0;
    for (uint32 i = 0; i < count; i++) {
        if (results[i].error == DYNKV_OK) {
            outcome->acknowledged++;
            continue;
        }
        outcome->fewest_acks = Min(outcome->fewest_acks, results[i].acks);
        if (batch_is_unknown(&results[i], outcome->error))
            outcome->unknown++;
    }
}

void dynkv_batch_each_crowded(const DynkvBatch *batch, DynkvCrowdedVisit visit, void *arg)
{
    uint32 count = 0;
    const struct dynkv_write_result *results = dynkv_request_writes(batch->request, &count);

    for (uint32 i = 0; i < count; i++)
        if (batch->is_new[i] && results[i].error == DYNKV_OK && results[i].siblings > 1)
            visit(&batch->writes[i], results[i].timestamp, arg);
}

void dynkv_batch_reset(DynkvBatch *batch)
{
    dynkv_guard_free_request(batch->guard, batch->request);
    batch->request = NULL;
    MemoryContextReset(batch->bytes);
    batch->byte_count = 0;
    batch->count = 0;
    if (!batch->is_unique)
        batchkeys_reset(batch->keys);
}
