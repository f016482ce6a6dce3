/* cluster.c: nodes, network and stores in one process (see cluster.h). */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/avl.h"
#include "base/hash.h"
#include "base/map.h"
#include "model/ring.h"
#include "wire/frame.h"

struct cell {
    struct dynkv_avl_node node;
    enum dynkv_space space;
    uint32_t partition;
    uint64_t keyspace;
    struct dynkv_slice key, record;
};

struct late_scan {
    struct late_scan *next;
    uint64_t due_ms;
    struct dynkv_event event;
};

struct packet {
    struct packet *next;
    uint32_t from, to;
    struct dynkv_buf frame;
};

struct place {
    struct dynkv_node *node; /* NULL while stopped */
    struct dynkv_effects effects;
    struct dynkv_avl store;
    struct dynkv_slice state, lease;
    uint64_t id, runs;
    bool clean; /* the last run was stopped, and did not crash */
    bool disk_failed;
    uint32_t scan_delay_ms, scan_records;
    struct late_scan *scans, **scans_last; /* read, but not told yet */
    uint32_t hints_max, reap_interval_ms;
    uint64_t hints_bytes_max;
    bool paused;
    struct packet *waiting, **waiting_last; /* frames that came while paused */
    int64_t skew_ms;
    char name[16], url[32];
};

struct cluster {
    struct place places[CLUSTER_MAX];
    uint32_t count, partitions;
    uint64_t now_ms;
    struct packet *first, **last;
    bool cut[CLUSTER_MAX][CLUSTER_MAX];
    uint64_t sent[256], sent_bytes[256];
    struct packet *held, **held_last;
    bool hold[CLUSTER_MAX][CLUSTER_MAX];
    struct dynkv_arena arena;
    bool answered;
    uint64_t waiting_for;
    struct dynkv_slice answer;
    uint64_t next_client;
};

/* ---- the store ---- */

static int cell_compare(const void *key, const struct dynkv_avl_node *node)
{
    const struct cell *a = key;
    const struct cell *b = DYNKV_CONTAINER(node, struct cell, node);

    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->keyspace != b->keyspace)
        return a->keyspace < b->keyspace ? -1 : 1;
    return dynkv_slice_compare(a->key, b->key);
}

static struct cell *store_find(struct place *place, struct cell *at)
{
    struct dynkv_avl_node *node = dynkv_avl_find(&place->store, at, cell_compare);

    return node ? DYNKV_CONTAINER(node, struct cell, node) : NULL;
}

static void store_drop(struct place *place, const struct dynkv_effect_store *store)
{
    struct dynkv_avl_node *node = dynkv_avl_first(&place->store), *next;

    for (; node; node = next) {
        const struct cell *cell = DYNKV_CONTAINER(node, struct cell, node);

        next = dynkv_avl_next(node);
        if (cell->space == DYNKV_SPACE_RECORDS && cell->keyspace == store->keyspace &&
            (store->kind == DYNKV_STORE_DROP_KEYSPACE || cell->partition == store->partition))
            dynkv_avl_remove(&place->store, node);
    }
}

static void store_write(struct cluster *cluster, struct place *place,
                        const struct dynkv_effect_store *store)
{
    struct dynkv_slice record = dynkv_slice_copy(store->record, &cluster->arena);
    struct cell at = {.space = store->space,
                      .partition = store->partition,
                      .keyspace = store->keyspace,
                      .key = store->key};
    struct cell *cell;

    if (store->kind == DYNKV_STORE_META) {
        *(dynkv_slice_equal(store->key, dynkv_slice_text(DYNKV_META_STATE)) ? &place->state
                                                                            : &place->lease) =
            record;
        return;
    }
    if (store->kind == DYNKV_STORE_DROP_KEYSPACE || store->kind == DYNKV_STORE_DROP_TREE) {
        store_drop(place, store);
        return;
    }
    cell = store_find(place, &at);
    if (store->kind == DYNKV_STORE_DELETE) {
        if (cell)
            dynkv_avl_remove(&place->store, &cell->node);
        return;
    }
    if (!cell) {
        cell = dynkv_arena_calloc(&cluster->arena, 1, sizeof *cell);
        *cell = at;
        cell->key = dynkv_slice_copy(store->key, &cluster->arena);
        dynkv_avl_insert(&place->store, &cell->node, cell, cell_compare);
    }
    cell->record = record;
}

