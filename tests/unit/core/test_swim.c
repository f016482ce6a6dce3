/* test_swim.c: failure detection: who is probed, who is believed, how news travels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cluster.h"
#include "core/node_impl.h"

#define MANY 20u /* more than are told everything at once */

static void cut_off(struct cluster *c, uint32_t count, uint32_t node, bool in, bool out, bool cut)
{
    for (uint32_t other = 0; other < count; other++) {
        if (other == node)
            continue;
        if (in)
            cluster_cut(c, other, node, cut);
        if (out)
            cluster_cut(c, node, other, cut);
    }
}

/* Runs until all of the count nodes that are running see the node so; false: not within limit_ms. */
static bool run_until_all_see(struct cluster *c, uint32_t count, uint32_t node, int down,
                              uint32_t limit_ms, uint32_t *took_ms)
{
    for (uint32_t ms = 0; ms <= limit_ms; ms += DYNKV_TICK_MS) {
        uint32_t see = 0, running = 0;

        for (uint32_t i = 0; i < count; i++) {
            if (i == node || !cluster_node(c, i))
                continue;
            running++;
            see += cluster_sees_down(c, i, node) == down;
        }
        if (see == running) {
            if (took_ms)
                *took_ms = ms;
            return true;
        }
        cluster_run(c, DYNKV_TICK_MS);
    }
    return false;
}

static void every_round_probes_every_member_once_in_an_order_of_its_own(void **state)
{
    struct cluster *c = cluster_new(8, 16);
    struct dynkv_node *node = cluster_node(c, 0);
    uint64_t rounds[4][8];
    uint32_t differ = 0;

    (void)state;
    for (int round = 0; round < 4; round++) {
        uint32_t place;

        do {
            place = node->probe_place;
            cluster_run(c, DYNKV_TICK_MS);
        } while (node->probe_place >= place);
        assert_int_equal(node->probe_order_count, 8);
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t found = 0;

            rounds[round][i] = node->probe_order[i]->info.id;
            for (uint32_t j = 0; j < 8; j++)
                found += node->probe_order[j]->info.id == cluster_id(c, i);
            assert_int_equal(found, 1);
        }
        if (round)
            differ += memcmp(rounds[round], rounds[round - 1], sizeof rounds[0]) != 0;
    }
    assert_true(differ >= 2);
    cluster_free(c);
}

static void a_killed_node_of_three_is_down_within_two_seconds(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint32_t took_ms;

    (void)state;
    for (uint32_t round = 0; round < 20; round++) {
        cluster_run(c, 3000 + round * 60);
        cluster_stop(c, round % 3);
        assert_true(run_until_all_see(c, 3, round % 3, 1, 2000, &took_ms));
        assert_true(took_ms >= CORE_PING_INDIRECT_MS);
        cluster_start(c, round % 3);
        assert_true(run_until_all_see(c, 3, round % 3, 0, 1000, NULL));
    }
    cluster_free(c);
}

static void a_path_cut_in_one_direction_accuses_nobody(void **state)
{
    struct cluster *c = cluster_new(4, 16);

    (void)state;
    cluster_cut(c, 2, 0, true);
    cluster_run(c, 20000);
    for (uint32_t node = 0; node < 4; node++)
        assert_int_equal(cluster_counter(c, node, "accusations"), 0);
    cluster_free(c);
}

static void a_helper_that_gets_no_answer_says_so_and_the_asker_knows_itself_healthy(void **state)
{
    struct cluster *c = cluster_new(4, 16);
    uint32_t took_ms;

    (void)state;
    cluster_stop(c, 3);
    for (int i = 0; i < 100; i++) {
        cluster_run(c, DYNKV_TICK_MS);
        for (uint32_t node = 0; node < 3; node++)
            assert_int_equal(cluster_counter(c, node, "local_health"), 0);
    }
    assert_true(run_until_all_see(c, 3, 3, 1, 2000, &took_ms));
    assert_true(cluster_counter(c, 0, "nacks_sent") + cluster_counter(c, 1, "nacks_sent") +
                    cluster_counter(c, 2, "nacks_sent") >
                0);
    cluster_free(c);
}

