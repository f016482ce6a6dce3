/*
 * lookup_feed.c: batches of outer rows: one is being looked at while the next is on its way.
 *
 * Where few rows are wanted the first batch is as small, and nothing is sent ahead until batches have grown to
 * their size, fetch_size keys.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/limits.h"
#include "fdw/bind.h"
#include "fdw/lookup_state.h"
#include "fdw/moment.h"
#include "fdw/plan_tree.h"
#include "fdw/scan.h"

/* ---- a batch ---- */

/* Messages of the connection so far; 0 if nobody wants to know. */
static uint64 feed_messages(const DynkvLookupState *state)
{
    struct dynkv_client_stats stats;

    if (!state->css.ss.ps.instrument || !state->has_source)
        return 0;
    dynkv_client_stats(state->source.client, &stats);
    return stats.messages_sent;
}

/* The key of the outer row; empty: no row can have it. */
static struct dynkv_slice feed_key(DynkvLookupState *state, TupleTableSlot *outer,
                                   uint32 *partition_len)
{
    ExprContext *econtext = dynkv_lookup_begin_pair(state, outer);
    MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
    bool is_possible = true;

    resetStringInfo(&state->key);
    for (int i = 0; i < state->columns.count && is_possible; i++) {
        bool is_null;
        Datum value = ExecEvalExpr(list_nth(state->keys, i), econtext, &is_null);

        is_possible =
            !is_null && dynkv_bind_convert(state->columns.types[i],
                                           list_nth_oid(state->plan->value_types, i), &value);
        if (is_possible)
            dynkv_codec_put_key_column(state->codec, i, value, &state->key);
        if (i + 1 == state->columns.partition_count)
            *partition_len = (uint32)state->key.len;
    }
    MemoryContextSwitchTo(old);
    /* No key is empty, or longer than the limit. */
    if (!is_possible || *partition_len == 0 || state->key.len > DYNKV_KEY_MAX)
        return dynkv_slice(NULL, 0);
    return dynkv_slice(state->key.data, (size_t)state->key.len);
}

static bool feed_has_room(const DynkvLookupState *state, const DynkvLookupBatch *batch)
{
    uint32 rows = state->batch_size * (state->is_growing ? 1 : DYNKV_LOOKUP_ROWS_A_KEY);

    /* Two batches share what a node may use. */
    return dynkv_lookup_batch_keys(batch) < state->batch_size &&
           dynkv_lookup_batch_rows(batch) < rows &&
           dynkv_lookup_batch_bytes(batch) < (Size)work_mem * 1024 / 2;
}

static void feed_send(DynkvLookupState *state, DynkvLookupBatch *batch)
{
    uint64 messages = feed_messages(state);

    if (!state->has_source)
        return;
    dynkv_lookup_batch_send(batch, &state->source);
    state->counts.keys += dynkv_lookup_batch_keys(batch);
    state->counts.messages += feed_messages(state) - messages;
}

static void feed_fill(DynkvLookupState *state, DynkvLookupBatch *batch)
{
    PlanState *child = linitial(state->css.custom_ps);
    uint32 size = (uint32)state->options->fetch_size;

    while (!state->is_outer_done && feed_has_room(state, batch)) {
        TupleTableSlot *row = ExecProcNode(child);
        uint32 partition_len = 0;

        state->is_outer_done = TupIsNull(row);
        if (!state->is_outer_done) {
            struct dynkv_slice key = feed_key(state, row, &partition_len);

            dynkv_lookup_batch_add(batch, row, key, partition_len);
        }
    }
    state->is_growing = state->batch_size < size;
    state->batch_size = Min(state->batch_size * 2, size);
    feed_send(state, batch);
}

static void feed_drop(DynkvLookupState *state, DynkvLookupBatch *batch)
{
    state->counts.received += dynkv_lookup_batch_received(batch);
    dynkv_lookup_batch_reset(batch, state->has_source ? &state->source : NULL);
}

/* The next batch with rows becomes the one that is looked at; false: there is none. */
static bool feed_next_batch(DynkvLookupState *state)
{
    DynkvLookupBatch *next = state->ahead;

    feed_drop(state, state->batch);
    state->ahead = state->batch;
    state->batch = next;
    if (dynkv_lookup_batch_rows(next) == 0)
        feed_fill(state, next);
    if (!state->is_growing)
        feed_fill(state, state->ahead);
    return dynkv_lookup_batch_rows(next) > 0;
}

/* ---- the feed ---- */

static void feed_begin(DynkvLookupState *state)
{
    state->batch_size = state->first_size;
    state->is_growing = state->batch_size < (uint32)state->options->fetch_size;
    state->is_outer_done = false;
}

static void feed_connect(DynkvLookupState *state)
{
    MemoryContext old = MemoryContextSwitchTo(state->context);
    Oid user = OidIsValid(state->plan->user) ? state->plan->user : GetUserId();
    DynkvConnection *connection = dynkv_connection_get(state->options->serverid, user);
    uint64 wanted = dynkv_plan_row_bound(&state->css.ss.ps);
    uint32 size = (uint32)state->options->fetch_size;

    state->has_source = dynkv_source_open(&state->source, connection, state->options,
                                          RelationGetRelationName(state->table),
                                          dynkv_scan_before(state->css.ss.ps.state));
    state->first_size = wanted > 0 && wanted < size ? (uint32)wanted : size;
    state->now_ms = dynkv_now_ms();
    state->is_connected = true;
    MemoryContextSwitchTo(old);
    feed_begin(state);
}

static bool feed_next_in_batch(DynkvLookupState *state, struct dynkv_slice *key,
                               const struct dynkv_object **object)
{
    uint64 messages = feed_messages(state);
    bool is_there = dynkv_lookup_batch_next(state->batch, state->has_source ? &state->source : NULL,
                                            state->outer, key, object);

    state->counts.messages += feed_messages(state) - messages;
    return is_there;
}

bool dynkv_lookup_feed_next(DynkvLookupState *state, struct dynkv_slice *key,
                            const struct dynkv_object **object)
{
    if (!state->is_connected)
        feed_connect(state);
    while (!feed_next_in_batch(state, key, object))
        if (!feed_next_batch(state))
            return false;
    return true;
}

void dynkv_lookup_feed_restart(DynkvLookupState *state)
{
    feed_drop(state, state->batch);
    feed_drop(state, state->ahead);
    feed_begin(state);
}
