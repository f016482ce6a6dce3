/* client.c: making a client, and its loop. */
#include "client/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "client/request.h"

#define EVENTS_MAX    64 /* sockets looked at in one round */
#define AWAY_AFTER_MS 5u /* a caller that was away for longer may have missed something */

/* ---- clocks ---- */

static uint64_t clock_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

#define STAMP_COUNTER 0xffffu /* of a timestamp (model/clock.h) */

uint64_t dynkv_client_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

void dynkv_client_observe(struct dynkv_client *client, uint64_t timestamp)
{
    if (timestamp > client->newest)
        client->newest = timestamp;
    dynkv_clock_observe(&client->clock, timestamp, dynkv_client_wall_ms());
}

void dynkv_client_observe_object(struct dynkv_client *client, const struct dynkv_object *object)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        if (object->siblings[i].timestamp > client->newest)
            dynkv_client_observe(client, object->siblings[i].timestamp);
}

uint64_t dynkv_client_stamp(struct dynkv_client *client)
{
    uint64_t stamp = dynkv_clock_tick(&client->clock, dynkv_client_wall_ms());

    /* The first one of a millisecond: a counter from 0 would be that of other clients, too, and two writes of one
     * value with one time pass for a write and its repetition. */
    if ((stamp & STAMP_COUNTER) == 0)
        stamp = client->clock.last |= dynkv_random_next(&client->random) & STAMP_COUNTER >> 1;
    return stamp > client->newest ? stamp : 0;
}

/* ---- making one ---- */

static uint64_t random_id(void)
{
    uint64_t id = 0;

    /* For so few bytes it fails only where the kernel has no such call; the clocks must do then. */
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id || !id)
        id = clock_ms(CLOCK_REALTIME) << 20 ^ clock_ms(CLOCK_MONOTONIC) ^ (uint64_t)getpid() << 40;
    return id;
}

struct dynkv_session *dynkv_client_session(struct dynkv_client *client,
                                           const struct dynkv_address *address)
{
    struct dynkv_session *session;

    for (uint32_t i = 0; i < client->session_count; i++)
        if (strcmp(client->sessions[i]->address.text, address->text) == 0)
            return client->sessions[i];
    if (client->session_count == client->session_cap) {
        client->session_cap = client->session_cap ? client->session_cap * 2 : 4;
        client->sessions =
            dynkv_realloc(client->sessions, client->session_cap * sizeof(struct dynkv_session *));
    }
    session = dynkv_session_new(client, address);
    session->index = client->session_count;
    client->sessions[client->session_count++] = session;
    return session;
}

static void take_options(struct dynkv_client *client, const struct dynkv_client_options *options)
{
    client->routing = options->routing;
    snprintf(client->name, sizeof client->name, "%s", options->name ? options->name : "libdynkv");
    client->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms
                                                             : DYNKV_CONNECT_TIMEOUT_DEFAULT_MS;
    client->max_in_flight_bytes =
        options->max_in_flight_bytes ? options->max_in_flight_bytes : DYNKV_IN_FLIGHT_DEFAULT;
    client->patience_ms = options->patience_ms ? options->patience_ms : DYNKV_PATIENCE_DEFAULT_MS;
}

enum dynkv_error dynkv_client_new(const struct dynkv_client_options *options,
                                  struct dynkv_client **out, char *text, size_t text_size)
{
    struct dynkv_address addresses[DYNKV_HOSTS_MAX];
    struct dynkv_client *client;
    uint32_t count;
    enum dynkv_error error =
        dynkv_address_parse_list(options->hosts, addresses, &count, text, text_size);
    int fd;

    *out = NULL;
    if (error)
        return error;
    fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        snprintf(text, text_size, "cannot make an epoll descriptor: %s",
                 errno == EMFILE || errno == ENFILE ? "too many open files" : "the system refuses");
        return DYNKV_CONNECT;
    }
    client = dynkv_calloc(1, sizeof *client);
    client->epoll_fd = fd;
    client->id = random_id();
    client->random = dynkv_random(client->id);
    client->now_ms = clock_ms(CLOCK_MONOTONIC);
    take_options(client, options);
    for (uint32_t i = 0; i < count; i++)
        dynkv_client_session(client, &addresses[i]);
    client->seed_count = client->session_count;
    *out = client;
    return DYNKV_OK;
}

