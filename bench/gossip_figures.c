/*
 * gossip_figures.c: prints how fast the members of a cluster learn of a death, what finding out costs,
 * and how often they are wrong, with and without Lifeguard.
 *
 * The nodes are the very ones of the daemon; network and time are simulated.  Every message is lost with
 * the given probability and takes 1 to 10 ms.  A run has two phases: quiet minutes, in which all members
 * live, give the messages, the bytes and the false alarms; then members die one at a time, and return
 * once all know.
 *
 * In the runs called sick nothing is lost, but every tenth member stands still for STALL_MS, then works
 * for WORK_MS, and so on, as on an overloaded machine.  Being called down is no false alarm for these; it
 * is for the others.
 *
 *   gossip_figures [MEMBERS [SECONDS [LOSS]]]
 *
 * One cluster size only; with so many quiet seconds; only runs that lose so many messages in a hundred.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "core/node_impl.h"
#include "wire/frame.h"

#define LATENCY_MIN_MS 1u
#define LATENCY_MAX_MS 10u
#define WHEEL_SLOTS    16u /* more than LATENCY_MAX_MS */
#define CLUSTER_ID     77u
#define SETTLE_MS      10000u /* after the start, before anything is counted */
#define LEARN_LIMIT_MS 120000u
#define DEATHS_MAX     20u
#define WORK_MS        300u
#define STALL_MS       2000u
#define NOW_MS         UINT64_C(1700000000000)

struct packet {
    struct packet *next;
    uint32_t to;
    struct dynkv_buf frame;
};

struct queue {
    struct packet *first, **last;
};

struct place {
    struct dynkv_node *node; /* NULL: dead */
    uint32_t lives;
    bool sick, stalled;
    uint64_t stall_change_ms;
    struct queue waiting; /* while it is stalled */
    uint32_t down_count;  /* members it sees down */
    uint64_t declared;    /* its counter when last looked at */
};

struct setting {
    uint32_t members, loss_percent, seconds, deaths;
    bool lifeguard, sick;
};

struct run {
    const struct setting *setting;
    struct place *places;
    struct queue wheel[WHEEL_SLOTS];
    struct dynkv_random random;
    struct dynkv_effects effects;
    uint64_t ms;
    uint8_t *sees_down;     /* [observer * members + member] */
    uint32_t *seen_down_by; /* how many see a member down */
    uint64_t messages, bytes, false_members, false_views;
};

static void queue_add(struct queue *queue, struct packet *packet)
{
    packet->next = NULL;
    if (!queue->first)
        queue->last = &queue->first;
    *queue->last = packet;
    queue->last = &packet->next;
}

static struct packet *queue_take(struct queue *queue)
{
    struct packet *packet = queue->first;

    if (packet)
        queue->first = packet->next;
    return packet;
}

static void packet_free(struct packet *packet)
{
    dynkv_buf_fini(&packet->frame);
    free(packet);
}

/* ---- what the nodes do ---- */

/* Nodes have other things to say to each other, too. */
static bool is_detection(uint8_t type)
{
    return type == DYNKV_MESSAGE_PING || type == DYNKV_MESSAGE_PING_REPLY ||
           type == DYNKV_MESSAGE_PING_NACK || type == DYNKV_MESSAGE_GOSSIP;
}

static void run_send(struct run *run, uint32_t from, const struct dynkv_effect_send *send)
{
    struct packet *packet = dynkv_calloc(1, sizeof *packet);
    uint64_t latency_ms = LATENCY_MIN_MS + dynkv_random_below(&run->random, LATENCY_MAX_MS);
    char url[32];

    DYNKV_ASSERT(send->url.len < sizeof url);
    memcpy(url, send->url.data, send->url.len);
    url[send->url.len] = 0;
    DYNKV_ASSERT(sscanf(url, "tcp://10.0.0.0:%u", &packet->to) == 1);
    packet->to -= 10000;
    dynkv_frame_begin(&packet->frame, send->cluster_id, from + 1);
    DYNKV_ASSERT(dynkv_frame_add(&packet->frame, send->message));
    if (is_detection(send->message.data[1])) {
        run->messages++;
        run->bytes += packet->frame.len;
    }
    if (dynkv_random_below(&run->random, 100) < run->setting->loss_percent)
        packet_free(packet);
    else
        queue_add(&run->wheel[(run->ms + latency_ms) % WHEEL_SLOTS], packet);
}

