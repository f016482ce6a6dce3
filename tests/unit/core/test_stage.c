/*
 * test_stage.c: staged changes of the membership: join, leave, replace, cancel, exclude, with data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"

#define KEYS 60

/* ---- shorthands; node i is called n(i + 1) ---- */

static uint8_t ask(struct cluster *c, uint32_t node, uint8_t action, const char *name,
                   const char *other, struct dynkv_cluster_plan *plan)
{
    struct dynkv_cluster_change body = {
        .action = action, .name = dynkv_slice_text(name), .other = dynkv_slice_text(other)};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    assert_true(cluster_ask(c, node, DYNKV_MESSAGE_CLUSTER_CHANGE, &body, 1000, &envelope, &reply));
    if (envelope.type == DYNKV_MESSAGE_ERROR)
        return reply.error_reply.error;
    assert_int_equal(envelope.type, DYNKV_MESSAGE_CLUSTER_PLAN);
    if (plan)
        *plan = reply.cluster_plan;
    return DYNKV_OK;
}

static void do_it(struct cluster *c, uint8_t action, const char *name, const char *other)
{
    assert_int_equal(ask(c, 0, action, name, other, NULL), DYNKV_OK);
}

static struct dynkv_node_stage stage_of(struct cluster *c, uint32_t node)
{
    return dynkv_node_stage(cluster_node(c, node));
}

/* Runs until the node's ring is of that epoch and nothing is open; false: it took longer. */
static bool wait_epoch(struct cluster *c, uint32_t node, uint64_t epoch)
{
    for (int i = 0; i < 300; i++) {
        if (stage_of(c, node).epoch == epoch && !stage_of(c, node).change)
            return true;
        cluster_run(c, 100);
    }
    return false;
}

static void put_all(struct cluster *c, uint64_t ks, uint32_t nodes, const char *value)
{
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(cluster_put(c, (uint32_t)i % nodes, ks, key, value, NULL).error, DYNKV_OK);
    }
}

/* Every key is there, read at r = 2 through one node. */
static void check_all(struct cluster *c, uint64_t ks, uint32_t node)
{
    struct dynkv_object object;
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(cluster_get(c, node, ks, key, true, 2, &object).error, DYNKV_OK);
        assert_int_equal(object.sibling_count, 1);
    }
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

static uint32_t records(struct cluster *c, uint32_t node)
{
    uint32_t count = 0;

    cluster_records(c, node, count_record, &count);
    return count;
}

static bool wait_records(struct cluster *c, uint32_t node, uint32_t count)
{
    for (int i = 0; i < 300 && records(c, node) != count; i++)
        cluster_run(c, 100);
    return records(c, node) == count;
}

/* Records of `node` that it is no replica of. */
static uint32_t total_records(struct cluster *c, uint32_t nodes)
{
    uint32_t count = 0;

    for (uint32_t node = 0; node < nodes; node++)
        count += records(c, node);
    return count;
}

static struct cluster *with_data(uint32_t nodes, uint64_t *ks)
{
    struct cluster *c = cluster_new(nodes, 64);

    *ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    put_all(c, *ks, nodes, "x");
    cluster_run(c, 500);
    return c;
}

/* ---- tests ---- */

/* What all nodes together say that a member has to fetch. */
static struct dynkv_plan_member gains(struct cluster *c, uint32_t nodes, const char *name)
{
    struct dynkv_plan_member sum = {0};

    for (uint32_t node = 0; node < nodes; node++) {
        struct dynkv_cluster_plan plan;

        assert_int_equal(ask(c, node, DYNKV_CLUSTER_PLAN, "", "", &plan), DYNKV_OK);
        assert_int_equal(plan.uncounted, 0);
        for (uint32_t i = 0; i < plan.member_count; i++)
            if (dynkv_slice_equal(plan.members[i].name, dynkv_slice_text(name))) {
                sum.gained_keys += plan.members[i].gained_keys;
                sum.gained_bytes += plan.members[i].gained_bytes;
            }
    }
    return sum;
}

/* The keys "key0" ... and their values, of one byte each. */
static void count_bytes(void *context, uint64_t keyspace, uint32_t partition,
                        struct dynkv_slice key, struct dynkv_slice record)
{
    (void)keyspace;
    (void)partition;
    (void)record;
    *(uint64_t *)context += key.len + 1;
}

