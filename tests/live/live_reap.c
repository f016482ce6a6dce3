/* live_reap.c: what was deleted leaves no record on any disk; while a member is down, all of it stays. */
#include <signal.h>
#include <stdio.h>

#include "tests/live/live.h"
#include "tests/live/live_tests.h"

#define NODES   3u
#define KEYS    50u
#define DELETED 40u

struct reaping {
    struct live_client *clients[NODES];
    uint32_t count; /* of those that are up */
    uint64_t keyspace, rounds;
};

static void delete_key(struct reaping *reaping, uint32_t number, uint8_t w)
{
    struct live_client *client = reaping->clients[number % reaping->count];
    char key[32];
    struct dynkv_put_item item = {.flags = DYNKV_PUT_DELETE};
    struct dynkv_put body = {
        .keyspace = reaping->keyspace, .w = w, .items = &item, .item_count = 1};
    struct live_answer answer;

    snprintf(key, sizeof key, "key-%u", number);
    item.key = dynkv_slice_text(key);
    item.partition_len = (uint32_t)strlen(key);
    CHECK(live_client_ask(client, DYNKV_MESSAGE_PUT, &body, 10000, &answer),
          "no answer to the delete of %s", key);
    CHECK(answer.envelope.type == DYNKV_MESSAGE_PUT_REPLY &&
              answer.body.put_reply.results[0].error == DYNKV_OK,
          "delete of %s", key);
    live_answer_free(&answer);
}

/* Bytes that a node's own store has of a key, tombstone or not. */
static size_t held(struct live_client *client, uint64_t keyspace, uint32_t number)
{
    char key[32];
    struct dynkv_get_item item = {.partition_len = 0}; /* want 0: the object */
    struct dynkv_get body = {.keyspace = keyspace, .items = &item, .item_count = 1};
    struct live_answer answer;
    size_t len;

    snprintf(key, sizeof key, "key-%u", number);
    item.key = dynkv_slice_text(key);
    item.partition_len = (uint32_t)strlen(key);
    CHECK(live_client_ask(client, DYNKV_MESSAGE_GET, &body, 10000, &answer), "no answer to GET %s",
          key);
    CHECK(answer.envelope.type == DYNKV_MESSAGE_GET_REPLY &&
              answer.body.get_reply.results[0].error == DYNKV_OK,
          "GET %s", key);
    len = answer.body.get_reply.results[0].object.len;
    live_answer_free(&answer);
    return len;
}

static uint64_t total(const struct reaping *reaping, const char *counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < reaping->count; i++)
        sum += live_counter(reaping->clients[i], counter);
    return sum;
}

static bool no_tombstone_is_left(void *context)
{
    return total(context, "tombstones") == 0;
}

/* Anti-entropy goes round every few seconds, and reaping looks for work every second. */
static bool time_enough_has_passed(void *context)
{
    const struct reaping *reaping = context;

    return total(reaping, "sync_rounds") >= reaping->rounds;
}

static void check_records(const struct reaping *reaping)
{
    for (uint32_t i = 0; i < NODES; i++)
        for (uint32_t number = 0; number < KEYS; number++) {
            size_t len = held(reaping->clients[i], reaping->keyspace, number);

            CHECK((len > 0) == (number >= DELETED), "node %u has %zu bytes of key-%u", i + 1, len,
                  number);
        }
}

void deletes_leave_nothing_behind(void)
{
    struct live_node *nodes[NODES];
    struct reaping reaping = {.count = NODES};
    char key[32];

    live_cluster_start(NULL, nodes);
    for (uint32_t i = 0; i < NODES; i++)
        reaping.clients[i] = live_client_open(live_node_client_url(nodes[i]));
    reaping.keyspace = live_keyspace(reaping.clients[0], "reaped", 3, 2, 3);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct dynkv_put_result result;

        snprintf(key, sizeof key, "key-%u", i);
        result = live_put(reaping.clients[i % NODES], reaping.keyspace, key, key, 3, 10000);
        CHECK(result.error == DYNKV_OK, "put %s: %s", key,
              dynkv_error_name((enum dynkv_error)result.error));
    }
    for (uint32_t i = 0; i < DELETED - 10; i++)
        delete_key(&reaping, i, 3);
    live_await(no_tombstone_is_left, &reaping, "all tombstones are reaped");
    CHECK(total(&reaping, "tombstones_reaped") >= NODES * (DELETED - 10),
          "each node reaps its own");

    live_node_signal(nodes[NODES - 1], SIGKILL);
    live_node_await_exit(nodes[NODES - 1]);
    for (uint32_t i = 0; i < NODES - 1; i++)
        live_await_members(nodes[i], NODES - 1, 1);
    reaping.count = NODES - 1;
    reaping.rounds = total(&reaping, "sync_rounds") + 2;
    for (uint32_t i = DELETED - 10; i < DELETED; i++)
        delete_key(&reaping, i, 2);
    live_await(time_enough_has_passed, &reaping, "two nodes go on comparing");
    CHECK(total(&reaping, "tombstones") == 2 * 10, "with a member down nothing is reaped");

    live_node_start(&(struct live_node_options){.name = "n3"});
    live_node_await_ready(nodes[NODES - 1]);
    for (uint32_t i = 0; i < NODES; i++)
        live_await_members(nodes[i], NODES, 0);
    reaping.clients[NODES - 1] = live_client_open(live_node_client_url(nodes[NODES - 1]));
    reaping.count = NODES;
    for (uint32_t i = DELETED - 10; i < DELETED; i++) {
        enum dynkv_error error;
        char value[256];

        snprintf(key, sizeof key, "key-%u",
                 i); /* a read repairs, and is quicker than anti-entropy */
        CHECK(live_get(reaping.clients[0], reaping.keyspace, key, 3, value, &error) == 0,
              "%s is deleted", key);
    }
    live_await(no_tombstone_is_left, &reaping, "with all back, the rest is reaped");
    check_records(&reaping);
}
