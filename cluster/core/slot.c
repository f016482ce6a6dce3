/*
 * slot.c: one key being changed.
 *
 * All changes to a key go through its slot, so that each sees the one before it:
 *
 *   LOADING  the object is on its way from the store; changes wait in order
 *   READY    the object is known, here; a change is made at once and its result sent to the store
 *
 * The slot holds the newest object, durable or not; it lives while a change waits or a store is in
 * flight, and the store gets the changes in order, so what it ends with is the newest too.  Every change
 * is answered twice: applied (made, on its way) and stored (durable).
 *
 * A hint has a slot too, apart from that of the record with the same key and from those of hints of that
 * key for other members.  What becomes empty is deleted from the store: a hint when it was delivered, a record
 * when it is reaped (reap.h).
 *
 * A store that fails takes the node out of service (storage_failed): the slot would know an object that
 * the disk does not, and a disk that lies once is not to be trusted with the next write (riak_kv #1714).
 */
#include <stdlib.h>

#include "base/assert.h"
#include "core/tree.h"

struct slot_wait {
    struct slot_wait *next;
    uint64_t token; /* operation and item */
};

struct slot {
    struct dynkv_map_node by_key;
    uint64_t id;        /* what its load is known by */
    struct slot_key at; /* its key is owned */
    bool ready;
    bool held;               /* its load waits until the tree that it is of is dropped */
    struct dynkv_buf object; /* encoded, when ready */
    struct slot_wait *waits, **waits_tail;
    uint32_t stores_in_flight;
};

/* A store in flight: which slot, and whose change. */
struct store_wait {
    struct dynkv_map_node by_token;
    uint64_t token;
    struct slot *slot;
    uint64_t op_token;
};

static uint64_t slot_hash(const struct slot_key *at)
{
    return dynkv_hash(at->key, at->keyspace ^ at->hint_for);
}

static struct slot *slot_find(const struct dynkv_node *node, const struct slot_key *at)
{
    struct dynkv_map_node *found = dynkv_map_find(&node->slots, slot_hash(at));

    for (; found; found = dynkv_map_find_next(found)) {
        struct slot *slot = DYNKV_CONTAINER(found, struct slot, by_key);

        if (slot->at.keyspace == at->keyspace && slot->at.partition == at->partition &&
            slot->at.hint_for == at->hint_for && dynkv_slice_equal(slot->at.key, at->key))
            return slot;
    }
    return NULL;
}

bool slot_is_busy(const struct dynkv_node *node, const struct slot_key *at)
{
    return slot_find(node, at) != NULL; /* idle ones are freed at once */
}

bool slot_changes_hints(const struct dynkv_node *node, uint32_t partition)
{
    struct dynkv_map_node *at = dynkv_map_first(&node->slots);

    for (; at; at = dynkv_map_next(&node->slots, at)) {
        const struct slot *slot = DYNKV_CONTAINER(at, struct slot, by_key);

        if (slot->at.hint_for && slot->at.partition == partition)
            return true;
    }
    return false;
}

/* Loads carry the slot's token; the table of store waits knows it until the answer comes. */
static uint64_t slot_expect(struct dynkv_node *node, struct slot *slot, uint64_t op_token_)
{
    struct store_wait *wait = dynkv_alloc(sizeof *wait);

    wait->token = node->next_id++ << CORE_INDEX_BITS;
    wait->slot = slot;
    wait->op_token = op_token_;
    dynkv_map_add(&node->store_waits, &wait->by_token, dynkv_hash_pair(wait->token, 1));
    return wait->token;
}

static struct store_wait *slot_expected(struct dynkv_node *node, uint64_t token)
{
    struct dynkv_map_node *found = dynkv_map_find(&node->store_waits, dynkv_hash_pair(token, 1));

    for (; found; found = dynkv_map_find_next(found)) {
        struct store_wait *wait = DYNKV_CONTAINER(found, struct store_wait, by_token);

        if (wait->token == token) {
            dynkv_map_remove(&node->store_waits, found);
            return wait;
        }
    }
    return NULL;
}

/* Where the store keeps it. */
static struct slot_place {
    enum dynkv_space space;
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_slice key;
} slot_place(struct dynkv_node *node, const struct slot_key *at)
{
    struct dynkv_arena *arena = &node->effects->arena;

    if (at->hint_for)
        return (struct slot_place){DYNKV_SPACE_HINTS, at->hint_for, 0, hints_key(at, arena)};
    return (struct slot_place){DYNKV_SPACE_RECORDS, at->keyspace, at->partition,
                               dynkv_slice_copy(at->key, arena)};
}

static bool tree_is_held(const struct dynkv_node *node, const struct slot_key *at)
{
    for (uint32_t i = 0; i < node->held_count && !at->hint_for; i++)
        if (node->held[i].keyspace == at->keyspace && node->held[i].partition == at->partition)
            return true;
    return false;
}

