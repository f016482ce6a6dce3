/*
 * table.c: the tables of a seed: three to five foreign ones of random shapes, views over some, two that
 * are ordinary on both sides, and a log that triggers write.
 */
#include <stdio.h>
#include <string.h>

#include "generate.h"

struct shape {
    enum type key[3];
    unsigned key_count, partition_count;
};

static const struct shape shapes[] = {
    {{TYPE_INT4}, 1, 1},
    {{TYPE_INT4}, 1, 1},
    {{TYPE_INT4, TYPE_INT4}, 2, 1},
    {{TYPE_INT4, TYPE_TEXT}, 2, 1},
    {{TYPE_TEXT}, 1, 1},
    {{TYPE_TEXT, TYPE_INT8}, 2, 1},
    {{TYPE_UUID}, 1, 1},
    {{TYPE_INT4, TYPE_TEXT, TYPE_DATE}, 3, 1},
    {{TYPE_INT2, TYPE_VARCHAR, TYPE_INT4}, 3, 2},
    {{TYPE_NUMERIC}, 1, 1},
    {{TYPE_BPCHAR, TYPE_TIMESTAMPTZ}, 2, 1},
    {{TYPE_ENUM, TYPE_INT4}, 2, 1},
};
#define SHAPE_COUNT (sizeof shapes / sizeof shapes[0])

static unsigned pick(struct dynkv_random *random, unsigned bound)
{
    return (unsigned)dynkv_random_below(random, bound);
}

static struct column *add_column(struct table *table, const char *name, enum type type)
{
    struct column *column = &table->columns[table->column_count++];

    *column = (struct column){.type = type};
    snprintf(column->name, sizeof column->name, "%s", name);
    return column;
}

static void choose_key(struct table *table, struct dynkv_random *random)
{
    struct shape shape = shapes[pick(random, SHAPE_COUNT)];
    char name[8];

    if (pick(random, 3) == 0) { /* any types */
        shape.key_count = 1 + pick(random, 3);
        shape.partition_count = 1 + pick(random, shape.key_count);
        for (unsigned i = 0; i < shape.key_count; i++)
            do
                shape.key[i] = (enum type)pick(random, TYPE_COUNT);
            while (!type_is(shape.key[i], TYPE_KEY));
    }
    table->key_count = shape.key_count;
    table->partition_count = shape.partition_count;
    for (unsigned i = 0; i < shape.key_count; i++) {
        struct column *column;

        snprintf(name, sizeof name, "k%u", i + 1);
        column = add_column(table, name, shape.key[i]);
        column->is_key = column->is_not_null = true;
        column->is_natural =
            (column->type == TYPE_TEXT || column->type == TYPE_VARCHAR) && pick(random, 5) == 0;
    }
}

/* What is not key: an integer and a text to join by, and some of any type. */
static void choose_values(struct table *table, struct dynkv_random *random)
{
    unsigned more = pick(random, 4);
    char name[20];

    if (table->is_raw) {
        static const enum type types[] = {TYPE_TEXT, TYPE_INT4, TYPE_BYTEA, TYPE_JSONB, TYPE_DATE};

        add_column(table, "v", types[pick(random, 5)])->is_not_null = true;
        return;
    }
    add_column(table, "n", TYPE_INT4);
    add_column(table, "s", TYPE_TEXT);
    for (unsigned i = 0; i < more; i++) {
        struct column *column;

        snprintf(name, sizeof name, pick(random, 6) == 0 ? "\"Of %u\"" : "c%u", i + 1);
        column = add_column(table, name, (enum type)pick(random, TYPE_COUNT));
        column->is_not_null = pick(random, 6) == 0;
    }
    if (pick(random, 4) == 0)
        add_column(table, "g", TYPE_INT4)->is_generated = true;
}

static struct table *add_table(struct tables *tables, const char *prefix)
{
    struct table *table = &tables->list[tables->count];

    *table = (struct table){0};
    snprintf(table->name, sizeof table->name, "%s%u", prefix, tables->count);
    tables->count++;
    return table;
}

