/*
 * dying.c: nodes that die under a session.  What COMMIT says is true: success, which it is while there is a quorum,
 * means every row is there; 08007 means that what was acknowledged is there, and every row is the old
 * one or the new one, whole.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sessions/sessions.h"

#define ROWS 3000u

/* ---- the tables ---- */

/* v is long, and tells of itself whether it is whole. */
#define WHOLE    "v = n || ':' || k || ':' || repeat(md5(n || ':' || k), 10)"
#define VALUE(n) #n " || ':' || k || ':' || repeat(md5(" #n " || ':' || k), 10)"

static struct session *stage_with_rows(void)
{
    struct session *session = session_open();

    stage_set("rocksdb");
    session_do(session, "ALTER SERVER kv OPTIONS (SET deadline '4s', SET connect_timeout '1s');"
                        "CREATE FOREIGN TABLE t (k int, n int, v text) SERVER kv "
                        "OPTIONS (batch_size '50');"
                        "CREATE FOREIGN TABLE t_all (k int, n int, v text) SERVER kv "
                        "OPTIONS (keyspace 't', r '3')");
    session_do(session, "INSERT INTO t SELECT k, 0, %s FROM generate_series(1, %u) k", VALUE(0),
               ROWS);
    return session;
}

static unsigned ask_number(struct session *session, const char *sql)
{
    return (unsigned)strtoul(session_do(session, "%s", sql), NULL, 10);
}

/* "Of 3000 rows 1200 were acknowledged, ..." */
static unsigned acknowledged_of(const struct session *session)
{
    const char *at = strstr(session_detail(session), "rows ");

    CHECK(at, "the error does not say how many were acknowledged: %s", session_detail(session));
    return (unsigned)strtoul(at + strlen("rows "), NULL, 10);
}

/* ---- a commit that a node's death meets ---- */

/* The flush has begun when another session sees the first of its rows. */
static bool has_begun(void *other)
{
    return ask_number(other, "SELECT count(*) FROM t WHERE n = 1 AND k <= 50") > 0;
}

/* What the commit of all rows ended with, when the victims got the signal in the middle of it. */
static const char *commit_while_dying(struct session *session, struct session *other,
                                      uint32_t victims, int signal)
{
    session_do(session, "BEGIN");
    session_do(session, "UPDATE t SET n = 1, v = %s", VALUE(1));
    session_begin(session, "COMMIT");
    live_await(has_begun, other, "the commit has begun");
    for (uint32_t i = 0; i < victims; i++)
        live_node_signal(stage_nodes[STAGE_NODES - 1 - i], signal);
    return session_end(session);
}

static void bring_back(uint32_t victims)
{
    for (uint32_t i = 0; i < victims; i++)
        live_node_await_exit(stage_nodes[STAGE_NODES - 1 - i]);
    for (uint32_t i = 0; i < victims; i++)
        stage_restart(STAGE_NODES - 1 - i);
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_await_members(stage_nodes[i], STAGE_NODES, 0);
}

static void check_outcome(struct session *session, const char *state, unsigned acknowledged)
{
    unsigned new_rows = ask_number(session, "SELECT count(*) FROM t_all WHERE n = 1");

    printf("    the commit: %s; %u rows were acknowledged, %u are there\n",
           state[0] ? state : "success", acknowledged, new_rows);
    CHECK(new_rows >= acknowledged, "rows that were acknowledged are lost");
    CHECK(ask_number(session, "SELECT count(*) FROM t_all") == ROWS, "rows are lost");
    CHECK(ask_number(session, "SELECT count(*) FROM t_all WHERE NOT (" WHOLE ")") == 0,
          "a row is neither the old one nor the new one");
}

static void commit_with_dying_nodes(uint32_t victims)
{
    struct session *session = stage_with_rows();
    struct session *other = session_open();
    char state[8];
    unsigned acknowledged = ROWS;

    snprintf(state, sizeof state, "%s", commit_while_dying(session, other, victims, SIGKILL));
    if (state[0]) {
        CHECK(victims > 1, "%s: %s %s", state, session_message(session), session_detail(session));
        CHECK(strcmp(state, "08007") == 0, "%s: %s", state, session_message(session));
        acknowledged = acknowledged_of(session);
    }
    if (victims > 1) {
        const char *read_state = session_ask(session, "SELECT count(*) FROM t");

        CHECK(strcmp(read_state, "08006") == 0 && session_message(session)[0],
              "a read without a quorum: %s", read_state);
        CHECK(strcmp(session_ask(session, "INSERT INTO t VALUES (1, 2, 'x')"), "08007") == 0,
              "a write without a quorum: %s", session_message(session));
        session_do(session, "SELECT 1");
    }
    bring_back(victims);
    if (victims > 1) /* that one may or may not have been written, and it is to be whole again */
        session_do(session, "UPDATE t SET n = 1, v = %s WHERE k = 1", VALUE(1));
    check_outcome(session, state, acknowledged);
}

