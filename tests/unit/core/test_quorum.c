/* test_quorum.c: what reads and writes promise, in small clusters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster.h"

static struct dynkv_slice context_of(const struct dynkv_object *object, struct dynkv_arena *arena)
{
    struct dynkv_buf buf = {0};
    struct dynkv_slice context;

    dynkv_version_encode(&object->version, &buf);
    context = dynkv_slice_copy(dynkv_buf_slice(&buf), arena);
    dynkv_buf_fini(&buf);
    return context;
}

static void assert_value(const struct dynkv_sibling *sibling, const char *value)
{
    assert_non_null(sibling);
    assert_true(dynkv_slice_equal(sibling->value, dynkv_slice_text(value)));
}

static bool has_value(const struct dynkv_object *object, const char *value)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        if (dynkv_slice_equal(object->siblings[i].value, dynkv_slice_text(value)))
            return true;
    return false;
}

static void a_write_is_read_back_through_every_node(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);

    (void)state;
    assert_int_equal(cluster_put(c, 0, ks, "key", "value", NULL).error, DYNKV_OK);
    for (uint32_t node = 0; node < 3; node++) {
        struct dynkv_object object;

        assert_int_equal(cluster_get(c, node, ks, "key", true, 2, &object).error, DYNKV_OK);
        assert_int_equal(object.sibling_count, 1);
        assert_value(&object.siblings[0], "value");
    }
    cluster_free(c);
}

static void a_write_needs_no_more_than_one_round_to_the_replicas(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    uint64_t before = cluster_sent(c, DYNKV_MESSAGE_REPLICATE);

    (void)state;
    assert_int_equal(cluster_put(c, 1, ks, "key", "value", NULL).error, DYNKV_OK);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_REPLICATE) - before, 2);
    cluster_free(c);
}

static void a_missing_key_is_an_empty_object_and_no_error(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_object object;
    struct dynkv_get_result got = cluster_get(c, 1, ks, "nothing", true, 2, &object);

    (void)state;
    assert_int_equal(got.error, DYNKV_OK);
    assert_int_equal(got.digest, 0);
    assert_int_equal(object.sibling_count, 0);
    cluster_free(c);
}

static void isolate_all(struct cluster *c, bool cut)
{
    for (uint32_t from = 0; from < 3; from++)
        for (uint32_t to = 0; to < 3; to++)
            cluster_cut(c, from, to, cut && from != to);
}

/*
 * DeCandia et al., "Dynamo", SOSP 2007, figure 3, with dots: CAR is [S1,1]; CART is [S1,2]; S1 falls; CARM
 * goes through S2 and CARR through S3, each with the context read before; S1 returns; a read gives both;
 * the reader merges and writes through S1: [S1,3][S2,1][S3,1].
 */