static void a_candidate_gets_its_share_and_the_others_let_go_of_theirs(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(3, &ks);
    struct dynkv_cluster_plan plan;
    struct dynkv_plan_member gained;
    uint64_t bytes = 0;

    (void)state;
    cluster_add(c);
    cluster_run(c, 1000);
    do_it(c, DYNKV_CLUSTER_JOIN, "n4", "");
    cluster_run(c, 500);
    gained = gains(c, 3, "n4");
    assert_int_equal(gains(c, 3, "n1").gained_keys, 0);
    assert_int_equal(ask(c, 1, DYNKV_CLUSTER_PLAN, "", "", &plan), DYNKV_OK);
    assert_int_equal(plan.phase, DYNKV_CHANGE_STAGED);
    assert_int_equal(plan.entry_count, 1);
    assert_int_equal(plan.member_count, 4);
    assert_int_equal(plan.blocker_count, 0);
    for (uint32_t i = 0; i < plan.member_count; i++) {
        bool joins = dynkv_slice_equal(plan.members[i].name, dynkv_slice_text("n4"));

        assert_int_equal(plan.members[i].role, joins ? DYNKV_ROLE_JOINING : DYNKV_ROLE_PLACED);
        assert_int_equal(plan.members[i].replicas_before, joins ? 0 : 64);
        assert_int_equal(plan.members[i].replicas_after, 48);
    }
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    for (uint32_t node = 0; node < 4; node++)
        assert_true(wait_epoch(c, node, 1));
    check_all(c, ks, 3);
    for (int i = 0; i < 100 && total_records(c, 4) > 3 * KEYS; i++)
        cluster_run(c, 100);
    assert_int_equal(total_records(c, 4), 3 * KEYS);
    check_all(c, ks, 0);
    assert_true(cluster_counter(c, 3, "transfer_objects") >= records(c, 3));
    cluster_records(c, 3, count_bytes, &bytes);
    assert_int_equal(gained.gained_keys, records(c, 3));
    assert_int_equal(gained.gained_bytes, bytes);
    cluster_free(c);
}

/* What others tell of it must not look to it like an old word of its own, which it would contradict, for ever. */
static void who_got_a_place_by_a_change_agrees_with_what_is_told_of_it(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(3, &ks);

    (void)state;
    for (int round = 0; round < 2; round++) { /* as a candidate, and as a member */
        if (round == 0) {
            cluster_add(c);
            cluster_run(c, 1000);
        } else {
            do_it(c, DYNKV_CLUSTER_JOIN, "n4", "");
            do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
            assert_true(wait_epoch(c, 3, 1));
            cluster_run(c, 1000);
        }
        cluster_pause(c, 3, true);
        cluster_run(c, 3000);
        assert_int_equal(cluster_sees_down(c, 0, 3), 1);
        cluster_pause(c, 3, false);
        cluster_run(c, 5000);
        assert_int_equal(cluster_sees_down(c, 0, 3), 0);
        cluster_run(c, 20000);
        assert_int_equal(cluster_counter(c, 3, "refutations"), round + 1); /* once each time */
    }
    cluster_free(c);
}

