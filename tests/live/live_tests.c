/* live_tests.c: what a cluster of real processes must do. */
#include "tests/live/live_tests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/live/live.h"

#define KEYS 100u

static void key_name(char out[32], uint32_t number)
{
    snprintf(out, 32, "key-%u", number);
}

static void put_keys(struct live_client *client, uint64_t keyspace, uint32_t count, uint8_t w)
{
    char key[32];

    for (uint32_t i = 0; i < count; i++) {
        struct dynkv_put_result result;

        key_name(key, i);
        result = live_put(client, keyspace, key, key, w, 5000);
        CHECK(result.error == DYNKV_OK, "put %s: %s", key,
              dynkv_error_name((enum dynkv_error)result.error));
        CHECK(result.acks >= w, "put %s was acknowledged with %u of %u", key, result.acks, w);
    }
}

static void check_keys(struct live_client *client, uint64_t keyspace, uint32_t count, uint8_t r)
{
    char key[32], value[256];
    enum dynkv_error error;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t siblings;

        key_name(key, i);
        siblings = live_get(client, keyspace, key, r, value, &error);
        CHECK(error == DYNKV_OK, "get %s: %s", key, dynkv_error_name(error));
        CHECK(siblings == 1, "%s has %u values", key, siblings);
        CHECK(strcmp(value, key) == 0, "%s holds '%s'", key, value);
    }
}

static struct live_node *start_alone(const struct live_node_options *options)
{
    struct live_node *node = live_node_start(options);

    live_node_await_ready(node);
    return node;
}

/* What it wrote, leak and sanitizer reports too, is shown if it does not end well. */
static void stop_cleanly(struct live_node *node)
{
    char log[LIVE_LOG_MAX];
    int code;

    live_node_signal(node, SIGTERM);
    code = live_node_await_exit(node);
    live_node_log(node, log);
    CHECK(code == 0, "exit code %d; it wrote:\n%s", code, log);
}

/* ---- start ---- */

static void expect_refusal(const struct live_node_options *options, int code, const char *text)
{
    struct live_node *node = live_node_start(options);
    char log[LIVE_LOG_MAX];
    int got = live_node_await_exit(node);

    live_node_log(node, log);
    CHECK(got == code, "exit code %d instead of %d; it wrote:\n%s", got, code, log);
    CHECK(strstr(log, text), "it did not say '%s' but:\n%s", text, log);
}

static void wrong_options_are_refused(void)
{
    expect_refusal(&(struct live_node_options){.name = "n1", .extra = {"--bogus", "1"}}, 2,
                   "the options are: name, data, listen");
    expect_refusal(&(struct live_node_options){.name = "no blanks"}, 2, "--name: a name has");
    expect_refusal(&(struct live_node_options){.name = "n1", .extra = {"--sync", "perhaps"}}, 2,
                   "always|interval|never");
    expect_refusal(&(struct live_node_options){.name = "n1", .extra = {"--peer", "0.0.0.0:0"}}, 2,
                   "--advertise-peer: required");
    expect_refusal(&(struct live_node_options){.name = "n1", .extra = {"--partitions", "1000"}}, 2,
                   "not a power of two");
    expect_refusal(&(struct live_node_options){.name = "n1", .extra = {"--config", "/nowhere"}}, 2,
                   "cannot read /nowhere");
}

static void an_address_in_use_is_refused(void)
{
    struct live_node *node = start_alone(&(struct live_node_options){.name = "n1"});

    expect_refusal(&(struct live_node_options){.name = "n2",
                                               .extra = {"--listen", live_node_client_url(node)}},
                   1, "Address in use");
}

static void a_store_of_another_node_is_refused(void)
{
    struct live_node *node = start_alone(&(struct live_node_options){.name = "n1"});
    char data[512];

    stop_cleanly(node);
    snprintf(data, sizeof data, "%s/n1", live_folder());
    expect_refusal(&(struct live_node_options){.name = "n2", .extra = {"--data", data}}, 1,
                   "the store belongs to node 'n1'");
    live_node_await_ready(live_node_start(&(struct live_node_options){.name = "n1"}));
}

