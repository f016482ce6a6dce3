/*
 * lookup.h: the lookup join: rows of any plan, each with the row of a foreign table that has its key.
 *
 * A nested loop would ask the cluster once for each outer row.  This node takes outer rows in batches, asks for
 * all keys of a batch at once, each key once, and gives joined rows in the order of the outer ones; the next
 * batch is on its way meanwhile.  It is offered for inner, left, semi and anti joins with a foreign table as the
 * inner side, if each column of its key is equal to something that the outer row gives, or to a constant.
 *
 * lookup_path.c decides where, and what it costs; lookup_plan.c makes the plan; lookup_join.c runs it
 * (lookup_state.h), a batch at a time (lookup_batch.h).
 *
 * The node's scan tuple has the columns of both sides: those of the foreign table that are wanted first, then
 * what is computed of those (what is below an outer join), then the columns of the outer plan.  All expressions
 * are evaluated over it, so that a condition always looks at the two rows that it is about.
 */
#ifndef DYNKV_FDW_LOOKUP_H
#define DYNKV_FDW_LOOKUP_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

#include "fdw/match.h"

#define DYNKV_LOOKUP_NAME "Dynkv Lookup Join"

/* ---- paths ---- */

/* The hook, and the setting dynkv_fdw.enable_lookup_join; from _PG_init. */
extern void dynkv_lookup_init(void);

/* The bounds that give the key, one a column, in order. */
typedef struct DynkvLookupKey {
    DynkvBound *columns[INDEX_MAX_KEYS];
} DynkvLookupKey;

/*
 * clauses: of the join, that decide about a match.  outer: relations whose columns are known then.  false: they and
 * the table's own conditions do not give all of the key, or it is the same for all rows.
 */
extern bool dynkv_lookup_find_key(PlannerInfo *root, RelOptInfo *inner, List *clauses, Relids outer,
                                  DynkvLookupKey *key);
/* Those of the join's conditions that say whether two rows match; others look at what comes of it. */
extern List *dynkv_lookup_join_clauses(RelOptInfo *join, JoinType type, List *clauses);

/* A path's custom_private: type of the join, relid of the foreign table, conditions (RestrictInfos). */
enum {
    DYNKV_LOOKUP_PATH_TYPE,
    DYNKV_LOOKUP_PATH_INNER,
    DYNKV_LOOKUP_PATH_CLAUSES,
};

/* ---- plans ---- */

/* What a CustomScan's custom_private and custom_exprs say. */
typedef struct DynkvLookupPlan {
    JoinType type;     /* INNER, LEFT, SEMI or ANTI */
    Oid user;          /* as whom the foreign table is read; InvalidOid: the current user */
    Index inner;       /* the foreign table */
    List *value_types; /* of the key's values (oids) */
    List *attnos;      /* the scan tuple's first columns: of the foreign table; 0: the whole row */
    int outer_at;      /* where the scan tuple's outer columns begin */
    List *outer;       /* and which columns of the outer plan those are, from 1 */

    List *keys;     /* values of the key, one a column */
    List *computed; /* the columns between */
    List *match;    /* conditions on a match that the key does not decide */
    List *decided;  /* those that it does, for rows that were not looked up */
} DynkvLookupPlan;

extern Plan *dynkv_lookup_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
                               List *clauses, List *plans);
/* In the current memory context. */
extern DynkvLookupPlan *dynkv_lookup_plan_read(CustomScan *scan);

/* ---- execution ---- */

extern const CustomScanMethods dynkv_lookup_scan_methods;

/* What a lookup join has done, for EXPLAIN ANALYZE. */
typedef struct DynkvLookupCounts {
    uint64 requests; /* batches that were asked for */
    uint64 messages; /* sent to nodes */
    uint64 keys;     /* that were asked for */
    uint64 received; /* rows that nodes have sent */
    uint64 rows;     /* put beside outer rows, before conditions: one key's may count often */
    uint64 bytes;    /* of those keys and values */
    uint64 own_rows; /* of those rows, written by this transaction */
    bool has_own_writes;
} DynkvLookupCounts;

extern Relation dynkv_lookup_table(CustomScanState *node);
extern DynkvLookupCounts dynkv_lookup_counts(CustomScanState *node);
extern void dynkv_lookup_explain(CustomScanState *node, List *ancestors, struct ExplainState *es);

#endif
