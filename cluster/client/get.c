/*
 * get.c: quorum reads, driven from here.
 *
 * Each key has a struct dynkv_read_quorum, which decides whom to ask for what; this file carries its
 * questions to the nodes, one message a node and round, and the answers back.  With routing "any" the
 * same machine runs with r = 1 over any nodes, each of which does a whole quorum read.
 *
 * A replica that keeps us waiting counts as failed, so that another takes its place; should it answer
 * after all, and first, its answer is taken.
 *
 * A key's life: asked -> (second round for what differed, or another replica for one that failed) ->
 * done or failed.  If it failed because nodes said that the ring is another one, it begins anew with
 * the new ring; answers to what was asked before are known by their epoch and ignored.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "client/request.h"
#include "model/read_quorum.h"

#define REPLANS_MAX   3u  /* times that one key follows a change of the ring */
#define ITEM_OVERHEAD 16u /* bytes of an item beside its key, at most */

struct get_key {
    struct dynkv_get_item item;
    struct dynkv_read_quorum read;
    struct dynkv_session *replicas[DYNKV_REPLICAS_MAX];
    uint8_t epoch; /* how often it began */
    bool is_done;
    bool wants_ring; /* failed because of the ring; to begin anew */
};

/* One key in one message: which replica of it was asked. */
struct get_target {
    uint32_t key;
    uint8_t replica;
    uint8_t epoch;
};

struct get_message {
    struct get_message *next; /* of the request */
    struct get_request *get;
    struct dynkv_exchange exchange;
    struct dynkv_get body;
    struct get_target *targets; /* one an item */
    bool is_taught;
    struct dynkv_exchange lesson;
    struct dynkv_keyspace_open lesson_body;
};

struct get_request {
    struct dynkv_request base;
    uint64_t keyspace;
    uint32_t n, r;
    uint8_t r_asked; /* as the caller gave it */
    bool coordinated;
    struct get_key *keys;
    struct dynkv_read_result *results;
    uint32_t count, undone;
    bool some_want_ring;
    struct dynkv_session *knows_ring; /* who said that the ring is another one */
    struct get_message *messages;
    struct dynkv_grouping grouping;
};

static void get_send(struct get_request *get);

static struct get_request *get_of(struct dynkv_request *request)
{
    return DYNKV_CONTAINER(request, struct get_request, base);
}

/* ---- a key ---- */

static void key_begin(struct get_request *get, struct get_key *key)
{
    uint32_t n = dynkv_key_route(get->base.client, get->keyspace, get->n, key->item.key,
                                 key->item.partition_len, key->replicas);

    dynkv_read_quorum_init(&key->read, n, get->r);
    key->epoch++;
    key->wants_ring = false;
}

static void key_end(struct get_request *get, uint32_t i, enum dynkv_error error)
{
    struct get_key *key = &get->keys[i];
    struct dynkv_read_result *result = &get->results[i];

    if (key->is_done)
        return;
    key->is_done = true;
    get->undone--;
    result->error = error;
    if (!error)
        dynkv_client_observe_object(get->base.client, &key->read.merged);
    result->object = error ? (struct dynkv_object){0} : key->read.merged;
    if (!get->coordinated)
        result->answers = (uint8_t)dynkv_read_quorum_answers(&key->read);
    if (error && !get->base.error)
        get->base.error = error;
}

/* Asks on, or ends, a key whose quorum has heard something. */
static void key_step(struct get_request *get, uint32_t i)
{
    struct get_key *key = &get->keys[i];
    uint32_t replica;
    enum dynkv_want want;

    switch (dynkv_read_quorum_state(&key->read)) {
    case DYNKV_READ_DONE:
        key_end(get, i, DYNKV_OK);
        return;
    case DYNKV_READ_FAILED:
        if (key->wants_ring && key->epoch <= REPLANS_MAX)
            get->some_want_ring = true;
        else
            key_end(get, i, DYNKV_UNAVAILABLE);
        return;
    case DYNKV_READ_ASKING:
        break;
    }
    while (dynkv_read_quorum_next(&key->read, &replica, &want)) {
        struct dynkv_group_entry entry = {
            .item = i,
            .replica = replica,
            .want = (uint8_t)(get->coordinated ? DYNKV_WANT_OBJECT : want),
            .bytes = key->item.key.len + ITEM_OVERHEAD,
        };

        dynkv_grouping_add(&get->grouping, key->replicas[replica], &entry);
    }
}

