/*
 * bind.c: values in binary, as the server itself sends them.
 *
 * Both sides have the same types, so what one of its sessions sends of '{1,2}'::integer[] is what the
 * other's receive function takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differential.h"

static char *bind_query(const struct statement *statement)
{
    struct text sql = {0};

    text_add(&sql, "SELECT ");
    for (unsigned i = 0; i < statement->param_count; i++) {
        text_add(&sql, "%s", i > 0 ? ", " : "");
        if (statement->params[i])
            text_add_quoted(&sql, statement->params[i]);
        else
            text_add(&sql, "NULL");
        text_add(&sql, "::%s", type_sql(statement->param_types[i]));
    }
    return sql.data;
}

void bind_values(struct side *values, const struct statement *statement, struct bound *bound)
{
    char *sql = bind_query(statement);

    *bound = (struct bound){
        .result = PQexecParams(values->connection, sql, 0, NULL, NULL, NULL, NULL, 1)};
    if (PQresultStatus(bound->result) != PGRES_TUPLES_OK) {
        fprintf(stderr, "differential: %s\nin: %s\n", PQerrorMessage(values->connection), sql);
        exit(2);
    }
    free(sql);
    for (int i = 0; i < PQnfields(bound->result); i++) {
        bool is_null = PQgetisnull(bound->result, 0, i);

        bound->types[i] = PQftype(bound->result, i);
        bound->values[i] = is_null ? NULL : PQgetvalue(bound->result, 0, i);
        bound->lengths[i] = PQgetlength(bound->result, 0, i);
        bound->formats[i] = 1;
    }
}

void bind_free(struct bound *bound)
{
    PQclear(bound->result);
    bound->result = NULL;
}

void statement_free(struct statement *statement)
{
    free(statement->sql);
    free(statement->copy);
    for (unsigned i = 0; i < statement->param_count; i++)
        free(statement->params[i]);
}

void statement_show(const struct statement *statement)
{
    printf("%s;\n", statement->sql);
    if (statement->copy)
        printf("%s\\.\n", statement->copy);
    for (unsigned i = 0; i < statement->param_count; i++)
        printf("-- $%u, in binary: %s::%s\n", i + 1,
               statement->params[i] ? statement->params[i] : "NULL",
               type_sql(statement->param_types[i]));
}