static void the_textbook_run_car_cart_carm_carr_merge(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 1, 1);
    struct dynkv_object object;
    struct dynkv_slice context;
    struct dynkv_dot expected[3];

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        expected[i] = (struct dynkv_dot){cluster_actor(c, i), i == 0 ? 3 : 1};
    assert_int_equal(cluster_put(c, 0, ks, "cart", "CAR", NULL).error, DYNKV_OK);
    cluster_get(c, 0, ks, "cart", false, 1, &object);
    assert_int_equal(object.version.count, 1);
    assert_int_equal(dynkv_version_counter(&object.version, expected[0].actor), 1);
    context = context_of(&object, cluster_arena(c));
    assert_int_equal(cluster_put(c, 0, ks, "cart", "CART", &context).error, DYNKV_OK);
    cluster_get(c, 0, ks, "cart", false, 1, &object);
    assert_int_equal(dynkv_version_counter(&object.version, expected[0].actor), 2);
    context = context_of(&object, cluster_arena(c));

    isolate_all(c, true); /* S1 is out of reach, and S2 and S3 work apart */
    assert_int_equal(cluster_put(c, 1, ks, "cart", "CARM", &context).error, DYNKV_OK);
    assert_int_equal(cluster_put(c, 2, ks, "cart", "CARR", &context).error, DYNKV_OK);
    isolate_all(c, false);
    cluster_run(c, 5000);

    assert_int_equal(cluster_get(c, 0, ks, "cart", true, 3, &object).error, DYNKV_OK);
    assert_int_equal(object.sibling_count, 2);
    assert_true(has_value(&object, "CARM") && has_value(&object, "CARR"));
    context = context_of(&object, cluster_arena(c));
    assert_int_equal(cluster_put(c, 0, ks, "cart", "CARMEN", &context).error, DYNKV_OK);
    cluster_get(c, 0, ks, "cart", false, 1, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_value(&object.siblings[0], "CARMEN");
    assert_int_equal(object.version.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(dynkv_version_counter(&object.version, expected[i].actor),
                         expected[i].counter);
    cluster_free(c);
}

static void any_one_node_may_die_and_every_acknowledged_row_is_still_read(void **state)
{
    (void)state;
    for (uint32_t victim = 0; victim < 3; victim++) {
        struct cluster *c = cluster_new(3, 64);
        uint32_t asked = (victim + 1) % 3;
        uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
        char key[16];

        for (int i = 0; i < 50; i++) {
            snprintf(key, sizeof key, "key%d", i);
            assert_int_equal(cluster_put(c, (uint32_t)i % 3, ks, key, key, NULL).error, DYNKV_OK);
        }
        cluster_stop(c, victim);
        for (int i = 0; i < 50; i++) {
            struct dynkv_object object;

            snprintf(key, sizeof key, "key%d", i);
            assert_int_equal(cluster_get(c, asked, ks, key, true, 2, &object).error, DYNKV_OK);
            assert_value(dynkv_object_latest(&object, 0), key);
        }
        assert_int_equal(cluster_put(c, asked, ks, "after", "1", NULL).error, DYNKV_OK);
        cluster_free(c);
    }
}

static void with_two_of_three_dead_a_write_is_unavailable_and_says_how_many_acks(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_put_result put;

    (void)state;
    cluster_stop(c, 1);
    cluster_stop(c, 2);
    put = cluster_put(c, 0, ks, "key", "value", NULL);
    assert_int_equal(put.error, DYNKV_UNAVAILABLE);
    assert_int_equal(put.acks, 1);
    assert_int_equal(cluster_get(c, 0, ks, "key", true, 2, NULL).error, DYNKV_UNAVAILABLE);
    /* Once they are known to be down it is refused before anything is written. */
    cluster_run(c, 5000);
    put = cluster_put(c, 0, ks, "other", "value", NULL);
    assert_int_equal(put.error, DYNKV_UNAVAILABLE);
    assert_int_equal(put.acks, 0);
    assert_int_equal(cluster_get(c, 0, ks, "other", false, 1, NULL).digest, 0);
    cluster_free(c);
}

static void a_read_repairs_the_replica_that_missed_a_write(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_object object;

    (void)state;
    cluster_cut(c, 0, 2, true);
    assert_int_equal(cluster_put(c, 0, ks, "key", "new", NULL).error, DYNKV_OK);
    cluster_cut(c, 0, 2, false);
    assert_int_equal(cluster_get(c, 2, ks, "key", false, 1, NULL).digest, 0);
    /* Asked through the stale one, with two of three, the write is seen and the stale one mended. */
    assert_int_equal(cluster_get(c, 2, ks, "key", true, 2, &object).error, DYNKV_OK);
    assert_value(dynkv_object_latest(&object, 0), "new");
    cluster_run(c, 100);
    cluster_get(c, 2, ks, "key", false, 1, &object);
    assert_value(dynkv_object_latest(&object, 0), "new");
    assert_int_equal(cluster_counter(c, 2, "read_repairs"), 1);
    cluster_free(c);
}

static void a_silent_replica_is_joined_by_the_next_one_after_a_moment(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    uint64_t before = cluster_sent(c, DYNKV_MESSAGE_GET);
    struct dynkv_object object;
    struct dynkv_get_item item = {.key = dynkv_slice_text("key"), .partition_len = 3};
    struct dynkv_get body = {
        .keyspace = ks, .flags = DYNKV_GET_COORDINATE, .r = 2, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    assert_int_equal(cluster_put(c, 0, ks, "key", "value", NULL).error, DYNKV_OK);
    for (uint32_t silent = 1; silent < 3; silent++) {
        cluster_cut(c, silent, 0, true);
        assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_GET, &body, 300, &envelope, &reply));
        assert_int_equal(reply.get_reply.results[0].error, DYNKV_OK);
        assert_int_equal(
            dynkv_object_decode(reply.get_reply.results[0].object, cluster_arena(c), &object),
            DYNKV_OK);
        assert_value(&object.siblings[0], "value");
        cluster_cut(c, silent, 0, false);
    }
    /* One of the two readings met the silent one first, and asked twice. */
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_GET) - before, 3);
    cluster_free(c);
}

