/* test_plan.c: what is said of a change of the membership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "cli/members.h"
#include "cli/plan.h"

static struct dynkv_plan_member members[] = {
    {.id = 1, .role = DYNKV_ROLE_PLACED, .replicas_before = 8, .replicas_after = 6, .lost = 2},
    {.id = 2, .role = DYNKV_ROLE_LEAVING, .replicas_before = 8, .lost = 8, .down = 1},
    {.id = 3, .role = DYNKV_ROLE_JOINING, .replicas_after = 6, .gained = 6},
    {.id = 4, .role = DYNKV_ROLE_CANDIDATE},
};
static struct dynkv_plan_entry entries[] = {
    {.kind = DYNKV_CHANGE_REPLACE, .member = 2, .other = 3},
};
static struct dynkv_blocker blockers[1];
static struct dynkv_cluster_plan plan;

static int begin(void **state)
{
    static const char *const names[] = {"n1", "n2", "n3", "n4"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        members[i].name = dynkv_slice_text(names[i]);
        members[i].accepted = members[i].ready = members[i].seen = members[i].reverted = 0;
        members[i].excluded = 0;
    }
    entries[0].member_name = dynkv_slice_text("n2");
    entries[0].other_name = dynkv_slice_text("n3");
    blockers[0].text = dynkv_slice_text("n2 is down");
    plan = (struct dynkv_cluster_plan){
        .phase = DYNKV_CHANGE_MOVING,
        .epoch = 7,
        .changes = 9,
        .entries = entries,
        .entry_count = 1,
        .members = members,
        .member_count = 4,
        .blockers = blockers,
        .blocker_count = 1,
    };
    return 0;
}

static void a_change_waits_for_those_who_are_not_in_the_set_of_its_phase(void **state)
{
    static const uint8_t waiting[] = {DYNKV_CHANGE_COMMITTING, DYNKV_CHANGE_MOVING,
                                      DYNKV_CHANGE_SWITCHED, DYNKV_CHANGE_CANCELLING};

    (void)state;
    for (size_t i = 0; i < sizeof waiting; i++) {
        plan.phase = waiting[i];
        assert_true(dynkv_plan_is_open(&plan));
        assert_true(dynkv_plan_waits_for(&plan, &members[0]));
        assert_true(dynkv_plan_waits_for(&plan, &members[2]));
        assert_false(dynkv_plan_waits_for(&plan, &members[3]));
    }
    plan.phase = DYNKV_CHANGE_MOVING;
    members[0].ready = 1;
    assert_false(dynkv_plan_waits_for(&plan, &members[0]));
    plan.phase = DYNKV_CHANGE_SWITCHED;
    assert_true(dynkv_plan_waits_for(&plan, &members[0]));
    members[1].excluded = 1;
    assert_false(dynkv_plan_waits_for(&plan, &members[1]));
    plan.phase = DYNKV_CHANGE_STAGED;
    assert_false(dynkv_plan_is_open(&plan));
    assert_false(dynkv_plan_waits_for(&plan, &members[2]));
}

static bool json_has(const struct dynkv_json *json, const char *text)
{
    return memmem(json->out.data, json->out.len, text, strlen(text)) != NULL;
}

static void json_tells_all_of_it(void **state)
{
    struct dynkv_plan_transfer transfers[4] = {[2] = {.gained_keys = 44,
                                                      .gained_bytes = 5555,
                                                      .is_known = true,
                                                      .objects = 11,
                                                      .bytes = 222,
                                                      .left = 3}};
    struct dynkv_json json = {0};

    (void)state;
    dynkv_plan_json(&json, NULL, &plan, transfers);
    assert_true(json_has(&json, "{\"phase\":\"moving\",\"epoch\":7,\"changes\":9,"));
    assert_true(json_has(&json, "{\"kind\":\"replace\",\"name\":\"n2\",\"id\":\"0000000000000002\","
                                "\"by_name\":\"n3\",\"by_id\":\"0000000000000003\"}"));
    assert_true(json_has(&json, "\"state\":\"down\",\"role\":\"leaving\""));
    assert_true(json_has(&json, "\"gained_keys\":44,\"gained_bytes\":5555,"
                                "\"gained_is_partial\":false,"));
    assert_true(json_has(&json, "\"moved_objects\":11,\"moved_bytes\":222,\"unproved\":3"));
    assert_true(json_has(&json, "\"blockers\":[\"n2 is down\"]}"));
    dynkv_buf_reset(&json.out);
    dynkv_plan_json(&json, NULL, &plan, NULL);
    assert_false(json_has(&json, "moved_objects"));
    assert_false(json_has(&json, "gained_keys"));
    dynkv_json_fini(&json);
}

static void phases_have_one_word_each(void **state)
{
    (void)state;
    assert_string_equal(dynkv_plan_phase(DYNKV_CHANGE_NONE), "none");
    assert_string_equal(dynkv_plan_phase(DYNKV_CHANGE_CANCELLING), "cancelling");
    assert_string_equal(dynkv_plan_phase(200), "unknown");
}

static void a_wrong_name_is_told_the_right_ones(void **state)
{
    struct dynkv_buf out = {0};
    static const char with[] = "; candidates: n4; members: n1, n2, n3";
    static const char without[] = "; there is no candidate; members: n1, n2, n3";

    (void)state;
    dynkv_plan_put_names(&out, &plan);
    assert_int_equal(out.len, sizeof with - 1);
    assert_memory_equal(out.data, with, out.len);
    dynkv_buf_reset(&out);
    plan.member_count = 3;
    dynkv_plan_put_names(&out, &plan);
    assert_int_equal(out.len, sizeof without - 1);
    assert_memory_equal(out.data, without, out.len);
    dynkv_buf_fini(&out);
}

static void members_have_a_state_and_a_role(void **state)
{
    struct dynkv_member list[] = {
        {.id = 1, .name = dynkv_slice_text("a"), .joined = 5},
        {.id = 2, .name = dynkv_slice_text("b")},
        {.id = 3, .name = dynkv_slice_text("c"), .joined = 1},
        {.id = 4, .name = dynkv_slice_text("d"), .joined = 5, .excluded = 6},
        {.id = 5, .name = dynkv_slice_text("e"), .joined = 5, .left = 6},
    };
    static const char *const states[] = {"up", "down", "up", "excluded", "left"};
    static const char *const roles[] = {"member", "candidate", "leaving", "member", "-"};
    const struct dynkv_accuser down[] = {{2}, {4}}, leaving[] = {{3}};
    struct dynkv_members all;

    (void)state;
    dynkv_members_init(&all, list, 5, down, 2);
    all.leaving = leaving;
    all.leaving_count = 1;
    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(dynkv_members_state(&all, &all.list[i]), states[i]);
        assert_string_equal(dynkv_members_role(&all, &all.list[i]), roles[i]);
    }
    dynkv_members_fini(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_change_waits_for_those_who_are_not_in_the_set_of_its_phase, begin),
        cmocka_unit_test_setup(json_tells_all_of_it, begin),
        cmocka_unit_test_setup(phases_have_one_word_each, begin),
        cmocka_unit_test_setup(a_wrong_name_is_told_the_right_ones, begin),
        cmocka_unit_test_setup(members_have_a_state_and_a_role, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
