/*
 * predicate.c: conditions: of any kind, on keys as scans want them, and with subqueries.
 */
#include <string.h>

#include "generate.h"

static const char *comparison(struct generator *g)
{
    static const char *const operators[] = {"=", "=", "=", "<>", "<", "<=", ">", ">="};

    return operators[below(g, 8)];
}

static void put_column(struct generator *g, const char *alias, const struct column *column)
{
    put(g, "%s%s%s", alias, *alias ? "." : "", column->name);
}

static bool is_string(enum type type)
{
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_NAME;
}

/* A value that the column is compared with, sometimes of another type that compares with it. */
static void put_key_value(struct generator *g, const struct column *column)
{
    enum type type = column->type;
    static const enum type integers[] = {TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_DECIMAL};
    static const enum type strings[] = {TYPE_TEXT, TYPE_VARCHAR, TYPE_BPCHAR, TYPE_NAME};
    static const enum type times[] = {TYPE_DATE, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ};

    if (one_in(g, 4)) {
        if (type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8)
            type = integers[below(g, 4)];
        else if (type == TYPE_FLOAT8 || type == TYPE_FLOAT4 || type == TYPE_NUMERIC)
            type = one_in(g, 2) ? TYPE_FLOAT8 : TYPE_INT4;
        else if (is_string(type))
            type = strings[below(
                g, column->is_natural ? 3 : 4)]; /* a name is of C, against any other */
        else if (type == TYPE_DATE || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ)
            type = times[below(g, 3)];
    }
    literal(g, type);
}

static void put_list(struct generator *g, enum type type)
{
    unsigned count = 1 + below(g, 4);

    for (unsigned i = 0; i < count; i++) {
        put(g, "%s", i > 0 ? ", " : "");
        literal(g, type);
    }
}

/* Arrays: written out, from a query, with NULLs, none at all. */
static void put_any(struct generator *g, enum type type)
{
    if (one_in(g, 3) && type == TYPE_INT4) {
        static const char *const arrays[] = {
            "ARRAY(SELECT n FROM %s)",    "'{}'::integer[]",
            "'{1,NULL,5}'::integer[]",    "NULL::integer[]",
            "'{{1,2},{5,5}}'::integer[]", "ARRAY(SELECT i FROM generate_series(0, 2000, 2) i)"};
        const struct table *table = pick_table(g);
        unsigned kind = below(g, 6);

        put(g, one_in(g, 6) ? " <> ALL (" : " = ANY (");
        put(g, arrays[kind == 0 && table->is_raw ? 1 : kind], table->name);
        put(g, ")");
        return;
    }
    put(g, " = ANY (ARRAY[");
    put_list(g, type);
    put(g, "])");
}

static void put_pattern(struct generator *g)
{
    static const char *const patterns[] = {
        "LIKE 'a%'",  "LIKE 'ab_'",    "LIKE 'a\\_%'", "LIKE '%b'",      "^@ 'ab'",
        "LIKE 'abc'", "NOT LIKE 'a%'", "LIKE ''",      "LIKE '\u00e9%'", "^@ ''",
        "ILIKE 'A%'", "~ '^a'",        "LIKE '%'",     "SIMILAR TO 'a%'"};

    put(g, " %s", patterns[below(g, 14)]);
}

/* A pattern for a column of the value: whatever pieces come together, with and without an escape. */
static void put_wild_pattern(struct generator *g)
{
    static const char *const pieces[] = {"%",   "%",   "_",    "a",      "b",      "c", "abc",
                                         "\\%", "\\_", "\\\\", "\u00e9", "\u672c", " ", "1"};
    unsigned count = below(g, 6);

    put(g, one_in(g, 4) ? " NOT LIKE '" : one_in(g, 6) ? " ^@ '" : " LIKE '");
    for (unsigned i = 0; i < count; i++)
        put(g, "%s", pieces[below(g, sizeof pieces / sizeof pieces[0])]);
    put(g, one_in(g, 8) ? "' || ''" : "'");
}