static void add_view(struct tables *tables, const struct table *over)
{
    struct table *view = add_table(tables, "view");
    char name[sizeof view->name];

    memcpy(name, view->name, sizeof name);
    *view = *over;
    memcpy(view->name, name, sizeof name);
    view->over = over->name;
}

static const char *const conflicts[] = {"lww", "error", "siblings", "resolver"};

void tables_choose(struct tables *tables, struct dynkv_random *random)
{
    unsigned foreign = 3 + pick(random, 2);

    tables->count = 0;
    tables->is_immediate = pick(random, 8) == 0;
    for (unsigned i = 0; i < foreign; i++) {
        struct table *table = add_table(tables, "t");
        unsigned format = pick(random, 5);

        table->is_foreign = true;
        table->is_raw = format == 0;
        table->is_json = format == 1 || format == 2;
        table->is_immediate = tables->is_immediate;
        table->is_put = !tables->is_immediate && pick(random, 5) == 0;
        table->has_gone = !table->is_raw && pick(random, 4) == 0;
        table->is_partitioned = !table->is_put && pick(random, 5) == 0;
        table->is_deferrable = !table->is_put && !table->is_partitioned && pick(random, 2) == 0;
        table->conflict = conflicts[pick(random, 4)];
        choose_key(table, random);
        choose_values(table, random);
        if (!table->is_raw && pick(random, 3) == 0)
            add_view(tables, table);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct table *table = add_table(tables, "local");

        choose_key(table, random);
        choose_values(table, random);
    }
}

/* ---- DDL ---- */

static void end_statement(struct text *out)
{
    text_add(out, "%c", 0);
}

static void add_names(const struct table *table, unsigned from, unsigned to, struct text *out)
{
    for (unsigned i = from; i < to; i++)
        text_add(out, "%s%s", i > from ? ", " : "", table->columns[i].name);
}

static void add_columns(const struct table *table, struct text *out)
{
    for (unsigned i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];

        text_add(out, "%s%s %s%s%s%s%s", i > 0 ? ", " : "", column->name, type_sql(column->type),
                 column->is_natural ? " COLLATE \"en-x-icu\"" : "",
                 column->is_not_null ? " NOT NULL" : "",
                 column->is_generated ? " GENERATED ALWAYS AS (n / 2 + 1) STORED" : "",
                 !column->is_key && column->type == TYPE_TEXT && !table->is_raw ? " DEFAULT 'none'"
                                                                                : "");
    }
}

static void add_foreign_options(const struct table *table, const char *part,
                                struct dynkv_random *random, unsigned worker, struct text *out)
{
    static const char *const sizes[] = {"1", "3", "50", "100", "1000", "1000"};
    static const char *const costs[] = {"0", "1", "20", "1000"};
    /* Rather by key; rather many keys at once. */
    static const char *const tuple_costs[] = {"0.3", "1000", "0", "0"};
    const char *conflict = table->conflict ? table->conflict : "lww"; /* of the ordinary ones */
    text_add(out, " SERVER kind_kv OPTIONS (keyspace 'd%u_%s%s', partition_key '", worker,
             table->name, part);
    add_names(table, 0, table->partition_count, out);
    if (table->key_count > table->partition_count) {
        text_add(out, "', sort_key '");
        add_names(table, table->partition_count, table->key_count, out);
    }
    text_add(
        out,
        "', format '%s', on_insert '%s', fetch_size '%s', batch_size '%s', fdw_startup_cost '%s', "
        "fdw_tuple_cost '%s', write_mode '%s', ",
        table->is_raw    ? "raw"
        : table->is_json ? "json"
                         : "row",
        table->is_put ? "put" : "error", sizes[pick(random, 6)], sizes[pick(random, 6)],
        costs[pick(random, 4)], tuple_costs[pick(random, 4)],
        table->is_immediate ? "immediate" : "transaction");
    if (strcmp(conflict, "resolver") == 0)
        text_add(out, "resolver 'foreign_%u.resolve_%s%s')", worker, table->name, part);
    else
        text_add(out, "conflict '%s')", conflict);
}

