/* session.c: the life of a connection to one node, and the exchanges on it. */
#include "client/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "client/client.h"

#define BACKOFF_FIRST_MS    20u
#define BACKOFF_DOUBLINGS   6u /* so the longest is 1280 ms */
#define SLOW_CHECK_MS       2000u /* how long a silent connection may owe nothing before it is closed */
#define REQUEST_ID_BIT      0x80000000u
#define FLUSH_AT            (256u * 1024u) /* queued bytes that leave without waiting for company */
#define REPLY_TEXT_FALLBACK "the node gave no reason"

static void on_timer(struct dynkv_timer *timer);
static void on_hello(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome);
static void session_fail(struct dynkv_session *session, enum dynkv_error error, const char *text);

/* ---- lists ---- */

static void list_append(struct dynkv_exchange_list *list, struct dynkv_exchange *exchange)
{
    exchange->next = NULL;
    exchange->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = exchange;
    list->last = exchange;
}

static void list_remove(struct dynkv_exchange_list *list, struct dynkv_exchange *exchange)
{
    *(exchange->previous ? &exchange->previous->next : &list->first) = exchange->next;
    *(exchange->next ? &exchange->next->previous : &list->last) = exchange->previous;
}

static void mark_dirty(struct dynkv_session *session)
{
    if (session->is_dirty)
        return;
    session->is_dirty = true;
    session->next_dirty = session->client->dirty;
    session->client->dirty = session;
}

/* ---- life ---- */

struct dynkv_session *dynkv_session_new(struct dynkv_client *client,
                                        const struct dynkv_address *address)
{
    struct dynkv_session *session = dynkv_calloc(1, sizeof *session);

    session->client = client;
    session->address = *address;
    session->timer.fire = on_timer;
    session->is_wanted = true;
    return session;
}

void dynkv_session_free(struct dynkv_session *session)
{
    DYNKV_ASSERT(session->state == DYNKV_SESSION_IDLE && !session->in_flight.count &&
                 !session->queue.first);
    dynkv_map_fini(&session->in_flight);
    dynkv_arena_fini(&session->hello_arena);
    free(session);
}

void dynkv_session_close(struct dynkv_session *session, enum dynkv_error error, const char *text)
{
    session_fail(session, error, text);
    dynkv_timer_disarm(&session->client->timers, &session->timer);
    session->state = DYNKV_SESSION_IDLE;
}

enum dynkv_liveness dynkv_session_liveness(const struct dynkv_session *session)
{
    if (session->failures && session->state != DYNKV_SESSION_OPEN)
        return DYNKV_DEAD;
    return session->is_down || session->is_slow ? DYNKV_DOUBTFUL : DYNKV_LIVE;
}

static void session_connect(struct dynkv_session *session)
{
    struct dynkv_client *client = session->client;
    enum dynkv_error error;

    if (session->failures || session->node_id)
        client->stats.reconnects++;
    session->state = DYNKV_SESSION_CONNECTING;
    dynkv_timer_arm(&client->timers, &session->timer, client->now_ms + client->connect_timeout_ms);
    error = dynkv_transport_open(&session->transport, &session->address, client->epoll_fd, session);
    if (error)
        session_fail(session, error, session->transport.text);
}

/* ---- failing ---- */

static void exchange_lose(struct dynkv_exchange *exchange, enum dynkv_fate fate,
                          enum dynkv_error error)
{
    struct dynkv_client *client = exchange->session->client;

    dynkv_timer_disarm(&client->timers, &exchange->slow);
    exchange->state = DYNKV_EXCHANGE_FAILED;
    exchange->fate = fate;
    exchange->error = error;
    list_append(&client->failed, exchange);
}

static void exchange_take_off(struct dynkv_exchange *exchange)
{
    struct dynkv_session *session = exchange->session;

    dynkv_map_remove(&session->in_flight, &exchange->by_id);
    session->in_flight_bytes -= exchange->size;
}

