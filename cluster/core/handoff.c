/*
 * handoff.c: bringing hints home.
 *
 * For every other member there is a pass over the hints kept for it, page after page, one page in flight:
 *
 *   SURVEY   after a start, and after a keyspace was dropped: the hints are counted, those of keyspaces
 *            that are no more are deleted, nothing is sent
 *   DELIVER  while there are any and the member is up: a page is sent to it as REPLICATE; when all of it is
 *            answered, the hints that the receiver holds durably are deleted; then comes the next page
 *
 * So the receiver sets the pace: it has never more than one page of each sender to do.  OVERLOADED, silence
 * and death end a page undone, and the next try waits, each time longer.  A message is taken whole or not at
 * all, so after any other refusal the hints go one by one, and one that is refused alone is passed over until
 * the next pass: it does not hold up the others.
 *
 * A hint is deleted only as the very version that was delivered, and where it was brought to is still where it
 * belongs: if it or the rings have changed meanwhile it stays for the next pass.  There is no other record of progress than the hints that are left: what a crash interrupts is
 * found in the store and goes on.  What was delivered and not yet deleted is delivered again, and merging it
 * again changes nothing.
 *
 * A hint for a member that is no replica of the key any more goes to all present replicas of the key, and stays
 * until all of them have it.  While a change of the membership is open that is also done for one that is a
 * replica in one of the rings only.  A member that is excluded, and whose place nobody has taken over, is
 * absent: its hints are the copies that it should have.
 */
#include "base/assert.h"
#include "core/node_impl.h"

/* Index of the change that deletes a hint; without this bit, of the one that merges it here. */
#define HANDOFF_DELETE (1u << (CORE_INDEX_BITS - 1))

struct handoff_item {
    struct slot_key at; /* of the hint */
    struct dynkv_slice object;
    uint64_t digest;
    bool sent, failed; /* to anyone, by anyone */
    bool dead;         /* its keyspace was dropped */
};

struct handoff_op {
    struct op op;
    uint64_t target;
    uint64_t rings; /* by which it was sent: place_rings */
    bool is_survey;
    struct handoff_item *items;
    uint32_t item_count;
    bool more;
    struct dynkv_slice cursor_key;
    uint32_t open;     /* questions and changes that are not answered yet */
    uint32_t deleting; /* deletions that are not made yet */
    uint32_t sent, delivered;
    bool deletes; /* all is answered */
    bool not_now; /* overloaded, silent or down: what the others would say, too */
    bool refused; /* an item of the page, for what it is */
};

/* What goes to one peer: a message is of one keyspace. */
struct handoff_batch {
    uint64_t peer, keyspace;
    uint32_t *items;
    uint32_t count;
    struct handoff_batch *next;
};

/* ---- the end of a page ---- */

static void handoff_rewind(struct handoff *handoff)
{
    dynkv_buf_reset(&handoff->cursor);
    handoff->useful = false;
    handoff->restart = false;
}

static void handoff_pass_end(struct dynkv_node *node, struct handoff *handoff, bool was_survey)
{
    if (was_survey)
        handoff->surveyed = true;
    else if (!handoff->useful)
        handoff->next_ms = node->mono_ms + CORE_HANDOFF_PAUSE_MS;
    handoff_rewind(handoff);
    if (was_survey && hints_are_surveyed(node))
        hints_surveyed(node);
}

static void handoff_pause(struct dynkv_node *node, struct handoff *handoff)
{
    uint32_t pause_ms = handoff->pause_ms ? handoff->pause_ms * 2 : CORE_HANDOFF_BACKOFF_MS;

    handoff->pause_ms = pause_ms < CORE_HANDOFF_PAUSE_MS ? pause_ms : CORE_HANDOFF_PAUSE_MS;
    handoff->next_ms = node->mono_ms + handoff->pause_ms;
}

static void handoff_next(struct dynkv_node *node, struct member *member);

static void handoff_end(struct dynkv_node *node, struct handoff_op *page)
{
    struct member *member = members_find(node, page->target);
    struct handoff *handoff = &member->handoff;

    handoff->page = 0;
    handoff->useful = handoff->useful || page->delivered;
    if (page->not_now) {
        handoff_pause(node, handoff);
    } else if (page->refused && handoff->limit != 1) {
        handoff->limit = 1;
    } else {
        uint32_t limit = handoff->limit ? handoff->limit * 2 : CORE_HANDOFF_ITEMS;

        handoff->limit = page->refused                ? 1
                         : limit < CORE_HANDOFF_ITEMS ? limit
                                                      : CORE_HANDOFF_ITEMS;
        handoff->pause_ms = 0;
        dynkv_buf_reset(&handoff->cursor);
        if (page->more)
            dynkv_put_raw(&handoff->cursor, page->cursor_key);
        else if (!handoff->restart)
            handoff_pass_end(node, handoff, page->is_survey);
    }
    if (handoff->restart)
        handoff_rewind(handoff);
    op_end(node, &page->op);
    handoff_next(node, member);
}

