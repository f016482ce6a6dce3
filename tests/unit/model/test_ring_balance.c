/* The ring's promises of balance and of movement, from 1 to 100 members and through random lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "ring_check.h"

#define PARTITIONS 1024u

/* At most 1.2 times the minimum moves, which is what the one who comes or goes holds. */
static void check_movement(const char *what, const struct ring_check *check,
                           const struct dynkv_ring *before, const struct dynkv_ring *after,
                           uint32_t member, const struct dynkv_ring *with_member, uint32_t n,
                           uint32_t least_share)
{
    static uint32_t loads[CHECK_MEMBERS_MAX];
    uint32_t moved = ring_check_moved(before, after, n);

    ring_check_loads(check, with_member, n, loads);
    assert_true(moved >= loads[member]);
    if (loads[member] >= least_share && moved * 10 > loads[member] * 12)
        fail_msg("%s, %u members, prefix %u: %u replicas moved, the minimum is %u", what,
                 ring_check_live(check), n, moved, loads[member]);
}

/* How a cluster grows, and which of the promises are looked at on the way. */
struct growth {
    uint32_t zones, members;
    bool weights;
    uint64_t seed;
    uint32_t balanced;     /* prefixes up to this length are balanced */
    uint32_t moved;        /* and up to this length one event moves little */
    uint32_t moved_from;   /* once there are so many members */
    uint32_t moved_shares; /* and the one who comes or goes holds so much */
};

static const uint32_t weight_choice[] = {50, 100, 200};

/* Adds one member after the other, and takes out one at each size. */
static void grow(const struct growth *growth)
{
    static struct ring_check check;
    struct dynkv_random random = dynkv_random(growth->seed);
    struct dynkv_ring *before = NULL;

    ring_check_init(&check, growth->members, growth->zones, PARTITIONS, growth->seed);
    for (uint32_t i = 0; i < growth->members && growth->weights; i++)
        check.members[i].weight = weight_choice[dynkv_random_below(&random, 3)];
    for (check.count = 1; check.count <= growth->members; check.count++) {
        struct dynkv_ring *ring = ring_check_build(&check), *without;
        uint32_t leaver = (uint32_t)dynkv_random_below(&random, check.count);

        ring_check_promises(&check, ring, growth->balanced);
        for (uint32_t n = 1; n <= growth->moved && n < check.count; n++)
            if (check.count > growth->moved_from)
                check_movement("join", &check, before, ring, check.count - 1, ring, n,
                               growth->moved_shares);

        check.members[leaver].left = check.count + 1;
        without = ring_check_build(&check);
        ring_check_promises(&check, without, growth->balanced);
        for (uint32_t n = 1; n <= growth->moved && n < check.count; n++)
            if (check.count > growth->moved_from)
                check_movement("leave", &check, ring, without, leaver, ring, n,
                               growth->moved_shares);
        check.members[leaver].left = 0;

        dynkv_ring_free(without);
        dynkv_ring_free(before);
        before = ring;
    }
    dynkv_ring_free(before);
}

static void up_to_100_members_in_one_zone_are_balanced_and_move_the_least(void **state)
{
    (void)state;
    grow(&(struct growth){.zones = 1, .members = 100, .seed = 1, .balanced = 7, .moved = 7});
}

static void up_to_100_members_in_a_zone_each_are_balanced_and_move_the_least(void **state)
{
    (void)state;
    grow(&(struct growth){.zones = 0, .members = 100, .seed = 2, .balanced = 7, .moved = 7});
}

static void up_to_100_members_in_three_zones_are_balanced_and_move_little(void **state)
{
    (void)state;
    grow(&(struct growth){.zones = 3,
                          .members = 100,
                          .seed = 1,
                          .balanced = 7,
                          .moved = 3,
                          .moved_from = 9,
                          .moved_shares = 64});
}

static void up_to_100_members_in_two_zones_are_balanced_and_move_little(void **state)
{
    (void)state;
    grow(&(struct growth){.zones = 2,
                          .members = 100,
                          .seed = 1,
                          .balanced = 7,
                          .moved = 3,
                          .moved_from = 6,
                          .moved_shares = 64});
}

