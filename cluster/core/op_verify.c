/*
 * op_verify.c: VERIFY, a scanning node's question whether this replica holds the same.
 *
 * A segment that is a whole partition is compared with the partition's tree: the digest of a segment is
 * made like the root of a tree.  So where the two agree nothing is read here at all.  The tree knows writes
 * that are not durable yet; if even so it equals what the asker read, nothing that was acknowledged here is
 * missing there.
 *
 * The other segments are read, neighbours with the same bounds as one range, and compared by count and
 * digest sum.  Equal ones cost a flag in the answer; of the others this replica tells what it holds, up
 * to a limit of bytes.  Where it stops, the asker's page ends.
 *
 * Segments of a page by key are read by key, as one range, so that it stops at one key for all of them.
 */
#include "base/assert.h"
#include "core/node_impl.h"
#include "core/scan_page.h"
#include "core/tree.h"

/* Twice a page, so that a replica with the same records is never stopped by the limit. */
#define VERIFY_BYTES_MAX (2 * CORE_SCAN_BYTES_MAX)

/* Segments from first up to end (excluded), which are read as one range. */
struct verify_run {
    uint32_t first, end;
};

struct verify_op {
    struct op op;
    uint64_t keyspace;
    struct dynkv_verify_segment *asked;
    struct scan_page page; /* one segment for each that was asked */
    bool *known;           /* segments that are equal, by their tree */
    struct verify_run *runs;
    uint32_t run_count, runs_left;
};

static bool verify_is_by_key(const struct verify_op *verify)
{
    return verify->page.order != DYNKV_ORDER_PARTITION;
}

static void verify_answer_error(struct dynkv_node *node, struct op *op, enum dynkv_error error)
{
    struct dynkv_verify_reply reply = {.error = (uint8_t)error};

    node_answer(node, &op->source, DYNKV_MESSAGE_VERIFY_REPLY, &reply);
    op_end(node, op);
}

static void verify_tell(struct verify_op *verify, uint32_t index,
                        struct dynkv_verify_result *result, size_t *bytes)
{
    struct scan_page one = {.segments = &verify->page.segments[index], .segment_count = 1};
    struct scan_choice everything = {.flags = DYNKV_SCAN_DEAD_TOO};
    uint32_t count;

    if (verify->page.is_cut && verify->page.cut_segment == index) {
        one.is_cut = true;
        one.cut_key = verify->page.cut_key;
        result->truncated = 1;
    }
    result->entries = scan_page_entries(&one, &everything, &verify->op.arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        *bytes += result->entries[i].key.len + result->entries[i].object.len;
        result->entry_count++;
        if (i + 1 < count && (*bytes > VERIFY_BYTES_MAX || i + 1 == DYNKV_SCAN_ITEMS_MAX)) {
            result->truncated = 1;
            break;
        }
    }
}

static bool verify_is_equal(const struct scan_segment *segment,
                            const struct dynkv_verify_segment *asked)
{
    return segment->entry_count == asked->count && segment->digest == asked->digest;
}

/*
 * Of a page by key all segments are told, to where reading stopped; that bounds the answer.  A segment that
 * is equal in count and digest is equal as far as this one was read: all that the asker has was seen.
 */
static void verify_tell_by_key(struct verify_op *verify, struct dynkv_verify_reply *reply)
{
    const struct scan_page *page = &verify->page;

    reply->is_cut = page->is_cut;
    reply->cut_key = page->cut_key;
    reply->result_count = page->segment_count;
    for (uint32_t i = 0; i < page->segment_count; i++) {
        struct dynkv_verify_result *result = &reply->results[i];
        struct scan_page one = {
            .order = page->order, .segments = &page->segments[i], .segment_count = 1};
        struct scan_choice everything = {.flags = DYNKV_SCAN_DEAD_TOO};

        result->equal = verify->known[i] || verify_is_equal(&page->segments[i], &verify->asked[i]);
        if (!result->equal)
            result->entries =
                scan_page_entries(&one, &everything, &verify->op.arena, &result->entry_count);
    }
}

