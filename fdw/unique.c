/*
 * unique.c: keys that wait to be checked, and one multi-get for all of them.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/absent.h"
#include "fdw/conflict.h"
#include "fdw/moment.h"
#include "fdw/moved.h"
#include "fdw/unique.h"

struct DynkvUnique {
    Relation rel;
    DynkvConnection *connection;
    const DynkvTableOptions *options;
    DynkvCodec *codec;
    DynkvWriter *writer;
    DynkvGuard *guard;

    MemoryContext memory; /* of the keys that wait */
    struct dynkv_key_ref *keys;
    bool *exists; /* of each, once asked */
    int count, room;
    DynkvMoved *moved; /* of an UPDATE of keys, whose keys wait for the end; else NULL */
};

DynkvUnique *dynkv_unique_create(Relation rel, DynkvConnection *connection,
                                 const DynkvTableOptions *options, DynkvCodec *codec,
                                 DynkvWriter *writer)
{
    DynkvUnique *unique = palloc0(sizeof *unique);

    unique->rel = rel;
    unique->connection = connection;
    unique->options = options;
    unique->codec = codec;
    unique->writer = writer;
    unique->guard = dynkv_guard_create(connection);
    unique->memory =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv keys to check", ALLOCSET_SMALL_SIZES);
    unique->room = options->batch_size;
    unique->keys = palloc(sizeof *unique->keys * (Size)unique->room);
    unique->exists = palloc(sizeof *unique->exists * (Size)unique->room);
    return unique;
}

/* ---- the error ---- */

static void unique_violation(const DynkvUnique *unique, struct dynkv_slice key)
{
    ereport(ERROR,
            (errcode(ERRCODE_UNIQUE_VIOLATION),
             errmsg("duplicate key in foreign table \"%s\"", RelationGetRelationName(unique->rel)),
             errdetail("Key %s already exists.",
                       dynkv_codec_describe_key(unique->codec, unique->rel, key)),
             errtable(unique->rel)));
}

/* ---- asking the cluster ---- */

/* Asks which of the keys are there; returns how many. */
static int unique_ask(DynkvUnique *unique, const struct dynkv_key_ref *keys, int count,
                      bool *exists)
{
    uint64 now_ms = dynkv_now_ms();
    struct dynkv_request *get;
    const struct dynkv_read_result *reads =
        dynkv_absent_read(unique->guard, unique->connection, unique->options,
                          RelationGetRelationName(unique->rel), keys, count, &get);
    int found = 0;

    for (int i = 0; i < count; i++) {
        exists[i] = reads && dynkv_conflict_has_row(unique->options, &reads[i].object, now_ms);
        found += exists[i];
    }
    dynkv_guard_free_request(unique->guard, get);
    return found;
}

/* Asks for the keys that wait: one that is there is a violation, unless rows move, and it may be left. */
static void unique_ask_waiting(DynkvUnique *unique)
{
    if (unique_ask(unique, unique->keys, unique->count, unique->exists) > 0) {
        for (int i = 0; i < unique->count; i++) {
            if (unique->exists[i] && unique->moved)
                dynkv_moved_is_taken(unique->moved, unique->keys[i].key);
            else if (unique->exists[i])
                unique_violation(unique, unique->keys[i].key);
        }
    }
    unique->count = 0;
    MemoryContextReset(unique->memory);
}

void dynkv_unique_finish(DynkvUnique *unique)
{
    struct dynkv_slice key;

    unique_ask_waiting(unique);
    if (unique->moved && dynkv_moved_find_clash(unique->moved, &key))
        unique_violation(unique, key);
}

static void unique_wait(DynkvUnique *unique, struct dynkv_slice key, uint32 partition_len)
{
    uint8 *copy;

    if (unique->count == unique->room)
        unique_ask_waiting(unique);
    copy = MemoryContextAlloc(unique->memory, key.len);
    memcpy(copy, key.data, key.len);
    unique->keys[unique->count].key = dynkv_slice(copy, key.len);
    unique->keys[unique->count].partition_len = partition_len;
    unique->count++;
}

bool dynkv_unique_check(DynkvUnique *unique, struct dynkv_slice key, uint32 partition_len)
{
    switch (dynkv_writer_find(unique->writer, key)) {
    case DYNKV_WRITER_PUT:
        unique_violation(unique, key);
        break;
    case DYNKV_WRITER_DELETED:
        return false;
    case DYNKV_WRITER_NOTHING:
        break;
    }
    unique_wait(unique, key, partition_len);
    return true;
}

void dynkv_unique_move(DynkvUnique *unique, struct dynkv_slice old_key, struct dynkv_slice new_key,
                       uint32 partition_len)
{
    if (!unique->moved)
        unique->moved = dynkv_moved_create(GetMemoryChunkContext(unique));
    dynkv_moved_leave(unique->moved, old_key);
    if (!dynkv_moved_arrive(unique->moved, new_key))
        unique_violation(unique, new_key); /* another row has moved there already */
    switch (dynkv_writer_find(unique->writer, new_key)) {
    case DYNKV_WRITER_PUT:
        dynkv_moved_is_taken(unique->moved, new_key);
        break;
    case DYNKV_WRITER_DELETED:
        break;
    case DYNKV_WRITER_NOTHING:
        unique_wait(unique, new_key, partition_len);
        break;
    }
}

void dynkv_unique_find(DynkvUnique *unique, const struct dynkv_key_ref *keys, int count,
                       bool *exists)
{
    unique_ask(unique, keys, count, exists);
}
