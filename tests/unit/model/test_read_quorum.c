/* The quorum read, path by path, and then against random replicas that fail and answer late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "model/read_quorum.h"

static struct dynkv_arena arena;

static int arena_free(void **state)
{
    (void)state;
    dynkv_arena_fini(&arena);
    return 0;
}

/* current after a write by actor that saw all of it. */
static struct dynkv_object written(const struct dynkv_object *current, uint64_t actor,
                                   uint64_t counter)
{
    struct dynkv_sibling sibling = {
        .dot = {actor, counter}, .timestamp = counter, .value = dynkv_slice_text("v")};
    struct dynkv_object out;

    assert_int_equal(dynkv_object_put(current, &current->version, &sibling, &arena, &out),
                     DYNKV_OK);
    return out;
}

/* old < new; left and right are concurrent, both after old; absent knows nothing. */
struct objects {
    struct dynkv_object absent, old, new, left, right;
};

static struct objects objects_make(void)
{
    struct objects o = {0};

    o.old = written(&o.absent, 1, 1);
    o.new = written(&o.old, 1, 2);
    o.left = written(&o.old, 2, 1);
    o.right = written(&o.old, 3, 1);
    return o;
}

static void expect_next(struct dynkv_read_quorum *read, uint32_t replica, enum dynkv_want want)
{
    uint32_t got_replica = 99;
    enum dynkv_want got_want = DYNKV_WANT_DIGEST;

    assert_true(dynkv_read_quorum_next(read, &got_replica, &got_want));
    assert_int_equal(got_replica, replica);
    assert_int_equal(got_want, want);
}

static void expect_nothing_to_ask(struct dynkv_read_quorum *read)
{
    uint32_t replica;
    enum dynkv_want want;

    assert_false(dynkv_read_quorum_next(read, &replica, &want));
}

static void expect_state(const struct dynkv_read_quorum *read, enum dynkv_read_state state)
{
    assert_int_equal(dynkv_read_quorum_state(read), state);
}

/* A read of r of n replicas that has asked the first for the object, and the next ones for digests. */
static struct dynkv_read_quorum asked(uint32_t n, uint32_t r)
{
    struct dynkv_read_quorum read;

    dynkv_read_quorum_init(&read, n, r);
    for (uint32_t i = 0; i < r; i++)
        expect_next(&read, i, i == 0 ? DYNKV_WANT_OBJECT : DYNKV_WANT_DIGEST);
    return read;
}

static void on_object(struct dynkv_read_quorum *read, uint32_t replica,
                      const struct dynkv_object *object)
{
    dynkv_read_quorum_on_object(read, replica, object, &arena);
}

static void on_digest_of(struct dynkv_read_quorum *read, uint32_t replica,
                         const struct dynkv_object *object)
{
    dynkv_read_quorum_on_digest(read, replica, dynkv_object_digest(object));
}

static void expect_merged(const struct dynkv_read_quorum *read, const struct dynkv_object *object)
{
    assert_true(dynkv_object_digest(&read->merged) == dynkv_object_digest(object));
    assert_true(read->merged_digest == dynkv_object_digest(object));
}

static void one_gives_the_object_and_the_others_a_digest_that_agrees(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read;

    (void)state;
    dynkv_read_quorum_init(&read, 3, 2);
    expect_state(&read, DYNKV_READ_ASKING);
    expect_next(&read, 0, DYNKV_WANT_OBJECT);
    expect_next(&read, 1, DYNKV_WANT_DIGEST);
    expect_nothing_to_ask(&read);
    on_digest_of(&read, 1, &o.new);
    assert_int_equal(dynkv_read_quorum_answers(&read), 1);
    expect_nothing_to_ask(&read); /* the object under way may be the same */
    expect_state(&read, DYNKV_READ_ASKING);
    on_object(&read, 0, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    expect_nothing_to_ask(&read);
    assert_int_equal(dynkv_read_quorum_answers(&read), 2);
    expect_merged(&read, &o.new);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(dynkv_read_quorum_is_stale(&read, i));
}

static void a_quorum_of_one_needs_the_first_alone(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(1, 1);

    (void)state;
    expect_nothing_to_ask(&read);
    on_object(&read, 0, &o.old);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.old);
}

