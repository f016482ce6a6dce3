/* test_membership.c: joining, failure detection, restarts, tables that spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "cluster.h"
#include "wire/frame.h"

static uint64_t ring_version(struct cluster *c, uint32_t node)
{
    struct dynkv_status_reply status;

    dynkv_node_status(cluster_node(c, node), cluster_arena(c), &status);
    return status.ring_version;
}

static uint32_t member_count(struct cluster *c, uint32_t node)
{
    struct dynkv_status_reply status;

    dynkv_node_status(cluster_node(c, node), cluster_arena(c), &status);
    return status.member_count;
}

static void nodes_started_together_agree_on_members_and_ring(void **state)
{
    struct cluster *c = cluster_new(5, 64);

    (void)state;
    for (uint32_t node = 0; node < 5; node++) {
        assert_int_equal(member_count(c, node), 5);
        assert_int_equal(ring_version(c, node), ring_version(c, 0));
    }
    cluster_free(c);
}

static void a_dead_node_is_down_for_all_and_up_again_when_it_returns(void **state)
{
    struct cluster *c = cluster_new(3, 64);

    (void)state;
    cluster_stop(c, 2);
    cluster_run(c, 3000);
    assert_int_equal(cluster_sees_down(c, 0, 2), 1);
    assert_int_equal(cluster_sees_down(c, 1, 2), 1);
    cluster_start(c, 2);
    cluster_run(c, 1000);
    assert_int_equal(cluster_sees_down(c, 0, 2), 0);
    assert_int_equal(cluster_sees_down(c, 1, 2), 0);
    cluster_free(c);
}

/* One node tells another, in the name of a third, that it can't reach a fourth. */
static void tell_accusation(struct cluster *c, uint32_t to, uint32_t accuser, uint32_t accused)
{
    struct dynkv_status_reply status;
    struct dynkv_accuser by = {cluster_id(c, accuser)};
    struct dynkv_member record = {0};
    struct dynkv_gossip body = {.members = &record, .member_count = 1};
    struct dynkv_envelope head = {.type = DYNKV_MESSAGE_GOSSIP, .sender = by.id};
    struct dynkv_buf message = {0}, frame = {0};

    dynkv_node_status(cluster_node(c, to), cluster_arena(c), &status);
    for (uint32_t i = 0; i < status.member_count; i++)
        if (status.members[i].id == cluster_id(c, accused))
            record = status.members[i];
    record.accusers = &by;
    record.accuser_count = 1;
    dynkv_message_encode(&head, &body, &message);
    dynkv_frame_begin(&frame, status.cluster_id, by.id);
    assert_true(dynkv_frame_add(&frame, dynkv_buf_slice(&message)));
    cluster_send_raw(c, to, dynkv_buf_slice(&frame));
    dynkv_buf_fini(&message);
    dynkv_buf_fini(&frame);
}

static void one_reporter_alone_does_not_take_a_member_down(void **state)
{
    struct cluster *c = cluster_new(4, 64);

    (void)state;
    /* Node 4 says nothing for a while, so that it can't refute at once. */
    for (uint32_t other = 0; other < 3; other++)
        cluster_cut(c, 3, other, true);
    tell_accusation(c, 0, 1, 3);
    for (int i = 0; i < 20; i++) {
        cluster_run(c, 20);
        assert_int_equal(cluster_sees_down(c, 0, 3), 0);
    }
    for (uint32_t other = 0; other < 3; other++)
        cluster_cut(c, 3, other, false);
    for (int i = 0; i < 100; i++) {
        cluster_run(c, 50);
        assert_int_equal(cluster_sees_down(c, 0, 3), 0);
    }
    /* Node 4 heard that it is accused, and refuted. */
    assert_true(cluster_counter(c, 3, "refutations") > 0);
    cluster_free(c);
}

