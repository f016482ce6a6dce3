#include "daemon/store_work.h"

#include <stdlib.h>

#include "daemon/log.h"

struct stored_key {
    struct dynkv_map_node node;
};

static enum dynkv_engine_space engine_space(enum dynkv_space space)
{
    return space == DYNKV_SPACE_HINTS ? DYNKV_ENGINE_HINTS : DYNKV_ENGINE_RECORDS;
}

struct dynkvd_result *dynkvd_result_new(void)
{
    struct dynkvd_result *result = dynkv_calloc(1, sizeof *result);

    result->item.kind = DYNKVD_ITEM_RESULT;
    return result;
}

void dynkvd_result_free(struct dynkvd_result *result)
{
    dynkv_arena_fini(&result->arena);
    free(result->events);
    free(result);
}

static struct dynkv_event *result_add(struct dynkvd_result *result, enum dynkv_event_type type)
{
    struct dynkv_event *event;

    if (result->event_count == result->event_cap) {
        result->event_cap = result->event_cap ? result->event_cap * 2 : 16;
        result->events = dynkv_realloc(result->events, result->event_cap * sizeof *event);
    }
    event = &result->events[result->event_count++];
    *event = (struct dynkv_event){.type = type};
    return event;
}

bool dynkvd_effects_have_work(const struct dynkv_effects *effects)
{
    return effects->load_count || effects->range_count || effects->store_count;
}

/* ---- groups ---- */

/* A hash found is taken for the key itself: a wrong guess costs one sync, no more. */
static bool group_conflicts(const struct dynkvd_group *group, const struct dynkv_effects *effects)
{
    if (group->stored.count == 0 && !group->stores_keyspace)
        return false;
    if (effects->range_count || group->stores_keyspace)
        return true;
    for (uint32_t i = 0; i < effects->load_count; i++) {
        const struct dynkv_effect_load *load = &effects->loads[i];

        if (dynkv_map_find(&group->stored, dynkvd_key_hash(load->space, load->partition,
                                                           load->keyspace, load->key)))
            return true;
    }
    return false;
}

bool dynkvd_group_add(struct dynkvd_group *group, struct dynkvd_job *job)
{
    if (group->first) {
        if (group->store_bytes + job->store_bytes > DYNKVD_GROUP_BYTES_MAX ||
            group_conflicts(group, &job->effects))
            return false;
        group->last->next = job;
    } else {
        group->first = job;
    }
    group->last = job;
    job->next = NULL;
    group->store_bytes += job->store_bytes;
    for (uint32_t i = 0; i < job->effects.store_count; i++) {
        const struct dynkv_effect_store *store = &job->effects.stores[i];
        struct stored_key *stored;

        if (store->kind == DYNKV_STORE_DROP_KEYSPACE || store->kind == DYNKV_STORE_DROP_TREE)
            group->stores_keyspace = true;
        if (store->kind != DYNKV_STORE_RECORD && store->kind != DYNKV_STORE_DELETE)
            continue;
        stored = dynkv_arena_alloc(&group->arena, sizeof *stored);
        dynkv_map_add(&group->stored, &stored->node,
                      dynkvd_key_hash(store->space, store->partition, store->keyspace, store->key));
    }
    return true;
}

void dynkvd_group_reset(struct dynkvd_group *group)
{
    dynkv_map_fini(&group->stored);
    dynkv_arena_fini(&group->arena);
    *group = (struct dynkvd_group){0};
}

/* ---- reading ---- */

static bool is_failure(enum dynkv_error error)
{
    return error != DYNKV_OK && error != DYNKV_NOT_FOUND;
}

static void complain(struct dynkv_engine *engine, struct dynkvd_metrics *metrics, const char *what,
                     enum dynkv_error error)
{
    dynkvd_metric_add(&metrics->store_errors, 1);
    dynkvd_log(DYNKV_LOG_ERROR, "the store cannot %s: %s: %s", what, dynkv_error_text(error),
               dynkv_engine_last_error(engine));
}

static struct dynkv_engine_key load_key(const struct dynkv_effect_load *load)
{
    return (struct dynkv_engine_key){load->partition, load->keyspace, load->key,
                                     engine_space(load->space)};
}

static void loaded_add(struct dynkvd_result *result, uint64_t token,
                       const struct dynkv_engine_value *value)
{
    struct dynkv_event *event = result_add(result, DYNKV_EVENT_LOADED);

    event->as.loaded.token = token;
    event->as.loaded.error = value->error;
    if (value->error == DYNKV_OK)
        event->as.loaded.record = value->data;
}

