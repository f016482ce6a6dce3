/*
 * query.c: SELECTs: what stands after FROM, and the kinds of queries over it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

#define OUTPUTS_MAX 5u

const struct table *pick_table(struct generator *g)
{
    return &g->tables.list[below(g, g->tables.count)];
}

/* ---- FROM ---- */

static enum type pick_type(struct generator *g, unsigned flags)
{
    enum type type;

    if (!one_in(g, 3))
        return one_in(g, 2) ? TYPE_INT4 : TYPE_TEXT;
    do
        type = (enum type)below(g, TYPE_COUNT);
    while (!type_is(type, flags));
    return type;
}

/* Columns o1, o2... of a subquery, as a table to be brought into scope. */
static void derived_columns(struct generator *g, struct table *table)
{
    table->column_count = 1 + below(g, 3);
    table->key_count = 1;
    for (unsigned i = 0; i < table->column_count; i++) {
        table->columns[i] = (struct column){.type = pick_type(g, TYPE_ORDERED | TYPE_EXACT)};
        snprintf(table->columns[i].name, sizeof table->columns[i].name, "o%u", i + 1);
    }
}

static void derived_query(struct generator *g, const struct scope *outer, const struct table *table,
                          unsigned depth)
{
    enum type types[COLUMNS_MAX] = {0};

    for (unsigned i = 0; i < table->column_count; i++)
        types[i] = table->columns[i].type;
    put(g, "(");
    query_of(g, outer, types, table->column_count, depth);
    put(g, ")");
}

static void column_aliases(struct generator *g, const struct table *table, const char *alias)
{
    put(g, " %s(", alias);
    for (unsigned i = 0; i < table->column_count; i++)
        put(g, "%so%u", i > 0 ? ", " : "", i + 1);
    put(g, ")");
}

static void put_values(struct generator *g, const struct table *table)
{
    unsigned rows = 1 + below(g, 4);

    put(g, "(VALUES ");
    for (unsigned row = 0; row < rows; row++) {
        put(g, "%s(", row > 0 ? ", " : "");
        for (unsigned i = 0; i < table->column_count; i++) {
            put(g, "%s", i > 0 ? ", " : "");
            literal(g, table->columns[i].type);
        }
        put(g, ")");
    }
    put(g, ")");
}

/* The whole row, which needs all columns; hashed, so that stored rows of rows do not grow. */
static void scope_add_row(struct scope *scope, const char *alias)
{
    struct scope_column *column = &scope->columns[scope->count];

    if (scope->count == SCOPE_MAX)
        return;
    *column = (struct scope_column){.type = TYPE_TEXT};
    snprintf(column->name, sizeof column->name, "md5((%s)::text)", alias);
    scope->count++;
}

/* The first rows by key of those that suit a row to the left. */
static void lateral_first(struct generator *g, struct scope *scope, const struct scope *left,
                          const char *alias)
{
    const struct table *table = pick_table(g);
    const struct scope_column *column = scope_pick(g, left, table->columns[0].type, 0);
    unsigned order = below(g, table->key_count);

    put(g, "LATERAL (SELECT * FROM %s y", table->name);
    if (column)
        put(g, " WHERE y.%s %s %s", table->columns[0].name, one_in(g, 3) ? ">=" : "=",
            column->name);
    put(g, " ORDER BY ");
    for (unsigned i = 0; i < table->key_count; i++) {
        const struct column *key = &table->columns[(i + order) % table->key_count];

        put(g, "%sy.%s%s", i > 0 ? ", " : "", key->name, one_in(g, 2) ? " DESC" : "");
    }
    put(g, " LIMIT %u) %s", 1 + below(g, 3), alias);
    scope_add_table(scope, table, alias);
}

/* left: what a LATERAL subquery may refer to; NULL: none. */
static void from_item(struct generator *g, struct scope *scope, const struct scope *left,
                      unsigned depth)
{
    unsigned kind = depth > 0 ? below(g, 14) : 13;
    struct table derived = {0};
    char alias[12];

    new_alias(g, alias);
    if (kind > 3) {
        const struct table *table = pick_table(g);

        put(g, "%s %s", table->name, alias);
        scope_add_table(scope, table, alias);
        scope_add_row(scope, alias);
        return;
    }
    if (kind == 3 && left && left->count) {
        lateral_first(g, scope, left, alias);
        return;
    }
    derived_columns(g, &derived);
    if (kind == 0) {
        derived.column_count = 1;
        derived.columns[0].type = TYPE_INT4;
        put(g, "generate_series(0, %u)", below(g, 9));
    } else if (kind == 1) {
        put_values(g, &derived);
    } else if (left && left->count) {
        put(g, "LATERAL ");
        derived_query(g, left, &derived, depth - 1);
    } else {
        derived_query(g, NULL, &derived, depth - 1);
    }
    column_aliases(g, &derived, alias);
    scope_add_table(scope, &derived, alias);
}