/* ---- the end ---- */

static void send_repairs(struct get_request *get)
{
    struct dynkv_client *client = get->base.client;
    struct dynkv_group group;

    while (dynkv_grouping_next(&get->grouping, &group)) {
        struct dynkv_repair body = {.keyspace = get->keyspace, .item_count = group.count};
        uint32_t at = group.first;

        body.items = dynkv_arena_calloc(&get->base.arena, group.count, sizeof *body.items);
        for (uint32_t i = 0; i < group.count; i++, at = get->grouping.entries[at].next) {
            const struct get_key *key = &get->keys[get->grouping.entries[at].item];

            body.items[i].key = key->item.key;
            body.items[i].partition_len = key->item.partition_len;
        }
        dynkv_session_tell(group.session, DYNKV_MESSAGE_REPAIR, &body,
                           client->now_ms + DYNKV_DEADLINE_DEFAULT_MS);
        client->stats.repairs_reported += group.count;
    }
}

/* The replica to tell of a key whose replicas differ: one that has the merged object, if any has. */
static bool find_fresh(const struct get_key *key, uint32_t *out)
{
    bool differ = false, found = false, any = false;

    for (uint32_t i = 0; i < key->read.n; i++) {
        enum dynkv_replica_state state = key->read.replicas[i].state;

        if (state != DYNKV_REPLICA_HAS_DIGEST && state != DYNKV_REPLICA_HAS_OBJECT)
            continue;
        if (dynkv_read_quorum_is_stale(&key->read, i))
            differ = true;
        else if (!found)
            *out = i, found = true;
        if (!any && !found)
            *out = i;
        any = true;
    }
    return differ;
}

static void report_stale(struct get_request *get)
{
    dynkv_grouping_begin(&get->grouping, get->base.client);
    for (uint32_t i = 0; i < get->count; i++) {
        uint32_t replica;

        if (get->results[i].error || !find_fresh(&get->keys[i], &replica))
            continue;
        get->base.client->stats.digest_mismatches++;
        dynkv_grouping_add(&get->grouping, get->keys[i].replicas[replica],
                           &(struct dynkv_group_entry){
                               .item = i, .bytes = get->keys[i].item.key.len + ITEM_OVERHEAD});
    }
    send_repairs(get);
}

static uint32_t failed_count(const struct get_request *get)
{
    uint32_t failed = 0;

    for (uint32_t i = 0; i < get->count; i++)
        failed += get->results[i].error != DYNKV_OK;
    return failed;
}

static void fail_text(struct get_request *get)
{
    struct dynkv_request *request = &get->base;
    enum dynkv_error error = request->error;
    const struct dynkv_blame *blame = &request->blame;
    const char *because = blame->count ? blame->text : "the cluster has too few members";

    if (error == DYNKV_UNAVAILABLE && blame->count) {
        enum dynkv_error common = dynkv_blame_error(blame);

        /* What the nodes themselves said is kept; that they cannot be reached is what UNAVAILABLE is. */
        if (common != DYNKV_CONNECT && common != DYNKV_TIMEOUT && common != DYNKV_NOT_DYNKV)
            error = common;
    }
    for (uint32_t i = 0; i < get->count; i++)
        if (get->results[i].error == DYNKV_UNAVAILABLE)
            get->results[i].error = error;
    if (error == DYNKV_TIMEOUT)
        dynkv_request_fail(request, error,
                           "reading %u of %u keys took longer than %u ms%s%s; try again, or give "
                           "it more time",
                           failed_count(get), get->count, request->deadline_ms,
                           blame->count ? ": " : "", blame->text);
    else
        dynkv_request_fail(request, error,
                           "cannot read %u of %u keys, each of which %u of %u replicas must "
                           "answer for: %s",
                           failed_count(get), get->count, get->r_asked, get->n, because);
}

static void check_end(struct get_request *get)
{
    if (get->undone || get->base.is_done)
        return;
    if (!get->coordinated)
        report_stale(get);
    if (get->base.error)
        fail_text(get);
    else
        dynkv_request_finish(&get->base);
}