static void read_loads(struct dynkv_engine *engine, const struct dynkvd_job *jobs,
                       struct dynkvd_metrics *metrics, struct dynkvd_result *result)
{
    struct dynkv_engine_key *keys;
    struct dynkv_engine_value *values;
    uint32_t count = 0, at = 0;
    bool complained = false;

    for (const struct dynkvd_job *job = jobs; job; job = job->next)
        count += job->effects.load_count;
    if (count == 0)
        return;
    keys = dynkv_arena_calloc(&result->arena, count, sizeof *keys);
    values = dynkv_arena_calloc(&result->arena, count, sizeof *values);
    for (const struct dynkvd_job *job = jobs; job; job = job->next)
        for (uint32_t i = 0; i < job->effects.load_count; i++)
            keys[at++] = load_key(&job->effects.loads[i]);
    dynkv_engine_get(engine, keys, count, &result->arena, values);
    dynkvd_metric_add(&metrics->store_reads, count);
    at = 0;
    for (const struct dynkvd_job *job = jobs; job; job = job->next)
        for (uint32_t i = 0; i < job->effects.load_count; i++, at++) {
            loaded_add(result, job->effects.loads[i].token, &values[at]);
            if (is_failure(values[at].error) && !complained) {
                complain(engine, metrics, "read a record", values[at].error);
                complained = true; /* once a batch is enough */
            }
        }
}

struct range_reader {
    struct dynkv_arena *arena;
    struct dynkv_record *records;
    uint32_t count, cap;
};

static bool range_visit(void *context, uint32_t partition, struct dynkv_slice key,
                        struct dynkv_slice record)
{
    struct range_reader *reader = context;

    if (reader->count == reader->cap) {
        uint32_t cap = reader->cap ? reader->cap * 2 : 64;
        struct dynkv_record *records =
            dynkv_arena_calloc(reader->arena, cap, sizeof *records); /* twice the size in all */

        if (reader->count)
            memcpy(records, reader->records, reader->count * sizeof *records);
        reader->records = records;
        reader->cap = cap;
    }
    reader->records[reader->count++] = (struct dynkv_record){
        partition, dynkv_slice_copy(key, reader->arena), dynkv_slice_copy(record, reader->arena)};
    return true;
}

static uint32_t clamp(uint32_t asked, uint32_t max)
{
    return asked == 0 || asked > max ? max : asked;
}

static void read_range(struct dynkv_engine *engine, const struct dynkv_effect_range *effect,
                       struct dynkvd_metrics *metrics, struct dynkvd_result *result)
{
    struct dynkv_engine_range range = {
        .keyspace = effect->keyspace,
        .partitions = effect->partitions,
        .partition_count = effect->partition_count,
        .lower = effect->lower,
        .upper = effect->upper,
        .first_lower = effect->first_lower,
        .limit = clamp(effect->limit, DYNKV_SCAN_ITEMS_MAX),
        .limit_bytes = clamp(effect->limit_bytes, DYNKV_BATCH_MAX),
        .space = engine_space(effect->space),
        .order = effect->order,
    };
    struct range_reader reader = {.arena = &result->arena};
    struct dynkv_event *event = result_add(result, DYNKV_EVENT_SCANNED);
    struct dynkv_buf next_key = {0};
    bool more = false;
    uint32_t next_partition = 0;
    enum dynkv_error error =
        dynkv_engine_scan(engine, &range, range_visit, &reader, &more, &next_partition, &next_key);

    event->as.scanned.token = effect->token;
    event->as.scanned.error = error;
    if (error == DYNKV_OK) {
        event->as.scanned.records = reader.records;
        event->as.scanned.record_count = reader.count;
        event->as.scanned.more = more;
        event->as.scanned.cursor_partition = next_partition;
        event->as.scanned.cursor_key = dynkv_slice_copy(dynkv_buf_slice(&next_key), &result->arena);
    } else {
        complain(engine, metrics, "read a range", error);
    }
    dynkvd_metric_add(&metrics->store_reads, reader.count);
    dynkv_buf_fini(&next_key);
}

