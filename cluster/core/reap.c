/*
 * reap.c: the leader of a round (reap.h): when there is one, and from FIND to DELETE.
 *
 * Every node looks through the partitions that it leads, one after the other, for those whose trees count
 * anything dead.  A round is one operation; each of its steps is a question to several members, and goes on
 * when all have answered.
 */
#include "core/reap.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/tree.h"

enum reap_stage {
    REAP_FIND,
    REAP_CHECK,
    REAP_QUIET,
    REAP_FENCE,
    REAP_DELETE,
};

struct reap_item {
    struct slot_key at;
    uint64_t digest;
    uint32_t confirmed; /* by so many others */
};

struct reap_op {
    struct op op;
    enum reap_stage stage;
    uint64_t keyspace;
    uint32_t partition;
    uint8_t n;
    struct reap_item *items;
    uint32_t item_count;
    uint32_t open;      /* answers that are still to come, this node's own included */
    uint64_t watermark; /* QUIET, FENCE: our operations before this one have to end */
    uint64_t fence;
};

struct reap *reap_new(uint64_t fence)
{
    struct reap *reap = dynkv_calloc(1, sizeof *reap);

    reap->former_fence = fence;
    return reap;
}

void reap_free(struct reap *reap)
{
    dynkv_buf_fini(&reap->cursor);
    free(reap->fences);
    free(reap);
}

/* ---- the end of a round ---- */

static void place_next(struct dynkv_node *node)
{
    struct reap *reap = node->reap;

    dynkv_buf_reset(&reap->cursor);
    if (++reap->partition >= node->partitions) {
        reap->partition = 0;
        reap->keyspace++;
    }
}

static void reap_end(struct dynkv_node *node, struct reap_op *r, uint64_t pause_ms)
{
    struct reap *reap = node->reap;

    reap->leading = false;
    reap->draining = NULL;
    reap->next_ms = node->mono_ms + pause_ms;
    op_end(node, &r->op);
}

/* Nothing has happened; the place has its turn again in the next pass. */
static void reap_refused(struct dynkv_node *node, struct reap_op *r)
{
    node->counters.reaps_refused++;
    place_next(node);
    reap_end(node, r, node->reap_interval_ms);
}

static void reap_next_stage(struct dynkv_node *node, struct reap_op *r);

static void reap_answered(struct dynkv_node *node, struct reap_op *r)
{
    DYNKV_ASSERT(r->open > 0);
    if (--r->open == 0)
        reap_next_stage(node, r);
}

static uint64_t reap_ask(struct dynkv_node *node, struct reap_op *r, const struct member *peer)
{
    r->open++;
    return op_token(&r->op, op_ask(node, &r->op, peer->info.id, NULL));
}

static void reap_begin_stage(struct dynkv_node *node, struct reap_op *r, enum reap_stage stage,
                             uint32_t patience_ms)
{
    r->stage = stage;
    r->open = 1; /* until all are asked, or this node's own part is done */
    r->op.deadline_ms = node->mono_ms + patience_ms;
}

/* ---- CHECK ---- */

static struct dynkv_reap_item *wire_items(struct dynkv_node *node, const struct reap_op *r)
{
    struct dynkv_reap_item *items = dynkv_arena_calloc(&node->arena, r->item_count, sizeof *items);

    for (uint32_t i = 0; i < r->item_count; i++)
        items[i] = (struct dynkv_reap_item){r->items[i].at.key, r->items[i].at.partition_len,
                                            r->items[i].digest};
    return items;
}

static void check_ask(struct dynkv_node *node, struct reap_op *r)
{
    struct dynkv_reap_check body = {
        .keyspace = r->keyspace,
        .partition = r->partition,
        .n = r->n,
        .items = wire_items(node, r),
        .item_count = r->item_count,
    };
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, r->partition, r->n, replicas);

    reap_begin_stage(node, r, REAP_CHECK, CORE_REAP_PATIENCE_MS);
    for (uint32_t i = 0; i < count; i++) {
        const struct member *peer = members_find(node, replicas[i]);

        if (peer != node->self)
            node_send(node, peer, DYNKV_MESSAGE_REAP_CHECK, reap_ask(node, r, peer),
                      CORE_REAP_PATIENCE_MS, &body);
    }
    reap_answered(node, r);
}

