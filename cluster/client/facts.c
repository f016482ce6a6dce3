/* facts.c: asking any node, and the requests for status, ring and changes of the membership. */
#include "client/facts.h"

#include "base/assert.h"

#define CANDIDATES_MAX 16u /* nodes that one question goes to, at most */

struct ask_request;

/* The question to one node. */
struct ask_try {
    struct ask_request *ask;
    struct dynkv_exchange exchange;
};

struct ask_request {
    struct dynkv_request base;
    const struct dynkv_ask_kind *kind;
    const void *body;
    struct dynkv_session *candidates[CANDIDATES_MAX];
    struct ask_try tries[CANDIDATES_MAX];
    uint32_t count, asked, failed;
    union dynkv_body reply;
    bool has_reply;
};

static struct ask_request *ask_of(struct dynkv_request *request)
{
    return DYNKV_CONTAINER(request, struct ask_request, base);
}

static void ask_cancel(struct ask_request *ask)
{
    for (uint32_t i = 0; i < ask->asked; i++)
        dynkv_exchange_cancel(&ask->tries[i].exchange);
}

static void ask_next(struct ask_request *ask);

/* Answers that another node might give differently: it cannot speak for the cluster at the moment. */
static bool is_of_the_node(enum dynkv_error error)
{
    return error == DYNKV_OVERLOADED || error == DYNKV_STOPPING || error == DYNKV_STORAGE ||
           error == DYNKV_CORRUPT || error == DYNKV_RING_CHANGED || error == DYNKV_UNAVAILABLE;
}

static void ask_failed(struct ask_try *it, const struct dynkv_outcome *outcome)
{
    struct ask_request *ask = it->ask;
    struct dynkv_request *request = &ask->base;
    const char *host = it->exchange.session->address.text;
    bool is_final = outcome->fate == DYNKV_FATE_ANSWERED && !is_of_the_node(outcome->error);

    if (is_final) {
        ask_cancel(ask);
        dynkv_request_fail(request, outcome->error, "%s: %s", host, outcome->text);
        return;
    }
    dynkv_blame_add(&request->blame, it->exchange.session, outcome->error, outcome->text);
    if (outcome->fate != DYNKV_FATE_UNSENT && !ask->kind->is_repeatable &&
        !(outcome->fate == DYNKV_FATE_ANSWERED && ask->kind->errors_are_clean)) {
        dynkv_request_fail(request, DYNKV_UNAVAILABLE,
                           "the outcome is unknown, it may have been done: %s",
                           request->blame.text);
        return;
    }
    ask->failed++;
    if (ask->asked < ask->count)
        ask_next(ask);
    else if (ask->failed == ask->count)
        dynkv_request_fail(request, dynkv_blame_error(&request->blame),
                           "no node can answer: %s; check the hosts and that the nodes run",
                           request->blame.text);
}

static void on_answer(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct ask_try *it = exchange->owner;
    struct ask_request *ask = it->ask;
    const char *why = "";

    if (outcome->error) {
        ask_failed(it, outcome);
        return;
    }
    if (ask->kind->take && !ask->kind->take(&ask->base, outcome->body, &why)) {
        struct dynkv_outcome bad = {
            .error = DYNKV_MALFORMED, .fate = DYNKV_FATE_ANSWERED, .text = why};

        ask_failed(it, &bad);
        return;
    }
    ask->reply = *outcome->body;
    ask->has_reply = true;
    ask_cancel(ask);
    dynkv_request_finish(&ask->base);
}

static bool on_slow(struct dynkv_exchange *exchange)
{
    struct ask_try *it = exchange->owner;
    struct ask_request *ask = it->ask;

    if (!ask->kind->is_repeatable && exchange->state != DYNKV_EXCHANGE_QUEUED)
        return true;
    if (ask->asked == ask->count || it != &ask->tries[ask->asked - 1])
        return true;
    dynkv_blame_add(&ask->base.blame, exchange->session, DYNKV_TIMEOUT, "it does not answer");
    if (!ask->kind->is_repeatable) {
        dynkv_exchange_cancel(exchange);
        ask->failed++;
    }
    ask_next(ask);
    return true;
}