/* Notes who is seen down; looks only where something can have changed. */
static void run_look(struct run *run, uint32_t observer)
{
    struct place *place = &run->places[observer];
    uint32_t members = run->setting->members;
    uint8_t *sees = run->sees_down + (size_t)observer * members;

    if (place->node->counters.declared_down == place->declared && !place->down_count)
        return;
    place->declared = place->node->counters.declared_down;
    place->down_count = 0;
    for (uint32_t i = 0; i < members; i++) {
        bool down = place->node->members[i]->down;
        bool is_false = run->places[i].node && !run->places[i].sick;

        place->down_count += down;
        if (down == sees[i])
            continue;
        sees[i] = down;
        if (down && is_false) {
            run->false_views++;
            run->false_members += run->seen_down_by[i] == 0;
        }
        run->seen_down_by[i] += down ? 1u : UINT32_MAX; /* up or down by one */
    }
}

static void run_step(struct run *run, uint32_t at, struct dynkv_event *event)
{
    struct place *place = &run->places[at];

    event->now_ms = NOW_MS + run->ms;
    event->mono_ms = 1 + run->ms;
    dynkv_node_step(place->node, event, &run->effects);
    for (uint32_t i = 0; i < run->effects.send_count; i++)
        run_send(run, at, &run->effects.sends[i]);
    while (run->effects.store_count) { /* everything is durable at once */
        uint64_t tokens[64];
        struct dynkv_event stored = {
            .type = DYNKV_EVENT_STORED, .now_ms = event->now_ms, .mono_ms = event->mono_ms};

        DYNKV_ASSERT(run->effects.store_count <= 64);
        for (uint32_t i = 0; i < run->effects.store_count; i++)
            tokens[i] = run->effects.stores[i].token;
        stored.as.stored.tokens = tokens;
        stored.as.stored.token_count = run->effects.store_count;
        dynkv_effects_reset(&run->effects);
        dynkv_node_step(place->node, &stored, &run->effects);
        DYNKV_ASSERT(run->effects.send_count == 0);
    }
    dynkv_effects_reset(&run->effects);
    run_look(run, at);
}

static void run_deliver(struct run *run, struct queue *queue)
{
    struct packet *packet;

    while ((packet = queue_take(queue))) {
        struct place *place = &run->places[packet->to];
        struct dynkv_event event = {.type = DYNKV_EVENT_FRAME};

        if (place->stalled) {
            queue_add(&place->waiting, packet);
            continue;
        }
        event.as.frame.bytes = dynkv_buf_slice(&packet->frame);
        if (place->node)
            run_step(run, packet->to, &event);
        packet_free(packet);
    }
}

static void run_stall(struct run *run, struct place *place)
{
    if (!place->sick || run->ms < place->stall_change_ms)
        return;
    place->stalled = !place->stalled;
    place->stall_change_ms = run->ms + (place->stalled ? STALL_MS : WORK_MS);
    if (!place->stalled)
        run_deliver(run, &place->waiting);
}

static void run_for(struct run *run, uint32_t ms)
{
    for (uint64_t end_ms = run->ms + ms; run->ms < end_ms;) {
        run->ms++;
        run_deliver(run, &run->wheel[run->ms % WHEEL_SLOTS]);
        for (uint32_t i = 0; i < run->setting->members; i++) {
            struct dynkv_event event = {.type = DYNKV_EVENT_TICK};
            struct place *place = &run->places[i];

            run_stall(run, place);
            if ((run->ms + i) % DYNKV_TICK_MS == 0 && place->node && !place->stalled)
                run_step(run, i, &event);
        }
    }
}

/* ---- life and death ---- */

