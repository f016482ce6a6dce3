/*
 * differential.h: the two sides, what statements gave there, and runs of a seed.
 */
#ifndef DYNKV_TESTS_DIFFERENTIAL_H
#define DYNKV_TESTS_DIFFERENTIAL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "generate.h"

/* ---- a side (side.c): one session, whose search_path leads to its tables ---- */

enum { FOREIGN, LOCAL, SIDES };

struct outcome {
    char sqlstate[6]; /* empty: no error */
    char tag[64];
    char *message; /* NULL: none */
    char **rows;   /* each its fields; of COPY TO, its line */
    char **heads;  /* each the columns that come in order */
    unsigned row_count, row_room;
    unsigned column_count;
    Oid types[64];
};

/* Parameters in binary. */
struct bound {
    PGresult *result; /* has the bytes */
    Oid types[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
};

struct side {
    PGconn *connection;
    bool is_foreign;
};

/* Ends the program if there is no server; after a crash of the server it waits for it. */
/* settings: "-c name=value", or "". */
void side_connect(struct side *side, bool is_foreign, unsigned worker, const char *settings);
void side_close(struct side *side);
/*
 * Sends, then collects: both sides may run at once.  The outcome is cleared first.  bound: of a statement that
 * is_bound.
 */
void side_send(struct side *side, const struct statement *statement, const struct bound *bound);
void side_receive(struct side *side, const struct statement *statement, struct outcome *outcome);
/* What must succeed. */
void side_run(struct side *side, const char *sql);
void outcome_clear(struct outcome *outcome);

/* ---- parameters (bind.c) ---- */

/* values: a session of its own, which no statement is run in. */
void bind_values(struct side *values, const struct statement *statement, struct bound *bound);
void bind_free(struct bound *bound);
/* What the statement owns; prints it as a line of a script. */
void statement_free(struct statement *statement);
void statement_show(const struct statement *statement);

/* ---- agreement (compare.c, differences.c) ---- */

/* NULL: both sides agree; else what differs.  Sorts the rows. */
const char *compare(const struct statement *statement, struct outcome outcomes[SIDES]);
/* Whether the two error classes may differ so, for a reason written there. */
bool is_documented(const char *foreign, const char *local);

/* ---- a seed (run.c) ---- */

struct history {
    struct statement *list;
    unsigned count, room;
};

struct run {
    uint64_t seed;
    unsigned worker;
    bool traces;       /* prints every statement with its outcome */
    bool is_sabotaged; /* the ordinary side gets a row of its own */
    struct side sides[SIDES], values;
    struct tables tables;
    struct history history; /* owns its statements */
    struct outcome outcomes[SIDES];
    unsigned errors;        /* statements that failed, on both sides */
    const char *difference; /* of the last statement; NULL: none */
};

/* Once for all workers: types, server, schema `kind`. */
void run_prepare_database(const char *hosts);
/* New tables, new sessions. */
void run_begin(struct run *run, uint64_t seed, unsigned worker);
void run_end(struct run *run);
/* On both sides; false: they differ. */
bool run_statement(struct run *run, const struct statement *statement);
/* A whole seed; false: a statement differed, the last of the history. */
bool run_seed(struct run *run, unsigned statements);

/* shrink.c: takes statements away as long as the sides differ, for at most so long. */
void shrink(struct run *run, unsigned seconds);

#endif
