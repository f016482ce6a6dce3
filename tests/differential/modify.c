/*
 * modify.c: INSERT, UPDATE, DELETE, in their forms.
 */
#include <stdio.h>
#include <string.h>

#include "generate.h"

#define FILL_ROWS 24u

static bool is_written(const struct column *column)
{
    return !column->is_generated;
}

/* A value for a column; NULL where that is an error only once in a while. */
static void column_value(struct generator *g, const struct column *column)
{
    if (column->is_not_null && !one_in(g, 80)) {
        if (g->takes_params && g->param_count < PARAMS_MAX && one_in(g, 2)) {
            literal(g, column->type);
            return;
        }
        text_add_quoted(&g->out, type_value(&g->random, column->type));
        put(g, "::%s", type_sql(column->type));
    } else if (one_in(g, 8) && !column->is_not_null) {
        put(g, "DEFAULT");
    } else if (one_in(g, 30) && (column->type == TYPE_INT4 || column->type == TYPE_TEXT)) {
        static const struct scope nothing = {.count = 0};

        risky_expression(g, &nothing);
        put(g, "::text::%s", type_sql(column->type));
    } else {
        literal(g, column->type);
    }
}

/* "(k1, n)": the key and what must not be NULL, and of the others some, or all. */
static void column_list(struct generator *g, const struct table *table, bool *chosen)
{
    bool all = !one_in(g, 3), first = true;

    put(g, " (");
    for (unsigned i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];

        chosen[i] = is_written(column) && (all || column->is_not_null || one_in(g, 2));
        if (chosen[i])
            put(g, "%s%s", first ? "" : ", ", column->name);
        first &= !chosen[i];
    }
    put(g, ")");
}

void modify_values(struct generator *g, const struct table *table)
{
    unsigned rows = one_in(g, 2) ? 1 : 1 + below(g, 6);
    bool chosen[COLUMNS_MAX];

    column_list(g, table, chosen);
    put(g, " VALUES ");
    for (unsigned row = 0; row < rows; row++) {
        bool first = true;

        put(g, "%s(", row > 0 ? ", " : "");
        for (unsigned i = 0; i < table->column_count; i++) {
            if (!chosen[i])
                continue;
            put(g, "%s", first ? "" : ", ");
            first = false;
            column_value(g, &table->columns[i]);
        }
        put(g, ")");
    }
}

/* Rows whose keys are new. */
void modify_fill(struct generator *g, const struct table *table)
{
    bool chosen[COLUMNS_MAX];
    unsigned count = 0;

    put(g, "INSERT INTO %s", table->name);
    column_list(g, table, chosen);
    put(g, " SELECT DISTINCT ON (");
    for (unsigned i = 0; i < table->key_count; i++)
        put(g, "%s%s", i > 0 ? ", " : "", table->columns[i].name);
    put(g, ") * FROM (VALUES ");
    for (unsigned row = 0; row < FILL_ROWS; row++) {
        put(g, "%s(", row > 0 ? ", " : "");
        for (unsigned i = count = 0; i < table->column_count; i++) {
            if (!chosen[i])
                continue;
            put(g, "%s", count++ > 0 ? ", " : "");
            text_add_quoted(&g->out, type_value(&g->random, table->columns[i].type));
            put(g, "::%s", type_sql(table->columns[i].type));
        }
        put(g, ")");
    }
    put(g, ") v(");
    for (unsigned i = count = 0; i < table->column_count; i++)
        if (chosen[i])
            put(g, "%s%s", count++ > 0 ? ", " : "", table->columns[i].name);
    put(g, ") WHERE NOT EXISTS (SELECT 1 FROM %s y WHERE ", table->name);
    for (unsigned i = 0; i < table->key_count; i++)
        put(g, "%sy.%s = v.%s", i > 0 ? " AND " : "", table->columns[i].name,
            table->columns[i].name);
    put(g, ") ORDER BY ");
    for (unsigned i = 0; i < table->key_count; i++)
        put(g, "%s, ", table->columns[i].name);
    put(g, "v::text");
}

