/*
 * test_ring_holders.c: places that change hands: a replacement keeps the tokens, leavers are dated, weights and zones
 * hold after both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "ring_check.h"

#define PARTITIONS 256u
#define REPLICAS   3u
#define OTHER      UINT64_C(0xabcdef) /* who takes a place over */

static uint64_t holder(const struct dynkv_ring_member *member)
{
    return member->holder ? member->holder : member->id;
}

/* The same lists, but for the one who stands in the place of another. */
static void assert_same_but(const struct dynkv_ring *before, const struct dynkv_ring *after,
                            uint64_t old, uint64_t new)
{
    uint64_t was[REPLICAS], is[REPLICAS];

    for (uint32_t p = 0; p < PARTITIONS; p++) {
        uint32_t count = dynkv_ring_preference(before, p, was, REPLICAS);

        assert_int_equal(dynkv_ring_preference(after, p, is, REPLICAS), count);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(is[i], was[i] == old ? new : was[i]);
    }
}

static void a_replacement_stands_in_the_very_places_of_the_old_one(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 12; count++)
        for (uint32_t i = 0; i < count; i++) {
            struct ring_check check;
            struct dynkv_ring *before, *after;

            ring_check_init(&check, count, 3, PARTITIONS, count);
            before = ring_check_build(&check);
            check.members[i].holder = OTHER;
            after = ring_check_build(&check);
            assert_same_but(before, after, check.members[i].id, OTHER);
            assert_int_not_equal(dynkv_ring_version(before), dynkv_ring_version(after));
            assert_int_equal(dynkv_ring_member_count(after), count);
            dynkv_ring_free(before);
            dynkv_ring_free(after);
        }
}

/* A holder of 0 stands for the place's own id; the two are one ring. */
static void a_place_that_nobody_took_over_is_held_by_its_own_id(void **state)
{
    struct ring_check check;
    struct dynkv_ring *first, *again;

    (void)state;
    ring_check_init(&check, 5, 1, PARTITIONS, 4);
    first = ring_check_build(&check);
    check.members[2].holder = check.members[2].id;
    again = ring_check_build(&check);
    assert_int_equal(dynkv_ring_version(first), dynkv_ring_version(again));
    assert_same_but(first, again, 0, 0);
    dynkv_ring_free(first);
    dynkv_ring_free(again);
}

static void who_was_replaced_is_in_no_list(void **state)
{
    struct ring_check check;
    struct dynkv_ring *ring;

    (void)state;
    ring_check_init(&check, 6, 2, PARTITIONS, 8);
    check.members[3].holder = OTHER;
    ring = ring_check_build(&check);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        assert_int_equal(dynkv_ring_replica_index(ring, p, check.members[3].id, 6), -1);
        assert_in_range(dynkv_ring_replica_index(ring, p, OTHER, 6), 0, 5);
    }
    dynkv_ring_free(ring);
}

/* What comes later does not depend on who holds a place: nodes that heard of it late replay the same. */
static void joins_and_leaves_after_a_replacement_move_what_they_would_have_moved(void **state)
{
    struct ring_check check;
    struct dynkv_ring *plain, *replaced;

    (void)state;
    ring_check_init(&check, 9, 3, PARTITIONS, 5);
    check.members[1].left = 1000;
    check.members[8].joined = 1001;
    plain = ring_check_build(&check);
    check.members[4].holder = OTHER;
    replaced = ring_check_build(&check);
    assert_same_but(plain, replaced, check.members[4].id, OTHER);
    dynkv_ring_free(plain);
    dynkv_ring_free(replaced);
}

static void a_replaced_member_that_leaves_is_in_no_list(void **state)
{
    struct ring_check check;
    struct dynkv_ring *ring;

    (void)state;
    ring_check_init(&check, 5, 1, PARTITIONS, 6);
    check.members[2].holder = OTHER;
    check.members[2].left = 1000;
    ring = ring_check_build(&check);
    assert_int_equal(dynkv_ring_member_count(ring), 4);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        assert_int_equal(dynkv_ring_replica_index(ring, p, OTHER, 5), -1);
    dynkv_ring_free(ring);
}

/* Who holds a place is not asked for its weight or zone: the place has them. */
static void weights_and_zones_are_of_places_and_hold_after_replacements(void **state)
{
    struct ring_check check;
    struct dynkv_ring *before, *after;
    uint32_t loads[CHECK_MEMBERS_MAX];

    (void)state;
    ring_check_init(&check, 8, 4, PARTITIONS, 7);
    check.members[0].weight = 200;
    before = ring_check_build(&check);
    ring_check_promises(&check, before, REPLICAS);
    ring_check_loads(&check, before, REPLICAS, loads);
    for (uint32_t i = 0; i < check.count; i++)
        check.members[i].holder = OTHER + i; /* all of them, one after the other */
    after = ring_check_build(&check);
    for (uint32_t i = 0; i < check.count; i++) {
        uint32_t load = 0;

        for (uint32_t p = 0; p < PARTITIONS; p++)
            load += dynkv_ring_replica_index(after, p, holder(&check.members[i]), REPLICAS) >= 0;
        assert_int_equal(load, loads[i]);
    }
    dynkv_ring_free(before);
    dynkv_ring_free(after);
}

/* Random histories: replacements among joins and leaves, in any order of the list. */
static void random_histories_with_replacements_agree_in_any_order(void **state)
{
    struct dynkv_random random = dynkv_random(3);

    (void)state;
    for (uint32_t run = 0; run < 40; run++) {
        struct ring_check check;
        struct dynkv_ring *one, *other;
        uint32_t count = 2 + (uint32_t)(dynkv_random_next(&random) % 10);

        ring_check_init(&check, count, 1 + run % 4, PARTITIONS, run);
        for (uint32_t i = 0; i < count; i++) {
            if (dynkv_random_next(&random) % 3 == 0)
                check.members[i].holder = OTHER + i;
            if (i > 0 && dynkv_random_next(&random) % 4 == 0)
                check.members[i].left = 1000 + dynkv_random_next(&random) % 50;
        }
        one = ring_check_build(&check);
        for (uint32_t i = count - 1; i > 0; i--) {
            uint32_t k = (uint32_t)(dynkv_random_next(&random) % (i + 1));
            struct dynkv_ring_member member = check.members[i];

            check.members[i] = check.members[k];
            check.members[k] = member;
        }
        other = ring_check_build(&check);
        assert_int_equal(dynkv_ring_version(one), dynkv_ring_version(other));
        assert_same_but(one, other, 0, 0);
        dynkv_ring_free(one);
        dynkv_ring_free(other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replacement_stands_in_the_very_places_of_the_old_one),
        cmocka_unit_test(a_place_that_nobody_took_over_is_held_by_its_own_id),
        cmocka_unit_test(who_was_replaced_is_in_no_list),
        cmocka_unit_test(joins_and_leaves_after_a_replacement_move_what_they_would_have_moved),
        cmocka_unit_test(a_replaced_member_that_leaves_is_in_no_list),
        cmocka_unit_test(weights_and_zones_are_of_places_and_hold_after_replacements),
        cmocka_unit_test(random_histories_with_replacements_agree_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
