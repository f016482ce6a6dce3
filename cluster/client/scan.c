/*
 * scan.c: ordered scans, by pages, from several nodes at once.
 *
 * The partitions are dealt to streams, one a node (the first live replica of each).  A stream asks for
 * one page at a time, as each page's cursor says where the next begins, and keeps at most PAGES_AHEAD
 * that nobody has taken yet.  When its node fails, what is left of its partitions is dealt anew to the
 * other replicas; the stream itself goes on with the partition it was in, so that entries of one
 * partition stay in order behind those that were fetched already, and none comes twice.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/request.h"

#define PAGES_AHEAD       2u
#define PAGE_SIZE_DEFAULT 1000u
#define REPLANS_MAX       3u /* times a stream follows a change of the ring without a page in between */
#define SLOW_SHARE        4u /* a node that takes longer than this share of the deadline is replaced */
#define BOUND_MAX         (DYNKV_KEY_MAX + 1u)

struct scan_page {
    struct scan_page *next;
    struct dynkv_arena arena;
    struct dynkv_scan_entry *entries;
    uint32_t count, at;
};

struct scan_stream {
    struct scan_stream *next;
    struct dynkv_scan_handle *scan;
    struct dynkv_session *session;

    struct dynkv_partition_range *ranges; /* what is left, in order; from range_first on */
    uint32_t range_count, range_first;
    bool has_cursor; /* begin at this key of the first partition that is left */
    struct dynkv_buf cursor;

    struct dynkv_session *avoided[DYNKV_REPLICAS_MAX]; /* nodes that failed since the last page */
    uint32_t avoided_count;
    uint32_t replans;
    bool wants_ring;
    bool is_taught;

    struct scan_page *ready_first, *ready_last; /* fetched, not taken yet */
    uint32_t ready_count;
    struct scan_page *asked; /* what the exchange under way fills */
    struct dynkv_exchange exchange;
    struct dynkv_scan body;
    struct dynkv_exchange lesson;
    struct dynkv_keyspace_open lesson_body;
    struct dynkv_arena lesson_arena;
};

struct dynkv_scan_handle {
    struct dynkv_client *client;
    struct dynkv_scan_handle *next, *previous; /* in client->scans */
    struct dynkv_ring_waiter waiter;
    struct dynkv_timer deadline; /* armed while the caller is told to wait, and only then */
    struct dynkv_arena arena;    /* bounds */
    uint64_t keyspace;
    uint32_t n;
    uint8_t r, flags;
    struct dynkv_slice lower, upper, partition_key;
    uint32_t partition_first, partition_count;
    uint32_t page_size, deadline_ms;
    uint64_t limit, given;

    struct scan_stream *streams;
    struct scan_stream *turn; /* whose page was taken last */
    struct scan_page *current;
    struct scan_page *spare; /* pages to use again */
    struct dynkv_arena item_arena;
    struct dynkv_grouping grouping;

    struct dynkv_blame blame;
    enum dynkv_error error;
    char text[DYNKV_CLIENT_TEXT_MAX];
};

static void stream_ask(struct scan_stream *stream);

/* ---- ending ---- */

static void stream_stop(struct scan_stream *stream)
{
    dynkv_exchange_cancel(&stream->exchange);
    dynkv_exchange_cancel(&stream->lesson);
}