/* Types with an equality between them, which merge and hash joins know. */
static bool joins(enum type a, enum type b)
{
    static const enum type families[][4] = {
        {TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_NUMERIC},
        {TYPE_TEXT, TYPE_VARCHAR, TYPE_TEXT, TYPE_TEXT},
        {TYPE_BPCHAR, TYPE_VARCHAR, TYPE_BPCHAR, TYPE_BPCHAR},
        {TYPE_DATE, TYPE_TIMESTAMP, TYPE_DATE, TYPE_DATE},
        {TYPE_FLOAT4, TYPE_FLOAT8, TYPE_FLOAT4, TYPE_FLOAT4},
        {TYPE_INET, TYPE_CIDR, TYPE_INET, TYPE_INET},
        {TYPE_INT4, TYPE_DOMAIN, TYPE_INT8, TYPE_INT2},
    };

    if (a == TYPE_BOOL || a == TYPE_MONEY) /* too few values; no hash */
        return false;
    if (a == b)
        return type_is(a, TYPE_ORDERED);
    for (unsigned i = 0; i < sizeof families / sizeof families[0]; i++) {
        bool has_a = false, has_b = false;

        for (unsigned k = 0; k < 4; k++) {
            has_a |= families[i][k] == a;
            has_b |= families[i][k] == b;
        }
        if (has_a && has_b)
            return true;
    }
    return false;
}

/* An equality between a column before `from` in scope and one after; false: no types in common. */
static bool join_equality(struct generator *g, const struct scope *scope, unsigned from, bool full)
{
    const struct scope_column *left = NULL, *right = NULL;
    unsigned weight = 0;

    for (unsigned l = 0; l < from; l++) {
        for (unsigned r = from; r < scope->count; r++) {
            const struct scope_column *at = &scope->columns[r];
            unsigned mine = at->is_key ? 4 : 1;

            if (!joins(scope->columns[l].type, at->type))
                continue;
            weight += mine;
            if (below(g, weight) < mine) {
                left = &scope->columns[l];
                right = at;
            }
        }
    }
    if (left && !full && right->type == TYPE_INT4 && one_in(g, 5))
        put(g, "%s = %s + 1", right->name, left->name);
    else if (left && !full && right->type == TYPE_TEXT && one_in(g, 4))
        put(g, "%s LIKE left(%s::text, 1) || '%%'", right->name, left->name);
    else if (left && one_in(g, 2))
        put(g, "%s = %s", left->name, right->name);
    else if (left)
        put(g, "%s = %s", right->name, left->name);
    return left != NULL;
}

/* The left column of a random type that can be compared with that one; NULL: none. */
static const struct scope_column *join_partner(struct generator *g, const struct scope *left,
                                               unsigned count, enum type type)
{
    const struct scope_column *found = NULL;
    unsigned candidates = 0;

    for (unsigned i = 0; i < count; i++)
        if (joins(left->columns[i].type, type) && one_in(g, ++candidates))
            found = &left->columns[i];
    return found;
}

bool join_whole_key(struct generator *g, const struct scope *left, unsigned left_count,
                    const struct scope *right, unsigned from)
{
    unsigned written = 0;

    for (unsigned i = from; i < right->count; i++) {
        const struct scope_column *key = &right->columns[i];
        const struct scope_column *partner;

        if (!key->is_key)
            continue;
        partner = join_partner(g, left, left_count, key->type);
        put(g, "%s%s = ", written++ > 0 ? " AND " : "", key->name);
        if (!partner || one_in(g, 8))
            literal(g, key->type);
        else if (key->type == TYPE_INT4 && one_in(g, 4))
            put(g, "%s + 1", partner->name);
        else
            put(g, "%s", partner->name);
    }
    return written > 0;
}

