/* request.c: the life of a request, its errors and their texts. */
#include "client/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

/* A node that has not answered after 1/SLOW_SHARE of the deadline, or the client's patience, gets company. */
#define SLOW_SHARE 4u

/* ---- who is to blame ---- */

void dynkv_blame_add(struct dynkv_blame *blame, const struct dynkv_session *session,
                     enum dynkv_error error, const char *why)
{
    size_t used = strlen(blame->text);

    for (uint32_t i = 0; i < blame->count; i++)
        if (blame->sessions[i] == session)
            return;
    if (!blame->count && !blame->is_mixed)
        blame->error = error;
    else if (blame->error != error)
        blame->is_mixed = true;
    if (blame->count == DYNKV_BLAMED_MAX)
        return;
    blame->sessions[blame->count++] = session;
    snprintf(blame->text + used, sizeof blame->text - used, "%s%s: %s", used ? "; " : "",
             session->address.text, why);
}

enum dynkv_error dynkv_blame_error(const struct dynkv_blame *blame)
{
    return blame->is_mixed || !blame->count ? DYNKV_UNAVAILABLE : blame->error;
}

/* ---- life ---- */

static void request_unhook(struct dynkv_request *request)
{
    dynkv_timer_disarm(&request->client->timers, &request->deadline);
    dynkv_cluster_cancel(request->client, &request->waiter);
}

void dynkv_request_finish(struct dynkv_request *request)
{
    DYNKV_ASSERT(!request->is_done);
    request_unhook(request);
    request->is_done = true;
}

void dynkv_request_fail(struct dynkv_request *request, enum dynkv_error error, const char *format,
                        ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(request->text, sizeof request->text, format, arguments);
    va_end(arguments);
    request->error = error;
    dynkv_request_finish(request);
}

static void on_deadline(struct dynkv_timer *timer)
{
    struct dynkv_request *request = DYNKV_CONTAINER(timer, struct dynkv_request, deadline);

    if (request->waiter.is_waiting)
        dynkv_cluster_fetch_blame(request->client, &request->blame);
    request->kind->settle(request, DYNKV_TIMEOUT);
    if (!request->is_done)
        dynkv_request_fail(request, DYNKV_TIMEOUT, "no answer within %u ms%s%s",
                           request->deadline_ms, request->blame.text[0] ? ": " : "",
                           request->blame.text);
}

static void on_ring(struct dynkv_ring_waiter *waiter, enum dynkv_error error, const char *text)
{
    struct dynkv_request *request = DYNKV_CONTAINER(waiter, struct dynkv_request, waiter);

    /* If only the news could not be had, what is known of the ring has to do. */
    if (!error || request->client->cluster.ring) {
        request->kind->begin(request);
        return;
    }
    request->kind->settle(request, error);
    if (!request->is_done)
        dynkv_request_fail(request, error,
                           "cannot reach the cluster: %s; check the hosts and that the nodes run",
                           text);
}

void *dynkv_request_new(struct dynkv_client *client, const struct dynkv_request_kind *kind,
                        size_t size, uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_calloc(1, size);

    dynkv_client_enter(client);
    client->stats.requests++;
    if (!deadline_ms)
        deadline_ms = DYNKV_DEADLINE_DEFAULT_MS;
    if (deadline_ms > DYNKV_DEADLINE_MAX_MS)
        deadline_ms = DYNKV_DEADLINE_MAX_MS;
    request->kind = kind;
    request->client = client;
    request->started_at_ms = client->now_ms;
    request->deadline_ms = deadline_ms;
    request->deadline_at_ms = client->now_ms + deadline_ms;
    request->deadline.fire = on_deadline;
    request->waiter.on_ring = on_ring;
    request->next = client->requests;
    if (request->next)
        request->next->previous = request;
    client->requests = request;
    return request;
}

void dynkv_request_launch(struct dynkv_request *request)
{
    struct dynkv_client *client = request->client;

    if (!request->is_done) {
        dynkv_timer_arm(&client->timers, &request->deadline, request->deadline_at_ms);
        dynkv_cluster_on_use(client);
        if (request->kind->needs_ring && !client->cluster.ring &&
            client->routing != DYNKV_ROUTE_ANY)
            dynkv_cluster_await(client, &request->waiter);
        else
            request->kind->begin(request);
    }
    dynkv_client_leave(client);
}

void dynkv_request_await_ring(struct dynkv_request *request, struct dynkv_session *first)
{
    if (request->waiter.is_waiting)
        return;
    dynkv_cluster_refresh(request->client, first);
    dynkv_cluster_await(request->client, &request->waiter);
}

uint64_t dynkv_request_slow_at_ms(const struct dynkv_request *request)
{
    uint64_t now_ms = request->client->now_ms;
    uint64_t left_ms = request->deadline_at_ms > now_ms ? request->deadline_at_ms - now_ms : 0;
    uint64_t share_ms = request->deadline_ms / SLOW_SHARE;

    if (share_ms > request->client->patience_ms)
        share_ms = request->client->patience_ms;
    return now_ms + (share_ms < left_ms ? share_ms : left_ms);
}

bool dynkv_request_is_done(const struct dynkv_request *request)
{
    return request->is_done;
}

void dynkv_request_wait(struct dynkv_request *request)
{
    while (!request->is_done)
        dynkv_client_poll(request->client, -1);
}

void dynkv_request_free(struct dynkv_request *request)
{
    struct dynkv_client *client;

    if (!request)
        return;
    client = request->client;
    request_unhook(request);
    request->kind->fini(request);
    *(request->previous ? &request->previous->next : &client->requests) = request->next;
    if (request->next)
        request->next->previous = request->previous;
    dynkv_arena_fini(&request->arena);
    free(request);
}

enum dynkv_error dynkv_request_error(const struct dynkv_request *request)
{
    return request->error;
}

const char *dynkv_request_text(const struct dynkv_request *request)
{
    return request->error && !request->text[0] ? dynkv_error_text(request->error) : request->text;
}

/* ---- keys ---- */

enum dynkv_error dynkv_key_check(const struct dynkv_key_ref *key, const char **why)
{
    if (!key->key.len || !key->partition_len || key->partition_len > key->key.len) {
        *why = "a key needs at least one byte, and a partition key within it";
        return DYNKV_INVALID;
    }
    if (key->key.len > DYNKV_KEY_MAX) {
        *why = "a key is longer than 64 KiB";
        return DYNKV_TOO_LARGE;
    }
    return DYNKV_OK;
}

uint32_t dynkv_key_route(const struct dynkv_client *client, uint64_t keyspace, uint32_t n,
                         struct dynkv_slice key, uint32_t partition_len, struct dynkv_session **out)
{
    const struct dynkv_ring *ring = client->cluster.ring;
    uint64_t hash;

    if (client->routing == DYNKV_ROUTE_ANY)
        return dynkv_cluster_anyone(client, out, DYNKV_REPLICAS_MAX);
    hash = dynkv_ring_hash(keyspace, dynkv_slice(key.data, partition_len));
    return dynkv_cluster_replicas(client, dynkv_ring_partition(ring, hash), n, out);
}