static void step(struct cluster *cluster, struct place *place, struct dynkv_event *event)
{
    event->now_ms = (uint64_t)((int64_t)cluster->now_ms + place->skew_ms);
    event->mono_ms = cluster->now_ms;
    dynkv_node_step(place->node, event, &place->effects);
}

static void do_load(struct cluster *cluster, struct place *place,
                    const struct dynkv_effect_load *load)
{
    struct cell at = {.space = load->space,
                      .partition = load->partition,
                      .keyspace = load->keyspace,
                      .key = load->key};
    struct cell *cell = store_find(place, &at);
    struct dynkv_event event = {.type = DYNKV_EVENT_LOADED};

    event.as.loaded.token = load->token;
    event.as.loaded.error = cell ? DYNKV_OK : DYNKV_NOT_FOUND;
    if (cell)
        event.as.loaded.record = cell->record;
    step(cluster, place, &event);
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

/* All records of a range were read: sorts them by key, and cuts them to the limit. */
static void sort_range(const struct dynkv_effect_range *range, uint32_t limit,
                       struct dynkv_record *records, uint32_t *count, struct dynkv_event *event)
{
    bool falls = range->order == DYNKV_ORDER_FALLING;
    uint32_t kept = limit;

    if (*count)
        qsort(records, *count, sizeof *records, falls ? record_compare_falling : record_compare);
    while (kept && kept < *count && dynkv_slice_equal(records[kept].key, records[kept - 1].key))
        kept++;
    if (kept >= *count)
        return;
    event->as.scanned.more = true;
    event->as.scanned.cursor_key = records[falls ? kept - 1 : kept].key;
    *count = kept;
}

static void do_range(struct cluster *cluster, struct place *place,
                     const struct dynkv_effect_range *range)
{
    bool is_by_key = range->order != DYNKV_ORDER_PARTITION;
    struct dynkv_record *records = NULL;
    struct dynkv_event event = {.type = DYNKV_EVENT_SCANNED};
    uint32_t count = 0, cap = 0, limit = range->limit;

    if (place->scan_records && place->scan_records < limit)
        limit = place->scan_records;
    event.as.scanned.token = range->token;
    for (uint32_t i = 0; i < range->partition_count && !event.as.scanned.more; i++) {
        struct cell at = {
            .space = range->space, .partition = range->partitions[i], .keyspace = range->keyspace};
        struct dynkv_avl_node *node;

        at.key = i == 0 && range->first_lower.len ? range->first_lower : range->lower;
        for (node = dynkv_avl_seek(&place->store, &at, cell_compare); node;
             node = dynkv_avl_next(node)) {
            struct cell *cell = DYNKV_CONTAINER(node, struct cell, node);

            if (cell->space != at.space || cell->partition != at.partition ||
                cell->keyspace != at.keyspace ||
                (range->upper.len && dynkv_slice_compare(cell->key, range->upper) >= 0))
                break;
            if (count == limit && !is_by_key) {
                event.as.scanned.more = true;
                event.as.scanned.cursor_partition = cell->partition;
                event.as.scanned.cursor_key = cell->key;
                break;
            }
            if (count == cap) {
                cap = cap ? cap * 2 : 16;
                records = dynkv_realloc(records, cap * sizeof *records);
            }
            records[count++] = (struct dynkv_record){cell->partition, cell->key, cell->record};
        }
    }
    if (is_by_key)
        sort_range(range, limit, records, &count, &event);
    event.as.scanned.records = records;
    event.as.scanned.record_count = count;
    if (place->scan_delay_ms) {
        struct late_scan *scan = dynkv_arena_calloc(&cluster->arena, 1, sizeof *scan);

        event.as.scanned.records =
            dynkv_arena_copy(&cluster->arena, records, count * sizeof *records);
        free(records);
        scan->due_ms = cluster->now_ms + place->scan_delay_ms;
        scan->event = event;
        *place->scans_last = scan;
        place->scans_last = &scan->next;
        return;
    }
    step(cluster, place, &event);
    free(records);
}

static void do_stores(struct cluster *cluster, struct place *place,
                      const struct dynkv_effects *effects)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_STORED};
    uint64_t *tokens = dynkv_arena_calloc(&cluster->arena, effects->store_count, sizeof *tokens);

    for (uint32_t i = 0; i < effects->store_count; i++) {
        tokens[i] = effects->stores[i].token;
        if (!place->disk_failed)
            store_write(cluster, place, &effects->stores[i]);
    }
    event.as.stored.error = place->disk_failed ? DYNKV_STORAGE : DYNKV_OK;
    event.as.stored.tokens = tokens;
    event.as.stored.token_count = effects->store_count;
    step(cluster, place, &event);
}

