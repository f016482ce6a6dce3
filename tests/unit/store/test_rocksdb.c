/* The rocksdb engine alone: what survives, and how it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sched.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"
#include "child.h"
#include "fixture.h"

/* ---- what survives ---- */

static void what_was_written_is_there_after_reopening(void **state)
{
    struct fixture *f = *state;

    write_one(f, op_put(1, 7, "a", "1"));
    fixture_reopen(f, DYNKV_SYNC_NEVER);
    assert_string_equal(get_text(f, 1, 7, "a"), "1");
    write_one(f, op_put(1, 7, "b", "2"));
    fixture_reopen(f, DYNKV_SYNC_INTERVAL); /* a clean close syncs whatever the mode */
    assert_string_equal(get_text(f, 1, 7, "b"), "2");
    write_one(f, op_put(1, 7, "c", "3"));
    assert_int_equal(dynkv_engine_sync(f->engine), DYNKV_OK);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_string_equal(get_text(f, 1, 7, "c"), "3");
}

static bool peek(struct fixture *f, const char *key, struct dynkv_engine_value *value)
{
    struct dynkv_engine_key at = {1, 7, dynkv_slice_text(key), DYNKV_ENGINE_RECORDS};

    return dynkv_engine_peek(f->engine, &at, &f->arena, value);
}

static void a_peek_answers_from_memory_and_leaves_the_disk_alone(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_value value;

    write_one(f, op_put(1, 7, "a", "1"));
    assert_true(peek(f, "a", &value));
    assert_int_equal(value.error, DYNKV_OK);
    assert_true(dynkv_slice_equal(value.data, dynkv_slice_text("1")));
    assert_true(peek(f, "b", &value));
    assert_int_equal(value.error, DYNKV_NOT_FOUND);

    fixture_reopen(f,
                   DYNKV_SYNC_ALWAYS); /* the log is now a table, of which nothing was read yet */
    assert_false(peek(f, "a", &value));
    assert_string_equal(get_text(f, 1, 7, "a"), "1");
    assert_true(peek(f, "a", &value));
    assert_int_equal(value.error, DYNKV_OK);
    assert_true(dynkv_slice_equal(value.data, dynkv_slice_text("1")));
}

static void a_synced_write_survives_a_kill(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    kill_holder(start_holder(f));
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_string_equal(get_text(f, 1, 7, "a"), "1");
}

static void a_checkpoint_opens_as_a_store_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op meta = {DYNKV_ENGINE_META,
                                   {0, 0, dynkv_slice_text("state"), DYNKV_ENGINE_RECORDS},
                                   dynkv_slice_text("1")};
    char path[sizeof f->path];

    write_one(f, op_put(1, 7, "a", "1"));
    write_one(f, meta);
    snprintf(path, sizeof path, "%s/copy", f->folder);
    assert_int_equal(dynkv_engine_checkpoint(f->engine, path), DYNKV_OK);
    write_one(f, op_put(1, 7, "a", "2"));
    assert_int_equal(dynkv_engine_checkpoint(f->engine, path), DYNKV_STORAGE);
    assert_non_null(strstr(dynkv_engine_last_error(f->engine), "exists"));
    memcpy(f->path, path, sizeof path);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_string_equal(get_text(f, 1, 7, "a"), "1");
    assert_int_equal(dynkv_engine_meta(f->engine, meta.at.key, &f->arena).error, DYNKV_OK);
}

/* ---- a full disk ---- */

#define FILL_RECORD_SIZE 8192u
#define FILL_WRITES_MAX  4000u

static struct dynkv_engine_op fill_op(uint32_t i, char *key, size_t size, char *record)
{
    snprintf(key, size, "%06u", i);
    memset(record, 'a' + (int)(i % 26), FILL_RECORD_SIZE);
    return (struct dynkv_engine_op){DYNKV_ENGINE_PUT,
                                    {i % 8, 7, dynkv_slice_text(key), DYNKV_ENGINE_RECORDS},
                                    dynkv_slice(record, FILL_RECORD_SIZE)};
}

static bool has_all(struct dynkv_engine *engine, uint32_t count)
{
    static char record[FILL_RECORD_SIZE];
    struct dynkv_arena arena = {0};
    bool has = true;
    char key[16];

    for (uint32_t i = 0; i < count && has; i++) {
        struct dynkv_engine_op op = fill_op(i, key, sizeof key, record);
        struct dynkv_engine_value value;

        dynkv_engine_get(engine, &op.at, 1, &arena, &value);
        has = value.error == DYNKV_OK && dynkv_slice_equal(value.data, op.value);
    }
    dynkv_arena_fini(&arena);
    return has;
}

