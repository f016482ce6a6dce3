/* test_sync.c: anti-entropy brings replicas together without anybody reading, and at little cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "cluster.h"

#define PARTITIONS 16
#define ROUND_MS   4000 /* the longest time between two rounds of a node */

/* ---- stores compared ---- */

struct digest {
    struct cluster *cluster;
    uint64_t sum;
    uint32_t records;
};

static void digest_add(void *context, uint64_t keyspace, uint32_t partition, struct dynkv_slice key,
                       struct dynkv_slice record)
{
    struct digest *digest = context;

    digest->sum += dynkv_hash(record, dynkv_hash(key, dynkv_hash_pair(keyspace, partition)));
    digest->records++;
}

static struct digest digest_of(struct cluster *c, uint32_t node)
{
    struct digest digest = {.cluster = c};

    cluster_records(c, node, digest_add, &digest);
    return digest;
}

/* Returns how many records all of them hold; 0 if they are not the same. */
static uint32_t records_if_equal(struct cluster *c, uint32_t count)
{
    struct digest first = digest_of(c, 0);

    for (uint32_t i = 1; i < count; i++) {
        struct digest other = digest_of(c, i);

        if (other.sum != first.sum || other.records != first.records)
            return 0;
    }
    return first.records;
}

/* ---- counters ---- */

static uint64_t total(struct cluster *c, uint32_t count, const char *name)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += cluster_counter(c, i, name);
    return sum;
}

/* Each object is counted by the node that leads the exchange, once. */
static uint64_t moved(struct cluster *c, uint32_t count)
{
    return total(c, count, "sync_objects_sent") + total(c, count, "sync_objects_received");
}

/* ---- writing ---- */

static void put(struct cluster *c, uint32_t node, uint64_t ks, unsigned number, const char *value)
{
    char key[16];

    snprintf(key, sizeof key, "key%u", number);
    assert_int_equal(cluster_put(c, node, ks, key, value, NULL).error, DYNKV_OK);
}

static void put_all(struct cluster *c, uint32_t node, uint64_t ks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put(c, node, ks, i, "value");
}

/* Nothing gets from one node to another, or all does again. */
static void part(struct cluster *c, uint32_t a, uint32_t b, bool apart)
{
    cluster_cut(c, a, b, apart);
    cluster_cut(c, b, a, apart);
}

/* ---- tests ---- */

static void replicas_that_agree_exchange_roots_only(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 3);

    (void)state;
    put_all(c, 0, ks, 300);
    cluster_run(c, 10 * ROUND_MS);
    assert_true(total(c, 3, "sync_rounds") >= 3 * 10);
    assert_int_equal(total(c, 3, "sync_roots_compared"), total(c, 3, "sync_rounds") * PARTITIONS);
    assert_int_equal(total(c, 3, "sync_hashes_compared"), 0);
    assert_int_equal(total(c, 3, "sync_keys_exchanged"), 0);
    assert_int_equal(moved(c, 3), 0);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_TREE_NODES), 0);
    cluster_free(c);
}

static void nothing_held_is_nothing_said(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);

    (void)state;
    cluster_keyspace(c, 0, "t", 3, 2, 3);
    cluster_run(c, 5 * ROUND_MS);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_TREE_ROOTS), 0);
    cluster_free(c);
}

/* Two replicas of 5,000 keys; then some are written to one of them while they are apart. */
static void check_that_exactly_the_differing_move(unsigned differing, uint32_t writer, bool deletes)
{
    struct cluster *c = cluster_new(2, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);

    put_all(c, 0, ks, 5000);
    cluster_run(c, 100);
    assert_int_equal(records_if_equal(c, 2), 5000);
    part(c, 0, 1, true);
    for (unsigned i = 0; i < differing; i++)
        /* New keys too, which only one side knows. */
        put(c, writer, ks, i * 51, deletes ? NULL : "other");
    part(c, 0, 1, false);
    cluster_run(c, 5 * ROUND_MS);
    assert_true(records_if_equal(c, 2) >= 5000);
    assert_int_equal(moved(c, 2), differing);
    assert_true(total(c, 2, "sync_hashes_compared") <= 84 * (uint64_t)(differing + PARTITIONS));
    assert_true(total(c, 2, "sync_keys_exchanged") <= 16 * (uint64_t)differing);
    assert_int_equal(cluster_counter(c, 0, "read_repairs"), 0);
    cluster_free(c);
}

static void exactly_the_differing_objects_move_either_way(void **state)
{
    (void)state;
    for (uint32_t writer = 0; writer < 2; writer++) {
        check_that_exactly_the_differing_move(1, writer, false);
        check_that_exactly_the_differing_move(100, writer, false);
    }
}

static void tombstones_move_too(void **state)
{
    (void)state;
    check_that_exactly_the_differing_move(20, 1, true);
}

