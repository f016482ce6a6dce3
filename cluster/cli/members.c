/* members.c: how status and ring speak of members. */
#include "cli/members.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/table.h"

static int by_name(const void *a, const void *b)
{
    const struct dynkv_member *left = a, *right = b;
    int order = dynkv_slice_compare(left->name, right->name);

    return order ? order : (left->id > right->id) - (left->id < right->id);
}

void dynkv_members_init(struct dynkv_members *members, const struct dynkv_member *list,
                        uint32_t count, const struct dynkv_accuser *down, uint32_t down_count)
{
    members->list = dynkv_calloc((size_t)count + 1, sizeof *members->list);
    if (count)
        memcpy(members->list, list, count * sizeof *list);
    qsort(members->list, count, sizeof *members->list, by_name);
    members->count = count;
    members->down = down;
    members->down_count = down_count;
    members->leaving = NULL;
    members->leaving_count = 0;
}

void dynkv_members_fini(struct dynkv_members *members)
{
    free(members->list);
}

static bool is_among(const struct dynkv_accuser *list, uint32_t count, uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].id == id)
            return true;
    return false;
}

const char *dynkv_members_state(const struct dynkv_members *members,
                                const struct dynkv_member *member)
{
    if (member->left)
        return "left";
    if (member->excluded)
        return "excluded";
    return is_among(members->down, members->down_count, member->id) ? "down" : "up";
}

const char *dynkv_members_role(const struct dynkv_members *members,
                               const struct dynkv_member *member)
{
    if (member->left)
        return "-";
    if (is_among(members->leaving, members->leaving_count, member->id))
        return "leaving";
    return member->joined ? "member" : "candidate";
}

const struct dynkv_member *dynkv_members_find(const struct dynkv_members *members, uint64_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->list[i].id == id)
            return &members->list[i];
    return NULL;
}

const struct dynkv_member *dynkv_members_find_name(const struct dynkv_members *members,
                                                   const char *name)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (dynkv_slice_equal(members->list[i].name, dynkv_slice_text(name)))
            return &members->list[i];
    return NULL;
}

void dynkv_members_print(const struct dynkv_members *members)
{
    struct dynkv_table table = {.columns = 8};

    dynkv_table_text(&table, "MEMBER");
    dynkv_table_text(&table, "ID");
    dynkv_table_text(&table, "STATE");
    dynkv_table_text(&table, "ROLE");
    dynkv_table_text(&table, "ZONE");
    dynkv_table_text(&table, "WEIGHT");
    dynkv_table_text(&table, "CLIENT URL");
    dynkv_table_text(&table, "PEER URL");
    for (uint32_t i = 0; i < members->count; i++) {
        const struct dynkv_member *member = &members->list[i];

        dynkv_table_bytes(&table, member->name);
        dynkv_table_format(&table, "%016" PRIx64, member->id);
        dynkv_table_text(&table, dynkv_members_state(members, member));
        dynkv_table_text(&table, dynkv_members_role(members, member));
        dynkv_table_bytes(&table, member->zone);
        dynkv_table_format(&table, "%" PRIu32, member->weight);
        dynkv_table_bytes(&table, member->client_url);
        dynkv_table_bytes(&table, member->peer_url);
    }
    dynkv_table_print(&table);
}

void dynkv_members_json(struct dynkv_json *json, const struct dynkv_members *members)
{
    dynkv_json_begin_array(json, "members");
    for (uint32_t i = 0; i < members->count; i++) {
        const struct dynkv_member *member = &members->list[i];

        dynkv_json_begin_object(json, NULL);
        dynkv_json_text(json, "name", member->name);
        dynkv_json_id(json, "id", member->id);
        dynkv_json_text(json, "state", dynkv_slice_text(dynkv_members_state(members, member)));
        dynkv_json_text(json, "role", dynkv_slice_text(dynkv_members_role(members, member)));
        dynkv_json_text(json, "zone", member->zone);
        dynkv_json_u64(json, "weight", member->weight);
        dynkv_json_text(json, "client_url", member->client_url);
        dynkv_json_text(json, "peer_url", member->peer_url);
        dynkv_json_id(json, "ring_version", member->ring_version);
        dynkv_json_end_object(json);
    }
    dynkv_json_end_array(json);
}
