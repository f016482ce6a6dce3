/*
 * moved.c: a hash table of keys, each by 128 bits of hash: two keys of one statement do not meet in them.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/hash.h"
#include "fdw/moved.h"

typedef struct MovedDigest {
    uint64 a, b;
} MovedDigest;

typedef struct MovedKey {
    MovedDigest digest;
    struct dynkv_slice taken; /* its bytes, if a row had it before; else empty */
    bool is_left, is_arrived;
    char status;
} MovedKey;

#define SH_PREFIX               moved
#define SH_ELEMENT_TYPE         MovedKey
#define SH_KEY_TYPE             MovedDigest
#define SH_KEY                  digest
#define SH_HASH_KEY(table, key) ((uint32)(key).a)
#define SH_EQUAL(table, x, y)   ((x).a == (y).a && (x).b == (y).b)
#define SH_SCOPE                static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct DynkvMoved {
    MemoryContext context;
    moved_hash *keys;
};

DynkvMoved *dynkv_moved_create(MemoryContext context)
{
    DynkvMoved *moved = MemoryContextAlloc(context, sizeof *moved);

    moved->context = context;
    moved->keys = moved_create(context, 64, NULL);
    return moved;
}

static MovedKey *moved_key(DynkvMoved *moved, struct dynkv_slice key)
{
    MovedDigest digest = {dynkv_hash(key, 1), dynkv_hash(key, 2)};
    bool found;
    MovedKey *entry = moved_insert(moved->keys, digest, &found);

    if (!found) {
        entry->taken = dynkv_slice(NULL, 0);
        entry->is_left = entry->is_arrived = false;
    }
    return entry;
}

void dynkv_moved_leave(DynkvMoved *moved, struct dynkv_slice key)
{
    moved_key(moved, key)->is_left = true;
}

bool dynkv_moved_arrive(DynkvMoved *moved, struct dynkv_slice key)
{
    MovedKey *entry = moved_key(moved, key);
    bool is_first = !entry->is_arrived;

    entry->is_arrived = true;
    return is_first;
}

void dynkv_moved_is_taken(DynkvMoved *moved, struct dynkv_slice key)
{
    MovedKey *entry = moved_key(moved, key);
    uint8 *copy;

    if (entry->is_left)
        return;
    copy = MemoryContextAlloc(moved->context, key.len);
    memcpy(copy, key.data, key.len);
    entry->taken = dynkv_slice(copy, key.len);
}

bool dynkv_moved_find_clash(DynkvMoved *moved, struct dynkv_slice *key)
{
    moved_iterator at;
    MovedKey *entry;

    moved_start_iterate(moved->keys, &at);
    while ((entry = moved_iterate(moved->keys, &at))) {
        *key = entry->taken;
        if (entry->taken.len > 0 && !entry->is_left)
            return true;
    }
    return false;
}
