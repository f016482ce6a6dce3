/*
 * op_scan.c: SCAN, one page of an ordered, quorum-checked range over partitions this node holds.
 *
 *   READING    the page is read from the store here
 *   VERIFYING  r - 1 other replicas of each partition are told count and digest sum of what was read,
 *              and answer "equal", or with what they hold; that is merged in
 *   finished   dead objects are left out, and what the filter rules out; the page is answered
 *
 * The page is cut into segments, one per partition it touches.  A replica that holds much more than we do
 * tells only the beginning; the page then ends there, and the cursor goes on from that place.  Keys that
 * differed are handed to repair.
 *
 * A page by key is cut across: its segments are all partitions, from the same key to the same key, so that
 * the question to a peer is still about partitions.  A peer that stops early stops at one key for all.
 */
#include "base/assert.h"
#include "core/node_impl.h"
#include "core/scan_page.h"

struct scan_op {
    struct op op;
    uint64_t keyspace;
    uint64_t ring_version; /* when it began: a page is of one ring */
    uint32_t n, r;
    uint8_t flags;
    bool has_filter;
    struct dynkv_filter filter;
    uint32_t matches; /* of the filter, at most; 0: all */
    struct dynkv_slice lower, upper, first_lower;
    uint32_t *partitions; /* from the cursor on */
    uint32_t partition_count;
    bool more; /* behind the last segment there is more, from here: */
    uint32_t cursor_partition;
    struct dynkv_slice cursor_key;
    struct scan_page page;
    uint32_t unverified; /* segments that still need answers */
};

/* The segments that a question to a peer is about. */
struct scan_batch {
    uint64_t peer;
    uint32_t *segments;
    uint32_t count;
    struct scan_batch *next;
};

static void scan_fail(struct dynkv_node *node, struct op *op, enum dynkv_error error,
                      const char *text)
{
    if (error == DYNKV_UNAVAILABLE)
        node->counters.reads_unavailable++;
    node_answer_error(node, &op->source, error, "%s", text);
    op_end(node, op);
}

static bool scan_is_by_key(const struct scan_op *scan)
{
    return scan->page.order != DYNKV_ORDER_PARTITION;
}

/* ---- finishing ---- */

static void scan_repair(struct dynkv_node *node, struct scan_op *scan)
{
    struct dynkv_repair body = {.keyspace = scan->keyspace};

    body.items = dynkv_arena_calloc(&node->arena, CORE_REPAIR_ITEMS_MAX, sizeof *body.items);
    for (uint32_t i = 0; i < scan->page.segment_count; i++) {
        const struct scan_segment *segment = &scan->page.segments[i];

        for (uint32_t j = 0; j < segment->entry_count; j++)
            if (segment->entries[j].differs && body.item_count < CORE_REPAIR_ITEMS_MAX)
                body.items[body.item_count++] = (struct dynkv_repair_item){
                    segment->entries[j].key, segment->entries[j].partition_len};
    }
    if (body.item_count)
        on_repair(node, &(struct source){.kind = SOURCE_NONE}, &body);
}

static void scan_finish(struct dynkv_node *node, struct scan_op *scan)
{
    struct dynkv_scan_reply reply = {
        .more = scan->more,
        .cursor_partition = scan->cursor_partition,
        .cursor_key = scan->cursor_key,
    };
    struct scan_choice choice = {
        .flags = scan->flags,
        .now_ms = node->now_ms,
        .filter = scan->has_filter ? &scan->filter : NULL,
        .decides_conflicts = mutant_is(node, DYNKV_MUTANT_FILTER_CONFLICTS),
        .matches = scan->matches,
    };

    if (scan->ring_version != dynkv_ring_version(node->ring)) {
        scan_fail(node, &scan->op, DYNKV_RING_CHANGED, "the ring changed during the scan");
        return;
    }
    scan_page_limit(&scan->page, DYNKV_SCAN_ITEMS_MAX, &scan->op.arena);
    if (mutant_is(node, DYNKV_MUTANT_SCAN_UNSORTED))
        scan->page.order = DYNKV_ORDER_PARTITION;
    reply.entries = scan_page_entries(&scan->page, &choice, &scan->op.arena, &reply.entry_count);
    if (scan->page.is_cut) {
        reply.more = 1;
        reply.cursor_partition = scan->page.segments[scan->page.cut_segment].partition;
        reply.cursor_key = scan->page.cut_key;
    }
    reply.examined = choice.examined;
    reply.extent = extent_tell(node, &scan->op.source, scan->keyspace, &reply.extent_count);
    node->counters.scan_entries += reply.entry_count;
    node_answer(node, &scan->op.source, DYNKV_MESSAGE_SCAN_REPLY, &reply);
    scan_repair(node, scan);
    op_end(node, &scan->op);
}