/* In a child: writes until the disk is full, and returns how many writes were acknowledged. */
static uint32_t fill_disk(struct dynkv_engine *engine)
{
    static char record[FILL_RECORD_SIZE];
    enum dynkv_error error = DYNKV_OK;
    uint32_t written = 0;
    char key[16];

    for (; written < FILL_WRITES_MAX; written++) {
        struct dynkv_engine_op op = fill_op(written, key, sizeof key, record);

        error = dynkv_engine_write(engine, &op, 1);
        if (error)
            break;
    }
    REQUIRE(error == DYNKV_STORAGE);
    REQUIRE(written > 0);
    REQUIRE(strstr(dynkv_engine_last_error(engine), "free disk space"));
    REQUIRE(dynkv_engine_sync(engine) == DYNKV_STORAGE);
    REQUIRE(dynkv_engine_checkpoint(engine, "unused") == DYNKV_STORAGE);
    REQUIRE(has_all(engine, written)); /* what can be read is still read */
    return written;
}

/* A disk of this test's own, in a mount namespace that ends with the child; false: not allowed to. */
static bool mount_small_disk(const char *path, const char *options)
{
    return mkdir(path, 0700) == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("small", path, "tmpfs", 0, options) == 0;
}

static void full_disk_child(struct fixture *f)
{
    struct dynkv_engine *engine;
    char text[512] = "";
    uint32_t written;

    snprintf(f->path, sizeof f->path, "%s/small", f->folder);
    if (!mount_small_disk(f->path, "size=4m"))
        _exit(CHILD_SKIPS);
    engine = child_open(f, text, sizeof text);
    REQUIRE(engine);
    written = fill_disk(engine);
    dynkv_engine_close(engine);
    engine = child_open(f, text, sizeof text); /* it may find room, or must say what is missing */
    REQUIRE(engine || strstr(text, "free disk space"));
    dynkv_engine_close(engine);
    REQUIRE(mount("small", f->path, "tmpfs", MS_REMOUNT, "size=64m") == 0);
    engine = child_open(f, text, sizeof text);
    REQUIRE(engine);
    REQUIRE(has_all(engine, written));
    dynkv_engine_close(engine);
    _exit(0);
}

static void a_full_disk_loses_nothing_that_was_acknowledged(void **state)
{
    struct fixture *f = *state;
    pid_t child;
    int code;

    fixture_close(f);
    child = fork();
    if (child == 0)
        full_disk_child(f);
    code = child_wait(child);
    if (code == CHILD_SKIPS)
        skip(); /* only root may mount */
    assert_int_equal(code, 0);
}

/* Where one may not mount: a limit on the size of a file, which RocksDB's log reaches. */
static void a_file_size_limit_is_an_error_with_a_text_and_no_crash(void **state)
{
    struct fixture *f = *state;
    pid_t child;

    fixture_close(f);
    child = fork();
    if (child == 0) {
        struct rlimit limit = {256 * 1024, 256 * 1024};
        char text[512];
        struct dynkv_engine *engine = child_open(f, text, sizeof text);

        REQUIRE(engine);
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        fill_disk(engine);
        dynkv_engine_close(engine);
        _exit(0);
    }
    assert_int_equal(child_wait(child), 0);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_true(has_all(f->engine, 1));
}

/* ---- damage ---- */

#define DAMAGE_PARTITIONS 8u
#define DAMAGE_RECORDS    40u /* a partition */
#define DAMAGE_SIZE       1000u

static bool find_file(const char *folder, const char *ending, char *out, size_t size)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool found = false;

    assert_non_null(dir);
    while (!found && (entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');

        found = dot && strcmp(dot, ending) == 0;
        if (found)
            snprintf(out, size, "%s/%s", folder, entry->d_name);
    }
    closedir(dir);
    return found;
}

static void write_incompressible(struct fixture *f)
{
    struct dynkv_random random = dynkv_random(1);
    uint64_t noise[DAMAGE_SIZE / sizeof(uint64_t)];
    char key[16];

    for (uint32_t i = 0; i < DAMAGE_PARTITIONS * DAMAGE_RECORDS; i++) {
        struct dynkv_engine_op op = {.kind = DYNKV_ENGINE_PUT};

        for (size_t j = 0; j < sizeof noise / sizeof noise[0]; j++)
            noise[j] = dynkv_random_next(&random);
        snprintf(key, sizeof key, "%06u", i);
        op.at = (struct dynkv_engine_key){i % DAMAGE_PARTITIONS, 7, dynkv_slice_text(key),
                                          DYNKV_ENGINE_RECORDS};
        op.value = dynkv_slice(noise, sizeof noise);
        write_one(f, op);
    }
}