static void lose_all(struct dynkv_session *session, enum dynkv_error error)
{
    struct dynkv_map_node *node;
    struct dynkv_exchange *exchange;

    /* HELLO is the session's own: nobody needs to be told. */
    if (session->hello.state != DYNKV_EXCHANGE_DONE)
        dynkv_exchange_cancel(&session->hello);
    while ((node = dynkv_map_first(&session->in_flight))) {
        enum dynkv_fate fate;

        exchange = DYNKV_CONTAINER(node, struct dynkv_exchange, by_id);
        fate = dynkv_exchange_is_sent(exchange) ? DYNKV_FATE_LOST : DYNKV_FATE_UNSENT;
        exchange_take_off(exchange);
        exchange_lose(exchange, fate, error);
    }
    while ((exchange = session->queue.first)) {
        list_remove(&session->queue, exchange);
        exchange_lose(exchange, DYNKV_FATE_UNSENT, error);
    }
}

static uint64_t backoff_ms(struct dynkv_session *session)
{
    uint32_t doublings = session->failures - 1;
    uint64_t longest;

    if (doublings > BACKOFF_DOUBLINGS)
        doublings = BACKOFF_DOUBLINGS;
    longest = (uint64_t)BACKOFF_FIRST_MS << doublings;
    return longest / 2 + dynkv_random_below(&session->client->random, longest / 2 + 1);
}

/* The connection is over, or did not come to be.  Owners hear of it from dynkv_session_settle. */
static void session_fail(struct dynkv_session *session, enum dynkv_error error, const char *text)
{
    struct dynkv_client *client = session->client;

    /* text may be the transport's own, so it is kept before that is closed. */
    snprintf(session->text, sizeof session->text, "%s", text);
    session->error = error;
    lose_all(session, error);
    dynkv_transport_close(&session->transport);
    session->unflushed = 0;
    session->is_slow = false;
    session->failures++;
    session->state = DYNKV_SESSION_FAILED;
    dynkv_timer_disarm(&client->timers, &session->timer);
    if (session->is_wanted)
        dynkv_timer_arm(&client->timers, &session->timer, client->now_ms + backoff_ms(session));
}

static void on_timer(struct dynkv_timer *timer)
{
    struct dynkv_session *session = DYNKV_CONTAINER(timer, struct dynkv_session, timer);
    char text[DYNKV_TRANSPORT_TEXT_MAX];

    switch (session->state) {
    case DYNKV_SESSION_IDLE:
        break;
    case DYNKV_SESSION_FAILED:
        session_connect(session);
        break;
    case DYNKV_SESSION_CONNECTING:
    case DYNKV_SESSION_HELLO:
        snprintf(text, sizeof text, "%s (waited %u ms)",
                 session->transport.state == DYNKV_TRANSPORT_CONNECTING
                     ? "the host does not answer"
                     : "it takes the connection but says nothing: is it a dynkv node that works?",
                 session->client->connect_timeout_ms);
        session_fail(session, DYNKV_CONNECT, text);
        break;
    case DYNKV_SESSION_OPEN:
        if (!session->is_slow)
            break;
        if (session->in_flight.count || session->queue.first)
            dynkv_timer_arm(&session->client->timers, timer,
                            session->client->now_ms + SLOW_CHECK_MS);
        else
            session_fail(session, DYNKV_CONNECT, "it did not answer for seconds");
        break;
    }
}

bool dynkv_session_settle(struct dynkv_client *client)
{
    bool any = false;
    struct dynkv_exchange *exchange;

    while ((exchange = client->failed.first)) {
        struct dynkv_session *session = exchange->session;
        struct dynkv_outcome outcome = {.error = exchange->error, .fate = exchange->fate};

        any = true;
        list_remove(&client->failed, exchange);
        outcome.text =
            exchange->error == session->error ? session->text : dynkv_error_text(exchange->error);
        exchange->state = DYNKV_EXCHANGE_DONE;
        exchange->on_done(exchange, &outcome); /* may free it, or submit it again */
    }
    return any;
}

/* ---- sending ---- */

static uint32_t stream_id(const struct dynkv_exchange *exchange)
{
    return REQUEST_ID_BIT | (uint32_t)exchange->request_id;
}

