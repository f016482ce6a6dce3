/*
 * put.c: writes.
 *
 * Each item goes to the first live replica of its key, which coordinates it; items of one node share
 * messages.  An item of which nothing was sent may go to the next replica when a node fails.  Once a
 * byte of its message was sent, it is lost: whether it took effect is not known, and another node could
 * not tell that it is the same write.  So that is the end of it, unless the call says that readers take the
 * last value.  Then the request's items are stamped with its time, which all coordinators keep, and a lost one
 * goes to the next replica, too: applied twice, it is nothing but two siblings with one value and one time
 * (core/put_apply.c).  A node that is silent for half of the time there is, or 5 s, counts as lost.
 *
 *   STALE   something as new as the stamp is known there, and the item was not applied.  If it was not lost
 *           before, its clock was only behind: it goes without a stamp.  Else it may have taken effect at the
 *           node that was lost, and been replaced: to write it now could undo that, so its outcome is unknown.
 *
 * What a node refused because of the ring was not carried out: it follows the new ring.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "client/request.h"

#define REPLANS_MAX   3u    /* times that one item follows a change of the ring */
#define LOST_AFTER_MS 5000u /* a node that was silent for so long had better be done without */
#define ITEM_OVERHEAD 32u   /* bytes of an item beside key, context and value, at most */

struct put_item {
    struct dynkv_put_item item;
    struct dynkv_session *replicas[DYNKV_REPLICAS_MAX];
    uint8_t replica_count, next_replica;
    uint8_t replans;
    bool is_done;
    bool is_lost; /* it was sent, and may have taken effect */
    bool wants_ring;
};

struct put_message {
    struct put_message *next; /* of the request */
    struct put_request *put;
    struct dynkv_exchange exchange;
    struct dynkv_put body;
    uint32_t *items;     /* which, one an entry of the body */
    uint64_t lost_at_ms; /* when silence is enough, if its items may go elsewhere */
    bool is_taught;
    struct dynkv_exchange lesson;
    struct dynkv_keyspace_open lesson_body;
};

struct put_request {
    struct dynkv_request base;
    uint64_t keyspace;
    uint32_t n;
    uint8_t w, flags;
    bool may_repeat;
    uint64_t stamp, sequence; /* of items that may be repeated; stamp 0: there are none */
    struct put_item *items;
    struct dynkv_write_result *results;
    uint32_t count, undone;
    uint32_t unknown; /* items that were sent and whose outcome is not known */
    bool some_want_ring;
    struct put_message *messages;
    struct dynkv_grouping grouping;
};

static struct put_request *put_of(struct dynkv_request *request)
{
    return DYNKV_CONTAINER(request, struct put_request, base);
}

/* ---- an item ---- */

static void item_end(struct put_request *put, uint32_t i, enum dynkv_error error)
{
    struct put_item *item = &put->items[i];

    if (item->is_done)
        return;
    item->is_done = true;
    put->undone--;
    put->unknown += error && item->is_lost;
    put->results[i].error = error;
    if (error && !put->base.error)
        put->base.error = error;
}

/* Puts an item into the grouping for the next node to try, or ends it. */
static void item_step(struct put_request *put, uint32_t i)
{
    struct put_item *item = &put->items[i];

    if (item->next_replica == item->replica_count) {
        item_end(put, i, DYNKV_UNAVAILABLE); /* of all that was tried nothing was carried out */
        return;
    }
    dynkv_grouping_add(&put->grouping, item->replicas[item->next_replica++],
                       &(struct dynkv_group_entry){
                           .item = i,
                           .bytes = item->item.key.len + item->item.context.len +
                                    item->item.value.len + ITEM_OVERHEAD,
                       });
}

static bool item_may_repeat(const struct put_item *item)
{
    return (item->item.flags & DYNKV_PUT_STAMPED) != 0;
}

/* Whether it took effect is not known. */
static void item_lose(struct put_request *put, uint32_t i, enum dynkv_error error)
{
    put->items[i].is_lost = true;
    if (item_may_repeat(&put->items[i]))
        item_step(put, i);
    else
        item_end(put, i, error);
}