static void a_repair_request_mends_all_replicas(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 1);
    struct dynkv_repair_item item = {dynkv_slice_text("key"), 3};
    struct dynkv_repair body = {.keyspace = ks, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    cluster_cut(c, 0, 1, true);
    cluster_cut(c, 0, 2, true);
    assert_int_equal(cluster_put(c, 0, ks, "key", "new", NULL).error, DYNKV_OK);
    cluster_cut(c, 0, 1, false);
    cluster_cut(c, 0, 2, false);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_REPAIR, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_DONE);
    cluster_run(c, 100);
    for (uint32_t node = 0; node < 3; node++)
        assert_int_not_equal(cluster_get(c, node, ks, "key", false, 1, NULL).digest, 0);
    cluster_free(c);
}

static void a_key_is_repaired_once_at_a_time(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 1);
    struct dynkv_repair_item items[] = {{dynkv_slice_text("key"), 3},
                                        {dynkv_slice_text("lock"), 4}};
    struct dynkv_repair body = {.keyspace = ks, .items = items, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;
    uint64_t before;

    (void)state;
    cluster_hold(c, 0, 1, true);
    cluster_hold(c, 0, 2, true);
    before = cluster_sent(c, DYNKV_MESSAGE_GET);
    for (int i = 0; i < 3; i++)
        assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_REPAIR, &body, 1000, &envelope, &reply));
    assert_int_equal(cluster_counter(c, 0, "repairs_dropped"), 2);
    body.item_count = 2; /* the other key is another matter */
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_REPAIR, &body, 1000, &envelope, &reply));
    assert_int_equal(cluster_counter(c, 0, "repairs_dropped"), 3);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_GET) - before, 4);
    cluster_hold(c, 0, 1, false);
    cluster_hold(c, 0, 2, false);
    cluster_run(c, 100);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_REPAIR, &body, 1000, &envelope, &reply));
    assert_int_equal(cluster_counter(c, 0, "repairs_dropped"), 3);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_GET) - before, 6);
    cluster_free(c);
}

static void a_node_that_is_no_replica_forwards_writes_and_coordinates_reads(void **state)
{
    struct cluster *c = cluster_new(5, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 2, 2);
    uint32_t outsider = cluster_replica(c, ks, "key", 4);
    struct dynkv_object object;

    (void)state;
    cluster_run(c, 1000);
    assert_int_equal(cluster_put(c, outsider, ks, "key", "value", NULL).error, DYNKV_OK);
    assert_int_equal(cluster_counter(c, outsider, "forwarded_items"), 1);
    assert_int_equal(cluster_get(c, outsider, ks, "key", false, 1, NULL).error, DYNKV_NOT_REPLICA);
    assert_int_equal(cluster_get(c, outsider, ks, "key", true, 2, &object).error, DYNKV_OK);
    assert_value(dynkv_object_latest(&object, 0), "value");
    /* Nothing was stored at the node in between. */
    assert_int_equal(object.version.entries[0].actor == cluster_actor(c, outsider), false);
    cluster_free(c);
}

