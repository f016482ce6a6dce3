/* test_places.c: which lists of places from outside a ring is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/places.h"

#define COUNT 3u

static void good_places(struct dynkv_place places[COUNT])
{
    for (uint32_t i = 0; i < COUNT; i++)
        places[i] = (struct dynkv_place){
            .id = i + 1, .holder = i + 1, .zone = 5, .weight = 100, .joined = 10 + i};
}

static void a_list_of_places_is_taken_and_so_is_an_empty_one(void **state)
{
    struct dynkv_place places[COUNT];

    (void)state;
    good_places(places);
    assert_true(dynkv_places_are_possible(places, COUNT));
    assert_true(dynkv_places_are_possible(NULL, 0));
}

static void nobody_holds_two_places_and_no_place_is_there_twice(void **state)
{
    struct dynkv_place places[COUNT];

    (void)state;
    good_places(places);
    places[2].id = 1;
    assert_false(dynkv_places_are_possible(places, COUNT));
    good_places(places);
    places[2].holder = 1;
    assert_false(dynkv_places_are_possible(places, COUNT));
    /* Who gave one up may hold another; a place that was given up may have had any holder. */
    places[0].left = 99;
    assert_true(dynkv_places_are_possible(places, COUNT));
}

static void ids_of_0_and_weights_out_of_bounds_are_refused(void **state)
{
    struct dynkv_place places[COUNT];

    (void)state;
    good_places(places);
    places[1].id = 0;
    assert_false(dynkv_places_are_possible(places, COUNT));
    good_places(places);
    places[1].holder = 0;
    assert_false(dynkv_places_are_possible(places, COUNT));
    good_places(places);
    places[1].weight = 0;
    assert_false(dynkv_places_are_possible(places, COUNT));
    places[1].weight = 10001;
    assert_false(dynkv_places_are_possible(places, COUNT));
    places[1].weight = 10000;
    assert_true(dynkv_places_are_possible(places, COUNT));
}

static void the_ring_of_places_has_their_holders_and_not_those_that_left(void **state)
{
    struct dynkv_place places[COUNT];
    struct dynkv_ring *ring;
    uint64_t list[COUNT];

    (void)state;
    good_places(places);
    places[0].left = 99;
    places[1].holder = 42;
    ring = dynkv_places_ring(places, COUNT, 16);
    assert_int_equal(dynkv_ring_member_count(ring), 2);
    for (uint32_t p = 0; p < 16; p++) {
        assert_int_equal(dynkv_ring_preference(ring, p, list, COUNT), 2);
        assert_true((list[0] == 42 && list[1] == 3) || (list[0] == 3 && list[1] == 42));
    }
    dynkv_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_places_is_taken_and_so_is_an_empty_one),
        cmocka_unit_test(nobody_holds_two_places_and_no_place_is_there_twice),
        cmocka_unit_test(ids_of_0_and_weights_out_of_bounds_are_refused),
        cmocka_unit_test(the_ring_of_places_has_their_holders_and_not_those_that_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