/* The tables as a node would have saved them; itself it knows one incarnation older than now. */
static struct dynkv_slice saved_state(const struct run *run, uint32_t self,
                                      struct dynkv_arena *arena)
{
    uint32_t count = run->setting->members;
    struct dynkv_member *members = dynkv_arena_calloc(arena, count, sizeof *members);
    struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_JOIN_REPLY, .sender = self + 1};
    struct dynkv_join_reply body = {
        .cluster_id = CLUSTER_ID, .partitions = 1, .members = members, .member_count = count};
    struct dynkv_buf bytes = {0};
    struct dynkv_slice result;

    for (uint32_t i = 0; i < count; i++) {
        char *text = dynkv_arena_alloc(arena, 64);

        snprintf(text, 64, "tcp://10.0.0.0:%05u", 10000 + i);
        members[i] = (struct dynkv_member){
            .id = i + 1,
            .incarnation = i == self ? 1 + 1000 * run->places[self].lives : 2,
            .name = dynkv_slice(text + 15, 5),
            .zone = dynkv_slice_text("zone"),
            .client_url = dynkv_slice_text(text),
            .peer_url = dynkv_slice_text(text),
            .weight = 100,
            .joined = i + 1,
            .holds_data = 1,
        };
    }
    dynkv_message_encode(&envelope, &body, &bytes);
    result = dynkv_slice_copy(dynkv_buf_slice(&bytes), arena);
    dynkv_buf_fini(&bytes);
    return result;
}

static void run_start(struct run *run, uint32_t at)
{
    struct place *place = &run->places[at];
    struct dynkv_arena arena = {0};
    char text[64];
    struct dynkv_node_config config = {
        .id = at + 1,
        .run = at + 1,
        .seed = dynkv_random_next(&run->random),
        .now_ms = NOW_MS + run->ms,
        .zone = dynkv_slice_text("zone"),
        .weight = 100,
        .plain_swim = !run->setting->lifeguard,
        .state = saved_state(run, at, &arena),
    };

    snprintf(text, sizeof text, "tcp://10.0.0.0:%05u", 10000 + at);
    config.name = dynkv_slice(text + 15, 5);
    config.client_url = config.peer_url = dynkv_slice_text(text);
    place->node = dynkv_node_new(&config);
    place->declared = 0;
    place->lives++;
    dynkv_arena_fini(&arena);
}

static void run_kill(struct run *run, uint32_t at)
{
    uint32_t members = run->setting->members;

    dynkv_node_free(run->places[at].node);
    run->places[at].node = NULL;
    run->places[at].down_count = 0;
    for (uint32_t i = 0; i < members; i++) {
        run->seen_down_by[i] -= run->sees_down[(size_t)at * members + i];
        run->sees_down[(size_t)at * members + i] = 0;
    }
}

static void run_init(struct run *run, const struct setting *setting)
{
    uint32_t members = setting->members;

    *run = (struct run){.setting = setting, .random = dynkv_random(members + 1)};
    run->places = dynkv_calloc(members, sizeof *run->places);
    run->sees_down = dynkv_calloc((size_t)members * members, 1);
    run->seen_down_by = dynkv_calloc(members, sizeof *run->seen_down_by);
    for (uint32_t i = 0; i < members; i++) {
        run->places[i].sick = setting->sick && i % 10 == 0;
        run->places[i].stall_change_ms = SETTLE_MS + dynkv_random_below(&run->random, STALL_MS);
        run_start(run, i);
    }
}

static void run_fini(struct run *run)
{
    struct packet *packet;

    for (uint32_t i = 0; i < run->setting->members; i++) {
        dynkv_node_free(run->places[i].node);
        while ((packet = queue_take(&run->places[i].waiting)))
            packet_free(packet);
    }
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
        while ((packet = queue_take(&run->wheel[i])))
            packet_free(packet);
    dynkv_effects_fini(&run->effects);
    free(run->places);
    free(run->sees_down);
    free(run->seen_down_by);
}

/* ---- figures ---- */

static int compare_times(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Runs until at least, or at most, so many see the member down; the time it took, in ms. */
static uint64_t run_until_seen_by(struct run *run, uint32_t member, uint32_t least, uint32_t most)
{
    uint64_t start_ms = run->ms;

    while ((run->seen_down_by[member] < least || run->seen_down_by[member] > most) &&
           run->ms < start_ms + LEARN_LIMIT_MS)
        run_for(run, 10);
    return run->ms - start_ms;
}

/* How often members that live were accused, all told. */
static uint64_t run_accusations(const struct run *run)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->setting->members; i++)
        sum += run->places[i].node->counters.accusations;
    return sum;
}

