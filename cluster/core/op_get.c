/*
 * op_get.c: GET, in its two ways.
 *
 *   local       the asker does the quorum itself and wants what this replica holds: one load a key
 *   coordinate  this node does the quorum: per key a read_quorum (model/), whose questions are gathered
 *               into one GET per peer; replicas that turn out stale are sent the merged object
 *
 * A REPAIR is a coordinated one, of all replicas that are up, of which nobody is told (op_repair.c).
 */
#include "base/assert.h"
#include "core/get.h"

/* One question inside a GET to a peer. */
struct get_part {
    uint32_t item, replica;
    uint8_t want;
};

struct get_parts {
    uint64_t peer;
    struct get_part *parts;
    uint32_t count;
    struct get_parts *next;
};

/* ---- the end of an item and of the whole ---- */

static void get_finish(struct dynkv_node *node, struct get_op *get)
{
    struct dynkv_get_reply reply;
    size_t bytes = 0;

    if (get->repairs) {
        repair_done(node, get);
        op_end(node, &get->op);
        return;
    }
    reply.result_count = get->item_count;
    reply.results = dynkv_arena_calloc(&node->arena, get->item_count, sizeof *reply.results);
    for (uint32_t i = 0; i < get->item_count; i++) {
        struct dynkv_get_result *result = &reply.results[i];

        *result = get->items[i].result;
        if (bytes && bytes + result->object.len > DYNKV_REPLY_MAX)
            *result = (struct dynkv_get_result){.error = DYNKV_TRUNCATED};
        bytes += result->object.len;
    }
    reply.extent = extent_tell(node, &get->op.source, get->keyspace, &reply.extent_count);
    node_answer(node, &get->op.source, DYNKV_MESSAGE_GET_REPLY, &reply);
    op_end(node, &get->op);
}

static void get_item_done(struct dynkv_node *node, struct get_op *get, struct get_item *item,
                          enum dynkv_error error)
{
    DYNKV_ASSERT(!item->done);
    item->done = true;
    item->result.error = (uint8_t)error;
    if (error == DYNKV_UNAVAILABLE || error == DYNKV_TIMEOUT)
        node->counters.reads_unavailable++;
    if (--get->undone == 0)
        get_finish(node, get);
}

/* ---- coordinate ---- */

/* Sends the merged object to the replicas that answered with something else. */
static void get_repair_stale(struct dynkv_node *node, const struct get_item *item)
{
    struct dynkv_replicate_item stale = {item->at.key, item->at.partition_len, item->result.object};
    struct dynkv_replicate body = {.keyspace = item->at.keyspace, .items = &stale, .item_count = 1};

    if (mutant_is(node, DYNKV_MUTANT_SKIP_READ_REPAIR))
        return;
    for (uint32_t i = 0; i < item->read.n; i++) {
        if (!dynkv_read_quorum_is_stale(&item->read, i))
            continue;
        node->counters.read_repairs++;
        if (item->replicas[i] == node->id) {
            on_replicate(node, &(struct source){.kind = SOURCE_NONE}, 0, &body);
        } else {
            const struct member *peer = members_find(node, item->replicas[i]);

            if (peer)
                node_send(node, peer, DYNKV_MESSAGE_REPLICATE, 0, 0, &body);
        }
    }
}

static void get_item_read(struct dynkv_node *node, struct get_op *get, struct get_item *item)
{
    struct dynkv_buf encoded = {0};

    item->result.answers = (uint8_t)dynkv_read_quorum_answers(&item->read);
    item->result.digest = item->read.merged_digest;
    if (!dynkv_object_is_within_limits(&item->read.merged)) {
        get_item_done(node, get, item, DYNKV_TOO_LARGE);
        return;
    }
    if (item->read.merged_digest) {
        dynkv_object_encode(&item->read.merged, &encoded);
        item->result.object = dynkv_slice_copy(dynkv_buf_slice(&encoded), &get->op.arena);
        dynkv_buf_fini(&encoded);
        get_repair_stale(node, item);
    }
    get_item_done(node, get, item, DYNKV_OK);
}