/* ---- deleting what was delivered ---- */

static enum dynkv_error handoff_mutate_hint(const struct dynkv_node *node,
                                            const struct handoff_op *page,
                                            const struct handoff_item *item,
                                            const struct dynkv_object *current,
                                            struct dynkv_object *out)
{
    if (!item->dead &&
        (dynkv_object_digest(current) != item->digest || place_rings(node) != page->rings))
        return DYNKV_CONFLICT; /* changed since it was sent */
    *out = (struct dynkv_object){0};
    return DYNKV_OK;
}

static void handoff_delete(struct dynkv_node *node, struct handoff_op *page)
{
    page->deletes = true;
    page->deleting = 1; /* until all are asked for */
    for (uint32_t i = 0; i < page->item_count; i++) {
        const struct handoff_item *item = &page->items[i];

        if (!item->dead && (!item->sent || item->failed) &&
            !mutant_is(node, DYNKV_MUTANT_FORGET_HINT))
            continue;
        if (!item->dead) {
            page->delivered++;
            node->counters.hints_delivered++;
        }
        page->deleting++;
        slot_change(node, &item->at, &page->op, i | HANDOFF_DELETE);
    }
    if (--page->deleting == 0)
        handoff_end(node, page);
}

static void handoff_answered(struct dynkv_node *node, struct handoff_op *page)
{
    DYNKV_ASSERT(page->open > 0);
    if (--page->open == 0)
        handoff_delete(node, page);
}

/* ---- delivering ---- */

static void handoff_item_failed(struct handoff_op *page, uint32_t index, enum dynkv_error error)
{
    page->items[index].failed = true;
    if (error == DYNKV_OVERLOADED || error == DYNKV_TIMEOUT || error == DYNKV_STORAGE ||
        error == DYNKV_STALE)
        page->not_now = true;
    else
        page->refused = true;
}

static enum dynkv_error handoff_mutate(struct dynkv_node *node, struct op *op, uint32_t index,
                                       const struct dynkv_object *current,
                                       struct dynkv_arena *arena, struct dynkv_object *out)
{
    struct handoff_op *page = (struct handoff_op *)op;
    const struct handoff_item *item = &page->items[index & ~HANDOFF_DELETE];
    struct dynkv_object incoming;
    enum dynkv_error error;

    if (index & HANDOFF_DELETE)
        return handoff_mutate_hint(node, page, item, current, out);
    error = dynkv_object_decode(item->object, arena, &incoming);
    if (error)
        return error;
    *out = merge_objects(node, current, &incoming, arena);
    return dynkv_object_is_within_limits(out) ? DYNKV_OK : DYNKV_TOO_LARGE;
}

static void handoff_on_applied(struct dynkv_node *node, struct op *op, uint32_t index,
                               enum dynkv_error error, struct dynkv_slice object)
{
    struct handoff_op *page = (struct handoff_op *)op;

    (void)object;
    if (index & HANDOFF_DELETE) {
        if (--page->deleting == 0)
            handoff_end(node, page);
    } else if (error) {
        handoff_item_failed(page, index, error);
        handoff_answered(node, page);
    }
}

static void handoff_on_stored(struct dynkv_node *node, struct op *op, uint32_t index,
                              enum dynkv_error error)
{
    struct handoff_op *page = (struct handoff_op *)op;

    if (index & HANDOFF_DELETE)
        return; /* one that fails takes the node out of service anyway */
    if (error)
        handoff_item_failed(page, index, error);
    handoff_answered(node, page);
}

static void handoff_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                              const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    struct handoff_op *page = (struct handoff_op *)op;
    const struct handoff_batch *batch = op->subs[sub].data;
    enum dynkv_error error = DYNKV_TIMEOUT;

    if (body && envelope->type == DYNKV_MESSAGE_REPLICATE_REPLY)
        error = (enum dynkv_error)body->replicate_reply.error;
    for (uint32_t i = 0; i < batch->count && error; i++)
        handoff_item_failed(page, batch->items[i], error);
    handoff_answered(node, page);
}

