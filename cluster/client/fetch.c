/*
 * fetch.c: asking the cluster for its ring.
 *
 * The candidates are asked one after the other; one that takes longer than DYNKV_HEDGE_MS gets company
 * by the next (a host that swallows packets must not cost the whole connect timeout), and the first
 * good answer ends it.  It fails when all have failed, or after FETCH_MAX_MS.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/request.h"

#define FETCH_CANDIDATES 32u    /* nodes asked in one fetch, at most */
#define FETCH_MAX_MS     10000u /* whatever happens, it is over then */

struct dynkv_cluster_fetch {
    struct dynkv_client *client;
    struct dynkv_session *candidates[FETCH_CANDIDATES];
    struct dynkv_exchange exchanges[FETCH_CANDIDATES];
    uint32_t count, asked, failed;
    struct dynkv_ring_request body;
    struct dynkv_arena arena;
    struct dynkv_timer timer; /* the next candidate's turn, then the end */
    uint64_t end_at_ms;
    struct dynkv_blame blame;
};

static void fetch_free(struct dynkv_cluster_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->asked; i++)
        dynkv_exchange_cancel(&fetch->exchanges[i]);
    dynkv_timer_disarm(&fetch->client->timers, &fetch->timer);
    dynkv_arena_fini(&fetch->arena);
    fetch->client->cluster.fetch = NULL;
    free(fetch);
}

void dynkv_cluster_fetch_cancel(struct dynkv_client *client)
{
    if (client->cluster.fetch)
        fetch_free(client->cluster.fetch);
}

/* The oldest waiter of this round, as they were pushed at the front. */
static struct dynkv_ring_waiter *waiter_of(struct dynkv_client *client, uint64_t round)
{
    struct dynkv_ring_waiter *found = NULL;

    for (struct dynkv_ring_waiter *at = client->cluster.waiters; at; at = at->next)
        if (at->round == round)
            found = at;
    return found;
}

static void fetch_end(struct dynkv_cluster_fetch *fetch, enum dynkv_error error)
{
    struct dynkv_client *client = fetch->client;
    uint64_t round = client->cluster.round;
    struct dynkv_blame blame = fetch->blame;
    struct dynkv_ring_waiter *waiter;

    fetch_free(fetch);
    /* One that awaits again from its callback begins a new round and is not met here. */
    while ((waiter = waiter_of(client, round))) {
        dynkv_cluster_cancel(client, waiter);
        waiter->on_ring(waiter, error, error ? blame.text : "");
    }
}

static void fetch_ask(struct dynkv_cluster_fetch *fetch);

static void on_fetched(struct dynkv_exchange *exchange, const struct dynkv_outcome *outcome)
{
    struct dynkv_cluster_fetch *fetch = exchange->owner;
    enum dynkv_error error = outcome->error;
    const char *why = outcome->text;
    char text[DYNKV_TRANSPORT_TEXT_MAX];

    if (!error) {
        error = dynkv_cluster_take(fetch->client, &outcome->body->ring_reply, text, sizeof text);
        why = text;
    }
    if (!error) {
        fetch_end(fetch, DYNKV_OK);
        return;
    }
    dynkv_blame_add(&fetch->blame, exchange->session, error, why);
    fetch->failed++;
    if (fetch->asked < fetch->count)
        fetch_ask(fetch);
    else if (fetch->failed == fetch->count)
        fetch_end(fetch, dynkv_blame_error(&fetch->blame));
}

static void fetch_ask(struct dynkv_cluster_fetch *fetch)
{
    struct dynkv_client *client = fetch->client;
    struct dynkv_exchange *exchange = &fetch->exchanges[fetch->asked];
    uint64_t next_at_ms = client->now_ms + DYNKV_HEDGE_MS;

    *exchange = (struct dynkv_exchange){
        .owner = fetch,
        .type = DYNKV_MESSAGE_RING,
        .reply_type = DYNKV_MESSAGE_RING_REPLY,
        .body = &fetch->body,
        .arena = &fetch->arena,
        .deadline_at_ms = fetch->end_at_ms,
        .on_done = on_fetched,
    };
    if (++fetch->asked == fetch->count || next_at_ms > fetch->end_at_ms)
        next_at_ms = fetch->end_at_ms;
    dynkv_timer_arm(&client->timers, &fetch->timer, next_at_ms);
    dynkv_session_submit(fetch->candidates[fetch->asked - 1], exchange);
}

void dynkv_cluster_fetch_blame(struct dynkv_client *client, struct dynkv_blame *blame)
{
    struct dynkv_cluster_fetch *fetch = client->cluster.fetch;

    for (uint32_t i = 0; fetch && i < fetch->asked; i++)
        if (fetch->exchanges[i].state != DYNKV_EXCHANGE_DONE)
            dynkv_blame_add(blame, fetch->candidates[i], DYNKV_TIMEOUT, "it does not answer");
}

static void on_fetch_timer(struct dynkv_timer *timer)
{
    struct dynkv_cluster_fetch *fetch = DYNKV_CONTAINER(timer, struct dynkv_cluster_fetch, timer);

    if (fetch->asked < fetch->count && fetch->client->now_ms < fetch->end_at_ms) {
        fetch_ask(fetch);
        return;
    }
    dynkv_cluster_fetch_blame(fetch->client, &fetch->blame);
    fetch_end(fetch, dynkv_blame_error(&fetch->blame));
}

void dynkv_cluster_refresh(struct dynkv_client *client, struct dynkv_session *first)
{
    struct dynkv_cluster_fetch *fetch;
    struct dynkv_session *others[FETCH_CANDIDATES];
    uint32_t count;

    if (client->cluster.fetch)
        return;
    client->stats.ring_refreshes++;
    client->cluster.round++;
    fetch = client->cluster.fetch = dynkv_calloc(1, sizeof *fetch);
    fetch->client = client;
    fetch->timer.fire = on_fetch_timer;
    fetch->end_at_ms = client->now_ms + FETCH_MAX_MS;
    fetch->body.known_version = client->cluster.ring_version;
    if (first)
        fetch->candidates[fetch->count++] = first;
    count = dynkv_cluster_anyone(client, others, FETCH_CANDIDATES);
    for (uint32_t i = 0; i < count && fetch->count < FETCH_CANDIDATES; i++)
        if (others[i] != first)
            fetch->candidates[fetch->count++] = others[i];
    fetch_ask(fetch);
}

void dynkv_cluster_await(struct dynkv_client *client, struct dynkv_ring_waiter *waiter)
{
    dynkv_cluster_refresh(client, NULL);
    waiter->round = client->cluster.round;
    waiter->is_waiting = true;
    waiter->previous = NULL;
    waiter->next = client->cluster.waiters;
    if (waiter->next)
        waiter->next->previous = waiter;
    client->cluster.waiters = waiter;
}

void dynkv_cluster_cancel(struct dynkv_client *client, struct dynkv_ring_waiter *waiter)
{
    if (!waiter->is_waiting)
        return;
    *(waiter->previous ? &waiter->previous->next : &client->cluster.waiters) = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    waiter->is_waiting = false;
}