static void a_node_that_hears_nobody_tells_nobody_whom_it_misses(void **state)
{
    struct cluster *c = cluster_new(5, 16);

    (void)state;
    cut_off(c, 5, 0, true, false, true); /* it is deaf, not dumb */
    for (int i = 0; i < 100; i++) {
        cluster_run(c, 100);
        for (uint32_t node = 1; node < 5; node++)
            for (uint32_t other = 1; other < 5; other++)
                assert_int_equal(cluster_sees_down(c, node, other), 0);
    }
    assert_int_equal(cluster_counter(c, 0, "quarantined"), 1);
    assert_int_equal(cluster_counter(c, 0, "local_health"), CORE_HEALTH_MAX);
    assert_int_equal(cluster_counter(c, 0, "accusations"), 0);
    for (uint32_t node = 1; node < 5; node++) {
        assert_int_equal(cluster_counter(c, node, "refutations"), 0);
        assert_int_equal(cluster_sees_down(c, node, 0), 1);
    }
    cut_off(c, 5, 0, true, false, false);
    assert_true(run_until_all_see(c, 5, 0, 0, 3000, NULL));
    cluster_run(c, 3000);
    assert_int_equal(cluster_counter(c, 0, "quarantined"), 0);
    for (uint32_t other = 1; other < 5; other++)
        assert_int_equal(cluster_sees_down(c, 0, other), 0);
    cluster_free(c);
}

static void a_node_that_slept_blames_itself(void **state)
{
    struct cluster *c = cluster_new(5, 16);

    (void)state;
    cluster_pause(c, 1, true);
    assert_true(run_until_all_see(c, 1, 1, 1, 5000, NULL));
    cluster_run(c, 2000);
    cluster_pause(c, 1, false);
    assert_true(run_until_all_see(c, 5, 1, 0, 1000, NULL));
    cluster_run(c, 5000);
    assert_int_equal(cluster_counter(c, 1, "accusations"), 0);
    assert_true(cluster_counter(c, 1, "refutations") > 0);
    for (uint32_t node = 0; node < 5; node++)
        for (uint32_t other = 0; other < 5; other++)
            assert_int_equal(cluster_sees_down(c, node, other), 0);
    cluster_free(c);
}

static void a_short_pause_is_survived_by_refuting(void **state)
{
    struct cluster *c = cluster_new(3, 16);

    (void)state;
    for (int round = 0; round < 10; round++) {
        cluster_pause(c, 1, true);
        cluster_run(c, 700);
        cluster_pause(c, 1, false);
        for (int i = 0; i < 40; i++) {
            cluster_run(c, 100);
            assert_int_equal(cluster_sees_down(c, 0, 1), 0);
            assert_int_equal(cluster_sees_down(c, 2, 1), 0);
        }
    }
    assert_true(cluster_counter(c, 1, "refutations") > 0);
    cluster_free(c);
}

static void a_member_that_is_down_is_not_forgotten_over_restarts(void **state)
{
    struct cluster *c = cluster_new(3, 16);

    (void)state;
    cut_off(c, 3, 2, true, true, true);
    assert_true(run_until_all_see(c, 2, 2, 1, 3000, NULL));
    for (uint32_t node = 0; node < 2; node++) {
        cluster_stop(c, node);
        cluster_start(c, node);
    }
    assert_int_equal(cluster_sees_down(c, 0, 2), 0); /* accusations are of the moment */
    assert_true(run_until_all_see(c, 2, 2, 1, 3000, NULL));
    cluster_run(c, 60000);
    /* Node 3 never restarted and tells nobody of itself: it is found because it is still probed. */
    cut_off(c, 3, 2, true, true, false);
    assert_true(run_until_all_see(c, 2, 2, 0, 2000, NULL));
    cluster_run(c, 3000);
    assert_int_equal(cluster_sees_down(c, 2, 0), 0);
    assert_int_equal(cluster_sees_down(c, 2, 1), 0);
    cluster_free(c);
}