static void options_come_from_a_file_too(void)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/dynkvd.conf", live_folder());
    file = fopen(path, "w");
    CHECK(file, "cannot write %s", path);
    fputs("# a comment\n\nstorage = memory\nhttp=127.0.0.1:0\n", file);
    fclose(file);
    CHECK(live_node_pages(start_alone(
              &(struct live_node_options){.name = "n1", .extra = {"--config", path}}))[0],
          "the file asks for web pages");
}

/* ---- requests ---- */

static void a_libnng_client_is_served(const char *storage)
{
    struct live_node *node =
        start_alone(&(struct live_node_options){.name = "n1", .storage = storage});
    struct live_client *client = live_client_open(live_node_client_url(node));
    struct dynkv_hello hello = {
        .protocol_min = 1, .protocol_max = 1, .client_name = dynkv_slice_text("live test")};
    struct live_answer answer;
    char value[256];
    enum dynkv_error error;
    uint64_t keyspace;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_HELLO, &hello, 2000, &answer),
          "no answer to HELLO");
    CHECK(answer.envelope.type == DYNKV_MESSAGE_HELLO_REPLY, "HELLO_REPLY to HELLO");
    CHECK(dynkv_slice_equal(answer.body.hello_reply.node_name, dynkv_slice_text("n1")), "its name");
    live_answer_free(&answer);
    keyspace = live_keyspace(client, "live", 1, 1, 1);
    CHECK(live_get(client, keyspace, "color", 1, value, &error) == 0 && !error,
          "nothing there yet");
    CHECK(live_put(client, keyspace, "color", "blue", 1, 2000).error == DYNKV_OK, "a put");
    CHECK(live_put(client, keyspace, "color", "green", 1, 2000).error == DYNKV_OK, "another");
    CHECK(live_get(client, keyspace, "color", 1, value, &error) == 1 && !error, "one value");
    CHECK(strcmp(value, "green") == 0, "got '%s'", value);
}

static void a_libnng_client_is_served_from_memory(void)
{
    a_libnng_client_is_served("memory");
}

static void a_libnng_client_is_served_from_disk(void)
{
    a_libnng_client_is_served("rocksdb");
}

static void three_nodes_form_a_cluster(const char *storage)
{
    struct live_node *nodes[3];
    struct live_client *clients[3];
    uint64_t keyspace;

    live_cluster_start(storage, nodes);
    for (int i = 0; i < 3; i++)
        clients[i] = live_client_open(live_node_client_url(nodes[i]));
    keyspace = live_keyspace(clients[0], "live", 3, 2, 2);
    CHECK(live_keyspace(clients[1], "live", 3, 2, 2) == keyspace, "the same for all");
    put_keys(clients[0], keyspace, KEYS, 3);
    for (int i = 0; i < 3; i++) {
        check_keys(clients[i], keyspace, KEYS,
                   1); /* every node has them all: they had three acks */
        check_keys(clients[i], keyspace, KEYS, 3);
    }
}

static void three_nodes_in_memory_form_a_cluster(void)
{
    three_nodes_form_a_cluster("memory");
}

static void three_nodes_on_disk_form_a_cluster(void)
{
    three_nodes_form_a_cluster("rocksdb");
}

