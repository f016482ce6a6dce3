/*
 * cancel.c: wherever a session waits for the cluster, a cancel or a timeout brings it back, and it is as
 * good as before.
 *
 * How long that took is printed, and not asserted: a busy machine has a right to be slow.  That it comes
 * back at all is: every deadline here is longer than the test's patience.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sessions/sessions.h"

#define CANCELLED "57014"
#define UNKNOWN   "08007"

static void print_ms(const char *what, uint64_t began_ms)
{
    printf("    %-64.64s %4llu ms\n", what, (unsigned long long)(live_now_ms() - began_ms));
}

static void is_usable(struct session *session)
{
    CHECK(strcmp(session_do(session, "SELECT 1 + 1"), "2") == 0, "the session lost its mind");
}

/* Begins it, cancels it while it waits, and expects that state. */
static void cancel(struct session *session, const char *sql, const char *state)
{
    const char *got;
    uint64_t began_ms;

    session_begin(session, "%s", sql);
    session_await_waiting(session);
    began_ms = live_now_ms();
    session_cancel(session);
    got = session_end(session);
    CHECK(strcmp(got, state) == 0, "%s: %s instead of %s: %s", sql, got, state,
          session_message(session));
    print_ms(sql, began_ms);
    session_ask(session, "ROLLBACK");
    is_usable(session);
}

/* ---- hosts that say nothing ---- */

static struct session *table_at(uint16_t port)
{
    struct session *session = session_open();

    stage_set("memory");
    session_do(session,
               "CREATE SERVER silent FOREIGN DATA WRAPPER dynkv_fdw "
               "OPTIONS (hosts '127.0.0.1:%u', deadline '60s', connect_timeout '60s');"
               "CREATE USER MAPPING FOR PUBLIC SERVER silent;"
               "CREATE FOREIGN TABLE t (k int, v text) SERVER silent",
               port);
    return session;
}

static void connecting_to(uint16_t port)
{
    struct session *session = table_at(port);

    cancel(session, "SELECT * FROM t", CANCELLED);
    cancel(session, "SELECT * FROM t WHERE k = 1", CANCELLED);
    cancel(session, "INSERT INTO t VALUES (1, 'x')", CANCELLED);
    cancel(session, "SELECT * FROM dynkv_nodes('silent')", CANCELLED);
    session_do(session, "ALTER SERVER silent OPTIONS (SET hosts '%s')", stage_hosts());
    session_do(session, "INSERT INTO t VALUES (1, 'one')");
    CHECK(strcmp(session_do(session, "SELECT v FROM t"), "one") == 0, "another row");
}

static void connecting_to_a_host_that_swallows_syns(void)
{
    uint16_t port = silence_swallowing();

    connecting_to(port);
    if (silence_takes(port))
        printf("    note: this machine answers SYNs for a full queue, so this was the next test\n");
}

static void connecting_to_a_host_that_never_says_hello(void)
{
    connecting_to(silence_answering());
}

/* ---- frozen nodes ---- */

static struct session *frozen_stage(void)
{
    struct session *session = session_open();

    stage_set("memory");
    session_do(session,
               "CREATE FOREIGN TABLE t (k int, v text) SERVER kv OPTIONS (fetch_size '10');"
               "CREATE FOREIGN TABLE now_t (k int, v text) SERVER kv "
               "OPTIONS (keyspace 't', write_mode 'immediate');"
               "CREATE FOREIGN TABLE new_t (k int, v text) SERVER kv "
               "OPTIONS (keyspace 't', on_insert 'error')");
    session_do(session, "INSERT INTO t SELECT g, 'value ' || g FROM generate_series(1, 5000) g");
    return session;
}

static void thaw_and_look(struct session *session)
{
    stage_thaw();
    CHECK(strcmp(session_do(session, "SELECT v FROM t WHERE k = 7"), "value 7") == 0,
          "another row");
}

