/*
 * disk.c: a node's store: flush after flush, in order, each with its loads before its stores.
 *
 * A flush is a job: it reads for a while, then syncs for a while, and only at the end of that are its
 * stores there, all of them.  A crash loses the jobs that wait; the one that was being synced is there
 * whole or not at all.  A bad disk answers STORAGE and stores nothing more.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "check.h"
#include "sim.h"

struct cell_at {
    uint32_t partition;
    uint64_t keyspace;
    struct dynkv_slice key;
};

static int cell_compare(const void *key, const struct dynkv_avl_node *node)
{
    const struct cell_at *a = key;
    const struct sim_cell *b = DYNKV_CONTAINER(node, struct sim_cell, node);

    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->keyspace != b->keyspace)
        return a->keyspace < b->keyspace ? -1 : 1;
    return dynkv_slice_compare(a->key, b->key);
}

static struct sim_cell *cell_of(struct dynkv_avl_node *node)
{
    return node ? DYNKV_CONTAINER(node, struct sim_cell, node) : NULL;
}

static struct dynkv_avl *disk_space(struct sim_disk *disk, enum dynkv_space space)
{
    return space == DYNKV_SPACE_HINTS ? &disk->hints : &disk->cells;
}

static struct sim_cell *space_cell(struct dynkv_avl *cells, uint32_t partition, uint64_t keyspace,
                                   struct dynkv_slice key, bool make)
{
    struct cell_at at = {partition, keyspace, key};
    struct sim_cell *cell = cell_of(dynkv_avl_find(cells, &at, cell_compare));
    uint8_t *owned;

    if (cell || !make)
        return cell;
    cell = dynkv_calloc(1, sizeof *cell);
    owned = dynkv_alloc(key.len);
    memcpy(owned, key.data, key.len);
    cell->partition = partition;
    cell->keyspace = keyspace;
    cell->key = dynkv_slice(owned, key.len);
    at.key = cell->key;
    dynkv_avl_insert(cells, &cell->node, &at, cell_compare);
    return cell;
}

struct sim_cell *sim_disk_cell(struct sim_disk *disk, uint32_t partition, uint64_t keyspace,
                               struct dynkv_slice key, bool make)
{
    return space_cell(&disk->cells, partition, keyspace, key, make);
}

struct sim_cell *sim_disk_hint(struct sim_disk *disk, uint64_t hint_for, struct dynkv_slice key,
                               bool make)
{
    return space_cell(&disk->hints, 0, hint_for, key, make);
}

static void buf_set(struct dynkv_buf *buf, struct dynkv_slice bytes)
{
    dynkv_buf_reset(buf);
    dynkv_put_raw(buf, bytes);
}

static void cell_free(struct sim_cell *cell)
{
    dynkv_buf_fini(&cell->record);
    dynkv_buf_fini(&cell->newest);
    free((void *)(uintptr_t)cell->key.data);
    free(cell);
}

static void space_fini(struct dynkv_avl *cells)
{
    struct dynkv_avl_node *node;

    while ((node = dynkv_avl_first(cells))) {
        dynkv_avl_remove(cells, node);
        cell_free(cell_of(node));
    }
}

void sim_disk_fini(struct sim_disk *disk)
{
    space_fini(&disk->cells);
    space_fini(&disk->hints);
    dynkv_buf_fini(&disk->state);
    dynkv_buf_fini(&disk->lease);
}

static void space_copy(struct dynkv_avl *to, const struct dynkv_avl *from)
{
    for (struct dynkv_avl_node *node = dynkv_avl_first(from); node; node = dynkv_avl_next(node)) {
        const struct sim_cell *cell = cell_of(node);

        if (cell->record.len)
            buf_set(&space_cell(to, cell->partition, cell->keyspace, cell->key, true)->record,
                    dynkv_buf_slice(&cell->record));
    }
}

void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
    sim_disk_fini(to);
    space_copy(&to->cells, &from->cells);
    space_copy(&to->hints, &from->hints);
    buf_set(&to->state, dynkv_buf_slice(&from->state));
    buf_set(&to->lease, dynkv_buf_slice(&from->lease));
    to->is_clean = from->is_clean;
}

/* ---- jobs ---- */

static uint64_t disk_time(struct sim *sim, const struct sim_node *node, uint64_t mean_us)
{
    return sim_around(&sim->random, mean_us) * (node->disk_slowness ? node->disk_slowness : 1);
}

static struct sim_event disk_event(const struct sim_node *node, enum sim_event_kind kind)
{
    return (struct sim_event){.kind = (uint8_t)kind, .node = node->index, .life = node->life};
}

