/* test_options.c: the command line, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/options.h"

#define WORDS_MAX 16

static struct dynkv_options options;
static char text[2 * DYNKV_OPTION_TEXT_MAX];

/* Parses a line that is cut at spaces. */
static bool parse(const char *line)
{
    static char copy[256];
    char *words[WORDS_MAX] = {(char *)(size_t) "dynkv"}, *rest = copy, *word;
    int count = 1;

    strcpy(copy, line);
    text[0] = '\0';
    while ((word = strsep(&rest, " ")))
        if (*word && count < WORDS_MAX)
            words[count++] = word;
    return dynkv_options_parse(count, words, &options, text, sizeof text);
}

static void assert_refused(const char *line, const char *because)
{
    assert_false(parse(line));
    if (!strstr(text, because))
        fail_msg("'%s' said '%s', which lacks '%s'", line, text, because);
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    assert_true(parse("-H a:1 get --json session alice -r 2"));
    assert_int_equal(options.command, DYNKV_COMMAND_GET);
    assert_int_equal(options.argument_count, 2);
    assert_string_equal(options.arguments[0], "session");
    assert_string_equal(options.arguments[1], "alice");
    assert_string_equal(options.hosts, "a:1");
    assert_true(options.json);
    assert_int_equal(options.r, 2);
    assert_int_equal(options.w, 0);
}

static void values_may_be_joined_to_their_options(void **state)
{
    (void)state;
    assert_true(parse("put k a v -w3 --sort=x=y --ttl=10"));
    assert_int_equal(options.w, 3);
    assert_string_equal(options.sort_key, "x=y");
    assert_int_equal(options.ttl_s, 10);
    assert_true(options.has_ttl);
}

static void two_dashes_end_the_options_and_one_is_an_argument(void **state)
{
    (void)state;
    assert_true(parse("put k key -"));
    assert_string_equal(options.arguments[2], "-");
    assert_true(parse("put k -- --key --json"));
    assert_string_equal(options.arguments[1], "--key");
    assert_string_equal(options.arguments[2], "--json");
    assert_false(options.json);
}

static void hosts_come_from_the_option_then_the_environment_then_the_default(void **state)
{
    (void)state;
    unsetenv("DYNKV_HOSTS");
    assert_true(parse("status"));
    assert_string_equal(options.hosts, "127.0.0.1:7401");
    setenv("DYNKV_HOSTS", "env:1", 1);
    assert_true(parse("status"));
    assert_string_equal(options.hosts, "env:1");
    assert_true(parse("status -H opt:1"));
    assert_string_equal(options.hosts, "opt:1");
    unsetenv("DYNKV_HOSTS");
}

static void a_wrong_command_is_told_the_commands(void **state)
{
    (void)state;
    assert_refused("frob", "get, put, delete, scan, status, ring, keyspace, cluster, bench, help");
    assert_refused("", "a command is missing");
}

static void an_option_of_another_command_is_told_the_right_ones(void **state)
{
    (void)state;
    assert_refused("get k a --ttl 3", "get has no option --ttl; it knows --hosts");
    assert_refused("get k a --frob", "unknown option --frob");
    assert_refused("get k a -z", "unknown option -z");
    assert_refused("status -n 3", "no option -n");
}

static void a_wrong_number_of_arguments_is_told_the_usage(void **state)
{
    (void)state;
    assert_refused("get k", "usage: dynkv get KEYSPACE KEY");
    assert_refused("get k a b", "not 3 arguments");
    assert_refused("bench x", "no arguments");
    assert_refused("get 1 2 3 4 5 6 7 8 9 10", "too many arguments");
}

static void numbers_must_be_numbers_within_their_bounds(void **state)
{
    (void)state;
    assert_refused("get k a -r 0", "-r wants a number from 1 to 7, not '0'");
    assert_refused("get k a -r 8", "not '8'");
    assert_refused("get k a --deadline 5s", "not '5s'");
    assert_refused("get k a --deadline -5", "not '-5'");
    assert_refused("get k a --deadline=", "not ''");
    assert_refused("scan k --limit 99999999999999999999", "not '99999999999999999999'");
    assert_refused("bench --read-share 1.5", "--read-share wants a number from 0 to 1");
    assert_refused("bench --read-share nan", "--read-share wants a number from 0 to 1");
    assert_true(parse("bench --read-share 0.25"));
    assert_true(options.read_share == 0.25);
}

static void an_option_without_its_value_says_what_is_wanted(void **state)
{
    (void)state;
    assert_refused("get k a --sort", "--sort wants a value: --sort SORTKEY");
    assert_refused("get k a --json=1", "--json takes no value");
    assert_refused("get k a --routing some", "--routing wants ring|any, not 'some'");
}

static void a_change_of_the_members_is_waited_for_with_a_limit(void **state)
{
    (void)state;
    assert_true(parse("cluster commit"));
    assert_false(options.wait);
    assert_int_equal(options.timeout_s, 3600);
    assert_true(parse("cluster commit --wait --timeout 5"));
    assert_int_equal(options.command, DYNKV_COMMAND_CLUSTER);
    assert_true(options.wait);
    assert_int_equal(options.timeout_s, 5);
    assert_true(parse("cluster replace n1 n2 --json"));
    assert_string_equal(options.arguments[2], "n2");
    assert_refused("cluster", "usage: dynkv cluster status | plan | join NAME");
    assert_refused("cluster replace a b c", "not 4 arguments");
    assert_refused("status --wait", "status has no option --wait");
}

static void help_and_version_need_nothing_else(void **state)
{
    (void)state;
    assert_true(parse("--help"));
    assert_true(options.help);
    assert_true(parse("-h"));
    assert_true(options.help);
    assert_true(parse("--version"));
    assert_true(options.version);
    assert_true(parse("get --help"));
    assert_true(options.help);
    assert_int_equal(options.command, DYNKV_COMMAND_GET);
}

static void every_command_has_a_page(void **state)
{
    char *page;
    size_t size;

    (void)state;
    for (enum dynkv_command i = 0; i < DYNKV_COMMAND_COUNT; i++) {
        FILE *out = open_memstream(&page, &size);

        assert_int_equal(dynkv_command_find(dynkv_command_name(i)), i);
        dynkv_options_print_command_help(out, i);
        fclose(out);
        assert_non_null(strstr(page, dynkv_command_name(i)));
        assert_non_null(strstr(page, "--help"));
        free(page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(values_may_be_joined_to_their_options),
        cmocka_unit_test(two_dashes_end_the_options_and_one_is_an_argument),
        cmocka_unit_test(hosts_come_from_the_option_then_the_environment_then_the_default),
        cmocka_unit_test(a_wrong_command_is_told_the_commands),
        cmocka_unit_test(an_option_of_another_command_is_told_the_right_ones),
        cmocka_unit_test(a_wrong_number_of_arguments_is_told_the_usage),
        cmocka_unit_test(numbers_must_be_numbers_within_their_bounds),
        cmocka_unit_test(an_option_without_its_value_says_what_is_wanted),
        cmocka_unit_test(a_change_of_the_members_is_waited_for_with_a_limit),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(every_command_has_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