static void slot_load(struct dynkv_node *node, struct slot *slot)
{
    struct dynkv_effect_load *load = dynkv_effects_add_load(node->effects);
    struct slot_place place = slot_place(node, &slot->at);

    slot->held = false;
    load->token = slot_expect(node, slot, 0);
    load->space = place.space;
    load->keyspace = place.keyspace;
    load->partition = place.partition;
    load->key = place.key;
}

static struct slot *slot_new(struct dynkv_node *node, const struct slot_key *at)
{
    struct slot *slot = dynkv_calloc(1, sizeof *slot);
    uint8_t *key = dynkv_alloc(at->key.len);

    memcpy(key, at->key.data, at->key.len);
    slot->at = *at;
    slot->at.key = dynkv_slice(key, at->key.len);
    slot->waits_tail = &slot->waits;
    dynkv_map_add(&node->slots, &slot->by_key, slot_hash(at));
    node->counters.slots_in_use++;
    slot->held = tree_is_held(node, at);
    if (!slot->held)
        slot_load(node, slot);
    return slot;
}

/* ---- trees that are dropped ---- */

const bool *slot_busy_partitions(const struct dynkv_node *node)
{
    bool *busy = dynkv_arena_calloc((struct dynkv_arena *)&node->arena, node->partitions, 1);

    for (struct dynkv_map_node *at = dynkv_map_first(&node->slots); at;
         at = dynkv_map_next(&node->slots, at)) {
        const struct slot *slot = DYNKV_CONTAINER(at, struct slot, by_key);

        if (!slot->at.hint_for)
            busy[slot->at.partition] = true;
    }
    return busy;
}

void slot_hold(struct dynkv_node *node, uint64_t keyspace, uint32_t partition)
{
    node->held = dynkv_realloc(node->held, (node->held_count + 1) * sizeof *node->held);
    node->held[node->held_count++] = (struct held_tree){keyspace, partition};
}

void slot_release(struct dynkv_node *node, uint64_t keyspace, uint32_t partition)
{
    for (uint32_t i = 0; i < node->held_count; i++)
        if (node->held[i].keyspace == keyspace && node->held[i].partition == partition) {
            node->held[i] = node->held[--node->held_count];
            break;
        }
    for (struct dynkv_map_node *at = dynkv_map_first(&node->slots); at;
         at = dynkv_map_next(&node->slots, at)) {
        struct slot *slot = DYNKV_CONTAINER(at, struct slot, by_key);

        if (slot->held && slot->at.keyspace == keyspace && slot->at.partition == partition)
            slot_load(node, slot);
    }
}

static void slot_free(struct slot *slot)
{
    while (slot->waits) {
        struct slot_wait *wait = slot->waits;

        slot->waits = wait->next;
        free(wait);
    }
    dynkv_buf_fini(&slot->object);
    free((void *)(uintptr_t)slot->at.key.data);
    free(slot);
}

static void slot_free_if_idle(struct dynkv_node *node, struct slot *slot)
{
    if (slot->waits || slot->stores_in_flight || !slot->ready)
        return;
    dynkv_map_remove(&node->slots, &slot->by_key);
    node->counters.slots_in_use--;
    slot_free(slot);
}

static void slot_store(struct dynkv_node *node, struct slot *slot, uint64_t op_token_)
{
    struct dynkv_effect_store *store = dynkv_effects_add_store(node->effects);
    struct dynkv_slice object = dynkv_buf_slice(&slot->object);
    struct slot_place place = slot_place(node, &slot->at);

    store->token = slot_expect(node, slot, op_token_);
    store->space = place.space;
    store->keyspace = place.keyspace;
    store->partition = place.partition;
    store->key = place.key;
    store->kind = object.len ? DYNKV_STORE_RECORD : DYNKV_STORE_DELETE;
    if (object.len) {
        dynkv_buf_reset(&node->scratch);
        dynkv_put_varint(&node->scratch, slot->at.partition_len);
        dynkv_put_raw(&node->scratch, object);
        store->record = dynkv_slice_copy(dynkv_buf_slice(&node->scratch), &node->effects->arena);
    }
    slot->stores_in_flight++;
    if (!node->self->info.holds_data) {
        node->self->info.holds_data = 1;
        node->digest_stale = node->state_stale = true;
        gossip_spread_member(node, node->self);
    }
}

/* Makes one change; the slot is ready. */
static void slot_apply(struct dynkv_node *node, struct slot *slot, uint64_t token)
{
    struct op *op = op_find(node, token);
    struct dynkv_object current, changed = {0};
    struct dynkv_merkle_value before = {0};
    enum dynkv_error error;

    if (!op)
        return; /* its operation ended while it waited: nothing was promised */
    op_hold(op);
    error = dynkv_object_decode(dynkv_buf_slice(&slot->object), &node->arena, &current);
    if (!error)
        before = dynkv_merkle_value(&current); /* here: mutate may reuse its siblings */
    if (!error)
        error = op->class->mutate(node, op, op_index(token), &current, &node->arena, &changed);
    if (!error) {
        struct dynkv_buf encoded = {0};

        /* changed borrows from the slot's bytes: encode beside them. */
        dynkv_object_encode(&changed, &encoded);
        if (slot->at.hint_for && !hints_take(node, &slot->at, encoded.len)) {
            error = DYNKV_OVERLOADED;
            dynkv_buf_fini(&encoded);
        } else {
            if (!slot->at.hint_for)
                tree_changed(node, &slot->at, before, dynkv_merkle_value(&changed));
            dynkv_buf_fini(&slot->object);
            slot->object = encoded;
            slot_store(node, slot, token);
        }
    }
    op->class->on_applied(node, op, op_index(token), error, dynkv_buf_slice(&slot->object));
    op_release(node, op);
}

