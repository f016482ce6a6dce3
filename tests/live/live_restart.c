/* live_restart.c: which actor a node stamps its writes with after it was stopped, killed, or put back. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "tests/live/live.h"
#include "tests/live/live_tests.h"

static bool is_sure(void *client)
{
    return live_counter(client, "unsure") == 0;
}

/* Writes to a node, which has to be a replica, and tells the actor that stamped it. */
static uint64_t actor_of(struct live_node *node)
{
    static uint32_t count;
    struct live_client *client = live_client_open(live_node_client_url(node));
    char key[32];
    struct dynkv_get_item item = {0};
    struct dynkv_get body = {.items = &item, .item_count = 1};
    struct dynkv_put_result put;
    struct live_answer answer;
    struct dynkv_object object;
    uint64_t actor;

    snprintf(key, sizeof key, "actor-%u", count++);
    item.key = dynkv_slice_text(key);
    item.partition_len = (uint32_t)item.key.len;
    body.keyspace = live_keyspace(client, "live", 3, 2, 2);
    live_await(is_sure, client, "it was told what its store may have forgotten");
    put = live_put(client, body.keyspace, key, "x", 1, 5000);
    CHECK(put.error == DYNKV_OK, "put: %s", dynkv_error_name((enum dynkv_error)put.error));
    CHECK(live_client_ask(client, DYNKV_MESSAGE_GET, &body, 5000, &answer), "no answer");
    CHECK(answer.envelope.type == DYNKV_MESSAGE_GET_REPLY, "a get");
    CHECK(dynkv_object_decode(answer.body.get_reply.results[0].object, &answer.arena, &object) ==
                  DYNKV_OK &&
              object.sibling_count == 1,
          "one value");
    actor = object.siblings[0].dot.actor;
    live_answer_free(&answer);
    live_client_close(client);
    return actor;
}

static struct live_node *start_again(const char *name, const char *sync)
{
    struct live_node *node =
        live_node_start(&(struct live_node_options){.name = name, .extra = {"--sync", sync}});

    live_node_await_ready(node);
    return node;
}

static void end(struct live_node *node, int signal, int expected)
{
    int code;

    live_node_signal(node, signal);
    code = live_node_await_exit(node);
    CHECK(code == expected, "exit code %d", code);
}

static bool says_new_actor(struct live_node *node)
{
    char log[LIVE_LOG_MAX];

    live_node_log(node, log);
    return strstr(log, "goes on as a new actor");
}

void a_store_that_was_killed_gets_a_new_actor(void)
{
    struct live_node *node = start_again("n1", "always");
    uint64_t first = actor_of(node), second;

    end(node, SIGTERM, 0);
    node = start_again("n1", "interval");
    CHECK(actor_of(node) == first, "everything is there: the actor goes on");
    CHECK(!says_new_actor(node), "and nothing is said");
    end(node, SIGKILL, -SIGKILL);
    node = start_again("n1", "always");
    second = actor_of(node);
    CHECK(second != first && says_new_actor(node), "others may know writes that it lost");
    end(node, SIGKILL, -SIGKILL);
    node = start_again("n1", "always");
    CHECK(actor_of(node) != second, "whatever was synced: they are sent before that");
}

static void shell(const char *command)
{
    char line[1600];

    snprintf(line, sizeof line, "cd '%s' && %s", live_folder(), command);
    CHECK(system(line) == 0, "%s", line);
}

void an_old_copy_of_a_store_gets_a_new_actor(void)
{
    struct live_node *nodes[3];
    uint64_t before, between;

    live_cluster_start("rocksdb", nodes);
    before = actor_of(nodes[2]);
    end(nodes[2], SIGTERM, 0);
    shell("cp -R n3 copy");
    /* Meanwhile a run, which uses the actor further if the others confirm it in time. */
    between = actor_of(start_again("n3", "always"));
    end(nodes[2], SIGTERM, 0);
    shell("rm -R n3 && mv copy n3");
    nodes[2] = start_again("n3", "always");
    CHECK(actor_of(nodes[2]) != before && actor_of(nodes[2]) != between, "an actor used before");
    CHECK(says_new_actor(nodes[2]), "it says so");
}
