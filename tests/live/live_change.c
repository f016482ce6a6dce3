/*
 * live_change.c: members join, leave and are replaced while clients write and read.
 *
 * In each of these nothing acknowledged is lost, no read at R+W>N is stale, and in the end every key is on
 * exactly its three replicas, equal, and on nobody else.
 */
#include <signal.h>
#include <stdio.h>

#include "tests/live/live_load.h"
#include "tests/live/live_tests.h"

#define CHANGE_PATIENCE_MS 120000u /* many steps, on a machine with other work to do */

/* ---- asking for changes ---- */

/* The phase, epoch and number of ended changes; false: the node cannot tell now. */
struct view {
    struct live_client *client;
    uint8_t phase;
    uint64_t epoch, changes;
    uint64_t over; /* changes that had ended before the one that is looked at */
    uint32_t candidates, leavers;
};

static bool look(struct view *view, uint8_t action, const char *name, const char *other)
{
    struct dynkv_cluster_change body = {
        .action = action, .name = dynkv_slice_text(name), .other = dynkv_slice_text(other)};
    struct live_answer answer;
    bool ok;

    if (!live_client_ask(view->client, DYNKV_MESSAGE_CLUSTER_CHANGE, &body, 5000, &answer))
        return false;
    ok = answer.envelope.type == DYNKV_MESSAGE_CLUSTER_PLAN;
    view->candidates = view->leavers = 0;
    if (ok) {
        const struct dynkv_cluster_plan *plan = &answer.body.cluster_plan;

        view->phase = plan->phase;
        view->epoch = plan->epoch;
        view->changes = plan->changes;
        for (uint32_t i = 0; i < plan->member_count; i++) {
            view->candidates += plan->members[i].role == DYNKV_ROLE_CANDIDATE;
            view->leavers += plan->members[i].role == DYNKV_ROLE_LEAVER;
        }
    }
    live_answer_free(&answer);
    return ok;
}

static struct view view_of(struct live_node *node)
{
    return (struct view){.client = live_client_open(live_node_client_url(node))};
}

static bool no_change_is_open(void *context)
{
    struct view *view = context;

    return look(view, DYNKV_CLUSTER_STATUS, "", "") && view->phase == DYNKV_CHANGE_NONE &&
           view->changes > view->over && view->leavers == 0;
}

static bool has_ended_twice(void *context)
{
    struct view *view = context;

    return look(view, DYNKV_CLUSTER_STATUS, "", "") && view->changes == 2;
}

/* Or it was, on a machine on which this process has waited for long. */
static bool is_moving(void *context)
{
    struct view *view = context;

    return look(view, DYNKV_CLUSTER_STATUS, "", "") &&
           (view->phase >= DYNKV_CHANGE_MOVING || view->changes > view->over);
}

static bool commits(void *context)
{
    return look(context, DYNKV_CLUSTER_COMMIT, "", "");
}

static bool sees_a_candidate(void *context)
{
    struct view *view = context;

    return look(view, DYNKV_CLUSTER_STATUS, "", "") && view->candidates == 1;
}

static void await_view(bool (*is_true)(void *), struct live_node *node, const char *what)
{
    struct view view = view_of(node);

    live_await_within(is_true, &view, what, CHANGE_PATIENCE_MS);
    live_client_close(view.client);
}

/* Stages through n1 and commits as soon as nothing is in the way. */
static void stage_and_commit(struct live_node *node, uint8_t action, const char *name)
{
    struct view view = view_of(node);

    CHECK(look(&view, action, name, ""), "%s cannot be staged", name);
    live_await_within(commits, &view, "the commit is taken", CHANGE_PATIENCE_MS);
    live_client_close(view.client);
}

static void check_epoch(struct live_node *const *nodes, uint32_t count, uint64_t epoch)
{
    for (uint32_t i = 0; i < count; i++) {
        struct view view;

        await_view(no_change_is_open, nodes[i], "the change is over");
        view = view_of(nodes[i]);
        CHECK(look(&view, DYNKV_CLUSTER_STATUS, "", ""), "node %u is silent", i);
        CHECK(view.epoch == epoch, "node %u has epoch %u", i, (unsigned)view.epoch);
        live_client_close(view.client);
    }
}

