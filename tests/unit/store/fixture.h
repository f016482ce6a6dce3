/* fixture.h: an engine in a folder of its own, for the store's tests. */
#ifndef DYNKV_TESTS_STORE_FIXTURE_H
#define DYNKV_TESTS_STORE_FIXTURE_H

#include "store/engine.h"

struct fixture {
    const char *kind;
    char folder[128]; /* of this test; removed with all that is in it */
    char path[160];   /* in it: the engine's */
    struct dynkv_engine *engine;
    struct dynkv_arena arena;
};

/* For the tables of cmocka; the engine is open, with DYNKV_SYNC_ALWAYS. */
int fixture_setup_memory(void **state);
int fixture_setup_rocksdb(void **state);
int fixture_teardown(void **state);

struct dynkv_engine *open_or_fail(const char *kind, const char *path, enum dynkv_sync sync);
/* Closes the engine, if open, and opens it again. */
void fixture_reopen(struct fixture *f, enum dynkv_sync sync);
void fixture_close(struct fixture *f);

struct dynkv_engine_op op_put(uint32_t partition, uint64_t keyspace, const char *key,
                              const char *value);
void write_one(struct fixture *f, struct dynkv_engine_op op);
/* The record as a text, or NULL; fails the test on any error. */
const char *get_text(struct fixture *f, uint32_t partition, uint64_t keyspace, const char *key);
const char *get_hint_text(struct fixture *f, uint32_t partition, uint64_t keyspace,
                          const char *key);

/* Rows of a test table: the same case against every engine, or against one. */
#define FOR_ROCKSDB(test)                                          \
    {                                                              \
#test, test, fixture_setup_rocksdb, fixture_teardown, NULL \
    }
#define FOR_ALL(test)                                                           \
    {#test " (memory)", test, fixture_setup_memory, fixture_teardown, NULL},    \
    {                                                                           \
#test " (rocksdb)", test, fixture_setup_rocksdb, fixture_teardown, NULL \
    }

#endif
