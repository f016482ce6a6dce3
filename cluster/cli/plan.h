/*
 * plan.h: how a change of the membership is shown: what is staged, how far it is, what it waits for.
 */
#ifndef DYNKV_CLI_PLAN_H
#define DYNKV_CLI_PLAN_H

#include "cli/json.h"
#include "wire/message.h"

/*
 * What a member gets.  How much that is say those who hold it; is_partial: not all of them did.  What it has
 * fetched it says itself; is_known is false if it did not.
 */
struct dynkv_plan_transfer {
    uint64_t gained_keys, gained_bytes;
    bool is_partial;
    bool is_known;
    uint64_t objects, bytes; /* fetched since its start */
    uint64_t left;           /* partitions and keyspaces that it has not proved to hold */
};

/* One word for scripts: "none", "staged", "committing", "moving", "switched", "cancelling". */
const char *dynkv_plan_phase(uint8_t phase);
/* Whether it is committed and not over. */
bool dynkv_plan_is_open(const struct dynkv_cluster_plan *plan);
/* Whether a change under way waits for this member. */
bool dynkv_plan_waits_for(const struct dynkv_cluster_plan *plan,
                          const struct dynkv_plan_member *member);

/* transfers: one a member, in their order. */
void dynkv_plan_print(const struct dynkv_cluster_plan *plan,
                      const struct dynkv_plan_transfer *transfers);
/* An object of that name; without transfers (NULL) what is known of them is left out. */
void dynkv_plan_json(struct dynkv_json *json, const char *name,
                     const struct dynkv_cluster_plan *plan,
                     const struct dynkv_plan_transfer *transfers);

/* Appends "; candidates: n4, n5; members: n1, n2": the names there are. */
void dynkv_plan_put_names(struct dynkv_buf *out, const struct dynkv_cluster_plan *plan);

#endif