/* ---- the network ---- */

static void do_send(struct cluster *cluster, struct place *place,
                    const struct dynkv_effect_send *send)
{
    uint32_t from = (uint32_t)(place - cluster->places);
    struct packet *packet;

    cluster->sent[send->message.data[1]]++;
    cluster->sent_bytes[send->message.data[1]] += send->message.len;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!dynkv_slice_equal(send->url, dynkv_slice_text(cluster->places[i].url)) ||
            cluster->cut[from][i])
            continue;
        packet = dynkv_calloc(1, sizeof *packet);
        packet->from = from;
        packet->to = i;
        dynkv_frame_begin(&packet->frame, send->cluster_id, place->id);
        DYNKV_ASSERT(dynkv_frame_add(&packet->frame, send->message));
        if (cluster->hold[from][i]) {
            *cluster->held_last = packet;
            cluster->held_last = &packet->next;
        } else {
            *cluster->last = packet;
            cluster->last = &packet->next;
        }
    }
}

/* True if a range was due, and the node has been told. */
static bool tell_late_scan(struct cluster *cluster, struct place *place)
{
    struct late_scan *scan = place->scans;

    if (!scan || scan->due_ms > cluster->now_ms)
        return false;
    place->scans = scan->next;
    if (!place->scans)
        place->scans_last = &place->scans;
    step(cluster, place, &scan->event);
    return true;
}

/*
 * Carries out what the node asked for; that leads to more.  A late range is told behind the loads, so that
 * what it makes the node do leaves in one flush with the stores that the loads led to.
 */
static void flush(struct cluster *cluster, struct place *place)
{
    while (place->node) {
        struct dynkv_effects now = place->effects;

        if (!now.send_count && !now.reply_count && !now.load_count && !now.range_count &&
            !now.store_count && !now.log_count) {
            if (tell_late_scan(cluster, place))
                continue;
            break;
        }
        place->effects = (struct dynkv_effects){0};
        for (uint32_t i = 0; i < now.log_count && getenv("DYNKV_TEST_LOG"); i++)
            fprintf(stderr, "%8llu %s: %.*s\n", (unsigned long long)cluster->now_ms, place->name,
                    (int)now.logs[i].text.len, (const char *)now.logs[i].text.data);
        for (uint32_t i = 0; i < now.send_count; i++)
            do_send(cluster, place, &now.sends[i]);
        for (uint32_t i = 0; i < now.reply_count; i++)
            if (now.replies[i].client == cluster->waiting_for) {
                DYNKV_ASSERT(!cluster->answered); /* exactly one reply a request */
                cluster->answered = true;
                cluster->answer = dynkv_slice_copy(now.replies[i].message, &cluster->arena);
            }
        for (uint32_t i = 0; i < now.load_count; i++)
            do_load(cluster, place, &now.loads[i]);
        tell_late_scan(cluster, place);
        for (uint32_t i = 0; i < now.range_count; i++)
            do_range(cluster, place, &now.ranges[i]);
        if (now.store_count)
            do_stores(cluster, place, &now);
        dynkv_effects_fini(&now);
    }
}

static void deliver_all(struct cluster *cluster)
{
    while (cluster->first) {
        struct packet *packet = cluster->first;
        struct place *to = &cluster->places[packet->to];
        struct dynkv_event event = {.type = DYNKV_EVENT_FRAME};

        cluster->first = packet->next;
        if (!cluster->first)
            cluster->last = &cluster->first;
        if (to->paused) {
            packet->next = NULL;
            *to->waiting_last = packet;
            to->waiting_last = &packet->next;
            continue;
        }
        event.as.frame.bytes = dynkv_buf_slice(&packet->frame);
        if (to->node) {
            step(cluster, to, &event);
            /* While a range is on its way effects gather until it is told, as in a busy daemon. */
            if (!to->scans)
                flush(cluster, to);
        }
        dynkv_buf_fini(&packet->frame);
        free(packet);
    }
}

