/* test_extent.c: what a node tells clients of a keyspace's extent, in the replies they get anyway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cluster.h"

#define PARTITIONS 64

/* The keyspace is called "t".  false: the node cannot tell. */
static bool ask(struct cluster *c, uint32_t node, struct dynkv_extent *out)
{
    struct dynkv_keyspace_open body = {.name = dynkv_slice_text("t")};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    assert_true(cluster_ask(c, node, DYNKV_MESSAGE_KEYSPACE_OPEN, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_KEYSPACE_REPLY);
    if (reply.keyspace_reply.extent_count)
        *out = reply.keyspace_reply.extent[0];
    return reply.keyspace_reply.extent_count > 0;
}

/* Keys of four bytes, and values of five. */
static void write_keys(struct cluster *c, uint64_t ks, uint32_t first, uint32_t count, bool delete)
{
    char key[16];

    for (uint32_t i = first; i < first + count; i++) {
        snprintf(key, sizeof key, "k%03u", (unsigned)i);
        assert_int_equal(cluster_put(c, i % 3, ks, key, delete ? NULL : "value", NULL).error,
                         DYNKV_OK);
    }
    cluster_run(c, 200);
}

static void nodes_that_hold_everything_tell_it_exactly(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_extent extent;

    (void)state;
    write_keys(c, ks, 0, 100, false);
    write_keys(c, ks, 90, 10, true);
    for (uint32_t node = 0; node < 3; node++) {
        assert_true(ask(c, node, &extent));
        assert_int_equal(extent.keys, 90);
        assert_int_equal(extent.bytes, 90 * 9);
    }
    write_keys(c, ks, 95, 5, false);
    assert_true(ask(c, 2, &extent));
    assert_int_equal(extent.keys, 95);
    cluster_free(c);
}

static void a_node_reckons_the_whole_from_its_share(void **state)
{
    struct cluster *c = cluster_new(6, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 2);
    struct dynkv_extent extent;
    uint64_t sum = 0;

    (void)state;
    write_keys(c, ks, 0, 600, false);
    for (uint32_t node = 0; node < 6; node++) {
        assert_true(ask(c, node, &extent));
        assert_in_range(extent.keys, 450, 750);
        assert_in_range(extent.bytes, 9 * extent.keys - 9, 9 * extent.keys + 9);
        sum += extent.keys;
    }
    assert_in_range(sum / 6, 570, 630);
    cluster_free(c);
}

static void count_record(void *context, uint64_t keyspace, uint32_t partition,
                         struct dynkv_slice key, struct dynkv_slice record)
{
    (void)keyspace;
    (void)partition;
    (void)key;
    (void)record;
    ++*(uint32_t *)context;
}

static uint32_t records(struct cluster *c, uint32_t nodes)
{
    uint32_t count = 0;

    for (uint32_t node = 0; node < nodes; node++)
        cluster_records(c, node, count_record, &count);
    return count;
}

/* A joiner takes its share, and what the others let go of they count no more. */
static void after_a_join_all_tell_the_same_as_before(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 2);
    struct dynkv_cluster_change join = {.action = DYNKV_CLUSTER_JOIN,
                                        .name = dynkv_slice_text("n4")};
    struct dynkv_cluster_change commit = {.action = DYNKV_CLUSTER_COMMIT};
    struct dynkv_envelope envelope;
    struct dynkv_extent extent;
    union dynkv_body reply;

    (void)state;
    write_keys(c, ks, 0, 600, false);
    cluster_add(c);
    cluster_run(c, 1000);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_CLUSTER_CHANGE, &join, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_CLUSTER_PLAN);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_CLUSTER_CHANGE, &commit, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_CLUSTER_PLAN);
    /* It has its share while the others still hold theirs, which they drop in the end. */
    for (int i = 0; i < 600 && records(c, 4) == 1200; i++)
        cluster_run(c, 100);
    for (int i = 0; i < 600 && records(c, 4) != 1200; i++)
        cluster_run(c, 100);
    assert_int_equal(records(c, 4), 1200);
    for (uint32_t node = 0; node < 4; node++) {
        assert_true(ask(c, node, &extent));
        assert_in_range(extent.keys, 500, 700);
    }
    cluster_free(c);
}

static void nothing_is_told_before_the_trees_are_rebuilt(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_extent extent;

    (void)state;
    write_keys(c, ks, 0, 100, false);
    cluster_slow_scans(c, 1, 100, 10);
    cluster_stop(c, 1);
    cluster_start(c, 1);
    assert_false(ask(c, 1, &extent));
    for (int i = 0; i < 2000 && !ask(c, 1, &extent); i++)
        cluster_run(c, DYNKV_TICK_MS);
    assert_true(ask(c, 1, &extent));
    assert_int_equal(extent.keys, 100);
    cluster_free(c);
}

static void replies_to_reads_and_writes_tell_it(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_put_item put_item = {
        .key = dynkv_slice_text("k100"), .partition_len = 4, .value = dynkv_slice_text("value")};
    struct dynkv_put put = {.keyspace = ks, .items = &put_item, .item_count = 1};
    struct dynkv_get_item get_item = {.key = dynkv_slice_text("k100"), .partition_len = 4};
    struct dynkv_get get = {.keyspace = ks, .items = &get_item, .item_count = 1};
    struct dynkv_partition_range range = {.first = 0, .count = PARTITIONS};
    struct dynkv_scan scan = {.keyspace = ks, .partitions = &range, .partition_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    write_keys(c, ks, 0, 20, false);
    assert_true(cluster_ask(c, 1, DYNKV_MESSAGE_PUT, &put, 1000, &envelope, &reply));
    assert_int_equal(reply.put_reply.extent_count, 1);
    assert_int_equal(reply.put_reply.extent[0].keys, 21);
    cluster_run(c, 200);
    assert_true(cluster_ask(c, 2, DYNKV_MESSAGE_GET, &get, 1000, &envelope, &reply));
    assert_int_equal(reply.get_reply.extent_count, 1);
    assert_int_equal(reply.get_reply.extent[0].keys, 21);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &scan, 1000, &envelope, &reply));
    assert_int_equal(reply.scan_reply.extent_count, 1);
    assert_int_equal(reply.scan_reply.extent[0].bytes, 21 * 9);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_that_hold_everything_tell_it_exactly),
        cmocka_unit_test(a_node_reckons_the_whole_from_its_share),
        cmocka_unit_test(after_a_join_all_tell_the_same_as_before),
        cmocka_unit_test(nothing_is_told_before_the_trees_are_rebuilt),
        cmocka_unit_test(replies_to_reads_and_writes_tell_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