/* The node knows something as new as its stamp. */
static void item_is_stale(struct put_request *put, uint32_t i)
{
    struct put_item *item = &put->items[i];

    if (item->is_lost || !item_may_repeat(item)) {
        item_end(put, i, DYNKV_UNAVAILABLE);
        return;
    }
    item->item.flags &= (uint8_t)~DYNKV_PUT_STAMPED;
    item->next_replica--; /* the same node once more */
    item_step(put, i);
}

static void item_refused(struct put_request *put, uint32_t i, enum dynkv_error error)
{
    struct put_item *item = &put->items[i];
    bool is_ring = error == DYNKV_NOT_REPLICA || error == DYNKV_RING_CHANGED;

    if (is_ring && item->replans < REPLANS_MAX) {
        item->wants_ring = true;
        put->some_want_ring = true;
    } else {
        item_end(put, i, error);
    }
}

/* ---- the end ---- */

static uint32_t failed_count(const struct put_request *put)
{
    uint32_t failed = 0;

    for (uint32_t i = 0; i < put->count; i++)
        failed += put->results[i].error != DYNKV_OK;
    return failed;
}

static void fail_text(struct put_request *put)
{
    struct dynkv_request *request = &put->base;
    const char *because = request->blame.count ? request->blame.text : "no replica can be reached";
    uint32_t failed = failed_count(put);

    if (put->unknown)
        dynkv_request_fail(request, request->error,
                           "%u of %u writes failed; the outcome of %u is unknown, they may still "
                           "take effect: %s",
                           failed, put->count, put->unknown, because);
    else if (request->error == DYNKV_TIMEOUT)
        dynkv_request_fail(request, request->error,
                           "%u of %u writes could not be sent within %u ms: %s", failed, put->count,
                           request->deadline_ms, because);
    else
        dynkv_request_fail(request, request->error, "%u of %u writes failed: %s", failed,
                           put->count, because);
}

static void put_send(struct put_request *put);

static void put_go_on(struct put_request *put, struct dynkv_session *knows_ring)
{
    put_send(put);
    if (put->undone && put->some_want_ring)
        dynkv_request_await_ring(&put->base, knows_ring);
    if (put->undone || put->base.is_done)
        return;
    if (put->base.error)
        fail_text(put);
    else
        dynkv_request_finish(&put->base);
}

/* ---- answers ---- */

/* The whole message came to nothing. */
static void message_failed(struct put_message *message, enum dynkv_fate fate,
                           enum dynkv_error error, const char *why)
{
    struct put_request *put = message->put;

    dynkv_blame_add(&put->base.blame, message->exchange.session, error, why);
    dynkv_grouping_begin(&put->grouping, put->base.client);
    for (uint32_t i = 0; i < message->body.item_count; i++) {
        uint32_t item = message->items[i];

        switch (fate) {
        case DYNKV_FATE_ANSWERED:
            /* These are said of messages that were not even looked at: another node may do it. */
            if (error == DYNKV_STOPPING || error == DYNKV_OVERLOADED || error == DYNKV_STORAGE)
                item_step(put, item);
            else
                item_refused(put, item, error);
            break;
        case DYNKV_FATE_UNSENT:
            if (error == DYNKV_TOO_LARGE)
                item_end(put, item, error);
            else
                item_step(put, item);
            break;
        case DYNKV_FATE_LOST:
            item_lose(put, item, DYNKV_UNAVAILABLE);
            break;
        }
    }
    put_go_on(put, message->exchange.session);
}

static void message_submit(struct put_message *message, struct dynkv_session *session)
{
    struct dynkv_request *request = &message->put->base;
    uint64_t now_ms = request->client->now_ms;

    /* Without a stamp every sending is a new one to the coordinator's memory of what it has carried out. */
    message->body.sequence =
        message->body.stamp ? message->put->sequence : ++request->client->sequence;
    message->lost_at_ms = now_ms + LOST_AFTER_MS;
    if (message->lost_at_ms > (now_ms + request->deadline_at_ms) / 2)
        message->lost_at_ms = (now_ms + request->deadline_at_ms) / 2;
    dynkv_session_submit(session, &message->exchange);
}

static void on_taught(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct put_message *message = exchange->owner;

    if (outcome->error)
        message_failed(message, DYNKV_FATE_ANSWERED, DYNKV_NO_KEYSPACE,
                       "it does not know the keyspace");
    else
        message_submit(message, exchange->session);
}

