/*
 * isolation.c: two sessions in turn, as in PostgreSQL's isolation tests: what each sees of the other's
 * writes, and what becomes of writes that meet.  docs/transactions.md promises it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sessions/steps.h"

static void stage_with_table(void)
{
    struct session *session = session_open();

    stage_set("memory");
    session_do(session, "CREATE FOREIGN TABLE t (k text, n text) SERVER kv "
                        "OPTIONS (keyspace 't', format 'raw');"
                        "CREATE FOREIGN TABLE new_t (k text, n text) SERVER kv "
                        "OPTIONS (keyspace 't', format 'raw', on_insert 'error');"
                        "CREATE FOREIGN TABLE now_t (k text, n text) SERVER kv "
                        "OPTIONS (keyspace 't', format 'raw', write_mode 'immediate');"
                        "INSERT INTO t VALUES ('a', '1'), ('b', '1'), ('c', '1')");
    session_close(session);
}

/* How many values of a key the cluster keeps. */
static uint32_t siblings_of(const char *key)
{
    struct live_client *client = live_client_open(live_node_client_url(stage_nodes[0]));
    enum dynkv_error error;
    char value[256];
    uint32_t count = live_get(client, live_keyspace(client, "t", 3, 2, 2), key, 3, value, &error);

    CHECK(error == DYNKV_OK, "%s: %s", key, dynkv_error_name(error));
    live_client_close(client);
    return count;
}

static void nobody_sees_writes_before_the_commit(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN", ""}, {'A', "INSERT INTO t VALUES ('d', '1')", ""},
          {'A', "UPDATE t SET n = '2' WHERE k = 'a'", ""}, {'A', "DELETE FROM t WHERE k = 'b'", ""},
          {'A', "SELECT * FROM t ORDER BY k", "a|2; c|1; d|1"},
          {'B', "SELECT * FROM t ORDER BY k", "a|1; b|1; c|1"},
          {'B', "SELECT n FROM t WHERE k = 'a'", "1"}, {'B', "SELECT n FROM t WHERE k = 'd'", ""},
          {'B', "SELECT count(*) FROM t WHERE k IN ('a', 'b', 'd')", "2"}, {'A', "COMMIT", ""},
          {'B', "SELECT * FROM t ORDER BY k", "a|2; c|1; d|1"});
    STEPS({'A', "BEGIN; DELETE FROM t", ""}, {'B', "SELECT count(*) FROM t", "3"},
          {'A', "SELECT count(*) FROM t", "0"}, {'A', "ROLLBACK", ""},
          {'A', "SELECT count(*) FROM t", "3"}, {'B', "SELECT count(*) FROM t", "3"});
}

static void reads_see_what_others_have_committed(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN ISOLATION LEVEL REPEATABLE READ", ""},
          {'A', "SELECT n FROM t WHERE k = 'a'", "1"},
          {'B', "UPDATE t SET n = '2' WHERE k = 'a'", ""},
          {'A', "SELECT n FROM t WHERE k = 'a'", "2"}, {'A', "INSERT INTO t VALUES ('d', '1')", ""},
          {'B', "DELETE FROM t WHERE k = 'c'", ""},
          {'A', "SELECT * FROM t ORDER BY k", "a|2; b|1; d|1"}, {'A', "COMMIT", ""});
}

static void own_writes_hide_those_of_others(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN", ""}, {'A', "UPDATE t SET n = '2' WHERE k = 'a'", ""},
          {'A', "DELETE FROM t WHERE k = 'b'", ""},
          {'B', "UPDATE t SET n = '3' WHERE k IN ('a', 'b')", ""},
          {'A', "SELECT * FROM t ORDER BY k", "a|2; c|1"}, {'A', "ROLLBACK", ""},
          {'A', "SELECT * FROM t ORDER BY k", "a|3; b|3; c|1"});
}