/* False: the reply does not fit the question. */
static bool check_take(struct reap_op *r, const struct dynkv_reap_check_reply *reply)
{
    for (uint32_t i = 0; i < reply->held_count; i++) {
        uint32_t index = reply->held[i].index;

        if (index >= r->item_count || (i && index <= reply->held[i - 1].index))
            return false;
        r->items[index].confirmed++;
    }
    return reply->error == DYNKV_OK;
}

/* Keeps what all other replicas hold just as this one does. */
static void check_keep(struct dynkv_node *node, struct reap_op *r)
{
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t needed = place_replicas(node, r->partition, r->n, replicas) - 1, kept = 0;

    if (mutant_is(node, DYNKV_MUTANT_REAP_BY_QUORUM))
        needed = needed / 2;
    for (uint32_t i = 0; i < r->item_count; i++)
        if (r->items[i].confirmed >= needed)
            r->items[kept++] = r->items[i];
    r->item_count = kept;
}

/* ---- QUIET, FENCE ---- */

static void quiet_ask(struct dynkv_node *node, struct reap_op *r, enum reap_stage stage)
{
    struct dynkv_reap_quiet body = {.keyspace = r->keyspace, .partition = r->partition, .n = r->n};

    reap_begin_stage(node, r, stage, CORE_REAP_QUIET_MS);
    if (stage == REAP_FENCE) {
        body.fence = r->fence = dynkv_clock_tick(&node->clock, node->now_ms);
        reap_set_fence(node, r->partition, r->fence);
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];

        if (member != node->self && member_counts(member))
            node_send(node, member, DYNKV_MESSAGE_REAP_QUIET, reap_ask(node, r, member),
                      CORE_REAP_QUIET_MS, &body);
    }
    r->watermark = node->next_id;
    node->reap->draining = r;
}

/* This node's own part of QUIET and FENCE. */
static void drain_tick(struct dynkv_node *node)
{
    struct reap_op *r = node->reap->draining;

    if (!r || !reap_is_drained(node, r->watermark) || node->fence_durable < r->fence)
        return;
    node->reap->draining = NULL;
    if (reap_is_bare(node, r->keyspace, r->partition, r->n))
        reap_answered(node, r);
    else
        reap_refused(node, r);
}

/* ---- DELETE ---- */

static void delete_ask(struct dynkv_node *node, struct reap_op *r)
{
    struct dynkv_reap body = {
        .keyspace = r->keyspace,
        .partition = r->partition,
        .n = r->n,
        .fence = r->fence,
        .items = wire_items(node, r),
        .item_count = r->item_count,
    };
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, r->partition, r->n, replicas);

    node->counters.reap_rounds++;
    reap_begin_stage(node, r, REAP_DELETE, CORE_REAP_PATIENCE_MS);
    for (uint32_t i = 0; i < count; i++) {
        const struct member *peer = members_find(node, replicas[i]);

        if (peer != node->self)
            node_send(node, peer, DYNKV_MESSAGE_REAP, reap_ask(node, r, peer),
                      CORE_REAP_PATIENCE_MS, &body);
    }
    op_hold(&r->op);
    r->open += r->item_count;
    for (uint32_t i = 0; i < r->item_count; i++)
        slot_change(node, &r->items[i].at, &r->op, i);
    reap_answered(node, r);
    op_release(node, &r->op);
}

static enum dynkv_error delete_mutate(struct dynkv_node *node, struct op *op, uint32_t index,
                                      const struct dynkv_object *current, struct dynkv_arena *arena,
                                      struct dynkv_object *out)
{
    (void)arena;
    return reap_mutate(node, ((struct reap_op *)op)->items[index].digest, current, out);
}

static void delete_on_applied(struct dynkv_node *node, struct op *op, uint32_t index,
                              enum dynkv_error error, struct dynkv_slice object)
{
    (void)index;
    (void)object;
    node->counters.tombstones_reaped += error == DYNKV_OK;
    reap_answered(node, (struct reap_op *)op);
}

