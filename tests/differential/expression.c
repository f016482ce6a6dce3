/*
 * expression.c: expressions of a wanted type over the columns in scope.
 */
#include <stdio.h>
#include <string.h>

#include "generate.h"

bool one_in(struct generator *g, unsigned n)
{
    return below(g, n) == 0;
}

unsigned below(struct generator *g, unsigned n)
{
    return (unsigned)dynkv_random_below(&g->random, n);
}

void put(struct generator *g, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_add_args(&g->out, format, args);
    va_end(args);
}

void new_alias(struct generator *g, char *alias)
{
    sprintf(alias, "x%u", g->next_alias++);
}

void scope_add_table(struct scope *scope, const struct table *table, const char *alias)
{
    for (unsigned i = 0; i < table->column_count && scope->count < SCOPE_MAX; i++) {
        struct scope_column *column = &scope->columns[scope->count++];

        snprintf(column->name, sizeof column->name, "%s%s%s", alias, *alias ? "." : "",
                 table->columns[i].name);
        column->type = table->columns[i].type;
        column->is_key = table->columns[i].is_key;
    }
}

const struct scope_column *scope_pick(struct generator *g, const struct scope *scope,
                                      enum type type, unsigned flags)
{
    const struct scope_column *found = NULL;
    unsigned count = 0;

    for (unsigned i = 0; i < scope->count; i++) {
        const struct scope_column *column = &scope->columns[i];

        if ((type == TYPE_COUNT || column->type == type) && type_is(column->type, flags) &&
            one_in(g, ++count))
            found = column;
    }
    return found;
}

void literal(struct generator *g, enum type type)
{
    if (g->takes_params && g->param_count < PARAMS_MAX && !one_in(g, 3)) {
        g->params[g->param_count++] = type;
        put(g, "$%u", g->param_count);
    } else if (one_in(g, 25)) {
        put(g, "NULL::%s", type_sql(type));
    } else {
        text_add_quoted(&g->out, type_value(&g->random, type));
        put(g, "::%s", type_sql(type));
    }
}

/* A pattern's words are text; %c is an expression of the type that follows in args. */
struct form {
    enum type result;
    const char *pattern; /* ? stands for an operand */
    enum type operands[3];
};