static void statements_at_frozen_nodes(void)
{
    static const char *const statements[] = {
        "SELECT count(v) FROM t",
        "SELECT v FROM t WHERE k = 7",
        "SELECT v FROM t WHERE k IN (7, 8, 9)",
        "SELECT count(*) FROM t a JOIN t b ON a.k = b.k + 1",
        "SELECT v FROM generate_series(1, 5000) g LEFT JOIN t ON t.k = g + 1",
        "SELECT v FROM generate_series(1, 3) g, LATERAL (SELECT v FROM t WHERE k = g) x",
        "UPDATE t SET v = 'new' WHERE k = 7",
        "DELETE FROM t",
        "TRUNCATE t",
        "INSERT INTO new_t VALUES (7, 'again')",
        "COPY (SELECT * FROM t) TO PROGRAM 'cat >/dev/null'",
        "ANALYZE t",
        "IMPORT FOREIGN SCHEMA x FROM SERVER kv INTO public",
        "SELECT * FROM dynkv_keyspaces('kv')",
    };
    struct session *session = frozen_stage();

    stage_freeze();
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        cancel(session, statements[i], CANCELLED);
    thaw_and_look(session);
}

static void a_scan_half_way(void)
{
    struct session *session = frozen_stage();

    session_do(session, "BEGIN; DECLARE c CURSOR FOR SELECT * FROM t");
    session_do(session, "FETCH 5 FROM c");
    stage_freeze();
    cancel(session, "FETCH ALL FROM c", CANCELLED);
    thaw_and_look(session);
}

static void a_flush(void)
{
    struct session *session = frozen_stage();

    session_do(session, "SELECT dynkv_publish_table('t')"); /* its keyspace is known from now on */
    session_do(session, "SELECT dynkv_unpublish_table('kv', 't')");
    session_do(session, "BEGIN");
    session_do(session, "INSERT INTO t SELECT g, 'late ' || g FROM generate_series(1, 5000) g");
    stage_freeze();
    cancel(session, "COMMIT", UNKNOWN);
    session_do(session, "SET statement_timeout = '300ms'");
    session_do(session, "BEGIN");
    session_do(session, "INSERT INTO t VALUES (6000, 'late 6000')");
    CHECK(strcmp(session_ask(session, "COMMIT"), UNKNOWN) == 0, "%s", session_message(session));
    session_do(session, "RESET statement_timeout");
    cancel(session, "INSERT INTO t VALUES (6001, 'late 6001')", UNKNOWN);
    cancel(session, "INSERT INTO now_t VALUES (6002, 'late 6002')", CANCELLED);
    cancel(session, "SELECT dynkv_publish_table('t')", UNKNOWN);
    stage_thaw();
    CHECK(strcmp(session_do(session, "SELECT count(*) FROM t WHERE k <= 5000 AND "
                                     "v NOT IN ('value ' || k, 'late ' || k)"),
                 "0") == 0,
          "a row is neither the old one nor the new one");
    CHECK(strcmp(session_do(session, "SELECT count(*) FROM t WHERE k <= 5000"), "5000") == 0,
          "rows are lost");
}

static void a_session_that_is_terminated(void)
{
    struct session *session = frozen_stage();
    struct session *other = session_open();
    uint64_t began_ms;

    stage_freeze();
    session_begin(session, "SELECT count(*) FROM t");
    session_await_waiting(session);
    began_ms = live_now_ms();
    session_do(other, "SELECT pg_terminate_backend(%d)", (int)session_pid(session));
    CHECK(strcmp(session_end(session), "57P01") == 0, "%s", session_message(session));
    print_ms("pg_terminate_backend", began_ms);
    thaw_and_look(other);
}

const struct session_test cancel_tests[] = {
    {"a cancel is obeyed while connecting to a host that swallows SYNs",
     connecting_to_a_host_that_swallows_syns},
    {"a cancel is obeyed while connecting to a host that never says HELLO",
     connecting_to_a_host_that_never_says_hello},
    {"a cancel is obeyed by every kind of statement whose nodes are stopped",
     statements_at_frozen_nodes},
    {"a cancel is obeyed in the middle of a scan", a_scan_half_way},
    {"a cancel and a timeout are obeyed in the middle of a commit", a_flush},
    {"a session that waits for stopped nodes can be terminated", a_session_that_is_terminated},
    {NULL, NULL},
};