static void concurrent_updates_are_both_kept(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; UPDATE t SET n = '2' WHERE k = 'a'", ""},
          {'B', "UPDATE t SET n = '3' WHERE k = 'a'", ""}, {'A', "COMMIT", ""},
          {'B', "SELECT n FROM t WHERE k = 'a'", "2"});
    CHECK(siblings_of("a") == 2, "%u values", siblings_of("a"));
    STEPS({'B', "UPDATE t SET n = '4' WHERE k = 'a'", ""},
          {'A', "SELECT n FROM t WHERE k = 'a'", "4"});
    CHECK(siblings_of("a") == 1, "%u values", siblings_of("a"));
}

static void a_delete_hides_and_keeps_what_it_did_not_see(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; DELETE FROM t WHERE k = 'a'", ""},
          {'B', "UPDATE t SET n = '2' WHERE k = 'a'", ""}, {'A', "COMMIT", ""},
          {'A', "SELECT n FROM t WHERE k = 'a'", ""});
    CHECK(siblings_of("a") == 1, "the update is lost");
}

static void inserts_replace_and_the_last_commit_wins(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES ('a', '2')", ""},
          {'B', "INSERT INTO t VALUES ('a', '3')", ""}, {'A', "COMMIT", ""},
          {'B', "SELECT n FROM t WHERE k = 'a'", "2"});
    CHECK(siblings_of("a") == 1, "%u values", siblings_of("a"));
}

static void of_two_inserts_of_a_key_the_second_commit_fails(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO new_t VALUES ('x', 'A')", ""},
          {'B', "BEGIN; INSERT INTO new_t VALUES ('w', 'B'), ('x', 'B'), ('y', 'B')", ""},
          {'A', "COMMIT", ""}, {'B', "SELECT count(*) FROM t WHERE n = 'B'", "3"},
          {'B', "COMMIT", "23505"}, {'B', "SELECT k, n FROM t WHERE k > 'c'", "x|A"},
          {'B', "INSERT INTO new_t VALUES ('x', 'B')", "23505"});
    CHECK(siblings_of("x") == 1, "%u values", siblings_of("x"));
    /* A key that was deleted is free, for one. */
    STEPS({'A', "DELETE FROM t WHERE k = 'x'", ""},
          {'A', "BEGIN; INSERT INTO new_t VALUES ('x', 'A')", ""},
          {'B', "INSERT INTO new_t VALUES ('x', 'B')", ""}, {'A', "COMMIT", "23505"},
          {'A', "SELECT n FROM t WHERE k = 'x'", "B"});
    CHECK(siblings_of("x") == 1, "%u values", siblings_of("x"));
    /* What was changed after the insert is an insert still; what was deleted again is nothing. */
    STEPS({'A', "BEGIN; INSERT INTO new_t VALUES ('y', 'A'), ('z', 'A')", ""},
          {'A', "UPDATE new_t SET n = 'A2' WHERE k = 'y'; DELETE FROM t WHERE k = 'z'", ""},
          {'B', "INSERT INTO new_t VALUES ('z', 'B')", ""}, {'A', "COMMIT", ""},
          {'A', "SELECT n FROM t WHERE k > 'x' ORDER BY k", "A2; B"},
          {'A', "BEGIN; INSERT INTO new_t VALUES ('v', 'A')", ""},
          {'A', "UPDATE new_t SET n = 'A2' WHERE k = 'v'", ""},
          {'B', "INSERT INTO t VALUES ('v', 'B')", ""}, {'A', "COMMIT", "23505"});
}

static void rows_that_come_to_a_key_otherwise_fail_like_inserts(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO new_t VALUES ('x', 'A') ON CONFLICT DO NOTHING", ""},
          {'B', "INSERT INTO new_t VALUES ('x', 'B') ON CONFLICT DO NOTHING", ""},
          {'A', "COMMIT", "23505"}, {'A', "BEGIN; UPDATE new_t SET k = 'y' WHERE k = 'a'", ""},
          {'B', "INSERT INTO new_t VALUES ('y', 'B')", ""}, {'A', "COMMIT", "23505"},
          {'A', "SELECT * FROM t ORDER BY k", "a|1; b|1; c|1; x|B; y|B"});
    /* A key that the transaction itself has left is no new one: the version read goes along. */
    STEPS({'A', "BEGIN; UPDATE new_t SET k = chr(ascii(k) + 1) WHERE k < 'd'", ""},
          {'B', "UPDATE t SET n = '2' WHERE k = 'b'", ""}, {'A', "COMMIT", ""},
          {'A', "SELECT * FROM t ORDER BY k", "b|1; c|1; d|1; x|B; y|B"});
    CHECK(siblings_of("b") == 2, "%u values", siblings_of("b"));
}