/* ---- nodes ---- */

/* What a node's log says, sooner or later. */
struct line {
    struct live_node *node;
    const char *text;
};

static bool log_has(void *context)
{
    const struct line *line = context;
    static char log[LIVE_LOG_MAX];

    live_node_log(line->node, log);
    return strstr(log, line->text);
}

static void await_log(struct live_node *node, const char *text)
{
    live_await(log_has, &(struct line){node, text}, text);
}

static void start_candidate(struct live_node *nodes[4])
{
    nodes[3] = live_node_start(
        &(struct live_node_options){.name = "n4", .join = live_node_peer_url(nodes[0])});
    live_node_await_ready(nodes[3]);
    for (uint32_t i = 0; i < 3; i++)
        live_await_members(nodes[i], 4, 0);
    await_view(sees_a_candidate, nodes[0], "n4 is a candidate");
    await_log(nodes[3], "dynkv cluster join n4"); /* it says what to do next */
}

static void kill_node(struct live_node *node)
{
    live_node_signal(node, SIGKILL);
    CHECK(live_node_await_exit(node) == -SIGKILL, "it ended before it was killed");
}

static void restart(const char *name)
{
    live_node_await_ready(live_node_start(&(struct live_node_options){.name = name}));
}

/* Three nodes with data, a load on the first two, and a candidate. */
static struct load *begin(struct live_node *nodes[4])
{
    struct load *load;

    live_cluster_start("rocksdb", nodes);
    load_prepare(nodes[0]);
    load = load_start(nodes[0], nodes[1]);
    load_await_writes(load, 20);
    start_candidate(nodes);
    return load;
}

static void end(struct load *load, struct live_node *const *nodes, uint32_t count, uint64_t epoch)
{
    check_epoch(nodes, count, epoch);
    load_await_writes(load, 20);
    load_stop(load);
    load_await_settled(load, nodes, count);
    load_free(load);
}

/* ---- the tests ---- */

void a_node_joins_under_load(void)
{
    struct live_node *nodes[4];
    struct load *load = begin(nodes);

    stage_and_commit(nodes[0], DYNKV_CLUSTER_JOIN, "n4");
    end(load, nodes, 4, 1);
}

void a_node_leaves_under_load(void)
{
    struct live_node *nodes[4];
    struct load *load = begin(nodes);
    struct live_node *left[3];
    char log[LIVE_LOG_MAX];

    stage_and_commit(nodes[0], DYNKV_CLUSTER_JOIN, "n4");
    check_epoch(nodes, 4, 1);
    stage_and_commit(nodes[1], DYNKV_CLUSTER_LEAVE, "n3");
    left[0] = nodes[0];
    left[1] = nodes[1];
    left[2] = nodes[3];
    check_epoch(left, 3, 2); /* which waits until n3 is shown no more */
    await_log(nodes[2], "n3 has left the cluster: it can be stopped");
    live_node_signal(nodes[2], SIGTERM);
    CHECK(live_node_await_exit(nodes[2]) == 0, "a clean stop");
    live_node_start(&(struct live_node_options){.name = "n3"});
    CHECK(live_node_await_exit(nodes[2]) == 1, "its store is of no use any more");
    live_node_log(nodes[2], log);
    CHECK(strstr(log, "has left the cluster, and has nothing to give"), "it wrote:\n%s", log);
    end(load, left, 3, 2);
}

void a_wiped_node_is_replaced_by_its_empty_self(void)
{
    struct live_node *nodes[3];
    struct load *load;
    char join[128];

    live_cluster_start("rocksdb", nodes);
    load_prepare(nodes[0]);
    load = load_start(nodes[0], nodes[1]);
    load_await_writes(load, 20);
    kill_node(nodes[2]);
    live_wipe("n3");
    for (uint32_t i = 0; i < 2; i++)
        live_await_members(nodes[i], 2, 1);
    snprintf(join, sizeof join, "%s", live_node_peer_url(nodes[0]));
    live_node_await_ready(live_node_start(&(struct live_node_options){.name = "n3", .join = join}));
    await_view(sees_a_candidate, nodes[0], "the new n3 is a candidate");
    await_log(nodes[2], "dynkv cluster replace n3"); /* it says what to do next */
    stage_and_commit(nodes[0], DYNKV_CLUSTER_REPLACE, "n3");
    end(load, nodes, 3, 1);
}

