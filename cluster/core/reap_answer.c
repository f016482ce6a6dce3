/*
 * reap_answer.c: the asked side of reaping, and the fences.
 *
 * CHECK reads and answers; QUIET and FENCE wait, each tick, for the operations that were open when they came;
 * DELETE goes through the slots, like any change.
 */
#include "base/assert.h"
#include "core/reap.h"
#include "core/tree.h"

/* ---- what is asked about, seen from here ---- */

enum dynkv_error reap_agree(const struct dynkv_node *node, uint64_t ring_version, uint64_t keyspace,
                            uint32_t partition, uint8_t n)
{
    const struct keyspace *known = keyspaces_find(node, keyspace);

    if (partition >= node->partitions)
        return DYNKV_INVALID;
    if (!known)
        return DYNKV_NO_KEYSPACE;
    /* While data move a record may be anywhere. */
    if (ring_version != dynkv_ring_version(node->ring) || n != known->def.n ||
        change_is_open(node) || node->counters.unsure)
        return DYNKV_RING_CHANGED;
    /* Until the trees are there nobody knows which records this node has. */
    return tree_is_ready(node, keyspace) ? DYNKV_OK : DYNKV_OVERLOADED;
}

bool reap_is_bare(const struct dynkv_node *node, uint64_t keyspace, uint32_t partition, uint8_t n)
{
    if (dynkv_ring_replica_index(node->ring, partition, node->id, n) < 0 &&
        tree_find(node, keyspace, partition))
        return false; /* left over from when it was one */
    if (mutant_is(node, DYNKV_MUTANT_REAP_UNHINTED))
        return true;
    return hints_are_surveyed(node) && hints_in_partition(node, partition) == 0 &&
           !slot_changes_hints(node, partition);
}

bool reap_is_drained(const struct dynkv_node *node, uint64_t watermark)
{
    const struct op *op = node->op_first;

    if (mutant_is(node, DYNKV_MUTANT_REAP_LOUD))
        return true;
    while (op && op->id < watermark && op->class->is_reap)
        op = op->next;
    return !op || op->id >= watermark;
}

bool reap_is_dead(const struct dynkv_node *node, const struct dynkv_object *object)
{
    return node->now_ms > DYNKV_CLOCK_DRIFT_MAX_MS &&
           dynkv_object_is_dead(object, node->now_ms - DYNKV_CLOCK_DRIFT_MAX_MS);
}

enum dynkv_error reap_mutate(const struct dynkv_node *node, uint64_t digest,
                             const struct dynkv_object *current, struct dynkv_object *out)
{
    if (dynkv_object_digest(current) != digest || !reap_is_dead(node, current))
        return DYNKV_CONFLICT; /* written since it was checked, or gone already */
    *out = (struct dynkv_object){0};
    return DYNKV_OK;
}

/* ---- fences ---- */

static uint64_t fence_of(const struct dynkv_node *node, uint32_t partition)
{
    const struct reap *reap = node->reap;
    uint64_t fence = reap->fences ? reap->fences[partition] : 0;

    return fence > reap->former_fence ? fence : reap->former_fence;
}

bool reap_is_fenced(const struct dynkv_node *node, uint32_t partition, uint64_t timestamp)
{
    return timestamp < node->fence && timestamp < fence_of(node, partition) &&
           !mutant_is(node, DYNKV_MUTANT_REAP_UNFENCED);
}

void reap_set_fence(struct dynkv_node *node, uint32_t partition, uint64_t fence)
{
    struct reap *reap = node->reap;

    if (!reap->fences)
        reap->fences = dynkv_calloc(node->partitions, sizeof *reap->fences);
    if (fence > reap->fences[partition])
        reap->fences[partition] = fence;
    if (fence > node->fence)
        node->fence = fence;
}

/* ---- CHECK ---- */

struct check_op {
    struct op op;
    struct slot_key *items;
    uint64_t *digests;
    bool *held;
    uint32_t item_count, left;
};

static void check_answer(struct dynkv_node *node, struct op *op, enum dynkv_error error)
{
    const struct check_op *check = (const struct check_op *)op;
    struct dynkv_reap_check_reply reply = {.error = (uint8_t)error};

    reply.held = dynkv_arena_calloc(&node->arena, check->item_count, sizeof *reply.held);
    for (uint32_t i = 0; i < check->item_count && !error; i++)
        if (check->held[i])
            reply.held[reply.held_count++].index = i;
    node_answer(node, &op->source, DYNKV_MESSAGE_REAP_CHECK_REPLY, &reply);
    op_end(node, op);
}

