/*
 * session.c: what the session does next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

/* Tables with more get rows deleted, so that joins stay small; those with fewer get some. */
#define ROWS_ENOUGH 80u
#define ROWS_FEW    8u

/* ---- transactions ---- */

static void transaction(struct generator *g, enum session_state state)
{
    unsigned kind = below(g, 12);

    if (state == SESSION_IDLE)
        put(g, kind == 0 ? "START TRANSACTION ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
    else if (g->savepoints > 0 && kind < (state == SESSION_FAILED ? 10 : 3))
        put(g, "ROLLBACK TO s%u", 1 + below(g, g->savepoints));
    else if (state == SESSION_FAILED)
        put(g, kind == 11 ? "COMMIT" : "ROLLBACK");
    else if (kind < 6)
        put(g, "SAVEPOINT s%u", ++g->savepoints);
    else if (kind < 7)
        put(g, "RELEASE s%u", g->savepoints ? g->savepoints-- : 1);
    else
        put(g, kind == 7 ? "ROLLBACK" : "COMMIT");
}

/* One that may be, or a query. */
static void put_transaction(struct generator *g, enum session_state state)
{
    if (g->tables.is_immediate)
        query(g, 0);
    else
        transaction(g, state);
}

/* ---- cursors ---- */

static void declare(struct generator *g, enum session_state state, unsigned cursor)
{
    put(g, "DECLARE cursor%u %sCURSOR%s FOR ", cursor, cursor == SCROLLING ? "SCROLL " : "",
        state == SESSION_IDLE || one_in(g, 4) ? " WITH HOLD" : "");
    query(g, QUERY_TOTAL);
}

static void fetch(struct generator *g, unsigned cursor)
{
    static const char *const forward[] = {"NEXT", "3", "FORWARD 5", "FORWARD ALL", "1", "0"};
    static const char *const anywhere[] = {"PRIOR",        "BACKWARD 3",  "ABSOLUTE 2",
                                           "LAST",         "RELATIVE -2", "FIRST",
                                           "BACKWARD ALL", "ABSOLUTE -1"};

    put(g, "%s %s FROM cursor%u", one_in(g, 5) ? "MOVE" : "FETCH",
        cursor == SCROLLING && one_in(g, 2) ? anywhere[below(g, 8)]
                                            : forward[below(g, cursor == SCROLLING ? 6 : 5)],
        cursor);
}

static unsigned cursor(struct generator *g, enum session_state state)
{
    unsigned number = below(g, CURSORS), kind = below(g, 10);

    if (!g->cursors[number])
        declare(g, state, number);
    else if (kind < 9)
        fetch(g, number);
    else
        put(g, "CLOSE cursor%u", number);
    g->cursors[number] = kind < 9;
    return ORDERED_ALL;
}

/* ---- prepared statements ---- */

/* A statement that takes what it is about as parameters. */
static unsigned parameterized(struct generator *g)
{
    unsigned ordered = 0;

    g->takes_params = true;
    g->param_count = 0;
    if (one_in(g, 3))
        modify(g);
    else
        ordered = query(g, 0);
    g->takes_params = false;
    return ordered;
}

static void prepare(struct generator *g, unsigned number)
{
    struct prepared *prepared = &g->prepared[number];
    struct text sql;

    prepared->ordered = parameterized(g);
    sql = g->out;
    g->out = (struct text){0};
    prepared->count = g->param_count;
    put(g, "PREPARE prepared%u", number);
    for (unsigned i = 0; i < g->param_count; i++) {
        prepared->types[i] = g->params[i];
        put(g, "%s%s%s", i > 0 ? ", " : " (", type_sql(g->params[i]),
            i + 1 == g->param_count ? ")" : "");
    }
    put(g, " AS %s", sql.data);
    text_free(&sql);
}

static unsigned execute(struct generator *g, unsigned number)
{
    const struct prepared *prepared = &g->prepared[number];

    put(g, "EXECUTE prepared%u", number);
    for (unsigned i = 0; i < prepared->count; i++) {
        put(g, "%s", i > 0 ? ", " : " (");
        literal(g, prepared->types[i]);
        put(g, "%s", i + 1 == prepared->count ? ")" : "");
    }
    return prepared->ordered;
}

static unsigned prepared(struct generator *g)
{
    unsigned number = below(g, PREPARED_MAX);
    bool is_there = g->prepared[number].is_there;

    if (is_there && !one_in(g, 10))
        return execute(g, number);
    g->prepared[number].is_there = !is_there;
    if (is_there)
        put(g, "DEALLOCATE prepared%u", number);
    else
        prepare(g, number);
    return 0;
}

/* As clients do that speak the protocol's binary formats. */
static unsigned bound(struct generator *g, struct statement *statement)
{
    unsigned ordered = parameterized(g);

    statement->is_bound = true;
    statement->param_count = g->param_count;
    for (unsigned i = 0; i < g->param_count; i++) {
        statement->param_types[i] = g->params[i];
        if (!one_in(g, 25))
            statement->params[i] = strdup(type_value(&g->random, g->params[i]));
    }
    return ordered;
}

/* ---- PL/pgSQL ---- */

static void block_statement(struct generator *g)
{
    if (one_in(g, 4)) {
        put(g, "INSERT INTO log SELECT 'rows', count(*)::text FROM (");
        query(g, 0);
        put(g, ") q");
    } else {
        modify(g);
    }
    put(g, "; ");
}

/* Writes in a loop over the table that is written. */
static void block_loop(struct generator *g)
{
    const struct table *table = pick_table(g);
    struct scope scope = {0};

    scope_add_table(&scope, table, "x");
    put(g, "FOR r IN SELECT * FROM %s x ORDER BY ", table->name);
    for (unsigned i = 0; i < table->key_count; i++)
        put(g, "%sx.%s", i > 0 ? ", " : "", table->columns[i].name);
    put(g, " LIMIT %u LOOP ", 1 + below(g, 6));
    if (one_in(g, 3) || table->is_raw)
        put(g, "DELETE FROM %s x WHERE ", table->name);
    else
        put(g, "UPDATE %s x SET n = x.n + 1, s = left(r.s || 'r', 20) WHERE ", table->name);
    for (unsigned i = 0; i < table->key_count; i++)
        put(g, "%sx.%s = r.%s", i > 0 ? " AND " : "", table->columns[i].name,
            table->columns[i].name);
    put(g, "; INSERT INTO log SELECT 'loop', count(*)::text FROM %s; END LOOP; ", table->name);
}

/* Writes into a scan that is under way: the loop fetches some rows at a time, in any order. */
static void block_scan(struct generator *g)
{
    const struct table *table = pick_table(g);

    put(g, "c := 0; FOR r IN SELECT * FROM %s x LOOP c := c + 1; ", table->name);
    if (one_in(g, 2) || table->is_raw)
        put(g, "DELETE FROM %s x WHERE x.%s = r.%s; ", table->name, table->columns[0].name,
            table->columns[0].name);
    else
        put(g, "UPDATE %s x SET n = coalesce(x.n, 0) + 100 WHERE x.%s = r.%s; ", table->name,
            table->columns[0].name, table->columns[0].name);
    put(g, "END LOOP; INSERT INTO log VALUES ('scan', c::text); ");
}

/* Subtransactions in a loop, each with a write, and some of them taken back. */
static void block_tries(struct generator *g)
{
    const struct table *table = pick_table(g);

    put(g, "FOR i IN 1..%u LOOP BEGIN INSERT INTO %s", 2 + below(g, 3), table->name);
    modify_values(g, table);
    put(g, "; IF i %% 2 = 0 THEN RAISE EXCEPTION 'no'; END IF; EXCEPTION WHEN OTHERS THEN ");
    put(g, "INSERT INTO log SELECT 'try', count(*)::text FROM %s; END; END LOOP; ", table->name);
}

/* The class of the error is not logged: of two reasons either may come first (differences.c). */
static void block(struct generator *g)
{
    g->is_silent = true;
    put(g, "DO $$ DECLARE r record; c integer; BEGIN ");
    if (one_in(g, 2))
        block_statement(g);
    if (one_in(g, 3))
        block_loop(g);
    if (one_in(g, 6))
        block_tries(g);
    if (one_in(g, 5))
        block_scan(g);
    put(g, "BEGIN ");
    block_statement(g);
    if (one_in(g, 2))
        block_statement(g);
    if (one_in(g, 3))
        put(g, "PERFORM 1 / 0; ");
    put(g, "EXCEPTION WHEN OTHERS THEN INSERT INTO log VALUES ('caught'); ");
    if (one_in(g, 2))
        block_statement(g);
    put(g, "END; END $$");
    g->is_silent = false;
}

/* ---- COPY ---- */

static void put_copy_value(struct text *data, const char *value)
{
    for (; *value; value++)
        text_add(data, *value == '\\' ? "\\\\" : *value == '\t' ? "\\t" : "%c", *value);
}

static void copy_in(struct generator *g, struct statement *statement)
{
    const struct table *table = pick_table(g);
    struct text data = {0};
    unsigned rows = 1 + below(g, 8);
    bool first = true;

    put(g, "COPY %s (", table->name);
    for (unsigned i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_generated)
            continue;
        put(g, "%s%s", first ? "" : ", ", table->columns[i].name);
        first = false;
    }
    put(g, ") FROM STDIN%s", !table->is_raw && one_in(g, 4) ? " WHERE n > 3" : "");
    for (unsigned row = 0; row < rows; row++) {
        first = true;
        for (unsigned i = 0; i < table->column_count; i++) {
            const struct column *column = &table->columns[i];

            if (column->is_generated)
                continue;
            text_add(&data, "%s", first ? "" : "\t");
            first = false;
            if (one_in(g, column->is_not_null ? 100 : 8))
                text_add(&data, "\\N");
            else
                put_copy_value(&data, type_value(&g->random, column->type));
        }
        text_add(&data, "\n");
    }
    statement->copy = data.data;
}