void a_replaced_node_that_comes_back_elsewhere_is_told(void)
{
    struct live_node *nodes[4], *rest[3];
    struct view view;

    live_cluster_start("rocksdb", nodes);
    load_prepare(nodes[0]);
    start_candidate(nodes);
    kill_node(nodes[2]);
    for (uint32_t i = 0; i < 2; i++)
        live_await_members(nodes[i], 3, 1);
    view = view_of(nodes[0]);
    CHECK(look(&view, DYNKV_CLUSTER_REPLACE, "n3", "n4"), "n3 can be replaced");
    CHECK(look(&view, DYNKV_CLUSTER_COMMIT, "", ""), "the change can be committed");
    live_client_close(view.client);
    rest[0] = nodes[0];
    rest[1] = nodes[1];
    rest[2] = nodes[3];
    check_epoch(rest, 3, 1);
    live_node_start(&(struct live_node_options){
        .name = "n3", .client_url = "tcp://127.0.0.1:0", .peer_url = "tcp://127.0.0.1:0"});
    await_log(nodes[2], "this node was excluded");
}

void a_joiner_killed_amid_its_transfer_goes_on(void)
{
    struct live_node *nodes[4];
    struct load *load = begin(nodes);

    stage_and_commit(nodes[0], DYNKV_CLUSTER_JOIN, "n4");
    await_view(is_moving, nodes[0], "data move");
    kill_node(nodes[3]);
    load_await_writes(load, 20);
    restart("n4");
    end(load, nodes, 4, 1);
}

void an_old_owner_killed_amid_a_join_comes_back(void)
{
    struct live_node *nodes[4];
    struct load *load = begin(nodes);

    stage_and_commit(nodes[0], DYNKV_CLUSTER_JOIN, "n4");
    await_view(is_moving, nodes[0], "data move");
    kill_node(nodes[2]);
    load_await_writes(load, 20);
    restart("n3");
    end(load, nodes, 4, 1);
}

/* Commits while n4 stands still, so that the change gets no further; again if n4 was found down first. */
static void commit_with_n4_stopped(struct live_node *nodes[4], struct view *view)
{
    for (uint32_t tries = 0; tries < 20; tries++) {
        live_node_signal(nodes[3], SIGSTOP);
        if (look(view, DYNKV_CLUSTER_COMMIT, "", ""))
            return;
        live_node_signal(nodes[3], SIGCONT);
        live_await_members(nodes[0], 4, 0);
    }
    live_fail(__FILE__, __LINE__, "the commit is not taken");
}

void a_join_is_cancelled_amid_its_transfer(void)
{
    struct live_node *nodes[4];
    struct load *load = begin(nodes);
    struct view view = view_of(nodes[0]);
    bool in_time;

    CHECK(look(&view, DYNKV_CLUSTER_JOIN, "n4", ""), "n4 can be staged");
    commit_with_n4_stopped(nodes, &view);
    load_await_writes(load, 20);
    CHECK(look(&view, DYNKV_CLUSTER_CANCEL, "", ""), "it can be cancelled");
    live_node_signal(nodes[3], SIGCONT);
    check_epoch(nodes, 4, 0);
    /* Again, while data move: that may be too late, and is refused then. */
    stage_and_commit(nodes[0], DYNKV_CLUSTER_JOIN, "n4");
    view.over = 1;
    live_await_within(is_moving, &view, "data move", CHANGE_PATIENCE_MS);
    in_time = look(&view, DYNKV_CLUSTER_CANCEL, "", "");
    printf("    the second one was %s\n", in_time ? "cancelled" : "finished before");
    live_await_within(has_ended_twice, &view, "the second one is over, too", CHANGE_PATIENCE_MS);
    end(load, nodes, 4, in_time ? 0 : 1);
}
