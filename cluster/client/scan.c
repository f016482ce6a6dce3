/* scan.c: scans, by pages, from several nodes at once; scan_stream.h has the inside. */
#include <stdlib.h>

#include "client/scan_stream.h"

#define PAGE_SIZE_DEFAULT 1000u
#define BOUND_MAX         (DYNKV_KEY_MAX + 1u)

/* ---- beginning ---- */

static void on_deadline(struct dynkv_timer *timer)
{
    struct dynkv_scan_handle *scan = DYNKV_CONTAINER(timer, struct dynkv_scan_handle, deadline);

    if (scan->waiter.is_waiting)
        dynkv_cluster_fetch_blame(scan->client, &scan->blame);
    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        if (stream->asked)
            dynkv_blame_add(&scan->blame, stream->session, DYNKV_TIMEOUT, "it does not answer");
    dynkv_scan_fail(scan, DYNKV_TIMEOUT, "a page of the scan took longer than %u ms%s%s",
                    scan->deadline_ms, scan->blame.count ? ": " : "", scan->blame.text);
}

static uint32_t square_root(uint64_t number)
{
    uint32_t root = 0;

    while ((uint64_t)(root + 1) * (root + 1) <= number)
        root++;
    return root;
}

uint64_t dynkv_scan_share(uint64_t expected, uint32_t streams)
{
    uint64_t mean = streams > 1 ? expected / streams : expected;
    uint64_t share = mean + 2 * square_root(mean) + 1;

    return streams > 1 && share < expected ? share : expected;
}

/* How much to ask a stream for at first. */
static uint32_t first_page(const struct dynkv_scan_handle *scan, uint32_t streams)
{
    uint64_t first = scan->examined;

    if (first == 0 || first >= scan->page_size)
        return scan->page_size;
    if (scan->order != DYNKV_ORDER_PARTITION)
        first = dynkv_scan_share(first, streams);
    return (uint32_t)first;
}

/*
 * The caller is waiting for an entry: what is not read ahead is asked for.  Where any order will do, one
 * stream may have all that is expected, and only if it does not, the others are asked.
 */
static void scan_need(struct dynkv_scan_handle *scan)
{
    bool one = scan->order == DYNKV_ORDER_PARTITION && !scan->is_spread;
    struct dynkv_scan_stream *stream;

    for (stream = scan->streams; stream && scan->order == DYNKV_ORDER_PARTITION;
         stream = stream->next)
        if (stream->is_needed && !dynkv_stream_is_finished(stream))
            return;
    for (stream = scan->streams; stream; stream = stream->next) {
        if (dynkv_stream_is_finished(stream) || stream->ready_first)
            continue;
        stream->is_needed = true;
        dynkv_stream_ask(stream);
        if (one)
            break;
    }
    scan->is_spread = true;
}

/* The first dealing: partitions of the whole scan, one stream a node. */
static void scan_deal(struct dynkv_scan_handle *scan)
{
    const struct dynkv_ring *ring = scan->client->cluster.ring;
    uint32_t partitions = dynkv_ring_partitions(ring);
    struct dynkv_partition_range range = {scan->partition_first, scan->partition_count};
    struct dynkv_group group;
    uint32_t streams = 0;

    if (scan->partition_key.len) {
        range.first =
            dynkv_ring_partition(ring, dynkv_ring_hash(scan->keyspace, scan->partition_key));
        range.count = 1;
    } else if (!range.count) {
        range = (struct dynkv_partition_range){0, partitions};
    }
    if (range.first >= partitions)
        return;
    if (range.count > partitions - range.first)
        range.count = partitions - range.first;
    dynkv_grouping_begin(&scan->grouping, scan->client);
    if (!dynkv_scan_deal_range(scan, NULL, range))
        return;
    while (dynkv_grouping_next(&scan->grouping, &group)) {
        struct dynkv_scan_stream *stream = dynkv_stream_new(scan);

        dynkv_stream_take(stream, &group);
        streams++;
    }
    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        stream->page_limit = first_page(scan, streams);
    scan_need(scan);
    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        dynkv_stream_ask(stream);
}

