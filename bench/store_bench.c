/*
 * store_bench.c: how fast the engines are by themselves, one thread, as the daemon's store thread calls
 * them.
 *
 *   store_bench [ENGINE [RECORDS]]      both engines and 300000 records, unless told otherwise
 *
 * Records are spread over the default number of partitions as a node's are: by hash, so that no two
 * writes of a batch are neighbours.  The rocksdb engine is measured twice, as it was just filled and
 * reopened (reopening moves what is in memory into files).  Sizes and seeds are fixed; the figures are
 * operations a second of the whole call, copying into the caller's arena included.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/random.h"
#include "store/engine.h"

#define BENCH_RECORDS        300000u
#define BENCH_SYNCED_RECORDS 100000u /* at most: a slow disk should not take the afternoon */
#define BENCH_KEY_SIZE       16u
#define BENCH_RECORD_SIZE    150u /* a value of 100 bytes with one sibling's version and header */
#define BENCH_BATCH          100u
#define BENCH_PAGE           1000u
#define BENCH_KEYSPACE       7u
#define BENCH_SPARSE         9u  /* a keyspace of so few records ... */
#define BENCH_SPARSE_RECORDS 20u /* ... that most partitions have none */
#define BENCH_SPARSE_SCANS   200u
#define BENCH_SEED           20261121u

struct bench {
    struct dynkv_engine *engine;
    const char *kind, *path;
    uint32_t records;
    struct dynkv_arena arena;
    struct dynkv_random random;
    uint64_t read_bytes; /* so that nothing read can be left out */
};

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *doing, const char *text)
{
    fprintf(stderr, "store_bench: %s: %s\n", doing, text);
    exit(1);
}

static void report(const struct bench *bench, const char *what, uint64_t count, double seconds)
{
    printf("%-8s %-40s %12.0f /s\n", bench->kind, what, (double)count / seconds);
    fflush(stdout);
}

static void bench_open(struct bench *bench, enum dynkv_sync sync)
{
    struct dynkv_engine_config config = {.path = bench->path, .sync = sync};
    char text[512];

    bench->engine = dynkv_engine_open(bench->kind, &config, text, sizeof text);
    if (!bench->engine)
        fail("open", text);
}

/* The key of record i, and where it lives. */
static struct dynkv_engine_key key_of(uint32_t i, struct dynkv_arena *arena)
{
    char *text = dynkv_arena_alloc(arena, BENCH_KEY_SIZE + 1);
    struct dynkv_slice key = {(const uint8_t *)text, BENCH_KEY_SIZE};

    snprintf(text, BENCH_KEY_SIZE + 1, "key-%012" PRIu32, i);
    return (struct dynkv_engine_key){
        (uint32_t)(dynkv_hash(key, BENCH_KEYSPACE) % DYNKV_PARTITIONS_DEFAULT), BENCH_KEYSPACE, key,
        DYNKV_ENGINE_RECORDS};
}

/* Half of it is noise: records of a real table compress, but not to nothing. */
static struct dynkv_slice record_of(struct bench *bench)
{
    uint8_t *bytes = dynkv_arena_calloc(&bench->arena, 1, BENCH_RECORD_SIZE);

    for (size_t i = 0; i + sizeof(uint64_t) <= BENCH_RECORD_SIZE / 2; i += sizeof(uint64_t)) {
        uint64_t noise = dynkv_random_next(&bench->random);

        memcpy(bytes + i, &noise, sizeof noise);
    }
    return dynkv_slice(bytes, BENCH_RECORD_SIZE);
}

static void bench_put(struct bench *bench, const char *what, uint32_t from, uint32_t count)
{
    struct dynkv_engine_op ops[BENCH_BATCH];
    double spent = 0;

    for (uint32_t i = 0; i < count; i += BENCH_BATCH) {
        double start;

        dynkv_arena_reset(&bench->arena);
        for (uint32_t j = 0; j < BENCH_BATCH; j++)
            ops[j] = (struct dynkv_engine_op){DYNKV_ENGINE_PUT, key_of(from + i + j, &bench->arena),
                                              record_of(bench)};
        start = now_s();
        if (dynkv_engine_write(bench->engine, ops, BENCH_BATCH))
            fail("write", dynkv_engine_last_error(bench->engine));
        spent += now_s() - start;
    }
    report(bench, what, count, spent);
}

/* Random records; those from bench->records on do not exist. */
static void bench_get(struct bench *bench, const char *what, uint32_t batch, bool exist)
{
    struct dynkv_engine_key keys[BENCH_BATCH];
    struct dynkv_engine_value values[BENCH_BATCH];
    uint32_t count = bench->records / BENCH_BATCH * BENCH_BATCH;
    double spent = 0;

    for (uint32_t i = 0; i < count; i += batch) {
        double start;

        dynkv_arena_reset(&bench->arena);
        for (uint32_t j = 0; j < batch; j++)
            keys[j] = key_of((uint32_t)dynkv_random_below(&bench->random, bench->records) +
                                 (exist ? 0 : 2 * bench->records),
                             &bench->arena);
        start = now_s();
        dynkv_engine_get(bench->engine, keys, batch, &bench->arena, values);
        spent += now_s() - start;
        for (uint32_t j = 0; j < batch; j++) {
            if (values[j].error != (exist ? DYNKV_OK : DYNKV_NOT_FOUND))
                fail("get", dynkv_error_text(values[j].error));
            bench->read_bytes += values[j].data.len;
        }
    }
    report(bench, what, count, spent);
}

static bool add_visit(void *context, uint32_t partition, struct dynkv_slice key,
                      struct dynkv_slice record)
{
    struct bench *bench = context;

    (void)partition;
    bench->read_bytes += key.len + record.len;
    return true;
}