static void a_repeated_request_is_recognised_and_written_once(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_put_item item = {.key = dynkv_slice_text("key"),
                                  .partition_len = 3,
                                  .flags = DYNKV_PUT_HAS_CONTEXT,
                                  .value = dynkv_slice_text("v")};
    struct dynkv_put body = {
        .keyspace = ks, .client = 9, .sequence = 1, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body first, second;
    struct dynkv_object object;

    (void)state;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &first));
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &second));
    assert_int_equal(second.put_reply.results[0].error, DYNKV_OK);
    assert_int_equal(second.put_reply.results[0].timestamp, first.put_reply.results[0].timestamp);
    cluster_get(c, 0, ks, "key", true, 2, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_int_equal(cluster_counter(c, 0, "writes_recognised"), 1);
    cluster_free(c);
}

/* What is answered to a write of "v" to "key" with this stamp. */
static struct dynkv_put_result stamped_put(struct cluster *c, uint32_t node, uint64_t ks,
                                           uint64_t stamp)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text("key"),
                                  .partition_len = 3,
                                  .flags = DYNKV_PUT_STAMPED,
                                  .value = dynkv_slice_text("v")};
    struct dynkv_put body = {.keyspace = ks,
                             .client = 9,
                             .sequence = 1,
                             .items = &item,
                             .item_count = 1,
                             .stamp = stamp};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    assert_true(cluster_ask(c, node, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_PUT_REPLY);
    return reply.put_reply.results[0];
}

static void a_stamped_write_is_known_again_by_another_coordinator(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    uint64_t stamp = cluster_put(c, 0, ks, "other", "x", NULL).timestamp;
    struct dynkv_object object;

    (void)state;
    for (uint32_t node = 0; node < 3; node++) {
        assert_int_equal(stamped_put(c, node, ks, stamp).error, DYNKV_OK);
        cluster_run(c, 100);
    }
    cluster_get(c, 1, ks, "key", true, 3, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_int_equal(object.siblings[0].timestamp, stamp);
    cluster_free(c);
}

static void a_stamped_write_that_is_made_twice_stays_behind_what_followed_it(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 1, 1);
    uint64_t stamp = cluster_put(c, 0, ks, "other", "x", NULL).timestamp;
    struct dynkv_object object;

    (void)state;
    cluster_run(c, 100);
    cluster_cut(c, 0, 1, true);
    cluster_cut(c, 0, 2, true);
    assert_int_equal(stamped_put(c, 0, ks, stamp).error, DYNKV_OK);
    assert_int_equal(stamped_put(c, 1, ks, stamp).error, DYNKV_OK);
    cluster_run(c, 100);
    assert_int_equal(cluster_put(c, 2, ks, "key", "later", NULL).error, DYNKV_OK);
    /* Whoever knows something later does not take it. */
    assert_int_equal(stamped_put(c, 2, ks, stamp).error, DYNKV_STALE);
    cluster_cut(c, 0, 1, false);
    cluster_cut(c, 0, 2, false);
    cluster_get(c, 2, ks, "key", true, 3, &object);
    assert_int_equal(object.sibling_count, 2); /* the first came late, and is not the last */
    assert_value(dynkv_object_latest(&object, 0), "later");
    cluster_free(c);
}

static void a_stamp_of_a_time_to_come_is_refused(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_put_item item = {.key = dynkv_slice_text("key"),
                                  .partition_len = 3,
                                  .flags = DYNKV_PUT_STAMPED,
                                  .value = dynkv_slice_text("v")};
    struct dynkv_put body = {
        .keyspace = ks, .items = &item, .item_count = 1, .stamp = UINT64_MAX / 2};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_ERROR);
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    cluster_free(c);
}

static void two_writes_of_one_key_in_one_batch_happen_in_order(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_put_item items[2] = {
        {.key = dynkv_slice_text("key"), .partition_len = 3, .value = dynkv_slice_text("1")},
        {.key = dynkv_slice_text("key"), .partition_len = 3, .value = dynkv_slice_text("2")}};
    struct dynkv_put body = {.keyspace = ks, .items = items, .item_count = 2};
    struct dynkv_envelope envelope;
    union dynkv_body reply;
    struct dynkv_object object;

    (void)state;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &reply));
    cluster_get(c, 1, ks, "key", true, 3, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_value(&object.siblings[0], "2");
    cluster_free(c);
}

