/*
 * scan.c: scans, page by page, of partitions that the asked node holds.  A page speaks for all keys from where
 * it began to its cursor; of those, every acknowledged write must be in it, if r and w overlap.
 */
#include "base/hash.h"
#include "check.h"
#include "model/filter.h"
#include "sim.h"

#define SCAN_PAGES_MAX 8u

/* The place of a partition in the scan's list, or -1. */
static int scan_place(const struct dynkv_scan *scan, uint32_t partition)
{
    for (uint32_t i = 0; i < scan->partition_count; i++)
        if (scan->partitions[i].first == partition)
            return (int)i;
    return -1;
}

/* Whether a key stands before the position (partition, bytes) in the order of the scan. */
static bool scan_is_before(const struct dynkv_scan *scan, const struct sim_key *key,
                           uint32_t partition, struct dynkv_slice bytes)
{
    int mine = scan_place(scan, key->partition), other = scan_place(scan, partition);

    if (scan->order != DYNKV_ORDER_PARTITION)
        return dynkv_order_is_before((enum dynkv_order)scan->order,
                                     dynkv_slice(key->bytes, key->len), bytes);
    if (mine != other)
        return mine < other;
    return dynkv_slice_compare(dynkv_slice(key->bytes, key->len), bytes) < 0;
}

static bool scan_covers_key(const struct dynkv_scan *scan, const struct sim_key *key)
{
    struct dynkv_slice bytes = dynkv_slice(key->bytes, key->len);

    return scan_place(scan, key->partition) >= 0 && dynkv_slice_compare(bytes, scan->lower) >= 0 &&
           (scan->upper.len == 0 || dynkv_slice_compare(bytes, scan->upper) < 0);
}

static void scan_draw(struct sim *sim, struct sim_client *client)
{
    uint32_t n = sim->keyspaces[client->keyspace].plan.n;
    const struct sim_node *node = &sim->nodes[client->node];
    uint32_t share = 20 + (uint32_t)sim_below(&sim->work_random, 81);
    struct dynkv_scan *scan = &client->scan;

    *scan = (struct dynkv_scan){
        .keyspace = sim->keyspaces[client->keyspace].id,
        .flags = sim_percent(&sim->work_random, 75) ? DYNKV_SCAN_DEAD_TOO : 0,
        .r = client->r,
        .limit = 1 + (uint32_t)sim_below(&sim->work_random, 12),
        .order = (uint8_t)sim_below(&sim->work_random, 3),
    };
    scan->partitions =
        dynkv_arena_calloc(&client->arena, sim->swarm.partitions, sizeof *scan->partitions);
    for (uint32_t i = 0; i < sim->swarm.partitions; i++)
        if (dynkv_ring_replica_index(sim_ring_of(sim, client->ring_version), i, node->id, n) >= 0 &&
            sim_percent(&sim->work_random, share))
            scan->partitions[scan->partition_count++] = (struct dynkv_partition_range){i, 1};
    if (sim_percent(&sim->work_random, 30)) {
        const struct sim_key *key = &sim->keys[sim_below(&sim->work_random, sim->swarm.keys)];

        if (sim_percent(&sim->work_random, 50))
            scan->lower = dynkv_slice(key->bytes, key->len);
        else
            scan->upper = dynkv_slice(key->bytes, key->len);
    }
}

/* Writes from some number on; drawn beside the workload's own draws, so that seeds keep their meaning. */
static void scan_draw_filter(struct sim *sim, struct sim_client *client)
{
    uint64_t draw = dynkv_hash_pair(sim->seed, client->serial);
    struct dynkv_filter_column column = {DYNKV_FILTER_INT8, 0, dynkv_slice_text("n")};
    struct dynkv_filter_value least;
    struct dynkv_filter filter = {
        .format = DYNKV_FILTER_ROW,
        .columns = &column,
        .column_count = 1,
        .root = {.op = DYNKV_FILTER_GE, .values = &least, .value_count = 1},
    };

    client->filter_least = 0;
    if (draw % 3 || sim->write_count == 0)
        return;
    client->filter_least = (uint32_t)(draw / 3 % sim->write_count);
    least = (struct dynkv_filter_value){.integer = client->filter_least};
    dynkv_buf_reset(&sim->scratch);
    dynkv_filter_encode(&filter, &sim->scratch);
    client->scan.filter = dynkv_slice_copy(dynkv_buf_slice(&sim->scratch), &client->arena);
    /* In one seed of eight; a page that ends early changes all that comes after it. */
    if (sim->seed % 8 == 3)
        client->scan.matches = (uint32_t)(draw >> 40) % 4;
}