static void two_dead_nodes_make_a_quorum_unavailable(void)
{
    struct live_node *nodes[3];
    struct live_client *client;
    struct dynkv_put_result put;
    uint64_t keyspace, started;
    enum dynkv_error error;
    char value[256];

    live_cluster_start("rocksdb", nodes);
    client = live_client_open(live_node_client_url(nodes[0]));
    keyspace = live_keyspace(client, "live", 3, 2, 2);
    put_keys(client, keyspace, 10, 3);
    for (int i = 1; i < 3; i++) {
        live_node_signal(nodes[i], SIGKILL);
        CHECK(live_node_await_exit(nodes[i]) == -SIGKILL, "killed");
    }
    for (int round = 0; round < 2; round++) { /* before they are found down, and after */
        started = live_now_ms();
        put = live_put(client, keyspace, "key-0", "late", 2, 1000);
        CHECK(put.error == DYNKV_UNAVAILABLE || put.error == DYNKV_TIMEOUT, "a write: %s",
              dynkv_error_name((enum dynkv_error)put.error));
        /* Once the others are known to be down, nothing is written that cannot reach W. */
        CHECK(put.acks == (round == 0 ? 1 : 0), "%u acknowledgements in round %d", put.acks, round);
        CHECK(live_now_ms() - started < 2000, "an answer within the deadline");
        live_get(client, keyspace, "key-1", 2, value, &error);
        CHECK(error == DYNKV_UNAVAILABLE || error == DYNKV_TIMEOUT, "a read: %s",
              dynkv_error_name(error));
        if (round == 0)
            live_await_members(nodes[0], 1, 2);
    }
    CHECK(live_get(client, keyspace, "key-1", 1, value, &error) == 1 && !error, "R=1 goes on");
    live_node_await_ready(live_node_start(&(struct live_node_options){.name = "n2"}));
    live_await_members(nodes[0], 2, 1);
    put = live_put(client, keyspace, "key-0", "again", 2, 5000);
    CHECK(put.error == DYNKV_OK, "with two of three: %s",
          dynkv_error_name((enum dynkv_error)put.error));
}

/* ---- stop, crash and restart ---- */

static void a_clean_stop_keeps_everything(void)
{
    struct live_node *nodes[3];
    struct live_client *client;
    uint64_t keyspace;
    char join[256];

    live_cluster_start("rocksdb", nodes);
    client = live_client_open(live_node_client_url(nodes[0]));
    keyspace = live_keyspace(client, "live", 3, 2, 2);
    put_keys(client, keyspace, KEYS, 3);
    snprintf(join, sizeof join, "%s", live_node_peer_url(nodes[0]));
    for (int i = 0; i < 3; i++)
        live_node_signal(nodes[i], SIGTERM);
    for (int i = 0; i < 3; i++)
        CHECK(live_node_await_exit(nodes[i]) == 0, "a clean stop");
    live_node_start(&(struct live_node_options){.name = "n1"});
    live_node_start(&(struct live_node_options){.name = "n2", .join = join});
    live_node_start(&(struct live_node_options){.name = "n3", .join = join});
    for (int i = 0; i < 3; i++)
        live_node_await_ready(nodes[i]);
    for (int i = 0; i < 3; i++)
        live_await_members(nodes[i], 3, 0);
    for (int i = 0; i < 3; i++) {
        struct live_client *own = live_client_open(live_node_client_url(nodes[i]));

        CHECK(live_keyspace(own, "live", 0, 0, 0) == keyspace, "the same keyspace");
        check_keys(own, keyspace, KEYS, 1);
    }
}

/* Puts numbered keys until it gets no answer; done counts what was acknowledged. */
struct writer {
    struct live_client *client;
    uint64_t keyspace;
    uint32_t number;
    _Atomic uint32_t done;
    pthread_t thread;
};

/* Checks end the test by a jump, which only the main thread may do: none in here. */
static void *write_on(void *argument)
{
    struct writer *writer = argument;
    char key[32];

    for (uint32_t i = 0;; i++) {
        struct dynkv_put_item item = {.key = dynkv_slice(key, 0)};
        struct dynkv_put body = {.keyspace = writer->keyspace,
                                 .client = writer->number + 1,
                                 .sequence = i + 1,
                                 .items = &item,
                                 .item_count = 1};
        struct live_answer answer;
        bool ok;

        snprintf(key, sizeof key, "w%u-%u", writer->number, i);
        item.key = item.value = dynkv_slice_text(key);
        item.partition_len = (uint32_t)item.key.len;
        if (!live_client_ask(writer->client, DYNKV_MESSAGE_PUT, &body, 1000, &answer))
            break;
        ok = answer.envelope.type == DYNKV_MESSAGE_PUT_REPLY &&
             answer.body.put_reply.result_count == 1 &&
             answer.body.put_reply.results[0].error == DYNKV_OK;
        live_answer_free(&answer);
        if (!ok)
            break;
        atomic_fetch_add(&writer->done, 1);
    }
    return NULL;
}

