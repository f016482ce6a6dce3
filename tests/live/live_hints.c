/* live_hints.c: a node dies, writes go on, and what it missed comes to it by itself. */
#include <signal.h>
#include <stdio.h>

#include "model/object.h"
#include "tests/live/live.h"
#include "tests/live/live_tests.h"

#define NODES 4u
#define KEYS  200u

static void start_four(struct live_node *nodes[NODES])
{
    static const char *const names[NODES] = {"n1", "n2", "n3", "n4"};

    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] = live_node_start(&(struct live_node_options){
            .name = names[i], .join = i ? live_node_peer_url(nodes[0]) : NULL});
        if (i == 0)
            live_node_await_ready(nodes[0]);
    }
    for (uint32_t i = 0; i < NODES; i++)
        live_node_await_ready(nodes[i]);
    for (uint32_t i = 0; i < NODES; i++)
        live_await_members(nodes[i], NODES, 0);
}

/* What the node itself holds, no other being asked: 1 the value, 0 nothing, -1 it is no replica. */
static int holds(struct live_client *client, uint64_t keyspace, const char *key)
{
    struct dynkv_get_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key)};
    struct dynkv_get body = {.keyspace = keyspace, .items = &item, .item_count = 1};
    struct live_answer answer;
    struct dynkv_object object;
    int result = 0;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_GET, &body, 5000, &answer), "no answer to GET %s",
          key);
    if (answer.envelope.type == DYNKV_MESSAGE_ERROR ||
        answer.body.get_reply.results[0].error == DYNKV_NOT_REPLICA)
        result = -1;
    else if (dynkv_object_decode(answer.body.get_reply.results[0].object, &answer.arena, &object) ==
                 DYNKV_OK &&
             object.sibling_count == 1)
        result = dynkv_slice_equal(object.siblings[0].value, dynkv_slice_text(key));
    live_answer_free(&answer);
    return result;
}

struct survivors {
    struct live_client *clients[NODES - 1];
};

static uint64_t total(const struct survivors *survivors, const char *counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < NODES - 1; i++)
        sum += live_counter(survivors->clients[i], counter);
    return sum;
}

static bool all_is_delivered(void *context)
{
    return total(context, "hints_pending") == 0;
}

void hints_come_home_without_a_read(void)
{
    struct live_node *nodes[NODES];
    struct survivors survivors;
    struct live_client *back;
    uint32_t replicated = 0;
    uint64_t keyspace, delivered;
    char key[32];

    start_four(nodes);
    for (uint32_t i = 0; i < NODES - 1; i++)
        survivors.clients[i] = live_client_open(live_node_client_url(nodes[i]));
    keyspace = live_keyspace(survivors.clients[0], "hinted", 3, 2, 3);
    live_node_signal(nodes[NODES - 1], SIGKILL);
    live_node_await_exit(nodes[NODES - 1]);
    for (uint32_t i = 0; i < NODES - 1; i++)
        live_await_members(nodes[i], NODES - 1, 1);
    /* W=3 of N=3 with one dead: a fallback makes up the number. */
    for (uint32_t i = 0; i < KEYS; i++) {
        struct dynkv_put_result result;

        snprintf(key, sizeof key, "key-%u", i);
        result = live_put(survivors.clients[i % (NODES - 1)], keyspace, key, key, 3, 10000);
        CHECK(result.error == DYNKV_OK, "put %s: %s", key,
              dynkv_error_name((enum dynkv_error)result.error));
        CHECK(result.acks == 3, "put %s has %u acknowledgements", key, result.acks);
    }
    CHECK(total(&survivors, "hints_pending") > 0, "hints are kept");
    /* One that keeps hints is killed, too, and has them still. */
    live_node_signal(nodes[1], SIGKILL);
    live_node_await_exit(nodes[1]);
    live_node_start(&(struct live_node_options){.name = "n2"});
    live_node_await_ready(nodes[1]);
    live_node_start(&(struct live_node_options){.name = "n4"});
    live_node_await_ready(nodes[NODES - 1]);
    for (uint32_t i = 0; i < NODES; i++)
        live_await_members(nodes[i], NODES, 0);
    live_await(all_is_delivered, &survivors, "all hints are delivered");
    delivered = total(&survivors, "hints_delivered");
    back = live_client_open(live_node_client_url(nodes[NODES - 1]));
    for (uint32_t i = 0; i < KEYS; i++) {
        int held;

        snprintf(key, sizeof key, "key-%u", i);
        held = holds(back, keyspace, key);
        CHECK(held != 0, "%s has not come home", key);
        replicated += held == 1;
    }
    CHECK(replicated > KEYS / 2, "it is a replica of %u keys", replicated);
    CHECK(delivered >= replicated, "%u keys with %u hints", replicated, (unsigned)delivered);
    CHECK(live_counter(back, "read_repairs") + total(&survivors, "read_repairs") == 0,
          "nothing was repaired by a read");
}
