/*
 * cmd_status.c: status: the members as one node sees them, and the counters of every node that answers.
 *
 * The view is that of the first of the hosts (in their order) that answers, or of the node asked for.
 * Members may disagree for a while, so it says whose view it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/members.h"
#include "cli/plan.h"
#include "cli/table.h"

/* The other nodes' counters are an extra: they are not waited for as long as the view itself. */
#define COUNTERS_DEADLINE_MS 1000u
#define HOSTS_MAX            64u

struct node_answer {
    struct dynkv_request *request;
    char url[DYNKV_URL_MAX + 1];
};

struct status_run {
    struct dynkv_cli *cli;
    struct node_answer *asked; /* the view's node first, then the others */
    uint32_t count;
    struct dynkv_members members;
};

static void ask(struct status_run *run, struct dynkv_slice url, uint32_t deadline_ms)
{
    struct node_answer *answer = &run->asked[run->count++];

    snprintf(answer->url, sizeof answer->url, "%.*s", (int)url.len, (const char *)url.data);
    answer->request = dynkv_status_start(run->cli->client, answer->url, deadline_ms);
}

static const struct dynkv_status_reply *reply_of(const struct node_answer *answer)
{
    return dynkv_request_error(answer->request) ? NULL : dynkv_request_status(answer->request);
}

/* Asks all hosts at once; the first of them that answers becomes the view, run->asked[0]. */
static int find_view(struct status_run *run, const char *hosts)
{
    uint32_t deadline_ms = dynkv_cli_left_ms(run->cli), chosen = 0;
    struct node_answer view;

    while (*hosts && run->count < HOSTS_MAX) {
        size_t len = strcspn(hosts, ",");

        if (len > 0 && len <= DYNKV_URL_MAX)
            ask(run, dynkv_slice(hosts, len), deadline_ms);
        hosts += len + (hosts[len] == ',');
    }
    for (uint32_t i = 0; i < run->count; i++)
        dynkv_request_wait(run->asked[i].request);
    while (chosen < run->count && !reply_of(&run->asked[chosen]))
        chosen++;
    if (chosen == run->count) {
        for (uint32_t i = 0; i < run->count; i++)
            dynkv_cli_fail(dynkv_request_error(run->asked[i].request),
                           dynkv_request_text(run->asked[i].request));
        return DYNKV_EXIT_UNAVAILABLE;
    }
    view = run->asked[chosen];
    run->asked[chosen] = run->asked[0];
    run->asked[0] = view;
    return DYNKV_EXIT_OK;
}

static void take_members(struct status_run *run)
{
    const struct dynkv_status_reply *view = reply_of(&run->asked[0]);

    dynkv_members_init(&run->members, view->members, view->member_count, view->down,
                       view->down_count);
    run->members.leaving = view->leaving;
    run->members.leaving_count = view->leaving_count;
}

/* Forgets all answers but the view's. */
static void forget_others(struct status_run *run)
{
    while (run->count > 1)
        dynkv_request_free(run->asked[--run->count].request);
}

static void ask_others(struct status_run *run)
{
    uint64_t self = reply_of(&run->asked[0])->node_id;
    uint64_t limit = run->cli->options->deadline_ms;
    uint32_t deadline_ms = limit < COUNTERS_DEADLINE_MS ? (uint32_t)limit : COUNTERS_DEADLINE_MS;

    for (uint32_t i = 0; i < run->members.count; i++) {
        const struct dynkv_member *member = &run->members.list[i];

        if (member->id != self && strcmp(dynkv_members_state(&run->members, member), "up") == 0)
            ask(run, member->client_url, deadline_ms);
    }
    for (uint32_t i = 1; i < run->count; i++)
        dynkv_request_wait(run->asked[i].request);
}

/* ---- output ---- */

/* The counter of that name in a reply: counters are the same everywhere but for other versions. */
static const struct dynkv_counter *find_counter(const struct dynkv_status_reply *reply,
                                                struct dynkv_slice name)
{
    for (uint32_t i = 0; i < reply->counter_count; i++)
        if (dynkv_slice_equal(reply->counters[i].name, name))
            return &reply->counters[i];
    return NULL;
}

/* One row a counter of the view's node, one column a node. */
static void print_counters(const struct status_run *run)
{
    const struct dynkv_status_reply *view = reply_of(&run->asked[0]);
    struct dynkv_table table = {.columns = 1};

    for (uint32_t i = 0; i < run->count; i++)
        table.columns += reply_of(&run->asked[i]) != NULL;
    dynkv_table_text(&table, "COUNTER");
    for (uint32_t i = 0; i < run->count; i++)
        if (reply_of(&run->asked[i]))
            dynkv_table_bytes(&table, reply_of(&run->asked[i])->node_name);
    for (uint32_t row = 0; row < view->counter_count; row++) {
        dynkv_table_bytes(&table, view->counters[row].name);
        for (uint32_t i = 0; i < run->count; i++) {
            const struct dynkv_status_reply *reply = reply_of(&run->asked[i]);
            const struct dynkv_counter *counter =
                reply ? find_counter(reply, view->counters[row].name) : NULL;

            if (counter)
                dynkv_table_format(&table, "%" PRIu64, counter->value);
            else if (reply)
                dynkv_table_text(&table, "-");
        }
    }
    dynkv_table_print(&table);
}

