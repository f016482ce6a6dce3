/*
 * generate.h: random SQL that is valid, or fails for one reason.
 *
 * What a statement gives must not depend on what SQL leaves open, or two right answers would differ.  So:
 *   - LIMIT, cursors and row-number windows stand on a total order, string_agg and array_agg on one;
 *   - what is grouped, made distinct or united is of "exact" types, whose equal values are the same text;
 *   - an UPDATE ... FROM takes values of the other table only where at most one of its rows joins;
 *   - expressions in conditions cannot fail, because the planner decides whether they are evaluated;
 *   - sums of floats are sums of quarters, which have no rounding;
 *   - no random(), no now(), no ctid, no tableoid.
 */
#ifndef DYNKV_TESTS_GENERATE_H
#define DYNKV_TESTS_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "text.h"

/* ---- types (type.c) ---- */

#define TYPE_ORDERED 1u /* has < and = */
#define TYPE_EXACT   2u /* equal values are the same text */
#define TYPE_KEY     4u /* can be a key of a foreign table */
#define TYPE_SUM     8u /* sum() is exact, and does not overflow */

#define TYPES(X)                       \
    X(BOOL, "boolean", 7u)             \
    X(INT2, "smallint", 15u)           \
    X(INT4, "integer", 15u)            \
    X(INT8, "bigint", 15u)             \
    X(NUMERIC, "numeric(12,2)", 15u)   \
    X(DECIMAL, "numeric", 1u)          \
    X(FLOAT4, "real", 15u)             \
    X(FLOAT8, "double precision", 15u) \
    X(TEXT, "text", 7u)                \
    X(VARCHAR, "varchar(12)", 7u)      \
    X(BPCHAR, "char(6)", 7u)           \
    X(NAME, "name", 7u)                \
    X(CHAR, "\"char\"", 7u)            \
    X(BYTEA, "bytea", 7u)              \
    X(DATE, "date", 7u)                \
    X(TIME, "time", 7u)                \
    X(TIMETZ, "timetz", 7u)            \
    X(TIMESTAMP, "timestamp", 7u)      \
    X(TIMESTAMPTZ, "timestamptz", 7u)  \
    X(INTERVAL, "interval", 3u)        \
    X(UUID, "uuid", 7u)                \
    X(INET, "inet", 7u)                \
    X(CIDR, "cidr", 7u)                \
    X(MACADDR, "macaddr", 7u)          \
    X(OID, "oid", 7u)                  \
    X(ENUM, "kind.mood", 7u)           \
    X(DOMAIN, "kind.small", 7u)        \
    X(PAIR, "kind.pair", 3u)           \
    X(INTS, "integer[]", 3u)           \
    X(TEXTS, "text[]", 3u)             \
    X(RANGE, "int4range", 3u)          \
    X(BITS, "varbit(8)", 3u)           \
    X(LSN, "pg_lsn", 3u)               \
    X(MONEY, "money", 3u)              \
    X(JSONB, "jsonb", 3u)              \
    X(JSON, "json", 0u)                \
    X(POINT, "point", 0u)

enum type {
#define TYPE_NAME(name, sql, flags) TYPE_##name,
    TYPES(TYPE_NAME)
#undef TYPE_NAME
        TYPE_COUNT
};

const char *type_sql(enum type type);
bool type_is(enum type type, unsigned flags);
/* A value's text, of a small domain, so that values meet.  Valid until the next call. */
const char *type_value(struct dynkv_random *random, enum type type);

/* ---- tables (table.c) ---- */

#define COLUMNS_MAX 10u
#define TABLES_MAX  12u

struct column {
    char name[20];
    enum type type;
    bool is_key, is_not_null, is_generated;
    bool is_natural; /* not of the C collation */
};

struct table {
    char name[20];
    struct column columns[COLUMNS_MAX];
    unsigned column_count, key_count; /* key columns come first */
    unsigned partition_count;         /* of the key's columns */
    bool is_foreign;                  /* on the foreign side; else the same on both */
    bool is_put;                      /* INSERT overwrites */
    bool is_deferrable; /* keys are checked at the end of a statement: they may shift */
    bool is_raw, is_json, is_immediate;
    bool has_gone;       /* a column was dropped */
    bool is_partitioned; /* on the foreign side some partitions are foreign; by k1 */
    const char *over;    /* a view over this table */
    const char
        *conflict; /* the option of that name, or a resolver; of one writer all are the same */
};