static void a_newer_digest_is_fetched_and_the_older_replica_is_stale(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    on_object(&read, 0, &o.old);
    on_digest_of(&read, 1, &o.new);
    expect_state(&read, DYNKV_READ_ASKING);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    expect_nothing_to_ask(&read);
    assert_int_equal(dynkv_read_quorum_answers(&read), 1);
    on_object(&read, 1, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.new);
    assert_true(dynkv_read_quorum_is_stale(&read, 0));
    assert_false(dynkv_read_quorum_is_stale(&read, 1));
    assert_false(dynkv_read_quorum_is_stale(&read, 2)); /* it was not asked */
}

static void an_older_digest_is_fetched_too_since_a_digest_has_no_order(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(2, 2);

    (void)state;
    on_object(&read, 0, &o.new);
    on_digest_of(&read, 1, &o.old);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    on_object(&read, 1, &o.old);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.new);
    assert_false(dynkv_read_quorum_is_stale(&read, 0));
    assert_true(dynkv_read_quorum_is_stale(&read, 1));
}

static void concurrent_objects_merge_and_both_replicas_are_stale(void **state)
{
    struct objects o = objects_make();
    struct dynkv_object both = dynkv_object_merge(&o.left, &o.right, &arena);
    struct dynkv_read_quorum read = asked(3, 3);

    (void)state;
    on_object(&read, 0, &o.left);
    on_digest_of(&read, 1, &o.right);
    on_digest_of(&read, 2, &o.left);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    expect_nothing_to_ask(&read);
    on_object(&read, 1, &o.right);
    /* Replica 2 differs from the merged object by now, but what it holds is in there. */
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &both);
    assert_int_equal(read.merged.sibling_count, 2);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(dynkv_read_quorum_is_stale(&read, i));
}

static void a_digest_equal_to_the_merged_object_needs_no_fetch(void **state)
{
    struct objects o = objects_make();
    struct dynkv_object both = dynkv_object_merge(&o.left, &o.right, &arena);
    struct dynkv_read_quorum read = asked(3, 3);

    (void)state;
    on_object(&read, 0, &o.left);
    on_digest_of(&read, 1, &o.right);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    on_object(&read, 1, &o.right);
    on_digest_of(&read, 2, &both);
    expect_nothing_to_ask(&read);
    expect_state(&read, DYNKV_READ_DONE);
    assert_false(dynkv_read_quorum_is_stale(&read, 2));
    assert_true(dynkv_read_quorum_is_stale(&read, 0));
}

static void two_replicas_with_one_differing_digest_are_fetched_once(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 3);

    (void)state;
    on_digest_of(&read, 1, &o.new);
    on_digest_of(&read, 2, &o.new);
    on_object(&read, 0, &o.old);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    expect_nothing_to_ask(&read);
    on_object(&read, 1, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    assert_true(dynkv_read_quorum_is_stale(&read, 0));
    assert_false(dynkv_read_quorum_is_stale(&read, 2));
}

static void when_that_fetch_brings_something_else_the_second_is_fetched_after_all(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 3);

    (void)state;
    on_object(&read, 0, &o.old);
    on_digest_of(&read, 1, &o.left);
    on_digest_of(&read, 2, &o.left);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    on_object(&read, 1, &o.new); /* written in between */
    expect_state(&read, DYNKV_READ_ASKING);
    expect_next(&read, 2, DYNKV_WANT_OBJECT);
    on_object(&read, 2, &o.left);
    expect_state(&read, DYNKV_READ_DONE);
    assert_int_equal(read.merged.sibling_count, 2);
}