static void check_on_loaded(struct dynkv_node *node, struct op *op, uint32_t item,
                            enum dynkv_error error, struct dynkv_slice bytes)
{
    struct check_op *check = (struct check_op *)op;
    struct dynkv_object object;

    /* Busy: what was loaded is not the newest, or not durable yet. */
    check->held[item] = !error && !slot_is_busy(node, &check->items[item]) &&
                        !dynkv_object_decode(bytes, &node->arena, &object) &&
                        dynkv_object_digest(&object) == check->digests[item] &&
                        reap_is_dead(node, &object);
    if (--check->left == 0)
        check_answer(node, op, DYNKV_OK);
}

static void check_on_deadline(struct dynkv_node *node, struct op *op)
{
    check_answer(node, op, DYNKV_TIMEOUT);
}

static const struct op_class check_class = {
    .name = "reap check",
    .is_upkeep = true,
    .is_reap = true,
    .on_loaded = check_on_loaded,
    .on_deadline = check_on_deadline,
};

/* Fills at with the items' keys, in the arena; false: one of them cannot be of that partition. */
static bool items_take(const struct dynkv_node *node, uint64_t keyspace, uint32_t partition,
                       const struct dynkv_reap_item *items, uint32_t count,
                       struct dynkv_arena *arena, struct slot_key *at, uint64_t *digests)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct dynkv_reap_item *item = &items[i];

        if (item->digest == 0 || item->partition_len < 1 || item->partition_len > item->key.len ||
            place_partition(node, keyspace, item->key, item->partition_len) != partition)
            return false;
        at[i] = (struct slot_key){.keyspace = keyspace,
                                  .partition = partition,
                                  .partition_len = item->partition_len,
                                  .key = dynkv_slice_copy(item->key, arena)};
        digests[i] = item->digest;
    }
    return count > 0;
}

void on_reap_check(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                   const struct dynkv_reap_check *body)
{
    struct check_op *check = op_new(node, &check_class, sizeof *check, source, deadline_ms);
    struct dynkv_arena *arena = &check->op.arena;
    enum dynkv_error error =
        reap_agree(node, source->ring_version, body->keyspace, body->partition, body->n);

    check->items = dynkv_arena_calloc(arena, body->item_count, sizeof *check->items);
    check->digests = dynkv_arena_calloc(arena, body->item_count, sizeof *check->digests);
    check->held = dynkv_arena_calloc(arena, body->item_count, sizeof *check->held);
    if (!error && !items_take(node, body->keyspace, body->partition, body->items, body->item_count,
                              arena, check->items, check->digests))
        error = DYNKV_INVALID;
    if (error) {
        check_answer(node, &check->op, error);
        return;
    }
    check->item_count = check->left = body->item_count;
    for (uint32_t i = 0; i < check->item_count; i++)
        op_load(node, &check->op, i, body->keyspace, body->partition, check->items[i].key);
}

/* ---- QUIET, FENCE ---- */

struct quiet_op {
    struct op op;
    struct quiet_op *next;
    uint64_t keyspace;
    uint32_t partition;
    uint8_t n;
    uint64_t watermark, fence;
};

static void quiet_tell(struct dynkv_node *node, const struct source *source, enum dynkv_error error)
{
    struct dynkv_reap_quiet_reply reply = {.error = (uint8_t)error};

    node_answer(node, source, DYNKV_MESSAGE_REAP_QUIET_REPLY, &reply);
}

static void quiet_end(struct dynkv_node *node, struct quiet_op *quiet, enum dynkv_error error)
{
    struct quiet_op **at = &node->reap->quiet;

    while (*at != quiet)
        at = &(*at)->next;
    *at = quiet->next;
    node->reap->quiet_count--;
    quiet_tell(node, &quiet->op.source, error);
    op_end(node, &quiet->op);
}

static void quiet_on_deadline(struct dynkv_node *node, struct op *op)
{
    quiet_end(node, (struct quiet_op *)op, DYNKV_TIMEOUT);
}

static const struct op_class quiet_class = {
    .name = "reap quiet",
    .is_upkeep = true,
    .is_reap = true,
    .on_deadline = quiet_on_deadline,
};

/* OK, or why the question cannot be taken. */
static enum dynkv_error quiet_check(struct dynkv_node *node, const struct source *source,
                                    const struct dynkv_reap_quiet *body)
{
    enum dynkv_error error =
        reap_agree(node, source->ring_version, body->keyspace, body->partition, body->n);

    if (error)
        return error;
    if (node->reap->quiet_count >= CORE_REAP_QUIET_MAX)
        return DYNKV_OVERLOADED;
    if (!reap_is_bare(node, body->keyspace, body->partition, body->n))
        return DYNKV_CONFLICT; /* no need to wait */
    return DYNKV_OK;
}