/* Nothing here can fail, whatever the operands are. */
static const struct form forms[] = {
    {TYPE_INT4, "((? & 1023) + (? & 1023))", {TYPE_INT4, TYPE_INT4}},
    {TYPE_INT4, "(? %% 10)", {TYPE_INT4}},
    {TYPE_INT4, "(? / 2)", {TYPE_INT4}},
    {TYPE_INT4, "(? # ?)", {TYPE_INT4, TYPE_INT4}},
    {TYPE_INT4, "length(?)", {TYPE_TEXT}},
    {TYPE_INT4, "octet_length(?)", {TYPE_BYTEA}},
    {TYPE_INT4, "strpos(?, ?)", {TYPE_TEXT, TYPE_TEXT}},
    {TYPE_INT4, "cardinality(?)", {TYPE_INTS}},
    {TYPE_INT4, "(?::text)::integer", {TYPE_INT4}},
    {TYPE_INT4, "?::integer", {TYPE_INT2}},
    {TYPE_INT4, "?::integer", {TYPE_BOOL}},
    {TYPE_INT4, "ascii(?)", {TYPE_TEXT}},
    {TYPE_INT4, "masklen(?)", {TYPE_INET}},
    {TYPE_INT4, "lower(?)", {TYPE_RANGE}},
    {TYPE_INT4, "(?).a", {TYPE_PAIR}},
    {TYPE_INT2, "(? %% 7::smallint)", {TYPE_INT2}},
    {TYPE_INT8, "(?::bigint * ?)", {TYPE_INT4, TYPE_INT4}},
    {TYPE_INT8, "(? %% 1000)", {TYPE_INT8}},
    {TYPE_INT8, "?::bigint", {TYPE_INT4}},
    {TYPE_INT8, "hashtext(?)::bigint", {TYPE_TEXT}},
    {TYPE_NUMERIC, "(? %% 1000.00)::numeric(12,2)", {TYPE_NUMERIC}},
    {TYPE_NUMERIC, "?::numeric(12,2)", {TYPE_INT4}},
    {TYPE_DECIMAL, "(? + ?)", {TYPE_DECIMAL, TYPE_DECIMAL}},
    {TYPE_DECIMAL, "(? * ?)", {TYPE_NUMERIC, TYPE_INT8}},
    {TYPE_DECIMAL, "round(?, 1)", {TYPE_DECIMAL}},
    {TYPE_FLOAT8, "(? + ?)", {TYPE_FLOAT8, TYPE_FLOAT8}},
    {TYPE_FLOAT8, "?::float8", {TYPE_INT4}},
    {TYPE_FLOAT8, "?::float8", {TYPE_FLOAT4}},
    {TYPE_FLOAT4, "(? + ?)", {TYPE_FLOAT4, TYPE_FLOAT4}},
    {TYPE_TEXT, "(? || ?)", {TYPE_TEXT, TYPE_TEXT}},
    {TYPE_TEXT, "upper(?)", {TYPE_TEXT}},
    {TYPE_TEXT, "left(?, ? & 7)", {TYPE_TEXT, TYPE_INT4}},
    {TYPE_TEXT, "replace(?, 'a', ?)", {TYPE_TEXT, TYPE_TEXT}},
    {TYPE_TEXT, "md5(?)", {TYPE_TEXT}},
    {TYPE_TEXT, "format('%%s-%%s', ?, ?)", {TYPE_TEXT, TYPE_INT4}},
    {TYPE_TEXT, "?::text", {TYPE_VARCHAR}},
    {TYPE_TEXT, "?::text", {TYPE_BPCHAR}},
    {TYPE_TEXT, "?::text", {TYPE_INT4}},
    {TYPE_TEXT, "?::text", {TYPE_JSONB}},
    {TYPE_TEXT, "?::text", {TYPE_TIMESTAMPTZ}},
    {TYPE_TEXT, "?::text", {TYPE_NUMERIC}},
    {TYPE_TEXT, "?::text", {TYPE_ENUM}},
    {TYPE_TEXT, "encode(?, 'hex')", {TYPE_BYTEA}},
    {TYPE_TEXT, "(? ->> 'a')", {TYPE_JSONB}},
    {TYPE_TEXT, "jsonb_typeof(?)", {TYPE_JSONB}},
    {TYPE_TEXT, "host(?)", {TYPE_INET}},
    {TYPE_TEXT, "(?).b", {TYPE_PAIR}},
    {TYPE_TEXT, "array_to_string(?, ',', '-')", {TYPE_TEXTS}},
    {TYPE_TEXT, "pg_typeof(?)::text", {TYPE_NUMERIC}},
    {TYPE_VARCHAR, "left(?, 12)::varchar(12)", {TYPE_TEXT}},
    {TYPE_BPCHAR, "left(?, 6)::char(6)", {TYPE_TEXT}},
    {TYPE_BYTEA, "(? || ?)", {TYPE_BYTEA, TYPE_BYTEA}},
    {TYPE_TIMESTAMP, "?::timestamp", {TYPE_DATE}},
    {TYPE_TIMESTAMP, "(? AT TIME ZONE 'UTC')", {TYPE_TIMESTAMPTZ}},
    {TYPE_DATE, "?::date", {TYPE_TIMESTAMP}},
    {TYPE_TIME, "(? + ?)", {TYPE_TIME, TYPE_INTERVAL}},
    {TYPE_TIMESTAMPTZ, "(? AT TIME ZONE 'Europe/Berlin')", {TYPE_TIMESTAMP}},
    {TYPE_UUID, "md5(?)::uuid", {TYPE_TEXT}},
    {TYPE_INET, "?::inet", {TYPE_CIDR}},
    {TYPE_CIDR, "network(?)", {TYPE_INET}},
    {TYPE_MACADDR, "trunc(?)", {TYPE_MACADDR}},
    {TYPE_DOMAIN, "(? & 31)::kind.small", {TYPE_INT4}},
    {TYPE_PAIR, "ROW(?, ?)::kind.pair", {TYPE_INT4, TYPE_TEXT}},
    {TYPE_INTS, "ARRAY[?, ?]", {TYPE_INT4, TYPE_INT4}},
    {TYPE_INTS, "(? || ?)", {TYPE_INTS, TYPE_INT4}},
    {TYPE_TEXTS, "string_to_array(?, ' ')", {TYPE_TEXT}},
    {TYPE_RANGE, "int4range(? & 7, 8 + (? & 7))", {TYPE_INT4, TYPE_INT4}},
    {TYPE_JSONB, "to_jsonb(?)", {TYPE_TEXT}},
    {TYPE_JSONB, "jsonb_build_object('n', ?, 's', ?)", {TYPE_INT4, TYPE_TEXT}},
    {TYPE_JSONB, "(? -> 'b')", {TYPE_JSONB}},
    {TYPE_JSON, "to_json(?)", {TYPE_TEXT}},
    {TYPE_JSON, "row_to_json(?)", {TYPE_PAIR}},
    {TYPE_BOOL, "(? = ?)", {TYPE_INT4, TYPE_INT4}},
    {TYPE_BOOL, "(? @> ?)", {TYPE_JSONB, TYPE_JSONB}},
    {TYPE_BOOL, "(? @> ?)", {TYPE_RANGE, TYPE_INT4}},
    {TYPE_BOOL, "(? ~ '^a.*b')", {TYPE_TEXT}},
    {TYPE_BOOL, "(? ILIKE '%%B%%')", {TYPE_TEXT}},
    {TYPE_BOOL, "(? << ?)", {TYPE_INET, TYPE_INET}},
    {TYPE_BOOL, "(? && ?)", {TYPE_INTS, TYPE_INTS}},
};
#define FORM_COUNT (sizeof forms / sizeof forms[0])