static void on_ring(struct dynkv_ring_waiter *waiter, enum dynkv_error error, const char *text)
{
    struct dynkv_scan_handle *scan = DYNKV_CONTAINER(waiter, struct dynkv_scan_handle, waiter);

    if (error && !scan->client->cluster.ring) {
        dynkv_scan_fail(scan, error,
                        "cannot reach the cluster: %s; check the hosts and that the nodes run",
                        text);
        return;
    }
    if (!scan->streams) {
        scan_deal(scan);
        return;
    }
    /* Redealing puts new streams at the front, behind this walk. */
    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        if (stream->wants_ring && !scan->error)
            dynkv_stream_redeal(stream);
}

static struct dynkv_slice joined(struct dynkv_slice a, struct dynkv_slice b,
                                 struct dynkv_arena *arena)
{
    uint8_t *bytes = dynkv_arena_alloc(arena, a.len + b.len);

    if (a.len)
        memcpy(bytes, a.data, a.len);
    if (b.len)
        memcpy(bytes + a.len, b.data, b.len);
    return dynkv_slice(bytes, a.len + b.len);
}

static void take_options(struct dynkv_scan_handle *scan, const struct dynkv_scan_options *options)
{
    scan->partition_key = dynkv_slice_copy(options->partition_key, &scan->arena);
    scan->lower = joined(scan->partition_key, options->lower, &scan->arena);
    scan->upper = options->upper.len || !scan->partition_key.len
                      ? joined(options->upper.len ? scan->partition_key : (struct dynkv_slice){0},
                               options->upper, &scan->arena)
                      : dynkv_prefix_end(scan->partition_key, &scan->arena);
    scan->filter = dynkv_slice_copy(options->filter, &scan->arena);
    scan->flags = (uint8_t)((options->keys_only ? DYNKV_SCAN_KEYS_ONLY : 0) |
                            (options->dead_too ? DYNKV_SCAN_DEAD_TOO : 0));
    scan->r = options->r;
    scan->limit = options->limit;
    scan->order = options->order;
    scan->expected = options->expected;
    if (scan->limit && (!scan->expected || scan->limit < scan->expected))
        scan->expected = scan->limit;
    scan->examined =
        scan->filter.len && options->examined > scan->expected ? options->examined : scan->expected;
    scan->page_size = options->page_size ? options->page_size : PAGE_SIZE_DEFAULT;
    if (scan->page_size > DYNKV_SCAN_ITEMS_MAX)
        scan->page_size = DYNKV_SCAN_ITEMS_MAX;
    scan->deadline_ms = options->deadline_ms ? options->deadline_ms : DYNKV_DEADLINE_DEFAULT_MS;
    if (scan->deadline_ms > DYNKV_DEADLINE_MAX_MS)
        scan->deadline_ms = DYNKV_DEADLINE_MAX_MS;
    scan->partition_first = options->partition_first;
    scan->partition_count = options->partition_count;
}

/* Fails a scan that cannot be; what is left to say is said by dynkv_scan_next. */
static void scan_check(struct dynkv_scan_handle *scan)
{
    const struct dynkv_known_keyspace *known = dynkv_keyspace_known(scan->client, scan->keyspace);

    if (!known) {
        dynkv_scan_fail(scan, DYNKV_NO_KEYSPACE,
                        "the keyspace was not opened by this client: open it by name first");
        return;
    }
    scan->n = known->info.n;
    if (scan->r > scan->n)
        dynkv_scan_fail(scan, DYNKV_INVALID,
                        "r is %u, but keyspace \"%s\" has %u replicas of a key", scan->r,
                        known->name, scan->n);
    else if (scan->order > DYNKV_ORDER_FALLING)
        dynkv_scan_fail(scan, DYNKV_INVALID, "no order of a scan has the number %d", scan->order);
    else if (scan->lower.len > BOUND_MAX || scan->upper.len > BOUND_MAX)
        dynkv_scan_fail(scan, DYNKV_TOO_LARGE, "a bound of the scan is longer than a key may be");
}

struct dynkv_scan_handle *dynkv_scan_start(struct dynkv_client *client, uint64_t keyspace,
                                           const struct dynkv_scan_options *options)
{
    static const struct dynkv_scan_options everything;
    struct dynkv_scan_handle *scan = dynkv_calloc(1, sizeof *scan);

    dynkv_client_enter(client);
    client->stats.requests++;
    scan->client = client;
    scan->keyspace = keyspace;
    scan->waiter.on_ring = on_ring;
    scan->deadline.fire = on_deadline;
    scan->next = client->scans;
    if (scan->next)
        scan->next->previous = scan;
    client->scans = scan;
    take_options(scan, options ? options : &everything);
    scan_check(scan);
    if (!scan->error) {
        dynkv_cluster_on_use(client);
        if (client->cluster.ring) {
            scan_deal(scan);
        } else {
            dynkv_cluster_await(client, &scan->waiter);
        }
    }
    dynkv_client_leave(client);
    return scan;
}