void sim_scan_begin(struct sim *sim, struct sim_client *client)
{
    const struct sim_keyspace_plan *plan = &sim->keyspaces[client->keyspace].plan;

    sim_client_begin(sim, client, SIM_OP_SCAN);
    client->node = (uint32_t)sim_below(&sim->work_random, sim->node_count);
    client->r = sim_draw_quorum(sim, plan->r, plan->n);
    client->pages = 0;
    scan_draw(sim, client);
    scan_draw_filter(sim, client);
    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        struct sim_key *key = &sim->keys[i];

        if (key->keyspace == client->keyspace && scan_covers_key(&client->scan, key))
            client->needs[client->need_count++] = (struct sim_need){
                key, oracle_need(sim, key, client->r), key->loss_epoch, sim->now_us};
    }
    sim_client_ask(sim, client, client->node, 0, DYNKV_MESSAGE_SCAN, &client->scan);
}

static const struct dynkv_scan_entry *page_entry(const struct dynkv_scan_reply *reply,
                                                 const struct sim_key *key)
{
    for (uint32_t i = 0; i < reply->entry_count; i++)
        if (dynkv_slice_equal(reply->entries[i].key, dynkv_slice(key->bytes, key->len)))
            return &reply->entries[i];
    return NULL;
}

static void page_check_key(struct sim *sim, struct sim_client *client,
                           const struct dynkv_scan_reply *reply, const struct sim_need *need)
{
    const struct dynkv_scan_entry *entry = page_entry(reply, need->key);
    struct dynkv_object object = {0};

    /* Left out because it is dead, or never seen: only a scan of dead ones too can tell. */
    if (!entry && !(client->scan.flags & DYNKV_SCAN_DEAD_TOO))
        return;
    if (entry && dynkv_object_decode(entry->object, &client->arena, &object)) {
        sim_violation(sim, "1", "a scan was answered with an object that cannot be decoded");
        return;
    }
    if (client->scan.filter.len)
        check_filter(sim, need, client->filter_least, entry ? &object : NULL);
    if (!entry && client->scan.filter.len)
        return;
    if (entry)
        check_on_seen(sim, need, &object);
    check_quorum(sim, client, need, &object);
    if (entry)
        sim_client_saw(sim, client, need->key, &object);
}

/* Entries must come as was asked for. */
static void page_check_order(struct sim *sim, const struct dynkv_scan *scan,
                             const struct dynkv_scan_reply *reply)
{
    for (uint32_t i = 1; i < reply->entry_count; i++) {
        const struct dynkv_scan_entry *a = &reply->entries[i - 1], *b = &reply->entries[i];

        if (scan->order == DYNKV_ORDER_PARTITION && a->partition != b->partition) {
            if (scan_place(scan, a->partition) > scan_place(scan, b->partition))
                sim_violation(sim, "O", "a scan gave partitions out of order");
        } else if (dynkv_order_compare((enum dynkv_order)scan->order, a->key, b->key) >= 0) {
            sim_violation(sim, "O", "a scan gave keys out of order");
        }
    }
}

void sim_scan_on_reply(struct sim *sim, struct sim_client *client, uint32_t page,
                       const struct dynkv_scan_reply *reply)
{
    struct dynkv_scan *scan = &client->scan;

    if (page != client->pages)
        return; /* of a page that came twice */
    page_check_order(sim, scan, reply);
    for (uint32_t i = 0; i < client->need_count; i++) {
        const struct sim_need *need = &client->needs[i];

        if (scan->has_cursor &&
            scan_is_before(scan, need->key, scan->cursor_partition, scan->cursor_key))
            continue;
        if (reply->more &&
            !scan_is_before(scan, need->key, reply->cursor_partition, reply->cursor_key))
            continue;
        page_check_key(sim, client, reply, need);
    }
    if (!reply->more || ++client->pages == SCAN_PAGES_MAX) {
        sim_client_end(sim, client);
        return;
    }
    scan->has_cursor = 1;
    scan->cursor_partition = reply->cursor_partition;
    scan->cursor_key = dynkv_slice_copy(reply->cursor_key, &client->arena);
    sim_client_ask(sim, client, client->node, client->pages, DYNKV_MESSAGE_SCAN, scan);
}