static void absent_everywhere_ends_with_the_empty_object(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    on_object(&read, 0, &o.absent);
    on_digest_of(&read, 1, &o.absent);
    expect_state(&read, DYNKV_READ_DONE);
    assert_true(read.has_object);
    assert_int_equal(read.merged.sibling_count, 0);
    assert_true(read.merged_digest == 0);
    assert_false(dynkv_read_quorum_is_stale(&read, 0));
}

static void absent_on_one_and_present_on_the_other_is_present(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read;

    (void)state;
    /* The first knows nothing: the second is fetched. */
    read = asked(2, 2);
    on_object(&read, 0, &o.absent);
    on_digest_of(&read, 1, &o.old);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    on_object(&read, 1, &o.old);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.old);
    assert_true(dynkv_read_quorum_is_stale(&read, 0));

    /* The second knows nothing: there is nothing to fetch. */
    read = asked(2, 2);
    on_object(&read, 0, &o.old);
    on_digest_of(&read, 1, &o.absent);
    expect_nothing_to_ask(&read);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.old);
    assert_true(dynkv_read_quorum_is_stale(&read, 1));
}

static void a_failed_first_replica_is_replaced_and_the_next_gives_the_object(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    dynkv_read_quorum_on_failure(&read, 0);
    expect_next(&read, 2, DYNKV_WANT_OBJECT);
    expect_nothing_to_ask(&read);
    on_digest_of(&read, 1, &o.new);
    on_object(&read, 2, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.new);
}

static void a_failed_digest_replica_is_replaced_by_a_digest(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    on_object(&read, 0, &o.new);
    dynkv_read_quorum_on_failure(&read, 1);
    expect_next(&read, 2, DYNKV_WANT_DIGEST);
    on_digest_of(&read, 2, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
}

static void a_replica_that_fails_when_fetched_no_longer_counts(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    on_object(&read, 0, &o.old);
    on_digest_of(&read, 1, &o.new);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    dynkv_read_quorum_on_failure(&read, 1);
    expect_state(&read, DYNKV_READ_ASKING);
    expect_next(&read, 2, DYNKV_WANT_DIGEST);
    on_digest_of(&read, 2, &o.old);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.old);
    assert_false(dynkv_read_quorum_is_stale(&read, 1));
}

static void too_many_failures_end_the_read_for_good(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    dynkv_read_quorum_on_failure(&read, 0);
    expect_state(&read, DYNKV_READ_ASKING);
    dynkv_read_quorum_on_failure(&read, 1);
    expect_state(&read, DYNKV_READ_FAILED);
    expect_nothing_to_ask(&read);
    on_object(&read, 0, &o.new);
    expect_state(&read, DYNKV_READ_FAILED);
    assert_int_equal(dynkv_read_quorum_answers(&read), 0);
    assert_false(dynkv_read_quorum_is_stale(&read, 0));
}

static void a_quorum_greater_than_the_replicas_fails_from_the_start(void **state)
{
    struct dynkv_read_quorum read;

    (void)state;
    dynkv_read_quorum_init(&read, 2, 3);
    expect_state(&read, DYNKV_READ_FAILED);
    expect_nothing_to_ask(&read);
    dynkv_read_quorum_init(&read, 0, 1);
    expect_state(&read, DYNKV_READ_FAILED);
}

static void a_late_answer_of_a_replica_given_up_counts_while_the_read_goes_on(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    dynkv_read_quorum_on_failure(&read, 0);
    expect_next(&read, 2, DYNKV_WANT_OBJECT);
    on_object(&read, 0, &o.new); /* late */
    on_digest_of(&read, 1, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.new);
}

