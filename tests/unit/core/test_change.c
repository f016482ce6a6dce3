/* test_change.c: the record of a change: how two sides merge, what phase follows, what becomes of the places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/change.h"

#define MEMBERS 5u
#define RUNS    300u

static const struct dynkv_place two_places[] = {
    {.id = 1, .holder = 1, .zone = 7, .weight = 100, .joined = 10},
    {.id = 2, .holder = 2, .zone = 7, .weight = 100, .joined = 11},
};

/* ---- shorthands ---- */

static struct dynkv_change_record proposal(uint64_t id, uint64_t stamp, bool committed)
{
    static struct dynkv_place places[2];
    static struct dynkv_change_entry entry = {.kind = DYNKV_CHANGE_LEAVE, .member = 2};

    memcpy(places, two_places, sizeof places);
    return (struct dynkv_change_record){
        .number = 1,
        .id = id,
        .stamp = stamp,
        .committed = committed,
        .entries = &entry,
        .entry_count = 1,
        .places = committed ? places : NULL,
        .place_count = committed ? 2 : 0,
    };
}

static struct change change_of(const struct dynkv_change_record *record)
{
    struct change change = {0};

    change_set(&change, record);
    return change;
}

/* The members 1 to count. */
static struct id_set members(uint32_t count)
{
    struct id_set set = {NULL, 0};

    for (uint64_t id = 1; id <= count; id++)
        id_set_add(&set, id);
    return set;
}

static void enter_all(struct id_set *set)
{
    for (uint64_t id = 1; id <= MEMBERS; id++)
        id_set_add(set, id);
}

/* What one side tells the other, and back. */
static enum change_news tell(const struct change *from, struct change *to)
{
    struct dynkv_arena arena = {0};
    struct dynkv_change_record record = change_record(from, &arena);
    enum change_news news = change_merge(to, &record);

    dynkv_arena_fini(&arena);
    return news;
}

static struct id_set *set_of(struct change *change, uint64_t which)
{
    struct id_set *sets[] = {&change->accepted, &change->ready, &change->seen, &change->reverted};

    return sets[which % 4];
}

/* ---- sets ---- */

static void a_set_of_ids_is_sorted_and_has_each_once(void **state)
{
    static const uint64_t ids[] = {5, 1, UINT64_MAX, 3, 1, 5};
    struct id_set set = {NULL, 0};

    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(id_set_add(&set, ids[i]), i < 4);
    assert_int_equal(set.count, 4);
    for (uint32_t i = 1; i < set.count; i++)
        assert_true(set.ids[i - 1] < set.ids[i]);
    assert_true(id_set_has(&set, 3));
    assert_false(id_set_has(&set, 2));
    id_set_fini(&set);
}

/* ---- two sides ---- */

static void two_sides_that_hear_each_other_are_the_same_in_whatever_order(void **state)
{
    struct dynkv_random random = dynkv_random(1);

    (void)state;
    for (uint32_t run = 0; run < RUNS; run++) {
        struct dynkv_change_record record = proposal(9, 50, true);
        struct change sides[3] = {change_of(&record), change_of(&record), change_of(&record)};

        for (uint32_t i = 0; i < 12; i++)
            id_set_add(set_of(&sides[dynkv_random_next(&random) % 3], dynkv_random_next(&random)),
                       1 + dynkv_random_next(&random) % MEMBERS);
        sides[run % 3].cancelled = run % 2;
        for (uint32_t i = 0; i < 3; i++) {
            tell(&sides[(run + i) % 3], &sides[(run + i + 1) % 3]);
            tell(&sides[(run + i) % 3], &sides[(run + i + 2) % 3]);
        }
        tell(&sides[(run + 1) % 3], &sides[run % 3]);
        tell(&sides[(run + 2) % 3], &sides[run % 3]);
        assert_int_equal(change_digest(&sides[0]), change_digest(&sides[1]));
        assert_int_equal(change_digest(&sides[0]), change_digest(&sides[2]));
        assert_int_equal(tell(&sides[0], &sides[1]), CHANGE_SAME);
        for (uint32_t i = 0; i < 3; i++)
            change_fini(&sides[i]);
    }
}

static void what_is_heard_again_is_no_news(void **state)
{
    struct dynkv_change_record record = proposal(9, 50, true);
    struct change ours = change_of(&record), theirs = change_of(&record);

    (void)state;
    assert_int_equal(tell(&theirs, &ours), CHANGE_SAME);
    id_set_add(&theirs.accepted, 3);
    assert_int_equal(tell(&theirs, &ours), CHANGE_GREW);
    assert_int_equal(tell(&theirs, &ours), CHANGE_SAME);
    theirs.cancelled = true;
    assert_int_equal(tell(&theirs, &ours), CHANGE_GREW);
    assert_int_equal(tell(&theirs, &ours), CHANGE_SAME);
    assert_true(ours.cancelled);
    change_fini(&ours);
    change_fini(&theirs);
}

