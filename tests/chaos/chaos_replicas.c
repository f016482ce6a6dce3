/*
 * chaos_replicas.c: what each node holds, by GETs without DYNKV_GET_COORDINATE over a plain REQ socket:
 * such a GET is answered from the node's own store, by replicas only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/read_quorum.h"
#include "tests/chaos/chaos.h"

#define REPAIR_AGAIN_MS 2000u /* repairs travel without an answer, so one may be lost */

/* What the replicas of each key hold, encoded; memory of the arena. */
struct holding {
    struct dynkv_slice objects[CHAOS_NODES];
    uint32_t nodes; /* mask: which are replicas */
};

static const char *key_at(uint32_t i)
{
    return i < CHAOS_SET_KEYS ? chaos_set_key(i) : chaos_register_key(i - CHAOS_SET_KEYS);
}

static void check_object(uint32_t i, const struct dynkv_object *object, uint32_t *count,
                         const char *where)
{
    if (i < CHAOS_SET_KEYS)
        chaos_set_check(i, object, count, where);
    else
        chaos_register_check(i - CHAOS_SET_KEYS, object, count, where);
}

/* ---- asking ---- */

static void ask_node(uint32_t n, struct holding holdings[CHAOS_KEYS], struct dynkv_arena *arena)
{
    struct live_client *client = live_client_open(live_node_client_url(chaos_nodes[n]));
    struct dynkv_get_item items[CHAOS_KEYS] = {0};
    struct dynkv_get body = {.keyspace = chaos_keyspace, .items = items, .item_count = CHAOS_KEYS};
    struct live_answer answer;

    for (uint32_t i = 0; i < CHAOS_KEYS; i++) {
        items[i].key = dynkv_slice_text(key_at(i));
        items[i].partition_len = (uint32_t)items[i].key.len;
        items[i].want = DYNKV_WANT_OBJECT;
    }
    CHECK(live_client_ask(client, DYNKV_MESSAGE_GET, &body, 10000, &answer), "n%u is silent",
          n + 1);
    CHECK(answer.envelope.type == DYNKV_MESSAGE_GET_REPLY, "n%u answers GET with %s", n + 1,
          dynkv_message_name(answer.envelope.type));
    for (uint32_t i = 0; i < CHAOS_KEYS; i++) {
        const struct dynkv_get_result *result = &answer.body.get_reply.results[i];

        if (result->error == DYNKV_NOT_REPLICA)
            continue;
        CHECK(!result->error, "n%u on %s: %s", n + 1, key_at(i),
              dynkv_error_text((enum dynkv_error)result->error));
        holdings[i].nodes |= 1u << n;
        holdings[i].objects[n] = dynkv_slice_copy(result->object, arena);
    }
    live_answer_free(&answer);
    live_client_close(client);
}

static void ask_all(struct holding holdings[CHAOS_KEYS], struct dynkv_arena *arena)
{
    memset(holdings, 0, CHAOS_KEYS * sizeof *holdings);
    for (uint32_t n = 0; n < CHAOS_NODES; n++)
        if (chaos_running() >> n & 1)
            ask_node(n, holdings, arena);
    for (uint32_t i = 0; i < CHAOS_KEYS; i++)
        CHECK(__builtin_popcount(holdings[i].nodes) == CHAOS_N, "%s has replicas %s", key_at(i),
              chaos_names(holdings[i].nodes));
}

static struct dynkv_object merge(const struct holding *holding, uint32_t nodes,
                                 struct dynkv_arena *arena)
{
    struct dynkv_object all = {0}, one;

    for (uint32_t n = 0; n < CHAOS_NODES; n++) {
        if (!(nodes >> n & 1))
            continue;
        CHECK(!dynkv_object_decode(holding->objects[n], arena, &one), "n%u holds a corrupt object",
              n + 1);
        all = dynkv_object_merge(&all, &one, arena);
    }
    return all;
}

/* ---- before repair: any R replicas together have all that W acknowledged ---- */

void chaos_replicas_check_pairs(void)
{
    struct holding holdings[CHAOS_KEYS];
    struct dynkv_arena arena = {0};

    ask_all(holdings, &arena);
    for (uint32_t i = 0; i < CHAOS_KEYS; i++)
        for (uint32_t nodes = 1; nodes <= CHAOS_ALL_NODES; nodes++) {
            struct dynkv_object object;
            char where[64];

            if ((nodes & holdings[i].nodes) != nodes ||
                __builtin_popcount(nodes) != chaos_options.r)
                continue;
            object = merge(&holdings[i], nodes, &arena);
            snprintf(where, sizeof where, "what %s hold", chaos_names(nodes));
            check_object(i, &object, &chaos_set.lost_in_pair, where);
        }
    dynkv_arena_fini(&arena);
}

/* ---- repair, and after it ---- */