/* Whether the text just written compares a column with itself. */
static void join_condition(struct generator *g, struct scope *scope, unsigned from, bool full)
{
    if (!full && one_in(g, 2) && join_whole_key(g, scope, from, scope, from)) {
        if (one_in(g, 2))
            return;
        put(g, " AND ");
        predicate(g, scope, 1);
        return;
    }
    if (!join_equality(g, scope, from, full)) {
        put(g, "%s", full ? "false" : "");
        if (!full)
            predicate(g, scope, 1);
        return;
    }
    while (!full && one_in(g, 3)) {
        put(g, " AND ");
        if (one_in(g, 2))
            predicate(g, scope, 1);
        else if (!join_equality(g, scope, from, full))
            put(g, "true");
    }
}

static void join_item(struct generator *g, struct scope *scope, unsigned depth)
{
    static const char *const joins[] = {"JOIN",      "JOIN",       "LEFT JOIN",
                                        "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"};
    unsigned from = scope->count;
    size_t mark;
    char *item;
    unsigned kind = below(g, 6);
    bool is_full = kind == 5;

    put(g, " ");
    mark = g->out.len;
    if (kind < 4) { /* the item may look at what stands to its left */
        struct scope left = *scope;

        from_item(g, scope, &left, depth);
    } else {
        from_item(g, scope, NULL, depth);
    }
    item = strdup(g->out.data + mark);
    g->out.len = mark;
    put(g, "%s %s ON ", joins[kind], item);
    free(item);
    join_condition(g, scope, from, is_full);
}

static void from_clause(struct generator *g, struct scope *scope, const struct scope *outer,
                        unsigned depth)
{
    unsigned joins = one_in(g, 3) ? 0 : one_in(g, 4) ? 2 : 1;

    put(g, " FROM ");
    from_item(g, scope, outer, depth);
    for (unsigned i = 0; i < joins && depth > 0; i++)
        join_item(g, scope, depth);
}

static void where_clause(struct generator *g, const struct scope *scope, unsigned depth)
{
    if (one_in(g, 4))
        return;
    put(g, " WHERE ");
    predicate(g, scope, depth);
}

void query_of(struct generator *g, const struct scope *outer, const enum type *types,
              unsigned count, unsigned depth)
{
    struct scope scope = {0};
    struct text before = g->out;

    /* FROM comes first, as it makes the scope; then the list is written before it. */
    g->out = (struct text){0};
    from_clause(g, &scope, NULL, depth);
    struct text from = g->out;

    g->out = before;
    if (outer)
        for (unsigned i = 0; i < outer->count && scope.count < SCOPE_MAX; i++)
            scope.columns[scope.count++] = outer->columns[i];
    put(g, "SELECT ");
    for (unsigned i = 0; i < count; i++) {
        put(g, "%s", i > 0 ? ", " : "");
        expression(g, &scope, types[i], 1);
        if (count > 1 || true)
            put(g, "::%s", type_sql(types[i]));
    }
    put(g, "%s", from.data);
    text_free(&from);
    where_clause(g, &scope, depth ? depth : 1);
}

/* ---- kinds of queries ---- */

static const char *direction(struct generator *g)
{
    static const char *const directions[] = {
        "", "", " ASC", " DESC", " DESC", " NULLS FIRST", " DESC NULLS LAST"};

    return directions[below(g, 7)];
}

static void limit_clause(struct generator *g)
{
    if (one_in(g, 2))
        put(g, " LIMIT %u", one_in(g, 8) ? 0 : 1 + below(g, 15));
    if (one_in(g, 4))
        put(g, " OFFSET %u", below(g, 5));
}

static void order_by_key(struct generator *g, const struct table *table, const char *alias)
{
    const char *way = direction(g);

    put(g, " ORDER BY ");
    if (one_in(g, 5) && !table->is_raw)
        put(g, "%s.n%s, ", alias, direction(g));
    for (unsigned i = 0; i < table->key_count; i++) {
        put(g, "%s%s.%s%s", i > 0 ? ", " : "", alias, table->columns[i].name,
            one_in(g, 5) ? direction(g) : way);
    }
}

