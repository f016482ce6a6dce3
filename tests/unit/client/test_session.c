/* test_session.c: connections: many requests on one, reconnecting, descriptors, IPC, keyspaces. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/client/fake.h"

static struct dynkv_request *get_start(struct dynkv_client *client, const char *key)
{
    struct dynkv_key_ref at = fake_key(key);
    struct dynkv_call call = {.deadline_ms = FAKE_WAIT_MS};

    return dynkv_get_start(client, fake_keyspace(), &at, 1, &call);
}

static enum dynkv_error get(struct dynkv_client *client, const char *key)
{
    struct dynkv_request *request = get_start(client, key);
    enum dynkv_error error;

    dynkv_request_wait(request);
    error = dynkv_request_error(request);
    dynkv_request_free(request);
    return error;
}

static void hundreds_of_requests_are_in_flight_on_one_connection(void **state)
{
    enum { COUNT = 700 };
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *requests[COUNT];
    static char names[COUNT][16];

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "key%u", i);
        fake_store(cluster, 0, names[i], 7, i + 1, names[i]);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        requests[i] = get_start(client, names[i]);
    assert_int_equal(dynkv_client_descriptor_count(client), 2);
    for (uint32_t i = COUNT; i-- > 0;) {
        const struct dynkv_read_result *result;

        dynkv_request_wait(requests[i]);
        result = dynkv_request_reads(requests[i], NULL);
        assert_int_equal(result->error, DYNKV_OK);
        assert_int_equal(result->object.sibling_count, 1);
        assert_memory_equal(result->object.siblings[0].value.data, names[i], strlen(names[i]));
        dynkv_request_free(requests[i]);
    }
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_restarts_is_connected_to_again(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_client_stats stats;

    (void)state;
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    fake_node_stop(cluster, 0);
    assert_int_equal(get(client, "alice"), DYNKV_UNAVAILABLE);
    fake_node_start(cluster, 0);
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    dynkv_client_stats(client, &stats);
    assert_true(stats.reconnects >= 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_restart_while_nobody_looked_costs_no_write(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_write write = {.at = fake_key("alice"), .value = dynkv_slice_text("v")};
    struct dynkv_request *request;

    (void)state;
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    fake_node_stop(cluster, 0);
    fake_node_start(cluster, 0);
    request = dynkv_put_start(client, fake_keyspace(), &write, 1,
                              &(struct dynkv_call){.deadline_ms = FAKE_WAIT_MS});
    dynkv_request_wait(request);
    assert_string_equal(dynkv_request_text(request), "");
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_came_back_is_asked_again(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0), before;

    (void)state;
    fake_node_stop(cluster, first);
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    fake_node_start(cluster, first);
    /* The library reconnects by itself while it is driven. */
    before = fake_messages(cluster, first, DYNKV_MESSAGE_HELLO);
    fake_await_messages(cluster, client, first, DYNKV_MESSAGE_HELLO, before + 1);
    before = fake_messages(cluster, first, DYNKV_MESSAGE_GET);
    for (uint32_t i = 0; i < 1000 && fake_messages(cluster, first, DYNKV_MESSAGE_GET) == before;
         i++)
        assert_int_equal(get(client, "alice"), DYNKV_OK);
    assert_true(fake_messages(cluster, first, DYNKV_MESSAGE_GET) > before);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void everything_works_over_ipc(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "ipc");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_write write = {.at = fake_key("alice"), .value = dynkv_slice_text("v")};
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    request = dynkv_put_start(client, fake_keyspace(), &write, 1, NULL);
    dynkv_request_wait(request);
    assert_string_equal(dynkv_request_text(request), "");
    dynkv_request_free(request);
    fake_node_stop(cluster, fake_node_at(cluster, "alice", 0));
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    fake_node_start(cluster, fake_node_at(cluster, "alice", 0));
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void hosts_that_refuse_are_all_named(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(2, "tcp");
    struct dynkv_client *client;
    struct dynkv_request *request;
    struct dynkv_scan_handle *scan;

    (void)state;
    client = fake_client_of(fake_hosts(cluster));
    fake_node_stop(cluster, 0);
    fake_node_stop(cluster, 1);
    request = dynkv_keyspace_open_start(client, "things", true, NULL, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_CONNECT);
    for (uint32_t i = 0; i < 2; i++)
        assert_non_null(strstr(dynkv_request_text(request), fake_host(cluster, i)));
    assert_non_null(strstr(dynkv_request_text(request), "connection refused"));
    dynkv_request_free(request);
    scan = dynkv_scan_start(client, 1, NULL);
    assert_int_equal(dynkv_scan_next_wait(scan, &(struct dynkv_scan_item){0}), DYNKV_SCAN_ERROR);
    assert_int_equal(dynkv_scan_error(scan), DYNKV_NO_KEYSPACE);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void no_descriptor_is_left_behind(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    uint32_t before = fake_open_descriptors();

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        struct dynkv_client *client = fake_client(cluster);
        struct dynkv_request *abandoned;

        assert_int_equal(get(client, "alice"), DYNKV_OK);
        abandoned = get_start(client, "bob");
        if (i % 2)
            dynkv_request_free(abandoned); /* otherwise the client frees it */
        assert_int_equal(fake_open_descriptors(), before + dynkv_client_descriptor_count(client));
        dynkv_client_free(client);
        assert_int_equal(fake_open_descriptors(), before);
    }
    fake_cluster_stop(cluster);
}