/* ---- taking ---- */

/* The next page, from the stream after the one that gave the last; NULL if none is there. */
static struct dynkv_scan_page *take_page(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_stream *start =
        scan->turn && scan->turn->next ? scan->turn->next : scan->streams;
    struct dynkv_scan_stream *stream = start;
    struct dynkv_scan_page *page;

    if (!start)
        return NULL;
    while (!stream->ready_first) {
        stream = stream->next ? stream->next : scan->streams;
        if (stream == start)
            return NULL;
    }
    scan->turn = stream;
    page = dynkv_stream_take_page(stream);
    dynkv_stream_ask(stream);
    return page;
}

static bool is_at_end(const struct dynkv_scan_handle *scan)
{
    if (scan->waiter.is_waiting)
        return false;
    for (const struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        if (stream->ready_first || !dynkv_stream_is_finished(stream))
            return false;
    return true;
}

/* Only this partition key's entries, where one was asked for: others share the partition. */
static bool is_wanted(const struct dynkv_scan_handle *scan, const struct dynkv_scan_entry *entry)
{
    return !scan->partition_key.len ||
           dynkv_slice_equal(dynkv_slice(entry->key.data, entry->partition_len),
                             scan->partition_key);
}

static enum dynkv_scan_state give(struct dynkv_scan_handle *scan,
                                  const struct dynkv_scan_entry *entry,
                                  struct dynkv_scan_item *item)
{
    item->partition = entry->partition;
    item->at.key = entry->key;
    item->at.partition_len = entry->partition_len;
    if (dynkv_object_decode(entry->object, &scan->item_arena, &item->object)) {
        dynkv_scan_fail(scan, DYNKV_CORRUPT, "a node sent a corrupt object in a scan");
        return DYNKV_SCAN_ERROR;
    }
    dynkv_client_observe_object(scan->client, &item->object);
    scan->given++;
    return DYNKV_SCAN_ITEM;
}

/* What a scan is that has nothing to give now. */
static enum dynkv_scan_state scan_idle(struct dynkv_scan_handle *scan)
{
    /* What was read before an error is given before the error is told. */
    if (scan->error)
        return DYNKV_SCAN_ERROR;
    if (is_at_end(scan))
        return DYNKV_SCAN_END;
    if (!scan->waiter.is_waiting)
        scan_need(scan);
    return DYNKV_SCAN_WAIT;
}

static enum dynkv_scan_state next_by_partition(struct dynkv_scan_handle *scan,
                                               struct dynkv_scan_item *item)
{
    for (;;) {
        while (scan->current && scan->current->at < scan->current->count) {
            const struct dynkv_scan_entry *entry = &scan->current->entries[scan->current->at++];

            if (is_wanted(scan, entry))
                return give(scan, entry, item);
        }
        if (scan->current)
            dynkv_scan_page_put(scan, scan->current);
        dynkv_client_enter(scan->client); /* the caller may have been away for long */
        scan->current = take_page(scan);
        if (!scan->current)
            return scan_idle(scan);
    }
}

/* ---- by key: the streams, merged ---- */

/* Gives back pages that are used up, so that streams may ask for more. */
static void drop_used_pages(struct dynkv_scan_handle *scan)
{
    bool is_in = false;

    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        while (stream->ready_first && stream->ready_first->at == stream->ready_first->count) {
            if (!is_in)
                dynkv_client_enter(scan->client); /* the caller may have been away for long */
            is_in = true;
            dynkv_scan_page_put(scan, dynkv_stream_take_page(stream));
            dynkv_stream_ask(stream);
        }
}

/* The stream whose entry is next; NULL: none is, or some stream might have an earlier one. */
static struct dynkv_scan_stream *merge_first(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_stream *first = NULL;
    const struct dynkv_scan_entry *least = NULL;

    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next) {
        const struct dynkv_scan_page *page = stream->ready_first;
        const struct dynkv_scan_entry *head = page ? &page->entries[page->at] : NULL;

        if (!head && !dynkv_stream_is_finished(stream))
            return NULL;
        if (!head || (least && dynkv_order_compare(scan->order, head->key, least->key) >= 0))
            continue;
        first = stream;
        least = head;
    }
    return first;
}

