/*
 * merge.c: a range by key over many partitions, as a k-way merge of their runs (Knuth, TAOCP 3, 5.4.1).
 *
 * Keys are spread evenly, so of the first n records of p partitions each has about n / p.  Twice that is
 * read of all of them with one iterator; a run that is used up before the range is reads on by itself, each
 * time twice as much.  A run holds copies.  Memory is bounded all the same: records beyond
 * MERGE_RUN_BYTES are left out, and read again by their keys when it is their turn.
 */
#include <stdlib.h>
#include <string.h>

#include "store/engine_impl.h"

#define MERGE_RUN_BYTES (16u * 1024u) /* of records; each partition has a run */
#define MERGE_RUN_MAX   1024u         /* records that a run reads at once */

struct merge_record {
    size_t key_at, record_at; /* in the run's bytes */
    uint32_t key_len, record_len;
    bool is_left_out;
};

struct merge_run {
    uint32_t place; /* of its partition in the range */
    struct dynkv_buf bytes;
    struct merge_record *records;
    uint32_t count, cap, at;
    uint32_t asked; /* how many it asked for last; fewer came: there are no more */
    size_t kept;    /* bytes of records */
};

struct merge {
    struct dynkv_engine *engine;
    const struct dynkv_engine_range *range;
    struct merge_run *runs;
    uint32_t *heap; /* of runs that are not used up; the next one first */
    uint32_t heap_count;
    uint32_t filling;         /* the run that the visitor fills */
    struct dynkv_buf divide;  /* of the run that reads on */
    struct dynkv_arena arena; /* of a record that was left out */
};

/* ---- runs ---- */

static struct dynkv_slice run_key(const struct merge_run *run)
{
    const struct merge_record *record = &run->records[run->at];

    return dynkv_slice(run->bytes.data + record->key_at, record->key_len);
}

static void run_add(struct merge_run *run, struct dynkv_slice key, struct dynkv_slice record)
{
    struct merge_record *added;

    if (run->count == run->cap) {
        run->cap = run->cap ? run->cap * 2 : 4;
        run->records = dynkv_realloc(run->records, run->cap * sizeof *run->records);
    }
    added = &run->records[run->count++];
    *added = (struct merge_record){
        .key_at = run->bytes.len, .key_len = (uint32_t)key.len, .record_len = (uint32_t)record.len};
    dynkv_put_raw(&run->bytes, key);
    added->is_left_out = run->kept + record.len > MERGE_RUN_BYTES;
    if (added->is_left_out)
        return;
    added->record_at = run->bytes.len;
    run->kept += record.len;
    dynkv_put_raw(&run->bytes, record);
}

/* Partitions come in the order of the range: the one that is filled is this one, or a later one. */
static bool merge_visit(void *context, uint32_t partition, struct dynkv_slice key,
                        struct dynkv_slice record)
{
    struct merge *merge = context;

    while (merge->range->partitions[merge->filling] != partition)
        merge->filling++;
    run_add(&merge->runs[merge->filling], key, record);
    return true;
}

static enum dynkv_error merge_read(struct merge *merge, const struct dynkv_engine_range *range,
                                   uint32_t limit_each)
{
    struct dynkv_buf unused = {0};
    uint32_t next_partition;
    bool more = false;
    enum dynkv_error error = merge->engine->class->scan(
        merge->engine, range, limit_each, merge_visit, merge, &more, &next_partition, &unused);

    dynkv_buf_fini(&unused);
    return error;
}

/* The first records of all runs. */
static enum dynkv_error merge_begin(struct merge *merge)
{
    const struct dynkv_engine_range *range = merge->range;
    struct dynkv_engine_range first = *range;
    uint32_t share = range->limit ? range->limit / range->partition_count * 2 + 2 : MERGE_RUN_MAX;

    first.limit = first.limit_bytes = 0;
    first.first_lower = dynkv_slice(NULL, 0);
    if (share > MERGE_RUN_MAX)
        share = MERGE_RUN_MAX;
    for (uint32_t i = 0; i < range->partition_count; i++) {
        merge->runs[i].place = i;
        merge->runs[i].asked = share;
    }
    merge->filling = 0;
    return merge_read(merge, &first, share);
}

/* The next records of a run that is used up. */
static enum dynkv_error run_read_on(struct merge *merge, struct merge_run *run)
{
    struct dynkv_engine_range rest = *merge->range;

    /* The last key: falling, it is the bound; rising, the least key behind it is. */
    run->at--;
    dynkv_buf_reset(&merge->divide);
    dynkv_put_raw(&merge->divide, run_key(run));
    if (rest.order == DYNKV_ORDER_FALLING && merge->divide.len == 0) {
        run->at = run->count; /* nothing is before the empty key */
        return DYNKV_OK;
    }
    if (rest.order == DYNKV_ORDER_FALLING) {
        rest.upper = dynkv_buf_slice(&merge->divide);
    } else {
        dynkv_put_u8(&merge->divide, 0);
        rest.lower = dynkv_buf_slice(&merge->divide);
    }
    rest.partitions += run->place;
    rest.partition_count = 1;
    rest.limit = rest.limit_bytes = 0;
    rest.first_lower = dynkv_slice(NULL, 0);
    run->asked = run->asked < MERGE_RUN_MAX / 2 ? run->asked * 2 : MERGE_RUN_MAX;
    run->at = run->count = 0;
    run->kept = 0;
    dynkv_buf_reset(&run->bytes);
    merge->filling = run->place;
    return merge_read(merge, &rest, run->asked);
}