static void what_was_cancelled_is_not_taken_up_again_by_one_who_had_not_heard(void **state)
{
    struct dynkv_change_record record = proposal(9, 50, true);
    struct change ours = change_of(&record), theirs = change_of(&record);

    (void)state;
    ours.cancelled = true;
    id_set_add(&theirs.ready, 1);
    assert_int_equal(tell(&theirs, &ours), CHANGE_GREW);
    assert_true(ours.cancelled);
    assert_int_equal(tell(&ours, &theirs), CHANGE_GREW);
    assert_true(theirs.cancelled);
    change_fini(&ours);
    change_fini(&theirs);
}

/* Of two proposals each side keeps the same one, whoever hears first. */
static void assert_wins(const struct dynkv_change_record *winner,
                        const struct dynkv_change_record *loser)
{
    struct change ours = change_of(loser), theirs = change_of(winner);

    id_set_add(&ours.accepted, 1);
    assert_int_equal(change_merge(&theirs, loser), CHANGE_SAME);
    assert_int_equal(theirs.id, winner->id);
    assert_int_equal(tell(&theirs, &ours), CHANGE_REPLACED);
    assert_int_equal(ours.id, winner->id);
    assert_int_equal(ours.stamp, winner->stamp);
    assert_int_equal(ours.committed, winner->committed);
    /* Who had accepted the loser has not accepted the winner. */
    assert_int_equal(ours.accepted.count, 0);
    assert_int_equal(change_digest(&ours), change_digest(&theirs));
    change_fini(&ours);
    change_fini(&theirs);
}

static void of_two_proposals_the_committed_the_later_the_greater_wins(void **state)
{
    struct dynkv_change_record staged = proposal(9, 50, false), late = proposal(9, 60, false);
    struct dynkv_change_record committed = proposal(4, 40, true), rival = proposal(5, 40, true);
    struct dynkv_change_record later = proposal(3, 41, true);

    (void)state;
    assert_wins(&late, &staged);      /* an edit after the other */
    assert_wins(&committed, &staged); /* though it is older: it is in effect */
    assert_wins(&rival, &committed);  /* committed at the same moment */
    assert_wins(&later, &rival);
}

/* ---- the phase ---- */

static void the_phase_follows_from_the_sets(void **state)
{
    struct dynkv_change_record record = proposal(9, 50, false);
    struct id_set needed = members(MEMBERS);
    struct change change = change_of(&record);

    (void)state;
    assert_int_equal(change_phase(NULL, &needed), DYNKV_CHANGE_NONE);
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_STAGED);
    change.entry_count = 0; /* all was taken back */
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_NONE);
    record = proposal(9, 50, true);
    change_set(&change, &record);
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_COMMITTING);
    enter_all(&change.accepted);
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_MOVING);
    enter_all(&change.ready);
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_SWITCHED);
    enter_all(&change.seen);
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_FINISHED);
    change_fini(&change);
    id_set_fini(&needed);
}

static void all_but_one_are_not_all(void **state)
{
    struct dynkv_change_record record = proposal(9, 50, true);
    struct id_set needed = members(MEMBERS);
    struct change change = change_of(&record);

    (void)state;
    for (uint64_t id = 1; id < MEMBERS; id++)
        id_set_add(&change.accepted, id);
    id_set_add(&change.accepted, 77); /* somebody else does not count */
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_COMMITTING);
    id_set_fini(&needed);
    needed = members(MEMBERS - 1); /* the missing one is excluded */
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_MOVING);
    change_fini(&change);
    id_set_fini(&needed);
}

static void
a_cancel_counts_until_all_have_seen_the_switch_and_is_over_when_all_went_back(void **state)
{
    struct dynkv_change_record record = proposal(9, 50, true);
    struct id_set needed = members(MEMBERS);
    struct change change = change_of(&record);

    (void)state;
    enter_all(&change.accepted);
    enter_all(&change.ready);
    id_set_add(&change.seen,
               1); /* one reads from the new replicas; another one, who does not, cancels */
    change.cancelled = true;
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_CANCELLING);
    assert_false(change_is_reverted(&change, &needed));
    enter_all(&change.reverted);
    assert_true(change_is_reverted(&change, &needed));
    change.cancelled = false;
    assert_false(change_is_reverted(&change, &needed));
    change.cancelled = true;
    enter_all(&change.seen);
    assert_int_equal(change_phase(&change, &needed), DYNKV_CHANGE_FINISHED);
    change_fini(&change);
    id_set_fini(&needed);
}

/* Without a cancel the phase never goes back, whatever is heard in whatever order. */
static void what_is_heard_takes_the_phase_forward_only(void **state)
{
    struct dynkv_random random = dynkv_random(2);
    struct id_set needed = members(MEMBERS);

    (void)state;
    for (uint32_t run = 0; run < RUNS; run++) {
        struct dynkv_change_record record = proposal(9, 50, true);
        struct change ours = change_of(&record), theirs = change_of(&record);
        enum dynkv_change_phase before = change_phase(&ours, &needed);

        for (uint32_t i = 0; i < 60; i++) {
            enum dynkv_change_phase now;

            id_set_add(set_of(&theirs, dynkv_random_next(&random) % 3),
                       1 + dynkv_random_next(&random) % MEMBERS);
            tell(&theirs, &ours);
            now = change_phase(&ours, &needed);
            assert_true(now == before || now == DYNKV_CHANGE_FINISHED || now > before);
            assert_int_not_equal(now, DYNKV_CHANGE_CANCELLING);
            before = now;
        }
        change_fini(&ours);
        change_fini(&theirs);
    }
    id_set_fini(&needed);
}

