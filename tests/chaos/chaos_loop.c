/* chaos_loop.c: all clients in one loop, with the faults between them. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/chaos/chaos.h"

static struct chaos_actor actors[CHAOS_ACTORS_MAX];
static uint32_t actor_count;
static bool ending;

static void open_keyspace(struct dynkv_client *client)
{
    struct dynkv_keyspace_settings settings = {
        .n = CHAOS_N, .r = chaos_options.r, .w = chaos_options.w};
    struct dynkv_request *request =
        dynkv_keyspace_open_start(client, "chaos", true, &settings, LIVE_PATIENCE_MS);

    dynkv_request_wait(request);
    CHECK(!dynkv_request_error(request), "%s", dynkv_request_text(request));
    chaos_keyspace = dynkv_request_keyspaces(request, NULL)[0].id;
    dynkv_request_free(request);
}

void chaos_actor_add(const struct chaos_actor *like)
{
    struct dynkv_client_options options = {.hosts = chaos_hosts(), .name = "chaos"};
    struct chaos_actor *actor = &actors[actor_count];
    char text[DYNKV_CLIENT_TEXT_MAX];

    CHECK(actor_count < CHAOS_ACTORS_MAX, "%u actors are too many", actor_count);
    *actor = *like;
    actor->random = dynkv_random(chaos_options.seed * CHAOS_ACTORS_MAX + actor_count + 1);
    CHECK(!dynkv_client_new(&options, &actor->client, text, sizeof text), "%s", text);
    actor_count++;
    open_keyspace(actor->client);
}

void chaos_actor_sleep(struct chaos_actor *actor, uint64_t at_most_ms)
{
    if (actor->request)
        dynkv_request_free(actor->request);
    actor->request = NULL;
    actor->wake_ms = chaos_now_ms() + dynkv_random_below(&actor->random, at_most_ms + 1);
}

bool chaos_loop_is_ending(void)
{
    return ending;
}

static bool actor_is_due(const struct chaos_actor *actor)
{
    if (actor->request)
        return dynkv_request_is_done(actor->request);
    return !ending && chaos_now_ms() >= actor->wake_ms;
}

/* At most wait_ms, and less if an actor has something to do before. */
static void poll_actors(uint64_t wait_ms)
{
    struct pollfd fds[CHAOS_ACTORS_MAX];
    uint64_t now = chaos_now_ms();

    for (uint32_t i = 0; i < actor_count; i++) {
        const struct chaos_actor *actor = &actors[i];
        int timeout = dynkv_client_timeout_ms(actor->client);

        fds[i] = (struct pollfd){.fd = dynkv_client_fd(actor->client), .events = POLLIN};
        if (timeout >= 0 && (uint64_t)timeout < wait_ms)
            wait_ms = (uint64_t)timeout;
        if (!actor->request && !ending && actor->wake_ms < now + wait_ms)
            wait_ms = actor->wake_ms > now ? actor->wake_ms - now : 0;
    }
    poll(fds, actor_count, (int)wait_ms);
    for (uint32_t i = 0; i < actor_count; i++)
        if (fds[i].revents || dynkv_client_timeout_ms(actors[i].client) == 0)
            dynkv_client_drive(actors[i].client);
}

static bool some_wait(void)
{
    for (uint32_t i = 0; i < actor_count; i++)
        if (actors[i].request)
            return true;
    return false;
}

/* Faults go on while the last requests end. */
void chaos_loop_run(bool (*is_over)(void))
{
    ending = false;
    while (!ending || some_wait()) {
        uint64_t wait_ms = chaos_faults_step();

        for (uint32_t i = 0; i < actor_count; i++)
            while (actor_is_due(&actors[i]))
                actors[i].step(&actors[i]);
        ending = ending || is_over();
        if (!ending || some_wait())
            poll_actors(wait_ms);
    }
}

void chaos_loop_end(void)
{
    for (uint32_t i = 0; i < actor_count; i++)
        dynkv_client_free(actors[i].client);
    actor_count = 0;
}