static struct get_parts *get_parts_of(struct dynkv_node *node, struct get_op *get,
                                      struct get_parts **all, uint64_t peer)
{
    struct get_parts *parts = *all;

    while (parts && parts->peer != peer)
        parts = parts->next;
    if (parts)
        return parts;
    (void)node;
    parts = dynkv_arena_calloc(&get->op.arena, 1, sizeof *parts);
    parts->peer = peer;
    parts->parts = dynkv_arena_calloc(&get->op.arena, get->item_count, sizeof *parts->parts);
    parts->next = *all;
    *all = parts;
    return parts;
}

/* Moves one item on: collects what it wants asked, or ends it.  The operation may end. */
static void get_advance(struct dynkv_node *node, struct get_op *get, uint32_t index,
                        struct get_parts **all)
{
    struct get_item *item = &get->items[index];
    enum dynkv_want want;
    uint32_t replica;

    if (item->done)
        return;
    while (dynkv_read_quorum_next(&item->read, &replica, &want)) {
        if (item->replicas[replica] == node->id) {
            op_load(node, &get->op, index, item->at.keyspace, item->at.partition, item->at.key);
        } else {
            struct get_parts *parts = get_parts_of(node, get, all, item->replicas[replica]);

            /* A key asks one replica at a time at most once, so a list never outgrows the items. */
            DYNKV_ASSERT(parts->count < get->item_count);
            parts->parts[parts->count++] = (struct get_part){index, replica, (uint8_t)want};
        }
    }
    switch (dynkv_read_quorum_state(&item->read)) {
    case DYNKV_READ_ASKING:
        break;
    case DYNKV_READ_DONE:
        get_item_read(node, get, item);
        break;
    case DYNKV_READ_FAILED:
        item->result.answers = (uint8_t)dynkv_read_quorum_answers(&item->read);
        get_item_done(node, get, item, item->refused ? DYNKV_RING_CHANGED : DYNKV_UNAVAILABLE);
        break;
    }
}

/* Sends what was collected: one GET a peer. */
static void get_ask(struct dynkv_node *node, struct get_op *get, struct get_parts *all)
{
    uint32_t left_ms = op_left_ms(node, &get->op);

    for (; all; all = all->next) {
        const struct member *peer = members_find(node, all->peer);
        struct dynkv_get body = {.keyspace = get->keyspace, .item_count = all->count};
        uint32_t sub = op_ask(node, &get->op, all->peer, all);

        body.items = dynkv_arena_calloc(&node->arena, all->count, sizeof *body.items);
        for (uint32_t i = 0; i < all->count; i++) {
            const struct get_item *item = &get->items[all->parts[i].item];

            body.items[i] =
                (struct dynkv_get_item){item->at.key, item->at.partition_len, all->parts[i].want};
        }
        if (peer)
            node_send(node, peer, DYNKV_MESSAGE_GET, op_token(&get->op, sub), left_ms, &body);
    }
}

/* An answer of one replica about one item; error: it could not tell. */
static void get_show(struct get_op *get, const struct get_part *part,
                     const struct dynkv_get_result *result)
{
    struct get_item *item = &get->items[part->item];
    struct dynkv_object object;
    struct dynkv_slice bytes;

    if (item->done)
        return;
    if (result && result->error == DYNKV_TRUNCATED) {
        dynkv_read_quorum_on_truncated(&item->read, part->replica);
        return;
    }
    if (!result || result->error) {
        item->refused |= result && result->error == DYNKV_NOT_REPLICA;
        dynkv_read_quorum_on_failure(&item->read, part->replica);
        return;
    }
    if (part->want == DYNKV_WANT_DIGEST) {
        dynkv_read_quorum_on_digest(&item->read, part->replica, result->digest);
        return;
    }
    bytes = dynkv_slice_copy(result->object, &get->op.arena);
    if (dynkv_object_decode(bytes, &get->op.arena, &object))
        dynkv_read_quorum_on_failure(&item->read, part->replica);
    else
        dynkv_read_quorum_on_object(&item->read, part->replica, &object, &get->op.arena);
}