/* One that fails takes the node out of service; one that a crash loses is a tombstone that comes back. */
static void delete_on_stored(struct dynkv_node *node, struct op *op, uint32_t index,
                             enum dynkv_error error)
{
    (void)node;
    (void)op;
    (void)index;
    (void)error;
}

/* ---- from stage to stage ---- */

static void reap_next_stage(struct dynkv_node *node, struct reap_op *r)
{
    switch (r->stage) {
    case REAP_FIND:
        if (mutant_is(node, DYNKV_MUTANT_REAP_BY_AGE))
            delete_ask(node, r);
        else
            check_ask(node, r);
        break;
    case REAP_CHECK:
        check_keep(node, r);
        if (r->item_count == 0)
            reap_refused(node, r);
        else
            quiet_ask(node, r, REAP_QUIET);
        break;
    case REAP_QUIET:
        quiet_ask(node, r, REAP_FENCE);
        break;
    case REAP_FENCE:
        delete_ask(node, r);
        break;
    case REAP_DELETE:
        if (node->reap->cursor.len == 0)
            place_next(node);
        reap_end(node, r, CORE_REAP_AGAIN_MS);
        break;
    }
}

static void reap_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                           const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    static const uint8_t expected[] = {
        [REAP_FIND] = 0,
        [REAP_CHECK] = DYNKV_MESSAGE_REAP_CHECK_REPLY,
        [REAP_QUIET] = DYNKV_MESSAGE_REAP_QUIET_REPLY,
        [REAP_FENCE] = DYNKV_MESSAGE_REAP_QUIET_REPLY,
        [REAP_DELETE] = DYNKV_MESSAGE_REAP_REPLY,
    };
    struct reap_op *r = (struct reap_op *)op;
    bool good = body && envelope->type == expected[r->stage];

    (void)sub;
    if (good && r->stage == REAP_CHECK)
        good = check_take(r, &body->reap_check_reply);
    else if (good && r->stage != REAP_DELETE) /* there is nothing to be done about that one */
        good = body->reap_quiet_reply.error == DYNKV_OK;
    if (good)
        reap_answered(node, r);
    else
        reap_refused(node, r);
}

static void reap_on_deadline(struct dynkv_node *node, struct op *op)
{
    reap_refused(node, (struct reap_op *)op);
}

/* ---- FIND ---- */

/* False: the record is corrupt. */
static bool find_take(struct dynkv_node *node, struct reap_op *r, const struct dynkv_record *record)
{
    struct reap_item *item = &r->items[r->item_count];
    struct dynkv_object object;
    struct dynkv_slice bytes;

    *item = (struct reap_item){
        .at = {.keyspace = r->keyspace, .partition = r->partition, .key = record->key}};
    if (record_open(record->record, &item->at.partition_len, &bytes) ||
        dynkv_object_decode(bytes, &node->arena, &object))
        return false;
    if (!reap_is_dead(node, &object) || slot_is_busy(node, &item->at))
        return true;
    item->at.key = dynkv_slice_copy(record->key, &r->op.arena);
    item->digest = dynkv_object_digest(&object);
    r->item_count++;
    return true;
}

static void find_on_scanned(struct dynkv_node *node, struct op *op, uint32_t item,
                            const struct dynkv_event *event)
{
    struct reap_op *r = (struct reap_op *)op;
    struct reap *reap = node->reap;
    uint32_t count = event->as.scanned.record_count;

    (void)item;
    if (event->as.scanned.error) {
        reap_end(node, r, node->reap_interval_ms); /* the node is out of service */
        return;
    }
    r->items = dynkv_arena_calloc(&op->arena, count, sizeof *r->items);
    for (uint32_t i = 0; i < count; i++)
        if (!find_take(node, r, &event->as.scanned.records[i])) {
            storage_has_failed(node, DYNKV_CORRUPT, "a scan");
            reap_end(node, r, node->reap_interval_ms);
            return;
        }
    dynkv_buf_reset(&reap->cursor);
    if (event->as.scanned.more)
        dynkv_put_raw(&reap->cursor, event->as.scanned.cursor_key);
    if (r->item_count) {
        reap_next_stage(node, r);
        return;
    }
    if (!event->as.scanned.more)
        place_next(node);
    reap_end(node, r, CORE_REAP_AGAIN_MS);
}

