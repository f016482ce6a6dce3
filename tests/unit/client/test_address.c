/* test_address.c: which texts are addresses, and what is said of the others. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "client/address.h"
#include "client/dynkv.h"

static void assert_parsed(const char *url, const char *text, const char *host, const char *port)
{
    struct dynkv_address address;
    char why[200];

    assert_int_equal(dynkv_address_parse(dynkv_slice_text(url), &address, why, sizeof why),
                     DYNKV_OK);
    assert_string_equal(address.text, text);
    assert_string_equal(address.host, host);
    assert_string_equal(address.port, port);
}

static void addresses_have_one_form(void **state)
{
    (void)state;
    assert_parsed("127.0.0.1:7401", "127.0.0.1:7401", "127.0.0.1", "7401");
    assert_parsed("  tcp://node-1.example:07401\n", "node-1.example:7401", "node-1.example",
                  "7401");
    assert_parsed("[::1]:7401", "[::1]:7401", "::1", "7401");
    assert_parsed("tcp://[fe80::1%eth0]:1", "[fe80::1%eth0]:1", "fe80::1%eth0", "1");
    assert_parsed("ipc:///run/dynkv.sock", "ipc:///run/dynkv.sock", "/run/dynkv.sock", "");
}

static void assert_refused(const char *url, const char *part)
{
    struct dynkv_address address;
    char why[400];

    assert_int_equal(dynkv_address_parse(dynkv_slice_text(url), &address, why, sizeof why),
                     DYNKV_INVALID);
    if (!strstr(why, part))
        fail_msg("%s: \"%s\" does not say \"%s\"", url, why, part);
}

static void faults_are_named(void **state)
{
    char long_path[200] = "ipc:///";

    (void)state;
    assert_refused("", "empty");
    assert_refused("localhost", "lacks a port");
    assert_refused("[::1]", "lacks a port");
    assert_refused(":7401", "lacks a host");
    assert_refused("[]:7401", "lacks a host");
    assert_refused("::1:7401", "brackets");
    assert_refused("[::1]x:7401", "bracket");
    assert_refused("host:0", "port");
    assert_refused("host:65536", "port");
    assert_refused("host:99999", "port");
    assert_refused("host:123456", "port");
    assert_refused("host:74o1", "port");
    assert_refused("a b:7401", "character");
    assert_refused("http/:7401", "character");
    assert_refused("http://host:80", "scheme");
    assert_refused("tls+tcp://host:80", "scheme");
    assert_refused("ipc://relative", "absolute");
    memset(long_path + 7, 'x', 120);
    assert_refused(long_path, "107 bytes");
}

static void lists_are_split_at_commas(void **state)
{
    static struct dynkv_address addresses[DYNKV_HOSTS_MAX];
    char why[400], many[2000] = "";
    uint32_t count;

    (void)state;
    assert_int_equal(
        dynkv_address_parse_list("a:1, b:2 ,ipc:///c", addresses, &count, why, sizeof why),
        DYNKV_OK);
    assert_int_equal(count, 3);
    assert_string_equal(addresses[1].text, "b:2");
    assert_true(addresses[2].is_ipc);
    assert_int_equal(dynkv_address_parse_list("a:1,,b:2", addresses, &count, why, sizeof why),
                     DYNKV_INVALID);
    assert_int_equal(dynkv_address_parse_list(" ", addresses, &count, why, sizeof why),
                     DYNKV_INVALID);
    assert_int_equal(dynkv_address_parse_list(NULL, addresses, &count, why, sizeof why),
                     DYNKV_INVALID);
    for (uint32_t i = 0; i <= DYNKV_HOSTS_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%sh:%u", i ? "," : "", i + 1);
    assert_int_equal(dynkv_address_parse_list(many, addresses, &count, why, sizeof why),
                     DYNKV_INVALID);
    assert_non_null(strstr(why, "more than 64"));
}

static void a_client_says_what_is_wrong_with_its_hosts(void **state)
{
    struct dynkv_client_options options = {.hosts = "127.0.0.1:7401,nonsense"};
    struct dynkv_client *client;
    char text[DYNKV_CLIENT_TEXT_MAX];

    (void)state;
    assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_INVALID);
    assert_null(client);
    assert_non_null(strstr(text, "nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(lists_are_split_at_commas),
        cmocka_unit_test(a_client_says_what_is_wrong_with_its_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