/* One table, by its key, in its order: what is pushed down. */
static unsigned query_table(struct generator *g, unsigned flags)
{
    const struct table *table = pick_table(g);
    struct scope scope = {0};
    char alias[12];
    unsigned kind = below(g, 3);
    bool ordered = (flags & QUERY_TOTAL) || one_in(g, 2);

    new_alias(g, alias);
    scope_add_table(&scope, table, alias);
    put(g, "SELECT ");
    if (kind == 0) {
        put(g, "*");
    } else {
        unsigned count = 1 + below(g, 3);

        for (unsigned i = 0; i < count; i++) {
            put(g, "%s", i > 0 ? ", " : "");
            if (kind == 2 && i == 0 && !(flags & QUERY_TOTAL) && one_in(g, 6))
                risky_expression(g, &scope), ordered = false;
            else if (one_in(g, 2))
                put(g, "%s", scope_pick(g, &scope, TYPE_COUNT, 0)->name);
            else
                expression(g, &scope, (enum type)below(g, TYPE_COUNT), 2);
        }
    }
    put(g, " FROM %s %s", table->name, alias);
    if (!one_in(g, 5)) {
        put(g, " WHERE ");
        key_predicate(g, table, alias);
        if (one_in(g, 3)) {
            put(g, one_in(g, 4) ? " OR " : " AND ");
            predicate(g, &scope, 2);
        }
    }
    if (ordered) {
        order_by_key(g, table, alias);
        limit_clause(g);
    }
    if (one_in(g, 20) && !(flags & QUERY_TOTAL))
        put(g, " FOR UPDATE");
    return ordered ? ORDERED_ALL : 0;
}

static void order_by_position(struct generator *g, unsigned count)
{
    put(g, " ORDER BY ");
    for (unsigned i = 0; i < count; i++)
        put(g, "%s%u%s", i > 0 ? ", " : "", i + 1, direction(g));
}

static unsigned query_join(struct generator *g, unsigned flags)
{
    enum type types[OUTPUTS_MAX] = {0};
    unsigned count = 1 + below(g, OUTPUTS_MAX);
    bool total = (flags & QUERY_TOTAL) || one_in(g, 4);
    unsigned ordered = 0;

    for (unsigned i = 0; i < count; i++)
        types[i] = total ? pick_type(g, TYPE_ORDERED | TYPE_EXACT) : pick_type(g, 0);
    query_of(g, NULL, types, count, 2);
    if (total) {
        order_by_position(g, count);
        limit_clause(g);
        return ORDERED_ALL;
    }
    while (ordered < count && type_is(types[ordered], TYPE_ORDERED | TYPE_EXACT) && !one_in(g, 3))
        ordered++;
    if (ordered)
        order_by_position(g, ordered);
    return ordered;
}

/* Whether there is a min() of the type. */
static bool has_extremes(enum type type)
{
    return type == TYPE_TEXT || type == TYPE_BPCHAR || type == TYPE_DATE || type == TYPE_TIME ||
           type == TYPE_TIMETZ || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ ||
           type == TYPE_ENUM || type == TYPE_OID || type == TYPE_INT8 || type == TYPE_INET;
}

static void put_aggregate(struct generator *g, const struct scope *scope)
{
    const struct scope_column *exact = scope_pick(g, scope, TYPE_COUNT, TYPE_ORDERED | TYPE_EXACT);
    const struct scope_column *sum = scope_pick(g, scope, TYPE_COUNT, TYPE_SUM);
    unsigned kind = below(g, sum ? 12 : 8);

    switch (exact ? kind : 0) {
    case 0:
        put(g, "count(*)");
        break;
    case 1:
        if (has_extremes(exact->type))
            put(g, "%s(%s)", one_in(g, 2) ? "min" : "max", exact->name);
        else
            put(g, "count(*)");
        break;
    case 2:
        put(g, "count(%s%s)", one_in(g, 2) ? "DISTINCT " : "", exact->name);
        break;
    case 3:
        put(g, "string_agg(%s::text, ',' ORDER BY %s::text%s)", exact->name, exact->name,
            direction(g));
        break;
    case 4:
        put(g, "array_agg(%s::text ORDER BY %s::text COLLATE \"C\")", exact->name, exact->name);
        break;
    case 5:
        put(g, "%s((%s)::text)", one_in(g, 2) ? "min" : "max", exact->name);
        break;
    case 6:
        put(g, "bool_%s(", one_in(g, 2) ? "and" : "or");
        predicate(g, scope, 1);
        put(g, ")");
        break;
    case 7:
        put(g, "percentile_disc(0.5) WITHIN GROUP (ORDER BY %s)", exact->name);
        break;
    case 8:
        put(g, "sum(%s)", sum->name);
        break;
    case 9:
        put(g, "avg((%s)::numeric)", sum->type == TYPE_INT4 ? sum->name : "1");
        break;
    case 10:
        put(g, "%s(%s)", one_in(g, 2) ? "min" : "max", sum->name);
        break;
    default:
        put(g, "sum(DISTINCT %s)", sum->name);
    }
    if (one_in(g, 4)) {
        put(g, " FILTER (WHERE ");
        predicate(g, scope, 1);
        put(g, ")");
    }
}

