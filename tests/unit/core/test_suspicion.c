/* test_suspicion.c: the time that a suspected member has, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/suspicion.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void logarithms_are_right_to_four_digits(void **state)
{
    static const struct {
        uint64_t value;
        uint32_t log2; /* * 65536 */
    } cases[] = {{1, 0},         {2, 65536},       {3, 103872},       {4, 131072},
                 {10, 217706},   {100, 435411},    {1000, 653117},    {1023, 655268},
                 {1024, 655360}, {65536, 1048576}, {1000000, 1306234}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_in_range(suspicion_log2(cases[i].value) + 8, cases[i].log2, cases[i].log2 + 16);
    assert_in_range(suspicion_log2(UINT64_MAX), 64 * 65536 - 16, 64 * 65536);
}

static void the_least_time_grows_by_one_unit_for_every_ten_times_the_members(void **state)
{
    static const struct {
        uint32_t members, least_ms;
    } cases[] = {{1, 600}, {3, 600}, {10, 600}, {100, 1200}, {1000, 1800}, {50, 1019}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_in_range(suspicion_least_ms(3, cases[i].members, 200), cases[i].least_ms - 1,
                        cases[i].least_ms + 1);
}

static void every_confirmation_shortens_the_time_by_less_than_the_one_before(void **state)
{
    /* 30 s - 28 s * log(confirmations + 1) / log(expected + 1), worked out by hand. */
    static const struct {
        uint32_t confirmations, expected;
        uint64_t time_ms;
    } cases[] = {
        {0, 3, 30000}, {1, 3, 16000}, {2, 3, 7811}, {3, 3, 2000},  {4, 3, 2000},
        {9, 3, 2000},  {0, 1, 30000}, {1, 1, 2000}, {1, 7, 20667}, {3, 7, 11333},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_in_range(suspicion_time_ms(cases[i].confirmations, cases[i].expected, 2000, 30000) +
                            1,
                        cases[i].time_ms, cases[i].time_ms + 2);
}

static void where_nobody_else_could_confirm_the_time_is_the_least_at_once(void **state)
{
    (void)state;
    assert_int_equal(suspicion_time_ms(0, 0, 2000, 30000), 2000);
    assert_int_equal(suspicion_time_ms(5, 0, 2000, 30000), 2000);
    assert_int_equal(suspicion_time_ms(0, 3, 700, 700), 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_are_right_to_four_digits),
        cmocka_unit_test(the_least_time_grows_by_one_unit_for_every_ten_times_the_members),
        cmocka_unit_test(every_confirmation_shortens_the_time_by_less_than_the_one_before),
        cmocka_unit_test(where_nobody_else_could_confirm_the_time_is_the_least_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