/* Appends a message to the connection; false if it is too large. */
static bool session_append(struct dynkv_session *session, uint8_t type, const void *body,
                           uint64_t request_id, uint64_t deadline_at_ms)
{
    struct dynkv_client *client = session->client;
    struct dynkv_envelope envelope = {
        .type = type,
        .request_id = request_id,
        .timestamp = dynkv_clock_tick(&client->clock, dynkv_client_wall_ms()),
        .ring_version = client->cluster.ring_version,
        .deadline_ms =
            deadline_at_ms > client->now_ms ? (uint32_t)(deadline_at_ms - client->now_ms) : 1,
    };
    size_t mark = dynkv_transport_begin(&session->transport, REQUEST_ID_BIT | (uint32_t)request_id);

    dynkv_message_encode(&envelope, body, &session->transport.out);
    if (!dynkv_transport_end(&session->transport, mark))
        return false;
    client->stats.messages_sent++;
    mark_dirty(session);
    return true;
}

static void exchange_send(struct dynkv_session *session, struct dynkv_exchange *exchange)
{
    exchange->stream_begin = session->transport.out_total;
    if (!session_append(session, exchange->type, exchange->body, exchange->request_id,
                        exchange->deadline_at_ms)) {
        exchange_lose(exchange, DYNKV_FATE_UNSENT, DYNKV_TOO_LARGE);
        return;
    }
    exchange->size = (uint32_t)(session->transport.out_total - exchange->stream_begin);
    exchange->state = DYNKV_EXCHANGE_IN_FLIGHT;
    session->in_flight_bytes += exchange->size;
    session->unflushed++;
    dynkv_map_add(&session->in_flight, &exchange->by_id, stream_id(exchange));
}

static bool has_room(const struct dynkv_session *session)
{
    return session->state == DYNKV_SESSION_OPEN &&
           session->in_flight_bytes < session->client->max_in_flight_bytes;
}

static void send_queued(struct dynkv_session *session)
{
    struct dynkv_exchange *exchange;

    while (has_room(session) && (exchange = session->queue.first)) {
        list_remove(&session->queue, exchange);
        exchange_send(session, exchange);
    }
}

static void on_slow_timer(struct dynkv_timer *timer)
{
    struct dynkv_exchange *exchange = DYNKV_CONTAINER(timer, struct dynkv_exchange, slow);
    struct dynkv_session *session = exchange->session;

    /* The exchange may be gone after this, the session is not. */
    if (!exchange->on_slow(exchange))
        return;
    session->is_slow = true;
    if (session->state == DYNKV_SESSION_OPEN && !session->timer.is_armed)
        dynkv_timer_arm(&session->client->timers, &session->timer,
                        session->client->now_ms + SLOW_CHECK_MS);
}

void dynkv_session_submit(struct dynkv_session *session, struct dynkv_exchange *exchange)
{
    struct dynkv_client *client = session->client;

    DYNKV_ASSERT(exchange->state == DYNKV_EXCHANGE_DONE);
    exchange->session = session;
    exchange->request_id = ++client->last_request_id;
    exchange->slow.fire = on_slow_timer;
    if (exchange->slow_at_ms)
        dynkv_timer_arm(&client->timers, &exchange->slow, exchange->slow_at_ms);
    if (has_room(session) && !session->queue.first) {
        exchange_send(session, exchange);
        return;
    }
    exchange->state = DYNKV_EXCHANGE_QUEUED;
    list_append(&session->queue, exchange);
    if (session->state == DYNKV_SESSION_IDLE || session->state == DYNKV_SESSION_FAILED)
        session_connect(session);
}

void dynkv_session_tell(struct dynkv_session *session, uint8_t type, const void *body,
                        uint64_t deadline_at_ms)
{
    if (has_room(session))
        session_append(session, type, body, ++session->client->last_request_id, deadline_at_ms);
}

bool dynkv_exchange_is_sent(const struct dynkv_exchange *exchange)
{
    if (exchange->state == DYNKV_EXCHANGE_FAILED)
        return exchange->fate == DYNKV_FATE_LOST;
    return exchange->state == DYNKV_EXCHANGE_IN_FLIGHT &&
           exchange->session->transport.written_total > exchange->stream_begin;
}