/* The first of the queue begins, if there is one. */
void sim_disk_start_job(struct sim *sim, struct sim_node *node)
{
    struct sim_job *job = node->job_first;
    bool reads;

    if (!job)
        return;
    reads = job->effects.load_count || job->effects.range_count;
    sim_at(sim, reads ? disk_time(sim, node, sim->swarm.read_us) : 0,
           disk_event(node, SIM_DISK_READ));
}

static void job_end(struct sim *sim, struct sim_node *node)
{
    struct sim_job *job = node->job_first;

    node->job_first = job->next;
    if (!node->job_first)
        node->job_last = &node->job_first;
    dynkv_effects_fini(&job->effects);
    free(job);
    sim_disk_start_job(sim, node);
}

static void disk_drop_tree(struct sim_disk *disk, uint64_t keyspace, uint32_t partition)
{
    for (struct dynkv_avl_node *it = dynkv_avl_first(&disk->cells); it; it = dynkv_avl_next(it))
        if (cell_of(it)->partition == partition && cell_of(it)->keyspace == keyspace)
            dynkv_buf_reset(&cell_of(it)->record);
}

static void job_store(struct sim *sim, struct sim_node *node, const struct sim_job *job)
{
    for (uint32_t i = 0; i < job->effects.store_count; i++) {
        const struct dynkv_effect_store *store = &job->effects.stores[i];

        if (store->kind == DYNKV_STORE_META) {
            bool is_state = dynkv_slice_equal(store->key, dynkv_slice_text(DYNKV_META_STATE));

            buf_set(is_state ? &node->disk.state : &node->disk.lease, store->record);
        } else if (store->kind == DYNKV_STORE_RECORD || store->kind == DYNKV_STORE_DELETE) {
            buf_set(&space_cell(disk_space(&node->disk, store->space), store->partition,
                                store->keyspace, store->key, true)
                         ->record,
                    store->record);
            check_on_durable(sim, node, store);
        } else if (store->kind == DYNKV_STORE_DROP_TREE) {
            disk_drop_tree(&node->disk, store->keyspace, store->partition);
        }
    }
}

static void jobs_drop(struct sim_node *node)
{
    struct sim_job *job, *next;

    for (job = node->job_first; job; job = next) {
        next = job->next;
        dynkv_effects_fini(&job->effects);
        free(job);
    }
    node->job_first = NULL;
    node->job_last = &node->job_first;
}

void sim_disk_lose_jobs(struct sim *sim, struct sim_node *node)
{
    if (node->job_first && node->job_first->is_writing && !node->disk_bad &&
        sim_percent(&sim->random, 50))
        job_store(sim, node, node->job_first);
    jobs_drop(node);
}

void sim_disk_finish_jobs(struct sim *sim, struct sim_node *node)
{
    for (const struct sim_job *job = node->job_first; job; job = job->next)
        job_store(sim, node, job);
    jobs_drop(node);
}

static void job_load(struct sim *sim, struct sim_node *node, const struct dynkv_effect_load *load)
{
    struct sim_cell *cell = space_cell(disk_space(&node->disk, load->space), load->partition,
                                       load->keyspace, load->key, false);
    struct dynkv_event event = {.type = DYNKV_EVENT_LOADED};

    event.as.loaded.token = load->token;
    if (node->disk_bad)
        event.as.loaded.error = DYNKV_STORAGE;
    else if (!cell || cell->record.len == 0)
        event.as.loaded.error = DYNKV_NOT_FOUND;
    else
        event.as.loaded.record = dynkv_buf_slice(&cell->record);
    sim_node_step(sim, node, &event);
}

struct range_result {
    struct dynkv_record *records;
    uint32_t count, cap;
    size_t bytes;
};

static void range_add(struct range_result *result, const struct sim_cell *cell)
{
    if (result->count == result->cap) {
        result->cap = result->cap ? result->cap * 2 : 64;
        result->records = dynkv_realloc(result->records, result->cap * sizeof *result->records);
    }
    result->records[result->count++] =
        (struct dynkv_record){cell->partition, cell->key, dynkv_buf_slice(&cell->record)};
    result->bytes += cell->key.len + cell->record.len;
}