static void a_delete_is_a_tombstone_and_a_later_write_wins_over_it(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_object object;

    (void)state;
    cluster_put(c, 0, ks, "key", "1", NULL);
    assert_int_equal(cluster_put(c, 1, ks, "key", NULL, NULL).error, DYNKV_OK);
    cluster_get(c, 2, ks, "key", true, 2, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_true(dynkv_object_is_dead(&object, 0));
    cluster_put(c, 2, ks, "key", "2", NULL);
    cluster_get(c, 0, ks, "key", true, 2, &object);
    assert_value(dynkv_object_latest(&object, 0), "2");
    cluster_free(c);
}

static void the_sibling_limit_is_an_error_to_the_writer(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1);
    struct dynkv_slice none = {NULL, 0};
    struct dynkv_put_result put = {0};
    unsigned written = 0;

    (void)state;
    while (written < 2 * DYNKV_SIBLINGS_MAX &&
           (put = cluster_put(c, 0, ks, "key", "x", &none)).error == DYNKV_OK)
        written++;
    assert_int_equal(put.error, DYNKV_SIBLINGS_LIMIT);
    assert_int_equal(written, DYNKV_SIBLINGS_MAX);
    cluster_free(c);
}

static void big_objects_come_over_several_replies_and_too_big_ones_not_at_all(void **state)
{
    struct cluster *c = cluster_new(4, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 2, 2);
    struct dynkv_slice none = {NULL, 0};
    char *big = dynkv_calloc(1, DYNKV_VALUE_MAX / 2 + 1);
    struct dynkv_get_item items[6];
    struct dynkv_get body = {
        .keyspace = ks, .flags = DYNKV_GET_COORDINATE, .items = items, .item_count = 6};
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    memset(big, 'x', DYNKV_VALUE_MAX / 2);
    for (int i = 0; i < 6; i++) {
        items[i] = (struct dynkv_get_item){.key = dynkv_slice_text(keys[i]), .partition_len = 1};
        assert_int_equal(cluster_put(c, 0, ks, keys[i], big, NULL).error, DYNKV_OK);
    }
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_GET, &body, 3000, &envelope, &reply));
    assert_int_equal(reply.get_reply.results[0].error, DYNKV_OK);
    assert_int_equal(reply.get_reply.results[5].error, DYNKV_TRUNCATED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cluster_put(c, 0, ks, "a", big, &none).error, DYNKV_OK);
    assert_int_equal(cluster_put(c, 0, ks, "a", big, &none).error, DYNKV_TOO_LARGE);
    free(big);
    cluster_free(c);
}

static void a_context_that_no_read_can_have_given_is_refused(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1);
    struct dynkv_dot dot = {cluster_actor(c, 0), UINT64_MAX};
    struct dynkv_object forged = {.version = {&dot, 1}};
    struct dynkv_slice context = context_of(&forged, cluster_arena(c));
    struct dynkv_slice garbage = dynkv_slice_text("garbage");

    (void)state;
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", &context).error, DYNKV_INVALID);
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", &garbage).error, DYNKV_MALFORMED);
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", NULL).error, DYNKV_OK);
    cluster_free(c);
}

static void a_writer_is_told_of_siblings_it_had_not_seen(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1);
    struct dynkv_put_result first = cluster_put(c, 0, ks, "key", "first", NULL);
    struct dynkv_slice seen = dynkv_slice_copy(first.context, cluster_arena(c));

    (void)state;
    assert_int_equal(first.siblings, 1);
    assert_int_equal(cluster_put(c, 0, ks, "key", "theirs", &seen).siblings, 1);
    assert_int_equal(cluster_put(c, 0, ks, "key", "mine", &seen).siblings, 2);
    assert_int_equal(cluster_put(c, 0, ks, "key", "over both", NULL).siblings, 1);
    cluster_free(c);
}

