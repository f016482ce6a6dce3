/* scan_stream.c: dealing partitions to streams, and asking for their pages. */
#include "client/scan_stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGES_AHEAD   2u
#define REPLANS_MAX   3u /* times a stream follows a change of the ring without a page in between */
#define SLOW_SHARE    4u /* a node that takes longer than this share of the deadline is replaced */
/* All replicas of a partition have failed, one after the other: the first may be back by now. */
#define ROUNDS_MAX    3u
#define REST_FIRST_MS 50u /* before the second round; then three times as long */

/* ---- ending ---- */

void dynkv_stream_stop(struct dynkv_scan_stream *stream)
{
    dynkv_exchange_cancel(&stream->exchange);
    dynkv_exchange_cancel(&stream->lesson);
    dynkv_timer_disarm(&stream->scan->client->timers, &stream->rest);
}

void dynkv_scan_fail(struct dynkv_scan_handle *scan, enum dynkv_error error, const char *format,
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
    for (struct dynkv_scan_stream *stream = scan->streams; stream; stream = stream->next)
        dynkv_stream_stop(stream);
}

/* ---- pages ---- */

static struct dynkv_scan_page *page_get(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_page *page = scan->spare;

    if (!page)
        return dynkv_calloc(1, sizeof *page);
    scan->spare = page->next;
    page->next = NULL;
    return page;
}

void dynkv_scan_page_put(struct dynkv_scan_handle *scan, struct dynkv_scan_page *page)
{
    dynkv_arena_reset(&page->arena);
    page->entries = NULL;
    page->count = page->at = 0;
    page->next = scan->spare;
    scan->spare = page;
}

/* ---- dealing partitions to streams ---- */

static bool is_avoided(const struct dynkv_scan_stream *stream, const struct dynkv_session *session)
{
    for (uint32_t i = 0; stream && i < stream->avoided_count; i++)
        if (stream->avoided[i] == session)
            return true;
    return false;
}

/* The best replica of a partition that has not failed this stream; NULL if there is none. */
static struct dynkv_session *choose(const struct dynkv_scan_handle *scan,
                                    const struct dynkv_scan_stream *stream, uint32_t partition)
{
    struct dynkv_session *replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = dynkv_cluster_replicas(scan->client, partition, scan->n, replicas);

    for (uint32_t i = 0; i < count; i++)
        if (!is_avoided(stream, replicas[i]))
            return replicas[i];
    return NULL;
}

/* Adds the partitions of a range to the grouping; false, and the scan fails, if one has nobody. */
bool dynkv_scan_deal_range(struct dynkv_scan_handle *scan, const struct dynkv_scan_stream *stream,
                           struct dynkv_partition_range range)
{
    for (uint32_t i = 0; i < range.count; i++) {
        uint32_t partition = range.first + i;
        struct dynkv_session *session = choose(scan, stream, partition);

        if (!session) {
            dynkv_scan_fail(
                scan, DYNKV_UNAVAILABLE, "no replica of partition %u can be read: %s", partition,
                scan->blame.count ? scan->blame.text : "the cluster has too few members");
            return false;
        }
        dynkv_grouping_add(&scan->grouping, session,
                           &(struct dynkv_group_entry){.item = partition});
    }
    return true;
}

/* The group's partitions become what is left of the stream. */
void dynkv_stream_take(struct dynkv_scan_stream *stream, const struct dynkv_group *group)
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

struct dynkv_scan_stream *dynkv_stream_new(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_stream *stream = dynkv_calloc(1, sizeof *stream);

    stream->scan = scan;
    stream->next = scan->streams;
    scan->streams = stream;
    return stream;
}

bool dynkv_stream_is_finished(const struct dynkv_scan_stream *stream)
{
    return stream->range_first == stream->range_count;
}

/* It keeps the first partition itself, for the sake of order. */
void dynkv_stream_redeal(struct dynkv_scan_stream *stream)
{
    struct dynkv_scan_handle *scan = stream->scan;
    struct dynkv_group group;
    bool is_first = true;

    stream->wants_ring = false;
    dynkv_grouping_begin(&scan->grouping, scan->client);
    for (uint32_t i = stream->range_first; i < stream->range_count; i++)
        if (!dynkv_scan_deal_range(scan, stream, stream->ranges[i]))
            return;
    while (dynkv_grouping_next(&scan->grouping, &group)) {
        struct dynkv_scan_stream *heir = is_first ? stream : dynkv_stream_new(scan);

        if (!is_first) {
            memcpy(heir->avoided, stream->avoided, sizeof heir->avoided);
            heir->avoided_count = stream->avoided_count;
            heir->rounds = stream->rounds;
            heir->replans = stream->replans;
            heir->page_limit = stream->page_limit;
            heir->is_needed = stream->is_needed;
            if (scan->order != DYNKV_ORDER_PARTITION && stream->has_cursor) {
                heir->has_cursor = true;
                dynkv_put_raw(&heir->cursor, dynkv_buf_slice(&stream->cursor));
            }
        }
        is_first = false;
        dynkv_stream_take(heir, &group);
        dynkv_stream_ask(heir);
    }
}