static void tick(struct cluster *cluster)
{
    cluster->now_ms += DYNKV_TICK_MS;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct dynkv_event event = {.type = DYNKV_EVENT_TICK};

        if (!cluster->places[i].node || cluster->places[i].paused)
            continue;
        step(cluster, &cluster->places[i], &event);
        flush(cluster, &cluster->places[i]);
    }
    deliver_all(cluster);
}

void cluster_run(struct cluster *cluster, uint32_t ms)
{
    for (uint64_t end = cluster->now_ms + ms; cluster->now_ms < end;)
        tick(cluster);
}

/* ---- nodes ---- */

void cluster_start(struct cluster *cluster, uint32_t node)
{
    struct place *place = &cluster->places[node];
    struct dynkv_slice seed = dynkv_slice_text(cluster->places[0].url);
    struct dynkv_node_config config = {
        .id = place->id,
        .run = 1 + node + 1000 * place->runs++,
        .clean = place->clean,
        .seed = node + 1,
        .now_ms = cluster->now_ms,
        .name = dynkv_slice_text(place->name),
        .client_url = dynkv_slice_text("tcp://client"),
        .peer_url = dynkv_slice_text(place->url),
        .storage = dynkv_slice_text("memory"),
        .partitions = cluster->partitions,
        .hints_max = place->hints_max,
        .reap_interval_ms = place->reap_interval_ms ? place->reap_interval_ms : UINT32_MAX,
        .hints_bytes_max = place->hints_bytes_max,
        .cluster_id = node == 0 ? 77 : 0,
        .state = place->state,
        .lease = place->lease,
        .join_urls = &seed,
        .join_url_count = node == 0 ? 0 : 1,
    };

    DYNKV_ASSERT(!place->node);
    place->scans = NULL;
    place->scans_last = &place->scans;
    place->node = dynkv_node_new(&config);
}

void cluster_stop(struct cluster *cluster, uint32_t node)
{
    struct place *place = &cluster->places[node];

    place->clean = dynkv_node_may_go_on(place->node);
    dynkv_node_free(place->node);
    place->node = NULL;
    dynkv_effects_fini(&place->effects);
}

void cluster_crash(struct cluster *cluster, uint32_t node)
{
    cluster_stop(cluster, node);
    cluster->places[node].clean = false;
}

void cluster_pause(struct cluster *cluster, uint32_t node, bool paused)
{
    struct place *place = &cluster->places[node];

    DYNKV_ASSERT(place->paused != paused);
    place->paused = paused;
    if (paused) {
        place->waiting = NULL;
        place->waiting_last = &place->waiting;
    } else if (place->waiting) {
        *cluster->last = place->waiting;
        cluster->last = place->waiting_last;
    }
}

uint32_t cluster_add(struct cluster *cluster)
{
    uint32_t node = cluster->count++;
    struct place *place = &cluster->places[node];

    DYNKV_ASSERT(node < CLUSTER_MAX);
    snprintf(place->name, sizeof place->name, "n%u", node + 1);
    snprintf(place->url, sizeof place->url, "tcp://peer-%u", node + 1);
    place->id = 1000 + node;
    cluster_start(cluster, node);
    return node;
}

struct cluster *cluster_new(uint32_t count, uint32_t partitions)
{
    struct cluster *cluster = dynkv_calloc(1, sizeof *cluster);

    cluster->partitions = partitions;
    cluster->now_ms = 1700000000000u;
    cluster->last = &cluster->first;
    cluster->held_last = &cluster->held;
    cluster->next_client = 1;
    for (uint32_t i = 0; i < count; i++)
        cluster_add(cluster);
    cluster_run(cluster, 2000);
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++)
        if (cluster->places[i].node)
            cluster_stop(cluster, i);
    deliver_all(cluster);
    while (cluster->held) {
        struct packet *packet = cluster->held;

        cluster->held = packet->next;
        dynkv_buf_fini(&packet->frame);
        free(packet);
    }
    dynkv_arena_fini(&cluster->arena);
    free(cluster);
}

void cluster_cut(struct cluster *cluster, uint32_t from, uint32_t to, bool cut)
{
    cluster->cut[from][to] = cut;
}