void dynkv_exchange_slow_again(struct dynkv_exchange *exchange, uint64_t at_ms)
{
    dynkv_timer_arm(&exchange->session->client->timers, &exchange->slow, at_ms);
}

void dynkv_exchange_cancel(struct dynkv_exchange *exchange)
{
    struct dynkv_session *session = exchange->session;

    switch (exchange->state) {
    case DYNKV_EXCHANGE_DONE:
        return;
    case DYNKV_EXCHANGE_QUEUED:
        list_remove(&session->queue, exchange);
        break;
    case DYNKV_EXCHANGE_IN_FLIGHT:
        exchange_take_off(exchange);
        if (session->queue.first)
            mark_dirty(session); /* there may be room now */
        break;
    case DYNKV_EXCHANGE_FAILED:
        list_remove(&session->client->failed, exchange);
        break;
    }
    dynkv_timer_disarm(&session->client->timers, &exchange->slow);
    exchange->state = DYNKV_EXCHANGE_DONE;
}

bool dynkv_session_is_urgent(const struct dynkv_session *session)
{
    /* With an answer awaited already, the caller will be back soon; timeout_ms is 0 until then. */
    return session->in_flight.count <= session->unflushed ||
           session->transport.out.len - session->transport.out_start >= FLUSH_AT;
}

void dynkv_session_flush(struct dynkv_session *session)
{
    uint64_t before = session->transport.written_total;
    enum dynkv_error error;

    send_queued(session);
    session->unflushed = 0;
    error = dynkv_transport_flush(&session->transport);
    session->client->stats.bytes_sent += session->transport.written_total - before;
    if (error)
        session_fail(session, error, session->transport.text);
}

/* ---- HELLO ---- */

static void say_hello(struct dynkv_session *session)
{
    struct dynkv_client *client = session->client;

    session->state = DYNKV_SESSION_HELLO;
    session->hello_body = (struct dynkv_hello){
        .protocol_min = DYNKV_PROTOCOL_VERSION,
        .protocol_max = DYNKV_PROTOCOL_VERSION,
        .client_name = dynkv_slice_text(client->name),
    };
    dynkv_arena_reset(&session->hello_arena);
    session->hello = (struct dynkv_exchange){
        .owner = session,
        .type = DYNKV_MESSAGE_HELLO,
        .reply_type = DYNKV_MESSAGE_HELLO_REPLY,
        .body = &session->hello_body,
        .arena = &session->hello_arena,
        .deadline_at_ms = client->now_ms + client->connect_timeout_ms,
        .on_done = on_hello,
        .session = session,
        .request_id = ++client->last_request_id,
    };
    exchange_send(session, &session->hello);
}

static void on_hello(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct dynkv_session *session = exchange->owner;
    struct dynkv_client *client = session->client;
    const struct dynkv_hello_reply *hello;
    char text[DYNKV_TRANSPORT_TEXT_MAX];
    enum dynkv_error error;

    if (outcome->error) {
        session_fail(session, outcome->error, outcome->text);
        return;
    }
    hello = &outcome->body->hello_reply;
    if (hello->protocol != DYNKV_PROTOCOL_VERSION) {
        snprintf(text, sizeof text, "it wants protocol version %u; this client speaks %u",
                 hello->protocol, DYNKV_PROTOCOL_VERSION);
        session_fail(session, DYNKV_UNSUPPORTED, text);
        return;
    }
    error = dynkv_cluster_on_hello(client, session, hello, text, sizeof text);
    if (error) {
        session_fail(session, error, text);
        return;
    }
    session->node_id = hello->node_id;
    session->state = DYNKV_SESSION_OPEN;
    session->failures = 0;
    dynkv_timer_disarm(&client->timers, &session->timer);
    send_queued(session);
    if (!client->cluster.ring)
        dynkv_cluster_refresh(client, session);
}

/* ---- receiving ---- */

