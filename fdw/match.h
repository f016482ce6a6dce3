/*
 * match.h: which clauses of a query bound the key of a foreign table, and the best way to read with
 * them.
 *
 * A clause bounds a key column if it is an ordinary btree comparison of the column, or its comparison
 * with a pattern or prefix (prefix.h), with an expression that has no column of the same table and is
 * not volatile.  The expression may be anything else: a
 * constant, a parameter, an init plan, a column of a table to join with; it is evaluated at execution.
 */
#ifndef DYNKV_FDW_MATCH_H
#define DYNKV_FDW_MATCH_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "fdw/option.h"

typedef enum DynkvBoundKind {
    DYNKV_BOUND_EQ,  /* column = value */
    DYNKV_BOUND_ANY, /* column = ANY (value) */
    DYNKV_BOUND_LT,
    DYNKV_BOUND_LE,
    DYNKV_BOUND_GE,
    DYNKV_BOUND_GT,
    DYNKV_BOUND_LIKE,   /* column LIKE value: what stands before its first wildcard */
    DYNKV_BOUND_PREFIX, /* column ^@ value */
} DynkvBoundKind;

/* One value, or a list of values; all others are ranges. */
static inline bool dynkv_bound_is_equality(DynkvBoundKind kind)
{
    return kind == DYNKV_BOUND_EQ || kind == DYNKV_BOUND_ANY;
}

typedef struct DynkvBound {
    int column; /* of the key, from 0 */
    DynkvBoundKind kind;
    Oid value_type; /* of the value, or of an array's elements */
    Expr *value;
    RestrictInfo *clause;
} DynkvBound;

typedef enum DynkvAccess {
    DYNKV_FULL_SCAN,      /* all keys of all partitions */
    DYNKV_RANGE_SCAN,     /* a range of keys, in all partitions */
    DYNKV_PARTITION_SCAN, /* one or several whole partition keys, or a range of their sort keys */
    DYNKV_POINT_GET,      /* one or several whole keys */
} DynkvAccess;

/* The columns of a table's key. */
typedef struct DynkvKeyColumns {
    int count;
    int partition_count; /* how many of them, from the front, are the partition key */
    AttrNumber attnos[INDEX_MAX_KEYS];
    Oid types[INDEX_MAX_KEYS]; /* base types, of domains */
} DynkvKeyColumns;

/* The btree family that orders the type by default; InvalidOid: none.  Every clause asks: it has to be cached. */
extern Oid dynkv_match_family(Oid type);

extern void dynkv_match_key_columns(Relation rel, const DynkvTableOptions *options,
                                    DynkvKeyColumns *columns);

/* The bound that a clause puts on some key column of rel, palloc'd; NULL if it puts none. */
extern DynkvBound *dynkv_match_clause(PlannerInfo *root, RelOptInfo *rel,
                                      const DynkvKeyColumns *columns, RestrictInfo *clause);
/* Whether an expression is key column `column` of rel. */
extern bool dynkv_match_is_column(RelOptInfo *rel, const DynkvKeyColumns *columns, int column,
                                  Node *expr);

/* Whether a clause says that a key column is (not) NULL, as it never (always) is. */
extern bool dynkv_match_is_null(RelOptInfo *rel, const DynkvKeyColumns *columns,
                                const RestrictInfo *clause, NullTestType kind);

/* The best access that these bounds allow; *used gets the bounds it uses, by column. */
extern DynkvAccess dynkv_match_access(const DynkvKeyColumns *columns, List *bounds, List **used);

#endif