static void verify_finish(struct dynkv_node *node, struct verify_op *verify)
{
    const struct scan_page *page = &verify->page;
    struct dynkv_verify_reply reply = {0};
    size_t bytes = 0;

    reply.results =
        dynkv_arena_calloc(&verify->op.arena, page->segment_count, sizeof *reply.results);
    if (verify_is_by_key(verify)) {
        verify_tell_by_key(verify, &reply);
        node_answer(node, &verify->op.source, DYNKV_MESSAGE_VERIFY_REPLY, &reply);
        op_end(node, &verify->op);
        return;
    }
    for (uint32_t i = 0; i < page->segment_count; i++) {
        const struct scan_segment *segment = &page->segments[i];
        struct dynkv_verify_result *result = &reply.results[reply.result_count];
        bool is_cut = page->is_cut && page->cut_segment == i;

        if (page->is_cut && page->cut_segment < i)
            break;
        if (bytes > VERIFY_BYTES_MAX)
            break;
        reply.result_count++;
        if (verify->known[i] || (!is_cut && verify_is_equal(segment, &verify->asked[i])))
            result->equal = 1;
        else
            verify_tell(verify, i, result, &bytes);
        if (result->truncated)
            break;
    }
    node_answer(node, &verify->op.source, DYNKV_MESSAGE_VERIFY_REPLY, &reply);
    op_end(node, &verify->op);
}

static void verify_on_scanned(struct dynkv_node *node, struct op *op, uint32_t run,
                              const struct dynkv_event *event)
{
    struct verify_op *verify = (struct verify_op *)op;
    uint32_t first = verify->runs[run].first;
    struct scan_page part = {.order = verify->page.order,
                             .segments = &verify->page.segments[first],
                             .segment_count = verify->runs[run].end - first};

    if (event->as.scanned.error) {
        verify_answer_error(node, op, event->as.scanned.error);
        return;
    }
    if (!scan_page_fill(&part, event->as.scanned.records, event->as.scanned.record_count,
                        &op->arena)) {
        storage_has_failed(node, DYNKV_CORRUPT, "a scan");
        verify_answer_error(node, op, DYNKV_CORRUPT);
        return;
    }
    if (event->as.scanned.more && verify_is_by_key(verify))
        scan_page_cut(&verify->page, 0, dynkv_slice_copy(event->as.scanned.cursor_key, &op->arena));
    else if (event->as.scanned.more)
        for (uint32_t i = 0; i < part.segment_count; i++)
            if (part.segments[i].partition == event->as.scanned.cursor_partition)
                scan_page_cut(&verify->page, first + i,
                              dynkv_slice_copy(event->as.scanned.cursor_key, &op->arena));
    if (--verify->runs_left == 0)
        verify_finish(node, verify);
}

static void verify_on_deadline(struct dynkv_node *node, struct op *op)
{
    verify_answer_error(node, op, DYNKV_TIMEOUT);
}

static const struct op_class verify_class = {
    .name = "verify",
    .on_scanned = verify_on_scanned,
    .on_deadline = verify_on_deadline,
};

/* Readers may count on what a replica of theirs says, and on nobody else. */
static bool verify_is_replica(const struct dynkv_node *node, uint64_t id, uint32_t partition)
{
    const struct keyspace *keyspace = keyspaces_find(node, id);

    return !keyspace || mutant_is(node, DYNKV_MUTANT_STALE_READS) ||
           dynkv_ring_replica_index(node->ring, partition, node->id, keyspace->def.n) >= 0;
}

static void verify_read(struct dynkv_node *node, struct verify_op *verify, uint32_t run)
{
    uint32_t first = verify->runs[run].first, end = verify->runs[run].end;
    struct dynkv_effect_range *range = dynkv_effects_add_range(node->effects);
    struct dynkv_arena *arena = &node->effects->arena;
    uint32_t *partitions = dynkv_arena_alloc(arena, (end - first) * sizeof *partitions);

    for (uint32_t i = first; i < end; i++)
        if (!verify->known[i])
            partitions[range->partition_count++] = verify->page.segments[i].partition;
    range->token = op_token(&verify->op, run);
    range->keyspace = verify->keyspace;
    range->partitions = partitions;
    range->lower = dynkv_slice_copy(verify->page.segments[first].lower, arena);
    range->upper = dynkv_slice_copy(verify->page.segments[first].upper, arena);
    range->order = verify->page.order;
    range->limit = verify_is_by_key(verify) ? DYNKV_SCAN_ITEMS_MAX : 2 * DYNKV_SCAN_ITEMS_MAX;
    range->limit_bytes = VERIFY_BYTES_MAX;
}