static void a_leaver_hands_over_all_it_holds_and_is_gone(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(5, &ks);
    struct dynkv_status_reply status;

    (void)state;
    do_it(c, DYNKV_CLUSTER_LEAVE, "n5", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    for (uint32_t node = 0; node < 5; node++)
        assert_true(wait_epoch(c, node, 1));
    assert_true(wait_records(c, 4, 0));
    cluster_run(c, 2000);
    dynkv_node_status(cluster_node(c, 0), cluster_arena(c), &status);
    for (uint32_t i = 0; i < status.member_count; i++)
        assert_int_equal(status.members[i].left != 0, status.members[i].id == cluster_id(c, 4));
    assert_int_equal(cluster_put(c, 4, ks, "key0", "x", NULL).error, DYNKV_REFUSED);
    cluster_stop(c, 4);
    check_all(c, ks, 1);
    assert_int_equal(total_records(c, 4), 3 * KEYS);
    cluster_free(c);
}

static void a_dead_member_is_replaced_and_nothing_else_moves(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(4, &ks);
    uint32_t held[4];

    (void)state;
    for (uint32_t node = 0; node < 4; node++)
        held[node] = records(c, node);
    cluster_stop(c, 2);
    cluster_add(c);
    cluster_run(c, 8000);
    assert_int_equal(cluster_sees_down(c, 0, 2), 1);
    do_it(c, DYNKV_CLUSTER_REPLACE, "n3", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    for (uint32_t node = 0; node < 5; node++)
        assert_true(node == 2 || wait_epoch(c, node, 1));
    cluster_run(c, 3000);
    assert_int_equal(records(c, 4), held[2]);
    assert_int_equal(records(c, 0), held[0]);
    assert_int_equal(records(c, 1), held[1]);
    assert_int_equal(records(c, 3), held[3]);
    check_all(c, ks, 4);
    /* It comes back, and is told. */
    cluster_start(c, 2);
    cluster_run(c, 2000);
    assert_int_equal(cluster_put(c, 2, ks, "key0", "x", NULL).error, DYNKV_REFUSED);
    cluster_free(c);
}

static void a_change_waits_for_a_member_that_is_down_and_can_be_cancelled(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(4, &ks);
    uint32_t late = cluster_add(c);
    struct dynkv_cluster_plan plan;

    (void)state;
    cluster_run(c, 1000);
    do_it(c, DYNKV_CLUSTER_JOIN, "n5", "");
    cluster_stop(c, 3);
    cluster_run(c, 8000);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_COMMIT, "", "", NULL), DYNKV_REFUSED);
    cluster_start(c, 3);
    cluster_run(c, 3000);
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    cluster_stop(c, 3);
    cluster_run(c, 8000);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_STATUS, "", "", &plan), DYNKV_OK);
    assert_true(plan.phase == DYNKV_CHANGE_COMMITTING || plan.phase == DYNKV_CHANGE_MOVING);
    assert_int_equal(plan.blocker_count, 1);
    put_all(c, ks, 3, "y");
    do_it(c, DYNKV_CLUSTER_CANCEL, "", "");
    cluster_run(c, 2000);
    assert_true(stage_of(c, 0).cancelled);
    cluster_start(c, 3);
    for (uint32_t node = 0; node < 5; node++) {
        assert_true(wait_epoch(c, node, 0));
        assert_int_equal(stage_of(c, node).changes, 1);
    }
    assert_true(wait_records(c, late, 0));
    check_all(c, ks, 2);
    /* And the next one goes through. */
    do_it(c, DYNKV_CLUSTER_JOIN, "n5", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    for (uint32_t node = 0; node < 5; node++)
        assert_true(wait_epoch(c, node, 1));
    check_all(c, ks, late);
    cluster_free(c);
}

static void writes_reach_both_sides_while_data_move(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(4, &ks);

    (void)state;
    cluster_add(c);
    cluster_run(c, 1000);
    do_it(c, DYNKV_CLUSTER_JOIN, "n5", "");
    do_it(c, DYNKV_CLUSTER_LEAVE, "n4", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    for (int i = 0; i < 40 && stage_of(c, 0).epoch == 0; i++) {
        put_all(c, ks, 5, "during");
        check_all(c, ks, (uint32_t)i % 5);
        cluster_run(c, 50);
    }
    for (uint32_t node = 0; node < 5; node++)
        assert_true(wait_epoch(c, node, 1));
    check_all(c, ks, 4);
    assert_true(wait_records(c, 3, 0));
    assert_int_equal(total_records(c, 5), 3 * KEYS);
    cluster_free(c);
}

static void a_restart_of_any_member_does_not_lose_the_change(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(3, &ks);

    (void)state;
    cluster_add(c);
    cluster_run(c, 1000);
    do_it(c, DYNKV_CLUSTER_JOIN, "n4", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    for (uint32_t node = 0; node < 4; node++) {
        cluster_stop(c, node);
        cluster_run(c, 50);
        cluster_start(c, node);
        cluster_run(c, 100);
    }
    for (uint32_t node = 0; node < 4; node++)
        assert_true(wait_epoch(c, node, 1));
    check_all(c, ks, 3);
    for (uint32_t node = 0; node < 4; node++) {
        cluster_stop(c, node);
        cluster_start(c, node);
        cluster_run(c, 100);
        assert_int_equal(stage_of(c, node).epoch, 1);
    }
    cluster_run(c, 5000);
    check_all(c, ks, 1);
    cluster_free(c);
}

static void what_cannot_be_is_refused_with_a_reason(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(3, &ks);
    struct dynkv_cluster_plan plan;

    (void)state;
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_COMMIT, "", "", NULL), DYNKV_NOT_FOUND);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_CANCEL, "", "", NULL), DYNKV_NOT_FOUND);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_JOIN, "n8", "", NULL), DYNKV_NOT_FOUND);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_LEAVE, "n8", "", NULL), DYNKV_NOT_FOUND);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_REPLACE, "n2", "", NULL), DYNKV_NOT_FOUND);
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_EXCLUDE, "n2", "", NULL), DYNKV_REFUSED);
    assert_int_equal(ask(c, 0, 77, "", "", NULL), DYNKV_INVALID);
    do_it(c, DYNKV_CLUSTER_LEAVE, "n3", "");
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_LEAVE, "n3", "", NULL), DYNKV_REFUSED);
    /* n = 3 needs three. */
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_COMMIT, "", "", NULL), DYNKV_REFUSED);
    assert_int_equal(ask(c, 1, DYNKV_CLUSTER_PLAN, "", "", &plan), DYNKV_OK);
    assert_int_equal(plan.blocker_count, 1);
    do_it(c, DYNKV_CLUSTER_CANCEL, "", "");
    assert_int_equal(ask(c, 2, DYNKV_CLUSTER_PLAN, "", "", &plan), DYNKV_OK);
    assert_int_equal(plan.phase, DYNKV_CHANGE_NONE);
    cluster_free(c);
}

