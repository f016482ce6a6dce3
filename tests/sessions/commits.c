/*
 * commits.c: sessions that commit, or read, all the time, while nodes are killed and come back, one after the
 * other.
 *
 * Where readers take the last value (conflict 'lww') no commit may fail.  The same load goes to a table that
 * shows concurrent values, which nobody may repeat writes to: how many commits fail there tells how many
 * were met by a death.  KILLS=30 makes it a measurement.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sessions/sessions.h"

#define KILLS_DEFAULT 3u
#define WRITERS       4u
#define COMMITS       150u /* one after the other, by one statement */
#define ROWS          100u /* of a commit */

struct writer {
    struct session *session;
    const char *table;
    unsigned began, done; /* statements */
};

struct tally {
    unsigned commits, failed, unknown; /* unknown: 08007 */
};

static void stage_with_tables(void)
{
    struct session *session = session_open();

    stage_set("rocksdb");
    session_do(session, "ALTER SERVER kv OPTIONS (SET deadline '20s', SET connect_timeout '2s')");
    session_do(session, "CREATE FOREIGN TABLE last (k bigint, v text) SERVER kv;"
                        "CREATE FOREIGN TABLE all_values (k bigint, v text) SERVER kv "
                        "OPTIONS (conflict 'siblings')");
    session_close(session);
}

/* The n-th statement of the i-th writer writes rows that nobody else does. */
static void writer_begin(struct writer *writer, unsigned i)
{
    session_begin(writer->session,
                  "DO $$BEGIN FOR c IN 0..%u LOOP INSERT INTO %s SELECT (%u::bigint * 1000 + %u) * "
                  "1000000 + c * %u + r, repeat(md5(r::text), 3) FROM generate_series(0, %u) r; "
                  "COMMIT; END LOOP; END$$",
                  COMMITS - 1, writer->table, i, writer->began, ROWS, ROWS - 1);
    writer->began++;
}

static void writer_end(struct writer *writer, struct tally *tally)
{
    const char *state = session_end(writer->session);

    tally->commits += COMMITS;
    if (!state[0]) {
        writer->done++;
        return;
    }
    tally->failed++;
    tally->unknown += strcmp(state, "08007") == 0;
    printf("    %s: %s: %s %s\n", writer->table, state, session_message(writer->session),
           session_detail(writer->session));
}

static void kill_and_restart(uint32_t victim)
{
    live_node_signal(stage_nodes[victim], SIGKILL);
    live_node_await_exit(stage_nodes[victim]);
    stage_restart(victim);
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_await_members(stage_nodes[i], STAGE_NODES, 0);
}

/* All of them write when a node dies, and until it is back. */
static void kill_one(struct writer *writers, struct tally tallies[2], uint32_t victim)
{
    for (unsigned i = 0; i < WRITERS; i++)
        writer_begin(&writers[i], i);
    for (unsigned i = 0; i < WRITERS; i++)
        session_await_waiting(writers[i].session);
    kill_and_restart(victim);
    for (unsigned i = 0; i < WRITERS; i++)
        writer_end(&writers[i], &tallies[i % 2]);
}

static void check_rows(const struct writer *writer, unsigned i)
{
    const char *there =
        session_do(writer->session, "SELECT count(*) FROM last WHERE k / 1000000000 = %u", i);

    CHECK(strtoul(there, NULL, 10) == (unsigned long)writer->done * COMMITS * ROWS,
          "%s rows are there, of %u statements of %u", there, writer->done, COMMITS * ROWS);
}

static void commits_while_nodes_die(void)
{
    const char *asked = getenv("KILLS");
    unsigned kills = asked ? (unsigned)strtoul(asked, NULL, 10) : KILLS_DEFAULT;
    struct writer writers[WRITERS];
    struct tally tallies[2] = {{0, 0, 0}, {0, 0, 0}};

    stage_with_tables();
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i] = (struct writer){session_open(), i % 2 ? "all_values" : "last", 0, 0};
    for (unsigned i = 0; i < kills; i++)
        kill_one(writers, tallies, i % STAGE_NODES);
    for (unsigned i = 0; i < 2; i++)
        printf("    conflict %s: %u kills, %u commits of %u rows, %u failed, %u of them 08007\n",
               i ? "'siblings'" : "'lww'", kills, tallies[i].commits, ROWS, tallies[i].failed,
               tallies[i].unknown);
    CHECK(tallies[0].failed == 0, "commits failed");
    for (unsigned i = 0; i < WRITERS; i += 2)
        check_rows(&writers[i], i);
}

/* ---- reading ---- */

#define READERS 4u

/* Each reads in another way, and raises an error if a row is missing or another one. */
static const char *const reads[READERS] = {
    "ASSERT (SELECT v FROM last WHERE k = i % 3000) = 'v' || i % 3000",
    "ASSERT (SELECT count(*) FROM last WHERE k = ANY (ARRAY(SELECT (i * 7 + x * 13) % 3000 FROM "
    "generate_series(0, 99) x))) = 100",
    "ASSERT (SELECT count(DISTINCT k) = 500 AND min(k) = i AND max(k) = i + 499 FROM "
    "(SELECT k FROM last WHERE k >= i ORDER BY k LIMIT 500) p)",
    "ASSERT (SELECT count(*) = 3000 AND count(DISTINCT k) = 3000 AND bool_and(v = 'v' || k) "
    "FROM last)",
};

/* Until the table `over` has a row: what the victims' deaths are, another session says. */
static void reader_begin(struct session *session, unsigned i)
{
    session_begin(session,
                  "DO $$DECLARE i int := 0; BEGIN WHILE NOT EXISTS (SELECT FROM over) LOOP %s; "
                  "i := (i + 1) %% 2000; COMMIT; END LOOP; END$$",
                  reads[i]);
}

static void reads_while_nodes_die(void)
{
    struct session *readers[READERS], *session;

    stage_with_tables();
    session = session_open();
    session_do(session, "ALTER FOREIGN TABLE last OPTIONS (ADD fetch_size '50');"
                        "INSERT INTO last SELECT k, 'v' || k FROM generate_series(0, 2999) k;"
                        "CREATE TABLE over (x int)");
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = session_open();
    for (unsigned i = 0; i < READERS; i++)
        reader_begin(readers[i], i);
    for (uint32_t i = 0; i < STAGE_NODES; i++) {
        session_await_waiting(readers[i]);
        kill_and_restart(i);
    }
    for (unsigned i = 0; i < READERS; i++)
        if (!session_is_busy(readers[i])) {
            const char *state = session_end(readers[i]);

            CHECK(false, "%s: %s %s %s", reads[i], state, session_message(readers[i]),
                  session_detail(readers[i]));
        }
    session_do(session, "INSERT INTO over VALUES (1)");
    for (unsigned i = 0; i < READERS; i++)
        CHECK(session_end(readers[i])[0] == 0, "%s: %s %s", reads[i], session_message(readers[i]),
              session_detail(readers[i]));
}

const struct session_test commit_tests[] = {
    {"no commit fails while nodes die and come back, one after the other", commits_while_nodes_die},
    {"no read notices that nodes die and come back, one after the other", reads_while_nodes_die},
    {NULL, NULL},
};
