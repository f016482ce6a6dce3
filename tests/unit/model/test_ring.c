/* The ring as it is used: lists, versions, fallbacks, hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "ring_check.h"

static bool same_lists(const struct dynkv_ring *a, const struct dynkv_ring *b)
{
    uint64_t in_a[CHECK_MEMBERS_MAX], in_b[CHECK_MEMBERS_MAX];
    uint32_t count = dynkv_ring_member_count(a);

    if (count != dynkv_ring_member_count(b) || dynkv_ring_partitions(a) != dynkv_ring_partitions(b))
        return false;
    for (uint32_t p = 0; p < dynkv_ring_partitions(a); p++) {
        dynkv_ring_preference(a, p, in_a, count);
        dynkv_ring_preference(b, p, in_b, count);
        if (memcmp(in_a, in_b, count * sizeof *in_a) != 0)
            return false;
    }
    return true;
}

static void a_ring_without_members_has_version_0_and_empty_lists(void **state)
{
    struct dynkv_ring_member gone = {.id = 5, .zone = 1, .joined = 1, .left = 2, .weight = 100};
    struct dynkv_ring *never = dynkv_ring_new(NULL, 0, 64), *left = dynkv_ring_new(&gone, 1, 64);
    const struct dynkv_ring *rings[] = {never, left};
    uint64_t out[3];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(dynkv_ring_version(rings[i]) == 0);
        assert_int_equal(dynkv_ring_member_count(rings[i]), 0);
        assert_int_equal(dynkv_ring_partitions(rings[i]), 64);
        assert_int_equal(dynkv_ring_preference(rings[i], 63, out, 3), 0);
        assert_int_equal(dynkv_ring_replica_index(rings[i], 63, 5, 3), -1);
    }
    dynkv_ring_free(never);
    dynkv_ring_free(left);
    dynkv_ring_free(NULL);
}

static void one_member_holds_everything(void **state)
{
    static struct ring_check check;
    struct dynkv_ring *ring;
    uint64_t out[2];

    (void)state;
    ring_check_init(&check, 1, 1, 16, 1);
    ring = ring_check_build(&check);
    for (uint32_t p = 0; p < 16; p++) {
        assert_int_equal(dynkv_ring_preference(ring, p, out, 2), 1);
        assert_true(out[0] == check.members[0].id);
        assert_int_equal(dynkv_ring_replica_index(ring, p, out[0], 7), 0);
    }
    dynkv_ring_free(ring);
}

static void the_order_in_which_members_are_given_does_not_matter(void **state)
{
    static struct ring_check check;
    struct dynkv_random random = dynkv_random(7);

    (void)state;
    for (uint32_t count = 1; count <= 40; count += 3) {
        struct dynkv_ring *ring, *shuffled;

        ring_check_init(&check, count, count % 5, 256, count);
        for (uint32_t i = 0; i < count; i++) {
            check.members[i].weight = 50u << dynkv_random_below(&random, 3);
            check.members[i].joined = 1 + dynkv_random_below(&random, 10); /* some at one time */
            if (i % 6 == 5)
                check.members[i].left = 11 + dynkv_random_below(&random, 3);
        }
        ring = ring_check_build(&check);
        for (uint32_t i = count - 1; i > 0; i--) {
            uint32_t k = (uint32_t)dynkv_random_below(&random, i + 1);
            struct dynkv_ring_member member = check.members[i];

            check.members[i] = check.members[k];
            check.members[k] = member;
        }
        shuffled = ring_check_build(&check);
        assert_true(dynkv_ring_version(ring) == dynkv_ring_version(shuffled));
        assert_true(same_lists(ring, shuffled));
        dynkv_ring_free(ring);
        dynkv_ring_free(shuffled);
    }
}

static void the_version_changes_with_everything_that_can_change_a_list(void **state)
{
    static struct ring_check check, other;
    uint64_t versions[8];

    (void)state;
    ring_check_init(&check, 5, 2, 64, 1);
    for (uint32_t i = 0; i < 8; i++) {
        struct dynkv_ring *ring;

        other = check;
        switch (i) {
        case 1:
            other.members[2].id++;
            break;
        case 2:
            other.members[2].zone++;
            break;
        case 3:
            other.members[2].joined = 99;
            break;
        case 4:
            other.members[2].left = 99;
            break;
        case 5:
            other.members[2].weight++;
            break;
        case 6:
            other.partitions = 128;
            break;
        case 7:
            other.count--;
            break;
        }
        ring = ring_check_build(&other);
        versions[i] = dynkv_ring_version(ring);
        assert_true(versions[i] != 0);
        for (uint32_t k = 0; k < i; k++)
            assert_true(versions[k] != versions[i]);
        dynkv_ring_free(ring);
    }
}