/* What two sessions insert: the same key, and each one of its own or not. */
struct race {
    const char *table;
    bool has_more;
    unsigned late, both; /* were found out after the write; by neither */
};

/* Whether a session's insert succeeded; if not, it left behind what it should. */
static bool race_end(struct race *race, struct session *session, int i, const char *key)
{
    const char *outcome = session_end(session), *count;
    bool is_late = strstr(session_detail(session), "same moment") != NULL;
    bool won = strcmp(outcome, "") == 0, stays = won || (is_late && race->has_more);

    CHECK(won || strcmp(outcome, stays ? "08007" : "23505") == 0, "%s: %s", outcome,
          session_message(session));
    race->late += is_late;
    count = session_do(session, "SELECT count(*) FROM t WHERE k = '%s of %d'", key, i);
    CHECK(strcmp(count, stays && race->has_more ? "1" : "0") == 0, "%s of %d", key, i);
    return won;
}

/* Whatever the order of their steps is: nobody's row is overwritten, and a row that fails is not there. */
static void race_once(struct race *race, struct session *const session[2], const char *key)
{
    const char *shown;
    bool won[2];

    for (int i = 0; i < 2; i++) {
        if (race->has_more)
            session_begin(session[i], "INSERT INTO %s VALUES ('%s', '%d'), ('%s of %d', '')",
                          race->table, key, i, key, i);
        else
            session_begin(session[i], "INSERT INTO %s VALUES ('%s', '%d')", race->table, key, i);
    }
    for (int i = 0; i < 2; i++)
        won[i] = race_end(race, session[i], i, key);
    CHECK(won[0] || won[1], "%s: both have failed", key);
    race->both += won[0] && won[1];
    shown = session_do(session[0], "SELECT n FROM t WHERE k = '%s'", key);
    CHECK(won[atoi(shown)], "%s: the row of who failed is shown", key);
    CHECK(siblings_of(key) == (won[0] && won[1] ? 2u : 1u), "%s: %u values", key, siblings_of(key));
}

#define RACES 50

static void inserts_that_meet_overwrite_nobody(void)
{
    struct race races[] = {
        {.table = "new_t"}, {.table = "new_t", .has_more = true}, {.table = "new_now_t"}};
    struct session *session[2];

    stage_with_table();
    for (int i = 0; i < 2; i++)
        session[i] = session_open();
    session_do(session[0],
               "CREATE FOREIGN TABLE new_now_t (k text, n text) SERVER kv OPTIONS "
               "(keyspace 't', format 'raw', on_insert 'error', write_mode 'immediate')");
    for (size_t at = 0; at < sizeof races / sizeof *races; at++) {
        for (int i = 0; i < RACES; i++) {
            char key[32];

            snprintf(key, sizeof key, "race %zu %d", at, i);
            race_once(&races[at], session, key);
        }
        printf("    %s%s: of %d races %u were found out after the write, %u by neither\n",
               races[at].table, races[at].has_more ? ", with other rows" : "", RACES,
               races[at].late, races[at].both);
    }
}