static unsigned copy(struct generator *g, struct statement *statement)
{
    static const char *const formats[] = {"", " WITH (FORMAT csv, HEADER)", " WITH (FORMAT csv)"};
    unsigned ordered;

    if (one_in(g, 2)) {
        copy_in(g, statement);
        return 0;
    }
    put(g, "COPY (");
    if (one_in(g, 4))
        modify(g), ordered = 0;
    else
        ordered = query(g, 0) == ORDERED_ALL ? ORDERED_ALL : 0;
    put(g, ") TO STDOUT%s", formats[below(g, 3)]);
    return ordered;
}

/* ---- settings and the rest ---- */

static void setting(struct generator *g)
{
    static const char *const settings[] = {
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        "enable_nestloop = off",
        "enable_hashjoin = on",
        "enable_mergejoin = on",
        "enable_nestloop = on",
        "enable_material = off",
        "enable_memoize = off",
        "enable_hashagg = off",
        "enable_sort = off",
        "enable_sort = on",
        "enable_incremental_sort = off",
        "dynkv_fdw.enable_lookup_join = off",
        "dynkv_fdw.enable_lookup_join = on",
        "work_mem = '64kB'",
        "work_mem = '4MB'",
        "plan_cache_mode = force_generic_plan",
        "plan_cache_mode = force_custom_plan",
        "plan_cache_mode = auto",
        "join_collapse_limit = 1",
        "from_collapse_limit = 1",
        "cursor_tuple_fraction = 1",
        "cursor_tuple_fraction = 0.01",
        "timezone = 'Asia/Kolkata'",
        "timezone = 'America/New_York'",
        "datestyle = 'German, DMY'",
        "datestyle = 'ISO, MDY'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = 0",
    };

    put(g, "SET %s%s", one_in(g, 6) ? "LOCAL " : "",
        settings[below(g, sizeof settings / sizeof settings[0])]);
}