/* ---- verifying ---- */

/* The next replica of the segment that was not asked yet; 0 if there is none. */
static uint64_t scan_next_verifier(struct dynkv_node *node, struct scan_op *scan,
                                   struct scan_segment *segment)
{
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = place_readable(node, segment->partition, scan->n, replicas);

    for (uint32_t i = 0; i < count; i++) {
        bool asked = replicas[i] == node->id;

        for (uint32_t j = 0; j < segment->asked_count; j++)
            asked = asked || segment->asked[j] == replicas[i];
        if (asked)
            continue;
        segment->asked[segment->asked_count++] = replicas[i];
        return replicas[i];
    }
    return 0;
}

/* Plans one more verifier for a segment; false if nobody is left. */
static bool scan_plan(struct dynkv_node *node, struct scan_op *scan, uint32_t index,
                      struct scan_batch **all)
{
    uint64_t peer = scan_next_verifier(node, scan, &scan->page.segments[index]);
    struct scan_batch *batch = *all;

    if (!peer)
        return false;
    while (batch && batch->peer != peer)
        batch = batch->next;
    if (!batch) {
        batch = dynkv_arena_calloc(&scan->op.arena, 1, sizeof *batch);
        batch->peer = peer;
        batch->segments =
            dynkv_arena_calloc(&scan->op.arena, scan->page.segment_count, sizeof *batch->segments);
        batch->next = *all;
        *all = batch;
    }
    batch->segments[batch->count++] = index;
    scan->page.segments[index].open++;
    return true;
}

static void scan_ask(struct dynkv_node *node, struct scan_op *scan, struct scan_batch *all)
{
    uint32_t left_ms = op_left_ms(node, &scan->op);

    for (; all; all = all->next) {
        const struct member *peer = members_find(node, all->peer);
        uint32_t sub = op_ask(node, &scan->op, all->peer, all);
        struct dynkv_verify body = {.keyspace = scan->keyspace,
                                    .segment_count = all->count,
                                    .order = (uint8_t)scan->page.order};
        bool is_by_key = scan_is_by_key(scan);

        if (is_by_key) {
            body.lower = scan->page.segments[0].lower;
            body.upper = scan->page.segments[0].upper;
        }

        body.segments = dynkv_arena_calloc(&node->arena, all->count, sizeof *body.segments);
        for (uint32_t i = 0; i < all->count; i++) {
            const struct scan_segment *segment = &scan->page.segments[all->segments[i]];

            body.segments[i] = (struct dynkv_verify_segment){
                .partition = segment->partition,
                .lower = is_by_key ? dynkv_slice(NULL, 0) : segment->lower,
                .upper = is_by_key ? dynkv_slice(NULL, 0) : segment->upper,
                .digest = segment->digest,
                .count = segment->read_count,
            };
        }
        node->counters.verify_segments += all->count;
        if (peer)
            node_send(node, peer, DYNKV_MESSAGE_VERIFY, op_token(&scan->op, sub), left_ms, &body);
    }
}

/* Whether an answer can be one to a page by key: it is about all segments, and has told something. */
static bool scan_is_whole_answer(const struct scan_op *scan, uint32_t asked,
                                 const struct dynkv_verify_reply *reply)
{
    struct dynkv_slice lower = scan->page.segments[0].lower, upper = scan->page.segments[0].upper;

    if (!scan_is_by_key(scan))
        return true;
    if (reply->result_count != asked)
        return false;
    return !reply->is_cut || (dynkv_slice_compare(reply->cut_key, lower) > 0 &&
                              (!upper.len || dynkv_slice_compare(reply->cut_key, upper) < 0));
}