static void scan_fail(struct dynkv_scan_handle *scan, enum dynkv_error error, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

static void scan_fail(struct dynkv_scan_handle *scan, enum dynkv_error error, const char *format,
                      ...)
{
    va_list arguments;

    if (scan->error)
        return;
    va_start(arguments, format);
    vsnprintf(scan->text, sizeof scan->text, format, arguments);
    va_end(arguments);
    scan->error = error;
    dynkv_cluster_cancel(scan->client, &scan->waiter);
    dynkv_timer_disarm(&scan->client->timers, &scan->deadline);
    for (struct scan_stream *stream = scan->streams; stream; stream = stream->next)
        stream_stop(stream);
}

/* ---- pages ---- */

static struct scan_page *page_get(struct dynkv_scan_handle *scan)
{
    struct scan_page *page = scan->spare;

    if (!page)
        return dynkv_calloc(1, sizeof *page);
    scan->spare = page->next;
    page->next = NULL;
    return page;
}

static void page_put(struct dynkv_scan_handle *scan, struct scan_page *page)
{
    dynkv_arena_reset(&page->arena);
    page->entries = NULL;
    page->count = page->at = 0;
    page->next = scan->spare;
    scan->spare = page;
}

static void pages_free(struct scan_page *page)
{
    while (page) {
        struct scan_page *next = page->next;

        dynkv_arena_fini(&page->arena);
        free(page);
        page = next;
    }
}

/* ---- dealing partitions to streams ---- */

static bool is_avoided(const struct scan_stream *stream, const struct dynkv_session *session)
{
    for (uint32_t i = 0; stream && i < stream->avoided_count; i++)
        if (stream->avoided[i] == session)
            return true;
    return false;
}

/* The best replica of a partition that has not failed this stream; NULL if there is none. */
static struct dynkv_session *choose(const struct dynkv_scan_handle *scan,
                                    const struct scan_stream *stream, uint32_t partition)
{
    struct dynkv_session *replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = dynkv_cluster_replicas(scan->client, partition, scan->n, replicas);

    for (uint32_t i = 0; i < count; i++)
        if (!is_avoided(stream, replicas[i]))
            return replicas[i];
    return NULL;
}

/* Adds the partitions of a range to the grouping; false, and the scan fails, if one has nobody. */
static bool deal_range(struct dynkv_scan_handle *scan, const struct scan_stream *stream,
                       struct dynkv_partition_range range)
{
    for (uint32_t i = 0; i < range.count; i++) {
        uint32_t partition = range.first + i;
        struct dynkv_session *session = choose(scan, stream, partition);

        if (!session) {
            scan_fail(scan, DYNKV_UNAVAILABLE, "no replica of partition %u can be read: %s",
                      partition,
                      scan->blame.count ? scan->blame.text : "the cluster has too few members");
            return false;
        }
        dynkv_grouping_add(&scan->grouping, session,
                           &(struct dynkv_group_entry){.item = partition});
    }
    return true;
}

/* The group's partitions become what is left of the stream. */
static void stream_take(struct scan_stream *stream, const struct dynkv_group *group)
{
    const struct dynkv_grouping *grouping = &stream->scan->grouping;
    uint32_t at = group->first;

    free(stream->ranges);
    stream->ranges = dynkv_alloc(group->count * sizeof *stream->ranges);
    stream->range_count = stream->range_first = 0;
    stream->session = group->session;
    stream->is_taught = false;
    for (uint32_t i = 0; i < group->count; i++, at = grouping->entries[at].next) {
        uint32_t partition = grouping->entries[at].item;
        struct dynkv_partition_range *last =
            stream->range_count ? &stream->ranges[stream->range_count - 1] : NULL;

        if (last && last->first + last->count == partition)
            last->count++;
        else
            stream->ranges[stream->range_count++] =
                (struct dynkv_partition_range){.first = partition, .count = 1};
    }
}

static void on_deadline(struct dynkv_timer *timer)
{
    struct dynkv_scan_handle *scan = DYNKV_CONTAINER(timer, struct dynkv_scan_handle, deadline);

    if (scan->waiter.is_waiting)
        dynkv_cluster_fetch_blame(scan->client, &scan->blame);
    for (struct scan_stream *stream = scan->streams; stream; stream = stream->next)
        if (stream->asked)
            dynkv_blame_add(&scan->blame, stream->session, DYNKV_TIMEOUT, "it does not answer");
    scan_fail(scan, DYNKV_TIMEOUT, "a page of the scan took longer than %u ms%s%s",
              scan->deadline_ms, scan->blame.count ? ": " : "", scan->blame.text);
}

static struct scan_stream *stream_new(struct dynkv_scan_handle *scan)
{
    struct scan_stream *stream = dynkv_calloc(1, sizeof *stream);

    stream->scan = scan;
    stream->next = scan->streams;
    scan->streams = stream;
    return stream;
}

static bool is_finished(const struct scan_stream *stream)
{
    return stream->range_first == stream->range_count;
}

/* Deals what is left of a stream anew.  It keeps the first partition itself, for the sake of order. */
static void stream_redeal(struct scan_stream *stream)
{
    struct dynkv_scan_handle *scan = stream->scan;
    struct dynkv_group group;
    bool is_first = true;

    stream->wants_ring = false;
    dynkv_grouping_begin(&scan->grouping, scan->client);
    for (uint32_t i = stream->range_first; i < stream->range_count; i++)
        if (!deal_range(scan, stream, stream->ranges[i]))
            return;
    while (dynkv_grouping_next(&scan->grouping, &group)) {
        struct scan_stream *heir = is_first ? stream : stream_new(scan);

        if (!is_first) {
            memcpy(heir->avoided, stream->avoided, sizeof heir->avoided);
            heir->avoided_count = stream->avoided_count;
            heir->replans = stream->replans;
        }
        is_first = false;
        stream_take(heir, &group);
        stream_ask(heir);
    }
}

/* ---- asking for a page ---- */

static void stream_failed(struct scan_stream *stream, enum dynkv_error error, const char *why)
{
    struct dynkv_scan_handle *scan = stream->scan;

    dynkv_blame_add(&scan->blame, stream->session, error, why);
    if (error == DYNKV_NO_KEYSPACE || error == DYNKV_INVALID || error == DYNKV_UNSUPPORTED) {
        scan_fail(scan, error, "%s: %s", stream->session->address.text, why);
        return;
    }
    if ((error == DYNKV_NOT_REPLICA || error == DYNKV_RING_CHANGED) &&
        stream->replans < REPLANS_MAX) {
        stream->replans++;
        stream->wants_ring = true;
        if (!scan->waiter.is_waiting) {
            dynkv_cluster_refresh(scan->client, stream->session);
            dynkv_cluster_await(scan->client, &scan->waiter);
        }
        return;
    }
    if (stream->avoided_count < DYNKV_REPLICAS_MAX)
        stream->avoided[stream->avoided_count++] = stream->session;
    stream_redeal(stream);
}

/*
 * Moves the stream to the cursor of a page; false if the cursor is not ahead of where it was, with
 * which a scan might never end.
 */
static bool stream_advance(struct scan_stream *stream, const struct dynkv_scan_reply *reply)
{
    struct dynkv_slice old =
        stream->has_cursor ? dynkv_buf_slice(&stream->cursor) : (struct dynkv_slice){0};
    uint32_t first_before = stream->ranges[stream->range_first].first;

    while (!is_finished(stream)) {
        struct dynkv_partition_range *range = &stream->ranges[stream->range_first];
        uint32_t skipped = reply->cursor_partition - range->first;

        if (reply->cursor_partition >= range->first && skipped < range->count) {
            range->first += skipped;
            range->count -= skipped;
            break;
        }
        stream->range_first++;
    }
    if (is_finished(stream))
        return false;
    if (stream->ranges[stream->range_first].first == first_before &&
        dynkv_slice_compare(reply->cursor_key, old) <= 0)
        return false;
    stream->has_cursor = reply->cursor_key.len > 0;
    dynkv_buf_reset(&stream->cursor);
    dynkv_put_raw(&stream->cursor, reply->cursor_key);
    return true;
}

static bool entries_are_sound(const struct dynkv_scan_reply *reply)
{
    for (uint32_t i = 0; i < reply->entry_count; i++) {
        const struct dynkv_scan_entry *entry = &reply->entries[i];

        if (!entry->key.len || !entry->partition_len || entry->partition_len > entry->key.len)
            return false;
    }
    return true;
}

static void on_taught(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct scan_stream *stream = exchange->owner;

    if (outcome->error)
        stream_failed(stream, DYNKV_NO_KEYSPACE, "it does not know the keyspace");
    else
        stream_ask(stream);
}

static bool teach(struct scan_stream *stream)
{
    if (stream->is_taught)
        return false;
    stream->is_taught = true;
    return dynkv_keyspace_teach(stream->scan->client, stream->session, stream->scan->keyspace,
                                &stream->lesson, &stream->lesson_body, &stream->lesson_arena,
                                stream->scan->client->now_ms + stream->scan->deadline_ms, on_taught,
                                stream);
}

static void on_page(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct scan_stream *stream = exchange->owner;
    struct dynkv_scan_handle *scan = stream->scan;
    struct scan_page *page = stream->asked;
    const struct dynkv_scan_reply *reply;

    stream->asked = NULL;
    if (outcome->error) {
        if (outcome->error != DYNKV_NO_KEYSPACE || !teach(stream))
            stream_failed(stream, outcome->error, outcome->text);
        page_put(scan, page); /* text may live in it */
        return;
    }
    reply = &outcome->body->scan_reply;
    if (!entries_are_sound(reply) || (reply->more && !stream_advance(stream, reply))) {
        page_put(scan, page);
        stream_failed(stream, DYNKV_MALFORMED, "it sent a page that cannot be");
        return;
    }
    if (!reply->more)
        stream->range_first = stream->range_count;
    stream->avoided_count = 0;
    stream->replans = 0;
    page->entries = reply->entries;
    page->count = reply->entry_count;
    if (!page->count) {
        page_put(scan, page);
    } else {
        *(stream->ready_last ? &stream->ready_last->next : &stream->ready_first) = page;
        stream->ready_last = page;
        stream->ready_count++;
    }
    stream_ask(stream);
}

static bool on_slow(struct dynkv_exchange *exchange)
{
    struct scan_stream *stream = exchange->owner;
    struct dynkv_scan_handle *scan = stream->scan;
    uint32_t partition = stream->ranges[stream->range_first].first;
    struct dynkv_session *other;

    if (stream->avoided_count == DYNKV_REPLICAS_MAX)
        return true;
    stream->avoided[stream->avoided_count++] = stream->session;
    other = choose(scan, stream, partition);
    stream->avoided_count--;
    /* Nobody better to ask: it may still answer within the deadline. */
    if (!other || dynkv_session_liveness(other) != DYNKV_LIVE)
        return true;
    dynkv_exchange_cancel(exchange);
    page_put(scan, stream->asked);
    stream->asked = NULL;
    stream_failed(stream, DYNKV_TIMEOUT, "it does not answer");
    return true;
}

static bool has_all(const struct dynkv_scan_handle *scan)
{
    return scan->limit && scan->given == scan->limit;
}

static uint32_t page_limit(const struct dynkv_scan_handle *scan)
{
    uint64_t left = scan->limit ? scan->limit - scan->given : UINT64_MAX;

    return left < scan->page_size ? (uint32_t)left : scan->page_size;
}

/* Asks for the next page, unless enough is there, or one is asked for, or there is nothing left. */
static void stream_ask(struct scan_stream *stream)
{
    struct dynkv_scan_handle *scan = stream->scan;
    uint64_t now_ms = scan->client->now_ms;

    if (scan->error || is_finished(stream) || stream->asked || stream->ready_count >= PAGES_AHEAD ||
        stream->wants_ring || has_all(scan))
        return;
    stream->asked = page_get(scan);
    stream->body = (struct dynkv_scan){
        .keyspace = scan->keyspace,
        .flags = scan->flags,
        .r = scan->r,
        .partitions = stream->ranges + stream->range_first,
        .partition_count = stream->range_count - stream->range_first,
        .lower = scan->lower,
        .upper = scan->upper,
        .has_cursor = stream->has_cursor,
        .cursor_partition = stream->has_cursor ? stream->ranges[stream->range_first].first : 0,
        .cursor_key =
            stream->has_cursor ? dynkv_buf_slice(&stream->cursor) : (struct dynkv_slice){0},
        .limit = page_limit(scan),
    };
    stream->exchange = (struct dynkv_exchange){
        .owner = stream,
        .type = DYNKV_MESSAGE_SCAN,
        .reply_type = DYNKV_MESSAGE_SCAN_REPLY,
        .body = &stream->body,
        .arena = &stream->asked->arena,
        .deadline_at_ms = now_ms + scan->deadline_ms,
        .slow_at_ms = now_ms + scan->deadline_ms / SLOW_SHARE,
        .on_done = on_page,
        .on_slow = on_slow,
    };
    dynkv_session_submit(stream->session, &stream->exchange);
}

/* ---- beginning ---- */

/* The first dealing: partitions of the whole scan, one stream a node. */
static void scan_deal(struct dynkv_scan_handle *scan)
{
    const struct dynkv_ring *ring = scan->client->cluster.ring;
    uint32_t partitions = dynkv_ring_partitions(ring);
    struct dynkv_partition_range range = {scan->partition_first, scan->partition_count};
    struct dynkv_group group;

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
    if (!deal_range(scan, NULL, range))
        return;
    while (dynkv_grouping_next(&scan->grouping, &group)) {
        struct scan_stream *stream = stream_new(scan);

        stream_take(stream, &group);
        stream_ask(stream);
    }
}

static void on_ring(struct dynkv_ring_waiter *waiter, enum dynkv_error error, const char *text)
{
    struct dynkv_scan_handle *scan = DYNKV_CONTAINER(waiter, struct dynkv_scan_handle, waiter);

    if (error && !scan->client->cluster.ring) {
        scan_fail(scan, error,
                  "cannot reach the cluster: %s; check the hosts and that the nodes run", text);
        return;
    }
    if (!scan->streams) {
        scan_deal(scan);
        return;
    }
    /* Redealing puts new streams at the front, behind this walk. */
    for (struct scan_stream *stream = scan->streams; stream; stream = stream->next)
        if (stream->wants_ring && !scan->error)
            stream_redeal(stream);
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
    scan->flags = (uint8_t)((options->keys_only ? DYNKV_SCAN_KEYS_ONLY : 0) |
                            (options->dead_too ? DYNKV_SCAN_DEAD_TOO : 0));
    scan->r = options->r;
    scan->limit = options->limit;
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
        scan_fail(scan, DYNKV_NO_KEYSPACE,
                  "the keyspace was not opened by this client: open it by name first");
        return;
    }
    scan->n = known->info.n;
    if (scan->r > scan->n)
        scan_fail(scan, DYNKV_INVALID, "r is %u, but keyspace \"%s\" has %u replicas of a key",
                  scan->r, known->name, scan->n);
    else if (scan->lower.len > BOUND_MAX || scan->upper.len > BOUND_MAX)
        scan_fail(scan, DYNKV_TOO_LARGE, "a bound of the scan is longer than a key may be");
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
static struct scan_page *take_page(struct dynkv_scan_handle *scan)
{
    struct scan_stream *start = scan->turn && scan->turn->next ? scan->turn->next : scan->streams;
    struct scan_stream *stream = start;
    struct scan_page *page;

    if (!start)
        return NULL;
    while (!stream->ready_first) {
        stream = stream->next ? stream->next : scan->streams;
        if (stream == start)
            return NULL;
    }
    scan->turn = stream;
    page = stream->ready_first;
    stream->ready_first = page->next;
    if (!page->next)
        stream->ready_last = NULL;
    stream->ready_count--;
    page->next = NULL;
    stream_ask(stream);
    return page;
}

static bool is_at_end(const struct dynkv_scan_handle *scan)
{
    if (scan->waiter.is_waiting)
        return false;
    for (const struct scan_stream *stream = scan->streams; stream; stream = stream->next)
        if (stream->ready_first || !is_finished(stream))
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
        scan_fail(scan, DYNKV_CORRUPT, "a node sent a corrupt object in a scan");
        return DYNKV_SCAN_ERROR;
    }
    scan->given++;
    return DYNKV_SCAN_ITEM;
}