/* A text from a node: printable, and ended with a zero. */
static const char *reply_text(struct dynkv_slice text, struct dynkv_arena *arena)
{
    char *copy;

    if (!text.len)
        return REPLY_TEXT_FALLBACK;
    copy = dynkv_arena_alloc(arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : (char)text.data[i];
    copy[text.len] = 0;
    return copy;
}

static void exchange_finish(struct dynkv_exchange *exchange, const struct dynkv_envelope *envelope,
                            union dynkv_body *body)
{
    struct dynkv_session *session = exchange->session;
    struct dynkv_outcome outcome = {.fate = DYNKV_FATE_ANSWERED, .body = body, .text = ""};

    exchange_take_off(exchange);
    dynkv_timer_disarm(&session->client->timers, &exchange->slow);
    exchange->state = DYNKV_EXCHANGE_DONE;
    if (envelope->type == DYNKV_MESSAGE_ERROR) {
        outcome.body = NULL;
        outcome.error = body->error_reply.error ? body->error_reply.error : DYNKV_MALFORMED;
        outcome.text = reply_text(body->error_reply.text, exchange->arena);
    }
    exchange->on_done(exchange, &outcome); /* it may be gone after this */
}

/* One message of the node; false if it made us close the connection. */
static bool on_message(struct dynkv_session *session, uint32_t id, struct dynkv_slice message)
{
    struct dynkv_client *client = session->client;
    struct dynkv_map_node *node = dynkv_map_find(&session->in_flight, id);
    struct dynkv_envelope envelope;
    struct dynkv_exchange *exchange;
    union dynkv_body body;
    enum dynkv_error error;

    client->stats.messages_received++;
    session->is_slow = false;
    if (!node)
        return true; /* an answer that nobody waits for any more */
    exchange = DYNKV_CONTAINER(node, struct dynkv_exchange, by_id);
    error = dynkv_message_decode(dynkv_slice_copy(message, exchange->arena), exchange->arena,
                                 &envelope, &body);
    /* Versions count from 1: a great number there is a text or noise of something else. */
    if (error == DYNKV_UNSUPPORTED && envelope.protocol && envelope.protocol < ' ') {
        session_fail(session, error, "it answers in a protocol version this client does not speak");
        return false;
    }
    if (error ||
        (envelope.type != DYNKV_MESSAGE_ERROR &&
         (envelope.type != exchange->reply_type || envelope.request_id != exchange->request_id))) {
        session_fail(session, DYNKV_NOT_DYNKV, "it sent a reply that is no dynkv message");
        return false;
    }
    /* A clock too far ahead is not followed; the nodes refuse such a one among themselves. */
    dynkv_client_observe(client, envelope.timestamp);
    dynkv_cluster_on_version(client, session, envelope.ring_version);
    exchange_finish(exchange, &envelope, &body);
    return session->state >= DYNKV_SESSION_HELLO && session->state <= DYNKV_SESSION_OPEN;
}

void dynkv_session_on_event(struct dynkv_session *session, uint32_t events)
{
    struct dynkv_transport *transport = &session->transport;
    uint64_t read_before = transport->read_total, written_before = transport->written_total;
    enum dynkv_error error, bad = DYNKV_OK;
    uint32_t id;
    struct dynkv_slice message;
    bool found = true;

    if (transport->state == DYNKV_TRANSPORT_CLOSED)
        return; /* closed by what another event of the same round did */
    error = dynkv_transport_on_event(transport, events);
    session->client->stats.bytes_received += transport->read_total - read_before;
    session->client->stats.bytes_sent += transport->written_total - written_before;
    if (!error && transport->state == DYNKV_TRANSPORT_OPEN &&
        session->state == DYNKV_SESSION_CONNECTING)
        say_hello(session);
    /* Replies that came before the connection broke still count. */
    while (transport->state == DYNKV_TRANSPORT_OPEN && found) {
        bad = dynkv_transport_next(transport, &found, &id, &message);
        if (bad)
            break;
        if (found && !on_message(session, id, message))
            return; /* this connection is over; there may already be a new one */
    }
    if (bad || error) {
        session_fail(session, bad ? bad : error, transport->text);
        return;
    }
    if (session->queue.first)
        send_queued(session);
}