static void group_by(struct generator *g, const char (*names)[44], unsigned count, bool *is_plain)
{
    static const char *const kinds[] = {"", "", "", "ROLLUP", "CUBE", "GROUPING SETS"};
    unsigned kind = below(g, 6);

    *is_plain = kind < 3;
    if (count == 0)
        return;
    put(g, " GROUP BY %s%s", kinds[kind], *is_plain ? "" : " (");
    for (unsigned i = 0; i < count; i++)
        put(g, kind == 5 ? "%s(%s)" : "%s%s", i > 0 ? ", " : "", names[i]);
    put(g, "%s%s", kind == 5 ? ", ()" : "", *is_plain ? "" : ")");
}

static unsigned query_aggregate(struct generator *g, unsigned flags)
{
    struct scope scope = {0};
    struct text before = g->out, from;
    char names[3][44];
    unsigned count = below(g, 3), aggregates = 1 + below(g, 3);
    bool is_plain;

    g->out = (struct text){0};
    from_clause(g, &scope, NULL, 2);
    where_clause(g, &scope, 2);
    from = g->out;
    g->out = before;
    put(g, "SELECT ");
    for (unsigned i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%s",
                 scope_pick(g, &scope, TYPE_COUNT, TYPE_ORDERED | TYPE_EXACT)->name);
        put(g, "%s, ", names[i]);
    }
    for (unsigned i = 0; i < aggregates; i++) {
        put(g, "%s", i > 0 ? ", " : "");
        put_aggregate(g, &scope);
    }
    put(g, "%s", from.data);
    text_free(&from);
    group_by(g, (const char(*)[44])names, count, &is_plain);
    if (one_in(g, 4))
        put(g, " HAVING count(*) > %u", below(g, 4));
    if (flags & QUERY_TOTAL || (is_plain && count && one_in(g, 2))) {
        if (!is_plain || count == 0) { /* one row, or rows told apart by all columns */
            order_by_position(g, count + aggregates);
            return ORDERED_ALL;
        }
        order_by_position(g, count);
        limit_clause(g);
        return ORDERED_ALL;
    }
    return 0;
}

/* The ends of a key, which a scan in order would give at once. */
static unsigned query_extremes(struct generator *g)
{
    const struct table *table = pick_table(g);
    const struct column *key = &table->columns[below(g, table->key_count)];

    if (!has_extremes(key->type) && !type_is(key->type, TYPE_SUM)) {
        put(g, "SELECT count(*) FROM %s x", table->name);
    } else {
        put(g, "SELECT min(x.%s), max(x.%s)%s FROM %s x", key->name, key->name,
            one_in(g, 3) ? ", count(*)" : "", table->name);
    }
    if (!one_in(g, 3)) {
        put(g, " WHERE ");
        key_predicate(g, table, "x");
    }
    return 0;
}

/* Windows: ranks need no total order; the others stand on the key. */
static unsigned query_window(struct generator *g)
{
    static const char *const by_rank[] = {"rank()", "dense_rank()", "count(*)", "cume_dist()",
                                          "percent_rank()"};
    static const char *const by_row[] = {"row_number()",    "lag(%s)",  "lead(%s, 2)",
                                         "first_value(%s)", "ntile(3)", "count(%s)"};
    static const char *const frames[] = {"", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                                         " ROWS UNBOUNDED PRECEDING",
                                         " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"};
    const struct table *table = pick_table(g);
    struct scope scope = {0};
    char alias[12];
    bool by_key = one_in(g, 2);
    const struct scope_column *shown, *parted;

    new_alias(g, alias);
    scope_add_table(&scope, table, alias);
    shown = scope_pick(g, &scope, TYPE_COUNT, 0);
    parted = scope_pick(g, &scope, TYPE_COUNT, TYPE_ORDERED | TYPE_EXACT);
    put(g, "SELECT %s, ", scope.columns[0].name);
    put(g, by_key ? by_row[below(g, 6)] : by_rank[below(g, 5)], shown->name);
    put(g, " OVER (");
    if (one_in(g, 2))
        put(g, "PARTITION BY %s ", parted->name);
    if (by_key)
        order_by_key(g, table, alias);
    else
        put(g, "ORDER BY %s%s", scope_pick(g, &scope, TYPE_COUNT, TYPE_ORDERED | TYPE_EXACT)->name,
            direction(g));
    put(g, "%s) FROM %s %s", by_key ? frames[below(g, 4)] : "", table->name, alias);
    where_clause(g, &scope, 2);
    return 0;
}

