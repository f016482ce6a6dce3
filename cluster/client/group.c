/* group.c: items by node, cut into messages. */
#include "client/group.h"

#include <stdlib.h>

void dynkv_grouping_begin(struct dynkv_grouping *grouping, struct dynkv_client *client)
{
    grouping->entry_count = 0;
    grouping->bucket_count = 0;
    grouping->bucket_at = 0;
    /* Sessions remember their bucket together with the stamp, so nothing needs to be cleared. */
    grouping->stamp = ++client->last_group_stamp;
}

static struct dynkv_group_bucket *bucket_of(struct dynkv_grouping *grouping,
                                            struct dynkv_session *session)
{
    if (session->group_stamp == grouping->stamp)
        return &grouping->buckets[session->group_index];
    if (grouping->bucket_count == grouping->bucket_cap) {
        grouping->bucket_cap = grouping->bucket_cap ? grouping->bucket_cap * 2 : 4;
        grouping->buckets =
            dynkv_realloc(grouping->buckets, grouping->bucket_cap * sizeof *grouping->buckets);
    }
    session->group_stamp = grouping->stamp;
    session->group_index = grouping->bucket_count;
    grouping->buckets[grouping->bucket_count] =
        (struct dynkv_group_bucket){session, DYNKV_GROUP_END, DYNKV_GROUP_END};
    return &grouping->buckets[grouping->bucket_count++];
}

void dynkv_grouping_add(struct dynkv_grouping *grouping, struct dynkv_session *session,
                        const struct dynkv_group_entry *entry)
{
    struct dynkv_group_bucket *bucket = bucket_of(grouping, session);
    uint32_t at = grouping->entry_count;

    if (at == grouping->entry_cap) {
        grouping->entry_cap = grouping->entry_cap ? grouping->entry_cap * 2 : 8;
        grouping->entries =
            dynkv_realloc(grouping->entries, grouping->entry_cap * sizeof *grouping->entries);
    }
    grouping->entries[at] = *entry;
    grouping->entries[at].next = DYNKV_GROUP_END;
    grouping->entry_count++;
    if (bucket->first == DYNKV_GROUP_END)
        bucket->first = at;
    else
        grouping->entries[bucket->last].next = at;
    bucket->last = at;
}

bool dynkv_grouping_next(struct dynkv_grouping *grouping, struct dynkv_group *out)
{
    struct dynkv_group_bucket *bucket;
    size_t bytes = 0;
    uint32_t at;

    while (grouping->bucket_at < grouping->bucket_count &&
           grouping->buckets[grouping->bucket_at].first == DYNKV_GROUP_END)
        grouping->bucket_at++;
    if (grouping->bucket_at == grouping->bucket_count)
        return false;
    bucket = &grouping->buckets[grouping->bucket_at];
    *out = (struct dynkv_group){.session = bucket->session, .first = bucket->first};
    for (at = bucket->first; at != DYNKV_GROUP_END; at = grouping->entries[at].next) {
        bytes += grouping->entries[at].bytes;
        if (out->count && (bytes > DYNKV_BATCH_MAX || out->count == DYNKV_BATCH_ITEMS_MAX))
            break;
        out->count++;
    }
    bucket->first = at;
    return true;
}

void dynkv_grouping_fini(struct dynkv_grouping *grouping)
{
    free(grouping->entries);
    free(grouping->buckets);
    memset(grouping, 0, sizeof *grouping);
}