/*
 * Nodes of different builds must agree on the ring.  If this fails, the algorithm has changed, and a
 * cluster that is upgraded node by node would disagree on who holds what: do not update the number.
 */
static void the_lists_are_the_same_in_every_build(void **state)
{
    static struct ring_check check;
    struct dynkv_buf buf = {NULL, 0, 0};
    struct dynkv_ring *ring;
    uint64_t list[20];

    (void)state;
    ring_check_init(&check, 20, 3, 1024, 2024);
    for (uint32_t i = 0; i < 20; i += 4)
        check.members[i].weight = 200;
    check.members[7].left = 15;
    check.members[2].left = 30;
    ring = ring_check_build(&check);
    for (uint32_t p = 0; p < 1024; p++) {
        assert_int_equal(dynkv_ring_preference(ring, p, list, 20), 18);
        for (uint32_t i = 0; i < 18; i++)
            dynkv_put_u64(&buf, list[i]);
    }
    assert_true(dynkv_hash(dynkv_buf_slice(&buf), 0) == UINT64_C(0x1aac14dba4fad95c));
    dynkv_buf_fini(&buf);
    dynkv_ring_free(ring);
}

static void a_later_join_does_not_change_how_the_earlier_ones_are_replayed(void **state)
{
    static struct ring_check check;
    struct dynkv_ring *before, *after;

    (void)state;
    /* Ids that sort before, between and after the others: the replay must not depend on that. */
    for (int i = 0; i < 3; i++) {
        ring_check_init(&check, 10, 1, 1024, 9);
        check.members[9].id = i == 0 ? 1 : i == 1 ? UINT64_C(1) << 63 : UINT64_MAX;
        check.count = 9;
        before = ring_check_build(&check);
        check.count = 10;
        after = ring_check_build(&check);
        for (uint32_t n = 1; n <= 3; n++)
            assert_in_range(ring_check_moved(before, after, n), 102 * n, 103 * n);
        dynkv_ring_free(before);
        dynkv_ring_free(after);
    }
}

static void fallbacks_go_through_all_members_with_new_zones_first(void **state)
{
    static struct ring_check check;
    struct dynkv_ring *ring;
    uint64_t list[40];

    (void)state;
    /* 30 members; the first 7 of a list take 7 of the 12 zones. */
    ring_check_init(&check, 30, 12, 128, 3);
    ring = ring_check_build(&check);
    for (uint32_t p = 0; p < 128; p++) {
        uint64_t seen = 0, zones = 0;

        assert_int_equal(dynkv_ring_preference(ring, p, list, 40), 30);
        for (uint32_t i = 0; i < 30; i++) {
            uint32_t k = 0;

            while (check.members[k].id != list[i])
                k++;
            assert_false(seen >> k & 1);
            seen |= UINT64_C(1) << k;
            if (i < 12)
                assert_false(zones >> (check.members[k].zone - 1000) & 1);
            zones |= UINT64_C(1) << (check.members[k].zone - 1000);
            assert_int_equal(dynkv_ring_replica_index(ring, p, list[i], 30), i < 7 ? (int)i : -1);
        }
    }
    dynkv_ring_free(ring);
}

static void fallbacks_of_one_member_spread_over_many_others(void **state)
{
    static struct ring_check check;
    static uint32_t stands_in[CHECK_MEMBERS_MAX];
    struct dynkv_ring *ring;
    uint64_t list[8];
    uint32_t helpers = 0;

    (void)state;
    ring_check_init(&check, 20, 1, 1024, 4);
    ring = ring_check_build(&check);
    memset(stands_in, 0, sizeof stands_in);
    for (uint32_t p = 0; p < 1024; p++) {
        if (dynkv_ring_replica_index(ring, p, check.members[0].id, 3) < 0)
            continue;
        assert_int_equal(dynkv_ring_preference(ring, p, list, 8), 8);
        for (uint32_t k = 0; k < 20; k++)
            stands_in[k] += check.members[k].id == list[3];
    }
    for (uint32_t k = 1; k < 20; k++)
        helpers += stands_in[k] > 0;
    assert_in_range(helpers, 15, 19);
    dynkv_ring_free(ring);
}