/* From a query in a total order, as the first of equal keys wins (or the last, where INSERT overwrites). */
static void modify_select(struct generator *g, const struct table *table)
{
    bool chosen[COLUMNS_MAX];
    enum type types[COLUMNS_MAX] = {0};
    unsigned count = 0;

    column_list(g, table, chosen);
    for (unsigned i = 0; i < table->column_count; i++)
        if (chosen[i])
            types[count++] = table->columns[i].type;
    put(g, " SELECT * FROM (");
    query_of(g, NULL, types, count, 1);
    put(g, ") q(");
    for (unsigned i = 0; i < count; i++)
        put(g, "%so%u", i > 0 ? ", " : "", i + 1);
    put(g, ") WHERE o1 IS NOT NULL ORDER BY ");
    for (unsigned i = 0; i < count; i++)
        put(g, "%so%u::text%s", i > 0 ? ", " : "", i + 1, i % 2 ? " DESC" : "");
    put(g, " LIMIT %u", 1 + below(g, 12));
}

/* Only columns of the table itself. */
static void returning(struct generator *g, const struct table *table, const char *alias)
{
    struct scope scope = {0};

    if (g->is_silent || one_in(g, 3))
        return;
    put(g, " RETURNING ");
    if (one_in(g, 2)) {
        put(g, "%s.*", alias);
        return;
    }
    scope_add_table(&scope, table, alias);
    for (unsigned i = 1 + below(g, 2); i > 0; i--) {
        expression(g, &scope, (enum type)below(g, TYPE_COUNT), 1);
        put(g, ", ");
    }
    put(g, "%s", scope.columns[0].name);
}

static void insert(struct generator *g, const struct table *table)
{
    put(g, "INSERT INTO %s AS x", table->name);
    if (!one_in(g, 3))
        modify_values(g, table);
    else
        modify_select(g, table);
    if (table->is_foreign && !table->is_put && !table->is_deferrable && one_in(g, 3))
        put(g, " ON CONFLICT DO NOTHING");
    returning(g, table, "x");
}

/* ---- UPDATE ---- */

static void set_values(struct generator *g, const struct table *table, const struct scope *scope)
{
    unsigned count = 0;
    bool risky = one_in(g, 25);

    for (unsigned i = table->key_count; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];

        if (!is_written(column) || (count > 0 && one_in(g, 2)) ||
            (count == 0 && i + 1 < table->column_count && one_in(g, 4)))
            continue;
        if (i + 1 == table->column_count && count > 0 && one_in(g, 2))
            break;
        put(g, "%s%s = ", count++ > 0 ? ", " : "", column->name);
        if (risky && !column->is_not_null && type_is(column->type, TYPE_SUM)) {
            put(g, "(10 / ((%s) %% 5))",
                scope->columns[0].type == TYPE_INT4 ? scope->columns[0].name : "0");
            risky = false;
        } else if (one_in(g, 10)) {
            put(g, "DEFAULT");
        } else {
            expression(g, scope, column->type, 2);
        }
    }
    if (count == 0) /* only generated columns are left */
        put(g, "%s = x.%s", table->columns[0].name, table->columns[0].name);
}

/* Keys change: one row's to any value, or all by the same step where they are checked at the end. */
static void update_key(struct generator *g, const struct table *table)
{
    const struct column *column = &table->columns[below(g, table->key_count)];
    bool is_number = column->type == TYPE_INT4 || column->type == TYPE_INT8;

    put(g, "UPDATE %s x SET %s = ", table->name, column->name);
    if (table->is_deferrable && is_number && !one_in(g, 3)) {
        static const char *const steps[] = {"x.%s + 1", "x.%s - 1", "20 - x.%s", "x.%s + 100",
                                            "-x.%s"};

        put(g, steps[below(g, 5)], column->name);
        put(g, " WHERE ");
        key_predicate(g, table, "x");
    } else {
        text_add_quoted(&g->out, type_value(&g->random, column->type));
        put(g, "::%s WHERE ", type_sql(column->type));
        key_equals(g, table, "x");
    }
    returning(g, table, "x");
}

/* The key of a joined table by columns of the updated one: at most one row joins. */
static void joined_key(struct generator *g, const struct table *table, const char *alias,
                       const struct scope *scope)
{
    for (unsigned i = 0; i < table->key_count; i++) {
        const struct scope_column *column = scope_pick(g, scope, table->columns[i].type, 0);

        put(g, "%s%s.%s = ", i > 0 ? " AND " : "", alias, table->columns[i].name);
        if (column)
            put(g, "%s", column->name);
        else
            literal(g, table->columns[i].type);
    }
}