static void weights_of_50_100_and_200_are_honoured_and_move_little(void **state)
{
    (void)state;
    grow(&(struct growth){.zones = 1,
                          .members = 100,
                          .weights = true,
                          .seed = 1,
                          .balanced = 7,
                          .moved = 3,
                          .moved_from = 9,
                          .moved_shares = 64});
}

/*
 * With many zones, or weights that differ within them, balance goes before movement; with both, the
 * balance is kept for the prefixes that are used most.
 */
static void uneven_zones_and_weights_are_balanced(void **state)
{
    static const uint32_t zones[] = {2, 3, 4, 5, 7, 10};

    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        grow(&(struct growth){
            .zones = zones[i], .members = 40, .weights = true, .seed = 3 + i, .balanced = 3});
        grow(&(struct growth){.zones = zones[i], .members = 40, .seed = 3 + i, .balanced = 7});
    }
}

static void few_partitions_are_balanced_to_the_nearest_whole_one(void **state)
{
    static const uint32_t partitions[] = {1, 2, 16, 64, 256};
    static struct ring_check check;

    (void)state;
    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++) {
        for (uint32_t zones = 0; zones <= 3; zones++) {
            ring_check_init(&check, 60, zones, partitions[i], 5);
            for (check.count = 1; check.count <= 60; check.count++) {
                struct dynkv_ring *ring = ring_check_build(&check);

                ring_check_promises(&check, ring, DYNKV_REPLICAS_MAX);
                dynkv_ring_free(ring);
            }
        }
    }
}

/* One step of a life: somebody joins or leaves.  Returns who it was. */
static uint32_t live_on(struct ring_check *check, struct dynkv_random *random, uint64_t stamp,
                        uint32_t zones)
{
    uint32_t live = ring_check_live(check), who;

    if (live > 0 && dynkv_random_below(random, 40) < live) {
        do
            who = (uint32_t)dynkv_random_below(random, check->count);
        while (check->members[who].left);
        check->members[who].left = stamp;
        return who;
    }
    who = check->count++;
    check->members[who] = (struct dynkv_ring_member){
        .id = dynkv_random_next(random) | 1,
        .zone = dynkv_random_below(random, zones),
        .joined = stamp,
        .weight = 100,
    };
    return who;
}

static void random_joins_and_leaves_keep_every_promise_of_balance(void **state)
{
    static struct ring_check check;

    (void)state;
    for (uint32_t zones = 1; zones <= 5; zones++) {
        struct dynkv_random random = dynkv_random(60 + zones);
        struct dynkv_ring *before = NULL;

        check = (struct ring_check){.partitions = 256};
        for (uint64_t stamp = 1; stamp <= 120; stamp++) {
            uint32_t who = live_on(&check, &random, stamp, zones), live = ring_check_live(&check);
            struct dynkv_ring *ring = ring_check_build(&check);

            ring_check_promises(&check, ring, DYNKV_REPLICAS_MAX);
            if (zones == 1 && before && live > 3)
                check_movement("life", &check, before, ring, who,
                               check.members[who].left ? before : ring, 3, 32);
            dynkv_ring_free(before);
            before = ring;
        }
        dynkv_ring_free(before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_100_members_in_one_zone_are_balanced_and_move_the_least),
        cmocka_unit_test(up_to_100_members_in_a_zone_each_are_balanced_and_move_the_least),
        cmocka_unit_test(up_to_100_members_in_three_zones_are_balanced_and_move_little),
        cmocka_unit_test(up_to_100_members_in_two_zones_are_balanced_and_move_little),
        cmocka_unit_test(weights_of_50_100_and_200_are_honoured_and_move_little),
        cmocka_unit_test(uneven_zones_and_weights_are_balanced),
        cmocka_unit_test(few_partitions_are_balanced_to_the_nearest_whole_one),
        cmocka_unit_test(random_joins_and_leaves_keep_every_promise_of_balance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