static void get_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                          const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    struct get_op *get = (struct get_op *)op;
    const struct get_parts *asked = op->subs[sub].data;
    struct get_parts *all = NULL;
    bool good = body && envelope->type == DYNKV_MESSAGE_GET_REPLY &&
                body->get_reply.result_count == asked->count;

    for (uint32_t i = 0; i < asked->count; i++)
        get_show(get, &asked->parts[i], good ? &body->get_reply.results[i] : NULL);
    for (uint32_t i = 0; i < asked->count && !op->ended; i++)
        get_advance(node, get, asked->parts[i].item, &all);
    if (!op->ended)
        get_ask(node, get, all);
}

/* A peer is slow: the next replica of each of its keys is asked as well. */
static void get_on_slow(struct dynkv_node *node, struct op *op, uint32_t sub)
{
    struct get_op *get = (struct get_op *)op;
    const struct get_parts *asked = op->subs[sub].data;
    struct get_parts *all = NULL;

    for (uint32_t i = 0; i < asked->count; i++) {
        struct get_item *item = &get->items[asked->parts[i].item];

        if (item->done)
            continue;
        dynkv_read_quorum_hedge(&item->read);
        get_advance(node, get, asked->parts[i].item, &all);
    }
    get_ask(node, get, all);
}

/* ---- loads: the whole of a local get, one answer among others of a coordinated one ---- */

static void get_on_loaded_local(struct dynkv_node *node, struct get_op *get, struct get_item *item,
                                enum dynkv_error error, struct dynkv_slice bytes)
{
    struct dynkv_object object = {0};

    if (error == DYNKV_NOT_FOUND)
        error = DYNKV_OK;
    else if (!error && dynkv_object_decode(bytes, &node->arena, &object))
        error = DYNKV_CORRUPT;
    if (!error && object.version.count) {
        item->result.digest = dynkv_object_digest(&object);
        if (item->want == DYNKV_WANT_OBJECT)
            item->result.object = dynkv_slice_copy(bytes, &get->op.arena);
    }
    item->result.answers = error ? 0 : 1;
    get_item_done(node, get, item, error);
}

static void get_on_loaded(struct dynkv_node *node, struct op *op, uint32_t index,
                          enum dynkv_error error, struct dynkv_slice bytes)
{
    struct get_op *get = (struct get_op *)op;
    struct get_item *item = &get->items[index];
    struct dynkv_get_result result = {.error = (uint8_t)error, .object = bytes};
    /* This node is the first of the list whenever it is on it. */
    struct get_part part = {index, 0, DYNKV_WANT_OBJECT};
    struct get_parts *all = NULL;

    if (!get->coordinate) {
        get_on_loaded_local(node, get, item, error, bytes);
        return;
    }
    if (error == DYNKV_NOT_FOUND)
        result.error = DYNKV_OK;
    if (item->read.replicas[0].state == DYNKV_REPLICA_WAITING_DIGEST)
        item->read.replicas[0].state = DYNKV_REPLICA_WAITING_OBJECT; /* we have it whole */
    get_show(get, &part, &result);
    get_advance(node, get, index, &all);
    if (!op->ended)
        get_ask(node, get, all);
}

static void get_on_deadline(struct dynkv_node *node, struct op *op)
{
    struct get_op *get = (struct get_op *)op;

    op_hold(op);
    for (uint32_t i = 0; i < get->item_count && !op->ended; i++) {
        struct get_item *item = &get->items[i];

        if (item->done)
            continue;
        item->result.answers =
            get->coordinate ? (uint8_t)dynkv_read_quorum_answers(&item->read) : 0;
        get_item_done(node, get, item, get->coordinate ? DYNKV_UNAVAILABLE : DYNKV_TIMEOUT);
    }
    op_release(node, op);
}