void cluster_hold(struct cluster *cluster, uint32_t from, uint32_t to, bool hold)
{
    struct packet **at = &cluster->held;

    cluster->hold[from][to] = hold;
    while (!hold && *at) {
        struct packet *packet = *at;

        if (packet->from != from || packet->to != to) {
            at = &packet->next;
            continue;
        }
        *at = packet->next;
        packet->next = NULL;
        *cluster->last = packet;
        cluster->last = &packet->next;
    }
    if (!hold)
        cluster->held_last = at;
}

void cluster_set_reap_interval(struct cluster *cluster, uint32_t node, uint32_t interval_ms)
{
    cluster->places[node].reap_interval_ms = interval_ms;
}

void cluster_set_hints_max(struct cluster *cluster, uint32_t node, uint32_t hints_max)
{
    cluster->places[node].hints_max = hints_max;
}

void cluster_set_hints_bytes_max(struct cluster *cluster, uint32_t node, uint64_t bytes)
{
    cluster->places[node].hints_bytes_max = bytes;
}

uint32_t cluster_stored_hints(const struct cluster *cluster, uint32_t node)
{
    struct dynkv_avl_node *at = dynkv_avl_first(&cluster->places[node].store);
    uint32_t count = 0;

    for (; at; at = dynkv_avl_next(at))
        count += DYNKV_CONTAINER(at, struct cell, node)->space == DYNKV_SPACE_HINTS;
    return count;
}

void cluster_fail_disk(struct cluster *cluster, uint32_t node)
{
    cluster->places[node].disk_failed = true;
}

void cluster_set_clock(struct cluster *cluster, uint32_t node, int64_t skew_ms)
{
    cluster->places[node].skew_ms = skew_ms;
}

void cluster_slow_scans(struct cluster *cluster, uint32_t node, uint32_t delay_ms,
                        uint32_t page_records)
{
    cluster->places[node].scan_delay_ms = delay_ms;
    cluster->places[node].scan_records = page_records;
}

struct cluster_copy cluster_copy(const struct cluster *cluster, uint32_t node)
{
    const struct place *place = &cluster->places[node];

    DYNKV_ASSERT(!place->node);
    return (struct cluster_copy){place->state, place->lease, place->clean};
}

void cluster_put_back(struct cluster *cluster, uint32_t node, const struct cluster_copy *copy)
{
    struct place *place = &cluster->places[node];

    DYNKV_ASSERT(!place->node);
    place->state = copy->state;
    place->lease = copy->lease;
    place->clean = copy->clean;
}

void cluster_new_actor(struct cluster *cluster, uint32_t node)
{
    DYNKV_ASSERT(!cluster->places[node].node);
    cluster->places[node].lease = dynkv_slice(NULL, 0);
}

void cluster_forget_records(struct cluster *cluster, uint32_t node)
{
    cluster_new_actor(cluster, node);
    cluster->places[node].store = (struct dynkv_avl){0};
}

void cluster_set_record(struct cluster *cluster, uint32_t node, uint64_t keyspace,
                        uint32_t partition, struct dynkv_slice key, struct dynkv_slice record)
{
    struct place *place = &cluster->places[node];
    struct cell at = {.partition = partition, .keyspace = keyspace, .key = key};
    struct cell *cell = store_find(place, &at);

    DYNKV_ASSERT(!place->node);
    if (!cell) {
        cell = dynkv_arena_calloc(&cluster->arena, 1, sizeof *cell);
        *cell = at;
        dynkv_avl_insert(&place->store, &cell->node, cell, cell_compare);
    }
    cell->record = record;
}

void cluster_records(struct cluster *cluster, uint32_t node, cluster_visit *visit, void *context)
{
    struct dynkv_avl_node *at = dynkv_avl_first(&cluster->places[node].store);

    for (; at; at = dynkv_avl_next(at)) {
        struct cell *cell = DYNKV_CONTAINER(at, struct cell, node);

        if (cell->space == DYNKV_SPACE_RECORDS)
            visit(context, cell->keyspace, cell->partition, cell->key, cell->record);
    }
}

/* ---- clients ---- */