/* After a round of key_step calls: sends what gathered, waits for the ring, or ends. */
static void get_go_on(struct get_request *get)
{
    get_send(get);
    if (get->undone && get->some_want_ring)
        dynkv_request_await_ring(&get->base, get->knows_ring);
    check_end(get);
}

/* ---- answers ---- */

static void target_failed(struct get_message *message, const struct get_target *target,
                          enum dynkv_error error)
{
    struct get_key *key = &message->get->keys[target->key];

    if (error == DYNKV_NOT_REPLICA || error == DYNKV_RING_CHANGED) {
        key->wants_ring = true;
        message->get->knows_ring = message->exchange.session;
    }
    dynkv_read_quorum_on_failure(&key->read, target->replica);
}

static void target_answered(struct get_message *message, const struct get_target *target,
                            const struct dynkv_get_item *item,
                            const struct dynkv_get_result *answer)
{
    struct get_request *get = message->get;
    struct get_key *key = &get->keys[target->key];
    struct dynkv_session *session = message->exchange.session;
    struct dynkv_object object;

    if (answer->error == DYNKV_TRUNCATED) {
        dynkv_read_quorum_on_truncated(&key->read, target->replica);
        return;
    }
    if (answer->error) {
        dynkv_blame_add(&get->base.blame, session, answer->error, dynkv_error_text(answer->error));
        target_failed(message, target, answer->error);
        return;
    }
    if (item->want == DYNKV_WANT_DIGEST) {
        dynkv_read_quorum_on_digest(&key->read, target->replica, answer->digest);
        return;
    }
    if (dynkv_object_decode(answer->object, &get->base.arena, &object)) {
        dynkv_blame_add(&get->base.blame, session, DYNKV_CORRUPT, "it sent a corrupt object");
        target_failed(message, target, DYNKV_CORRUPT);
        return;
    }
    if (get->coordinated)
        get->results[target->key].answers = answer->answers;
    dynkv_read_quorum_on_object(&key->read, target->replica, &object, &get->base.arena);
}

/* Whether an answer to this target still matters; also one that comes after we asked another. */
static bool is_current(const struct get_request *get, const struct get_target *target)
{
    const struct get_key *key = &get->keys[target->key];

    return !key->is_done && key->epoch == target->epoch;
}

static void message_failed(struct get_message *message, enum dynkv_error error, const char *why)
{
    struct get_request *get = message->get;

    dynkv_blame_add(&get->base.blame, message->exchange.session, error, why);
    dynkv_grouping_begin(&get->grouping, get->base.client);
    for (uint32_t i = 0; i < message->body.item_count; i++) {
        struct get_target *target = &message->targets[i];

        if (!is_current(get, target))
            continue;
        target_failed(message, target, error);
        key_step(get, target->key);
    }
    get_go_on(get);
}

static void on_taught(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct get_message *message = exchange->owner;

    if (outcome->error)
        message_failed(message, DYNKV_NO_KEYSPACE, "it does not know the keyspace");
    else
        dynkv_session_submit(exchange->session, &message->exchange);
}

/* true if the node is being told of the keyspace and will be asked again. */
static bool teach(struct get_message *message)
{
    struct get_request *get = message->get;

    if (message->is_taught)
        return false;
    message->is_taught = true;
    return dynkv_keyspace_teach(get->base.client, message->exchange.session, get->keyspace,
                                &message->lesson, &message->lesson_body, &get->base.arena,
                                get->base.deadline_at_ms, on_taught, message);
}

static void on_get(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct get_message *message = exchange->owner;
    struct get_request *get = message->get;
    const struct dynkv_get_reply *reply;

    if (outcome->error == DYNKV_NO_KEYSPACE && teach(message))
        return;
    if (outcome->error) {
        message_failed(message, outcome->error, outcome->text);
        return;
    }
    reply = &outcome->body->get_reply;
    if (reply->result_count != message->body.item_count) {
        message_failed(message, DYNKV_MALFORMED, "it answered another number of keys than asked");
        return;
    }
    if (reply->results[0].error == DYNKV_NO_KEYSPACE && teach(message))
        return;
    if (reply->results[0].error == DYNKV_TRUNCATED) {
        /* The first is never left out, or a read might go on for ever. */
        message_failed(message, DYNKV_MALFORMED, "it left the first key out of its answer");
        return;
    }
    dynkv_keyspace_learn(get->base.client, get->keyspace, reply->extent, reply->extent_count);
    dynkv_grouping_begin(&get->grouping, get->base.client);
    for (uint32_t i = 0; i < reply->result_count; i++) {
        struct get_target *target = &message->targets[i];

        if (!is_current(get, target))
            continue;
        target_answered(message, target, &message->body.items[i], &reply->results[i]);
        key_step(get, target->key);
    }
    get_go_on(get);
}

