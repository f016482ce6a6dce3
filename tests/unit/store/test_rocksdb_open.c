/* Opening the rocksdb engine: which folders are refused, and are left alone then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <rocksdb/c.h>

#include "child.h"
#include "fixture.h"

/* The open must fail; its text must name the path and say what to do. */
static void expect_refusal(const char *path, const char *reason, const char *remedy)
{
    struct dynkv_engine_config config = {.path = path};
    char text[512] = "";
    struct dynkv_engine *engine = dynkv_engine_open("rocksdb", &config, text, sizeof text);

    assert_null(engine);
    if (!strstr(text, path) || !strstr(text, reason) || !strstr(text, remedy))
        fail_msg("a poor text: %s", text);
}

static void a_folder_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    pid_t holder;

    expect_refusal(f->path, "lock", "another process uses this folder");
    fixture_close(f);
    holder = start_holder(f);
    expect_refusal(f->path, "lock", "another process uses this folder");
    kill_holder(holder);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
}

static void what_is_no_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_config config = {.path = ""};
    char path[sizeof f->path], text[512];
    int fd;

    snprintf(path, sizeof path, "%s/file", f->folder);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_refusal(path, "not a folder", "choose another --data");
    snprintf(path, sizeof path, "%s/none/data", f->folder);
    expect_refusal(path, "No such file", "choose another --data");
    assert_null(dynkv_engine_open("rocksdb", &config, text, sizeof text));
    assert_non_null(strstr(text, "--data DIR"));
}

static void a_folder_of_others_is_refused_for_an_ordinary_user(void **state)
{
    struct fixture *f = *state;
    pid_t child;
    int code;

    fixture_close(f);
    child = fork();
    if (child == 0) {
        struct dynkv_engine *engine;
        char text[512] = "";

        if (geteuid() == 0 && (chmod(f->folder, 0755) || seteuid(65534)))
            _exit(CHILD_SKIPS);
        if (chmod(f->path, 0500) == 0 && geteuid() == 0)
            _exit(CHILD_SKIPS); /* nothing is closed to this user */
        engine = child_open(f, text, sizeof text);
        REQUIRE(!engine);
        REQUIRE(strstr(text, "Permission denied"));
        REQUIRE(strstr(text, "make the folder writable"));
        _exit(0);
    }
    code = child_wait(child);
    chmod(f->path, 0700);
    if (code == CHILD_SKIPS)
        skip();
    assert_int_equal(code, 0);
}

static void a_store_without_its_current_file_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    char current[sizeof f->path + 16], hidden[sizeof f->path + 16];

    write_one(f, op_put(1, 7, "a", "1"));
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    fixture_close(f);
    snprintf(current, sizeof current, "%s/CURRENT", f->path);
    snprintf(hidden, sizeof hidden, "%s/hidden", f->folder);
    assert_int_equal(rename(current, hidden), 0);
    expect_refusal(f->path, "CURRENT is missing", "restore the folder");
    assert_int_equal(rename(hidden, current), 0);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_string_equal(get_text(f, 1, 7, "a"), "1");
}

static void a_damaged_store_is_refused(void **state)
{
    struct fixture *f = *state;
    char current[sizeof f->path + 16];
    int fd;

    fixture_close(f);
    snprintf(current, sizeof current, "%s/CURRENT", f->path);
    fd = open(current, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "nonsense", 8), 8);
    close(fd);
    expect_refusal(f->path, "Corruption", "restore the folder");
}

/* A RocksDB as another program would make it, with a record if value is not NULL. */
static void make_foreign(const char *path, const char *family, const char *value)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
    char *text = NULL;
    rocksdb_t *db;

    rocksdb_options_set_create_if_missing(options, 1);
    db = rocksdb_open(options, path, &text);
    assert_null(text);
    if (family)
        rocksdb_column_family_handle_destroy(
            rocksdb_create_column_family(db, options, family, &text));
    assert_null(text);
    if (value)
        rocksdb_put(db, write_options, "key", 3, value, strlen(value), &text);
    assert_null(text);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(write_options);
    rocksdb_options_destroy(options);
}

static size_t count_families(const char *path)
{
    rocksdb_options_t *options = rocksdb_options_create();
    size_t count;
    char *text = NULL, **names = rocksdb_list_column_families(options, path, &count, &text);

    assert_null(text);
    rocksdb_list_column_families_destroy(names, count);
    rocksdb_options_destroy(options);
    return count;
}

static void the_rocksdb_of_another_program_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    char path[sizeof f->path];

    snprintf(path, sizeof path, "%s/families", f->folder);
    make_foreign(path, "theirs", NULL);
    expect_refusal(path, "\"theirs\"", "choose another --data");
    assert_int_equal(count_families(path), 2);
    snprintf(path, sizeof path, "%s/records", f->folder);
    make_foreign(path, NULL, "value");
    expect_refusal(path, "another program", "choose another --data");
    assert_int_equal(count_families(path), 1);
}

/* A kill at the wrong moment of a first start leaves an empty RocksDB without our families. */
static void a_store_whose_making_was_cut_short_is_made(void **state)
{
    struct fixture *f = *state;

    snprintf(f->path, sizeof f->path, "%s/cut", f->folder);
    make_foreign(f->path, "hints", NULL);
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    write_one(f, op_put(1, 7, "a", "1"));
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    assert_string_equal(get_text(f, 1, 7, "a"), "1");
}

/* On a full disk its lines would end the process; the file is not there, or empty. */
static void rocksdb_writes_no_log_of_its_own(void **state)
{
    struct fixture *f = *state;
    char log[sizeof f->path + 16];
    struct stat found = {0};

    write_one(f, op_put(1, 7, "a", "1"));
    fixture_reopen(f, DYNKV_SYNC_ALWAYS);
    snprintf(log, sizeof log, "%s/LOG", f->path);
    assert_true(stat(log, &found) != 0 || found.st_size == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ROCKSDB(a_folder_in_use_is_refused),
        FOR_ROCKSDB(what_is_no_folder_is_refused),
        FOR_ROCKSDB(a_folder_of_others_is_refused_for_an_ordinary_user),
        FOR_ROCKSDB(a_store_without_its_current_file_is_refused_and_left_alone),
        FOR_ROCKSDB(a_damaged_store_is_refused),
        FOR_ROCKSDB(the_rocksdb_of_another_program_is_refused_and_left_alone),
        FOR_ROCKSDB(a_store_whose_making_was_cut_short_is_made),
        FOR_ROCKSDB(rocksdb_writes_no_log_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