static void ask_next(struct ask_request *ask)
{
    struct ask_try *it = &ask->tries[ask->asked];

    it->ask = ask;
    it->exchange = (struct dynkv_exchange){
        .owner = it,
        .type = ask->kind->type,
        .reply_type = ask->kind->reply_type,
        .body = ask->body,
        .arena = &ask->base.arena,
        .deadline_at_ms = ask->base.deadline_at_ms,
        .slow_at_ms = dynkv_request_slow_at_ms(&ask->base),
        .on_done = on_answer,
        .on_slow = on_slow,
    };
    dynkv_session_submit(ask->candidates[ask->asked++], &it->exchange);
}

static void ask_begin(struct dynkv_request *request)
{
    struct ask_request *ask = ask_of(request);

    if (!ask->count)
        ask->count = dynkv_cluster_anyone(request->client, ask->candidates, CANDIDATES_MAX);
    ask_next(ask);
}

static void ask_settle(struct dynkv_request *request, enum dynkv_error error)
{
    struct ask_request *ask = ask_of(request);
    bool may_be_done = false;

    for (uint32_t i = 0; i < ask->asked; i++) {
        struct dynkv_exchange *exchange = &ask->tries[i].exchange;

        if (exchange->state == DYNKV_EXCHANGE_DONE)
            continue;
        may_be_done |= dynkv_exchange_is_sent(exchange) && !ask->kind->is_repeatable;
        dynkv_blame_add(&request->blame, exchange->session, error, "it does not answer");
    }
    ask_cancel(ask);
    if (may_be_done)
        dynkv_request_fail(request, error, "the outcome is unknown, it may have been done: %s",
                           request->blame.text);
}

static void ask_fini(struct dynkv_request *request)
{
    ask_cancel(ask_of(request));
}

static const struct dynkv_request_kind ask_request_kind = {
    .needs_ring = false,
    .begin = ask_begin,
    .settle = ask_settle,
    .fini = ask_fini,
};

struct dynkv_request *dynkv_ask_new(struct dynkv_client *client, const struct dynkv_ask_kind *kind,
                                    uint32_t deadline_ms)
{
    struct ask_request *ask =
        dynkv_request_new(client, &ask_request_kind, sizeof *ask, deadline_ms);

    ask->kind = kind;
    return &ask->base;
}

void dynkv_ask_launch(struct dynkv_request *request, const void *body, struct dynkv_session *only)
{
    struct ask_request *ask = ask_of(request);

    ask->body = body;
    if (only) {
        ask->candidates[0] = only;
        ask->count = 1;
    }
    dynkv_request_launch(request);
}

const union dynkv_body *dynkv_ask_reply(const struct dynkv_request *request, uint8_t reply_type)
{
    const struct ask_request *ask = DYNKV_CONTAINER(request, const struct ask_request, base);

    DYNKV_ASSERT(request->kind == &ask_request_kind && ask->kind->reply_type == reply_type);
    return ask->has_reply ? &ask->reply : NULL;
}

/* ---- status and ring ---- */

static const struct dynkv_ask_kind status_ask = {
    .type = DYNKV_MESSAGE_STATUS,
    .reply_type = DYNKV_MESSAGE_STATUS_REPLY,
    .is_repeatable = true,
};
static const struct dynkv_ask_kind ring_ask = {
    .type = DYNKV_MESSAGE_RING,
    .reply_type = DYNKV_MESSAGE_RING_REPLY,
    .is_repeatable = true,
};

/* The node at url; NULL: any, or the request has failed. */
static struct dynkv_session *ask_only(struct dynkv_request *request, const char *url)
{
    struct dynkv_address address;
    char text[DYNKV_CLIENT_TEXT_MAX];