static void the_last_of_three_takes_both_others_down(void **state)
{
    struct cluster *c = cluster_new(3, 64);

    (void)state;
    cluster_stop(c, 1);
    cluster_stop(c, 2);
    cluster_run(c, 5000);
    assert_int_equal(cluster_sees_down(c, 0, 1), 1);
    assert_int_equal(cluster_sees_down(c, 0, 2), 1);
    cluster_free(c);
}

static void a_node_that_was_cut_off_takes_nobody_down_for_the_others(void **state)
{
    struct cluster *c = cluster_new(4, 64);

    (void)state;
    for (uint32_t other = 1; other < 4; other++) {
        cluster_cut(c, 0, other, true);
        cluster_cut(c, other, 0, true);
    }
    cluster_run(c, 5000);
    assert_int_equal(cluster_sees_down(c, 1, 0), 1);
    assert_int_equal(cluster_sees_down(c, 0, 1), 1);
    for (uint32_t other = 1; other < 4; other++) {
        cluster_cut(c, 0, other, false);
        cluster_cut(c, other, 0, false);
    }
    /* Its accusations spread now, but they are one node's only. */
    for (int i = 0; i < 40; i++) {
        cluster_run(c, 100);
        assert_int_equal(cluster_sees_down(c, 1, 2), 0);
        assert_int_equal(cluster_sees_down(c, 2, 3), 0);
    }
    for (uint32_t node = 0; node < 4; node++)
        for (uint32_t other = 0; other < 4; other++)
            assert_int_equal(cluster_sees_down(c, node, other), 0);
    cluster_free(c);
}

static void who_joins_after_the_first_write_is_a_candidate(void **state)
{
    struct cluster *c = cluster_new(2, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);
    uint32_t late;

    (void)state;
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", NULL).error, DYNKV_OK);
    cluster_run(c, 500);
    late = cluster_add(c);
    cluster_run(c, 3000);
    assert_true(dynkv_node_is_member(cluster_node(c, late)));
    assert_int_equal(member_count(c, 0), 3);
    for (uint32_t node = 0; node < 3; node++)
        assert_int_equal(dynkv_ring_member_count(dynkv_node_ring(cluster_node(c, node))), 2);
    /* It holds nothing, and sends on what clients ask of it. */
    assert_int_equal(cluster_put(c, late, ks, "key", "y", NULL).error, DYNKV_OK);
    assert_int_equal(cluster_get(c, late, ks, "key", false, 0, NULL).error, DYNKV_NOT_REPLICA);
    cluster_free(c);
}

static bool is_replica(struct cluster *c, uint64_t ks, const char *key, uint32_t node)
{
    for (uint32_t place = 0; place < 3; place++)
        if (cluster_replica(c, ks, key, place) == node)
            return true;
    return false;
}

static void hold_between(struct cluster *c, const uint32_t *some, uint32_t count, bool hold)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t other = 1; other < 5; other++) {
            cluster_hold(c, some[i], other, hold);
            cluster_hold(c, other, some[i], hold);
        }
}

/*
 * The one who lets it in has not heard of the writes that the others acknowledge at that moment.  Until they
 * hear of each other it answers reads without having them (docs/architecture.md calls that weak); nothing is lost.
 */
static void who_joins_amid_the_first_writes_has_them_soon(void **state)
{
    enum { KEYS = 60 };
    static const uint32_t apart[] = {0, 5};
    struct cluster *c = cluster_new(5, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 1, 3);
    uint32_t late, found = 0, coordinators[KEYS];
    char key[16];

    (void)state;
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%d", i);
        coordinators[i] = is_replica(c, ks, key, 0) ? 0 : cluster_replica(c, ks, key, 0);
    }
    hold_between(c, apart, 2, true);
    late = cluster_add(c);
    cluster_run(c, 30);
    assert_int_equal(dynkv_ring_member_count(dynkv_node_ring(cluster_node(c, late))), 6);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%d", i);
        if (coordinators[i])
            assert_int_equal(cluster_put(c, coordinators[i], ks, key, "x", NULL).error, DYNKV_OK);
    }
    hold_between(c, apart, 2, false);
    cluster_run(c, 1000);
    for (int i = 0; i < KEYS; i++) {
        struct dynkv_object object;

        snprintf(key, sizeof key, "key%d", i);
        if (!coordinators[i] || !is_replica(c, ks, key, late))
            continue;
        assert_int_equal(cluster_get(c, late, ks, key, false, 1, &object).error, DYNKV_OK);
        assert_int_equal(object.sibling_count, 1);
        found++;
    }
    assert_true(found > 0);
    cluster_free(c);
}