/* Turns one byte in the middle of the only table; the index at its end stays whole. */
static void damage_table(const struct fixture *f)
{
    char path[sizeof f->path + 300];
    struct stat info;
    uint8_t byte;
    int fd;

    assert_true(find_file(f->path, ".sst", path, sizeof path));
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(pread(fd, &byte, 1, info.st_size / 2), 1);
    byte = (uint8_t)~byte;
    assert_int_equal(pwrite(fd, &byte, 1, info.st_size / 2), 1);
    close(fd);
}

static bool count_visit(void *context, uint32_t partition, struct dynkv_slice key,
                        struct dynkv_slice record)
{
    (void)partition;
    (void)key;
    (void)record;
    (*(uint32_t *)context)++;
    return true;
}

static enum dynkv_error scan_all(struct fixture *f, uint32_t *count)
{
    uint32_t partitions[DAMAGE_PARTITIONS], next_partition;
    struct dynkv_engine_range range = {
        .keyspace = 7, .partitions = partitions, .partition_count = DAMAGE_PARTITIONS};
    struct dynkv_buf next_key = {0};
    enum dynkv_error error;
    bool more;

    for (uint32_t i = 0; i < DAMAGE_PARTITIONS; i++)
        partitions[i] = i;
    *count = 0;
    error =
        dynkv_engine_scan(f->engine, &range, count_visit, count, &more, &next_partition, &next_key);
    dynkv_buf_fini(&next_key);
    return error;
}

/* The scan goes on to partitions behind the damage: it must not forget what it met on the way. */
static void a_scan_over_damage_is_corrupt_and_never_short(void **state)
{
    struct fixture *f = *state;
    uint32_t count;

    write_incompressible(f);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS); /* moves the records into a table */
    assert_int_equal(scan_all(f, &count), DYNKV_OK);
    assert_int_equal(count, DAMAGE_PARTITIONS * DAMAGE_RECORDS);
    fixture_close(f);
    damage_table(f);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_int_equal(scan_all(f, &count), DYNKV_CORRUPT);
    assert_non_null(strstr(dynkv_engine_last_error(f->engine), f->path));
    assert_non_null(strstr(dynkv_engine_last_error(f->engine), "restore the folder"));
}

static void a_get_of_a_damaged_record_is_corrupt_and_the_others_are_read(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_key keys[DAMAGE_PARTITIONS * DAMAGE_RECORDS];
    struct dynkv_engine_value values[DAMAGE_PARTITIONS * DAMAGE_RECORDS];
    uint32_t corrupt = 0, total = DAMAGE_PARTITIONS * DAMAGE_RECORDS;

    write_incompressible(f);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    fixture_close(f);
    damage_table(f);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    for (uint32_t i = 0; i < total; i++) {
        char *key = dynkv_arena_calloc(&f->arena, 1, 16);

        snprintf(key, 16, "%06u", i);
        keys[i] = (struct dynkv_engine_key){i % DAMAGE_PARTITIONS, 7, dynkv_slice_text(key),
                                            DYNKV_ENGINE_RECORDS};
    }
    dynkv_engine_get(f->engine, keys, total, &f->arena, values);
    for (uint32_t i = 0; i < total; i++) {
        struct dynkv_engine_value again;

        dynkv_engine_get(f->engine, &keys[i], 1, &f->arena, &again);
        assert_int_equal(again.error, values[i].error);
        if (values[i].error != DYNKV_OK)
            assert_int_equal(values[i].error, DYNKV_CORRUPT);
        corrupt += values[i].error == DYNKV_CORRUPT;
    }
    assert_in_range(corrupt, 1, 8); /* the records of one block */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ROCKSDB(what_was_written_is_there_after_reopening),
        FOR_ROCKSDB(a_peek_answers_from_memory_and_leaves_the_disk_alone),
        FOR_ROCKSDB(a_synced_write_survives_a_kill),
        FOR_ROCKSDB(a_checkpoint_opens_as_a_store_of_its_own),
        FOR_ROCKSDB(a_full_disk_loses_nothing_that_was_acknowledged),
        FOR_ROCKSDB(a_file_size_limit_is_an_error_with_a_text_and_no_crash),
        FOR_ROCKSDB(a_scan_over_damage_is_corrupt_and_never_short),
        FOR_ROCKSDB(a_get_of_a_damaged_record_is_corrupt_and_the_others_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
