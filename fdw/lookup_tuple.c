/* lookup_tuple.c: the scan tuple of a lookup join: the columns of two rows, filled from both sides. */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "utils/rel.h"

#include "fdw/lookup_state.h"

static void lookup_put_outer(DynkvLookupState *state, TupleTableSlot *outer)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    int at = state->plan->outer_at;
    ListCell *cell;

    slot_getallattrs(outer);
    foreach (cell, state->plan->outer) {
        slot->tts_values[at] = outer->tts_values[lfirst_int(cell) - 1];
        slot->tts_isnull[at] = outer->tts_isnull[lfirst_int(cell) - 1];
        at++;
    }
}

static Datum lookup_whole_row(const DynkvLookupState *state)
{
    TupleDesc desc = RelationGetDescr(state->table);

    return heap_copy_tuple_as_datum(heap_form_tuple(desc, state->values, state->nulls), desc);
}

/* The foreign table's columns; what is computed of them comes after, by lookup_compute. */
static void lookup_put_inner(DynkvLookupState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    int at = 0;
    ListCell *cell;

    foreach (cell, state->plan->attnos) {
        int attno = lfirst_int(cell);

        slot->tts_isnull[at] = attno > 0 && state->nulls[attno - 1];
        slot->tts_values[at] = attno > 0 ? state->values[attno - 1] : lookup_whole_row(state);
        at++;
    }
}

/* No row of the foreign table. */
static void lookup_put_nothing(DynkvLookupState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

    memset(slot->tts_isnull, true, sizeof *slot->tts_isnull * (Size)state->plan->outer_at);
    memset(slot->tts_values, 0, sizeof *slot->tts_values * (Size)state->plan->outer_at);
}

static void lookup_compute(DynkvLookupState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    int at = list_length(state->plan->attnos);
    ListCell *cell;

    foreach (cell, state->computed) {
        slot->tts_values[at] = ExecEvalExprSwitchContext(
            lfirst(cell), state->css.ss.ps.ps_ExprContext, &slot->tts_isnull[at]);
        at++;
    }
}

/* Begins the pair of the outer row with what is put in then. */
ExprContext *dynkv_lookup_begin_pair(DynkvLookupState *state, TupleTableSlot *outer)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

    ResetExprContext(econtext);
    ExecClearTuple(slot);
    lookup_put_nothing(state);
    lookup_put_outer(state, outer);
    ExecStoreVirtualTuple(slot);
    econtext->ecxt_scantuple = slot;
    return econtext;
}

void dynkv_lookup_add_inner(DynkvLookupState *state)
{
    MemoryContext per_pair = state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory;
    MemoryContext old = MemoryContextSwitchTo(per_pair);

    lookup_put_inner(state);
    MemoryContextSwitchTo(old);
    lookup_compute(state);
}