/* The page whose next entry is next; NULL: there is none now. */
static struct dynkv_scan_page *merge_page(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_stream *stream;

    drop_used_pages(scan);
    stream = scan->error ? NULL : merge_first(scan);
    return stream ? stream->ready_first : NULL;
}

static enum dynkv_scan_state next_by_key(struct dynkv_scan_handle *scan,
                                         struct dynkv_scan_item *item)
{
    for (;;) {
        struct dynkv_scan_page *page = merge_page(scan);

        if (!page) {
            dynkv_client_enter(scan->client); /* that may bring what was missing */
            page = merge_page(scan);
        }
        if (!page)
            return scan_idle(scan);
        page->at++;
        if (is_wanted(scan, &page->entries[page->at - 1]))
            return give(scan, &page->entries[page->at - 1], item);
    }
}

static enum dynkv_scan_state scan_next(struct dynkv_scan_handle *scan, struct dynkv_scan_item *item)
{
    if (dynkv_scan_has_all(scan))
        return DYNKV_SCAN_END;
    return scan->order == DYNKV_ORDER_PARTITION ? next_by_partition(scan, item)
                                                : next_by_key(scan, item);
}

enum dynkv_scan_state dynkv_scan_next(struct dynkv_scan_handle *scan, struct dynkv_scan_item *item)
{
    enum dynkv_scan_state state;

    dynkv_arena_reset(&scan->item_arena);
    state = scan_next(scan, item);
    if (dynkv_scan_has_all(scan))
        for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
            dynkv_stream_stop(stream);
    if (state != DYNKV_SCAN_WAIT)
        dynkv_timer_disarm(&scan->client->timers, &scan->deadline);
    else if (!scan->deadline.is_armed)
        dynkv_timer_arm(&scan->client->timers, &scan->deadline,
                        scan->client->now_ms + scan->deadline_ms);
    dynkv_client_leave(scan->client);
    return state;
}

enum dynkv_scan_state dynkv_scan_next_wait(struct dynkv_scan_handle *scan,
                                           struct dynkv_scan_item *item)
{
    enum dynkv_scan_state state;

    while ((state = dynkv_scan_next(scan, item)) == DYNKV_SCAN_WAIT)
        dynkv_client_poll(scan->client, -1);
    return state;
}

struct dynkv_scan_received dynkv_scan_received(const struct dynkv_scan_handle *scan)
{
    return scan->received;
}

enum dynkv_error dynkv_scan_error(const struct dynkv_scan_handle *scan)
{
    return scan->error;
}

const char *dynkv_scan_text(const struct dynkv_scan_handle *scan)
{
    return scan->text;
}

static void pages_free(struct dynkv_scan_page *page)
{
    while (page) {
        struct dynkv_scan_page *next = page->next;

        dynkv_arena_fini(&page->arena);
        free(page);
        page = next;
    }
}

void dynkv_scan_free(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_stream *stream;

    if (!scan)
        return;
    dynkv_cluster_cancel(scan->client, &scan->waiter);
    dynkv_timer_disarm(&scan->client->timers, &scan->deadline);
    while ((stream = scan->streams)) {
        scan->streams = stream->next;
        dynkv_stream_stop(stream);
        pages_free(stream->asked);
        pages_free(stream->ready_first);
        dynkv_buf_fini(&stream->cursor);
        dynkv_arena_fini(&stream->lesson_arena);
        free(stream->ranges);
        free(stream);
    }
    pages_free(scan->current);
    pages_free(scan->spare);
    dynkv_grouping_fini(&scan->grouping);
    dynkv_arena_fini(&scan->item_arena);
    dynkv_arena_fini(&scan->arena);
    *(scan->previous ? &scan->previous->next : &scan->client->scans) = scan->next;
    if (scan->next)
        scan->next->previous = scan->previous;
    free(scan);
}

struct dynkv_slice dynkv_prefix_end(struct dynkv_slice prefix, struct dynkv_arena *arena)
{
    uint8_t *bytes;

    /* Bytes 0xff cannot be raised: what follows "a\xff" is "b". */
    while (prefix.len && prefix.data[prefix.len - 1] == 0xff)
        prefix.len--;
    if (!prefix.len)
        return (struct dynkv_slice){0};
    bytes = dynkv_arena_copy(arena, prefix.data, prefix.len);
    bytes[prefix.len - 1]++;
    return dynkv_slice(bytes, prefix.len);
}