static void one_node_dies_in_a_commit(void)
{
    commit_with_dying_nodes(1);
}

static void two_nodes_die_in_a_commit(void)
{
    commit_with_dying_nodes(2);
}

static void one_node_stops_in_a_commit(void)
{
    struct session *session = stage_with_rows();
    struct session *other = session_open();
    uint64_t began_ms = live_now_ms();
    const char *state = commit_while_dying(session, other, 1, SIGSTOP);

    CHECK(state[0] == 0, "%s: %s %s", state, session_message(session), session_detail(session));
    printf("    the commit: %llu ms\n", (unsigned long long)(live_now_ms() - began_ms));
    live_node_signal(stage_nodes[STAGE_NODES - 1], SIGCONT);
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_await_members(stage_nodes[i], STAGE_NODES, 0);
    check_outcome(session, "", ROWS);
}

/* ---- between statements ---- */

static void a_node_restarts_between_statements(void)
{
    struct session *session = stage_with_rows();

    for (uint32_t i = 0; i < STAGE_NODES; i++) {
        CHECK(ask_number(session, "SELECT count(*) FROM t_all") == ROWS, "rows are lost");
        live_node_signal(stage_nodes[i], SIGTERM);
        CHECK(live_node_await_exit(stage_nodes[i]) == 0, "a node ended badly");
        stage_restart(i);
        for (uint32_t j = 0; j < STAGE_NODES; j++)
            live_await_members(stage_nodes[j], STAGE_NODES, 0);
        CHECK(ask_number(session, "SELECT n FROM t_all WHERE k = 77") == 0, "another row");
        session_do(session, "INSERT INTO t SELECT k, 0, %s FROM generate_series(1, 100) k",
                   VALUE(0));
    }
    CHECK(ask_number(session, "SELECT sum(reconnects) FROM dynkv_fdw_session()") > 0,
          "nothing had to be connected again: this test tests nothing");
}

static void a_node_moves_between_statements(void)
{
    static const char *const names[STAGE_NODES] = {"n1", "n2", "n3"};
    struct session *session = stage_with_rows();
    char before[DYNKV_URL_MAX + 1];

    /* The first and the second of the hosts that the server was given are nobody's in the end. */
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(ask_number(session, "SELECT count(*) FROM t_all") == ROWS, "rows are lost");
        live_node_signal(stage_nodes[i], SIGTERM);
        CHECK(live_node_await_exit(stage_nodes[i]) == 0, "a node ended badly");
        snprintf(before, sizeof before, "%s", live_node_client_url(stage_nodes[i]));
        live_node_start(
            &(struct live_node_options){.name = names[i], .client_url = "tcp://127.0.0.1:0"});
        live_node_await_ready(stage_nodes[i]);
        CHECK(strcmp(before, live_node_client_url(stage_nodes[i])) != 0, "it has not moved");
        for (uint32_t j = 0; j < STAGE_NODES; j++)
            live_await_members(stage_nodes[j], STAGE_NODES, 0);
    }
    CHECK(ask_number(session, "SELECT count(*) FROM t_all") == ROWS, "rows are lost");
    session_do(session, "UPDATE t SET n = 1, v = %s", VALUE(1));
    check_outcome(session, "", ROWS);
}

/* ---- in the middle of a scan ---- */

/* A function that fetches from a cursor and keeps what it saw. */
static void can_see(struct session *session)
{
    session_do(session, "CREATE TEMP TABLE seen (k int)");
    session_do(
        session,
        "CREATE FUNCTION pg_temp.see(c refcursor, rows int) RETURNS void LANGUAGE plpgsql "
        "AS $$DECLARE k int; BEGIN FOR i IN 1..rows LOOP FETCH c INTO k; EXIT WHEN NOT FOUND; "
        "INSERT INTO seen VALUES (k); END LOOP; END$$");
}