static bool teach(struct put_message *message)
{
    struct put_request *put = message->put;

    if (message->is_taught)
        return false;
    message->is_taught = true;
    return dynkv_keyspace_teach(put->base.client, message->exchange.session, put->keyspace,
                                &message->lesson, &message->lesson_body, &put->base.arena,
                                put->base.deadline_at_ms, on_taught, message);
}

static void item_answered(struct put_message *message, uint32_t i,
                          const struct dynkv_put_result *answer)
{
    struct put_request *put = message->put;
    struct dynkv_write_result *result = &put->results[i];

    result->acks = answer->acks;
    if (!answer->error) {
        /* The whole version covers siblings that the writer never saw: given back, it would drop them. */
        if (answer->siblings <= 1)
            result->context = answer->context;
        result->siblings = answer->siblings;
        result->timestamp = answer->timestamp;
        item_end(put, i, DYNKV_OK);
        return;
    }
    dynkv_blame_add(&put->base.blame, message->exchange.session, answer->error,
                    dynkv_error_text(answer->error));
    if (answer->error == DYNKV_UNAVAILABLE || answer->error == DYNKV_TIMEOUT)
        item_lose(put, i, answer->error);
    else if (answer->error == DYNKV_STALE)
        item_is_stale(put, i);
    else if (answer->error == DYNKV_OVERLOADED)
        item_step(put, i); /* it could not stamp the write just then: another node may */
    else
        item_refused(put, i, answer->error);
}

/* Without any doubt carried out by nobody: all results say that the keyspace is not known. */
static bool is_unknown_keyspace(const struct dynkv_put_reply *reply)
{
    for (uint32_t i = 0; i < reply->result_count; i++)
        if (reply->results[i].error != DYNKV_NO_KEYSPACE)
            return false;
    return true;
}

static void on_put(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct put_message *message = exchange->owner;
    struct put_request *put = message->put;
    const struct dynkv_put_reply *reply;

    if (outcome->error == DYNKV_NO_KEYSPACE && outcome->fate == DYNKV_FATE_ANSWERED &&
        teach(message))
        return;
    if (outcome->error) {
        message_failed(message, outcome->fate, outcome->error, outcome->text);
        return;
    }
    reply = &outcome->body->put_reply;
    if (reply->result_count != message->body.item_count) {
        message_failed(message, DYNKV_FATE_LOST, DYNKV_MALFORMED,
                       "it answered another number of writes than were sent");
        return;
    }
    if (is_unknown_keyspace(reply) && teach(message))
        return;
    dynkv_keyspace_learn(put->base.client, put->keyspace, reply->extent, reply->extent_count);
    dynkv_grouping_begin(&put->grouping, put->base.client);
    for (uint32_t i = 0; i < reply->result_count; i++)
        item_answered(message, message->items[i], &reply->results[i]);
    put_go_on(put, exchange->session);
}

/* Each of its items has another node to go to; to be asked of one that was sent, too. */
static bool message_may_move(const struct put_message *message, bool is_sent)
{
    for (uint32_t i = 0; i < message->body.item_count; i++) {
        const struct put_item *item = &message->put->items[message->items[i]];

        if (item->next_replica == item->replica_count || (is_sent && !item_may_repeat(item)))
            return false;
    }
    return true;
}

/*
 * It still waits for the connection: others may be reached sooner.  What was sent, or waits for its turn, is
 * given half of the time there is, and at most 5 s, which is enough for a node that is only slow.
 */
static bool on_slow(struct dynkv_exchange *exchange)
{
    struct put_message *message = exchange->owner;
    bool is_sent = exchange->state != DYNKV_EXCHANGE_QUEUED;
    bool is_open = exchange->session->state == DYNKV_SESSION_OPEN;

    if (!message_may_move(message, is_sent))
        return !is_open;
    if (is_open && message->put->base.client->now_ms < message->lost_at_ms) {
        dynkv_exchange_slow_again(exchange, message->lost_at_ms);
        return false;
    }
    dynkv_exchange_cancel(exchange);
    if (is_sent)
        message_failed(message, DYNKV_FATE_LOST, DYNKV_TIMEOUT, "it does not answer");
    else
        message_failed(message, DYNKV_FATE_UNSENT, DYNKV_TIMEOUT,
                       is_open ? "it does not answer" : "it cannot be connected to in time");
    return true;
}