static void other(struct generator *g)
{
    const struct table *table = pick_table(g);

    switch (below(g, 9)) {
    case 0:
    case 1:
        put(g, "TRUNCATE %s", table->name);
        break;
    case 2:
        put(g, "ANALYZE %s", table->over ? table->over : table->name);
        break;
    case 3:
        put(g, "DISCARD PLANS");
        break;
    case 4:
        put(g, "RESET ALL");
        break;
    case 5:
        if (!g->tables.is_immediate && !table->is_raw && !table->over && !table->is_put) {
            put(g, "SELECT bump_%s(x.%s), x.n FROM %s x", table->name, table->columns[0].name,
                table->name);
            break;
        }
        setting(g);
        break;
    default:
        setting(g);
    }
}

/* A table has too many rows, or too few; false: none has. */
static bool balance(struct generator *g)
{
    for (unsigned i = 0; i < g->tables.count; i++) {
        const struct table *table = &g->tables.list[i];

        if (g->rows[i] < ROWS_FEW && !table->over) {
            modify_fill(g, table);
        } else if (g->rows[i] > ROWS_ENOUGH) {
            put(g, "DELETE FROM %s x WHERE hashtext(x.%s::text) %% 3 <> 0", table->name,
                table->columns[0].name);
        } else {
            continue;
        }
        g->rows[i] = ROWS_FEW; /* until the next comparison */
        return true;
    }
    return false;
}

static unsigned any_statement(struct generator *g, enum session_state state,
                              struct statement *statement)
{
    unsigned kind = below(g, 100);

    if (state == SESSION_IDLE) {
        g->savepoints = 0;
        if (balance(g))
            return 0;
    }
    if (kind < 33)
        return query(g, 0);
    if (kind < 62)
        modify(g);
    else if (kind < 74)
        put_transaction(g, state);
    else if (kind < 80)
        return cursor(g, state);
    else if (kind < 85)
        return prepared(g);
    else if (kind < 89)
        return bound(g, statement);
    else if (kind < 92 && !g->tables.is_immediate)
        block(g);
    else if (kind < 95)
        return copy(g, statement);
    else
        other(g);
    return 0;
}

void generate(struct generator *g, enum session_state state, struct statement *statement)
{
    *statement = (struct statement){0};
    text_clear(&g->out);
    g->next_alias = 1;
    if (state == SESSION_IDLE && one_in(g, 3))
        memset(g->cursors, 0, sizeof g->cursors);
    if (state == SESSION_FAILED && !one_in(g, 6))
        transaction(g, state);
    else
        statement->ordered = any_statement(g, state, statement);
    statement->sql = strdup(g->out.data);
}

void generate_contents(const struct table *table, struct statement *statement)
{
    *statement = (struct statement){.sql = text_of("SELECT * FROM %s", table->name)};
}