static void concurrent_values_meet_on_both_sides(void **state)
{
    struct cluster *c = cluster_new(2, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);

    (void)state;
    part(c, 0, 1, true);
    put(c, 0, ks, 1, "left");
    put(c, 1, ks, 1, "right");
    part(c, 0, 1, false);
    cluster_run(c, 5 * ROUND_MS);
    assert_int_equal(records_if_equal(c, 2), 1);
    for (uint32_t node = 0; node < 2; node++) {
        struct dynkv_object object;

        cluster_get(c, node, ks, "key1", false, 1, &object);
        assert_int_equal(object.sibling_count, 2);
    }
    assert_int_equal(moved(c, 2), 2); /* one there, the merged one back */
    cluster_free(c);
}

static void a_node_that_was_down_catches_up_without_any_read(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);

    (void)state;
    put_all(c, 0, ks, 200);
    cluster_run(c, 100);
    cluster_stop(c, 2);
    cluster_run(c, 3000);
    for (unsigned i = 0; i < 500; i++)
        put(c, i % 2, ks, 100 + i, i % 5 ? "newer" : NULL);
    cluster_start(c, 2);
    cluster_run(c, 8 * ROUND_MS);
    assert_int_equal(records_if_equal(c, 3), 600);
    assert_true(moved(c, 3) >= 500);
    assert_true(moved(c, 3) <= 520); /* hardly one twice, though two others could give them */
    assert_int_equal(total(c, 3, "gets"), total(c, 3, "sync_objects_received"));
    cluster_free(c);
}

static void what_two_replicas_could_give_is_not_given_twice(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        struct cluster *c = cluster_new(3, PARTITIONS);
        uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);

        cluster_stop(c, 2);
        cluster_run(c, 3000 + i * 700);
        put_all(c, 0, ks, 1000);
        for (uint32_t node = 0; node < 3; node++)
            cluster_slow_scans(c, node, 200, 0); /* exchanges take long enough to meet each other */
        cluster_start(c, 2);
        cluster_run(c, 30 * ROUND_MS);
        assert_int_equal(records_if_equal(c, 3), 1000);
        assert_int_equal(moved(c, 3), 1000);
        cluster_free(c);
    }
}

static void a_node_that_lost_its_records_is_refilled(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 3);

    (void)state;
    put_all(c, 0, ks, 1000);
    put(c, 0, ks, 7, NULL);
    cluster_stop(c, 1);
    cluster_forget_records(c, 1);
    cluster_run(c, 1000);
    cluster_start(c, 1);
    assert_int_equal(digest_of(c, 1).records, 0);
    cluster_run(c, 10 * ROUND_MS);
    assert_int_equal(records_if_equal(c, 3), 1000);
    assert_true(moved(c, 3) <= 1050);
    cluster_free(c);
}

/* Whatever is written while an exchange is under way must be there afterwards, everywhere. */
static void writes_during_an_exchange_are_not_lost(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 4; seed++) {
        struct cluster *c = cluster_new(3, PARTITIONS);
        uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
        struct dynkv_random random = dynkv_random(seed);
        unsigned written[200] = {0};

        /* Slow ranges stretch the exchange, so that writes fall into it. */
        for (uint32_t node = 0; node < 3; node++)
            cluster_slow_scans(c, node, 40, 7);
        cluster_stop(c, 2);
        cluster_run(c, 3000);
        put_all(c, 0, ks, 600);
        cluster_start(c, 2);
        for (unsigned round = 1; round < 800; round++) {
            unsigned number = (unsigned)dynkv_random_below(&random, 200);
            char value[16];

            snprintf(value, sizeof value, "%u", round);
            put(c, round % 3, ks, number, value);
            written[number] = round;
            cluster_run(c, 20);
        }
        assert_true(moved(c, 3) > 0); /* it has begun */
        cluster_run(c, 15 * ROUND_MS);
        assert_int_equal(records_if_equal(c, 3), 600);
        for (unsigned i = 0; i < 200; i++) {
            struct dynkv_object object;
            char key[16], value[16];

            snprintf(key, sizeof key, "key%u", i);
            snprintf(value, sizeof value, "%u", written[i]);
            cluster_get(c, 2, ks, key, false, 1, &object);
            assert_true(object.sibling_count >= 1);
            if (written[i])
                assert_true(dynkv_slice_equal(dynkv_object_latest(&object, 0)->value,
                                              dynkv_slice_text(value)));
        }
        cluster_free(c);
    }
}