static void a_write_can_outlive_its_keyspaces_ttl(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    struct dynkv_keyspace_open open = {.name = dynkv_slice_text("t"),
                                       .flags = DYNKV_KEYSPACE_CREATE,
                                       .n = 1,
                                       .r = 1,
                                       .w = 1,
                                       .has_ttl = 1,
                                       .ttl_ms = 1000};
    struct dynkv_put_item items[3] = {
        {.key = dynkv_slice_text("by ttl"), .partition_len = 6},
        {.key = dynkv_slice_text("at 9"), .partition_len = 4, .expires_at_ms = 9},
        {.key = dynkv_slice_text("never"),
         .partition_len = 5,
         .expires_at_ms = DYNKV_EXPIRES_NEVER},
    };
    struct dynkv_put body = {.items = items, .item_count = 3};
    struct dynkv_object object;
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_KEYSPACE_OPEN, &open, 1000, &envelope, &reply));
    body.keyspace = reply.keyspace_reply.keyspaces[0].id;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &reply));
    cluster_get(c, 0, body.keyspace, "by ttl", false, 1, &object);
    assert_true(object.siblings[0].expires_at_ms > 1000);
    cluster_get(c, 0, body.keyspace, "at 9", false, 1, &object);
    assert_int_equal(object.siblings[0].expires_at_ms, 9);
    cluster_get(c, 0, body.keyspace, "never", false, 1, &object);
    assert_int_equal(object.siblings[0].expires_at_ms, 0);
    cluster_free(c);
}

static void a_disk_that_fails_takes_the_node_out_of_service(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_put_result result;

    (void)state;
    cluster_run(c, 500);
    cluster_fail_disk(c, 0);
    /* Its own disk does not count, those of the others do; afterwards it refuses, and the others go on. */
    result = cluster_put(c, 0, ks, "key", "x", NULL);
    assert_int_equal(result.error, DYNKV_OK);
    assert_int_equal(result.acks, 2);
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", NULL).error, DYNKV_STORAGE);
    assert_int_equal(cluster_put(c, 1, ks, "key", "y", NULL).error, DYNKV_OK);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_read_back_through_every_node),
        cmocka_unit_test(a_write_needs_no_more_than_one_round_to_the_replicas),
        cmocka_unit_test(a_missing_key_is_an_empty_object_and_no_error),
        cmocka_unit_test(the_textbook_run_car_cart_carm_carr_merge),
        cmocka_unit_test(any_one_node_may_die_and_every_acknowledged_row_is_still_read),
        cmocka_unit_test(with_two_of_three_dead_a_write_is_unavailable_and_says_how_many_acks),
        cmocka_unit_test(a_read_repairs_the_replica_that_missed_a_write),
        cmocka_unit_test(a_silent_replica_is_joined_by_the_next_one_after_a_moment),
        cmocka_unit_test(a_repair_request_mends_all_replicas),
        cmocka_unit_test(a_key_is_repaired_once_at_a_time),
        cmocka_unit_test(a_node_that_is_no_replica_forwards_writes_and_coordinates_reads),
        cmocka_unit_test(a_repeated_request_is_recognised_and_written_once),
        cmocka_unit_test(a_stamped_write_is_known_again_by_another_coordinator),
        cmocka_unit_test(a_stamped_write_that_is_made_twice_stays_behind_what_followed_it),
        cmocka_unit_test(a_stamp_of_a_time_to_come_is_refused),
        cmocka_unit_test(two_writes_of_one_key_in_one_batch_happen_in_order),
        cmocka_unit_test(a_delete_is_a_tombstone_and_a_later_write_wins_over_it),
        cmocka_unit_test(the_sibling_limit_is_an_error_to_the_writer),
        cmocka_unit_test(big_objects_come_over_several_replies_and_too_big_ones_not_at_all),
        cmocka_unit_test(a_context_that_no_read_can_have_given_is_refused),
        cmocka_unit_test(a_writer_is_told_of_siblings_it_had_not_seen),
        cmocka_unit_test(a_write_can_outlive_its_keyspaces_ttl),
        cmocka_unit_test(a_disk_that_fails_takes_the_node_out_of_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
