/* live_sync.c: a node that missed writes gets them back by itself. */
#include <signal.h>
#include <stdio.h>

#include "model/object.h"
#include "tests/live/live.h"
#include "tests/live/live_tests.h"

#define MISSED 500u

struct holder {
    struct live_client *client;
    uint64_t keyspace;
    uint32_t first; /* keys before this one are there */
};

/* Whether a node itself holds a key with that value; nobody else is asked, and nothing is repaired. */
static bool holds(const struct holder *holder, const char *key, const char *value)
{
    struct dynkv_get_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key)};
    struct dynkv_get body = {.keyspace = holder->keyspace, .items = &item, .item_count = 1};
    struct live_answer answer;
    struct dynkv_object object;
    bool found;

    if (!live_client_ask(holder->client, DYNKV_MESSAGE_GET, &body, 2000, &answer))
        return false;
    found = answer.envelope.type == DYNKV_MESSAGE_GET_REPLY &&
            dynkv_object_decode(answer.body.get_reply.results[0].object, &answer.arena, &object) ==
                DYNKV_OK &&
            object.sibling_count == 1 &&
            dynkv_slice_equal(object.siblings[0].value, dynkv_slice_text(value));
    live_answer_free(&answer);
    return found;
}

static bool holds_all(void *context)
{
    struct holder *holder = context;
    char key[32], value[32];

    for (; holder->first < MISSED; holder->first++) {
        snprintf(key, sizeof key, "key-%u", holder->first);
        snprintf(value, sizeof value, "new-%u", holder->first);
        if (!holds(holder, key, value))
            return false;
    }
    return true;
}

static void put_all(struct live_client *client, uint64_t keyspace, const char *prefix,
                    uint32_t first, uint32_t end, uint8_t w)
{
    char key[32], value[32];

    for (uint32_t i = first; i < end; i++) {
        struct dynkv_put_result put;

        snprintf(key, sizeof key, "key-%u", i);
        snprintf(value, sizeof value, "%s-%u", prefix, i);
        put = live_put(client, keyspace, key, value, w, 5000);
        CHECK(put.error == DYNKV_OK, "put %s: %s", key,
              dynkv_error_name((enum dynkv_error)put.error));
    }
}

static uint64_t counter(struct live_client *client, const char *name)
{
    struct dynkv_status body = {0};
    struct live_answer answer;
    uint64_t value = UINT64_MAX;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_STATUS, &body, 5000, &answer), "no status");
    CHECK(answer.envelope.type == DYNKV_MESSAGE_STATUS_REPLY, "a status");
    for (uint32_t i = 0; i < answer.body.status_reply.counter_count; i++)
        if (dynkv_slice_equal(answer.body.status_reply.counters[i].name, dynkv_slice_text(name)))
            value = answer.body.status_reply.counters[i].value;
    live_answer_free(&answer);
    CHECK(value != UINT64_MAX, "no counter %s", name);
    return value;
}

void a_killed_node_catches_up_without_any_read(void)
{
    struct live_node *nodes[3];
    struct live_client *client;
    struct holder third = {0};

    live_cluster_start("rocksdb", nodes);
    client = live_client_open(live_node_client_url(nodes[0]));
    third.keyspace = live_keyspace(client, "live", 3, 2, 2);
    put_all(client, third.keyspace, "old", 0, MISSED / 2, 3);
    live_node_signal(nodes[2], SIGKILL);
    CHECK(live_node_await_exit(nodes[2]) == -SIGKILL, "killed");
    for (int i = 0; i < 2; i++)
        live_await_members(nodes[i], 2, 1); /* else the writes wait for it in the sockets' queues */
    put_all(client, third.keyspace, "new", 0, MISSED, 2);
    live_node_await_ready(live_node_start(&(struct live_node_options){.name = "n3"}));
    third.client = live_client_open(live_node_client_url(nodes[2]));
    live_await(holds_all, &third, "n3 holds the 500 writes that it missed");
    for (int i = 0; i < 3; i++)
        CHECK(counter(live_client_open(live_node_client_url(nodes[i])), "read_repairs") == 0,
              "a read has repaired something on node %d", i + 1);
}