static void a_store_that_may_have_forgotten_serves_nothing_until_it_has_heard(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(3, &ks);

    (void)state;
    cluster_stop(c, 1);
    cluster_new_actor(c, 1);
    for (uint32_t other = 0; other < 3; other += 2) {
        cluster_cut(c, 1, other, true);
        cluster_cut(c, other, 1, true);
    }
    cluster_start(c, 1);
    cluster_run(c, 500);
    assert_int_equal(cluster_put(c, 1, ks, "key0", "x", NULL).error, DYNKV_OVERLOADED);
    for (uint32_t other = 0; other < 3; other += 2) {
        cluster_cut(c, 1, other, false);
        cluster_cut(c, other, 1, false);
    }
    cluster_run(c, 3000);
    assert_int_equal(cluster_put(c, 1, ks, "key0", "x", NULL).error, DYNKV_OK);
    cluster_free(c);
}

/* To it the other one seems to be down now and then, for its own messages are lost; but it hears it. */
static void a_store_that_may_have_forgotten_waits_for_one_that_does_not_hear_it(void **state)
{
    struct cluster *c = cluster_new(2, 64);
    uint64_t ks = cluster_keyspace(c, 0, "t", 2, 1, 1);

    (void)state;
    put_all(c, ks, 2, "x");
    cluster_stop(c, 1);
    cluster_new_actor(c, 1);
    cluster_cut(c, 1, 0, true);
    cluster_start(c, 1);
    for (uint32_t i = 0; i < 10; i++) {
        cluster_run(c, 2000);
        assert_int_equal(cluster_put(c, 1, ks, "key0", "x", NULL).error, DYNKV_OVERLOADED);
    }
    cluster_cut(c, 1, 0, false);
    cluster_run(c, 3000);
    assert_int_equal(cluster_put(c, 1, ks, "key0", "x", NULL).error, DYNKV_OK);
    cluster_free(c);
}

/* The last one of a cluster has nobody to wait for. */
static void a_store_that_may_have_forgotten_serves_when_nobody_is_left(void **state)
{
    uint64_t ks;
    struct cluster *c = with_data(3, &ks);

    (void)state;
    for (uint32_t node = 0; node < 3; node++)
        cluster_crash(c, node);
    cluster_start(c, 1);
    cluster_run(c, 20000);
    assert_int_equal(cluster_get(c, 1, ks, "key0", true, 1, NULL).error, DYNKV_OK);
    cluster_free(c);
}

static bool has_blocker(const struct dynkv_cluster_plan *plan, const char *text)
{
    for (uint32_t i = 0; i < plan->blocker_count; i++) {
        char line[256];

        snprintf(line, sizeof line, "%.*s", (int)plan->blockers[i].text.len,
                 (const char *)plan->blockers[i].text.data);
        if (strstr(line, text))
            return true;
    }
    return false;
}

/* Every key of a keyspace with one replica is read. */
static void check_all_single(struct cluster *c, uint64_t ks)
{
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(cluster_get(c, 0, ks, key, true, 1, NULL).error, DYNKV_OK);
    }
}

/* A candidate n4 joins three with a keyspace of n replicas, dies at once, and is excluded. */
static struct cluster *joiner_excluded(uint8_t n, uint64_t *ks)
{
    struct cluster *c = cluster_new(3, 64);
    uint8_t quorum = n > 1 ? 2 : 1;

