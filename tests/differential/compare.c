/*
 * compare.c: whether both sides gave the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differential.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool same_heads(const struct outcome outcomes[SIDES])
{
    for (unsigned i = 0; i < outcomes[LOCAL].row_count; i++)
        if (strcmp(outcomes[FOREIGN].heads[i], outcomes[LOCAL].heads[i]) != 0)
            return false;
    return true;
}

static bool same_rows(struct outcome outcomes[SIDES])
{
    for (int side = 0; side < SIDES; side++)
        if (outcomes[side].row_count)
            qsort(outcomes[side].rows, outcomes[side].row_count, sizeof *outcomes[side].rows,
                  by_text);
    for (unsigned i = 0; i < outcomes[LOCAL].row_count; i++)
        if (strcmp(outcomes[FOREIGN].rows[i], outcomes[LOCAL].rows[i]) != 0)
            return false;
    return true;
}

const char *compare(const struct statement *statement, struct outcome outcomes[SIDES])
{
    const struct outcome *foreign = &outcomes[FOREIGN], *local = &outcomes[LOCAL];

    (void)statement;
    if (strcmp(foreign->sqlstate, "gone") == 0 || strcmp(local->sqlstate, "gone") == 0)
        return "the server ended";
    if (strcmp(foreign->sqlstate, local->sqlstate) != 0)
        return is_documented(foreign->sqlstate, local->sqlstate) ? NULL : "the errors differ";
    if (foreign->sqlstate[0])
        return NULL;
    if (strcmp(foreign->tag, local->tag) != 0)
        return "the command tags differ";
    if (foreign->column_count != local->column_count ||
        memcmp(foreign->types, local->types, sizeof foreign->types) != 0)
        return "the types of the columns differ";
    if (foreign->row_count != local->row_count)
        return "the numbers of rows differ";
    if (!same_heads(outcomes))
        return "the order of the rows differs";
    return same_rows(outcomes) ? NULL : "the rows differ";
}