static struct handoff_batch *handoff_batch_for(struct handoff_op *page, struct handoff_batch **all,
                                               uint64_t peer, uint64_t keyspace)
{
    struct handoff_batch *batch = *all;

    while (batch && (batch->peer != peer || batch->keyspace != keyspace))
        batch = batch->next;
    if (batch)
        return batch;
    batch = dynkv_arena_calloc(&page->op.arena, 1, sizeof *batch);
    batch->peer = peer;
    batch->keyspace = keyspace;
    batch->items = dynkv_arena_calloc(&page->op.arena, page->item_count, sizeof *batch->items);
    batch->next = *all;
    *all = batch;
    return batch;
}

/* To whom a hint goes: the count, 0 while one of them is absent. */
static uint32_t handoff_receivers(const struct dynkv_node *node, const struct slot_key *at,
                                  uint64_t out[2 * DYNKV_REPLICAS_MAX])
{
    const uint32_t n = keyspaces_find(node, at->keyspace)->def.n;
    uint64_t list[2 * DYNKV_REPLICAS_MAX];
    uint32_t listed = place_replicas(node, at->partition, n, list), count = 0;

    if (dynkv_ring_replica_index(node->ring, at->partition, at->hint_for, n) >= 0 &&
        (!node->ring_also ||
         dynkv_ring_replica_index(node->ring_also, at->partition, at->hint_for, n) >= 0)) {
        out[0] = at->hint_for;
        return place_is_up(node, at->hint_for);
    }
    if (node->ring_also)
        listed += dynkv_ring_preference(node->ring_also, at->partition, list + listed, n);
    for (uint32_t i = 0; i < listed; i++) {
        const struct member *member = members_find(node, list[i]);
        bool known = !member || !member_counts(member);

        for (uint32_t j = 0; j < count; j++)
            known = known || out[j] == list[i];
        if (known)
            continue;
        if (!place_is_up(node, list[i]) && list[i] != node->id)
            return 0;
        out[count++] = list[i];
    }
    return count;
}

static void handoff_send(struct dynkv_node *node, struct handoff_op *page,
                         struct handoff_batch *all)
{
    for (; all; all = all->next) {
        const struct member *peer = members_find(node, all->peer);
        struct dynkv_replicate body = {.keyspace = all->keyspace, .item_count = all->count};
        uint32_t sub = op_ask(node, &page->op, all->peer, all);

        page->open++;
        body.items = dynkv_arena_calloc(&node->arena, all->count, sizeof *body.items);
        for (uint32_t i = 0; i < all->count; i++) {
            const struct handoff_item *item = &page->items[all->items[i]];

            body.items[i] =
                (struct dynkv_replicate_item){item->at.key, item->at.partition_len, item->object};
        }
        node_send(node, peer, DYNKV_MESSAGE_REPLICATE, op_token(&page->op, sub),
                  op_left_ms(node, &page->op), &body);
    }
}

static void handoff_deliver(struct dynkv_node *node, struct handoff_op *page)
{
    struct handoff_batch *all = NULL;

    page->rings = place_rings(node);
    page->open = 1; /* until all are asked for */
    for (uint32_t i = 0; i < page->item_count; i++) {
        struct handoff_item *item = &page->items[i];
        struct slot_key record = item->at;
        uint64_t receivers[2 * DYNKV_REPLICAS_MAX];
        uint32_t count = item->dead ? 0 : handoff_receivers(node, &item->at, receivers);

        record.hint_for = 0;
        item->sent = count > 0;
        for (uint32_t j = 0; j < count; j++) {
            struct handoff_batch *batch;

            if (receivers[j] == node->id) {
                page->open++;
                slot_change(node, &record, &page->op, i);
                continue;
            }
            batch = handoff_batch_for(page, &all, receivers[j], item->at.keyspace);
            batch->items[batch->count++] = i;
        }
    }
    handoff_send(node, page, all);
    handoff_answered(node, page);
}

/* ---- reading ---- */