static void a_restarted_node_knows_its_cluster_without_asking(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_object object;

    (void)state;
    assert_int_equal(cluster_put(c, 1, ks, "key", "x", NULL).error, DYNKV_OK);
    for (uint32_t node = 0; node < 3; node++)
        cluster_stop(c, node);
    for (uint32_t node = 0; node < 3; node++)
        cluster_start(c, node);
    assert_true(dynkv_node_is_member(cluster_node(c, 2)));
    assert_int_equal(member_count(c, 2), 3);
    cluster_run(c, 1000);
    assert_int_equal(cluster_get(c, 2, ks, "key", true, 2, &object).error, DYNKV_OK);
    assert_int_equal(object.sibling_count, 1);
    cluster_free(c);
}

static void counters_and_clocks_never_go_back_over_a_restart(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1);
    struct dynkv_put_result before, after;
    struct dynkv_object object;
    uint64_t counter;

    (void)state;
    before = cluster_put(c, 0, ks, "key", "1", NULL);
    cluster_get(c, 0, ks, "key", false, 1, &object);
    counter = object.siblings[0].dot.counter;
    cluster_stop(c, 0);
    cluster_start(c, 0);
    cluster_set_clock(c, 0, -3600 * 1000); /* the machine came back in the past */
    cluster_run(c, 100);
    after = cluster_put(c, 0, ks, "key", "2", NULL);
    assert_int_equal(after.error, DYNKV_OK);
    assert_true(after.timestamp > before.timestamp);
    cluster_get(c, 0, ks, "key", false, 1, &object);
    assert_true(object.siblings[0].dot.counter > counter);
    assert_int_equal(object.sibling_count, 1);
    cluster_free(c);
}

static void restarts_one_after_the_other_do_not_drive_the_clocks_away(void **state)
{
    struct cluster *c = cluster_new(3, 16);

    (void)state;
    for (uint32_t round = 0; round < 30; round++) {
        cluster_stop(c, round % 3);
        cluster_run(c, 100);
        cluster_start(c, round % 3);
        cluster_run(c, 400);
    }
    for (uint32_t node = 0; node < 3; node++)
        assert_int_equal(cluster_counter(c, node, "clock_drift_refused"), 0);
    cluster_free(c);
}

static void a_keyspace_made_at_one_node_is_known_at_all(void **state)
{
    struct cluster *c = cluster_new(3, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 3, 1);

    (void)state;
    cluster_run(c, 100);
    for (uint32_t node = 0; node < 3; node++)
        assert_int_equal(cluster_keyspace(c, node, "t", 0, 0, 0), ks);
    cluster_free(c);
}

static void a_dropped_keyspace_that_is_made_again_is_another(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1), again;
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    again = cluster_keyspace(c, 0, "t", 1, 1, 1);
    assert_int_equal(again, ks);
    cluster_ask(c, 0, DYNKV_MESSAGE_KEYSPACE_DROP,
                &(struct dynkv_keyspace_drop){dynkv_slice_text("t")}, 1000, &envelope, &reply);
    assert_int_equal(envelope.type, DYNKV_MESSAGE_KEYSPACE_REPLY);
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", NULL).error, DYNKV_NO_KEYSPACE);
    again = cluster_keyspace(c, 0, "t", 1, 1, 1);
    assert_int_not_equal(again, 0);
    assert_int_not_equal(again, ks);
    cluster_free(c);
}