/* All rows come, each once, though a node is lost after the first ones. */
static void scan_and_lose_a_node(int signal)
{
    struct session *session = stage_with_rows();
    uint64_t began_ms;

    session_do(session, "ALTER FOREIGN TABLE t OPTIONS (ADD fetch_size '10')");
    can_see(session);
    session_do(session, "BEGIN; DECLARE c CURSOR FOR SELECT k FROM t WHERE n >= 0");
    session_do(session, "SELECT pg_temp.see('c', 100)");
    live_node_signal(stage_nodes[1], signal);
    began_ms = live_now_ms();
    session_do(session, "SELECT pg_temp.see('c', %u)", 2 * ROWS);
    printf("    the rest of the scan: %llu ms\n", (unsigned long long)(live_now_ms() - began_ms));
    CHECK(ask_number(session, "SELECT count(*) FROM seen") == ROWS, "%s rows were seen",
          session_do(session, "SELECT count(*) FROM seen"));
    CHECK(ask_number(session, "SELECT count(DISTINCT k) FROM seen") == ROWS, "rows came twice");
    session_do(session, "COMMIT");
    began_ms = live_now_ms();
    session_do(session, "UPDATE t SET n = 1, v = %s WHERE k <= 100", VALUE(1));
    printf("    100 rows updated: %llu ms\n", (unsigned long long)(live_now_ms() - began_ms));
    CHECK(ask_number(session, "SELECT count(*) FROM t WHERE n = 1") == 100, "rows are not updated");
}

static void a_node_dies_in_a_scan(void)
{
    scan_and_lose_a_node(SIGKILL);
}

static void a_node_stops_in_a_scan(void)
{
    scan_and_lose_a_node(SIGSTOP);
}

/* Batches that are on their way, and those after them, find other replicas. */
static void a_node_dies_in_a_lookup_join(void)
{
    struct session *session = stage_with_rows();

    session_do(session, "ALTER FOREIGN TABLE t OPTIONS (ADD fetch_size '10')");
    session_do(session, "SET enable_hashjoin = off; SET enable_mergejoin = off;"
                        "SET enable_nestloop = off");
    can_see(session);
    session_do(session, "BEGIN; DECLARE c CURSOR FOR "
                        "SELECT t.k FROM generate_series(1, 6000) g LEFT JOIN t ON t.k = g");
    session_do(session, "SELECT pg_temp.see('c', 100)");
    live_node_signal(stage_nodes[1], SIGKILL);
    session_do(session, "SELECT pg_temp.see('c', %u)", 2 * ROWS);
    CHECK(ask_number(session, "SELECT count(*) FROM seen") == 2 * ROWS, "outer rows are lost");
    CHECK(ask_number(session, "SELECT count(DISTINCT k) FROM seen") == ROWS, "rows are lost");
    session_do(session, "COMMIT");
}

/* ---- all of them ---- */

static void all_nodes_restart_under_a_transaction(void)
{
    struct session *session = stage_with_rows();

    session_do(session, "BEGIN; UPDATE t SET n = 1, v = %s WHERE k <= 100", VALUE(1));
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_node_signal(stage_nodes[i], SIGTERM);
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        CHECK(live_node_await_exit(stage_nodes[i]) == 0, "a node ended badly");
    session_do(session, "SAVEPOINT s");
    CHECK(strcmp(session_ask(session, "SELECT count(*) FROM t"), "08006") == 0, "%s",
          session_message(session));
    session_do(session, "ROLLBACK TO s");
    CHECK(ask_number(session, "SELECT 1") == 1, "the session is lost");
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        stage_restart(i);
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_await_members(stage_nodes[i], STAGE_NODES, 0);
    CHECK(ask_number(session, "SELECT count(*) FROM t WHERE n = 1") == 100, "own writes are lost");
    session_do(session, "COMMIT");
    check_outcome(session, "", 100);
}

const struct session_test dying_tests[] = {
    {"a commit that a node's death meets succeeds, and tells the truth", one_node_dies_in_a_commit},
    {"a commit does not fail for a node that has stopped", one_node_stops_in_a_commit},
    {"a commit that loses its quorum tells the truth, and the session lives on",
     two_nodes_die_in_a_commit},
    {"a session does not notice that nodes restart between its statements",
     a_node_restarts_between_statements},
    {"a session does not notice that nodes move between its statements",
     a_node_moves_between_statements},
    {"a scan and an update do not notice that a node dies", a_node_dies_in_a_scan},
    {"a scan and an update do not wait for a node that has stopped", a_node_stops_in_a_scan},
    {"a lookup join does not notice that a node dies", a_node_dies_in_a_lookup_join},
    {"a transaction outlives the restart of all nodes", all_nodes_restart_under_a_transaction},
    {NULL, NULL},
};