static const struct op_class get_class = {
    .name = "get",
    .on_loaded = get_on_loaded,
    .on_answer = get_on_answer,
    .on_slow = get_on_slow,
    .on_deadline = get_on_deadline,
};

/* ---- the beginning ---- */

static bool get_item_is_possible(const struct dynkv_get_item *from)
{
    return from->partition_len >= 1 && from->partition_len <= from->key.len;
}

static void get_start_local(struct dynkv_node *node, struct get_op *get, uint32_t index, uint32_t n)
{
    struct get_item *item = &get->items[index];

    if (!get->held && !mutant_is(node, DYNKV_MUTANT_STALE_READS) &&
        dynkv_ring_replica_index(node->ring, item->at.partition, node->id, n) < 0)
        get_item_done(node, get, item, DYNKV_NOT_REPLICA);
    else
        op_load(node, &get->op, index, item->at.keyspace, item->at.partition, item->at.key);
}

struct get_op *get_new(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                       const struct dynkv_get *body)
{
    struct get_op *get = op_new(node, &get_class, sizeof *get, source, deadline_ms);

    get->keyspace = body->keyspace;
    get->coordinate = (body->flags & DYNKV_GET_COORDINATE) != 0;
    get->held = (body->flags & DYNKV_GET_HELD) != 0 && source->kind == SOURCE_PEER;
    get->item_count = get->undone = body->item_count;
    get->items = dynkv_arena_calloc(&get->op.arena, body->item_count, sizeof *get->items);
    for (uint32_t i = 0; i < body->item_count; i++) {
        const struct dynkv_get_item *from = &body->items[i];
        struct get_item *item = &get->items[i];

        item->at.keyspace = body->keyspace;
        item->at.key = dynkv_slice_copy(from->key, &get->op.arena);
        item->at.partition_len = from->partition_len;
        item->want = from->want;
        if (get_item_is_possible(from))
            item->at.partition =
                place_partition(node, body->keyspace, item->at.key, from->partition_len);
    }
    return get;
}

void get_start(struct dynkv_node *node, struct get_op *get, uint32_t n, uint32_t r)
{
    struct op *op = &get->op;
    struct get_parts *all = NULL;

    if (r && mutant_is(node, DYNKV_MUTANT_READ_ONE))
        r = 1;
    op_hold(op);
    for (uint32_t i = 0; i < get->item_count && !op->ended; i++) {
        struct get_item *item = &get->items[i];
        uint32_t readable;

        if (item->at.partition_len < 1 || item->at.partition_len > item->at.key.len) {
            get_item_done(node, get, item, DYNKV_INVALID);
        } else if (!get->coordinate) {
            get_start_local(node, get, i, n);
        } else {
            readable = place_readable(node, item->at.partition, n, item->replicas);
            dynkv_read_quorum_init(&item->read, readable, r ? r : readable ? readable : 1);
            get_advance(node, get, i, &all);
        }
    }
    if (!op->ended)
        get_ask(node, get, all);
    op_release(node, op);
}

void on_get(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
            const struct dynkv_get *body)
{
    const struct keyspace *keyspace = keyspaces_require(node, source, body->keyspace);
    struct dynkv_get_reply none = {0};
    uint32_t r;

    if (!keyspace)
        return;
    r = body->r ? body->r : keyspace->def.r;
    if (r > keyspace->def.n) {
        node_answer_error(node, source, DYNKV_INVALID, "r=%u is more than the keyspace's n=%u", r,
                          keyspace->def.n);
        return;
    }
    node->counters.gets += body->item_count;
    if (body->item_count == 0)
        node_answer(node, source, DYNKV_MESSAGE_GET_REPLY, &none);
    else
        get_start(node, get_new(node, source, deadline_ms, body), keyspace->def.n, r);
}