/* Whether enough replicas are left without one of those that were asked. */
static bool can_do_without(const struct dynkv_read_quorum *read)
{
    uint32_t failed = 0;

    for (uint32_t i = 0; i < read->n; i++)
        failed += read->replicas[i].state == DYNKV_REPLICA_FAILED;
    return read->n - failed > read->r;
}

/* The node keeps us waiting: keys that can do without it go to another, the others wait on. */
static bool on_slow(struct dynkv_exchange *exchange)
{
    struct get_message *message = exchange->owner;
    struct get_request *get = message->get;
    bool any = false;

    dynkv_grouping_begin(&get->grouping, get->base.client);
    for (uint32_t i = 0; i < message->body.item_count; i++) {
        struct get_target *target = &message->targets[i];

        if (!is_current(get, target) || !can_do_without(&get->keys[target->key].read))
            continue;
        any = true;
        target_failed(message, target, DYNKV_TIMEOUT);
        key_step(get, target->key);
    }
    if (any) {
        dynkv_blame_add(&get->base.blame, exchange->session, DYNKV_TIMEOUT, "it does not answer");
        get_go_on(get);
    }
    return true;
}

/* ---- asking ---- */

static void send_group(struct get_request *get, const struct dynkv_group *group)
{
    struct dynkv_request *request = &get->base;
    struct get_message *message = dynkv_arena_calloc(&request->arena, 1, sizeof *message);
    uint32_t at = group->first;

    message->get = get;
    message->next = get->messages;
    get->messages = message;
    message->targets = dynkv_arena_calloc(&request->arena, group->count, sizeof *message->targets);
    message->body = (struct dynkv_get){
        .keyspace = get->keyspace,
        .flags = get->coordinated ? DYNKV_GET_COORDINATE : 0,
        .r = get->coordinated ? get->r_asked : 0,
        .items = dynkv_arena_calloc(&request->arena, group->count, sizeof *message->body.items),
        .item_count = group->count,
    };
    for (uint32_t i = 0; i < group->count; i++, at = get->grouping.entries[at].next) {
        const struct dynkv_group_entry *entry = &get->grouping.entries[at];
        const struct get_key *key = &get->keys[entry->item];

        message->body.items[i] = key->item;
        message->body.items[i].want = entry->want;
        message->targets[i] = (struct get_target){
            .key = entry->item, .replica = (uint8_t)entry->replica, .epoch = key->epoch};
    }
    message->exchange = (struct dynkv_exchange){
        .owner = message,
        .type = DYNKV_MESSAGE_GET,
        .reply_type = DYNKV_MESSAGE_GET_REPLY,
        .body = &message->body,
        .arena = &request->arena,
        .deadline_at_ms = request->deadline_at_ms,
        .slow_at_ms = dynkv_request_slow_at_ms(request),
        .on_done = on_get,
        .on_slow = on_slow,
    };
    dynkv_session_submit(group->session, &message->exchange);
}

static void get_send(struct get_request *get)
{
    struct dynkv_group group;

    while (dynkv_grouping_next(&get->grouping, &group))
        send_group(get, &group);
}

static void get_begin(struct dynkv_request *request)
{
    struct get_request *get = get_of(request);

    get->some_want_ring = false;
    dynkv_grouping_begin(&get->grouping, request->client);
    for (uint32_t i = 0; i < get->count; i++) {
        struct get_key *key = &get->keys[i];

        if (key->is_done || (key->epoch && !key->wants_ring))
            continue;
        key_begin(get, key);
        key_step(get, i);
    }
    get_go_on(get);
}