/* What one replica said of one segment. */
static enum dynkv_error scan_take_answer(struct dynkv_node *node, struct scan_op *scan,
                                         uint32_t index, uint32_t place,
                                         const struct dynkv_verify_reply *reply)
{
    if (place >= reply->result_count) {
        scan_page_cut(&scan->page, index, scan->page.segments[index].lower);
        return DYNKV_OK;
    }
    if (reply->results[place].equal)
        return DYNKV_OK;
    node->counters.verify_mismatches++;
    return scan_page_merge(&scan->page, index, &reply->results[place], &scan->op.arena);
}

static void scan_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                           const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    struct scan_op *scan = (struct scan_op *)op;
    const struct scan_batch *asked = op->subs[sub].data;
    struct scan_batch *again = NULL;
    bool good = body && envelope->type == DYNKV_MESSAGE_VERIFY_REPLY &&
                body->verify_reply.error == DYNKV_OK && body->verify_reply.result_count > 0 &&
                scan_is_whole_answer(scan, asked->count, &body->verify_reply);

    if (good && scan_is_by_key(scan) && body->verify_reply.is_cut)
        scan_page_cut(&scan->page, 0, dynkv_slice_copy(body->verify_reply.cut_key, &op->arena));
    for (uint32_t i = 0; i < asked->count; i++) {
        uint32_t index = asked->segments[i];
        struct scan_segment *segment = &scan->page.segments[index];
        enum dynkv_error error;

        segment->open--;
        if (!good) {
            if (segment->open >= segment->needed || scan_plan(node, scan, index, &again))
                continue;
            scan_fail(node, op, DYNKV_UNAVAILABLE,
                      "too few replicas of a partition answered the scan");
            return;
        }
        if (segment->needed && --segment->needed == 0)
            scan->unverified--;
        error = scan_take_answer(node, scan, index, i, &body->verify_reply);
        if (error) {
            scan_fail(node, op, error,
                      error == DYNKV_TOO_LARGE
                          ? "the siblings of a key in the range are too large to be merged"
                          : "a replica answered the scan with garbage");
            return;
        }
    }
    scan_ask(node, scan, again);
    if (scan->unverified == 0)
        scan_finish(node, scan);
}

/* A peer is slow: another replica of each of its segments is asked as well, where there is one. */
static void scan_on_slow(struct dynkv_node *node, struct op *op, uint32_t sub)
{
    struct scan_op *scan = (struct scan_op *)op;
    const struct scan_batch *asked = op->subs[sub].data;
    struct scan_batch *again = NULL;

    for (uint32_t i = 0; i < asked->count; i++)
        if (scan->page.segments[asked->segments[i]].needed)
            scan_plan(node, scan, asked->segments[i], &again);
    scan_ask(node, scan, again);
}

static void scan_verify(struct dynkv_node *node, struct scan_op *scan)
{
    struct scan_batch *all = NULL;

    if (mutant_is(node, DYNKV_MUTANT_SCAN_UNVERIFIED))
        scan->r = 1;
    for (uint32_t i = 0; i < scan->page.segment_count && scan->r > 1; i++) {
        scan->page.segments[i].needed = scan->r - 1;
        scan->unverified++;
        for (uint32_t j = 1; j < scan->r; j++)
            if (!scan_plan(node, scan, i, &all)) {
                scan_fail(node, &scan->op, DYNKV_UNAVAILABLE,
                          "too few replicas of a partition are up for a scan at this r");
                return;
            }
    }
    if (scan->unverified == 0)
        scan_finish(node, scan);
    else
        scan_ask(node, scan, all);
}

/* ---- reading ---- */

/* By key: all partitions, to where the store stopped. */
static void scan_make_segments_by_key(struct scan_op *scan)
{
    bool falls = scan->page.order == DYNKV_ORDER_FALLING;

    scan->page.segment_count = scan->partition_count;
    for (uint32_t i = 0; i < scan->partition_count; i++)
        scan->page.segments[i] = (struct scan_segment){
            .partition = scan->partitions[i],
            .lower = scan->more && falls ? scan->cursor_key : scan->lower,
            .upper = scan->more && !falls ? scan->cursor_key : scan->upper,
        };
}