/* All partitions, in pages of limit records; returns the pages it took. */
static uint32_t scan_all(struct bench *bench, uint64_t keyspace, uint32_t limit)
{
    uint32_t partitions[DYNKV_PARTITIONS_DEFAULT], pages = 0;
    struct dynkv_engine_range range = {.keyspace = keyspace,
                                       .partitions = partitions,
                                       .partition_count = DYNKV_PARTITIONS_DEFAULT,
                                       .limit = limit};
    bool more = true;

    for (uint32_t i = 0; i < DYNKV_PARTITIONS_DEFAULT; i++)
        partitions[i] = i;
    for (; more; pages++) {
        struct dynkv_buf next_key = {0};
        uint32_t next_partition = 0;

        if (dynkv_engine_scan(bench->engine, &range, add_visit, bench, &more, &next_partition,
                              &next_key))
            fail("scan", dynkv_engine_last_error(bench->engine));
        range.partitions = partitions + next_partition;
        range.partition_count = DYNKV_PARTITIONS_DEFAULT - next_partition;
        range.first_lower = dynkv_slice_copy(dynkv_buf_slice(&next_key), &bench->arena);
        dynkv_buf_fini(&next_key);
    }
    return pages;
}

static void bench_scan(struct bench *bench, const char *what, uint32_t limit)
{
    uint64_t before = bench->read_bytes;
    double start = now_s();

    dynkv_arena_reset(&bench->arena);
    scan_all(bench, BENCH_KEYSPACE, limit);
    report(bench, what, (bench->read_bytes - before) / (BENCH_KEY_SIZE + BENCH_RECORD_SIZE),
           now_s() - start);
}

static void bench_scan_sparse(struct bench *bench)
{
    double start = now_s();

    dynkv_arena_reset(&bench->arena);
    for (uint32_t i = 0; i < BENCH_SPARSE_SCANS; i++)
        scan_all(bench, BENCH_SPARSE, 0);
    report(bench, "scans of 20 records in 1024 partitions", BENCH_SPARSE_SCANS, now_s() - start);
}

static void put_sparse(struct bench *bench)
{
    struct dynkv_engine_op ops[BENCH_SPARSE_RECORDS];

    dynkv_arena_reset(&bench->arena);
    for (uint32_t i = 0; i < BENCH_SPARSE_RECORDS; i++) {
        ops[i] =
            (struct dynkv_engine_op){DYNKV_ENGINE_PUT, key_of(i, &bench->arena), record_of(bench)};
        ops[i].at.keyspace = BENCH_SPARSE;
    }
    if (dynkv_engine_write(bench->engine, ops, BENCH_SPARSE_RECORDS))
        fail("write", dynkv_engine_last_error(bench->engine));
}

static void bench_reads(struct bench *bench)
{
    bench_get(bench, "gets, batches of 100", BENCH_BATCH, true);
    bench_get(bench, "gets, one by one", 1, true);
    bench_get(bench, "gets of missing keys, batches of 100", BENCH_BATCH, false);
    bench_scan(bench, "records scanned, all in one", 0);
    bench_scan(bench, "records scanned, pages of 1000", BENCH_PAGE);
    bench_scan_sparse(bench);
}

static void bench_drop(struct bench *bench)
{
    struct dynkv_engine_op op = {.kind = DYNKV_ENGINE_DROP_KEYSPACE,
                                 .at = {.keyspace = BENCH_KEYSPACE}};
    double start = now_s();

    if (dynkv_engine_write(bench->engine, &op, 1))
        fail("drop", dynkv_engine_last_error(bench->engine));
    report(bench, "keyspaces dropped", 1, now_s() - start);
}

static void bench_engine(struct bench *bench)
{
    uint32_t synced = bench->records < BENCH_SYNCED_RECORDS ? bench->records : BENCH_SYNCED_RECORDS;
    bool on_disk = strcmp(bench->kind, "memory") != 0;

    bench_open(bench, DYNKV_SYNC_NEVER);
    bench_put(bench, "puts of new keys, batches of 100", 0, bench->records);
    bench_put(bench, "puts of known keys, batches of 100", 0, bench->records);
    put_sparse(bench);
    bench_reads(bench);
    if (on_disk) {
        dynkv_engine_close(bench->engine);
        bench_open(bench, DYNKV_SYNC_ALWAYS);
        printf("%-8s reopened\n", bench->kind);
        bench_reads(bench);
        bench_put(bench, "puts of new keys, batches of 100, synced", bench->records, synced);
    }
    bench_drop(bench);
    dynkv_engine_close(bench->engine);
    dynkv_arena_fini(&bench->arena);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"memory", "rocksdb"};
    const char *only = argc > 1 ? argv[1] : NULL, *temp = getenv("TMPDIR");
    uint32_t records = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : BENCH_RECORDS;
    char folder[512], path[600], command[600];

    if (argc > 3 || records < BENCH_BATCH || records > UINT32_MAX / 4) {
        fprintf(stderr, "usage: %s [memory|rocksdb [RECORDS, at least %u]]\n", argv[0],
                BENCH_BATCH);
        return 2;
    }
    snprintf(folder, sizeof folder, "%s/dynkv-store-bench-XXXXXX", temp ? temp : "/tmp");
    if (!mkdtemp(folder))
        fail("mkdtemp", folder);
    snprintf(path, sizeof path, "%s/data", folder);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct bench bench = {.kind = kinds[i],
                              .path = path,
                              .records = records / BENCH_BATCH * BENCH_BATCH,
                              .random = dynkv_random(BENCH_SEED)};

        if (!only || strcmp(only, kinds[i]) == 0)
            bench_engine(&bench);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : 1;
}