static void get_settle(struct dynkv_request *request, enum dynkv_error error)
{
    struct get_request *get = get_of(request);

    for (struct get_message *message = get->messages; message; message = message->next) {
        if (message->exchange.state != DYNKV_EXCHANGE_DONE && error == DYNKV_TIMEOUT)
            dynkv_blame_add(&request->blame, message->exchange.session, DYNKV_TIMEOUT,
                            "it does not answer");
        dynkv_exchange_cancel(&message->exchange);
        dynkv_exchange_cancel(&message->lesson);
    }
    for (uint32_t i = 0; i < get->count; i++)
        key_end(get, i, error);
    if (error == DYNKV_TIMEOUT)
        check_end(get);
}

static void get_fini(struct dynkv_request *request)
{
    struct get_request *get = get_of(request);

    for (struct get_message *message = get->messages; message; message = message->next) {
        dynkv_exchange_cancel(&message->exchange);
        dynkv_exchange_cancel(&message->lesson);
    }
    dynkv_grouping_fini(&get->grouping);
}

static const struct dynkv_request_kind get_kind = {
    .needs_ring = true,
    .begin = get_begin,
    .settle = get_settle,
    .fini = get_fini,
};

/* Copies the keys; false, and the request is done, if one is not acceptable. */
static bool copy_keys(struct get_request *get, const struct dynkv_key_ref *keys)
{
    for (uint32_t i = 0; i < get->count; i++) {
        const char *why = "";
        enum dynkv_error error = dynkv_key_check(&keys[i], &why);

        if (error) {
            for (uint32_t j = 0; j < get->count; j++)
                get->results[j].error = DYNKV_CANCELLED;
            get->results[i].error = error;
            dynkv_request_fail(&get->base, error, "key %u of %u: %s; nothing was read", i + 1,
                               get->count, why);
            return false;
        }
        get->keys[i].item.key = dynkv_slice_copy(keys[i].key, &get->base.arena);
        get->keys[i].item.partition_len = keys[i].partition_len;
    }
    return true;
}

static void get_prepare(struct get_request *get, const struct dynkv_key_ref *keys,
                        const struct dynkv_call *call)
{
    struct dynkv_request *request = &get->base;
    const struct dynkv_known_keyspace *known = dynkv_keyspace_known(request->client, get->keyspace);
    uint32_t n, r;

    if (!copy_keys(get, keys))
        return;
    if (!known) {
        get_settle(request, DYNKV_NO_KEYSPACE);
        dynkv_request_fail(request, DYNKV_NO_KEYSPACE,
                           "the keyspace was not opened by this client: open it by name first");
        return;
    }
    n = known->info.n;
    r = call && call->r ? call->r : known->info.r;
    if (r > n) {
        get_settle(request, DYNKV_INVALID);
        dynkv_request_fail(request, DYNKV_INVALID,
                           "r is %u, but keyspace \"%s\" has %u replicas of a key", r, known->name,
                           n);
        return;
    }
    get->coordinated = request->client->routing == DYNKV_ROUTE_ANY;
    get->n = n;
    get->r = get->coordinated ? 1 : r;
    get->r_asked = (uint8_t)r;
    if (!get->count)
        dynkv_request_finish(request);
}

struct dynkv_request *dynkv_get_start(struct dynkv_client *client, uint64_t keyspace,
                                      const struct dynkv_key_ref *keys, uint32_t count,
                                      const struct dynkv_call *call)
{
    struct get_request *get =
        dynkv_request_new(client, &get_kind, sizeof *get, call ? call->deadline_ms : 0);

    get->keyspace = keyspace;
    get->count = get->undone = count;
    get->keys = dynkv_arena_calloc(&get->base.arena, count, sizeof *get->keys);
    get->results = dynkv_arena_calloc(&get->base.arena, count, sizeof *get->results);
    get_prepare(get, keys, call);
    dynkv_request_launch(&get->base);
    return &get->base;
}

const struct dynkv_read_result *dynkv_request_reads(const struct dynkv_request *request,
                                                    uint32_t *count)
{
    const struct get_request *get = DYNKV_CONTAINER(request, const struct get_request, base);

    DYNKV_ASSERT(request->kind == &get_kind);
    if (count)
        *count = get->count;
    return get->results;
}