static void it_goes_quiet_when_all_is_equal(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2), rounds, objects, nodes;

    (void)state;
    cluster_stop(c, 2);
    cluster_run(c, 3000);
    put_all(c, 0, ks, 300);
    cluster_start(c, 2);
    cluster_run(c, 8 * ROUND_MS);
    assert_int_equal(records_if_equal(c, 3), 300);
    rounds = total(c, 3, "sync_rounds");
    objects = moved(c, 3);
    nodes = cluster_sent(c, DYNKV_MESSAGE_TREE_NODES);
    cluster_run(c, 10 * ROUND_MS);
    assert_true(total(c, 3, "sync_rounds") >= rounds + 3 * 10);
    assert_int_equal(moved(c, 3), objects);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_TREE_NODES), nodes);
    cluster_free(c);
}

static void an_exchange_whose_messages_are_lost_ends_and_the_next_one_works(void **state)
{
    struct cluster *c = cluster_new(2, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);

    (void)state;
    part(c, 0, 1, true);
    put_all(c, 0, ks, 3000);
    part(c, 0, 1, false);
    /* One way gets lost, again and again, in the midst of exchanges. */
    for (uint32_t i = 0; i < 40; i++) {
        cluster_run(c, 380);
        cluster_cut(c, i % 2, 1 - i % 2, true);
        cluster_run(c, 220);
        cluster_cut(c, i % 2, 1 - i % 2, false);
    }
    cluster_run(c, 10 * ROUND_MS);
    assert_int_equal(records_if_equal(c, 2), 3000);
    assert_int_equal(total(c, 2, "operations_in_flight"), 0);
    cluster_free(c);
}

static void many_objects_take_several_exchanges(void **state)
{
    struct cluster *c = cluster_new(2, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);

    (void)state;
    part(c, 0, 1, true);
    put_all(c, 0, ks, 12000);
    part(c, 0, 1, false);
    cluster_run(c, 5 * ROUND_MS);
    assert_int_equal(records_if_equal(c, 2), 12000);
    assert_int_equal(moved(c, 2), 12000);
    cluster_free(c);
}

/* Leaves no hints, which would bring it home before anti-entropy does. */
static void put_strict(struct cluster *c, uint32_t node, uint64_t ks, unsigned number,
                       const char *value)
{
    char key[16];
    struct dynkv_put_item item = {.key = dynkv_slice(key, 0), .value = dynkv_slice_text(value)};
    struct dynkv_put body = {
        .keyspace = ks, .flags = DYNKV_PUT_STRICT, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    snprintf(key, sizeof key, "key%u", number);
    item.key = dynkv_slice_text(key);
    item.partition_len = (uint32_t)strlen(key);
    assert_true(cluster_ask(c, node, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_PUT_REPLY);
    assert_int_equal(reply.put_reply.results[0].error, DYNKV_OK);
}

static void only_replicas_of_a_partition_exchange_it(void **state)
{
    struct cluster *c = cluster_new(5, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);
    uint32_t records = 0;

    (void)state;
    put_all(c, 0, ks, 300);
    cluster_stop(c, 4);
    cluster_run(c, 3000);
    for (unsigned i = 0; i < 300; i++)
        put_strict(c, i % 4, ks, i, "newer");
    cluster_start(c, 4);
    cluster_run(c, 20 * ROUND_MS);
    for (uint32_t node = 0; node < 5; node++)
        records += digest_of(c, node).records;
    assert_true(cluster_counter(c, 4, "sync_objects_received") + moved(c, 4) > 50);
    assert_true(records >= 2 * 300);
    for (unsigned i = 0; i < 300; i++) {
        char key[16];
        struct dynkv_get_result first, second;

        snprintf(key, sizeof key, "key%u", i);
        first = cluster_get(c, cluster_replica(c, ks, key, 0), ks, key, false, 1, NULL);
        second = cluster_get(c, cluster_replica(c, ks, key, 1), ks, key, false, 1, NULL);
        assert_int_equal(first.error, DYNKV_OK);
        assert_true(dynkv_slice_equal(first.object, second.object));
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_that_agree_exchange_roots_only),
        cmocka_unit_test(nothing_held_is_nothing_said),
        cmocka_unit_test(exactly_the_differing_objects_move_either_way),
        cmocka_unit_test(tombstones_move_too),
        cmocka_unit_test(concurrent_values_meet_on_both_sides),
        cmocka_unit_test(a_node_that_was_down_catches_up_without_any_read),
        cmocka_unit_test(what_two_replicas_could_give_is_not_given_twice),
        cmocka_unit_test(a_node_that_lost_its_records_is_refilled),
        cmocka_unit_test(writes_during_an_exchange_are_not_lost),
        cmocka_unit_test(it_goes_quiet_when_all_is_equal),
        cmocka_unit_test(an_exchange_whose_messages_are_lost_ends_and_the_next_one_works),
        cmocka_unit_test(many_objects_take_several_exchanges),
        cmocka_unit_test(only_replicas_of_a_partition_exchange_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
