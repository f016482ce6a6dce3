/* test_scan.c: scans: pages, cursors, limits, fail-over in the middle, order within a partition. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>

#include "tests/unit/client/fake.h"

#define KEYS 400u

static char names[KEYS][16];

static void fill(struct fake_cluster *cluster)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf(names[i], sizeof names[i], "key%04u", i);
        fake_store(cluster, FAKE_ANY, names[i], 7, i + 1, names[i]);
    }
}

struct tally {
    uint32_t seen[KEYS];
    uint32_t count;
    char last[FAKE_PARTITIONS][16]; /* the last key of each partition */
};

static void tally_add(struct tally *tally, const struct dynkv_scan_item *item)
{
    unsigned number;
    char key[16] = {0};

    assert_true(item->at.key.len < sizeof key);
    memcpy(key, item->at.key.data, item->at.key.len);
    assert_int_equal(sscanf(key, "key%u", &number), 1);
    assert_true(number < KEYS);
    tally->seen[number]++;
    tally->count++;
    assert_true(item->partition < FAKE_PARTITIONS);
    assert_true(strcmp(tally->last[item->partition], key) < 0);
    memcpy(tally->last[item->partition], key, sizeof key);
    assert_int_equal(item->object.sibling_count, 1);
    assert_memory_equal(item->object.siblings[0].value.data, key, item->at.key.len);
}

static void assert_all_once(const struct tally *tally)
{
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(tally->seen[i], 1);
    assert_int_equal(tally->count, KEYS);
}

/* Reads on to the end, or so many more items. */
static enum dynkv_scan_state read_on(struct dynkv_scan_handle *scan, struct tally *tally,
                                     uint32_t most)
{
    struct dynkv_scan_item item;
    enum dynkv_scan_state state = DYNKV_SCAN_ITEM;

    while (most-- && (state = dynkv_scan_next_wait(scan, &item)) == DYNKV_SCAN_ITEM)
        tally_add(tally, &item);
    return state;
}

