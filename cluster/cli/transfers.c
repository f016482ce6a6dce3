/* transfers.c: asks all members at once: what of theirs others will fetch, and what they have fetched. */
#include "cli/transfers.h"

#include <stdio.h>
#include <stdlib.h>

#define TRANSFER_DEADLINE_MS 1000u

/* What one member is asked; NULL: nothing. */
struct question {
    struct dynkv_request *plan, *status;
};

static void take_status(const struct dynkv_status_reply *reply, struct dynkv_plan_transfer *out)
{
    out->is_known = true;
    for (uint32_t i = 0; i < reply->counter_count; i++) {
        struct dynkv_slice name = reply->counters[i].name;

        if (dynkv_slice_equal(name, dynkv_slice_text("transfer_objects")))
            out->objects = reply->counters[i].value;
        if (dynkv_slice_equal(name, dynkv_slice_text("transfer_bytes")))
            out->bytes = reply->counters[i].value;
        if (dynkv_slice_equal(name, dynkv_slice_text("transfer_left")))
            out->left = reply->counters[i].value;
    }
}

/* What one member can tell of what all the others gain. */
static void take_plan(const struct dynkv_cluster_plan *plan,
                      const struct dynkv_cluster_plan *theirs,
                      struct dynkv_plan_transfer *transfers)
{
    for (uint32_t i = 0; i < theirs->member_count; i++)
        for (uint32_t j = 0; j < plan->member_count; j++) {
            if (plan->members[j].id != theirs->members[i].id)
                continue;
            transfers[j].gained_keys += theirs->members[i].gained_keys;
            transfers[j].gained_bytes += theirs->members[i].gained_bytes;
            transfers[j].is_partial |= theirs->uncounted > 0;
        }
}

/* Where the member listens, as any node knows. */
static bool find_url(const struct dynkv_status_reply *view, uint64_t id,
                     char url[DYNKV_URL_MAX + 1])
{
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct dynkv_member *member = &view->members[i];

        if (member->id != id)
            continue;
        snprintf(url, DYNKV_URL_MAX + 1, "%.*s", (int)member->client_url.len,
                 (const char *)member->client_url.data);
        return true;
    }
    return false;
}

/* Only who held a replica before can say what others will fetch of it. */
static struct question ask_member(struct dynkv_cli *cli, const struct dynkv_cluster_plan *plan,
                                  const struct dynkv_plan_member *member, const char *url)
{
    struct question question = {NULL, NULL};

    if (member->replicas_before)
        question.plan = dynkv_plan_start(cli->client, url, TRANSFER_DEADLINE_MS);
    if (member->gained && dynkv_plan_is_open(plan))
        question.status = dynkv_status_start(cli->client, url, TRANSFER_DEADLINE_MS);
    return question;
}

static void take_answers(const struct dynkv_cluster_plan *plan, uint32_t member,
                         struct question *question, struct dynkv_plan_transfer *transfers,
                         bool *is_partial)
{
    if (question->plan) {
        dynkv_request_wait(question->plan);
        if (dynkv_request_error(question->plan))
            *is_partial = true;
        else
            take_plan(plan, dynkv_request_plan(question->plan), transfers);
    }
    if (question->status) {
        dynkv_request_wait(question->status);
        if (!dynkv_request_error(question->status))
            take_status(dynkv_request_status(question->status), &transfers[member]);
    }
    dynkv_request_free(question->plan);
    dynkv_request_free(question->status);
}

static void ask_all(struct dynkv_cli *cli, const struct dynkv_cluster_plan *plan,
                    const struct dynkv_status_reply *view, struct dynkv_plan_transfer *transfers)
{
    struct question *questions = dynkv_calloc((size_t)plan->member_count + 1, sizeof *questions);
    char url[DYNKV_URL_MAX + 1];
    bool is_partial = false;

    for (uint32_t i = 0; i < plan->member_count; i++)
        if (!plan->members[i].down && find_url(view, plan->members[i].id, url))
            questions[i] = ask_member(cli, plan, &plan->members[i], url);
    for (uint32_t i = 0; i < plan->member_count; i++)
        take_answers(plan, i, &questions[i], transfers, &is_partial);
    for (uint32_t i = 0; i < plan->member_count; i++)
        transfers[i].is_partial |= is_partial;
    free(questions);
}

struct dynkv_plan_transfer *dynkv_cli_transfers(struct dynkv_cli *cli,
                                                const struct dynkv_cluster_plan *plan)
{
    struct dynkv_plan_transfer *transfers =
        dynkv_calloc((size_t)plan->member_count + 1, sizeof *transfers);
    struct dynkv_request *view;

    if (plan->phase == DYNKV_CHANGE_NONE)
        return transfers;
    view = dynkv_status_start(cli->client, NULL, TRANSFER_DEADLINE_MS);
    dynkv_request_wait(view);
    if (!dynkv_request_error(view))
        ask_all(cli, plan, dynkv_request_status(view), transfers);
    for (uint32_t i = 0; dynkv_request_error(view) && i < plan->member_count; i++)
        transfers[i].is_partial = true;
    dynkv_request_free(view);
    return transfers;
}
