/*
 * run.c: a seed: its tables, its statements, and the comparison of all rows every now and then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differential.h"

#define COMPARE_EVERY 20u
/* Every so many seeds prefer lookup joins: for tables of few rows other joins are as good. */
#define LOOKUPS_EVERY 4u

static const char *const database_ddl[] = {
    "CREATE EXTENSION IF NOT EXISTS dynkv_fdw SCHEMA public",
    "DROP SCHEMA IF EXISTS kind CASCADE",
    "DROP SERVER IF EXISTS kind_kv CASCADE",
    "CREATE SCHEMA kind",
    "CREATE TYPE kind.mood AS ENUM ('sad', 'ok', 'happy', 'very happy')",
    "CREATE TYPE kind.pair AS (a int, b text)",
    "CREATE DOMAIN kind.small AS int CHECK (VALUE BETWEEN -10 AND 1000)",
};

void run_prepare_database(const char *hosts)
{
    struct side side;
    struct text sql = {0};

    side_connect(&side, false, 0, "");
    side_run(&side, "SET client_min_messages = warning");
    for (unsigned i = 0; i < sizeof database_ddl / sizeof database_ddl[0]; i++)
        side_run(&side, database_ddl[i]);
    text_add(&sql, "CREATE SERVER kind_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (deadline '60s', "
                   "connect_timeout '60s', hosts ");
    text_add_quoted(&sql, hosts);
    text_add(&sql, ")");
    side_run(&side, sql.data);
    side_run(&side, "CREATE USER MAPPING FOR PUBLIC SERVER kind_kv");
    text_free(&sql);
    side_close(&side);
}

static void run_create(struct run *run, struct side *side)
{
    struct text ddl = {0};
    char *schema = text_of("%s%u", side->is_foreign ? "foreign_" : "local_", run->worker);
    char *drop = text_of("DROP SCHEMA IF EXISTS %s CASCADE", schema);
    char *create = text_of("CREATE SCHEMA %s", schema);

    side_run(side, drop);
    side_run(side, create);
    tables_ddl(&run->tables, run->seed, side->is_foreign, run->worker, &ddl);
    for (size_t at = 0; at < ddl.len; at += strlen(ddl.data + at) + 1)
        side_run(side, ddl.data + at);
    text_free(&ddl);
    free(schema);
    free(drop);
    free(create);
}

void run_begin(struct run *run, uint64_t seed, unsigned worker)
{
    static const char lookups[] =
        "-c enable_hashjoin=off -c enable_mergejoin=off -c enable_nestloop=off";
    struct dynkv_random random = dynkv_random(seed);

    run->seed = seed;
    run->worker = worker;
    run->difference = NULL;
    tables_choose(&run->tables, &random);
    for (int i = 0; i < SIDES; i++) {
        side_connect(&run->sides[i], i == FOREIGN, worker,
                     i == FOREIGN && seed % LOOKUPS_EVERY == 0 ? lookups : "");
        run_create(run, &run->sides[i]);
    }
    side_connect(&run->values, false, worker, "");
}

void run_end(struct run *run)
{
    for (int i = 0; i < SIDES; i++) {
        side_close(&run->sides[i]);
        outcome_clear(&run->outcomes[i]);
    }
    side_close(&run->values);
}

bool run_statement(struct run *run, const struct statement *statement)
{
    struct bound bound = {0};

    if (statement->is_bound)
        bind_values(&run->values, statement, &bound);
    for (int i = 0; i < SIDES; i++)
        side_send(&run->sides[i], statement, &bound);
    bind_free(&bound);
    for (int i = 0; i < SIDES; i++)
        side_receive(&run->sides[i], statement, &run->outcomes[i]);
    run->difference = compare(statement, run->outcomes);
    if (run->traces) {
        statement_show(statement);
        printf("-- %s%s, %u rows\n", run->outcomes[LOCAL].sqlstate, run->outcomes[LOCAL].tag,
               run->outcomes[LOCAL].row_count);
    }
    run->errors += run->outcomes[LOCAL].sqlstate[0] != 0;
    return !run->difference;
}

static bool run_and_remember(struct run *run, struct statement statement)
{
    struct history *history = &run->history;

    if (history->count == history->room) {
        history->room = history->room ? 2 * history->room : 256;
        history->list = realloc(history->list, history->room * sizeof *history->list);
        if (!history->list)
            abort();
    }
    history->list[history->count++] = statement;
    return run_statement(run, &statement);
}

static enum session_state run_state(const struct run *run)
{
    switch (PQtransactionStatus(run->sides[LOCAL].connection)) {
    case PQTRANS_INTRANS:
        return SESSION_IN_TRANSACTION;
    case PQTRANS_INERROR:
        return SESSION_FAILED;
    default:
        return SESSION_IDLE;
    }
}

/* All rows of all tables, and the log that triggers and blocks write. */
static bool run_contents(struct run *run, struct generator *g)
{
    static const struct table log = {.name = "log"};
    struct statement statement;

    for (unsigned i = 0; i < run->tables.count; i++) {
        generate_contents(&run->tables.list[i], &statement);
        if (!run_and_remember(run, statement))
            return false;
        g->rows[i] = run->outcomes[LOCAL].row_count;
    }
    generate_contents(&log, &statement);
    return run_and_remember(run, statement);
}

bool run_seed(struct run *run, unsigned statements)
{
    struct generator g = {.random = dynkv_random(run->seed ^ 0xd1ffu), .tables = run->tables};
    struct statement statement;
    bool agree = true;

    if (run->is_sabotaged)
        side_run(&run->sides[LOCAL], "INSERT INTO log VALUES ('sabotage')");
    for (unsigned i = 0; i < statements && agree; i++) {
        generate(&g, run_state(run), &statement);
        agree = run_and_remember(run, statement);
        if (agree && i % COMPARE_EVERY == COMPARE_EVERY - 1 && run_state(run) != SESSION_FAILED)
            agree = run_contents(run, &g);
    }
    if (agree && run_state(run) != SESSION_IDLE)
        agree = run_and_remember(run, (struct statement){.sql = strdup("COMMIT")});
    if (agree)
        agree = run_contents(run, &g);
    text_free(&g.out);
    return agree;
}