static void many_members_learn_of_a_death_by_rumour(void **state)
{
    struct cluster *c = cluster_new(MANY, 16);
    uint64_t gossip;

    (void)state;
    cluster_run(c, 20000);
    gossip = cluster_sent(c, DYNKV_MESSAGE_GOSSIP);
    cluster_run(c, 10000);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_GOSSIP), gossip); /* silence while all agree */
    cluster_stop(c, 7);
    assert_true(run_until_all_see(c, MANY, 7, 1, 3000, NULL));
    assert_true(cluster_sent(c, DYNKV_MESSAGE_GOSSIP) - gossip < MANY);
    cluster_start(c, 7);
    assert_true(run_until_all_see(c, MANY, 7, 0, 3000, NULL));
    cluster_free(c);
}

static void when_half_of_the_members_die_the_others_know(void **state)
{
    struct cluster *c = cluster_new(MANY, 16);

    (void)state;
    cluster_run(c, 5000);
    for (uint32_t node = MANY / 2; node < MANY; node++)
        cluster_stop(c, node);
    for (uint32_t node = MANY / 2; node < MANY; node++)
        assert_true(run_until_all_see(c, MANY, node, 1, 10000, NULL));
    for (uint32_t node = 0; node < MANY / 2; node++)
        for (uint32_t other = 0; other < MANY / 2; other++)
            assert_int_equal(cluster_sees_down(c, node, other), 0);
    cluster_free(c);
}

static void many_members_learn_of_a_keyspace_at_once(void **state)
{
    struct cluster *c = cluster_new(MANY, 16);
    uint64_t ks = cluster_keyspace(c, 3, "t", 3, 2, 2);

    (void)state;
    cluster_run(c, 100);
    for (uint32_t node = 0; node < MANY; node++)
        assert_int_equal(cluster_keyspace(c, node, "t", 0, 0, 0), ks);
    cluster_free(c);
}

/* ---- the rumours of one node, by hand ---- */

static void merge_made_up_member(struct dynkv_node *node, uint64_t id)
{
    struct dynkv_member info = {
        .id = id,
        .incarnation = 1,
        .name = dynkv_slice_text("name"),
        .zone = dynkv_slice_text("zone"),
        .client_url = dynkv_slice_text("tcp://10.0.0.1:7401"),
        .peer_url = dynkv_slice_text("tcp://10.0.0.1:7501"),
        .weight = 100,
        .joined = 1,
    };

    assert_true(members_merge(node, &info));
}

static void a_rumour_goes_out_a_bounded_number_of_times_in_bounded_messages(void **state)
{
    struct cluster *c = cluster_new(1, 1);
    struct dynkv_node *node = cluster_node(c, 0);
    struct dynkv_effects effects = {0};
    uint32_t sent = 0, messages = 0;

    (void)state;
    node->effects = &effects;
    for (uint64_t id = 1; id <= 200; id++)
        merge_made_up_member(node, id);
    rumor_forget_all(node);
    for (uint64_t id = 1; id <= 200; id++)
        rumor_add(node, members_find(node, id), true);
    for (;;) {
        struct rumors rumors = rumor_fill(node, members_find(node, 1));
        struct dynkv_ping ping = {.news = rumors.news, .news_count = rumors.news_count};
        struct dynkv_envelope head = {.type = DYNKV_MESSAGE_PING};
        struct dynkv_buf bytes = {0};

        assert_int_equal(rumors.report_count, 0);
        if (rumors.news_count == 0)
            break;
        assert_true(rumors.news_count <= CORE_RUMOR_RECORDS);
        for (uint32_t i = 0; i < rumors.news_count; i++)
            for (uint32_t j = 0; j < i; j++)
                assert_int_not_equal(rumors.news[i].id, rumors.news[j].id);
        dynkv_message_encode(&head, &ping, &bytes);
        assert_true(bytes.len <= CORE_RUMOR_BYTES + 100);
        dynkv_buf_fini(&bytes);
        sent += rumors.news_count;
        assert_true(++messages < 10000);
    }
    assert_int_equal(sent, 200 * CORE_RUMOR_MULTIPLIER * 3); /* 201 has three digits */
    node->effects = NULL;
    dynkv_effects_fini(&effects);
    cluster_free(c);
}