/* ---- asking for a page ---- */

/* All replicas of one of its partitions have failed. */
static bool stream_has_nobody(const struct dynkv_scan_stream *stream)
{
    for (uint32_t i = stream->range_first; i < stream->range_count; i++)
        for (uint32_t j = 0; j < stream->ranges[i].count; j++)
            if (!choose(stream->scan, stream, stream->ranges[i].first + j))
                return true;
    return false;
}

static void on_rested(struct dynkv_timer *timer)
{
    struct dynkv_scan_stream *stream = DYNKV_CONTAINER(timer, struct dynkv_scan_stream, rest);

    stream->avoided_count = 0;
    dynkv_stream_redeal(stream);
}

static void stream_rest(struct dynkv_scan_stream *stream)
{
    struct dynkv_client *client = stream->scan->client;
    uint64_t rest_ms = REST_FIRST_MS;

    for (uint32_t i = 0; i < stream->rounds; i++)
        rest_ms *= 3;
    stream->rounds++;
    stream->rest.fire = on_rested;
    dynkv_timer_arm(&client->timers, &stream->rest, client->now_ms + rest_ms);
}

static void stream_failed(struct dynkv_scan_stream *stream, enum dynkv_error error, const char *why)
{
    struct dynkv_scan_handle *scan = stream->scan;

    dynkv_blame_add(&scan->blame, stream->session, error, why);
    if (error == DYNKV_NO_KEYSPACE || error == DYNKV_INVALID || error == DYNKV_UNSUPPORTED) {
        dynkv_scan_fail(scan, error, "%s: %s", stream->session->address.text, why);
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
    if (stream->rounds < ROUNDS_MAX - 1 && stream_has_nobody(stream))
        stream_rest(stream);
    else
        dynkv_stream_redeal(stream);
}

static bool stream_advance_by_key(struct dynkv_scan_stream *stream, struct dynkv_slice cursor)
{
    if (!cursor.len ||
        (stream->has_cursor &&
         dynkv_order_compare(stream->scan->order, cursor, dynkv_buf_slice(&stream->cursor)) <= 0))
        return false;
    stream->has_cursor = true;
    dynkv_buf_reset(&stream->cursor);
    dynkv_put_raw(&stream->cursor, cursor);
    return true;
}

/*
 * Moves the stream to the cursor of a page; false if the cursor is not ahead of where it was, with
 * which a scan might never end.
 */
static bool stream_advance(struct dynkv_scan_stream *stream, const struct dynkv_scan_reply *reply)
{
    struct dynkv_slice old =
        stream->has_cursor ? dynkv_buf_slice(&stream->cursor) : (struct dynkv_slice){0};
    uint32_t first_before = stream->ranges[stream->range_first].first;

    if (stream->scan->order != DYNKV_ORDER_PARTITION)
        return stream_advance_by_key(stream, reply->cursor_key);
    while (!dynkv_stream_is_finished(stream)) {
        struct dynkv_partition_range *range = &stream->ranges[stream->range_first];
        uint32_t skipped = reply->cursor_partition - range->first;

        if (reply->cursor_partition >= range->first && skipped < range->count) {
            range->first += skipped;
            range->count -= skipped;
            break;
        }
        stream->range_first++;
    }
    if (dynkv_stream_is_finished(stream))
        return false;
    if (stream->ranges[stream->range_first].first == first_before &&
        dynkv_slice_compare(reply->cursor_key, old) <= 0)
        return false;
    stream->has_cursor = reply->cursor_key.len > 0;
    dynkv_buf_reset(&stream->cursor);
    dynkv_put_raw(&stream->cursor, reply->cursor_key);
    return true;
}

static bool entries_are_sound(enum dynkv_order order, const struct dynkv_scan_reply *reply)
{
    for (uint32_t i = 0; i < reply->entry_count; i++) {
        const struct dynkv_scan_entry *entry = &reply->entries[i];

        if (!entry->key.len || !entry->partition_len || entry->partition_len > entry->key.len)
            return false;
        if (order != DYNKV_ORDER_PARTITION && i > 0 &&
            dynkv_order_compare(order, entry[-1].key, entry->key) > 0)
            return false;
    }
    return true;
}

static void on_taught(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct dynkv_scan_stream *stream = exchange->owner;

    if (outcome->error)
        stream_failed(stream, DYNKV_NO_KEYSPACE, "it does not know the keyspace");
    else
        dynkv_stream_ask(stream);
}

static bool teach(struct dynkv_scan_stream *stream)
{
    if (stream->is_taught)
        return false;
    stream->is_taught = true;
    return dynkv_keyspace_teach(stream->scan->client, stream->session, stream->scan->keyspace,
                                &stream->lesson, &stream->lesson_body, &stream->lesson_arena,
                                stream->scan->client->now_ms + stream->scan->deadline_ms, on_taught,
                                stream);
}

static void count_received(struct dynkv_scan_handle *scan, const struct dynkv_scan_reply *reply)
{
    scan->received.entries += reply->entry_count;
    scan->received.examined += reply->examined;
    for (uint32_t i = 0; i < reply->entry_count; i++)
        scan->received.bytes += reply->entries[i].key.len + reply->entries[i].object.len;
}

static void on_page(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct dynkv_scan_stream *stream = exchange->owner;
    struct dynkv_scan_handle *scan = stream->scan;
    struct dynkv_scan_page *page = stream->asked;
    const struct dynkv_scan_reply *reply;

    stream->asked = NULL;
    if (outcome->error) {
        if (outcome->error != DYNKV_NO_KEYSPACE || !teach(stream))
            stream_failed(stream, outcome->error, outcome->text);
        dynkv_scan_page_put(scan, page); /* text may live in it */
        return;
    }
    reply = &outcome->body->scan_reply;
    if (!entries_are_sound(scan->order, reply) || (reply->more && !stream_advance(stream, reply))) {
        dynkv_scan_page_put(scan, page);
        stream_failed(stream, DYNKV_MALFORMED, "it sent a page that cannot be");
        return;
    }
    if (!reply->more)
        stream->range_first = stream->range_count;
    stream->avoided_count = 0;
    stream->rounds = 0;
    stream->replans = 0;
    if (stream->page_limit < scan->page_size)
        stream->page_limit =
            stream->page_limit < scan->page_size / 2 ? stream->page_limit * 2 : scan->page_size;
    count_received(scan, reply);
    dynkv_keyspace_learn(scan->client, scan->keyspace, reply->extent, reply->extent_count);
    page->entries = reply->entries;
    page->count = reply->entry_count;
    if (!page->count) {
        dynkv_scan_page_put(scan, page);
    } else {
        stream->is_needed = false;
        *(stream->ready_last ? &stream->ready_last->next : &stream->ready_first) = page;
        stream->ready_last = page;
        stream->ready_count++;
    }
    dynkv_stream_ask(stream);
}

static bool on_slow(struct dynkv_exchange *exchange)
{
    struct dynkv_scan_stream *stream = exchange->owner;
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
    dynkv_scan_page_put(scan, stream->asked);
    stream->asked = NULL;
    stream_failed(stream, DYNKV_TIMEOUT, "it does not answer");
    return true;
}

bool dynkv_scan_has_all(const struct dynkv_scan_handle *scan)
{
    return scan->limit && scan->given == scan->limit;
}

static uint32_t page_limit(const struct dynkv_scan_stream *stream)
{
    const struct dynkv_scan_handle *scan = stream->scan;
    /* Of what is looked at for a filter, nobody knows how much will be given. */
    bool is_bound = scan->limit && !scan->filter.len;
    uint64_t left = is_bound ? scan->limit - scan->given : UINT64_MAX;

    return left < stream->page_limit ? (uint32_t)left : stream->page_limit;
}

/* Of what the filter leaves, no more than is still expected; once that was not enough, as much as there is. */
static uint32_t page_matches(const struct dynkv_scan_stream *stream)
{
    const struct dynkv_scan_handle *scan = stream->scan;
    uint64_t left = scan->expected > scan->given ? scan->expected - scan->given : 0;
    uint32_t streams = 0;

    if (!scan->filter.len)
        return 0;
    for (const struct dynkv_scan_stream *at = scan->streams; at; at = at->next)
        streams += !dynkv_stream_is_finished(at);
    if (scan->order != DYNKV_ORDER_PARTITION)
        left = dynkv_scan_share(left, streams);
    return left < DYNKV_SCAN_ITEMS_MAX ? (uint32_t)left : 0;
}

void dynkv_stream_ask(struct dynkv_scan_stream *stream)
{
    struct dynkv_scan_handle *scan = stream->scan;
    uint64_t now_ms = scan->client->now_ms;

    if (scan->error || dynkv_stream_is_finished(stream) || stream->asked ||
        stream->ready_count >= PAGES_AHEAD || stream->wants_ring || stream->rest.is_armed ||
        dynkv_scan_has_all(scan) || (stream->page_limit < scan->page_size && !stream->is_needed))
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
        .limit = page_limit(stream),
        .order = (uint8_t)scan->order,
        .filter = scan->filter,
        .matches = page_matches(stream),
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

struct dynkv_scan_page *dynkv_stream_take_page(struct dynkv_scan_stream *stream)
{
    struct dynkv_scan_page *page = stream->ready_first;

    stream->ready_first = page->next;
    if (!page->next)
        stream->ready_last = NULL;
    stream->ready_count--;
    page->next = NULL;
    return page;
}