static void print_text(const struct status_run *run)
{
    const struct dynkv_status_reply *view = reply_of(&run->asked[0]);

    printf("cluster %016" PRIx64 ", ring %016" PRIx64 ", %" PRIu32
           " partitions, as seen by %.*s (%.*s, up for %" PRIu64 " s)\n\n",
           view->cluster_id, view->ring_version, view->partitions, (int)view->node_name.len,
           (const char *)view->node_name.data, (int)view->storage.len,
           (const char *)view->storage.data, view->uptime_ms / 1000);
    dynkv_members_print(&run->members);
    if (view->phase)
        printf("\na change of the members is %s: dynkv cluster status\n",
               dynkv_plan_phase(view->phase));
    if (view->counter_count) {
        printf("\n");
        print_counters(run);
    }
    for (uint32_t i = 1; i < run->count; i++)
        if (!reply_of(&run->asked[i]))
            printf("%s does not answer: %s\n", run->asked[i].url,
                   dynkv_request_text(run->asked[i].request));
}

static void json_node(struct dynkv_json *json, const struct node_answer *answer)
{
    const struct dynkv_status_reply *reply = reply_of(answer);

    dynkv_json_begin_object(json, NULL);
    dynkv_json_text(json, "url", dynkv_slice_text(answer->url));
    if (!reply) {
        dynkv_json_text(json, "error",
                        dynkv_slice_text(dynkv_error_name(dynkv_request_error(answer->request))));
        dynkv_json_text(json, "text", dynkv_slice_text(dynkv_request_text(answer->request)));
        dynkv_json_end_object(json);
        return;
    }
    dynkv_json_text(json, "name", reply->node_name);
    dynkv_json_id(json, "id", reply->node_id);
    dynkv_json_id(json, "actor", reply->actor);
    dynkv_json_text(json, "storage", reply->storage);
    dynkv_json_u64(json, "uptime_ms", reply->uptime_ms);
    dynkv_json_id(json, "ring_version", reply->ring_version);
    dynkv_json_begin_object(json, "counters");
    for (uint32_t i = 0; i < reply->counter_count; i++) {
        char name[DYNKV_NAME_MAX + 1];

        snprintf(name, sizeof name, "%.*s", (int)reply->counters[i].name.len,
                 (const char *)reply->counters[i].name.data);
        dynkv_json_u64(json, name, reply->counters[i].value);
    }
    dynkv_json_end_object(json);
    dynkv_json_end_object(json);
}

static void print_json(const struct status_run *run)
{
    const struct dynkv_status_reply *view = reply_of(&run->asked[0]);
    struct dynkv_json json = {0};

    dynkv_json_begin_object(&json, NULL);
    dynkv_json_id(&json, "cluster_id", view->cluster_id);
    dynkv_json_id(&json, "ring_version", view->ring_version);
    dynkv_json_u64(&json, "partitions", view->partitions);
    dynkv_json_text(&json, "seen_by", view->node_name);
    dynkv_json_u64(&json, "epoch", view->epoch);
    dynkv_json_text(&json, "change", dynkv_slice_text(dynkv_plan_phase(view->phase)));
    dynkv_members_json(&json, &run->members);
    dynkv_json_begin_array(&json, "nodes");
    for (uint32_t i = 0; i < run->count; i++)
        json_node(&json, &run->asked[i]);
    dynkv_json_end_array(&json);
    dynkv_json_end_object(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

/* ---- the command ---- */

/* NODE is an address, or a name that the hosts know the address of. */
static int find_named_view(struct status_run *run, const char *node)
{
    const struct dynkv_member *member;
    char url[DYNKV_URL_MAX + 1];
    int code;

    if (strchr(node, ':'))
        return find_view(run, node);
    code = find_view(run, run->cli->options->hosts);
    if (code)
        return code;
    take_members(run);
    member = dynkv_members_find_name(&run->members, node);
    if (member)
        snprintf(url, sizeof url, "%.*s", (int)member->client_url.len,
                 (const char *)member->client_url.data);
    dynkv_members_fini(&run->members);
    run->members = (struct dynkv_members){0};
    if (!member) {
        fprintf(stderr, "dynkv: no member is called '%s'; dynkv status shows them\n", node);
        return DYNKV_EXIT_NOT_FOUND;
    }
    while (run->count > 0)
        dynkv_request_free(run->asked[--run->count].request);
    return find_view(run, url);
}

int dynkv_cmd_status(struct dynkv_cli *cli)
{
    struct status_run run = {.cli = cli};
    const char *node = cli->options->arguments[0];
    int code;

    run.asked = dynkv_calloc(HOSTS_MAX + DYNKV_MEMBERS_MAX, sizeof *run.asked);
    code = node ? find_named_view(&run, node) : find_view(&run, cli->options->hosts);
    if (!code) {
        forget_others(&run);
        take_members(&run);
        if (!node)
            ask_others(&run);
        if (cli->options->json)
            print_json(&run);
        else
            print_text(&run);
    }
    while (run.count > 0)
        dynkv_request_free(run.asked[--run.count].request);
    dynkv_members_fini(&run.members);
    free(run.asked);
    return code;
}
