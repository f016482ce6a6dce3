/*
 * side.c: see differential.h.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differential.h"

#define RECONNECT_TRIES 300 /* a server that crashed needs a moment */

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static PGconn *connect_once(bool is_foreign, unsigned worker, const char *settings)
{
    char options[512];
    const char *names[] = {"options", "application_name", NULL};
    const char *values[] = {options, "differential", NULL};

    snprintf(options, sizeof options,
             "-c search_path=%s%u -c jit=off -c statement_timeout=60s -c lc_monetary=C "
             "-c lock_timeout=10s -c timezone=UTC %s",
             is_foreign ? "foreign_" : "local_", worker, settings);
    return PQconnectdbParams(names, values, 0);
}

void side_connect(struct side *side, bool is_foreign, unsigned worker, const char *settings)
{
    side->is_foreign = is_foreign;
    side->connection = connect_once(is_foreign, worker, settings);
    for (int i = 0; PQstatus(side->connection) != CONNECTION_OK; i++) {
        if (i == RECONNECT_TRIES) {
            fprintf(stderr, "differential: %s", PQerrorMessage(side->connection));
            exit(2);
        }
        PQfinish(side->connection);
        poll(NULL, 0, 100);
        side->connection = connect_once(is_foreign, worker, settings);
    }
    PQsetNoticeReceiver(side->connection, ignore_notice, NULL);
}

void side_close(struct side *side)
{
    PQfinish(side->connection);
    side->connection = NULL;
}

void side_run(struct side *side, const char *sql)
{
    PGresult *result = PQexec(side->connection, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fprintf(stderr, "differential: %s\nin: %s\n", PQerrorMessage(side->connection), sql);
        exit(2);
    }
    PQclear(result);
}

/* ---- outcomes ---- */

void outcome_clear(struct outcome *outcome)
{
    for (unsigned i = 0; i < outcome->row_count; i++) {
        free(outcome->rows[i]);
        free(outcome->heads[i]);
    }
    free(outcome->rows);
    free(outcome->heads);
    free(outcome->message);
    *outcome = (struct outcome){0};
}

static void outcome_add(struct outcome *outcome, char *row, char *head)
{
    if (outcome->row_count == outcome->row_room) {
        outcome->row_room = outcome->row_room ? 2 * outcome->row_room : 32;
        outcome->rows = realloc(outcome->rows, outcome->row_room * sizeof *outcome->rows);
        outcome->heads = realloc(outcome->heads, outcome->row_room * sizeof *outcome->heads);
        if (!outcome->rows || !outcome->heads)
            abort();
    }
    outcome->heads[outcome->row_count] = head;
    outcome->rows[outcome->row_count++] = row;
}

static void add_hex(struct text *text, const char *bytes, int length)
{
    for (int i = 0; i < length; i++)
        text_add(text, "%02x", (unsigned char)bytes[i]);
}

static char *row_text(const PGresult *result, int row, int columns)
{
    struct text text = {0};

    text_add(&text, "%s", "");
    for (int i = 0; i < columns; i++) {
        text_add(&text, "%s", i > 0 ? " | " : "");
        if (PQgetisnull(result, row, i))
            text_add(&text, "NULL");
        else if (PQfformat(result, i) == 0)
            text_add(&text, "%s", PQgetvalue(result, row, i));
        else
            add_hex(&text, PQgetvalue(result, row, i), PQgetlength(result, row, i));
    }
    return text.data;
}

static void take_rows(const PGresult *result, unsigned ordered, struct outcome *outcome)
{
    int columns = PQnfields(result);
    int head = (int)ordered < columns ? (int)ordered : columns;

    outcome->column_count = (unsigned)columns;
    for (int i = 0; i < columns && i < 64; i++)
        outcome->types[i] = PQftype(result, i);
    for (int row = 0; row < PQntuples(result); row++)
        outcome_add(outcome, row_text(result, row, columns), row_text(result, row, head));
}

static void take_copy(PGconn *connection, unsigned ordered, struct outcome *outcome)
{
    char *line;

    while (PQgetCopyData(connection, &line, 0) > 0) {
        outcome_add(outcome, strdup(line), strdup(ordered ? line : ""));
        PQfreemem(line);
    }
}

static void give_copy(PGconn *connection, const struct statement *statement)
{
    const char *data = statement->copy ? statement->copy : "";

    PQputCopyData(connection, data, (int)strlen(data));
    PQputCopyEnd(connection, NULL);
}

static void take_error(PGconn *connection, const PGresult *result, struct outcome *outcome)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    /* libpq makes an error without a state when the server is gone. */
    snprintf(outcome->sqlstate, sizeof outcome->sqlstate, "%s", state ? state : "gone");
    if (!outcome->message)
        outcome->message = strdup(PQresultErrorMessage(result));
    (void)connection;
}

void side_send(struct side *side, const struct statement *statement, const struct bound *bound)
{
    if (statement->is_bound)
        PQsendQueryParams(side->connection, statement->sql, (int)statement->param_count,
                          bound->types, bound->values, bound->lengths, bound->formats, 1);
    else
        PQsendQuery(side->connection, statement->sql);
}

void side_receive(struct side *side, const struct statement *statement, struct outcome *outcome)
{
    PGresult *result;

    outcome_clear(outcome);
    if (PQstatus(side->connection) != CONNECTION_OK)
        strcpy(outcome->sqlstate, "gone");
    while ((result = PQgetResult(side->connection))) {
        switch (PQresultStatus(result)) {
        case PGRES_TUPLES_OK:
            take_rows(result, statement->ordered, outcome);
            break;
        case PGRES_COPY_IN:
            give_copy(side->connection, statement);
            break;
        case PGRES_COPY_OUT:
            take_copy(side->connection, statement->ordered, outcome);
            break;
        case PGRES_FATAL_ERROR:
            take_error(side->connection, result, outcome);
            break;
        default:
            break;
        }
        if (PQresultStatus(result) != PGRES_COPY_IN)
            snprintf(outcome->tag, sizeof outcome->tag, "%s", PQcmdStatus(result));
        PQclear(result);
    }
}
