/*
 * ddl.c: DDL under a transaction that has written: by itself, and by another session.  What was written
 * before goes where it was meant to go.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sessions/steps.h"

static void stage_with_table(void)
{
    struct session *session = session_open();

    stage_set("memory");
    session_do(session, "CREATE FOREIGN TABLE t (k int, n int, v text) SERVER kv;"
                        "INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two')");
    session_close(session);
}

static void columns_come_and_go_under_writes(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'A', "ALTER FOREIGN TABLE t ADD more int DEFAULT 7", ""},
          {'A', "INSERT INTO t VALUES (4, 4, 'four')", ""},
          {'A', "SELECT * FROM t ORDER BY k", "1|1|one|; 2|2|two|; 3|3|three|; 4|4|four|7"},
          {'A', "ALTER FOREIGN TABLE t DROP v", ""}, {'A', "UPDATE t SET n = 5 WHERE k = 3", ""},
          {'A', "SELECT * FROM t ORDER BY k", "1|1|; 2|2|; 3|5|; 4|4|7"},
          {'B', "SELECT * FROM t ORDER BY k", STEP_WAITS}, {'A', "COMMIT", ""},
          {'B', NULL, "1|1|; 2|2|; 3|5|; 4|4|7"});
}

static void a_type_that_does_not_fit_is_an_error_of_reading(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'A', "ALTER FOREIGN TABLE t ALTER v TYPE int USING 0", "42809"}, {'A', "ROLLBACK", ""},
          {'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'A', "ALTER FOREIGN TABLE t ALTER v TYPE int", ""}, {'A', "SAVEPOINT s", ""},
          {'A', "SELECT v FROM t WHERE k = 3", "22P02"}, {'A', "ROLLBACK TO s", ""},
          {'A', "SELECT n FROM t WHERE k = 3", "3"}, {'A', "COMMIT", ""},
          {'B', "ALTER FOREIGN TABLE t ALTER v TYPE text", ""},
          {'B', "SELECT v FROM t ORDER BY k", "one; two; three"});
}

static void writes_go_to_the_server_that_was(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'B', "ALTER SERVER kv OPTIONS (SET hosts '127.0.0.1:1')", ""},
          {'A', "SELECT count(*) FROM t", "3"}, {'A', "UPDATE t SET n = 4 WHERE k = 3", ""},
          {'A', "COMMIT", ""}, {'A', "SELECT count(*) FROM t", "08001"},
          {'B', "SELECT count(*) FROM t", "08001"});
    session_do(session_open(), "ALTER SERVER kv OPTIONS (SET hosts '%s')", stage_hosts());
    STEPS({'A', "SELECT n FROM t WHERE k = 3", "4"}, {'B', "SELECT n FROM t WHERE k = 3", "4"});
}

static void a_mapping_that_goes_takes_no_writes_with_it(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'B', "DROP USER MAPPING FOR PUBLIC SERVER kv", ""}, {'A', "COMMIT", ""},
          {'A', "SELECT count(*) FROM t", "42704"},
          {'B', "CREATE USER MAPPING FOR PUBLIC SERVER kv", ""},
          {'A', "SELECT count(*) FROM t", "3"});
}

static void other_sessions_wait_to_alter_a_table(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'B', "ALTER FOREIGN TABLE t OPTIONS (ADD keyspace 'elsewhere')", STEP_WAITS},
          {'A', "COMMIT", ""}, {'B', NULL, ""}, {'B', "SELECT count(*) FROM t", "0"},
          {'B', "ALTER FOREIGN TABLE t OPTIONS (SET keyspace 't')", ""},
          {'A', "BEGIN; DELETE FROM t WHERE k = 1", ""},
          {'B', "DROP SERVER kv CASCADE", STEP_WAITS}, {'A', "SELECT count(*) FROM t", "2"},
          {'A', "COMMIT", ""}, {'B', NULL, ""}, {'A', "SELECT count(*) FROM t", "42P01"});
}

static void what_is_dropped_has_been_written(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES (3, 3, 'three')", ""},
          {'A', "DROP SERVER kv CASCADE", ""}, {'A', "COMMIT", ""});
    session_do(session_open(),
               "CREATE SERVER kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '%s');"
               "CREATE USER MAPPING FOR PUBLIC SERVER kv;"
               "CREATE FOREIGN TABLE t (k int, n int, v text) SERVER kv",
               stage_hosts());
    STEPS({'A', "SELECT v FROM t WHERE k = 3", "three"},
          {'A', "BEGIN; INSERT INTO t VALUES (4, 4, 'four')", ""},
          {'A', "DROP FOREIGN TABLE t", ""}, {'A', "ROLLBACK", ""},
          {'A', "SELECT count(*) FROM t", "3"});
}

/* The key's columns name it in the error as long as they are what they were. */
static void a_new_key_is_looked_for_whatever_became_of_its_table(void)
{
    static const char *const changes[] = {
        "SELECT 1", "ALTER FOREIGN TABLE new_t ALTER k TYPE bigint",
        "ALTER FOREIGN TABLE new_t DROP k", "DROP FOREIGN TABLE new_t"};
    struct session *session[2];

    stage_with_table();
    for (int i = 0; i < 2; i++)
        session[i] = session_open();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        session_do(session[0], "DELETE FROM t WHERE k = 3;"
                               "DROP FOREIGN TABLE IF EXISTS new_t;"
                               "CREATE FOREIGN TABLE new_t (k int, n int, v text) SERVER kv "
                               "OPTIONS (keyspace 't', on_insert 'error')");
        session_do(session[0], "BEGIN; INSERT INTO new_t VALUES (3, 0, 'three'), (4, 0, 'four')");
        session_do(session[0], "%s", changes[i]);
        session_do(session[1], "INSERT INTO t VALUES (3, 1, 'theirs')");
        CHECK(strcmp(session_ask(session[0], "COMMIT"), "23505") == 0, "%s: %s", changes[i],
              session_message(session[0]));
        CHECK(strstr(session_detail(session[0]), i == 0 ? "(k)=(3)" : "\\x80000003"), "%s: %s",
              changes[i], session_detail(session[0]));
        CHECK(strcmp(session_do(session[1], "SELECT k, v FROM t WHERE k > 2"), "3|theirs") == 0,
              "%s: another row", changes[i]);
    }
}

const struct session_test ddl_tests[] = {
    {"columns come and go under writes that wait", columns_come_and_go_under_writes},
    {"a type that does not fit is an error of reading, and of nothing else",
     a_type_that_does_not_fit_is_an_error_of_reading},
    {"writes go to the server that was there when they were made",
     writes_go_to_the_server_that_was},
    {"a user mapping that goes takes no writes with it",
     a_mapping_that_goes_takes_no_writes_with_it},
    {"other sessions wait to alter a table that was written to",
     other_sessions_wait_to_alter_a_table},
    {"what is dropped after it was written to has been written", what_is_dropped_has_been_written},
    {"a new key is looked for at the commit, whatever became of its table",
     a_new_key_is_looked_for_whatever_became_of_its_table},
    {NULL, NULL},
};