static void pages_of_all_nodes_give_every_entry_once(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.page_size = 7, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_all_once(&tally);
    assert_int_equal(read_on(scan, &tally, 1), DYNKV_SCAN_END);
    dynkv_scan_free(scan);
    assert_true(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN) >= KEYS / 7);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(fake_messages(cluster, i, DYNKV_MESSAGE_SCAN) > 0);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void an_empty_keyspace_ends_at_once(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_handle *scan = dynkv_scan_start(client, fake_keyspace(), NULL);
    struct tally tally = {0};

    (void)state;
    assert_int_equal(read_on(scan, &tally, 1), DYNKV_SCAN_END);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN), 3);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void at_most_two_pages_a_node_are_fetched_ahead(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.page_size = 10, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct dynkv_request *request;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    fake_await_messages(cluster, client, 0, DYNKV_MESSAGE_SCAN, 2);
    /* A whole other conversation, in which a third page would have been asked for. */
    request = dynkv_status_start(client, NULL, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, 0, DYNKV_MESSAGE_SCAN), 2);
    assert_int_equal(read_on(scan, &tally, 1), DYNKV_SCAN_ITEM);
    fake_await_messages(cluster, client, 0, DYNKV_MESSAGE_SCAN, 3);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_fails_in_the_middle_is_replaced_where_it_stopped(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.page_size = 5, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, 40), DYNKV_SCAN_ITEM);
    fake_node_stop(cluster, 1);
    assert_int_equal(read_on(scan, &tally, 100), DYNKV_SCAN_ITEM);
    fake_react(cluster, 2, DYNKV_MESSAGE_SCAN, FAKE_ERROR, DYNKV_STORAGE);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_all_once(&tally);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void nodes_that_fail_one_after_the_other_are_asked_again(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.partition_count = 1, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN, FAKE_ERROR_ONCE, DYNKV_STORAGE);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN), 4);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_keeps_silent_is_replaced(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.page_size = 50, .deadline_ms = 1000};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    fake_react(cluster, 0, DYNKV_MESSAGE_SCAN, FAKE_SILENT, DYNKV_OK);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_all_once(&tally);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void silence_of_all_ends_at_the_deadline(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.deadline_ms = 200};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN, FAKE_SILENT, DYNKV_OK);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, 1), DYNKV_SCAN_ERROR);
    assert_int_equal(dynkv_scan_error(scan), DYNKV_TIMEOUT);
    assert_non_null(strstr(dynkv_scan_text(scan), fake_host(cluster, 0)));
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void partitions_that_nobody_can_give_are_unavailable(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN, FAKE_ERROR, DYNKV_STORAGE);
    scan = dynkv_scan_start(client, fake_keyspace(), NULL);
    assert_int_equal(read_on(scan, &tally, 1), DYNKV_SCAN_ERROR);
    assert_int_equal(dynkv_scan_error(scan), DYNKV_UNAVAILABLE);
    assert_non_null(strstr(dynkv_scan_text(scan), "scripted refusal"));
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_change_of_the_ring_is_followed(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.page_size = 20, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, 10), DYNKV_SCAN_ITEM);
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN, FAKE_ERROR_ONCE, DYNKV_RING_CHANGED);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_all_once(&tally);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void limits_and_bounds_hold(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options limited = {.limit = 25, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_options bounded = {.lower = dynkv_slice_text("key0100"),
                                         .upper = dynkv_slice_text("key0110"),
                                         .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_options one = {.partition_key = dynkv_slice_text("key0123"),
                                     .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally first = {0}, second = {0}, third = {0};

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &limited);
    assert_int_equal(read_on(scan, &first, UINT32_MAX), DYNKV_SCAN_END);
    assert_int_equal(first.count, 25);
    dynkv_scan_free(scan);
    scan = dynkv_scan_start(client, fake_keyspace(), &bounded);
    assert_int_equal(read_on(scan, &second, UINT32_MAX), DYNKV_SCAN_END);
    assert_int_equal(second.count, 10);
    assert_int_equal(second.seen[100], 1);
    dynkv_scan_free(scan);
    scan = dynkv_scan_start(client, fake_keyspace(), &one);
    assert_int_equal(read_on(scan, &third, UINT32_MAX), DYNKV_SCAN_END);
    assert_int_equal(third.count, 1);
    assert_int_equal(third.seen[123], 1);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

/* ---- by key ---- */

/* Reads so many keys, which must be those from `from` on, up or down. */
static void read_numbers(struct dynkv_scan_handle *scan, int from, int step, uint32_t count)
{
    struct dynkv_scan_item item;

    for (; count--; from += step) {
        assert_int_equal(dynkv_scan_next_wait(scan, &item), DYNKV_SCAN_ITEM);
        assert_int_equal(item.at.key.len, strlen(names[from]));
        assert_memory_equal(item.at.key.data, names[from], item.at.key.len);
    }
}

static void assert_at_end(struct dynkv_scan_handle *scan)
{
    struct dynkv_scan_item item;

    assert_int_equal(dynkv_scan_next_wait(scan, &item), DYNKV_SCAN_END);
    dynkv_scan_free(scan);
}

static void by_key_the_nodes_are_merged_rising_and_falling(void **state)
{
    static const uint32_t page_sizes[] = {1, 7, 1000};
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    fill(cluster);
    for (uint32_t i = 0; i < 3; i++) {
        struct dynkv_scan_options options = {
            .order = DYNKV_ORDER_RISING, .page_size = page_sizes[i], .deadline_ms = FAKE_WAIT_MS};
        struct dynkv_scan_handle *scan = dynkv_scan_start(client, fake_keyspace(), &options);

        read_numbers(scan, 0, 1, KEYS);
        assert_at_end(scan);
        options.order = DYNKV_ORDER_FALLING;
        options.lower = dynkv_slice_text("key0010");
        options.upper = dynkv_slice_text("key0390");
        scan = dynkv_scan_start(client, fake_keyspace(), &options);
        read_numbers(scan, 389, -1, 380);
        assert_at_end(scan);
    }
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void by_key_a_node_that_fails_in_the_middle_is_replaced_in_order(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {
        .order = DYNKV_ORDER_FALLING, .page_size = 5, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    read_numbers(scan, KEYS - 1, -1, 40);
    fake_node_stop(cluster, 1);
    read_numbers(scan, KEYS - 41, -1, 100);
    fake_react(cluster, 2, DYNKV_MESSAGE_SCAN, FAKE_ERROR, DYNKV_STORAGE);
    read_numbers(scan, KEYS - 141, -1, KEYS - 140);
    assert_at_end(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

/* A caller that waits for the descriptor and takes, and never drives: taking itself may bring a page. */
static void by_key_a_page_that_comes_while_taking_is_seen(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {
        .order = DYNKV_ORDER_RISING, .page_size = 2, .deadline_ms = 2000};
    struct dynkv_scan_handle *scan;
    struct dynkv_scan_item item;
    enum dynkv_scan_state got;
    uint32_t count = 0;

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    while ((got = dynkv_scan_next(scan, &item)) != DYNKV_SCAN_END) {
        struct pollfd waited = {.fd = dynkv_client_fd(client), .events = POLLIN};

        assert_int_not_equal(got, DYNKV_SCAN_ERROR);
        count += got == DYNKV_SCAN_ITEM;
        if (got == DYNKV_SCAN_WAIT)
            poll(&waited, 1, dynkv_client_timeout_ms(client));
    }
    assert_int_equal(count, KEYS);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void by_key_an_error_ends_the_scan(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.order = DYNKV_ORDER_RISING};
    struct dynkv_scan_item item;
    struct dynkv_scan_handle *scan;

    (void)state;
    fill(cluster);
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN, FAKE_ERROR, DYNKV_STORAGE);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(dynkv_scan_next_wait(scan, &item), DYNKV_SCAN_ERROR);
    assert_int_equal(dynkv_scan_error(scan), DYNKV_UNAVAILABLE);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void what_is_expected_is_hardly_exceeded(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.expected = 10, .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};
    uint32_t before;

    (void)state;
    fill(cluster);
    /* In any order: one node gives all ten; then the others are asked, for more each time. */
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, 10), DYNKV_SCAN_ITEM);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN), 1);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_all_once(&tally);
    assert_in_range(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN), 9, 18);
    dynkv_scan_free(scan);
    /* By key: one page of each node. */
    options.order = DYNKV_ORDER_RISING;
    before = fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    read_numbers(scan, 0, 1, 1);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN) - before, 3);
    read_numbers(scan, 1, 1, KEYS - 1);
    assert_at_end(scan);
    assert_in_range(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN) - before, 9, 18);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