/* Hints that node n keeps for others: what they hold is not on its replicas yet. */
static uint64_t hints_at(uint32_t n)
{
    struct live_client *client = live_client_open(live_node_client_url(chaos_nodes[n]));
    struct dynkv_status body = {0};
    struct live_answer answer;
    uint64_t hints = 0;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_STATUS, &body, 10000, &answer), "n%u is silent",
          n + 1);
    CHECK(answer.envelope.type == DYNKV_MESSAGE_STATUS_REPLY, "n%u answers STATUS with %s", n + 1,
          dynkv_message_name(answer.envelope.type));
    for (uint32_t i = 0; i < answer.body.status_reply.counter_count; i++)
        if (dynkv_slice_equal(answer.body.status_reply.counters[i].name,
                              dynkv_slice_text("hints_pending")))
            hints += answer.body.status_reply.counters[i].value;
    live_answer_free(&answer);
    live_client_close(client);
    return hints;
}

static uint64_t hints_pending(void)
{
    uint64_t hints = 0;

    for (uint32_t n = 0; n < CHAOS_NODES; n++)
        if (chaos_running() >> n & 1)
            hints += hints_at(n);
    return hints;
}

static void read_everything(struct dynkv_client *client)
{
    struct dynkv_key_ref refs[CHAOS_KEYS];
    struct dynkv_call call = {.deadline_ms = 10000, .r = CHAOS_N};
    struct dynkv_request *request;

    for (uint32_t i = 0; i < CHAOS_KEYS; i++) {
        refs[i].key = dynkv_slice_text(key_at(i));
        refs[i].partition_len = (uint32_t)refs[i].key.len;
    }
    request = dynkv_get_start(client, chaos_keyspace, refs, CHAOS_KEYS, &call);
    dynkv_request_wait(request);
    CHECK(!dynkv_request_error(request), "all nodes are up, but: %s", dynkv_request_text(request));
    dynkv_request_free(request);
    dynkv_client_poll(client, 0); /* what it has to say of stale replicas leaves */
}

static bool are_equal(bool tell)
{
    struct holding holdings[CHAOS_KEYS];
    struct dynkv_arena arena = {0};
    bool equal = true;

    ask_all(holdings, &arena);
    for (uint32_t i = 0; i < CHAOS_KEYS; i++) {
        uint32_t first = (uint32_t)__builtin_ctz(holdings[i].nodes);

        for (uint32_t n = first + 1; n < CHAOS_NODES; n++) {
            if (!(holdings[i].nodes >> n & 1) ||
                dynkv_slice_equal(holdings[i].objects[first], holdings[i].objects[n]))
                continue;
            equal = false;
            if (tell)
                printf("  n%u and n%u hold different objects of %s\n", first + 1, n + 1, key_at(i));
        }
    }
    dynkv_arena_fini(&arena);
    return equal;
}

/* A client that knows the keyspace. */
static struct dynkv_client *open_client(void)
{
    struct dynkv_client_options options = {.hosts = chaos_hosts(), .name = "chaos"};
    struct dynkv_client *client;
    struct dynkv_request *request;
    char text[DYNKV_CLIENT_TEXT_MAX];

    CHECK(!dynkv_client_new(&options, &client, text, sizeof text), "%s", text);
    request = dynkv_keyspace_open_start(client, "chaos", false, NULL, LIVE_PATIENCE_MS);
    dynkv_request_wait(request);
    CHECK(!dynkv_request_error(request), "%s", dynkv_request_text(request));
    dynkv_request_free(request);
    return client;
}

bool chaos_replicas_converge(uint64_t *took_ms)
{
    uint64_t began = live_now_ms(), read_at = 0;
    struct dynkv_client *client = open_client();
    bool equal;

    /* Hints first: replicas that are equal may lack together what is still on its way to them. */
    while (!(equal = hints_pending() == 0 && are_equal(false)) &&
           live_now_ms() - began < CHAOS_CONVERGENCE_MS) {
        if (!chaos_options.without_reading && live_now_ms() - read_at >= REPAIR_AGAIN_MS) {
            read_everything(client);
            read_at = live_now_ms();
        }
        dynkv_client_poll(client, 50);
    }
    if (!equal && are_equal(true))
        printf("  %llu hints are not handed over\n", (unsigned long long)hints_pending());
    dynkv_client_free(client);
    *took_ms = live_now_ms() - began;
    return equal;
}

void chaos_replicas_check_all(void)
{
    struct holding holdings[CHAOS_KEYS];
    struct dynkv_arena arena = {0};

    ask_all(holdings, &arena);
    for (uint32_t i = 0; i < CHAOS_KEYS; i++) {
        struct dynkv_object object = merge(&holdings[i], holdings[i].nodes, &arena);

        check_object(i, &object, &chaos_set.lost, "the cluster's copy");
    }
    dynkv_arena_fini(&arena);
}
