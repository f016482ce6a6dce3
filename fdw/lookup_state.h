/*
 * lookup_state.h: the inside of a running lookup join: what lookup_join.c, which pairs rows, shares with
 * lookup_feed.c, which gets outer rows and what their keys hold, and lookup_tuple.c, which puts pairs together.
 */
#ifndef DYNKV_FDW_LOOKUP_STATE_H
#define DYNKV_FDW_LOOKUP_STATE_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "fdw/bad_row.h"
#include "fdw/codec.h"
#include "fdw/conflict.h"
#include "fdw/lookup.h"
#include "fdw/lookup_batch.h"

typedef struct DynkvLookupState {
    CustomScanState css; /* first: it is what the server sees */
    DynkvLookupPlan *plan;
    DynkvTableOptions *options;
    DynkvKeyColumns columns;
    DynkvCodec *codec;
    DynkvConflict *conflict;
    DynkvBadRows bad_rows;
    Relation table;

    List *keys;     /* ExprStates, as the others */
    List *computed; /* NULL for none */
    ExprState *match, *decided;

    MemoryContext context; /* of this state */
    bool is_connected;
    bool has_source; /* else the table is empty */
    DynkvSource source;
    uint64 now_ms; /* what has expired is decided once a scan */

    DynkvLookupBatch *batch, *ahead;
    uint32 first_size; /* keys of the first batch, which may be few */
    uint32 batch_size; /* of the next one */
    bool is_growing;   /* batches have not come to their size */
    bool is_outer_done;
    StringInfoData key; /* of the row that is being added */

    /* The outer row in hand. */
    TupleTableSlot *outer;
    bool has_outer;
    bool is_matched;
    bool has_object;      /* the key's rows are given by `conflict` */
    MemoryContext memory; /* of the foreign table's row */
    Datum *values;        /* that row, by attribute number - 1 */
    bool *nulls;

    TupleTableSlot *checked; /* the foreign table's row when one is checked again */
    bool is_checked;         /* it was given for the outer row in hand */
    DynkvLookupCounts counts;
} DynkvLookupState;

/* ---- pairs of rows in the scan tuple (lookup_tuple.c) ---- */

/* The outer row and nothing of the foreign table; gives the context for expressions over it. */
extern ExprContext *dynkv_lookup_begin_pair(DynkvLookupState *state, TupleTableSlot *outer);
/* The row in values and nulls beside it, and what is computed of that. */
extern void dynkv_lookup_add_inner(DynkvLookupState *state);

/* ---- outer rows and what their keys hold (lookup_feed.c) ---- */

/*
 * The next outer row is in state->outer; its key, and what that holds (NULL: nothing), stay until the next call.
 * false: no more.
 */
extern bool dynkv_lookup_feed_next(DynkvLookupState *state, struct dynkv_slice *key,
                                   const struct dynkv_object **object);
/* Forgets what is here and on its way; the outer plan is read again, or not at all. */
extern void dynkv_lookup_feed_restart(DynkvLookupState *state);

#endif