void dynkv_client_free(struct dynkv_client *client)
{
    if (!client)
        return;
    while (client->requests)
        dynkv_request_free(client->requests);
    while (client->scans)
        dynkv_scan_free(client->scans);
    dynkv_cluster_fini(client);
    dynkv_keyspaces_fini(client);
    for (uint32_t i = 0; i < client->session_count; i++) {
        dynkv_session_close(client->sessions[i], DYNKV_CANCELLED, "the client is gone");
        dynkv_session_free(client->sessions[i]);
    }
    free(client->sessions);
    close(client->epoll_fd);
    free(client);
}

/* ---- the loop ---- */

int dynkv_client_fd(const struct dynkv_client *client)
{
    return client->epoll_fd;
}

int dynkv_client_timeout_ms(const struct dynkv_client *client)
{
    uint64_t at_ms, now_ms;

    if (client->dirty || client->failed.first)
        return 0;
    if (!dynkv_timers_next(&client->timers, &at_ms))
        return -1;
    now_ms = clock_ms(CLOCK_MONOTONIC);
    if (at_ms <= now_ms)
        return 0;
    return at_ms - now_ms > INT_MAX ? INT_MAX : (int)(at_ms - now_ms);
}

/*
 * Tells failures and flushes until there is nothing of either.  all false: only connections on which
 * nothing is awaited yet are flushed, so that what a busy caller starts next may leave with it.
 */
static void settle_and_flush(struct dynkv_client *client, bool all)
{
    struct dynkv_session *kept = NULL;

    for (;;) {
        struct dynkv_session *session;

        if (dynkv_session_settle(client))
            continue;
        session = client->dirty;
        if (!session)
            break;
        client->dirty = session->next_dirty;
        session->is_dirty = false;
        if (all || dynkv_session_is_urgent(session)) {
            dynkv_session_flush(session);
        } else {
            session->is_dirty = true;
            session->next_dirty = kept;
            kept = session;
        }
    }
    client->dirty = kept;
}

static void take_events(struct dynkv_client *client, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(client->epoll_fd, events, EVENTS_MAX, timeout_ms);

    client->now_ms = client->polled_ms = clock_ms(CLOCK_MONOTONIC);
    /* Sessions live as long as the client, so none of these pointers can be stale. */
    for (int i = 0; i < count; i++)
        dynkv_session_on_event(events[i].data.ptr, events[i].events);
}

void dynkv_client_enter(struct dynkv_client *client)
{
    client->now_ms = clock_ms(CLOCK_MONOTONIC);
    /* A caller with more requests under way has just been in the loop; that saves the system call. */
    if (client->requests && client->now_ms - client->polled_ms <= AWAY_AFTER_MS)
        return;
    /* Better to find out now that a node has gone than by sending it a write. */
    take_events(client, 0);
    dynkv_timers_run(&client->timers, client->now_ms);
}

void dynkv_client_leave(struct dynkv_client *client)
{
    settle_and_flush(client, false);
}

void dynkv_client_poll(struct dynkv_client *client, int timeout_ms)
{
    int until_timer;

    client->now_ms = clock_ms(CLOCK_MONOTONIC);
    settle_and_flush(client, true);
    until_timer = dynkv_client_timeout_ms(client);
    if (until_timer >= 0 && (timeout_ms < 0 || until_timer < timeout_ms))
        timeout_ms = until_timer;
    take_events(client, timeout_ms);
    dynkv_timers_run(&client->timers, client->now_ms);
    settle_and_flush(client, true);
}

void dynkv_client_drive(struct dynkv_client *client)
{
    dynkv_client_poll(client, 0);
}

/* ---- facts ---- */

void dynkv_client_stats(const struct dynkv_client *client, struct dynkv_client_stats *out)
{
    *out = client->stats;
}

uint32_t dynkv_client_descriptor_count(const struct dynkv_client *client)
{
    uint32_t count = 1;

    for (uint32_t i = 0; i < client->session_count; i++) {
        const struct dynkv_transport *transport = &client->sessions[i]->transport;

        count += transport->state != DYNKV_TRANSPORT_CLOSED && transport->fd >= 0;
    }
    return count;
}