/* ---- sending ---- */

static void send_group(struct put_request *put, const struct dynkv_group *group)
{
    struct dynkv_request *request = &put->base;
    struct put_message *message = dynkv_arena_calloc(&request->arena, 1, sizeof *message);
    uint32_t at = group->first;

    message->put = put;
    message->next = put->messages;
    put->messages = message;
    message->items = dynkv_arena_calloc(&request->arena, group->count, sizeof *message->items);
    message->body = (struct dynkv_put){
        .keyspace = put->keyspace,
        .flags = put->flags,
        .w = put->w,
        .client = request->client->id,
        .items = dynkv_arena_calloc(&request->arena, group->count, sizeof *message->body.items),
        .item_count = group->count,
        .stamp = put->stamp,
    };
    for (uint32_t i = 0; i < group->count; i++, at = put->grouping.entries[at].next) {
        message->items[i] = put->grouping.entries[at].item;
        message->body.items[i] = put->items[message->items[i]].item;
    }
    message->exchange = (struct dynkv_exchange){
        .owner = message,
        .type = DYNKV_MESSAGE_PUT,
        .reply_type = DYNKV_MESSAGE_PUT_REPLY,
        .body = &message->body,
        .arena = &request->arena,
        .deadline_at_ms = request->deadline_at_ms,
        .slow_at_ms = dynkv_request_slow_at_ms(request),
        .on_done = on_put,
        .on_slow = on_slow,
    };
    message_submit(message, group->session);
}

static void put_send(struct put_request *put)
{
    struct dynkv_group group;

    while (dynkv_grouping_next(&put->grouping, &group))
        send_group(put, &group);
}

/* A client whose clock cannot follow what it was shown stamps nothing: it would come before that. */
static void put_stamp(struct put_request *put)
{
    put->stamp = dynkv_client_stamp(put->base.client);
    if (!put->stamp)
        return;
    put->sequence = ++put->base.client->sequence;
    for (uint32_t i = 0; i < put->count; i++)
        put->items[i].item.flags |= DYNKV_PUT_STAMPED;
}

static void put_begin(struct dynkv_request *request)
{
    struct put_request *put = put_of(request);
    bool again = put->some_want_ring;

    put->some_want_ring = false;
    if (!again && put->may_repeat)
        put_stamp(put);
    dynkv_grouping_begin(&put->grouping, request->client);
    for (uint32_t i = 0; i < put->count; i++) {
        struct put_item *item = &put->items[i];

        if (item->is_done || (again && !item->wants_ring))
            continue;
        item->replans += again;
        item->wants_ring = false;
        item->next_replica = 0;
        item->replica_count =
            (uint8_t)dynkv_key_route(request->client, put->keyspace, put->n, item->item.key,
                                     item->item.partition_len, item->replicas);
        item_step(put, i);
    }
    put_go_on(put, NULL);
}

static void put_settle(struct dynkv_request *request, enum dynkv_error error)
{
    struct put_request *put = put_of(request);

    for (struct put_message *message = put->messages; message; message = message->next) {
        for (uint32_t i = 0;
             dynkv_exchange_is_sent(&message->exchange) && i < message->body.item_count; i++)
            put->items[message->items[i]].is_lost = true;
        if (message->exchange.state != DYNKV_EXCHANGE_DONE)
            dynkv_blame_add(&request->blame, message->exchange.session, error,
                            "it does not answer");
        dynkv_exchange_cancel(&message->exchange);
        dynkv_exchange_cancel(&message->lesson);
    }
    for (uint32_t i = 0; i < put->count; i++)
        item_end(put, i, error);
    if (error == DYNKV_TIMEOUT && !request->is_done)
        fail_text(put);
}

static void put_fini(struct dynkv_request *request)
{
    struct put_request *put = put_of(request);

    for (struct put_message *message = put->messages; message; message = message->next) {
        dynkv_exchange_cancel(&message->exchange);
        dynkv_exchange_cancel(&message->lesson);
    }
    dynkv_grouping_fini(&put->grouping);
}

static const struct dynkv_request_kind put_kind = {
    .needs_ring = true,
    .begin = put_begin,
    .settle = put_settle,
    .fini = put_fini,
};