/* One condition on one key column. */
static void put_bound(struct generator *g, const char *alias, const struct column *column)
{
    unsigned kind = below(g, is_string(column->type) ? 10 : 8);

    if (column->type == TYPE_BOOL && one_in(g, 3)) {
        put(g, one_in(g, 2) ? "NOT " : "");
        put_column(g, alias, column);
        return;
    }
    if (kind == 7 && !one_in(g, 4))
        kind = 0;
    if (kind == 5) { /* turned round */
        put_key_value(g, column);
        put(g, " %s ", comparison(g));
        put_column(g, alias, column);
        return;
    }
    put_column(g, alias, column);
    switch (kind) {
    case 3:
        put(g, " IN (");
        put_list(g, column->type);
        put(g, ")");
        break;
    case 4:
        put_any(g, column->type);
        break;
    case 6:
        put(g, " BETWEEN ");
        put_key_value(g, column);
        put(g, " AND ");
        put_key_value(g, column);
        break;
    case 7:
        put(g, one_in(g, 2) ? " IS NULL" : " IS NOT NULL");
        break;
    case 8:
    case 9:
        if (column->type != TYPE_NAME) {
            put_pattern(g);
            break;
        }
        /* fall through */
    default:
        put(g, " %s ", comparison(g));
        put_key_value(g, column);
    }
}

static void put_row(struct generator *g, const struct table *table)
{
    put(g, "(");
    for (unsigned i = 0; i < table->key_count; i++) {
        put(g, "%s", i > 0 ? ", " : "");
        literal(g, table->columns[i].type);
    }
    put(g, ")");
}

static void put_key_columns(struct generator *g, const struct table *table, const char *alias)
{
    put(g, "(");
    for (unsigned i = 0; i < table->key_count; i++) {
        put(g, "%s", i > 0 ? ", " : "");
        put_column(g, alias, &table->columns[i]);
    }
    put(g, ")");
}

/* IN with rows of another table that has such columns; else of the table itself. */
static void put_row_subquery(struct generator *g, const struct table *table)
{
    const struct table *other = pick_table(g);
    bool suits = other->key_count == table->key_count;
    char alias[12];

    for (unsigned i = 0; suits && i < table->key_count; i++)
        suits = other->columns[i].type == table->columns[i].type;
    if (!suits)
        other = table;
    new_alias(g, alias);
    put(g, " IN (SELECT ");
    for (unsigned i = 0; i < other->key_count; i++)
        put(g, "%s%s.%s", i > 0 ? ", " : "", alias, other->columns[i].name);
    put(g, " FROM %s %s", other->name, alias);
    if (!other->is_raw)
        put(g, " WHERE %s.n > %u", alias, below(g, 10));
    put(g, ")");
}

void key_equals(struct generator *g, const struct table *table, const char *alias)
{
    for (unsigned i = 0; i < table->key_count; i++) {
        put(g, "%s", i > 0 ? " AND " : "");
        put_column(g, alias, &table->columns[i]);
        put(g, " = ");
        literal(g, table->columns[i].type);
    }
}

void key_predicate(struct generator *g, const struct table *table, const char *alias)
{
    unsigned kind = below(g, 10);

    if (kind < 2) {
        key_equals(g, table, alias);
    } else if (kind < 4 && table->key_count > 1) {
        put_key_columns(g, table, alias);
        if (one_in(g, 4)) {
            put_row_subquery(g, table);
        } else if (one_in(g, 2)) {
            put(g, " IN (");
            put_row(g, table);
            put(g, ", ");
            put_row(g, table);
            put(g, ")");
        } else {
            put(g, " %s ", comparison(g));
            put_row(g, table);
        }
    } else { /* some columns of the key, from the front or not */
        unsigned skip = one_in(g, 4) ? below(g, table->key_count) : 0;

        for (unsigned i = skip; i < table->key_count; i++) {
            put(g, "%s", i > skip ? " AND " : "");
            put_bound(g, alias, &table->columns[i]);
            if (one_in(g, 5)) { /* another bound on the same column */
                put(g, " AND ");
                put_bound(g, alias, &table->columns[i]);
            }
            if (one_in(g, 3))
                break;
        }
        if (one_in(g, 6)) {
            put(g, " OR ");
            put_bound(g, alias, &table->columns[0]);
        }
    }
}

