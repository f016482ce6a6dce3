/*
 * cmd_cluster.c: cluster: stage a change of the members, look at it, begin it, wait for it, cancel it.
 *
 * Every action is answered with the plan as it is then.  How much is to be moved, and is moved already, is
 * asked of all members (transfers.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/members.h"
#include "cli/plan.h"
#include "cli/transfers.h"

#define WAIT_INTERVAL_MS 300u /* between two looks at a change that is waited for */

struct action_spec {
    const char *verb;
    enum dynkv_cluster_action action;
    unsigned fewest, most; /* names */
    const char *usage;
};

static const struct action_spec actions[] = {
    {"status", DYNKV_CLUSTER_STATUS, 0, 0, "status"},
    {"plan", DYNKV_CLUSTER_PLAN, 0, 0, "plan"},
    {"join", DYNKV_CLUSTER_JOIN, 1, 1, "join NAME"},
    {"leave", DYNKV_CLUSTER_LEAVE, 1, 1, "leave NAME"},
    {"replace", DYNKV_CLUSTER_REPLACE, 1, 2, "replace OLD [NEW]"},
    {"exclude", DYNKV_CLUSTER_EXCLUDE, 1, 1, "exclude NAME"},
    {"commit", DYNKV_CLUSTER_COMMIT, 0, 0, "commit [--wait [--timeout S]]"},
    {"cancel", DYNKV_CLUSTER_CANCEL, 0, 0, "cancel"},
};

struct cluster_run {
    struct dynkv_cli *cli;
    struct dynkv_request *request; /* the last one; it holds the plan */
    const struct dynkv_cluster_plan *plan;
};

static const struct action_spec *find_action(const char *verb)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].verb, verb) == 0)
            return &actions[i];
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return dynkv_slice_compare(((const struct dynkv_plan_member *)a)->name,
                               ((const struct dynkv_plan_member *)b)->name);
}

/* Asks, and keeps the plan that was answered, its members in the order of their names. */
static enum dynkv_error ask(struct cluster_run *run, enum dynkv_cluster_action action,
                            const char *name, const char *other)
{
    dynkv_request_free(run->request);
    run->request = dynkv_cluster_change_start(run->cli->client, action, name, other,
                                              (uint32_t)run->cli->options->deadline_ms);
    dynkv_request_wait(run->request);
    run->plan = dynkv_request_error(run->request) ? NULL : dynkv_request_plan(run->request);
    if (run->plan)
        qsort(run->plan->members, run->plan->member_count, sizeof *run->plan->members, by_name);
    return dynkv_request_error(run->request);
}

/* ---- errors ---- */

static int exit_code(enum dynkv_error error)
{
    return error == DYNKV_REFUSED ? DYNKV_EXIT_CONFLICT : dynkv_cli_exit_code(error);
}

/* What was asked for was refused: says why, and, as it helps, which names there are or all that is in the way. */
static int fail(struct cluster_run *run, const struct action_spec *spec)
{
    enum dynkv_error error = dynkv_request_error(run->request);
    struct dynkv_buf text = {0};

    dynkv_put_raw(&text, dynkv_slice_text(dynkv_request_text(run->request)));
    if (error == DYNKV_NOT_FOUND && spec->fewest && !ask(run, DYNKV_CLUSTER_PLAN, NULL, NULL))
        dynkv_plan_put_names(&text, run->plan);
    if (error == DYNKV_REFUSED && spec->action == DYNKV_CLUSTER_COMMIT &&
        !ask(run, DYNKV_CLUSTER_PLAN, NULL, NULL))
        for (uint32_t i = 1; i < run->plan->blocker_count; i++) {
            dynkv_put_raw(&text, dynkv_slice_text("\n  and "));
            dynkv_text_put_escaped(&text, run->plan->blockers[i].text);
        }
    fprintf(stderr, "dynkv: %.*s\n", (int)text.len, (const char *)text.data);
    dynkv_buf_fini(&text);
    return exit_code(error);
}

static void show(struct cluster_run *run)
{
    struct dynkv_plan_transfer *transfers = dynkv_cli_transfers(run->cli, run->plan);
    struct dynkv_json json = {0};

    if (run->cli->options->json) {
        dynkv_plan_json(&json, NULL, run->plan, transfers);
        dynkv_json_print(&json);
        dynkv_json_fini(&json);
    } else {
        dynkv_plan_print(run->plan, transfers);
    }
    free(transfers);
}