static void a_short_list_is_the_beginning_of_a_longer_one(void **state)
{
    static struct ring_check check;
    struct dynkv_ring *ring;
    uint64_t whole[30], part[30];

    (void)state;
    ring_check_init(&check, 30, 4, 64, 8);
    ring = ring_check_build(&check);
    for (uint32_t p = 0; p < 64; p++) {
        dynkv_ring_preference(ring, p, whole, 30);
        for (uint32_t n = 0; n <= 30; n++) {
            assert_int_equal(dynkv_ring_preference(ring, p, part, n), n);
            assert_memory_equal(part, whole, n * sizeof *part);
        }
    }
    dynkv_ring_free(ring);
}

static void a_partition_is_the_top_bits_of_the_hash(void **state)
{
    struct dynkv_ring *one = dynkv_ring_new(NULL, 0, 1), *many = dynkv_ring_new(NULL, 0, 1024);
    struct dynkv_ring *most = dynkv_ring_new(NULL, 0, DYNKV_PARTITIONS_MAX);

    (void)state;
    assert_int_equal(dynkv_ring_partition(one, UINT64_MAX), 0);
    assert_int_equal(dynkv_ring_partition(many, 0), 0);
    assert_int_equal(dynkv_ring_partition(many, (UINT64_C(1) << 54) - 1), 0);
    assert_int_equal(dynkv_ring_partition(many, UINT64_C(1) << 54), 1);
    assert_int_equal(dynkv_ring_partition(many, UINT64_MAX), 1023);
    assert_int_equal(dynkv_ring_partition(most, UINT64_MAX), DYNKV_PARTITIONS_MAX - 1);
    dynkv_ring_free(one);
    dynkv_ring_free(many);
    dynkv_ring_free(most);
}

static void a_key_is_placed_by_keyspace_and_partition_key(void **state)
{
    uint64_t hash = dynkv_ring_hash(1, dynkv_slice_text("user"));

    (void)state;
    assert_true(hash == dynkv_ring_hash(1, dynkv_slice_text("user")));
    assert_true(hash != dynkv_ring_hash(2, dynkv_slice_text("user")));
    assert_true(hash != dynkv_ring_hash(1, dynkv_slice_text("uses")));
    assert_true(dynkv_ring_hash(1, dynkv_slice(NULL, 0)) !=
                dynkv_ring_hash(2, dynkv_slice(NULL, 0)));
}

static void stamps_and_weights_out_of_their_bounds_do_no_harm(void **state)
{
    static struct ring_check check;
    struct dynkv_ring *ring;

    (void)state;
    ring_check_init(&check, 12, 3, 64, 1);
    check.members[0].weight = 0;
    check.members[1].weight = UINT32_MAX;
    check.members[2].joined = 50;
    check.members[2].left = 10; /* left before it joined */
    check.members[3].joined = check.members[3].left = 20;
    check.members[4].joined = UINT64_MAX;
    ring = ring_check_build(&check);
    assert_int_equal(dynkv_ring_member_count(ring), 10);
    for (uint32_t p = 0; p < 64; p++) {
        assert_int_equal(dynkv_ring_replica_index(ring, p, check.members[2].id, 7), -1);
        assert_int_equal(dynkv_ring_replica_index(ring, p, check.members[3].id, 7), -1);
    }
    dynkv_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_without_members_has_version_0_and_empty_lists),
        cmocka_unit_test(one_member_holds_everything),
        cmocka_unit_test(the_order_in_which_members_are_given_does_not_matter),
        cmocka_unit_test(the_version_changes_with_everything_that_can_change_a_list),
        cmocka_unit_test(the_lists_are_the_same_in_every_build),
        cmocka_unit_test(a_later_join_does_not_change_how_the_earlier_ones_are_replayed),
        cmocka_unit_test(fallbacks_go_through_all_members_with_new_zones_first),
        cmocka_unit_test(fallbacks_of_one_member_spread_over_many_others),
        cmocka_unit_test(a_short_list_is_the_beginning_of_a_longer_one),
        cmocka_unit_test(a_partition_is_the_top_bits_of_the_hash),
        cmocka_unit_test(a_key_is_placed_by_keyspace_and_partition_key),
        cmocka_unit_test(stamps_and_weights_out_of_their_bounds_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