void slot_change(struct dynkv_node *node, const struct slot_key *at, struct op *op, uint32_t item)
{
    struct slot *slot = slot_find(node, at);
    struct slot_wait *wait;

    if (slot && slot->ready) {
        slot->stores_in_flight++; /* stay while the change is made */
        slot_apply(node, slot, op_token(op, item));
        slot->stores_in_flight--;
        slot_free_if_idle(node, slot);
        return;
    }
    if (!slot)
        slot = slot_new(node, at);
    wait = dynkv_calloc(1, sizeof *wait);
    wait->token = op_token(op, item);
    *slot->waits_tail = wait;
    slot->waits_tail = &wait->next;
}

static void slot_fail_waiting(struct dynkv_node *node, uint64_t token, enum dynkv_error error)
{
    struct op *op = op_find(node, token);

    if (!op)
        return;
    op_hold(op);
    op->class->on_applied(node, op, op_index(token), error, dynkv_slice(NULL, 0));
    op_release(node, op);
}

bool slot_on_loaded(struct dynkv_node *node, uint64_t token, enum dynkv_error error,
                    struct dynkv_slice record)
{
    struct store_wait *wait = slot_expected(node, token);
    struct slot *slot;
    struct dynkv_slice object = {NULL, 0};
    uint32_t partition_len;

    if (!wait)
        return false;
    slot = wait->slot;
    free(wait);
    if (!error)
        error = record_open(record, &partition_len, &object);
    if (error == DYNKV_NOT_FOUND)
        error = DYNKV_OK;
    slot->ready = true;
    slot->stores_in_flight++; /* stay until all that wait are served */
    dynkv_put_raw(&slot->object, object);
    while (slot->waits) {
        struct slot_wait *first = slot->waits;

        slot->waits = first->next;
        if (!slot->waits)
            slot->waits_tail = &slot->waits;
        if (error)
            slot_fail_waiting(node, first->token, error);
        else
            slot_apply(node, slot, first->token);
        free(first);
    }
    slot->stores_in_flight--;
    slot_free_if_idle(node, slot);
    return true;
}

void slot_on_stored(struct dynkv_node *node, uint64_t token, enum dynkv_error error)
{
    struct store_wait *wait = slot_expected(node, token);
    struct slot *slot;
    struct op *op;

    if (!wait)
        return;
    slot = wait->slot;
    op = op_find(node, wait->op_token);
    if (op) {
        op_hold(op);
        op->class->on_stored(node, op, op_index(wait->op_token), error);
        op_release(node, op);
    }
    free(wait);
    DYNKV_ASSERT(slot->stores_in_flight > 0);
    slot->stores_in_flight--;
    slot_free_if_idle(node, slot);
}

enum dynkv_error record_open(struct dynkv_slice record, uint32_t *partition_len,
                             struct dynkv_slice *object)
{
    struct dynkv_cursor cursor = dynkv_cursor(record);
    uint64_t len = dynkv_get_varint(&cursor);

    if (cursor.failed || len > DYNKV_KEY_MAX)
        return DYNKV_CORRUPT;
    *partition_len = (uint32_t)len;
    *object = dynkv_get_raw(&cursor, dynkv_cursor_left(&cursor));
    return DYNKV_OK;
}

void storage_has_failed(struct dynkv_node *node, enum dynkv_error error, const char *doing)
{
    node->counters.storage_errors++;
    if (!node->storage_failed)
        node_log(node, DYNKV_LOG_ERROR,
                 "%s failed (%s): the node is out of service; free or repair the disk and "
                 "restart it",
                 doing, dynkv_error_text(error));
    node->storage_failed = true;
}

void slots_fini(struct dynkv_node *node)
{
    struct dynkv_map_node *at, *next;

    for (at = dynkv_map_first(&node->store_waits); at; at = next) {
        next = dynkv_map_next(&node->store_waits, at);
        free(DYNKV_CONTAINER(at, struct store_wait, by_token));
    }
    for (at = dynkv_map_first(&node->slots); at; at = next) {
        next = dynkv_map_next(&node->slots, at);
        slot_free(DYNKV_CONTAINER(at, struct slot, by_key));
    }
    free(node->held);
    dynkv_map_fini(&node->store_waits);
    dynkv_map_fini(&node->slots);
}