static void update_from(struct generator *g, const struct table *table, const struct scope *own)
{
    const struct table *other = pick_table(g);
    struct scope scope = *own;

    scope_add_table(&scope, other, "y");
    put(g, "UPDATE %s x SET ", table->name);
    set_values(g, table, &scope);
    put(g, " FROM %s y WHERE ", other->name);
    joined_key(g, other, "y", own);
    if (one_in(g, 2)) {
        put(g, " AND ");
        predicate(g, &scope, 1);
    }
    returning(g, table, "x");
}

static void update(struct generator *g, const struct table *table)
{
    struct scope scope = {0};
    unsigned kind = below(g, 6);

    scope_add_table(&scope, table, "x");
    if (kind == 0 && !table->is_put) {
        update_key(g, table);
        return;
    }
    if (kind == 1) {
        update_from(g, table, &scope);
        return;
    }
    put(g, "UPDATE %s x SET ", table->name);
    set_values(g, table, &scope);
    if (!one_in(g, 8)) {
        put(g, " WHERE ");
        if (one_in(g, 2))
            key_predicate(g, table, "x");
        else
            predicate(g, &scope, 2);
    }
    returning(g, table, "x");
}

/* ---- DELETE ---- */

static void delete (struct generator *g, const struct table *table)
{
    struct scope scope = {0};

    scope_add_table(&scope, table, "x");
    put(g, "DELETE FROM %s x", table->name);
    if (one_in(g, 4)) {
        const struct table *other = pick_table(g);

        put(g, " USING %s y WHERE ", other->name);
        if (one_in(g, 2)) {
            joined_key(g, other, "y", &scope);
        } else {
            const struct scope_column *column = scope_pick(g, &scope, other->columns[0].type, 0);

            put(g, "y.%s = ", other->columns[0].name);
            if (column)
                put(g, "%s", column->name);
            else
                literal(g, other->columns[0].type);
        }
    } else {
        put(g, " WHERE ");
        if (one_in(g, 2))
            key_predicate(g, table, "x");
        else
            predicate(g, &scope, 2);
    }
    returning(g, table, "x");
}

/* ---- WITH ---- */

/* Rows are deleted and put back by one statement. */
static void delete_and_insert(struct generator *g, const struct table *table)
{
    put(g, "WITH d AS (DELETE FROM %s x WHERE ", table->name);
    key_predicate(g, table, "x");
    put(g, " RETURNING x.*) INSERT INTO %s AS x (", table->name);
    for (int pass = 0; pass < 2; pass++) {
        bool first = true;

        for (unsigned i = 0; i < table->column_count; i++) {
            if (!is_written(&table->columns[i]))
                continue;
            put(g, "%s%s", first ? "" : ", ", table->columns[i].name);
            first = false;
        }
        put(g, pass == 0 ? ") SELECT " : " FROM d");
    }
    returning(g, table, "x");
}

/* Other parts of the statement see the table as it was before. */
static void modify_in_with(struct generator *g, const struct table *table)
{
    bool was_silent = g->is_silent;

    put(g, "WITH m AS (");
    g->is_silent = true;
    switch (below(g, 3)) {
    case 0:
        insert(g, table);
        break;
    case 1:
        update(g, table);
        break;
    default:
        delete (g, table);
    }
    g->is_silent = was_silent;
    put(g, " RETURNING x.*) ");
    if (was_silent) {
        put(g, "INSERT INTO log SELECT 'with', count(*)::text FROM m");
    } else if (one_in(g, 2)) {
        put(g, "SELECT count(*), (SELECT count(*) FROM %s) FROM m", table->name);
    } else {
        const struct table *other = pick_table(g);

        put(g, "SELECT count(*) FROM m LEFT JOIN %s o ON o.%s::text = m.%s::text", other->name,
            other->columns[0].name, table->columns[0].name);
    }
}

void modify(struct generator *g)
{
    const struct table *table = pick_table(g);
    unsigned kind = below(g, 20);

    if (kind < 9)
        insert(g, table);
    else if (kind < 14)
        update(g, table);
    else if (kind < 17)
        delete (g, table);
    else if (kind < 18 && !table->is_put)
        delete_and_insert(g, table);
    else
        modify_in_with(g, table);
}