static const struct op_class reap_class = {
    .name = "reap",
    .is_upkeep = true,
    .is_reap = true,
    .on_scanned = find_on_scanned,
    .mutate = delete_mutate,
    .on_applied = delete_on_applied,
    .on_stored = delete_on_stored,
    .on_answer = reap_on_answer,
    .on_deadline = reap_on_deadline,
};

static void find_ask(struct dynkv_node *node, const struct keyspace *keyspace)
{
    struct reap *reap = node->reap;
    struct source nobody = {.kind = SOURCE_NONE};
    struct reap_op *r = op_new(node, &reap_class, sizeof *r, &nobody, CORE_REAP_PATIENCE_MS);
    struct dynkv_effect_range *range = dynkv_effects_add_range(node->effects);
    struct dynkv_arena *arena = &node->effects->arena;

    reap->leading = true;
    r->stage = REAP_FIND;
    r->keyspace = keyspace->id;
    r->partition = reap->partition;
    r->n = keyspace->def.n;
    range->token = op_token(&r->op, 0);
    range->keyspace = keyspace->id;
    range->partitions = dynkv_arena_copy(arena, &reap->partition, sizeof reap->partition);
    range->partition_count = 1;
    range->lower = dynkv_slice_copy(dynkv_buf_slice(&reap->cursor), arena);
    range->limit = CORE_REAP_PAGE_RECORDS;
    range->limit_bytes = CORE_REAP_PAGE_BYTES;
}

/* ---- when, and where ---- */

/*
 * Every member has to answer, so while one is down a round would only fail; and so it would while a change of
 * the membership is open.  One that is excluded has nothing to say, and nothing that could come back.
 */
static bool members_are_settled(const struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++)
        if (member_counts(node->members[i]) && node->members[i]->down)
            return false;
    return !change_is_open(node) && !node->counters.unsure;
}

/* Whether this node leads the place where the search is, and something may be dead there. */
static bool place_has_work(const struct dynkv_node *node, const struct keyspace *keyspace)
{
    const struct reap *reap = node->reap;
    const struct dynkv_merkle *tree;

    if (keyspace->def.dropped || !tree_is_ready(node, keyspace->id))
        return false;
    tree = tree_find(node, keyspace->id, reap->partition);
    return tree &&
           (tree->counts[DYNKV_MERKLE_DEAD] || (reap->timed && tree->counts[DYNKV_MERKLE_TIMED])) &&
           dynkv_ring_replica_index(node->ring, reap->partition, node->id, keyspace->def.n) == 0;
}

/* All places were looked at. */
static void pass_end(struct dynkv_node *node)
{
    struct reap *reap = node->reap;

    reap->keyspace = reap->partition = 0;
    dynkv_buf_reset(&reap->cursor);
    reap->next_ms = node->mono_ms + node->reap_interval_ms;
    if (reap->timed)
        reap->timed_next_ms =
            node->mono_ms + (uint64_t)node->reap_interval_ms * CORE_REAP_TIMED_PAUSE;
    reap->timed = node->mono_ms >= reap->timed_next_ms;
}

void reap_tick(struct dynkv_node *node)
{
    struct reap *reap = node->reap;

    reap_answer_tick(node);
    drain_tick(node);
    if (reap->leading || node->storage_failed || reap->next_ms > node->mono_ms)
        return;
    if (!members_are_settled(node)) {
        reap->next_ms = node->mono_ms + node->reap_interval_ms;
        return;
    }
    if (node->counters.tombstones == 0 && !reap->timed)
        reap->keyspace = node->keyspace_count; /* nowhere */
    for (uint32_t i = 0; i < CORE_REAP_PLACES && reap->keyspace < node->keyspace_count; i++) {
        const struct keyspace *keyspace = node->keyspaces[reap->keyspace];

        if (place_has_work(node, keyspace)) {
            find_ask(node, keyspace);
            return;
        }
        place_next(node);
    }
    if (reap->keyspace >= node->keyspace_count)
        pass_end(node);
}