    *ks = cluster_keyspace(c, 0, "t", n, quorum, quorum);
    put_all(c, *ks, 3, "x");
    cluster_add(c);
    cluster_run(c, 1000);
    do_it(c, DYNKV_CLUSTER_JOIN, "n4", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    cluster_crash(c, 3);
    cluster_run(c, 8000);
    do_it(c, DYNKV_CLUSTER_EXCLUDE, "n4", "");
    cluster_run(c, 5000);
    return c;
}

static void
a_change_that_would_leave_keys_with_an_excluded_member_waits_to_be_cancelled(void **state)
{
    uint64_t ks;
    struct cluster *c = joiner_excluded(1, &ks);
    struct dynkv_cluster_plan plan;

    (void)state;
    assert_int_equal(ask(c, 1, DYNKV_CLUSTER_STATUS, "", "", &plan), DYNKV_OK);
    assert_int_equal(plan.phase, DYNKV_CHANGE_MOVING);
    assert_int_equal(plan.blocker_count, 1);
    assert_true(has_blocker(&plan, "excluded members alone"));
    check_all_single(c, ks);
    do_it(c, DYNKV_CLUSTER_CANCEL, "", "");
    for (uint32_t node = 0; node < 3; node++) {
        assert_true(wait_epoch(c, node, 0));
        assert_int_equal(stage_of(c, node).changes, 1);
    }
    check_all_single(c, ks);
    put_all(c, ks, 3, "y");
    cluster_free(c);
}

static void a_change_goes_on_without_an_excluded_member_where_others_have_the_keys(void **state)
{
    uint64_t ks;
    struct cluster *c = joiner_excluded(3, &ks);

    (void)state;
    for (uint32_t node = 0; node < 3; node++)
        assert_true(wait_epoch(c, node, 1));
    check_all(c, ks, 0);
    cluster_free(c);
}

static void keys_are_not_planned_for_an_excluded_member_alone(void **state)
{
    uint64_t ks;
    struct cluster *c = cluster_new(4, 64);
    struct dynkv_cluster_plan plan;

    (void)state;
    ks = cluster_keyspace(c, 0, "t", 1, 1, 1);
    put_all(c, ks, 4, "x");
    cluster_crash(c, 2);
    cluster_run(c, 8000);
    do_it(c, DYNKV_CLUSTER_EXCLUDE, "n3", "");
    do_it(c, DYNKV_CLUSTER_LEAVE, "n4", "");
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_PLAN, "", "", &plan), DYNKV_OK);
    assert_true(has_blocker(&plan, "excluded members alone"));
    assert_int_equal(ask(c, 0, DYNKV_CLUSTER_COMMIT, "", "", NULL), DYNKV_REFUSED);
    do_it(c, DYNKV_CLUSTER_CANCEL, "", "");
    /* As the blocker says: replace it, and then it goes. */
    cluster_add(c);
    cluster_run(c, 1000);
    do_it(c, DYNKV_CLUSTER_REPLACE, "n3", "n5");
    do_it(c, DYNKV_CLUSTER_LEAVE, "n4", "");
    do_it(c, DYNKV_CLUSTER_COMMIT, "", "");
    assert_true(wait_epoch(c, 0, 1));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_candidate_gets_its_share_and_the_others_let_go_of_theirs),
        cmocka_unit_test(who_got_a_place_by_a_change_agrees_with_what_is_told_of_it),
        cmocka_unit_test(a_leaver_hands_over_all_it_holds_and_is_gone),
        cmocka_unit_test(a_dead_member_is_replaced_and_nothing_else_moves),
        cmocka_unit_test(a_change_waits_for_a_member_that_is_down_and_can_be_cancelled),
        cmocka_unit_test(writes_reach_both_sides_while_data_move),
        cmocka_unit_test(a_restart_of_any_member_does_not_lose_the_change),
        cmocka_unit_test(what_cannot_be_is_refused_with_a_reason),
        cmocka_unit_test(a_store_that_may_have_forgotten_serves_nothing_until_it_has_heard),
        cmocka_unit_test(a_store_that_may_have_forgotten_waits_for_one_that_does_not_hear_it),
        cmocka_unit_test(a_store_that_may_have_forgotten_serves_when_nobody_is_left),
        cmocka_unit_test(
            a_change_that_would_leave_keys_with_an_excluded_member_waits_to_be_cancelled),
        cmocka_unit_test(a_change_goes_on_without_an_excluded_member_where_others_have_the_keys),
        cmocka_unit_test(keys_are_not_planned_for_an_excluded_member_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