/* ---- waiting ---- */

struct wait {
    uint64_t number, epoch; /* of the change; of the ring before it */
    uint64_t until_ms;
    uint8_t told; /* the phase that was printed last */
};

/* A member that gave its place up, and is there, has something to hand over. */
static bool leavers_are_gone(const struct dynkv_cluster_plan *plan)
{
    for (uint32_t i = 0; i < plan->member_count; i++)
        if (plan->members[i].role == DYNKV_ROLE_LEAVER && !plan->members[i].down &&
            !plan->members[i].excluded)
            return false;
    return true;
}

static void tell_phase(struct cluster_run *run, struct wait *wait)
{
    if (run->plan->phase == wait->told || run->cli->options->json)
        return;
    wait->told = run->plan->phase;
    printf("%s\n", dynkv_plan_is_open(run->plan) ? dynkv_plan_phase(run->plan->phase) : "finished");
    fflush(stdout);
}

static void pause_ms(struct dynkv_client *client, uint64_t ms)
{
    uint64_t until = dynkv_cli_monotonic_ms() + ms, now;

    while ((now = dynkv_cli_monotonic_ms()) < until)
        dynkv_client_poll(client, (int)(until - now));
}

/* A node that lags behind may tell of the time before the commit: only what is over counts. */
static int wait_for_end(struct cluster_run *run, struct wait *wait)
{
    for (;;) {
        enum dynkv_error error = ask(run, DYNKV_CLUSTER_STATUS, NULL, NULL);

        if (!error && run->plan->changes >= wait->number && run->plan->epoch == wait->epoch) {
            fprintf(stderr, "dynkv: the change was cancelled\n");
            return DYNKV_EXIT_CONFLICT;
        }
        if (!error && run->plan->changes >= wait->number && leavers_are_gone(run->plan))
            return DYNKV_EXIT_OK;
        if (dynkv_cli_monotonic_ms() >= wait->until_ms) {
            fprintf(stderr,
                    "dynkv: not finished within %llu s; it goes on: dynkv cluster status shows "
                    "what it waits for\n",
                    (unsigned long long)run->cli->options->timeout_s);
            return DYNKV_EXIT_UNAVAILABLE;
        }
        if (!error && run->plan->changes + 1 >= wait->number)
            tell_phase(run, wait);
        pause_ms(run->cli->client, WAIT_INTERVAL_MS);
    }
}

static int wait_for_change(struct cluster_run *run)
{
    struct wait wait = {
        .number = run->plan->changes + 1,
        .epoch = run->plan->epoch,
        .until_ms = dynkv_cli_monotonic_ms() + run->cli->options->timeout_s * 1000,
    };
    int code = wait_for_end(run, &wait);

    if (!code)
        show(run);
    return code;
}

/* ---- the command ---- */

static int check_usage(const struct dynkv_options *options, const struct action_spec *spec)
{
    unsigned names = options->argument_count - 1;

    if (!spec)
        return dynkv_cli_usage("cluster takes status, plan, join, leave, replace, exclude, commit "
                               "or cancel, not '%s'",
                               options->arguments[0]);
    if (names < spec->fewest || names > spec->most)
        return dynkv_cli_usage("usage: dynkv cluster %s", spec->usage);
    if (options->wait && spec->action != DYNKV_CLUSTER_COMMIT)
        return dynkv_cli_usage("--wait goes with dynkv cluster commit");
    return DYNKV_EXIT_OK;
}

int dynkv_cmd_cluster(struct dynkv_cli *cli)
{
    const struct dynkv_options *options = cli->options;
    const struct action_spec *spec = find_action(options->arguments[0]);
    struct cluster_run run = {.cli = cli};
    int code = check_usage(options, spec);

    if (code)
        return code;
    if (ask(&run, spec->action, options->arguments[1], options->arguments[2]))
        code = fail(&run, spec);
    else if (options->wait)
        code = wait_for_change(&run);
    else
        show(&run);
    dynkv_request_free(run.request);
    return code;
}