/* ---- starting ---- */

static enum dynkv_error write_check(const struct dynkv_write *write, struct dynkv_arena *arena,
                                    const char **why)
{
    struct dynkv_version version;
    enum dynkv_error error = dynkv_key_check(&write->at, why);

    if (error)
        return error;
    if (!write->is_delete && write->value.len > DYNKV_VALUE_MAX) {
        *why = "the value is larger than 16 MiB";
        return DYNKV_TOO_LARGE;
    }
    if (write->has_context && dynkv_version_parse(write->context, arena, &version)) {
        *why = "its context is no version that a read gave";
        return DYNKV_INVALID;
    }
    return DYNKV_OK;
}

static void write_copy(struct dynkv_put_item *item, const struct dynkv_write *write,
                       struct dynkv_arena *arena)
{
    item->key = dynkv_slice_copy(write->at.key, arena);
    item->partition_len = write->at.partition_len;
    item->expires_at_ms = write->expires_at_ms;
    if (write->has_context) {
        item->flags |= DYNKV_PUT_HAS_CONTEXT;
        item->context = dynkv_slice_copy(write->context, arena);
    }
    if (write->is_delete)
        item->flags |= DYNKV_PUT_DELETE;
    else
        item->value = dynkv_slice_copy(write->value, arena);
}

/* Copies the writes; false, and the request is done, if one is not acceptable: then none is sent. */
static bool copy_writes(struct put_request *put, const struct dynkv_write *writes)
{
    for (uint32_t i = 0; i < put->count; i++) {
        const char *why = "";
        enum dynkv_error error = write_check(&writes[i], &put->base.arena, &why);

        if (error) {
            for (uint32_t j = 0; j < put->count; j++)
                put->results[j].error = DYNKV_CANCELLED;
            put->results[i].error = error;
            dynkv_request_fail(&put->base, error, "write %u of %u: %s; nothing was written", i + 1,
                               put->count, why);
            return false;
        }
        write_copy(&put->items[i].item, &writes[i], &put->base.arena);
    }
    return true;
}

static void put_prepare(struct put_request *put, const struct dynkv_write *writes,
                        const struct dynkv_call *call)
{
    struct dynkv_request *request = &put->base;
    const struct dynkv_known_keyspace *known = dynkv_keyspace_known(request->client, put->keyspace);

    if (!copy_writes(put, writes))
        return;
    if (!known) {
        put_settle(request, DYNKV_NO_KEYSPACE);
        dynkv_request_fail(request, DYNKV_NO_KEYSPACE,
                           "the keyspace was not opened by this client: open it by name first");
        return;
    }
    put->n = known->info.n;
    put->w = call ? call->w : 0;
    put->flags = call && call->strict ? DYNKV_PUT_STRICT : 0;
    put->may_repeat = call && call->repeat;
    if (put->w > put->n) {
        put_settle(request, DYNKV_INVALID);
        dynkv_request_fail(request, DYNKV_INVALID,
                           "w is %u, but keyspace \"%s\" has %u replicas of a key", put->w,
                           known->name, put->n);
        return;
    }
    if (!put->count)
        dynkv_request_finish(request);
}

struct dynkv_request *dynkv_put_start(struct dynkv_client *client, uint64_t keyspace,
                                      const struct dynkv_write *writes, uint32_t count,
                                      const struct dynkv_call *call)
{
    struct put_request *put =
        dynkv_request_new(client, &put_kind, sizeof *put, call ? call->deadline_ms : 0);

    put->keyspace = keyspace;
    put->count = put->undone = count;
    put->items = dynkv_arena_calloc(&put->base.arena, count, sizeof *put->items);
    put->results = dynkv_arena_calloc(&put->base.arena, count, sizeof *put->results);
    put_prepare(put, writes, call);
    dynkv_request_launch(&put->base);
    return &put->base;
}

const struct dynkv_write_result *dynkv_request_writes(const struct dynkv_request *request,
                                                      uint32_t *count)
{
    const struct put_request *put = DYNKV_CONTAINER(request, const struct put_request, base);

    DYNKV_ASSERT(request->kind == &put_kind);
    if (count)
        *count = put->count;
    return put->results;
}