/* Neighbours with the same bounds, and rising partitions, are read as one range. */
static bool verify_same_run(const struct scan_segment *a, const struct scan_segment *b)
{
    return a->partition < b->partition && dynkv_slice_equal(a->lower, b->lower) &&
           dynkv_slice_equal(a->upper, b->upper);
}

static bool verify_knows(const struct dynkv_node *node, uint64_t keyspace,
                         const struct scan_segment *segment,
                         const struct dynkv_verify_segment *asked)
{
    const struct dynkv_merkle *tree = tree_find(node, keyspace, asked->partition);

    return segment->lower.len == 0 && segment->upper.len == 0 && tree_is_ready(node, keyspace) &&
           dynkv_merkle_keys(tree) == asked->count &&
           dynkv_merkle_node(tree, 0, 0) == asked->digest;
}

/* Adds a segment to the last run, or begins one with it. */
static void verify_add(struct verify_op *verify, uint32_t index)
{
    const struct scan_segment *segments = verify->page.segments;
    struct verify_run *last = verify->run_count ? &verify->runs[verify->run_count - 1] : NULL;

    if (verify_is_by_key(verify)) {
        verify->runs[0] = (struct verify_run){0, verify->page.segment_count};
        verify->run_count = 1;
        return;
    }
    if (last && last->end == index && verify_same_run(&segments[index - 1], &segments[index]))
        last->end++;
    else
        verify->runs[verify->run_count++] = (struct verify_run){index, index + 1};
}

/* Takes over a segment; false: it is none of ours, or none of a page by key. */
static bool verify_take(struct dynkv_node *node, struct verify_op *verify,
                        const struct dynkv_verify *body, uint32_t index)
{
    const struct dynkv_verify_segment *asked = &body->segments[index];
    struct scan_segment *segment = &verify->page.segments[index];
    struct dynkv_arena *arena = &verify->op.arena;
    bool is_by_key = verify_is_by_key(verify);

    segment->partition = asked->partition;
    segment->lower = dynkv_slice_copy(is_by_key ? body->lower : asked->lower, arena);
    segment->upper = dynkv_slice_copy(is_by_key ? body->upper : asked->upper, arena);
    if (asked->partition >= node->partitions ||
        (is_by_key && index > 0 && segment[-1].partition >= asked->partition))
        return false;
    verify->known[index] = verify_knows(node, body->keyspace, segment, asked);
    node->counters.verify_by_tree += verify->known[index];
    return true;
}

void on_verify(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
               const struct dynkv_verify *body)
{
    struct verify_op *verify = op_new(node, &verify_class, sizeof *verify, source, deadline_ms);
    struct dynkv_arena *arena = &verify->op.arena;
    struct scan_page *page = &verify->page;

    verify->keyspace = body->keyspace;
    verify->asked =
        dynkv_arena_copy(arena, body->segments, body->segment_count * sizeof *body->segments);
    page->order = (enum dynkv_order)body->order;
    page->segments = dynkv_arena_calloc(arena, body->segment_count, sizeof *page->segments);
    page->segment_count = body->segment_count;
    verify->runs = dynkv_arena_calloc(arena, body->segment_count, sizeof *verify->runs);
    verify->known = dynkv_arena_calloc(arena, body->segment_count, sizeof *verify->known);
    if (body->segment_count == 0 || body->order > DYNKV_ORDER_FALLING) {
        verify_answer_error(node, &verify->op, DYNKV_INVALID);
        return;
    }
    for (uint32_t i = 0; i < body->segment_count; i++) {
        if (!verify_take(node, verify, body, i)) {
            verify_answer_error(node, &verify->op, DYNKV_INVALID);
            return;
        }
        if (!verify_is_replica(node, body->keyspace, body->segments[i].partition)) {
            verify_answer_error(node, &verify->op, DYNKV_RING_CHANGED);
            return;
        }
        if (!verify->known[i])
            verify_add(verify, i);
    }
    if (verify->run_count == 0) {
        verify_finish(node, verify);
        return;
    }
    verify->runs_left = verify->run_count;
    for (uint32_t i = 0; i < verify->run_count; i++)
        verify_read(node, verify, i);
}
