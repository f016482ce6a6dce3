/*
 * engine.h: what a node keeps its records in.
 *
 * An engine holds records ordered by (partition, keyspace, key), and a little metadata.  There are two
 * spaces that know nothing of each other: the records of the node, and the hints that it keeps for absent
 * members (there the three parts of a key are what the writer of hints makes of them).  Records and keys
 * are opaque bytes here.  Calls may block; the daemon makes them on one thread of its own, and an
 * engine need not be safe for more than one, but for dynkv_engine_peek.
 *
 * Two engines: memory (hash table for points, AVL tree for order; data lives as long as the process)
 * and rocksdb.
 */
#ifndef DYNKV_STORE_ENGINE_H
#define DYNKV_STORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/order.h"

enum dynkv_sync {
    DYNKV_SYNC_ALWAYS, /* write returns when the batch is on disk */
    DYNKV_SYNC_INTERVAL, /* synced every sync_interval_ms by dynkv_engine_sync, which the driver calls */
    DYNKV_SYNC_NEVER, /* when the operating system likes */
};

struct dynkv_engine_config {
    const char *path; /* folder; created if missing.  Unused by memory */
    enum dynkv_sync sync;
    uint64_t cache_bytes; /* 0: the engine's default */
};

enum dynkv_engine_space {
    DYNKV_ENGINE_RECORDS,
    DYNKV_ENGINE_HINTS,
};

struct dynkv_engine_key {
    uint32_t partition;
    uint64_t keyspace;
    struct dynkv_slice key;
    enum dynkv_engine_space space;
};

/* Answer of one get.  data is owned by the arena given to the call. */
struct dynkv_engine_value {
    enum dynkv_error error; /* OK, NOT_FOUND, STORAGE, CORRUPT */
    struct dynkv_slice data;
};

enum dynkv_engine_op_kind {
    DYNKV_ENGINE_PUT,            /* at: the key; value: the record */
    DYNKV_ENGINE_DELETE,         /* at: the key */
    DYNKV_ENGINE_META,           /* at.key: the name; value: the metadata (empty: removed) */
    DYNKV_ENGINE_DROP_KEYSPACE,  /* at.keyspace; of the records, not of the hints */
    DYNKV_ENGINE_DROP_PARTITION, /* at.partition; likewise */
    DYNKV_ENGINE_DROP_TREE,      /* at.partition and at.keyspace; likewise */
};

struct dynkv_engine_op {
    enum dynkv_engine_op_kind kind;
    struct dynkv_engine_key at;
    struct dynkv_slice value;
};

/*
 * A range over several partitions; see struct dynkv_effect_range for the meaning of the fields.  A limit
 * of 0 is none; a limit of bytes is looked at after each record, so one record always fits.
 */
struct dynkv_engine_range {
    uint64_t keyspace;
    const uint32_t *partitions;
    uint32_t partition_count;
    struct dynkv_slice lower, upper, first_lower;
    uint32_t limit;
    uint32_t limit_bytes;
    enum dynkv_engine_space space;
    enum dynkv_order order; /* RISING, FALLING: by key; first_lower is not looked at */
};

/*
 * Called per record, in order; the slices are valid during the call only.  It may not call the engine.
 * False stops the range behind this record.
 */
typedef bool dynkv_engine_visit(void *context, uint32_t partition, struct dynkv_slice key,
                                struct dynkv_slice record);

struct dynkv_engine_stats {
    uint64_t records; /* without hints; exact for memory, an estimate for rocksdb */
    uint64_t bytes;   /* in memory or on disk, roughly */
    uint64_t writes, syncs;
};

struct dynkv_engine;

/*
 * Opens kind "memory" or "rocksdb".  On failure NULL, and a text that says what, where and what to do
 * in error_text (size bytes, always terminated).
 */
struct dynkv_engine *dynkv_engine_open(const char *kind, const struct dynkv_engine_config *config,
                                       char *error_text, size_t size);
/* Flushes and syncs what the mode left unsynced, then frees. */
void dynkv_engine_close(struct dynkv_engine *engine);
const char *dynkv_engine_kind(const struct dynkv_engine *engine);

/* values[i] answers keys[i]. */
void dynkv_engine_get(struct dynkv_engine *engine, const struct dynkv_engine_key *keys,
                      uint32_t count, struct dynkv_arena *arena, struct dynkv_engine_value *values);
/*
 * As get, of one key that can be answered from memory: true, and *value.  False: ask get, which may have to read
 * the disk, or tells what is wrong.  It never waits for a disk, and may be called beside any other call from
 * another thread, as long as none of them writes this key.
 */
bool dynkv_engine_peek(struct dynkv_engine *engine, const struct dynkv_engine_key *key,
                       struct dynkv_arena *arena, struct dynkv_engine_value *value);
/*
 * All operations or none, in order, durable on return according to the sync mode.  STORAGE on an I/O
 * error or a full disk; dynkv_engine_last_error tells more.  After that nothing more is written (STORAGE
 * at once) until the engine is opened again, since the log ends somewhere in the batch that failed.
 */
enum dynkv_error dynkv_engine_write(struct dynkv_engine *engine, const struct dynkv_engine_op *ops,
                                    uint32_t count);
/* As write, but synced whatever the mode: for metadata that must not be lost (identity, leases). */
enum dynkv_error dynkv_engine_write_synced(struct dynkv_engine *engine,
                                           const struct dynkv_engine_op *ops, uint32_t count);
/*
 * Visits the range.  *more tells whether it stopped (at a limit, or because visit said so) with records
 * left; then the first record not visited is at (*next_partition, next_key appended to next_key).  Where
 * keys decide the order, next_key divides what was visited from the rest (base/order.h), and limits give
 * way to records of one key that are in several partitions.
 */
enum dynkv_error dynkv_engine_scan(struct dynkv_engine *engine,
                                   const struct dynkv_engine_range *range,
                                   dynkv_engine_visit *visit, void *context, bool *more,
                                   uint32_t *next_partition, struct dynkv_buf *next_key);
/* NOT_FOUND if there is none; data in the arena. */
struct dynkv_engine_value dynkv_engine_meta(struct dynkv_engine *engine, struct dynkv_slice name,
                                            struct dynkv_arena *arena);
/* Makes all that was written durable (INTERVAL calls this from a timer). */
enum dynkv_error dynkv_engine_sync(struct dynkv_engine *engine);
/* A consistent copy of the store in a new folder (rocksdb checkpoint); UNSUPPORTED by memory. */
enum dynkv_error dynkv_engine_checkpoint(struct dynkv_engine *engine, const char *path);
void dynkv_engine_stats(struct dynkv_engine *engine, struct dynkv_engine_stats *out);
/* Text of the last STORAGE or CORRUPT, "" if none; valid until the next call. */
const char *dynkv_engine_last_error(const struct dynkv_engine *engine);

#endif