/* The segments of the page: whole partitions, but for the ends. */
static void scan_make_segments(struct scan_op *scan)
{
    struct scan_page *page = &scan->page;

    page->segments =
        dynkv_arena_calloc(&scan->op.arena, scan->partition_count, sizeof *page->segments);
    if (scan_is_by_key(scan)) {
        scan_make_segments_by_key(scan);
        return;
    }
    for (uint32_t i = 0; i < scan->partition_count; i++) {
        struct scan_segment *segment = &page->segments[page->segment_count];
        bool is_last = scan->more && scan->partitions[i] == scan->cursor_partition;

        segment->partition = scan->partitions[i];
        segment->lower = i == 0 && scan->first_lower.len ? scan->first_lower : scan->lower;
        segment->upper = is_last ? scan->cursor_key : scan->upper;
        /* A cursor at the very beginning of a partition leaves nothing of it in this page. */
        if (is_last && dynkv_slice_compare(segment->lower, segment->upper) >= 0)
            break;
        page->segment_count++;
        if (is_last)
            break;
    }
}

static void scan_on_scanned(struct dynkv_node *node, struct op *op, uint32_t item,
                            const struct dynkv_event *event)
{
    struct scan_op *scan = (struct scan_op *)op;

    (void)item;
    if (event->as.scanned.error) {
        scan_fail(node, op, event->as.scanned.error, "the node could not read its store");
        return;
    }
    if (event->as.scanned.more) {
        scan->more = true;
        scan->cursor_partition = event->as.scanned.cursor_partition;
        scan->cursor_key = dynkv_slice_copy(event->as.scanned.cursor_key, &op->arena);
    }
    scan_make_segments(scan);
    if (!scan_page_fill(&scan->page, event->as.scanned.records, event->as.scanned.record_count,
                        &op->arena)) {
        storage_has_failed(node, DYNKV_CORRUPT, "a scan");
        scan_fail(node, op, DYNKV_CORRUPT, "a stored record is corrupt");
        return;
    }
    scan_verify(node, scan);
}

static void scan_on_deadline(struct dynkv_node *node, struct op *op)
{
    scan_fail(node, op, DYNKV_UNAVAILABLE, "too few replicas answered the scan in time");
}

static const struct op_class scan_class = {
    .name = "scan",
    .on_scanned = scan_on_scanned,
    .on_answer = scan_on_answer,
    .on_slow = scan_on_slow,
    .on_deadline = scan_on_deadline,
};

/* ---- the beginning ---- */

/* Where the scan begins and ends; false: it cannot. */
static bool scan_take_bounds(struct scan_op *scan, const struct dynkv_scan *body)
{
    struct dynkv_slice cursor = dynkv_slice_copy(body->cursor_key, &scan->op.arena);

    scan->page.order = (enum dynkv_order)body->order;
    scan->lower = dynkv_slice_copy(body->lower, &scan->op.arena);
    scan->upper = dynkv_slice_copy(body->upper, &scan->op.arena);
    if (!body->has_cursor)
        return body->order <= DYNKV_ORDER_FALLING;
    switch (body->order) {
    case DYNKV_ORDER_PARTITION:
        if (dynkv_slice_compare(cursor, scan->lower) > 0)
            scan->first_lower = cursor;
        return true;
    case DYNKV_ORDER_RISING:
        if (dynkv_slice_compare(cursor, scan->lower) > 0)
            scan->lower = cursor;
        return true;
    case DYNKV_ORDER_FALLING:
        if (!scan->upper.len || dynkv_slice_compare(cursor, scan->upper) < 0)
            scan->upper = cursor;
        return cursor.len > 0;
    default:
        return false;
    }
}