/* ---- with subqueries ---- */

/* EXISTS, or IN, or a comparison with one row; correlated where columns of a type are on both sides. */
void subquery_predicate(struct generator *g, const struct scope *scope, unsigned depth)
{
    const struct table *table = pick_table(g);
    const struct scope_column *outer, *column;
    struct scope inner = {0};
    char alias[12];
    unsigned kind = below(g, 5);

    new_alias(g, alias);
    scope_add_table(&inner, table, alias);
    column = one_in(g, 2) ? &inner.columns[0] : scope_pick(g, &inner, TYPE_COUNT, TYPE_ORDERED);
    outer = scope_pick(g, scope, column->type, 0);
    if (kind < 2) {
        put(g, "%sEXISTS (SELECT 1 FROM %s %s WHERE ", kind ? "NOT " : "", table->name, alias);
        if (one_in(g, 2))
            join_whole_key(g, scope, scope->count, &inner, 0);
        else if (outer)
            put(g, "%s %s %s", column->name, one_in(g, 4) ? comparison(g) : "=", outer->name);
        else
            key_predicate(g, table, alias);
    } else {
        if (outer && !one_in(g, 4))
            put(g, "%s", outer->name);
        else
            literal(g, column->type);
        if (kind < 4)
            put(g, " %sIN (SELECT ", one_in(g, 3) ? "NOT " : "");
        else
            put(g, " %s %s (SELECT ", comparison(g), one_in(g, 2) ? "ALL" : "ANY");
        put(g, "%s FROM %s %s WHERE ", column->name, table->name, alias);
        predicate(g, &inner, depth > 1 ? depth - 1 : 0);
    }
    if (one_in(g, 3)) {
        put(g, " AND ");
        predicate(g, &inner, 0);
    }
    put(g, ")");
}

/* ---- any ---- */

static void put_comparison(struct generator *g, const struct scope *scope, unsigned depth)
{
    const struct scope_column *column = scope_pick(g, scope, TYPE_COUNT, TYPE_ORDERED);
    enum type type = column ? column->type : TYPE_INT4;

    if (column && !one_in(g, 4))
        put(g, "%s", column->name);
    else
        expression(g, scope, type, depth);
    if ((type == TYPE_TEXT || type == TYPE_VARCHAR) && one_in(g, 3)) {
        put_wild_pattern(g);
        return;
    }
    switch (below(g, 7)) {
    case 0:
        put(g, one_in(g, 2) ? " IS NULL" : " IS NOT NULL");
        break;
    case 1:
        put(g, " IS %sDISTINCT FROM ", one_in(g, 2) ? "NOT " : "");
        expression(g, scope, type, depth);
        break;
    case 2:
        put(g, " IN (");
        put_list(g, type);
        put(g, ")");
        break;
    case 3:
        put(g, " BETWEEN ");
        expression(g, scope, type, depth);
        put(g, " AND ");
        expression(g, scope, type, depth);
        break;
    default:
        put(g, " %s ", comparison(g));
        if (one_in(g, 2))
            literal(g, type);
        else
            expression(g, scope, type, depth);
    }
}

void predicate(struct generator *g, const struct scope *scope, unsigned depth)
{
    unsigned kind = below(g, 12);

    if (depth == 0 || kind < 5) {
        put_comparison(g, scope, depth ? depth - 1 : 0);
    } else if (kind < 8) {
        put(g, "(");
        predicate(g, scope, depth - 1);
        put(g, one_in(g, 3) ? " OR " : " AND ");
        predicate(g, scope, depth - 1);
        put(g, ")");
    } else if (kind == 8) {
        put(g, "NOT (");
        predicate(g, scope, depth - 1);
        put(g, ")");
    } else if (kind < 11) {
        put(g, "(");
        subquery_predicate(g, scope, depth - 1);
        put(g, ")");
    } else {
        expression(g, scope, TYPE_BOOL, depth - 1);
    }
}