/* NULL arrays and out-of-range steps are no concern; multi-dimensional arrays cannot take an element. */
static bool form_suits(const struct form *form, enum type type)
{
    return form->result == type && strcmp(form->pattern, "(? || ?)") != 0;
}

static bool put_form(struct generator *g, const struct scope *scope, enum type type, unsigned depth)
{
    const struct form *found = NULL;
    unsigned count = 0, operand = 0;

    for (unsigned i = 0; i < FORM_COUNT; i++)
        if ((type == TYPE_TEXT || type == TYPE_BYTEA ? forms[i].result == type
                                                     : form_suits(&forms[i], type)) &&
            one_in(g, ++count))
            found = &forms[i];
    if (!found)
        return false;
    for (const char *at = found->pattern; *at; at++) {
        if (*at == '?')
            expression(g, scope, found->operands[operand++], depth - 1);
        else if (*at == '%' && at[1] == '%')
            put(g, "%%"), at++;
        else
            put(g, "%c", *at);
    }
    return true;
}

/* What every type has. */
static void put_generic(struct generator *g, const struct scope *scope, enum type type,
                        unsigned depth)
{
    switch (below(g, type_is(type, TYPE_ORDERED) ? 4 : 2)) {
    case 0:
        put(g, "CASE WHEN ");
        predicate(g, scope, depth - 1);
        put(g, " THEN ");
        expression(g, scope, type, depth - 1);
        put(g, " ELSE ");
        expression(g, scope, type, depth - 1);
        put(g, " END");
        break;
    case 1:
        put(g, "coalesce(");
        expression(g, scope, type, depth - 1);
        put(g, ", ");
        expression(g, scope, type, depth - 1);
        put(g, ")");
        break;
    case 2:
        put(g, "%s(", type == TYPE_DECIMAL ? "coalesce" : one_in(g, 2) ? "greatest" : "least");
        expression(g, scope, type, depth - 1);
        put(g, ", ");
        expression(g, scope, type, depth - 1);
        put(g, ")");
        break;
    default:
        put(g, "nullif(");
        expression(g, scope, type, depth - 1);
        put(g, ", ");
        literal(g, type);
        put(g, ")");
    }
}

/* A subquery of at most one row: an aggregate, or a row by its key. */
static void put_scalar_query(struct generator *g, const struct scope *scope, enum type type,
                             unsigned depth)
{
    const struct table *table = pick_table(g);
    struct scope inner = {0};
    const struct scope_column *column;
    char alias[12];

    new_alias(g, alias);
    scope_add_table(&inner, table, alias);
    column = scope_pick(g, &inner, type, 0);
    if (!column) {
        expression(g, scope, type, 0);
        return;
    }
    put(g, "(SELECT %s FROM %s %s WHERE ", column->name, table->name, alias);
    key_equals(g, table, alias);
    if (one_in(g, 3)) {
        put(g, " AND ");
        predicate(g, scope, depth > 1 ? 1 : 0);
    }
    put(g, ")");
}

void expression(struct generator *g, const struct scope *scope, enum type type, unsigned depth)
{
    const struct scope_column *column = scope_pick(g, scope, type, 0);
    unsigned kind = below(g, 10);

    if (column && (depth == 0 ? kind < 8 : kind < 5))
        put(g, "%s", column->name);
    else if (depth == 0 || kind == 5)
        literal(g, type);
    else if (kind == 6)
        put_generic(g, scope, type, depth);
    else if (kind == 7 && one_in(g, 3))
        put_scalar_query(g, scope, type, depth);
    else if (!put_form(g, scope, type, depth))
        put_generic(g, scope, type, depth);
}

void risky_expression(struct generator *g, const struct scope *scope)
{
    static const struct form risky[] = {
        {TYPE_INT4, "(10 / (?))", {TYPE_INT4}},
        {TYPE_INT4, "((?) * 1000000000)", {TYPE_INT4}},
        {TYPE_INT4, "(?)::smallint", {TYPE_INT8}},
        {TYPE_TEXT, "(?)::kind.mood", {TYPE_TEXT}},
        {TYPE_TEXT, "((?) || 'x')::uuid", {TYPE_TEXT}},
        {TYPE_INT4, "(? - 20)::kind.small", {TYPE_INT4}},
        {TYPE_INT4, "(SELECT n FROM generate_series(1, (?) %% 3) n)", {TYPE_INT4}},
    };
    const struct form *form = &risky[below(g, sizeof risky / sizeof risky[0])];
    const struct scope_column *column = scope_pick(g, scope, form->operands[0], 0);

    for (const char *at = form->pattern; *at; at++) {
        if (*at == '?' && column)
            put(g, "%s", column->name);
        else if (*at == '?')
            literal(g, form->operands[0]);
        else if (*at == '%')
            put(g, "%%"), at++;
        else
            put(g, "%c", *at);
    }
}