/* The partitions from the cursor on; OK, INVALID, or NOT_REPLICA. */
static enum dynkv_error scan_take_partitions(struct dynkv_node *node, struct scan_op *scan,
                                             const struct dynkv_scan *body)
{
    bool skipping = body->has_cursor && !scan_is_by_key(scan);
    uint32_t total = dynkv_ring_partitions(node->ring), cap = 0;

    for (uint32_t i = 0; i < body->partition_count; i++) {
        const struct dynkv_partition_range *range = &body->partitions[i];

        if (range->first >= total || range->count > total - range->first ||
            range->count > total - cap)
            return DYNKV_INVALID;
        cap += range->count;
    }
    scan->partitions = dynkv_arena_calloc(&scan->op.arena, cap, sizeof *scan->partitions);
    for (uint32_t i = 0; i < body->partition_count; i++)
        for (uint32_t j = 0; j < body->partitions[i].count; j++) {
            uint32_t partition = body->partitions[i].first + j;

            if (skipping && partition != body->cursor_partition)
                continue;
            skipping = false;
            if (scan_is_by_key(scan) && scan->partition_count &&
                scan->partitions[scan->partition_count - 1] >= partition)
                return DYNKV_INVALID;
            if (dynkv_ring_replica_index(node->ring, partition, node->id, scan->n) < 0)
                return DYNKV_NOT_REPLICA;
            scan->partitions[scan->partition_count++] = partition;
        }
    return skipping && cap ? DYNKV_INVALID : DYNKV_OK;
}

static void scan_read(struct dynkv_node *node, struct scan_op *scan, uint32_t limit,
                      uint32_t limit_bytes)
{
    struct dynkv_effect_range *range = dynkv_effects_add_range(node->effects);
    struct dynkv_arena *arena = &node->effects->arena;

    range->token = op_token(&scan->op, 0);
    range->keyspace = scan->keyspace;
    range->partitions =
        dynkv_arena_copy(arena, scan->partitions, scan->partition_count * sizeof *scan->partitions);
    range->partition_count = scan->partition_count;
    range->lower = dynkv_slice_copy(scan->lower, arena);
    range->upper = dynkv_slice_copy(scan->upper, arena);
    range->first_lower = dynkv_slice_copy(scan->first_lower, arena);
    range->order = scan->page.order;
    range->limit = limit && limit < DYNKV_SCAN_ITEMS_MAX ? limit
                   : limit                               ? DYNKV_SCAN_ITEMS_MAX
                                                         : CORE_SCAN_LIMIT_DEFAULT;
    range->limit_bytes =
        limit_bytes && limit_bytes < CORE_SCAN_BYTES_MAX ? limit_bytes : CORE_SCAN_BYTES_MAX;
}

/* The filter, which lives as long as the operation. */
static enum dynkv_error scan_take_filter(struct scan_op *scan, struct dynkv_slice filter)
{
    scan->has_filter = filter.len > 0;
    return scan->has_filter ? dynkv_filter_decode(dynkv_slice_copy(filter, &scan->op.arena),
                                                  &scan->op.arena, &scan->filter)
                            : DYNKV_OK;
}

void on_scan(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
             const struct dynkv_scan *body)
{
    const struct keyspace *keyspace = keyspaces_require(node, source, body->keyspace);
    struct scan_op *scan;
    enum dynkv_error error;

    if (!keyspace)
        return;
    node->counters.scans++;
    scan = op_new(node, &scan_class, sizeof *scan, source, deadline_ms);
    scan->keyspace = body->keyspace;
    scan->ring_version = dynkv_ring_version(node->ring);
    scan->n = keyspace->def.n;
    scan->r = body->r ? body->r : keyspace->def.r;
    scan->flags = body->flags;
    scan->matches = body->filter.len ? body->matches : 0;
    if (scan_take_filter(scan, body->filter)) {
        scan_fail(node, &scan->op, DYNKV_INVALID,
                  "the scan's filter is none, or has too many columns, conditions or levels");
        return;
    }
    error = !scan_take_bounds(scan, body) || scan->r > scan->n
                ? DYNKV_INVALID
                : scan_take_partitions(node, scan, body);
    if (error)
        scan_fail(node, &scan->op, error,
                  error == DYNKV_NOT_REPLICA
                      ? "this node does not hold all partitions of the scan; fetch the ring"
                      : "the scan's r, partitions, order or cursor are impossible");
    else if (scan->partition_count == 0)
        scan_finish(node, scan);
    else
        scan_read(node, scan, body->limit, body->limit_bytes);
}