void dynkvd_work_read(struct dynkv_engine *engine, const struct dynkvd_job *jobs,
                      struct dynkvd_metrics *metrics, struct dynkvd_result *result)
{
    read_loads(engine, jobs, metrics, result);
    for (const struct dynkvd_job *job = jobs; job; job = job->next)
        for (uint32_t i = 0; i < job->effects.range_count; i++)
            read_range(engine, &job->effects.ranges[i], metrics, result);
}

void dynkvd_work_peek(struct dynkv_engine *engine, struct dynkvd_pending *pending,
                      struct dynkvd_job *job, struct dynkvd_metrics *metrics,
                      struct dynkvd_result *result)
{
    struct dynkv_effects *effects = &job->effects;
    uint32_t left = 0, count = effects->load_count;

    if (count > DYNKVD_PEEK_MAX)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct dynkv_effect_load *load = &effects->loads[i];
        struct dynkv_engine_key key = load_key(load);
        struct dynkv_engine_value value;

        if (!dynkvd_pending_has(pending, load) &&
            dynkv_engine_peek(engine, &key, &result->arena, &value))
            loaded_add(result, load->token, &value);
        else
            effects->loads[left++] = *load;
    }
    effects->load_count = left;
    dynkvd_metric_add(&metrics->store_reads, count - left);
    dynkvd_metric_add(&metrics->store_peeks, count - left);
}

/* ---- writing ---- */

static struct dynkv_engine_op store_op(const struct dynkv_effect_store *store)
{
    struct dynkv_engine_op op = {
        .at = {.partition = store->partition,
               .keyspace = store->keyspace,
               .key = store->key,
               .space = engine_space(store->space)},
        .value = store->record,
    };

    switch (store->kind) {
    case DYNKV_STORE_RECORD:
        op.kind = DYNKV_ENGINE_PUT;
        break;
    case DYNKV_STORE_META:
        op.kind = DYNKV_ENGINE_META;
        break;
    case DYNKV_STORE_DROP_KEYSPACE:
        op.kind = DYNKV_ENGINE_DROP_KEYSPACE;
        break;
    case DYNKV_STORE_DELETE:
        op.kind = DYNKV_ENGINE_DELETE;
        break;
    case DYNKV_STORE_DROP_TREE:
        op.kind = DYNKV_ENGINE_DROP_TREE;
        break;
    }
    return op;
}

void dynkvd_work_write(struct dynkv_engine *engine, const struct dynkvd_job *jobs,
                       struct dynkvd_metrics *metrics, struct dynkvd_result *result)
{
    struct dynkv_engine_op *ops;
    struct dynkv_event *event;
    uint64_t *tokens;
    uint32_t count = 0, at = 0;
    bool has_meta = false; /* then all of the batch is synced: META always is */
    enum dynkv_error error;

    for (const struct dynkvd_job *job = jobs; job; job = job->next)
        count += job->effects.store_count;
    if (count == 0)
        return;
    ops = dynkv_arena_calloc(&result->arena, count, sizeof *ops);
    tokens = dynkv_arena_calloc(&result->arena, count, sizeof *tokens);
    for (const struct dynkvd_job *job = jobs; job; job = job->next)
        for (uint32_t i = 0; i < job->effects.store_count; i++, at++) {
            const struct dynkv_effect_store *store = &job->effects.stores[i];

            has_meta |= store->kind == DYNKV_STORE_META;
            tokens[at] = store->token;
            ops[at] = store_op(store);
        }
    if (!engine)
        error = DYNKV_STORAGE;
    else if (has_meta)
        error = dynkv_engine_write_synced(engine, ops, count);
    else
        error = dynkv_engine_write(engine, ops, count);
    dynkvd_metric_add(&metrics->store_groups, 1);
    dynkvd_metric_add(&metrics->store_operations, count);
    if (error && engine)
        complain(engine, metrics, "write", error);
    result->store_failed |= error != DYNKV_OK;
    event = result_add(result, DYNKV_EVENT_STORED);
    event->as.stored.error = error;
    event->as.stored.tokens = tokens;
    event->as.stored.token_count = count;
}

void dynkvd_work_measure(struct dynkv_engine *engine, struct dynkvd_metrics *metrics)
{
    struct dynkv_engine_stats stats;

    dynkv_engine_stats(engine, &stats);
    atomic_store(&metrics->engine_records, stats.records);
    atomic_store(&metrics->engine_bytes, stats.bytes);
    atomic_store(&metrics->engine_writes, stats.writes);
    atomic_store(&metrics->engine_syncs, stats.syncs);
}