static void a_clock_too_far_ahead_is_refused(void **state)
{
    struct cluster *c = cluster_new(2, 16);
    struct dynkv_envelope head = {.type = DYNKV_MESSAGE_STATUS, .timestamp = UINT64_MAX}, envelope;
    struct dynkv_status body = {0};
    struct dynkv_buf bytes = {0};
    union dynkv_body reply;

    (void)state;
    dynkv_message_encode(&head, &body, &bytes);
    assert_true(cluster_ask_raw(c, 0, dynkv_buf_slice(&bytes), 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_ERROR);
    assert_int_equal(reply.error_reply.error, DYNKV_CLOCK_DRIFT);
    dynkv_buf_fini(&bytes);
    cluster_free(c);
}

static void garbage_is_answered_with_an_error_or_counted_and_dropped(void **state)
{
    struct cluster *c = cluster_new(2, 16);
    struct dynkv_envelope envelope;
    union dynkv_body reply;
    uint8_t bytes[64];
    struct dynkv_random random = dynkv_random(5);

    (void)state;
    for (int i = 0; i < 2000; i++) {
        size_t len = dynkv_random_below(&random, sizeof bytes);

        for (size_t j = 0; j < len; j++)
            bytes[j] = (uint8_t)dynkv_random_next(&random);
        assert_true(cluster_ask_raw(c, 0, dynkv_slice(bytes, len), 1000, &envelope, &reply));
        assert_int_equal(envelope.type, DYNKV_MESSAGE_ERROR);
        cluster_send_raw(c, 0, dynkv_slice(bytes, len));
    }
    assert_true(cluster_counter(c, 0, "malformed_messages") >= 2000);
    assert_true(cluster_counter(c, 0, "malformed_frames") >= 1900);
    cluster_free(c);
}

/* Each start goes on at the clock that was leased before; the others refuse clocks far ahead of theirs. */
static void a_node_that_is_restarted_again_and_again_is_not_refused_for_its_clock(void **state)
{
    struct cluster *c = cluster_new(3, 64);

    (void)state;
    for (int i = 0; i < 20; i++) {
        cluster_stop(c, 2);
        cluster_start(c, 2);
        cluster_run(c, 100);
    }
    cluster_run(c, 3000);
    for (uint32_t node = 0; node < 2; node++) {
        assert_int_equal(cluster_counter(c, node, "clock_drift_refused"), 0);
        assert_int_equal(cluster_sees_down(c, node, 2), 0);
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_started_together_agree_on_members_and_ring),
        cmocka_unit_test(a_dead_node_is_down_for_all_and_up_again_when_it_returns),
        cmocka_unit_test(one_reporter_alone_does_not_take_a_member_down),
        cmocka_unit_test(the_last_of_three_takes_both_others_down),
        cmocka_unit_test(a_node_that_was_cut_off_takes_nobody_down_for_the_others),
        cmocka_unit_test(who_joins_after_the_first_write_is_a_candidate),
        cmocka_unit_test(who_joins_amid_the_first_writes_has_them_soon),
        cmocka_unit_test(a_restarted_node_knows_its_cluster_without_asking),
        cmocka_unit_test(counters_and_clocks_never_go_back_over_a_restart),
        cmocka_unit_test(restarts_one_after_the_other_do_not_drive_the_clocks_away),
        cmocka_unit_test(a_keyspace_made_at_one_node_is_known_at_all),
        cmocka_unit_test(a_dropped_keyspace_that_is_made_again_is_another),
        cmocka_unit_test(a_clock_too_far_ahead_is_refused),
        cmocka_unit_test(garbage_is_answered_with_an_error_or_counted_and_dropped),
        cmocka_unit_test(a_node_that_is_restarted_again_and_again_is_not_refused_for_its_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