static void the_digest_tells_of_all_that_can_grow(void **state)
{
    struct dynkv_change_record record = proposal(9, 50, true);
    struct change change = change_of(&record);
    uint64_t seen[6], count = 0;

    (void)state;
    assert_int_equal(change_digest(NULL), 0);
    seen[count++] = change_digest(&change);
    for (uint32_t i = 0; i < 4; i++) {
        id_set_add(set_of(&change, i), 1); /* the same one, in each of the sets */
        seen[count++] = change_digest(&change);
    }
    change.cancelled = true;
    seen[count++] = change_digest(&change);
    for (uint64_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < i; k++)
            assert_int_not_equal(seen[i], seen[k]);
    change_fini(&change);
}

/* ---- the places ---- */

static void entries_make_places_of_those_before(void **state)
{
    struct dynkv_member known[] = {{.id = 1},
                                   {.id = 2},
                                   {.id = 3, .zone = dynkv_slice_text("east"), .weight = 200},
                                   {.id = 4, .weight = 100}};
    struct change change = {.stamp = 100,
                            .entry_count = 3,
                            .entries = {{DYNKV_CHANGE_JOIN, 3, 0},
                                        {DYNKV_CHANGE_LEAVE, 1, 0},
                                        {DYNKV_CHANGE_REPLACE, 2, 4}}};
    struct dynkv_arena arena = {0};
    struct id_set holders = {NULL, 0};
    uint32_t count;
    struct dynkv_place *after =
        change_make_places(&change, two_places, 2, known, 4, &arena, &count);

    (void)state;
    assert_int_equal(count, 3);
    /* Who leaves keeps an entry, for the replay; it is dated. */
    assert_int_equal(after[0].holder, 1);
    assert_int_equal(after[0].left, 101);
    /* A replacement changes who holds the place, and nothing else of it. */
    assert_int_equal(after[1].id, 2);
    assert_int_equal(after[1].holder, 4);
    assert_int_equal(after[1].joined, 11);
    assert_int_equal(after[1].left, 0);
    /* Who joins has a place of its own, with what the members tell of it. */
    assert_int_equal(after[2].id, 3);
    assert_int_equal(after[2].holder, 3);
    assert_int_equal(after[2].joined, 100);
    assert_int_equal(after[2].weight, 200);
    assert_int_equal(after[2].zone, dynkv_ring_zone(dynkv_slice_text("east")));
    assert_true(dynkv_places_are_possible(after, count));
    /* What was given is left as it was. */
    assert_int_equal(two_places[0].left, 0);
    places_holders(after, count, &holders);
    assert_int_equal(holders.count, 2);
    assert_true(id_set_has(&holders, 3) && id_set_has(&holders, 4));
    id_set_fini(&holders);
    dynkv_arena_fini(&arena);
}

static void entries_that_fit_nothing_change_nothing(void **state)
{
    struct dynkv_member known[] = {{.id = 1, .weight = 100}, {.id = 2, .weight = 100}};
    struct change change = {.stamp = 100,
                            .entry_count = 4,
                            .entries = {{DYNKV_CHANGE_JOIN, 1, 0},      /* it has a place */
                                        {DYNKV_CHANGE_JOIN, 9, 0},      /* nobody knows it */
                                        {DYNKV_CHANGE_LEAVE, 8, 0},     /* it has none */
                                        {DYNKV_CHANGE_REPLACE, 7, 6}}}; /* nor this one */
    struct dynkv_arena arena = {0};
    uint32_t count;
    struct dynkv_place *after =
        change_make_places(&change, two_places, 2, known, 2, &arena, &count);

    (void)state;
    assert_int_equal(count, 2);
    assert_memory_equal(after, two_places, sizeof two_places);
    dynkv_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_of_ids_is_sorted_and_has_each_once),
        cmocka_unit_test(two_sides_that_hear_each_other_are_the_same_in_whatever_order),
        cmocka_unit_test(what_is_heard_again_is_no_news),
        cmocka_unit_test(what_was_cancelled_is_not_taken_up_again_by_one_who_had_not_heard),
        cmocka_unit_test(of_two_proposals_the_committed_the_later_the_greater_wins),
        cmocka_unit_test(the_phase_follows_from_the_sets),
        cmocka_unit_test(all_but_one_are_not_all),
        cmocka_unit_test(
            a_cancel_counts_until_all_have_seen_the_switch_and_is_over_when_all_went_back),
        cmocka_unit_test(what_is_heard_takes_the_phase_forward_only),
        cmocka_unit_test(the_digest_tells_of_all_that_can_grow),
        cmocka_unit_test(entries_make_places_of_those_before),
        cmocka_unit_test(entries_that_fit_nothing_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
