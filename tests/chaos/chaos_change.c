/*
 * chaos_change.c: two nodes join and then two of the first five leave, amid the faults (riak_kv #1754 lost
 * acknowledged writes so).
 *
 * What to do next follows from what a node says of the change, asked again and again: an answer that was lost,
 * a refusal while a member is down, a node that lags behind, all come to the same.
 */
#include <stdio.h>
#include <string.h>

#include "tests/chaos/chaos.h"

#define FIRST_AT_MS  2000u /* by then there are data */
#define LOOK_EACH_MS 150u
#define PATIENCE_MS  300000u

enum goal {
    GOAL_START,
    GOAL_JOIN,  /* n6 and n7 have places */
    GOAL_LEAVE, /* n4 and n5 have left */
    GOAL_REACHED,
};

static const struct {
    const char *names[2];
    uint32_t nodes[2];
} pairs[] = {[GOAL_JOIN] = {{"n6", "n7"}, {5, 6}}, [GOAL_LEAVE] = {{"n4", "n5"}, {3, 4}}};

static enum goal goal;
static struct dynkv_client *client;
static struct dynkv_request *request;
static uint64_t look_at_ms;

static const struct dynkv_plan_member *member_named(const struct dynkv_cluster_plan *plan,
                                                    const char *name)
{
    for (uint32_t i = 0; i < plan->member_count; i++)
        if (dynkv_slice_equal(plan->members[i].name, dynkv_slice_text(name)))
            return &plan->members[i];
    return NULL;
}

static bool is_staged(const struct dynkv_cluster_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->entry_count; i++)
        if (dynkv_slice_equal(plan->entries[i].member_name, dynkv_slice_text(name)))
            return true;
    return false;
}

static void ask(enum dynkv_cluster_action action, const char *name)
{
    dynkv_request_free(request);
    request = dynkv_cluster_change_start(client, action, name, NULL, CHAOS_DEADLINE_MS);
}

static bool is_reached(const struct dynkv_cluster_plan *plan, uint32_t k)
{
    const struct dynkv_plan_member *member = member_named(plan, pairs[goal].names[k]);

    if (goal == GOAL_LEAVE)
        return !member; /* every node has known it since the start */
    return member && member->role == DYNKV_ROLE_PLACED;
}

static void reached(void)
{
    printf("  %7.1f s  %s\n", (double)chaos_now_ms() / 1000,
           goal == GOAL_JOIN ? "n6 and n7 have joined" : "n4 and n5 have left");
    for (uint32_t k = 0; goal == GOAL_LEAVE && k < 2; k++)
        if (chaos_running() >> pairs[goal].nodes[k] & 1)
            chaos_node_end(pairs[goal].nodes[k]);
    goal = goal == GOAL_JOIN ? GOAL_LEAVE : GOAL_REACHED;
}

/* The next thing to ask for; nothing where a change is under way. */
static void take(const struct dynkv_cluster_plan *plan)
{
    if (plan->phase >= DYNKV_CHANGE_COMMITTING)
        return;
    if (is_reached(plan, 0) && is_reached(plan, 1)) {
        reached();
        return;
    }
    for (uint32_t k = 0; k < 2; k++)
        if (!is_reached(plan, k) && !is_staged(plan, pairs[goal].names[k]) &&
            member_named(plan, pairs[goal].names[k])) {
            ask(goal == GOAL_JOIN ? DYNKV_CLUSTER_JOIN : DYNKV_CLUSTER_LEAVE, pairs[goal].names[k]);
            return;
        }
    if (plan->phase == DYNKV_CHANGE_STAGED)
        ask(DYNKV_CLUSTER_COMMIT, NULL);
}

static void begin(void)
{
    struct dynkv_client_options options = {.hosts = chaos_hosts(), .name = "chaos"};
    char text[DYNKV_CLIENT_TEXT_MAX];

    if (chaos_now_ms() < FIRST_AT_MS)
        return;
    CHECK(!dynkv_client_new(&options, &client, text, sizeof text), "%s", text);
    for (uint32_t k = 0; k < 2; k++)
        chaos_node_start(pairs[GOAL_JOIN].nodes[k]);
    goal = GOAL_JOIN;
}

void chaos_change_step(void)
{
    struct dynkv_request *done = request;

    if (goal == GOAL_START)
        begin();
    if (goal == GOAL_START || goal == GOAL_REACHED)
        return;
    dynkv_client_drive(client);
    if (request && !dynkv_request_is_done(request))
        return;
    if (!request) {
        if (chaos_now_ms() >= look_at_ms)
            ask(DYNKV_CLUSTER_STATUS, NULL);
        return;
    }
    request = NULL;
    look_at_ms = chaos_now_ms() + LOOK_EACH_MS;
    if (!dynkv_request_error(done))
        take(dynkv_request_plan(done));
    dynkv_request_free(done);
}

void chaos_change_finish(void)
{
    uint64_t until = live_now_ms() + PATIENCE_MS;

    while (goal != GOAL_REACHED) {
        CHECK(live_now_ms() < until, "the change is not finished though all nodes are up");
        chaos_change_step();
        if (client)
            dynkv_client_poll(client, 50);
    }
}

bool chaos_change_may_end(uint32_t i)
{
    return goal == GOAL_LEAVE &&
           (i == pairs[GOAL_LEAVE].nodes[0] || i == pairs[GOAL_LEAVE].nodes[1]);
}

void chaos_change_end(void)
{
    dynkv_client_free(client);
    client = NULL;
    request = NULL;
}