bool cluster_ask_raw(struct cluster *cluster, uint32_t node, struct dynkv_slice bytes,
                     uint32_t limit_ms, struct dynkv_envelope *envelope, union dynkv_body *reply)
{
    struct place *place = &cluster->places[node];
    struct dynkv_event event = {.type = DYNKV_EVENT_REQUEST};
    uint64_t end = cluster->now_ms + limit_ms;

    cluster->answered = false;
    cluster->waiting_for = cluster->next_client++;
    event.as.request.client = cluster->waiting_for;
    event.as.request.bytes = bytes;
    step(cluster, place, &event);
    flush(cluster, place);
    deliver_all(cluster);
    while (!cluster->answered && cluster->now_ms < end)
        tick(cluster);
    if (!cluster->answered)
        return false;
    DYNKV_ASSERT(dynkv_message_decode(cluster->answer, &cluster->arena, envelope, reply) ==
                 DYNKV_OK);
    return true;
}

bool cluster_ask(struct cluster *cluster, uint32_t node, uint8_t type, const void *body,
                 uint32_t limit_ms, struct dynkv_envelope *envelope, union dynkv_body *reply)
{
    struct dynkv_envelope head = {.type = type, .request_id = 4711, .deadline_ms = limit_ms};
    struct dynkv_buf bytes = {0};
    bool answered;

    dynkv_message_encode(&head, body, &bytes);
    answered = cluster_ask_raw(cluster, node, dynkv_buf_slice(&bytes), limit_ms, envelope, reply);
    dynkv_buf_fini(&bytes);
    DYNKV_ASSERT(!answered || envelope->request_id == 4711);
    return answered;
}

void cluster_send_raw(struct cluster *cluster, uint32_t node, struct dynkv_slice bytes)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_FRAME};

    event.as.frame.bytes = bytes;
    step(cluster, &cluster->places[node], &event);
    flush(cluster, &cluster->places[node]);
}

/* ---- looking ---- */

uint64_t cluster_counter(struct cluster *cluster, uint32_t node, const char *name)
{
    struct dynkv_status_reply status;

    dynkv_node_status(cluster->places[node].node, &cluster->arena, &status);
    for (uint32_t i = 0; i < status.counter_count; i++)
        if (dynkv_slice_equal(status.counters[i].name, dynkv_slice_text(name)))
            return status.counters[i].value;
    abort();
}

uint64_t cluster_actor(const struct cluster *cluster, uint32_t node)
{
    return dynkv_node_actor(cluster->places[node].node);
}

uint64_t cluster_id(const struct cluster *cluster, uint32_t node)
{
    return cluster->places[node].id;
}

struct dynkv_node *cluster_node(struct cluster *cluster, uint32_t node)
{
    return cluster->places[node].node;
}

uint64_t cluster_sent(const struct cluster *cluster, uint8_t type)
{
    return cluster->sent[type];
}

uint64_t cluster_sent_bytes(const struct cluster *cluster, uint8_t type)
{
    return cluster->sent_bytes[type];
}

int cluster_sees_down(struct cluster *cluster, uint32_t node, uint32_t other)
{
    struct dynkv_status_reply status;
    int seen = -1;

    dynkv_node_status(cluster->places[node].node, &cluster->arena, &status);
    for (uint32_t i = 0; i < status.member_count; i++)
        if (status.members[i].id == cluster->places[other].id)
            seen = 0;
    for (uint32_t i = 0; i < status.down_count; i++)
        if (status.down[i].id == cluster->places[other].id)
            seen = 1;
    return seen;
}

uint32_t cluster_replica(struct cluster *cluster, uint64_t keyspace, const char *key,
                         uint32_t place)
{
    const struct dynkv_ring *ring;
    uint64_t list[DYNKV_REPLICAS_MAX];
    uint32_t partition, node = 0;

    while (!cluster->places[node].node)
        node++;
    ring = dynkv_node_ring(cluster->places[node].node);
    partition = dynkv_ring_partition(ring, dynkv_ring_hash(keyspace, dynkv_slice_text(key)));
    DYNKV_ASSERT(dynkv_ring_preference(ring, partition, list, DYNKV_REPLICAS_MAX) > place);
    for (node = 0; cluster->places[node].id != list[place];)
        node++;
    return node;
}

struct dynkv_arena *cluster_arena(struct cluster *cluster)
{
    return &cluster->arena;
}