#define WRITERS 4u

static bool all_have_written(void *context)
{
    struct writer *writers = context;

    for (uint32_t i = 0; i < WRITERS; i++)
        if (atomic_load(&writers[i].done) < KEYS)
            return false;
    return true;
}

/* Signals a node in the middle of writes; what it acknowledged must be there after a restart. */
static void acknowledged_writes_survive(int signal, int expected_exit)
{
    static struct writer writers[WRITERS];
    struct live_node *node = start_alone(&(struct live_node_options){.name = "n1"});
    struct live_client *client = live_client_open(live_node_client_url(node));
    uint64_t keyspace = live_keyspace(client, "live", 1, 1, 1);
    char value[256], key[32];
    bool wrote;
    int code;

    for (uint32_t i = 0; i < WRITERS; i++)
        writers[i] = (struct writer){.client = live_client_open(live_node_client_url(node)),
                                     .keyspace = keyspace,
                                     .number = i};
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_create(&writers[i].thread, NULL, write_on, &writers[i]);
    wrote = live_wait(all_have_written, writers);
    live_node_signal(node, signal);
    code = live_node_await_exit(node);
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    CHECK(wrote, "every writer has put its keys");
    CHECK(code == expected_exit, "exit code %d", code);
    live_node_start(&(struct live_node_options){.name = "n1"});
    live_node_await_ready(node);
    for (uint32_t i = 0; i < WRITERS; i++)
        for (uint32_t j = 0; j < atomic_load(&writers[i].done); j++) {
            enum dynkv_error error;

            snprintf(key, sizeof key, "w%u-%u", i, j);
            CHECK(live_get(client, keyspace, key, 1, value, &error) == 1 && !error,
                  "%s was acknowledged and is lost", key);
        }
}

static void a_kill_keeps_acknowledged_writes(void)
{
    acknowledged_writes_survive(SIGKILL, -SIGKILL);
}

static void a_stop_amid_writes_keeps_what_was_acknowledged(void)
{
    acknowledged_writes_survive(SIGTERM, 0);
}

/* ---- trouble ---- */

static void garbage_leaves_the_node_serving(void)
{
    struct live_node *node = start_alone(&(struct live_node_options){
        .name = "n1", .storage = "memory", .extra = {"--http", "127.0.0.1:0"}});
    struct live_client *client = live_client_open(live_node_client_url(node));
    uint64_t keyspace = live_keyspace(client, "live", 1, 1, 1);
    pid_t pid = live_node_pid(node);

    put_keys(client, keyspace, 10, 1);
    live_throw_garbage(node);
    CHECK(live_node_is_alive(node) && live_node_pid(node) == pid, "the process still runs");
    check_keys(client, keyspace, 10, 1);
    put_keys(client, keyspace, 10, 1);
    stop_cleanly(node);
}

static void web_pages_show_the_state(void)
{
    struct live_node *node = start_alone(&(struct live_node_options){
        .name = "n1", .storage = "memory", .extra = {"--http", "127.0.0.1:0"}});
    char page[32768];

    CHECK(live_http_get(live_node_pages(node), "/", page, sizeof page), "no page");
    CHECK(strstr(page, "200 OK") && strstr(page, "dynkv node n1"), "got %s", page);
    CHECK(live_http_get(live_node_pages(node), "/status", page, sizeof page), "no status");
    CHECK(strstr(page, "application/json") && strstr(page, "\"in_service\":true"), "got %s", page);
    CHECK(live_http_get(live_node_pages(node), "/metrics", page, sizeof page), "no metrics");
    CHECK(strstr(page, "dynkv_members{node=\"n1\"} 1"), "got %s", page);
    CHECK(live_http_get(live_node_pages(node), "/nowhere", page, sizeof page), "no answer");
    CHECK(strstr(page, "404"), "got %s", page);
}

static bool pages_say_out_of_service(void *context)
{
    char page[32768];

    return live_http_get(context, "/status", page, sizeof page) &&
           strstr(page, "\"in_service\":false");
}

