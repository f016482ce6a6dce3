/*
 * leaks.c: ten thousand statements that fail, each in its own way, and a session that is no larger for it.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sessions/sessions.h"

#define ROUNDS           10000u
#define WARM_UP          1000u /* caches of the server and of malloc are as large as they get */
#define CANCEL_EACH      10u   /* a cancel is a connection of its own */
/* Files that the server keeps open for itself, and a connection that is just being made anew. */
#define DESCRIPTORS_MORE 8u
#define RSS_MORE_KB \
    1024u /* what malloc may lose to fragments; a leak of 110 bytes a round is over it */

struct size {
    unsigned descriptors;
    unsigned long context_bytes; /* in contexts of this extension, and of the whole transaction */
    unsigned long rss_kb;
};

static unsigned count_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    CHECK(folder, "cannot read %s", path);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static unsigned long resident_kb(pid_t pid)
{
    unsigned long total, resident = 0;
    char path[64];
    FILE *file;
    int fields;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "r");
    CHECK(file, "cannot read %s", path);
    fields = fscanf(file, "%lu %lu", &total, &resident);
    fclose(file);
    CHECK(fields == 2, "%s is of another form", path);
    return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static struct size size_of(struct session *session)
{
    const char *bytes =
        session_do(session, "SELECT sum(used_bytes) FROM pg_backend_memory_contexts "
                            "WHERE name LIKE 'dynkv%%' OR parent LIKE 'dynkv%%'");

    return (struct size){.descriptors = count_descriptors(session_pid(session)),
                         .context_bytes = strtoul(bytes, NULL, 10),
                         .rss_kb = resident_kb(session_pid(session))};
}

/* One failure in a transaction block and its end; in one message, as rounds are many. */
static const char *const failures[] = {
    /* in the middle of a scan; of a point get; of a join with parameters */
    "SELECT 1 / (k - 50) FROM t",
    "SELECT 1 / (k - 7) FROM t WHERE k = 7",
    "SELECT 1 / (x.k - 3) FROM generate_series(1, 5) g, LATERAL (SELECT k FROM t WHERE k = g "
    "OFFSET 0) x",
    /* of a lookup join, with one batch at hand and one on its way */
    "BEGIN; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL "
    "enable_nestloop = off; SELECT 1 / (t.k - 50) FROM generate_series(1, 100) g LEFT JOIN t ON "
    "t.k = g; ROLLBACK",
    /* in the middle of writing */
    "INSERT INTO t SELECT g, 1 / (20 - g) FROM generate_series(1, 30) g",
    "UPDATE t SET v = 1 / (k - 60)",
    "WITH d AS (DELETE FROM t RETURNING k) SELECT 1 / (k - 60) FROM d",
    "INSERT INTO new_t VALUES (1, 'x'), (2, 'x')",
    "INSERT INTO now_t SELECT g, 1 / (g - 10) FROM generate_series(1, 30) g",
    /* subtransactions; a cursor that is left open; what was buffered is thrown away */
    "BEGIN; INSERT INTO t VALUES (1, 'a'); SAVEPOINT s; INSERT INTO t SELECT g, 'b' FROM "
    "generate_series(1, 50) g;"
    "ROLLBACK TO s; SELECT 1 / (k - 50) FROM t; ROLLBACK",
    "BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 3 FROM c; SELECT 1 / 0; ROLLBACK",
    "DO $$BEGIN FOR i IN 1..3 LOOP BEGIN INSERT INTO t VALUES (i, 'x'); PERFORM 1 / (k - 9) FROM t;"
    "EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; RAISE EXCEPTION 'enough'; END$$",
    /* a flush that fails; nobody listens; a timeout */
    "BEGIN; SET LOCAL dynkv_fdw.w = 7; INSERT INTO t VALUES (1, 'w 7'); COMMIT",
    "SELECT * FROM nowhere",
    "BEGIN; SET LOCAL statement_timeout = 1; SELECT count(*) FROM t a, t b, t c; ROLLBACK",
};

static void fail(struct session *session, unsigned round)
{
    const char *failure = failures[round % (sizeof failures / sizeof *failures)];

    if (round % CANCEL_EACH == 0) {
        session_begin(session, "SELECT count(*) FROM t a, t b, t c, t d");
        session_cancel_until_it_ends(session);
        CHECK(strcmp(session_end(session), "57014") == 0, "%s", session_message(session));
        return;
    }
    session_ask(session, "%s", failure);
    CHECK(session_message(session)[0], "no error: %s", failure);
    session_do(session, "ROLLBACK");
}

static void errors_leave_nothing_behind(void)
{
    struct session *session = session_open();
    struct size before, after;

    stage_set("memory");
    session_do(
        session,
        "CREATE FOREIGN TABLE t (k int, v text) SERVER kv OPTIONS (fetch_size '20');"
        "CREATE FOREIGN TABLE now_t (k int, v text) SERVER kv OPTIONS (write_mode 'immediate');"
        "CREATE FOREIGN TABLE new_t (k int, v text) SERVER kv "
        "OPTIONS (keyspace 't', on_insert 'error');"
        "CREATE SERVER nobody FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '127.0.0.1:1');"
        "CREATE USER MAPPING FOR PUBLIC SERVER nobody;"
        "CREATE FOREIGN TABLE nowhere (k int) SERVER nobody");
    session_do(session, "INSERT INTO t SELECT g, 'value' FROM generate_series(1, 100) g");
    for (unsigned round = 0; round < WARM_UP; round++)
        fail(session, round);
    before = size_of(session);
    for (unsigned round = 0; round < ROUNDS; round++)
        fail(session, round);
    after = size_of(session);
    printf("    descriptors %u, then %u; bytes in contexts %lu, then %lu; resident %lu kB, then "
           "%lu kB\n",
           before.descriptors, after.descriptors, before.context_bytes, after.context_bytes,
           before.rss_kb, after.rss_kb);
    CHECK(after.descriptors <= before.descriptors + DESCRIPTORS_MORE, "descriptors leak");
    CHECK(after.context_bytes == before.context_bytes, "memory contexts leak");
    CHECK(after.rss_kb <= before.rss_kb + RSS_MORE_KB, "memory leaks");
    CHECK(strcmp(session_do(session, "SELECT count(*) FROM t WHERE v = 'value'"), "100") == 0,
          "rows have changed");
}

const struct session_test leak_tests[] = {
    {"ten thousand errors, cancels and aborted subtransactions leave nothing behind",
     errors_leave_nothing_behind},
    {NULL, NULL},
};
