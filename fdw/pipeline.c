/*
 * pipeline.c: a ring of batches.
 */
#include "postgres.h"

#include "base/hash.h"
#include "fdw/batch.h"
#include "fdw/pipeline.h"

/* Batches on their way to the cluster; with the one that gathers, this bounds a pipeline's memory. */
#define PIPELINE_IN_FLIGHT_MAX 3
#define PIPELINE_BATCHES       (PIPELINE_IN_FLIGHT_MAX + 1)

struct DynkvPipeline {
    DynkvConnection *connection;
    const DynkvTableOptions *options;
    const char *table;
    bool has_keyspace;
    uint64 keyspace;

    /* A ring: `in_flight` batches from `first`, then the one that gathers, for which `call` holds. */
    DynkvBatch *batches[PIPELINE_BATCHES];
    int first, in_flight;
    struct dynkv_call call;
    bool is_unique;

    DynkvPipelineCounts counts;
    enum dynkv_error error; /* the first */
    char text[DYNKV_CLIENT_TEXT_MAX];
    int fewest_acks;

    MemoryContext context;
    DynkvCrowded *crowded;
    int crowded_count, crowded_room;
};

DynkvPipeline *dynkv_pipeline_create(DynkvConnection *connection, const DynkvTableOptions *options,
                                     const char *table)
{
    DynkvPipeline *pipeline = palloc0(sizeof *pipeline);
    DynkvGuard *guard = dynkv_guard_create(connection);

    pipeline->context = CurrentMemoryContext;
    pipeline->connection = connection;
    pipeline->options = options;
    pipeline->table = table;
    pipeline->call.deadline_ms = (uint32)options->deadline_ms;
    /* Who is shown all concurrent values might be shown one that has been replaced. */
    pipeline->call.repeat = options->conflict == DYNKV_CONFLICT_LWW && !options->resolver;
    for (int i = 0; i < PIPELINE_BATCHES; i++)
        pipeline->batches[i] = dynkv_batch_create(guard);
    return pipeline;
}

enum dynkv_error dynkv_pipeline_error(const DynkvPipeline *pipeline, const char **text)
{
    *text = pipeline->text[0] ? pipeline->text : "no reply";
    return pipeline->error;
}

void dynkv_pipeline_expect_unique(DynkvPipeline *pipeline)
{
    pipeline->is_unique = true;
    for (int i = 0; i < PIPELINE_BATCHES; i++)
        dynkv_batch_expect_unique(pipeline->batches[i]);
}

int dynkv_pipeline_fewest_acks(const DynkvPipeline *pipeline)
{
    return pipeline->fewest_acks;
}

DynkvPipelineTarget dynkv_pipeline_target(const DynkvPipeline *pipeline)
{
    return (DynkvPipelineTarget){.connection = pipeline->connection,
                                 .options = pipeline->options,
                                 .table = pipeline->table,
                                 .keyspace = pipeline->keyspace};
}

const DynkvCrowded *dynkv_pipeline_take_crowded(DynkvPipeline *pipeline, int *count)
{
    const DynkvCrowded *crowded = pipeline->crowded;

    *count = pipeline->crowded_count;
    pipeline->crowded = NULL;
    pipeline->crowded_count = pipeline->crowded_room = 0;
    return crowded;
}

/* A cancel or timeout while rows are on their way: say so, as their outcome is not known. */
static void pipeline_error_context(void *arg)
{
    const DynkvPipeline *pipeline = arg;

    errcontext("writing foreign table \"%s\": " UINT64_FORMAT " writes sent, " UINT64_FORMAT
               " of them acknowledged",
               pipeline->table, pipeline->counts.sent, pipeline->counts.acknowledged);
}

static DynkvBatch *pipeline_gathering(const DynkvPipeline *pipeline)
{
    return pipeline->batches[(pipeline->first + pipeline->in_flight) % PIPELINE_BATCHES];
}

DynkvPipelineCounts dynkv_pipeline_counts(const DynkvPipeline *pipeline)
{
    DynkvPipelineCounts counts = pipeline->counts;

    counts.unsent += (uint64)dynkv_batch_count(pipeline_gathering(pipeline));
    return counts;
}

static void pipeline_note(DynkvPipeline *pipeline, const DynkvBatchOutcome *outcome)
{
    pipeline->counts.acknowledged += (uint64)outcome->acknowledged;
    pipeline->counts.unknown += (uint64)outcome->unknown;
    if (!outcome->error || pipeline->error)
        return;
    pipeline->error = outcome->error;
    pipeline->fewest_acks = outcome->fewest_acks;
    strlcpy(pipeline->text, outcome->text ? outcome->text : "", sizeof pipeline->text);
    if (outcome->error == DYNKV_NO_KEYSPACE)
        dynkv_connection_forget_keyspace(pipeline->connection, pipeline->options->keyspace);
}