/* A limit on the size of files stands for the full disk: the store's log cannot grow. */
static void a_failing_store_takes_the_node_out_of_service(void)
{
    struct live_node *node = start_alone(&(struct live_node_options){
        .name = "n1", .shell = "ulimit -f 1024", .extra = {"--http", "127.0.0.1:0"}});
    struct live_client *client = live_client_open(live_node_client_url(node));
    uint64_t keyspace = live_keyspace(client, "live", 1, 1, 1);
    char *value = calloc(1, 64 * 1024), got[256], pages[256];
    struct dynkv_put_result put = {0};
    enum dynkv_error error;
    int code;

    memset(value, 'x', 64 * 1024 - 1);
    for (int i = 0; i < 64 && put.error == DYNKV_OK; i++)
        put = live_put(client, keyspace, "big", value, 1, 5000);
    free(value);
    CHECK(put.error == DYNKV_STORAGE || put.error == DYNKV_UNAVAILABLE, "a failed write: %s",
          dynkv_error_name((enum dynkv_error)put.error));
    snprintf(pages, sizeof pages, "%s", live_node_pages(node));
    live_await(pages_say_out_of_service, pages, "the status page says so");
    live_get(client, keyspace, "big", 1, got, &error);
    CHECK(error == DYNKV_STORAGE, "a later request: %s", dynkv_error_name(error));
    CHECK(live_node_is_alive(node), "the process answers");
    live_node_signal(node, SIGTERM);
    code = live_node_await_exit(node);
    CHECK(code == 1, "exit code %d: the stop was not clean", code);
}

const struct live_test live_tests[] = {
    {"wrong options are refused, with the ones that exist", wrong_options_are_refused},
    {"an address in use is refused", an_address_in_use_is_refused},
    {"a store of another node is refused", a_store_of_another_node_is_refused},
    {"options come from a file, too", options_come_from_a_file_too},
    {"a libnng client is served from memory", a_libnng_client_is_served_from_memory},
    {"a libnng client is served from disk", a_libnng_client_is_served_from_disk},
    {"web pages show the state", web_pages_show_the_state},
    {"three nodes in memory form a cluster", three_nodes_in_memory_form_a_cluster},
    {"three nodes on disk form a cluster", three_nodes_on_disk_form_a_cluster},
    {"a clean stop keeps everything", a_clean_stop_keeps_everything},
    {"a stop amid writes keeps what was acknowledged",
     a_stop_amid_writes_keeps_what_was_acknowledged},
    {"a kill keeps acknowledged writes", a_kill_keeps_acknowledged_writes},
    {"a store that was killed gets a new actor", a_store_that_was_killed_gets_a_new_actor},
    {"an old copy of a store gets a new actor", an_old_copy_of_a_store_gets_a_new_actor},
    {"a killed node catches up without any read", a_killed_node_catches_up_without_any_read},
    {"garbage on every socket leaves the node serving", garbage_leaves_the_node_serving},
    {"two dead nodes make a quorum unavailable, in time", two_dead_nodes_make_a_quorum_unavailable},
    {"a node joins under load, and old owners let go", a_node_joins_under_load},
    {"a node leaves under load, and can be stopped", a_node_leaves_under_load},
    {"a killed and wiped node is replaced by its empty self",
     a_wiped_node_is_replaced_by_its_empty_self},
    {"a replaced node that comes back elsewhere is told",
     a_replaced_node_that_comes_back_elsewhere_is_told},
    {"a joiner that is killed amid its transfer goes on",
     a_joiner_killed_amid_its_transfer_goes_on},
    {"an old owner that is killed amid a join comes back, and it is finished",
     an_old_owner_killed_amid_a_join_comes_back},
    {"a join is cancelled amid its transfer, and nothing is left of it",
     a_join_is_cancelled_amid_its_transfer},
    {"what a dead node missed comes home without a read", hints_come_home_without_a_read},
    {"deletes leave no record behind, but while a member is down", deletes_leave_nothing_behind},
    {"a failing store takes the node out of service",
     a_failing_store_takes_the_node_out_of_service},
    {0},
};
