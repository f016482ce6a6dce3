/*
 * members.h: how status and ring speak of members.
 */
#ifndef DYNKV_CLI_MEMBERS_H
#define DYNKV_CLI_MEMBERS_H

#include "cli/json.h"
#include "wire/message.h"

/* What a node or a ring reply tells of the members, in the order of their names. */
struct dynkv_members {
    struct dynkv_member *list; /* on the heap; what they point to is borrowed */
    uint32_t count;
    const struct dynkv_accuser *down;
    uint32_t down_count;
    const struct dynkv_accuser *leaving; /* after init: empty */
    uint32_t leaving_count;
};

void dynkv_members_init(struct dynkv_members *members, const struct dynkv_member *list,
                        uint32_t count, const struct dynkv_accuser *down, uint32_t down_count);
void dynkv_members_fini(struct dynkv_members *members);

/* "up", "down", "excluded", or "left". */
const char *dynkv_members_state(const struct dynkv_members *members,
                                const struct dynkv_member *member);
/* "member", "candidate", "leaving", or "-": it has left. */
const char *dynkv_members_role(const struct dynkv_members *members,
                               const struct dynkv_member *member);
const struct dynkv_member *dynkv_members_find(const struct dynkv_members *members, uint64_t id);
const struct dynkv_member *dynkv_members_find_name(const struct dynkv_members *members,
                                                   const char *name);

void dynkv_members_print(const struct dynkv_members *members);
/* "members": [...] */
void dynkv_members_json(struct dynkv_json *json, const struct dynkv_members *members);

#endif