static void pipeline_note_crowded(const struct dynkv_write *write, uint64 timestamp, void *arg)
{
    const struct dynkv_key_ref *at = &write->at;
    DynkvPipeline *pipeline = arg;
    MemoryContext old = MemoryContextSwitchTo(pipeline->context);
    uint8 *key = palloc(at->key.len);

    if (pipeline->crowded_count == pipeline->crowded_room) {
        pipeline->crowded_room = Max(pipeline->crowded_room * 2, 8);
        pipeline->crowded = pipeline->crowded
                                ? repalloc(pipeline->crowded,
                                           sizeof *pipeline->crowded * (Size)pipeline->crowded_room)
                                : palloc(sizeof *pipeline->crowded * (Size)pipeline->crowded_room);
    }
    memcpy(key, at->key.data, at->key.len);
    pipeline->crowded[pipeline->crowded_count++] = (DynkvCrowded){
        .at = {.key = dynkv_slice(key, at->key.len), .partition_len = at->partition_len},
        .timestamp = timestamp,
        .value_hash = dynkv_hash(write->value, 0),
    };
    MemoryContextSwitchTo(old);
}

static void pipeline_settle_first(DynkvPipeline *pipeline)
{
    DynkvBatch *batch = pipeline->batches[pipeline->first];
    ErrorContextCallback callback = {
        .previous = error_context_stack, .callback = pipeline_error_context, .arg = pipeline};
    DynkvBatchOutcome outcome;

    error_context_stack = &callback;
    dynkv_batch_wait(batch, pipeline->connection);
    error_context_stack = callback.previous;

    dynkv_batch_outcome(batch, &outcome);
    pipeline_note(pipeline, &outcome);
    dynkv_batch_each_crowded(batch, pipeline_note_crowded, pipeline);
    dynkv_batch_reset(batch);
    pipeline->first = (pipeline->first + 1) % PIPELINE_BATCHES;
    pipeline->in_flight--;
}

bool dynkv_pipeline_push(DynkvPipeline *pipeline)
{
    DynkvBatch *batch = pipeline_gathering(pipeline);

    if (pipeline->error)
        return false;
    if (dynkv_batch_count(batch) == 0)
        return true;
    if (!pipeline->has_keyspace)
        pipeline->has_keyspace = dynkv_connection_keyspace(
            pipeline->connection, pipeline->options, pipeline->table, true, &pipeline->keyspace);
    pipeline->counts.sent += (uint64)dynkv_batch_count(batch);
    dynkv_batch_send(batch, dynkv_connection_client(pipeline->connection), pipeline->keyspace,
                     &pipeline->call);
    pipeline->in_flight++;
    while (pipeline->in_flight > 0 && (pipeline->in_flight > PIPELINE_IN_FLIGHT_MAX ||
                                       dynkv_batch_is_done(pipeline->batches[pipeline->first])))
        pipeline_settle_first(pipeline);
    return !pipeline->error;
}

/* Until no batch on its way has the key. */
static void pipeline_wait_for_key(DynkvPipeline *pipeline, struct dynkv_slice key)
{
    for (int i = pipeline->in_flight - 1; i >= 0; i--) {
        if (dynkv_batch_has(pipeline->batches[(pipeline->first + i) % PIPELINE_BATCHES], key)) {
            for (int settled = 0; settled <= i; settled++)
                pipeline_settle_first(pipeline);
            return;
        }
    }
}

bool dynkv_pipeline_add(DynkvPipeline *pipeline, const struct dynkv_write *write, bool is_new,
                        int w, bool strict)
{
    size_t size = write->at.key.len + write->value.len + write->context.len;

    if (dynkv_batch_bytes(pipeline_gathering(pipeline)) + size > DYNKV_BATCH_MAX ||
        pipeline->call.w != w || pipeline->call.strict != strict)
        dynkv_pipeline_push(pipeline);
    if (!pipeline->is_unique)
        pipeline_wait_for_key(pipeline, write->at.key);
    if (pipeline->error) {
        pipeline->counts.unsent++;
        return false;
    }
    pipeline->call.w = (uint8)w;
    pipeline->call.strict = strict;
    dynkv_batch_add(pipeline_gathering(pipeline), write, is_new);
    if (dynkv_batch_count(pipeline_gathering(pipeline)) >= pipeline->options->batch_size)
        return dynkv_pipeline_push(pipeline);
    return true;
}

bool dynkv_pipeline_finish(DynkvPipeline *pipeline)
{
    dynkv_pipeline_push(pipeline);
    while (pipeline->in_flight > 0)
        pipeline_settle_first(pipeline);
    return !pipeline->error;
}