static void a_client_that_fails_for_long_does_not_gather_descriptors(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t before;

    (void)state;
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    fake_node_stop(cluster, 0);
    before = fake_open_descriptors();
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(get(client, "alice"), DYNKV_UNAVAILABLE);
    assert_true(fake_open_descriptors() <= before);
    assert_int_equal(dynkv_client_descriptor_count(client), 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

/* The way of a caller with a loop of its own, who knows nothing but the descriptor and the time. */
static void a_foreign_loop_needs_only_the_descriptor_and_the_timeout(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *requests[20];
    uint32_t rounds = 0;

    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        requests[i] = get_start(client, i % 2 ? "alice" : "bob");
    for (uint32_t i = 0; i < 20; i++) {
        while (!dynkv_request_is_done(requests[i])) {
            struct pollfd watched = {.fd = dynkv_client_fd(client), .events = POLLIN};
            int timeout_ms = dynkv_client_timeout_ms(client);

            assert_true(timeout_ms >= 0); /* there is always a deadline */
            poll(&watched, 1, timeout_ms);
            dynkv_client_drive(client);
            assert_true(++rounds < 10000);
        }
        assert_int_equal(dynkv_request_error(requests[i]), DYNKV_OK);
        dynkv_request_free(requests[i]);
    }
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void an_idle_client_does_not_wake_its_caller(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct pollfd watched = {.fd = dynkv_client_fd(client), .events = POLLIN};

    (void)state;
    assert_int_equal(get(client, "alice"), DYNKV_OK);
    dynkv_client_drive(client);
    assert_int_equal(dynkv_client_timeout_ms(client), -1);
    assert_int_equal(poll(&watched, 1, 50), 0);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_member_that_is_not_there_is_lived_with(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client;
    char name[16];

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        fake_set_extra_member(cluster, i, "tcp://127.0.0.1:1");
    client = fake_client(cluster);
    for (uint32_t i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "key%u", i);
        assert_int_equal(get(client, name), DYNKV_OK);
    }
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void keyspaces_answer_by_name(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_keyspace_settings settings = {.n = 5, .r = 3, .w = 4};
    const struct dynkv_keyspace_info *info;
    struct dynkv_request *request;

    (void)state;
    request = dynkv_keyspace_open_start(client, "other", true, &settings, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    info = dynkv_request_keyspaces(request, NULL);
    assert_int_equal(info->n, 5);
    assert_int_equal(info->r, 3);
    assert_int_equal(info->w, 4);
    dynkv_request_free(request);
    fake_set_knows_keyspace(cluster, 0, false);
    request = dynkv_keyspace_open_start(client, "absent", false, NULL, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_NO_KEYSPACE);
    assert_null(dynkv_request_keyspaces(request, NULL));
    dynkv_request_free(request);
    request = dynkv_keyspace_open_start(client, "no such name!", true, NULL, FAKE_WAIT_MS);
    assert_int_equal(dynkv_request_error(request), DYNKV_INVALID);
    assert_non_null(strstr(dynkv_request_text(request), "no such name!"));
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_certain_node_is_asked_for_its_status(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        request = dynkv_status_start(client, fake_host(cluster, i), FAKE_WAIT_MS);
        dynkv_request_wait(request);
        assert_int_equal(dynkv_request_error(request), DYNKV_OK);
        assert_true(dynkv_request_status(request)->node_id == 0x1001u + i);
        dynkv_request_free(request);
    }
    request = dynkv_ring_start(client, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_ring(request)->member_count, 3);
    dynkv_request_free(request);
    request = dynkv_status_start(client, "nonsense", FAKE_WAIT_MS);
    assert_int_equal(dynkv_request_error(request), DYNKV_INVALID);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static enum dynkv_error ask_change(struct dynkv_client *client, enum dynkv_cluster_action action,
                                   uint32_t deadline_ms)
{
    struct dynkv_request *request =
        dynkv_cluster_change_start(client, action, "n4", "n5", deadline_ms);
    enum dynkv_error error;

    dynkv_request_wait(request);
    error = dynkv_request_error(request);
    if (!error) {
        const struct dynkv_cluster_plan *plan = dynkv_request_plan(request);

        assert_int_equal(plan->entry_count, 1);
        assert_int_equal(plan->entries[0].kind, action);
        assert_memory_equal(plan->entries[0].member_name.data, "n4", 2);
        assert_memory_equal(plan->entries[0].other_name.data, "n5", 2);
    }
    dynkv_request_free(request);
    return error;
}

static void a_change_that_one_node_cannot_make_is_asked_of_the_next(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    assert_int_equal(ask_change(client, DYNKV_CLUSTER_REPLACE, FAKE_WAIT_MS), DYNKV_OK);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_CLUSTER_CHANGE), 1);
    /* A node without a place says so, and has done nothing. */
    for (uint32_t i = 0; i < 2; i++)
        fake_react(cluster, i, DYNKV_MESSAGE_CLUSTER_CHANGE, FAKE_ERROR, DYNKV_UNAVAILABLE);
    assert_int_equal(ask_change(client, DYNKV_CLUSTER_JOIN, FAKE_WAIT_MS), DYNKV_OK);
    /* What a member refuses is refused. */
    for (uint32_t i = 0; i < 3; i++)
        fake_react(cluster, i, DYNKV_MESSAGE_CLUSTER_CHANGE, FAKE_ERROR, DYNKV_REFUSED);
    assert_int_equal(ask_change(client, DYNKV_CLUSTER_COMMIT, FAKE_WAIT_MS), DYNKV_REFUSED);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_change_that_may_have_been_made_is_not_asked_for_again(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    char name[DYNKV_NAME_MAX + 2];
    struct dynkv_request *request;

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        fake_react(cluster, i, DYNKV_MESSAGE_CLUSTER_CHANGE, FAKE_SILENT, DYNKV_OK);
    assert_int_equal(ask_change(client, DYNKV_CLUSTER_LEAVE, 1500), DYNKV_TIMEOUT);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_CLUSTER_CHANGE), 1);
    /* Looking may be done twice. */
    assert_int_equal(ask_change(client, DYNKV_CLUSTER_STATUS, 1500), DYNKV_TIMEOUT);
    assert_true(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_CLUSTER_CHANGE) > 2);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    request = dynkv_cluster_change_start(client, DYNKV_CLUSTER_JOIN, name, NULL, FAKE_WAIT_MS);
    assert_int_equal(dynkv_request_error(request), DYNKV_INVALID);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundreds_of_requests_are_in_flight_on_one_connection),
        cmocka_unit_test(a_node_that_restarts_is_connected_to_again),
        cmocka_unit_test(a_restart_while_nobody_looked_costs_no_write),
        cmocka_unit_test(a_node_that_came_back_is_asked_again),
        cmocka_unit_test(everything_works_over_ipc),
        cmocka_unit_test(hosts_that_refuse_are_all_named),
        cmocka_unit_test(no_descriptor_is_left_behind),
        cmocka_unit_test(a_client_that_fails_for_long_does_not_gather_descriptors),
        cmocka_unit_test(a_foreign_loop_needs_only_the_descriptor_and_the_timeout),
        cmocka_unit_test(an_idle_client_does_not_wake_its_caller),
        cmocka_unit_test(a_member_that_is_not_there_is_lived_with),
        cmocka_unit_test(keyspaces_answer_by_name),
        cmocka_unit_test(a_certain_node_is_asked_for_its_status),
        cmocka_unit_test(a_change_that_one_node_cannot_make_is_asked_of_the_next),
        cmocka_unit_test(a_change_that_may_have_been_made_is_not_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