static void a_late_digest_may_leave_a_quorum_without_an_object_and_then_one_is_fetched(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(4, 2);

    (void)state;
    dynkv_read_quorum_on_failure(&read, 1);
    expect_next(&read, 2, DYNKV_WANT_DIGEST);
    on_digest_of(&read, 1, &o.new); /* late */
    on_digest_of(&read, 2, &o.new);
    expect_state(&read, DYNKV_READ_ASKING);
    expect_nothing_to_ask(&read);
    dynkv_read_quorum_on_failure(&read, 0);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    on_object(&read, 1, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
}

static void a_slow_first_replica_is_joined_by_the_next_and_the_read_ends_without_it(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    on_digest_of(&read, 1, &o.new);
    expect_nothing_to_ask(&read);
    dynkv_read_quorum_hedge(&read);
    expect_next(&read, 1, DYNKV_WANT_OBJECT); /* the object that was to come may not */
    expect_next(&read, 2, DYNKV_WANT_DIGEST);
    expect_nothing_to_ask(&read);
    on_digest_of(&read, 2, &o.new);
    on_object(&read, 1, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    on_object(&read, 0, &o.old); /* too late to matter */
    expect_merged(&read, &o.new);
    assert_false(dynkv_read_quorum_is_stale(&read, 0));
}

static void a_slow_digest_is_joined_by_the_next_digest(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read = asked(3, 2);

    (void)state;
    on_object(&read, 0, &o.new);
    dynkv_read_quorum_hedge(&read);
    expect_next(&read, 2, DYNKV_WANT_DIGEST);
    dynkv_read_quorum_hedge(&read);
    expect_nothing_to_ask(&read); /* there is nobody more */
    on_digest_of(&read, 2, &o.new);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.new);
}

static void answers_after_the_end_or_never_asked_for_change_nothing(void **state)
{
    struct objects o = objects_make();
    struct dynkv_read_quorum read;

    (void)state;
    dynkv_read_quorum_init(&read, 3, 1);
    on_object(&read, 2, &o.new); /* never asked */
    assert_int_equal(dynkv_read_quorum_answers(&read), 0);
    expect_next(&read, 0, DYNKV_WANT_OBJECT);
    on_digest_of(&read, 0, &o.new); /* not what it was asked for */
    assert_int_equal(dynkv_read_quorum_answers(&read), 0);
    dynkv_read_quorum_on_failure(&read, 0);
    expect_next(&read, 1, DYNKV_WANT_OBJECT);
    on_object(&read, 1, &o.old);
    expect_state(&read, DYNKV_READ_DONE);
    on_object(&read, 0, &o.new);
    on_object(&read, 1, &o.new);
    dynkv_read_quorum_on_failure(&read, 1);
    expect_state(&read, DYNKV_READ_DONE);
    expect_merged(&read, &o.old);
    assert_int_equal(dynkv_read_quorum_answers(&read), 1);
}

/* One read of replicas that hold random objects, answer in any order, fail, and answer late. */
static void read_at_random(struct dynkv_random *random, const struct dynkv_object *const *held,
                           uint32_t n, uint32_t r)
{
    struct {
        uint32_t replica;
        enum dynkv_want want;
    } queue[64];
    struct dynkv_read_quorum read;
    struct dynkv_object expected = {0};
    uint32_t pending = 0, messages = 0;

    dynkv_read_quorum_init(&read, n, r);
    for (;;) {
        uint64_t at;

        while (dynkv_read_quorum_next(&read, &queue[pending].replica, &queue[pending].want)) {
            pending++;
            messages++;
        }
        if (dynkv_read_quorum_state(&read) != DYNKV_READ_ASKING)
            break;
        assert_true(pending > 0); /* it never waits for nothing */
        if (dynkv_random_below(random, 10) == 0) {
            dynkv_read_quorum_hedge(&read);
            continue;
        }
        at = dynkv_random_below(random, pending);
        if (dynkv_random_below(random, 5) == 0)
            dynkv_read_quorum_on_failure(&read, queue[at].replica);
        if (dynkv_random_below(random, 8) == 0)
            continue; /* and its answer may still come, late */
        if (dynkv_random_below(random, 8) == 0)
            dynkv_read_quorum_on_failure(&read, queue[at].replica);
        else if (queue[at].want == DYNKV_WANT_OBJECT)
            on_object(&read, queue[at].replica, held[queue[at].replica]);
        else
            on_digest_of(&read, queue[at].replica, held[queue[at].replica]);
        queue[at] = queue[--pending];
    }
    assert_true(messages <= 2 * n);
    if (dynkv_read_quorum_state(&read) == DYNKV_READ_FAILED)
        return;
    assert_true(dynkv_read_quorum_answers(&read) >= r);
    for (uint32_t i = 0; i < n; i++) {
        enum dynkv_replica_state s = read.replicas[i].state;
        bool answered = s == DYNKV_REPLICA_HAS_DIGEST || s == DYNKV_REPLICA_HAS_OBJECT;

        if (answered)
            expected = dynkv_object_merge(&expected, held[i], &arena);
        assert_int_equal(dynkv_read_quorum_is_stale(&read, i),
                         answered && dynkv_object_digest(held[i]) != read.merged_digest);
    }
    expect_merged(&read, &expected);
}

static void the_result_is_the_merge_of_those_who_answered_whatever_happens(void **state)
{
    struct dynkv_random random = dynkv_random(41);

    (void)state;
    for (int run = 0; run < 20000; run++) {
        struct objects o = objects_make();
        const struct dynkv_object *choice[] = {&o.absent, &o.old, &o.new, &o.left, &o.right};
        const struct dynkv_object *held[DYNKV_REPLICAS_MAX];
        uint32_t n = 1 + (uint32_t)dynkv_random_below(&random, DYNKV_REPLICAS_MAX);
        uint32_t r = 1 + (uint32_t)dynkv_random_below(&random, n);

        for (uint32_t i = 0; i < n; i++)
            held[i] = choice[dynkv_random_below(&random, 5)];
        read_at_random(&random, held, n, r);
        dynkv_arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_gives_the_object_and_the_others_a_digest_that_agrees),
        cmocka_unit_test(a_quorum_of_one_needs_the_first_alone),
        cmocka_unit_test(a_newer_digest_is_fetched_and_the_older_replica_is_stale),
        cmocka_unit_test(an_older_digest_is_fetched_too_since_a_digest_has_no_order),
        cmocka_unit_test(concurrent_objects_merge_and_both_replicas_are_stale),
        cmocka_unit_test(a_digest_equal_to_the_merged_object_needs_no_fetch),
        cmocka_unit_test(two_replicas_with_one_differing_digest_are_fetched_once),
        cmocka_unit_test(when_that_fetch_brings_something_else_the_second_is_fetched_after_all),
        cmocka_unit_test(absent_everywhere_ends_with_the_empty_object),
        cmocka_unit_test(absent_on_one_and_present_on_the_other_is_present),
        cmocka_unit_test(a_failed_first_replica_is_replaced_and_the_next_gives_the_object),
        cmocka_unit_test(a_failed_digest_replica_is_replaced_by_a_digest),
        cmocka_unit_test(a_replica_that_fails_when_fetched_no_longer_counts),
        cmocka_unit_test(too_many_failures_end_the_read_for_good),
        cmocka_unit_test(a_quorum_greater_than_the_replicas_fails_from_the_start),
        cmocka_unit_test(a_late_answer_of_a_replica_given_up_counts_while_the_read_goes_on),
        cmocka_unit_test(
            a_late_digest_may_leave_a_quorum_without_an_object_and_then_one_is_fetched),
        cmocka_unit_test(a_slow_first_replica_is_joined_by_the_next_and_the_read_ends_without_it),
        cmocka_unit_test(a_slow_digest_is_joined_by_the_next_digest),
        cmocka_unit_test(answers_after_the_end_or_never_asked_for_change_nothing),
        cmocka_unit_test(the_result_is_the_merge_of_those_who_answered_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, arena_free);
}