/* A single writer makes no siblings, so that it has nothing to do but to be there. */
static void add_resolver(const struct table *table, const char *part, struct text *out)
{
    if (strcmp(table->conflict, "resolver") != 0)
        return;
    text_add(out,
             "CREATE FUNCTION resolve_%s%s(siblings %s%s[]) RETURNS %s%s LANGUAGE sql AS "
             "'SELECT siblings[1]'",
             table->name, part, table->name, part, table->name, part);
    end_statement(out);
}

/* INSERT overwrites: what stands there is deleted before. */
static void add_put_trigger(const struct table *table, struct text *out)
{
    text_add(out,
             "CREATE FUNCTION put_%s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM %s "
             "WHERE (",
             table->name, table->name);
    add_names(table, 0, table->key_count, out);
    text_add(out, ") = (");
    for (unsigned i = 0; i < table->key_count; i++)
        text_add(out, "%sNEW.%s", i > 0 ? ", " : "", table->columns[i].name);
    text_add(out, "); RETURN NEW; END $$");
    end_statement(out);
    text_add(out, "CREATE TRIGGER a_put BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION put_%s()",
             table->name, table->name);
    end_statement(out);
}

/* A function that writes the table while a query reads it. */
static void add_bump(const struct table *table, struct text *out)
{
    text_add(
        out,
        "CREATE FUNCTION bump_%s(%s) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE c bigint; BEGIN "
        "UPDATE %s SET n = coalesce(n, 0) + 100 WHERE %s = $1; GET DIAGNOSTICS c = ROW_COUNT; "
        "RETURN c; END $$",
        table->name, type_sql(table->columns[0].type), table->name, table->columns[0].name);
    end_statement(out);
}

static void add_triggers(const struct table *table, struct dynkv_random *random, struct text *out)
{
    unsigned which = pick(random, 8);

    if (table->is_put || which > 2)
        return;
    if (which == 0 && table->is_partitioned)
        return; /* a row that leaves a foreign partition is an UPDATE there (differences.c) */
    if (which == 0)
        text_add(out,
                 "CREATE TRIGGER b_log AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW "
                 "EXECUTE FUNCTION note()",
                 table->name);
    else if (which == 1 && !table->is_raw)
        text_add(out,
                 "CREATE TRIGGER b_skip BEFORE UPDATE OR DELETE ON %s FOR EACH ROW "
                 "WHEN (OLD.n = 7) EXECUTE FUNCTION skip()",
                 table->name);
    else if (!table->is_raw)
        text_add(out,
                 "CREATE TRIGGER b_mark BEFORE INSERT OR UPDATE ON %s FOR EACH ROW "
                 "WHEN (NEW.n > 5) EXECUTE FUNCTION mark()",
                 table->name);
    else
        return;
    end_statement(out);
}

/* NOT NULL is said with the columns.  An empty text alone cannot be a key (differences.c). */
static void add_checks(const struct table *table, struct dynkv_random *random, struct text *out)
{
    const struct column *key = &table->columns[0];

    if (pick(random, 3) == 0 && !table->is_raw)
        text_add(out, ", CHECK (n <> 13)");
    if (table->key_count == 1 && key->type == TYPE_BYTEA)
        text_add(out, ", CHECK (octet_length(k1) > 0)");
    else if (table->key_count == 1)
        text_add(out, ", CHECK (octet_length(k1::text) > 0)");
}

static const char *const ranges[] = {"FROM (MINVALUE) TO (4)", "FROM (4) TO (9)",
                                     "FROM (9) TO (15)", "FROM (15) TO (MAXVALUE)"};

/* The second partition is an ordinary table, the others are foreign. */
static void add_partition(const struct table *table, unsigned number, bool is_foreign,
                          const char *options, struct text *out)
{
    bool foreign = is_foreign && number != 1;

    text_add(out, "CREATE %sTABLE %s_%u PARTITION OF %s", foreign ? "FOREIGN " : "", table->name,
             number, table->name);
    if (is_foreign && !foreign) { /* the parent of foreign partitions cannot have an index */
        text_add(out, " (PRIMARY KEY (");
        add_names(table, 0, table->key_count, out);
        text_add(out, "))");
    }
    if (table->columns[0].type == TYPE_INT4)
        text_add(out, " FOR VALUES %s", ranges[number]);
    else
        text_add(out, " FOR VALUES WITH (MODULUS 4, REMAINDER %u)", number);
    text_add(out, "%s", foreign ? options : "");
    end_statement(out);
}