/* More is looked at than is expected to be left: pages begin as large as that, and end at what is expected. */
static void with_a_filter_a_node_sends_no_more_than_is_expected(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.expected = 10,
                                         .examined = 200,
                                         .filter = dynkv_slice_text("any"),
                                         .deadline_ms = FAKE_WAIT_MS};
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    scan = dynkv_scan_start(client, fake_keyspace(), &options);
    assert_int_equal(read_on(scan, &tally, 10), DYNKV_SCAN_ITEM);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_SCAN), 1);
    assert_int_equal(dynkv_scan_received(scan).entries, 10);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    assert_all_once(&tally);
    dynkv_scan_free(scan);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void what_a_keyspace_holds_is_learnt_from_replies(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_handle *scan;
    struct tally tally = {0};
    struct dynkv_extent extent;

    (void)state;
    fill(cluster);
    assert_false(dynkv_keyspace_extent(client, fake_keyspace(), &extent));
    scan = dynkv_scan_start(client, fake_keyspace(), NULL);
    assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
    dynkv_scan_free(scan);
    assert_true(dynkv_keyspace_extent(client, fake_keyspace(), &extent));
    assert_int_equal(extent.keys, KEYS);
    assert_int_equal(extent.bytes, KEYS * strlen("key0000"));
    assert_false(dynkv_keyspace_extent(client, fake_keyspace() + 1, &extent));
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

/* ---- parts ---- */

static void parts_of_the_partitions_make_up_the_whole(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    for (uint32_t part = 0; part < 3; part++) {
        struct dynkv_scan_options options = {
            .partition_first = part * 6, .partition_count = 6, .deadline_ms = FAKE_WAIT_MS};
        struct dynkv_scan_handle *scan = dynkv_scan_start(client, fake_keyspace(), &options);

        assert_int_equal(read_on(scan, &tally, UINT32_MAX), DYNKV_SCAN_END);
        dynkv_scan_free(scan);
    }
    assert_all_once(&tally);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_scan_may_be_left_in_the_middle(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_scan_options options = {.page_size = 5, .deadline_ms = FAKE_WAIT_MS};
    struct tally tally = {0};

    (void)state;
    fill(cluster);
    for (uint32_t i = 0; i < 3; i++) {
        struct dynkv_scan_handle *scan = dynkv_scan_start(client, fake_keyspace(), &options);

        memset(&tally, 0, sizeof tally);
        read_on(scan, &tally, i * 20);
        if (i < 2)
            dynkv_scan_free(scan); /* the third is freed with the client */
    }
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_prefix_ends_before_the_next_string(void **state)
{
    struct dynkv_arena arena = {0};
    struct dynkv_slice end = dynkv_prefix_end(dynkv_slice_text("ab"), &arena);

    (void)state;
    assert_true(dynkv_slice_equal(end, dynkv_slice_text("ac")));
    end = dynkv_prefix_end(dynkv_slice("a\xff\xff", 3), &arena);
    assert_true(dynkv_slice_equal(end, dynkv_slice_text("b")));
    assert_int_equal(dynkv_prefix_end(dynkv_slice("\xff\xff", 2), &arena).len, 0);
    assert_int_equal(dynkv_prefix_end((struct dynkv_slice){0}, &arena).len, 0);
    dynkv_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_all_nodes_give_every_entry_once),
        cmocka_unit_test(an_empty_keyspace_ends_at_once),
        cmocka_unit_test(at_most_two_pages_a_node_are_fetched_ahead),
        cmocka_unit_test(a_node_that_fails_in_the_middle_is_replaced_where_it_stopped),
        cmocka_unit_test(nodes_that_fail_one_after_the_other_are_asked_again),
        cmocka_unit_test(a_node_that_keeps_silent_is_replaced),
        cmocka_unit_test(silence_of_all_ends_at_the_deadline),
        cmocka_unit_test(partitions_that_nobody_can_give_are_unavailable),
        cmocka_unit_test(a_change_of_the_ring_is_followed),
        cmocka_unit_test(limits_and_bounds_hold),
        cmocka_unit_test(by_key_the_nodes_are_merged_rising_and_falling),
        cmocka_unit_test(by_key_a_node_that_fails_in_the_middle_is_replaced_in_order),
        cmocka_unit_test(by_key_a_page_that_comes_while_taking_is_seen),
        cmocka_unit_test(by_key_an_error_ends_the_scan),
        cmocka_unit_test(what_is_expected_is_hardly_exceeded),
        cmocka_unit_test(with_a_filter_a_node_sends_no_more_than_is_expected),
        cmocka_unit_test(what_a_keyspace_holds_is_learnt_from_replies),
        cmocka_unit_test(parts_of_the_partitions_make_up_the_whole),
        cmocka_unit_test(a_scan_may_be_left_in_the_middle),
        cmocka_unit_test(a_prefix_ends_before_the_next_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