static void run_quiet(struct run *run)
{
    const struct setting *setting = run->setting;
    double member_seconds = setting->members * (double)setting->seconds;
    uint64_t false_before, views_before, accused_before;

    run_for(run, SETTLE_MS + (setting->sick ? STALL_MS : 0));
    run->messages = run->bytes = 0;
    false_before = run->false_members;
    views_before = run->false_views;
    accused_before = run_accusations(run);
    run_for(run, setting->seconds * 1000);
    printf(" %.1f | %.1f | %.1f | %llu | %llu |", (double)run->messages / member_seconds,
           (double)run->bytes / member_seconds / 1024,
           (double)(run_accusations(run) - accused_before) * 60 / setting->seconds,
           (unsigned long long)(run->false_members - false_before),
           (unsigned long long)(run->false_views - views_before));
}

static void run_deaths(struct run *run)
{
    uint32_t members = run->setting->members, deaths = run->setting->deaths;
    uint64_t half_ms[DEATHS_MAX], all_ms[DEATHS_MAX];

    for (uint32_t i = 0; i < deaths; i++) {
        uint32_t victim = (uint32_t)dynkv_random_below(&run->random, members);

        run_kill(run, victim);
        half_ms[i] = run_until_seen_by(run, victim, members / 2, members);
        all_ms[i] = half_ms[i] + run_until_seen_by(run, victim, members - 1, members);
        run_start(run, victim);
        run_until_seen_by(run, victim, 0, 0);
        run_for(run, 5000);
    }
    qsort(half_ms, deaths, sizeof *half_ms, compare_times);
    qsort(all_ms, deaths, sizeof *all_ms, compare_times);
    printf(" %.2f | %.2f | %.2f |", (double)half_ms[deaths / 2] / 1000,
           (double)all_ms[deaths / 2] / 1000, (double)all_ms[deaths - 1] / 1000);
}

static void print_run(const struct setting *setting)
{
    struct timespec start, end;
    struct run run;

    clock_gettime(CLOCK_MONOTONIC, &start);
    run_init(&run, setting);
    printf("| %u | %s | %s | %u |", setting->members,
           setting->sick                 ? "10% sick"
           : setting->loss_percent == 20 ? "20% lost"
           : setting->loss_percent == 5  ? "5% lost"
                                         : "none",
           setting->lifeguard ? "on" : "off", setting->seconds);
    run_quiet(&run);
    if (setting->deaths)
        run_deaths(&run);
    else
        printf(" | | |");
    printf("\n");
    fflush(stdout);
    run_fini(&run);
    clock_gettime(CLOCK_MONOTONIC, &end);
    fprintf(stderr, "(%.1f s)\n",
            (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
}

int main(int argc, char **argv)
{
    static const struct setting sizes[] = {{.members = 10, .seconds = 1800, .deaths = 20},
                                           {.members = 100, .seconds = 600, .deaths = 10},
                                           {.members = 1000, .seconds = 60, .deaths = 3}};
    static const uint32_t losses[] = {0, 5, 20};
    uint32_t only = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;

    printf("| members | trouble | Lifeguard | quiet s | messages/s | KiB/s | suspicions/min | "
           "wrongly down | views | "
           "half know, s | all know, s | worst "
           "|\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++)
        for (uint32_t kind = 0; kind < 8; kind++) {
            struct setting setting = sizes[size];

            if (only && setting.members != only)
                continue;
            if (argc > 2)
                setting.seconds = (uint32_t)atoi(argv[2]);
            setting.lifeguard = kind % 2 == 0;
            setting.sick = kind >= 6;
            setting.loss_percent = setting.sick ? 0 : losses[kind / 2];
            if (argc > 3 && (setting.sick || setting.loss_percent != (uint32_t)atoi(argv[3])))
                continue;
            if (setting.sick)
                setting.deaths = 0;
            print_run(&setting);
        }
    return 0;
}