static unsigned query_set(struct generator *g, unsigned flags)
{
    static const char *const operators[] = {"UNION", "UNION ALL", "INTERSECT", "EXCEPT",
                                            "EXCEPT ALL"};
    enum type types[3] = {0};
    unsigned count = 1 + below(g, 3), parts = 2 + below(g, 2);

    for (unsigned i = 0; i < count; i++)
        types[i] = pick_type(g, TYPE_ORDERED | TYPE_EXACT);
    for (unsigned i = 0; i < parts; i++) {
        if (i > 0)
            put(g, " %s ", operators[below(g, 5)]);
        put(g, "(");
        query_of(g, NULL, types, count, 1);
        put(g, ")");
    }
    if (!(flags & QUERY_TOTAL))
        return 0;
    order_by_position(g, count);
    limit_clause(g);
    return ORDERED_ALL;
}

static unsigned query_distinct(struct generator *g, unsigned flags)
{
    enum type types[3] = {0};
    unsigned count = 1 + below(g, 3);
    const struct table *table = pick_table(g);

    if (one_in(g, 2)) {
        put(g, "SELECT DISTINCT ON (%s) x.*", table->columns[0].name);
        put(g, " FROM %s x ORDER BY ", table->name);
        for (unsigned i = 0; i < table->key_count; i++)
            put(g, "%sx.%s%s", i > 0 ? ", " : "", table->columns[i].name, direction(g));
        return ORDERED_ALL;
    }
    for (unsigned i = 0; i < count; i++)
        types[i] = pick_type(g, TYPE_ORDERED | TYPE_EXACT);
    put(g, "SELECT DISTINCT * FROM (");
    query_of(g, NULL, types, count, 2);
    put(g, ") u(");
    for (unsigned i = 0; i < count; i++)
        put(g, "%so%u", i > 0 ? ", " : "", i + 1);
    put(g, ")");
    if (!(flags & QUERY_TOTAL))
        return 0;
    order_by_position(g, count);
    return ORDERED_ALL;
}

/* A row's followers by n, a few steps. */
static unsigned query_recursive(struct generator *g)
{
    const struct table *first = pick_table(g), *next = pick_table(g);

    if (first->is_raw || next->is_raw)
        return query_set(g, QUERY_TOTAL);
    put(g, "WITH RECURSIVE r(d, n) AS (SELECT 1, n FROM %s x WHERE ", first->name);
    key_predicate(g, first, "x");
    put(g,
        " UNION%s SELECT d + 1, x.n FROM r JOIN %s x ON x.n = r.n + 1 WHERE d < 4) "
        "SELECT d, n, count(*) FROM r GROUP BY d, n ORDER BY 1, 2",
        one_in(g, 2) ? " ALL" : "", next->name);
    return ORDERED_ALL;
}

/* A WITH query that is read twice. */
static unsigned query_with(struct generator *g)
{
    static const char *const kinds[] = {"", "MATERIALIZED ", "NOT MATERIALIZED "};
    struct table derived = {0};

    derived_columns(g, &derived);
    put(g, "WITH w(");
    for (unsigned i = 0; i < derived.column_count; i++)
        put(g, "%so%u", i > 0 ? ", " : "", i + 1);
    put(g, ") AS %s", kinds[below(g, 3)]);
    derived_query(g, NULL, &derived, 1);
    put(g, " SELECT count(*), count(a.o1), min(a.o1::text) FROM w a %sJOIN w b ON a.o1 = b.o1",
        one_in(g, 2) ? "LEFT " : "");
    return 0;
}

unsigned query(struct generator *g, unsigned flags)
{
    unsigned kind = below(g, flags & QUERY_TOTAL ? 15 : 20);

    if (kind < 6)
        return query_table(g, flags);
    if (kind < 11)
        return query_join(g, flags);
    if (kind < 13)
        return query_aggregate(g, flags);
    if (kind < 14)
        return query_set(g, flags);
    if (kind < 15)
        return query_distinct(g, flags);
    if (kind < 17)
        return query_aggregate(g, flags);
    if (kind < 18)
        return one_in(g, 2) ? query_window(g) : query_extremes(g);
    return kind < 19 ? query_recursive(g) : query_with(g);
}
