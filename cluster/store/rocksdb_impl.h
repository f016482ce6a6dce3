/*
 * rocksdb_impl.h: the inside of the rocksdb engine, which is in three files: rocksdb_open.c (options,
 * what may be opened, closing), rocksdb_range.c (whatever iterates), rocksdb.c (the rest).
 *
 * Three column families: default (records), hints (objects kept for absent members, named like records)
 * and meta.  A record's name is u32 BE partition, u64 BE keyspace, key bytes, so that byte order
 * is the engine's order.
 */
#ifndef DYNKV_STORE_ROCKSDB_IMPL_H
#define DYNKV_STORE_ROCKSDB_IMPL_H

#include <rocksdb/c.h>

#include "store/engine_impl.h"

#define ROCKS_PREFIX 12u /* of a name: partition and keyspace */

enum rocks_family {
    ROCKS_RECORDS,
    ROCKS_HINTS,
    ROCKS_META,
    ROCKS_FAMILIES,
};

struct rocks {
    struct dynkv_engine base;
    char *path;
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *read, *read_cached;
    rocksdb_readoptions_t *read_range; /* its bound is set by each range */
    rocksdb_writeoptions_t *write, *write_synced;
    rocksdb_column_family_handle_t *families[ROCKS_FAMILIES];
    struct dynkv_arena scratch; /* of one call */
    /* A write or sync failed: RocksDB's log may not be touched again (it asserts). */
    bool log_failed;
};

static inline enum rocks_family rocks_family(enum dynkv_engine_space space)
{
    return space == DYNKV_ENGINE_HINTS ? ROCKS_HINTS : ROCKS_RECORDS;
}

/* Takes over RocksDB's text (frees it), keeps it as the last error, and says what kind of error it is. */
enum dynkv_error rocks_error(struct rocks *rocks, char *text, const char *doing);
/* What RocksDB's text means to the person who runs the node. */
const char *rocks_advice(const char *text);

/* Writes a record's name to out, and in place of what is there. */
void rocks_name(struct dynkv_buf *out, uint32_t partition, uint64_t keyspace,
                struct dynkv_slice key);
/* The smallest name after all names of (partition, keyspace). */
void rocks_name_after(struct dynkv_buf *out, uint32_t partition, uint64_t keyspace);

struct dynkv_engine *rocks_open(const struct dynkv_engine_config *config, char *error_text,
                                size_t size);
void rocks_close(struct dynkv_engine *engine);

enum dynkv_error rocks_scan(struct dynkv_engine *engine, const struct dynkv_engine_range *range,
                            uint32_t limit_each, dynkv_engine_visit *visit, void *context,
                            bool *more, uint32_t *next_partition, struct dynkv_buf *next_key);
/* Adds to batch the removal of what the store holds of keyspace. */
enum dynkv_error rocks_drop_keyspace(struct rocks *rocks, rocksdb_writebatch_t *batch,
                                     uint64_t keyspace);

#endif