/* Makes an item of what the store gave; false: that is no hint. */
static bool handoff_take(struct dynkv_node *node, struct handoff_op *page,
                         const struct dynkv_record *record)
{
    struct handoff_item *item = &page->items[page->item_count];
    struct dynkv_object object;

    if (!hints_key_open(record->key, page->target, &item->at) ||
        record_open(record->record, &item->at.partition_len, &item->object) ||
        item->at.partition_len > item->at.key.len || item->object.len == 0 ||
        dynkv_object_decode(item->object, &node->arena, &object) ||
        item->at.partition !=
            place_partition(node, item->at.keyspace, item->at.key, item->at.partition_len))
        return false;
    item->at.key = dynkv_slice_copy(item->at.key, &page->op.arena);
    item->object = dynkv_slice_copy(item->object, &page->op.arena);
    item->digest = dynkv_object_digest(&object);
    item->dead = keyspaces_find(node, item->at.keyspace) == NULL ||
                 (mutant_is(node, DYNKV_MUTANT_FORGET_GONE_HINTS) &&
                  !member_counts(members_find(node, page->target)));
    page->item_count++;
    return true;
}

static void handoff_on_scanned(struct dynkv_node *node, struct op *op, uint32_t index,
                               const struct dynkv_event *event)
{
    struct handoff_op *page = (struct handoff_op *)op;
    bool good = event->as.scanned.error == DYNKV_OK;

    (void)index;
    page->items =
        dynkv_arena_calloc(&op->arena, event->as.scanned.record_count, sizeof *page->items);
    for (uint32_t i = 0; i < event->as.scanned.record_count && good; i++) {
        good = handoff_take(node, page, &event->as.scanned.records[i]);
        if (!good)
            storage_has_failed(node, DYNKV_CORRUPT, "the reading of a hint");
        else if (page->is_survey)
            hints_seen(node, &page->items[i].at, page->items[i].object.len);
    }
    if (!good) {
        page->not_now = true;
        handoff_end(node, page);
        return;
    }
    page->more = event->as.scanned.more;
    page->cursor_key = dynkv_slice_copy(event->as.scanned.cursor_key, &op->arena);
    if (page->is_survey)
        handoff_delete(node, page);
    else
        handoff_deliver(node, page);
}

static void handoff_on_deadline(struct dynkv_node *node, struct op *op)
{
    struct handoff_op *page = (struct handoff_op *)op;

    page->not_now = true;
    handoff_end(node, page);
}

static const struct op_class handoff_class = {
    .name = "handoff",
    .is_upkeep = true,
    .on_scanned = handoff_on_scanned,
    .mutate = handoff_mutate,
    .on_applied = handoff_on_applied,
    .on_stored = handoff_on_stored,
    .on_answer = handoff_on_answer,
    .on_deadline = handoff_on_deadline,
};

/* ---- when ---- */

static void handoff_begin(struct dynkv_node *node, struct member *member)
{
    static const uint32_t partition = 0;
    struct handoff *handoff = &member->handoff;
    struct dynkv_effect_range *range = dynkv_effects_add_range(node->effects);
    struct dynkv_arena *arena = &node->effects->arena;
    struct handoff_op *page =
        op_new(node, &handoff_class, sizeof *page, &(struct source){.kind = SOURCE_NONE}, 0);

    page->target = member->info.id;
    page->is_survey = !handoff->surveyed;
    handoff->page = page->op.id;
    range->token = op_token(&page->op, 0);
    range->space = DYNKV_SPACE_HINTS;
    range->keyspace = member->info.id;
    range->partitions = dynkv_arena_copy(arena, &partition, sizeof partition);
    range->partition_count = 1;
    range->lower = dynkv_slice_copy(dynkv_buf_slice(&handoff->cursor), arena);
    range->limit = handoff->limit ? handoff->limit : CORE_HANDOFF_ITEMS;
    range->limit_bytes = CORE_HANDOFF_BYTES;
}

/* Begins the next page of a member's hints, if there is any and if it is time. */
static void handoff_next(struct dynkv_node *node, struct member *member)
{
    struct handoff *handoff = &member->handoff;
    bool absent = !place_is_up(node, member->info.id) && place_is_held(node, member->info.id) &&
                  (member_counts(member) || !node->ring_also);

    if (handoff->was_absent && !absent) { /* it is back: now, and with the first hint */
        handoff->next_ms = 0;
        handoff->pause_ms = 0;
        handoff->restart = true;
    }
    handoff->was_absent = absent;
    if (handoff->page || node->storage_failed || member == node->self)
        return;
    if (handoff->restart)
        handoff_rewind(handoff);
    if (node->mono_ms >= handoff->next_ms && (!handoff->surveyed || (handoff->pending && !absent)))
        handoff_begin(node, member);
}

void handoff_tick(struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++)
        handoff_next(node, node->members[i]);
}

void handoff_survey_again(struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct handoff *handoff = &node->members[i]->handoff;

        handoff->surveyed = handoff->surveyed && handoff->pending == 0;
        handoff->restart = true;
    }
}