/* ---- the heap ---- */

static bool merge_is_before(const struct merge *merge, uint32_t a, uint32_t b)
{
    int order = dynkv_order_compare(merge->range->order, run_key(&merge->runs[a]),
                                    run_key(&merge->runs[b]));

    return order < 0 || (order == 0 && a < b);
}

static void merge_sift(struct merge *merge, uint32_t at)
{
    for (;;) {
        uint32_t least = at, moved = merge->heap[at];

        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap_count; child++)
            if (merge_is_before(merge, merge->heap[child], merge->heap[least]))
                least = child;
        if (least == at)
            return;
        merge->heap[at] = merge->heap[least];
        merge->heap[least] = moved;
        at = least;
    }
}

static void merge_heapify(struct merge *merge)
{
    for (uint32_t i = 0; i < merge->range->partition_count; i++)
        if (merge->runs[i].count)
            merge->heap[merge->heap_count++] = i;
    for (uint32_t i = merge->heap_count / 2; i-- > 0;)
        merge_sift(merge, i);
}

/* The first run's record is done with. */
static enum dynkv_error merge_advance(struct merge *merge)
{
    struct merge_run *run = &merge->runs[merge->heap[0]];

    if (++run->at == run->count) {
        enum dynkv_error error = run->count == run->asked ? run_read_on(merge, run) : DYNKV_OK;

        if (error)
            return error;
        if (run->at >= run->count)
            merge->heap[0] = merge->heap[--merge->heap_count];
    }
    if (merge->heap_count)
        merge_sift(merge, 0);
    return DYNKV_OK;
}

/* ---- the range ---- */

static enum dynkv_error merge_load(struct merge *merge, const struct merge_run *run,
                                   struct dynkv_slice *record)
{
    const struct merge_record *at = &run->records[run->at];
    struct dynkv_engine_key key = {merge->range->partitions[run->place], merge->range->keyspace,
                                   run_key(run), merge->range->space};
    struct dynkv_engine_value value;

    if (!at->is_left_out) {
        *record = dynkv_slice(run->bytes.data + at->record_at, at->record_len);
        return DYNKV_OK;
    }
    dynkv_arena_reset(&merge->arena);
    merge->engine->class->get(merge->engine, &key, 1, &merge->arena, &value);
    *record = value.data;
    return value.error;
}

static enum dynkv_error merge_visit_all(struct merge *merge, dynkv_engine_visit *visit,
                                        void *context, bool *more, struct dynkv_buf *next_key)
{
    const struct dynkv_engine_range *range = merge->range;
    struct engine_limit so_far = {0};
    struct dynkv_buf last = {0};
    enum dynkv_error error = DYNKV_OK;

    while (!error && merge->heap_count) {
        const struct merge_run *run = &merge->runs[merge->heap[0]];
        struct dynkv_slice key = run_key(run), record;

        if (engine_limit_reached(&so_far, range) &&
            !dynkv_slice_equal(key, dynkv_buf_slice(&last))) {
            *more = true;
            dynkv_put_raw(next_key,
                          range->order == DYNKV_ORDER_FALLING ? dynkv_buf_slice(&last) : key);
            break;
        }
        error = merge_load(merge, run, &record);
        if (error)
            break;
        so_far.stopped |= !visit(context, range->partitions[run->place], key, record);
        so_far.records++;
        so_far.bytes += key.len + record.len;
        if (engine_limit_reached(&so_far, range)) {
            dynkv_buf_reset(&last);
            dynkv_put_raw(&last, key);
        }
        error = merge_advance(merge);
    }
    dynkv_buf_fini(&last);
    return error;
}

enum dynkv_error engine_merge(struct dynkv_engine *engine, const struct dynkv_engine_range *range,
                              dynkv_engine_visit *visit, void *context, bool *more,
                              struct dynkv_buf *next_key)
{
    struct merge merge = {.engine = engine, .range = range};
    enum dynkv_error error;

    if (range->partition_count == 0)
        return DYNKV_OK;
    merge.runs = dynkv_calloc(range->partition_count, sizeof *merge.runs);
    merge.heap = dynkv_calloc(range->partition_count, sizeof *merge.heap);
    error = merge_begin(&merge);
    if (!error) {
        merge_heapify(&merge);
        error = merge_visit_all(&merge, visit, context, more, next_key);
    }
    for (uint32_t i = 0; i < range->partition_count; i++) {
        dynkv_buf_fini(&merge.runs[i].bytes);
        free(merge.runs[i].records);
    }
    free(merge.runs);
    free(merge.heap);
    dynkv_buf_fini(&merge.divide);
    dynkv_arena_fini(&merge.arena);
    return error;
}