static void a_report_is_for_those_who_have_the_rest_of_the_record(void **state)
{
    struct cluster *c = cluster_new(1, 1);
    struct dynkv_node *node = cluster_node(c, 0);
    struct dynkv_effects effects = {0};
    struct dynkv_accuser by[] = {{2}, {3}};
    struct dynkv_report report = {.id = 5, .incarnation = 1, .accusers = by, .accuser_count = 2};
    struct rumors rumors;
    struct member *five;

    (void)state;
    node->effects = &effects;
    for (uint64_t id = 2; id <= 5; id++)
        merge_made_up_member(node, id);
    five = members_find(node, 5);
    rumor_forget_all(node);
    assert_true(members_merge_report(node, &report));
    assert_int_equal(five->info.accuser_count, 2);
    assert_false(members_merge_report(node, &report));
    rumors = rumor_fill(node, members_find(node, 2));
    assert_int_equal(rumors.news_count, 0);
    assert_int_equal(rumors.report_count, 1);
    assert_int_equal(rumors.reports[0].id, 5);
    assert_int_equal(rumors.reports[0].facts, five->facts);
    assert_int_equal(rumors.reports[0].accuser_count, 2);
    /* A suspect is told that it is one, whatever else there is to tell. */
    rumor_forget_all(node);
    rumors = rumor_fill(node, five);
    assert_int_equal(rumors.report_count, 1);
    assert_int_equal(rumors.reports[0].id, 5);
    /* A new incarnation of a record that is another here says nothing yet; of this one, all. */
    report.incarnation = 2;
    report.accuser_count = 0;
    assert_false(members_merge_report(node, &report));
    assert_int_equal(five->info.incarnation, 1);
    report.facts = five->facts;
    assert_true(members_merge_report(node, &report));
    assert_int_equal(five->info.incarnation, 2);
    assert_int_equal(five->info.accuser_count, 0);
    report.id = 99;
    assert_false(members_merge_report(node, &report));
    assert_null(members_find(node, 99));
    node->effects = NULL;
    dynkv_effects_fini(&effects);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_round_probes_every_member_once_in_an_order_of_its_own),
        cmocka_unit_test(a_killed_node_of_three_is_down_within_two_seconds),
        cmocka_unit_test(a_path_cut_in_one_direction_accuses_nobody),
        cmocka_unit_test(a_helper_that_gets_no_answer_says_so_and_the_asker_knows_itself_healthy),
        cmocka_unit_test(a_node_that_hears_nobody_tells_nobody_whom_it_misses),
        cmocka_unit_test(a_node_that_slept_blames_itself),
        cmocka_unit_test(a_short_pause_is_survived_by_refuting),
        cmocka_unit_test(a_member_that_is_down_is_not_forgotten_over_restarts),
        cmocka_unit_test(many_members_learn_of_a_death_by_rumour),
        cmocka_unit_test(when_half_of_the_members_die_the_others_know),
        cmocka_unit_test(many_members_learn_of_a_keyspace_at_once),
        cmocka_unit_test(a_rumour_goes_out_a_bounded_number_of_times_in_bounded_messages),
        cmocka_unit_test(a_report_is_for_those_who_have_the_rest_of_the_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