static void savepoints_are_nobody_elses_business(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; INSERT INTO t VALUES ('d', '1')", ""},
          {'A', "SAVEPOINT s; UPDATE t SET n = '2'", ""},
          {'A', "SELECT string_agg(n, '' ORDER BY k) FROM t", "2222"},
          {'B', "UPDATE t SET n = '3' WHERE k = 'c'", ""},
          {'A', "SELECT string_agg(n, '' ORDER BY k) FROM t", "2222"}, {'A', "ROLLBACK TO s", ""},
          {'A', "SELECT string_agg(n, '' ORDER BY k) FROM t", "1131"},
          {'A', "UPDATE t SET n = '4' WHERE k = 'b'", ""},
          {'B', "SELECT string_agg(n, '' ORDER BY k) FROM t", "113"}, {'A', "RELEASE s", ""},
          {'A', "COMMIT", ""}, {'B', "SELECT string_agg(n, '' ORDER BY k) FROM t", "1431"});
    CHECK(siblings_of("c") == 1, "a write that was taken back is there");
}

static void cursors_keep_what_they_saw_of_their_own(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; UPDATE t SET n = '2' WHERE k = 'a'", ""},
          {'A', "DECLARE c CURSOR FOR SELECT * FROM t ORDER BY k", ""}, {'A', "DELETE FROM t", ""},
          {'A', "INSERT INTO t VALUES ('e', '9')", ""}, {'A', "FETCH 1 FROM c", "a|2"},
          {'A', "FETCH ALL FROM c", "b|1; c|1"}, {'B', "SELECT count(*) FROM t", "3"},
          {'A', "DECLARE h CURSOR WITH HOLD FOR SELECT * FROM t", ""}, {'A', "COMMIT", ""},
          {'B', "DELETE FROM t", ""}, {'A', "FETCH ALL FROM h", "e|9"});
}

static void immediate_writes_are_seen_at_once(void)
{
    stage_with_table();
    STEPS({'A', "BEGIN; UPDATE now_t SET n = '2' WHERE k = 'a'", ""},
          {'B', "SELECT n FROM t WHERE k = 'a'", "2"}, {'A', "ROLLBACK", ""},
          {'B', "SELECT n FROM t WHERE k = 'a'", "2"});
    /* What waits for the commit would come after it, so that it is refused. */
    STEPS({'A', "BEGIN; UPDATE t SET n = '3' WHERE k = 'a'", ""}, {'A', "SAVEPOINT s", ""},
          {'A', "INSERT INTO now_t VALUES ('d', '1')", ""},
          {'A', "UPDATE now_t SET n = '4' WHERE k = 'a'", "55000"},
          {'B', "SELECT * FROM t ORDER BY k", "a|2; b|1; c|1; d|1"}, {'A', "ROLLBACK TO s", ""},
          {'A', "COMMIT", ""}, {'B', "SELECT n FROM t WHERE k = 'a'", "3"});
    STEPS({'A', "BEGIN; UPDATE now_t SET n = '5' WHERE k = 'a'", ""},
          {'A', "UPDATE t SET n = '6' WHERE k = 'a'", ""}, {'A', "COMMIT", ""},
          {'B', "SELECT n FROM t WHERE k = 'a'", "6"});
    CHECK(siblings_of("a") == 1, "%u values", siblings_of("a"));
}

/* ---- rows that are looked at again after a lock was waited for ---- */

#define LOOKUP_JOIN_ALONE \
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off"

static void join_locked_rows(const char *settings)
{
    stage_with_table();
    STEPS({'B', settings, ""},
          {'A',
           "CREATE TABLE l (id int PRIMARY KEY, k text, n int);"
           "INSERT INTO l VALUES (1, 'a', 0), (2, 'b', 0)",
           ""},
          /* another column: the row joins still, and is the new one */
          {'A', "BEGIN; UPDATE l SET n = 1 WHERE id = 1", ""},
          {'B', "SELECT l.*, t.n FROM l JOIN t ON t.k = l.k WHERE l.id = 1 FOR UPDATE", STEP_WAITS},
          {'A', "COMMIT", ""}, {'B', NULL, "1|a|1|1"},
          /* the column of the join: as with local tables, the old partner does not fit any more */
          {'A', "BEGIN; UPDATE l SET k = 'c' WHERE id = 1", ""},
          {'B', "SELECT l.*, t.n FROM l JOIN t ON t.k = l.k WHERE l.id = 1 FOR UPDATE OF l",
           STEP_WAITS},
          {'A', "COMMIT", ""}, {'B', NULL, ""},
          {'A', "BEGIN; UPDATE l SET k = 'a' WHERE id = 1", ""},
          {'B', "SELECT l.*, t.n FROM l LEFT JOIN t ON t.k = l.k WHERE l.id = 1 FOR UPDATE OF l",
           STEP_WAITS},
          {'A', "COMMIT", ""}, {'B', NULL, "1|a|1|"});
}