    if (!url)
        return NULL;
    if (dynkv_address_parse(dynkv_slice_text(url), &address, text, sizeof text)) {
        dynkv_request_fail(request, DYNKV_INVALID, "%s", text);
        return NULL;
    }
    return dynkv_client_session(request->client, &address);
}

struct dynkv_request *dynkv_status_start(struct dynkv_client *client, const char *url,
                                         uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_ask_new(client, &status_ask, deadline_ms);
    struct dynkv_status *body = dynkv_arena_calloc(&request->arena, 1, sizeof *body);

    dynkv_ask_launch(request, body, ask_only(request, url));
    return request;
}

const struct dynkv_status_reply *dynkv_request_status(const struct dynkv_request *request)
{
    const union dynkv_body *body = dynkv_ask_reply(request, DYNKV_MESSAGE_STATUS_REPLY);

    return body ? &body->status_reply : NULL;
}

struct dynkv_request *dynkv_ring_start(struct dynkv_client *client, uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_ask_new(client, &ring_ask, deadline_ms);

    dynkv_ask_launch(
        request, dynkv_arena_calloc(&request->arena, 1, sizeof(struct dynkv_ring_request)), NULL);
    return request;
}

const struct dynkv_ring_reply *dynkv_request_ring(const struct dynkv_request *request)
{
    const union dynkv_body *body = dynkv_ask_reply(request, DYNKV_MESSAGE_RING_REPLY);

    return body ? &body->ring_reply : NULL;
}

/* ---- changes of the membership ---- */

static const struct dynkv_ask_kind plan_ask = {
    .type = DYNKV_MESSAGE_CLUSTER_CHANGE,
    .reply_type = DYNKV_MESSAGE_CLUSTER_PLAN,
    .is_repeatable = true,
};
static const struct dynkv_ask_kind change_ask = {
    .type = DYNKV_MESSAGE_CLUSTER_CHANGE,
    .reply_type = DYNKV_MESSAGE_CLUSTER_PLAN,
    .errors_are_clean = true,
};

struct dynkv_request *dynkv_plan_start(struct dynkv_client *client, const char *url,
                                       uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_ask_new(client, &plan_ask, deadline_ms);
    struct dynkv_cluster_change *body = dynkv_arena_calloc(&request->arena, 1, sizeof *body);

    body->action = DYNKV_CLUSTER_PLAN;
    dynkv_ask_launch(request, body, ask_only(request, url));
    return request;
}

static bool is_name(const char *name)
{
    return !name || strlen(name) <= DYNKV_NAME_MAX;
}

struct dynkv_request *dynkv_cluster_change_start(struct dynkv_client *client,
                                                 enum dynkv_cluster_action action, const char *name,
                                                 const char *other, uint32_t deadline_ms)
{
    bool looks = action == DYNKV_CLUSTER_STATUS || action == DYNKV_CLUSTER_PLAN;
    struct dynkv_request *request =
        dynkv_ask_new(client, looks ? &plan_ask : &change_ask, deadline_ms);
    struct dynkv_cluster_change *body = dynkv_arena_calloc(&request->arena, 1, sizeof *body);

    body->action = (uint8_t)action;
    if (!is_name(name) || !is_name(other))
        dynkv_request_fail(request, DYNKV_INVALID, "a member's name has at most %u bytes",
                           DYNKV_NAME_MAX);
    if (name && is_name(name))
        body->name = dynkv_slice_copy(dynkv_slice_text(name), &request->arena);
    if (other && is_name(other))
        body->other = dynkv_slice_copy(dynkv_slice_text(other), &request->arena);
    dynkv_ask_launch(request, body, NULL);
    return request;
}

const struct dynkv_cluster_plan *dynkv_request_plan(const struct dynkv_request *request)
{
    const union dynkv_body *body = dynkv_ask_reply(request, DYNKV_MESSAGE_CLUSTER_PLAN);

    return body ? &body->cluster_plan : NULL;
}