static enum dynkv_scan_state scan_next(struct dynkv_scan_handle *scan, struct dynkv_scan_item *item)
{
    for (;;) {
        if (has_all(scan))
            return DYNKV_SCAN_END;
        while (scan->current && scan->current->at < scan->current->count) {
            const struct dynkv_scan_entry *entry = &scan->current->entries[scan->current->at++];

            if (is_wanted(scan, entry))
                return give(scan, entry, item);
        }
        if (scan->current)
            page_put(scan, scan->current);
        dynkv_client_enter(scan->client); /* the caller may have been away for long */
        scan->current = take_page(scan);
        if (scan->current)
            continue;
        /* What was read before an error is given before the error is told. */
        if (scan->error)
            return DYNKV_SCAN_ERROR;
        return is_at_end(scan) ? DYNKV_SCAN_END : DYNKV_SCAN_WAIT;
    }
}

enum dynkv_scan_state dynkv_scan_next(struct dynkv_scan_handle *scan, struct dynkv_scan_item *item)
{
    enum dynkv_scan_state state;

    dynkv_arena_reset(&scan->item_arena);
    state = scan_next(scan, item);
    if (has_all(scan))
        for (struct scan_stream *stream = scan->streams; stream; stream = stream->next)
            stream_stop(stream);
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

enum dynkv_error dynkv_scan_error(const struct dynkv_scan_handle *scan)
{
    return scan->error;
}

const char *dynkv_scan_text(const struct dynkv_scan_handle *scan)
{
    return scan->text;
}

void dynkv_scan_free(struct dynkv_scan_handle *scan)
{
    struct scan_stream *stream;

    if (!scan)
        return;
    dynkv_cluster_cancel(scan->client, &scan->waiter);
    dynkv_timer_disarm(&scan->client->timers, &scan->deadline);
    while ((stream = scan->streams)) {
        scan->streams = stream->next;
        stream_stop(stream);
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