static void add_partitioned_ddl(const struct table *table, struct dynkv_random *random,
                                bool is_foreign, unsigned worker, struct text *out)
{
    text_add(out, "CREATE TABLE %s (", table->name);
    add_columns(table, out);
    add_checks(table, random, out);
    if (!is_foreign) {
        text_add(out, ", PRIMARY KEY (");
        add_names(table, 0, table->key_count, out);
        text_add(out, ")");
    }
    text_add(out, ") PARTITION BY %s (k1)", table->columns[0].type == TYPE_INT4 ? "RANGE" : "HASH");
    end_statement(out);
    for (unsigned i = 0; i < 4; i++) {
        struct text options = {0};
        char part[8];

        snprintf(part, sizeof part, "_%u", i);
        add_foreign_options(table, part, random, worker, &options);
        add_partition(table, i, is_foreign, options.data, out);
        if (is_foreign && i != 1)
            add_resolver(table, part, out);
        text_free(&options);
    }
    if (!table->is_raw)
        add_bump(table, out);
    add_triggers(table, random, out);
    text_add(out, "TRUNCATE %s", table->name);
    end_statement(out);
}

static void add_table_ddl(const struct table *table, struct dynkv_random *random, bool is_foreign,
                          unsigned worker, struct text *out)
{
    bool foreign = is_foreign && table->is_foreign;
    struct text options = {0};

    if (table->is_partitioned) {
        add_partitioned_ddl(table, random, is_foreign, worker, out);
        return;
    }
    add_foreign_options(table, "", random, worker, &options); /* in any case: it draws numbers */
    text_add(out, "CREATE %sTABLE %s (", foreign ? "FOREIGN " : "", table->name);
    if (table->has_gone)
        text_add(out, "gone integer, ");
    add_columns(table, out);
    add_checks(table, random, out);
    if (foreign) {
        text_add(out, ")%s", options.data);
        end_statement(out);
        add_resolver(table, "", out);
    } else {
        text_add(out, ", PRIMARY KEY (");
        add_names(table, 0, table->key_count, out);
        text_add(out, ")%s)", table->is_deferrable ? " DEFERRABLE" : "");
        end_statement(out);
    }
    text_free(&options);
    if (table->has_gone) {
        text_add(out, "ALTER TABLE %s DROP COLUMN gone", table->name);
        end_statement(out);
    }
    if (!table->is_raw)
        add_bump(table, out);
    if (table->is_put && !foreign)
        add_put_trigger(table, out);
    add_triggers(table, random, out);
    text_add(out, "TRUNCATE %s", table->name);
    end_statement(out);
}

static void add_view_ddl(const struct table *view, struct dynkv_random *random, struct text *out)
{
    text_add(out, "CREATE VIEW %s AS SELECT * FROM %s WHERE n IS DISTINCT FROM 3 %s", view->name,
             view->over, pick(random, 2) ? "WITH CHECK OPTION" : "");
    end_statement(out);
}

static const char *const common_ddl[] = {
    "CREATE TABLE log (op text, name text, was text, now text)",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "INSERT INTO log SELECT TG_OP, TG_TABLE_NAME, CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, "
    "CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END; RETURN NULL; END $$",
    "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "NEW.s := left(NEW.s || '*', 20); RETURN NEW; END $$",
    "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RETURN NULL; END $$",
};

void tables_ddl(const struct tables *tables, uint64_t seed, bool is_foreign, unsigned worker,
                struct text *out)
{
    struct dynkv_random random = dynkv_random(seed ^ 0x5dd1); /* the same for both sides */

    for (unsigned i = 0; i < sizeof common_ddl / sizeof common_ddl[0]; i++) {
        text_add(out, "%s", common_ddl[i]);
        end_statement(out);
    }
    for (unsigned i = 0; i < tables->count; i++) {
        if (tables->list[i].over)
            add_view_ddl(&tables->list[i], &random, out);
        else
            add_table_ddl(&tables->list[i], &random, is_foreign, worker, out);
    }
}