struct tables {
    struct table list[TABLES_MAX];
    unsigned count;
    bool
        is_immediate; /* write_mode 'immediate': nothing is rolled back, so there is nothing to roll back */
};

/* What stands in the seed's schemas. */
void tables_choose(struct tables *tables, struct dynkv_random *random);
/* DDL for one side, statement by statement, each ended by a NUL; an empty one ends the list. */
void tables_ddl(const struct tables *tables, uint64_t seed, bool is_foreign, unsigned worker,
                struct text *out);

/* ---- statements ---- */

#define SCOPE_MAX  80u
#define PARAMS_MAX 8u

struct scope_column {
    char name[44]; /* alias.column */
    enum type type;
    bool is_key;
};

struct scope {
    struct scope_column columns[SCOPE_MAX];
    unsigned count;
};

struct prepared {
    bool is_there;
    enum type types[PARAMS_MAX];
    unsigned count;
    unsigned ordered;
};

#define PREPARED_MAX 4u
#define CURSORS      2u
#define SCROLLING    1u /* the cursor that may go backward */

struct generator {
    struct dynkv_random random;
    struct tables tables;
    struct text out;
    unsigned next_alias;
    bool is_silent; /* no RETURNING */
    /* While a statement with parameters is written: literals become $1, $2... */
    bool takes_params;
    enum type params[PARAMS_MAX];
    unsigned param_count;
    struct prepared prepared[PREPARED_MAX];
    /* What probably is there; statements that need it and fail are no harm. */
    unsigned savepoints;
    bool cursors[CURSORS];
    unsigned rows[TABLES_MAX]; /* at the last comparison */
};

enum session_state {
    SESSION_IDLE,
    SESSION_IN_TRANSACTION,
    SESSION_FAILED, /* in a transaction that has to be rolled back */
};

/* How the rows of a statement are compared. */
struct statement {
    char *sql;
    char *copy;       /* data of COPY FROM STDIN; NULL: none */
    unsigned ordered; /* so many first columns come in order; ORDERED_ALL: all */
    /* Sent with its parameters, and its rows come back, in binary. */
    bool is_bound;
    unsigned param_count;
    enum type param_types[PARAMS_MAX];
    char *params[PARAMS_MAX]; /* in text; NULL: NULL */
};
#define ORDERED_ALL 1000u

/* One in n; a number below n; for short. */
bool one_in(struct generator *g, unsigned n);
unsigned below(struct generator *g, unsigned n);
void put(struct generator *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* expression.c; depth: how deep it may nest */
void literal(struct generator *g, enum type type);
void expression(struct generator *g, const struct scope *scope, enum type type, unsigned depth);
void predicate(struct generator *g, const struct scope *scope, unsigned depth);
/*
 * Equalities of all key columns of a table, which is in `right` from there on, with columns to the left or
 * literals: what a lookup join needs.  false: there is no key, and nothing was written.
 */
bool join_whole_key(struct generator *g, const struct scope *left, unsigned left_count,
                    const struct scope *right, unsigned from);
/* One that may raise an error, always the same. */
void risky_expression(struct generator *g, const struct scope *scope);
/* A column of the type, or any if TYPE_COUNT, that has the flags; NULL: none. */
const struct scope_column *scope_pick(struct generator *g, const struct scope *scope,
                                      enum type type, unsigned flags);
void scope_add_table(struct scope *scope, const struct table *table, const char *alias);

/* predicate.c: conditions on a table's key, as scans want them. */
void key_predicate(struct generator *g, const struct table *table, const char *alias);
void key_equals(struct generator *g, const struct table *table, const char *alias);
void subquery_predicate(struct generator *g, const struct scope *scope, unsigned depth);

/* query.c: a SELECT.  types, if not NULL: what it gives; max: at most so many columns. */
#define QUERY_TOTAL 1u /* the order is total */
unsigned query(struct generator *g, unsigned flags);
/* A SELECT of columns of these types, without order. */
void query_of(struct generator *g, const struct scope *outer, const enum type *types,
              unsigned count, unsigned depth);
const struct table *pick_table(struct generator *g);
void new_alias(struct generator *g, char *alias);

/* modify.c: a statement that writes. */
void modify(struct generator *g);
void modify_values(struct generator *g, const struct table *table);
void modify_fill(struct generator *g, const struct table *table);

/* session.c: the next statement of the session; what is allocated is the caller's to free. */
void generate(struct generator *g, enum session_state state, struct statement *statement);
/* All rows of a table. */
void generate_contents(const struct table *table, struct statement *statement);

#endif
