/* test_values.c: what a reader is shown of an object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli/values.h"

#define NOW_MS 1000u

static struct dynkv_sibling siblings[3] = {
    {.dot = {1, 1}, .timestamp = 10},
    {.dot = {2, 1}, .timestamp = 30},
    {.dot = {3, 1}, .timestamp = 20},
};

static struct dynkv_object object_of(uint32_t count, unsigned tombstones, unsigned expired)
{
    for (unsigned i = 0; i < 3; i++) {
        siblings[i].flags = tombstones >> i & 1 ? DYNKV_SIBLING_TOMBSTONE : 0;
        siblings[i].expires_at_ms = expired >> i & 1 ? NOW_MS - 1 : 0;
    }
    return (struct dynkv_object){.siblings = siblings, .sibling_count = count};
}

/* How many values are shown, and whether they are called a conflict. */
static void check(struct dynkv_object object, bool latest_only, uint32_t alive, bool conflict)
{
    struct dynkv_values values;

    dynkv_values_init(&values, &object, latest_only, NOW_MS);
    assert_int_equal(values.alive_count, alive);
    assert_int_equal(dynkv_values_conflict(&values), conflict);
    dynkv_values_fini(&values);
}

static void one_value_is_no_conflict(void **state)
{
    (void)state;
    check(object_of(1, 0, 0), false, 1, false);
}

static void concurrent_values_are_all_shown(void **state)
{
    (void)state;
    check(object_of(3, 0, 0), false, 3, true);
}

static void what_two_coordinators_have_applied_is_shown_once(void **state)
{
    struct dynkv_object object = object_of(3, 0, 0);

    (void)state;
    siblings[2].timestamp = siblings[1].timestamp;
    check(object, false, 2, true);
    object.sibling_count--;
    object.siblings++;
    check(object, false, 1, false);
    siblings[2].value = dynkv_slice_text("another");
    check(object, false, 2, true);
    siblings[2].value = dynkv_slice(NULL, 0);
    siblings[2].timestamp = 20;
}

static void a_value_beside_a_concurrent_delete_is_a_conflict(void **state)
{
    (void)state;
    check(object_of(2, 1, 0), false, 1, true);
}

static void deletes_alone_are_nothing(void **state)
{
    (void)state;
    check(object_of(2, 3, 0), false, 0, false);
    check(object_of(0, 0, 0), false, 0, false);
}

static void what_has_expired_takes_part_in_no_conflict(void **state)
{
    (void)state;
    check(object_of(2, 0, 1), false, 1, false);
}

static void the_last_write_wins_when_asked_for_even_if_it_is_a_delete(void **state)
{
    (void)state;
    check(object_of(3, 0, 0), true, 1, false);
    check(object_of(3, 2, 0), true, 0, false); /* the second has the greatest timestamp */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_is_no_conflict),
        cmocka_unit_test(concurrent_values_are_all_shown),
        cmocka_unit_test(what_two_coordinators_have_applied_is_shown_once),
        cmocka_unit_test(a_value_beside_a_concurrent_delete_is_a_conflict),
        cmocka_unit_test(deletes_alone_are_nothing),
        cmocka_unit_test(what_has_expired_takes_part_in_no_conflict),
        cmocka_unit_test(the_last_write_wins_when_asked_for_even_if_it_is_a_delete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