void on_reap_quiet(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                   const struct dynkv_reap_quiet *body)
{
    enum dynkv_error error = quiet_check(node, source, body);
    struct quiet_op *quiet;

    if (error) {
        quiet_tell(node, source, error);
        return;
    }
    quiet = op_new(node, &quiet_class, sizeof *quiet, source, deadline_ms);
    quiet->keyspace = body->keyspace;
    quiet->partition = body->partition;
    quiet->n = body->n;
    quiet->watermark = quiet->op.id;
    quiet->fence = body->fence;
    if (body->fence)
        reap_set_fence(node, body->partition, body->fence);
    quiet->next = node->reap->quiet;
    node->reap->quiet = quiet;
    node->reap->quiet_count++;
}

void reap_answer_tick(struct dynkv_node *node)
{
    struct quiet_op *quiet = node->reap->quiet, *next;

    for (; quiet; quiet = next) {
        next = quiet->next;
        if (!reap_is_drained(node, quiet->watermark) || node->fence_durable < quiet->fence)
            continue;
        quiet_end(node, quiet,
                  reap_is_bare(node, quiet->keyspace, quiet->partition, quiet->n) ? DYNKV_OK
                                                                                  : DYNKV_CONFLICT);
    }
}

/* ---- DELETE ---- */

struct delete_op {
    struct op op;
    struct slot_key *items;
    uint64_t *digests;
    uint32_t left, reaped;
};

static void delete_answer(struct dynkv_node *node, struct op *op, enum dynkv_error error)
{
    struct dynkv_reap_reply reply = {.error = (uint8_t)error,
                                     .reaped = ((struct delete_op *)op)->reaped};

    node_answer(node, &op->source, DYNKV_MESSAGE_REAP_REPLY, &reply);
    op_end(node, op);
}

static enum dynkv_error delete_mutate(struct dynkv_node *node, struct op *op, uint32_t index,
                                      const struct dynkv_object *current, struct dynkv_arena *arena,
                                      struct dynkv_object *out)
{
    (void)arena;
    return reap_mutate(node, ((struct delete_op *)op)->digests[index], current, out);
}

static void delete_on_applied(struct dynkv_node *node, struct op *op, uint32_t index,
                              enum dynkv_error error, struct dynkv_slice object)
{
    struct delete_op *delete = (struct delete_op *)op;

    (void)index;
    (void)object;
    delete->reaped += error == DYNKV_OK;
    node->counters.tombstones_reaped += error == DYNKV_OK;
    if (--delete->left == 0)
        delete_answer(node, op, DYNKV_OK);
}

static void delete_on_stored(struct dynkv_node *node, struct op *op, uint32_t index,
                             enum dynkv_error error)
{
    (void)node;
    (void)op;
    (void)index;
    (void)error;
}

static void delete_on_deadline(struct dynkv_node *node, struct op *op)
{
    delete_answer(node, op, DYNKV_TIMEOUT);
}

static const struct op_class delete_class = {
    .name = "reap delete",
    .is_upkeep = true,
    .is_reap = true,
    .mutate = delete_mutate,
    .on_applied = delete_on_applied,
    .on_stored = delete_on_stored,
    .on_deadline = delete_on_deadline,
};

void on_reap(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
             const struct dynkv_reap *body)
{
    struct delete_op *delete = op_new(node, &delete_class, sizeof *delete, source, deadline_ms);
    struct dynkv_arena *arena = &delete->op.arena;
    enum dynkv_error error =
        reap_agree(node, source->ring_version, body->keyspace, body->partition, body->n);

    delete->items = dynkv_arena_calloc(arena, body->item_count, sizeof *delete->items);
    delete->digests = dynkv_arena_calloc(arena, body->item_count, sizeof *delete->digests);
    if (!error && !items_take(node, body->keyspace, body->partition, body->items, body->item_count,
                              arena, delete->items, delete->digests))
        error = DYNKV_INVALID;
    if (!error && fence_of(node, body->partition) < body->fence)
        error = DYNKV_REFUSED; /* no round has come so far here */
    if (error) {
        delete_answer(node, &delete->op, error);
        return;
    }
    delete->left = body->item_count;
    op_hold(&delete->op);
    for (uint32_t i = 0; i < body->item_count; i++)
        slot_change(node, &delete->items[i], &delete->op, i);
    op_release(node, &delete->op);
}