static void locked_rows_join_what_they_have_become(void)
{
    join_locked_rows("SET dynkv_fdw.enable_lookup_join = off");
}

static void locked_rows_are_looked_up_as_they_have_become(void)
{
    join_locked_rows(LOOKUP_JOIN_ALONE);
}

static void locked_rows_join_by_every_plan(void)
{
    static const char *const plans[] = {
        "SET enable_hashjoin = off; SET enable_mergejoin = off",
        "SET enable_hashjoin = off; SET enable_nestloop = off",
        "SET enable_mergejoin = off; SET enable_nestloop = off",
        "SET dynkv_fdw.enable_lookup_join = on; " LOOKUP_JOIN_ALONE,
    };

    stage_with_table();
    STEPS({'A',
           "CREATE TABLE l (id int, k text, n int);"
           "INSERT INTO l VALUES (1, 'a', 0), (2, 'b', 0)",
           ""});
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        STEPS({'B',
               "RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop;"
               "SET dynkv_fdw.enable_lookup_join = off",
               ""},
              {'B', plans[i], ""}, {'A', "UPDATE l SET n = 0", ""},
              {'A', "BEGIN; UPDATE l SET n = 7 WHERE id = 1", ""},
              {'B',
               "WITH u AS (UPDATE l SET n = l.n + t.n::int FROM t WHERE t.k = l.k RETURNING l.*) "
               "SELECT * FROM u ORDER BY id",
               STEP_WAITS},
              {'A', "COMMIT", ""});
        CHECK(strcmp(session_do(session_open(), "SELECT 1"), "1") == 0, "a third session");
        STEPS({'B', NULL, "1|a|8; 2|b|1"});
        STEPS(
            {'A', "BEGIN; UPDATE l SET k = 'c' WHERE id = 1", ""},
            {'B', "DELETE FROM l USING t WHERE t.k = l.k AND t.k <> 'b' RETURNING l.*", STEP_WAITS},
            {'A', "COMMIT", ""}, {'B', NULL, ""}, {'A', "UPDATE l SET k = 'a' WHERE id = 1", ""});
    }
}

const struct session_test isolation_tests[] = {
    {"nobody sees writes before the commit", nobody_sees_writes_before_the_commit},
    {"reads see what others have committed", reads_see_what_others_have_committed},
    {"a transaction's own writes hide those of others", own_writes_hide_those_of_others},
    {"concurrent updates are both kept, and the next one settles them",
     concurrent_updates_are_both_kept},
    {"a delete hides a concurrent update, which is kept",
     a_delete_hides_and_keeps_what_it_did_not_see},
    {"inserts replace, and the last commit wins", inserts_replace_and_the_last_commit_wins},
    {"of two inserts of a key the second commit fails, and leaves nothing",
     of_two_inserts_of_a_key_the_second_commit_fails},
    {"rows that come to a key otherwise fail like inserts",
     rows_that_come_to_a_key_otherwise_fail_like_inserts},
    {"inserts that meet overwrite nobody", inserts_that_meet_overwrite_nobody},
    {"savepoints are nobody else's business", savepoints_are_nobody_elses_business},
    {"cursors keep what they saw of their transaction's writes",
     cursors_keep_what_they_saw_of_their_own},
    {"immediate writes are seen at once, and never undone by the commit",
     immediate_writes_are_seen_at_once},
    {"rows that were locked join what they have become", locked_rows_join_what_they_have_become},
    {"rows that were locked are looked up as what they have become",
     locked_rows_are_looked_up_as_they_have_become},
    {"rows that were locked join by every plan", locked_rows_join_by_every_plan},
    {NULL, NULL},
};