/* One partition of a range; true if the limit ended it, with the cursor in the event. */
static bool range_partition(struct sim_node *node, const struct dynkv_effect_range *range,
                            uint32_t place, struct range_result *result, struct dynkv_event *event)
{
    struct cell_at at = {range->partitions[place], range->keyspace, range->lower};
    struct dynkv_avl_node *it;

    if (place == 0 && range->first_lower.len)
        at.key = range->first_lower;
    for (it = dynkv_avl_seek(disk_space(&node->disk, range->space), &at, cell_compare); it;
         it = dynkv_avl_next(it)) {
        const struct sim_cell *cell = cell_of(it);

        if (cell->partition != at.partition || cell->keyspace != at.keyspace ||
            (range->upper.len && dynkv_slice_compare(cell->key, range->upper) >= 0))
            return false;
        if (cell->record.len == 0)
            continue;
        if (result->count == range->limit ||
            (result->count && result->bytes >= range->limit_bytes)) {
            event->as.scanned.more = true;
            event->as.scanned.cursor_partition = cell->partition;
            event->as.scanned.cursor_key = cell->key;
            return true;
        }
        range_add(result, cell);
    }
    return false;
}

static int record_compare(const void *a, const void *b)
{
    const struct dynkv_record *x = a, *y = b;

    return dynkv_slice_compare(x->key, y->key);
}

static int record_compare_falling(const void *a, const void *b)
{
    return record_compare(b, a);
}

/* By key: everything is read and sorted, and what is over the limits thrown away. */
static void range_by_key(struct sim_node *node, const struct dynkv_effect_range *range,
                         struct range_result *result, struct dynkv_event *event)
{
    struct dynkv_effect_range all = *range;
    bool falls = range->order == DYNKV_ORDER_FALLING;
    size_t bytes = 0;
    uint32_t kept = 0;

    all.limit = all.limit_bytes = UINT32_MAX;
    all.first_lower = dynkv_slice(NULL, 0);
    for (uint32_t i = 0; i < range->partition_count; i++)
        range_partition(node, &all, i, result, event);
    if (result->count)
        qsort(result->records, result->count, sizeof *result->records,
              falls ? record_compare_falling : record_compare);
    for (; kept < result->count; kept++) {
        const struct dynkv_record *record = &result->records[kept];

        if ((kept >= range->limit || (kept && bytes >= range->limit_bytes)) &&
            !dynkv_slice_equal(record->key, record[-1].key)) {
            event->as.scanned.more = true;
            event->as.scanned.cursor_key = falls ? record[-1].key : record->key;
            break;
        }
        bytes += record->key.len + record->record.len;
    }
    result->count = kept;
}

static void job_range(struct sim *sim, struct sim_node *node,
                      const struct dynkv_effect_range *range)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_SCANNED};
    struct range_result result = {0};

    event.as.scanned.token = range->token;
    if (node->disk_bad)
        event.as.scanned.error = DYNKV_STORAGE;
    if (range->order != DYNKV_ORDER_PARTITION && !node->disk_bad)
        range_by_key(node, range, &result, &event);
    for (uint32_t i = 0; i < range->partition_count && !node->disk_bad; i++)
        if (range->order != DYNKV_ORDER_PARTITION ||
            range_partition(node, range, i, &result, &event))
            break;
    event.as.scanned.records = result.records;
    event.as.scanned.record_count = result.count;
    sim_node_step(sim, node, &event);
    free(result.records);
}

void sim_disk_on_read(struct sim *sim, struct sim_node *node)
{
    struct sim_job *job = node->job_first;

    for (uint32_t i = 0; i < job->effects.load_count; i++)
        job_load(sim, node, &job->effects.loads[i]);
    for (uint32_t i = 0; i < job->effects.range_count; i++)
        job_range(sim, node, &job->effects.ranges[i]);
    if (job->effects.store_count) {
        job->is_writing = true;
        sim_at(sim, disk_time(sim, node, sim->swarm.sync_us), disk_event(node, SIM_DISK_SYNC));
    } else {
        job_end(sim, node);
    }
}

void sim_disk_on_sync(struct sim *sim, struct sim_node *node)
{
    struct sim_job *job = node->job_first;
    struct dynkv_event event = {.type = DYNKV_EVENT_STORED};
    uint64_t *tokens = dynkv_alloc(job->effects.store_count * sizeof *tokens);

    if (!node->disk_bad)
        job_store(sim, node, job);
    for (uint32_t i = 0; i < job->effects.store_count; i++)
        tokens[i] = job->effects.stores[i].token;
    event.as.stored.error = node->disk_bad ? DYNKV_STORAGE : DYNKV_OK;
    event.as.stored.tokens = tokens;
    event.as.stored.token_count = job->effects.store_count;
    sim_node_step(sim, node, &event);
    free(tokens);
    job_end(sim, node);
}
