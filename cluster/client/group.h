/*
 * group.h: puts items that go to many nodes into as few messages as the limits allow.
 *
 *   begin; add for each item; while (next) { send group.count entries }; end
 *
 * A message takes at most DYNKV_BATCH_ITEMS_MAX entries and DYNKV_BATCH_MAX bytes; one entry that is
 * larger goes alone.  Entries of one node stay in the order in which they were added.
 */
#ifndef DYNKV_CLIENT_GROUP_H
#define DYNKV_CLIENT_GROUP_H

#include "client/client.h"

struct dynkv_group_entry {
    uint32_t item;    /* the caller's: which of its items */
    uint32_t replica; /* the caller's: as which replica the node is asked */
    uint8_t want;     /* the caller's: enum dynkv_want */
    uint32_t next;    /* entry of the same node, or DYNKV_GROUP_END */
    size_t bytes;
};

#define DYNKV_GROUP_END UINT32_MAX

struct dynkv_group_bucket {
    struct dynkv_session *session;
    uint32_t first, last;
};

/* Zero-initialised is valid; may be used again and again, which keeps the memory. */
struct dynkv_grouping {
    struct dynkv_group_entry *entries;
    uint32_t entry_count, entry_cap;
    struct dynkv_group_bucket *buckets;
    uint32_t bucket_count, bucket_cap;
    uint32_t bucket_at; /* where next() is */
    uint64_t stamp;
};

/* One message's worth: count entries from first on, linked by next. */
struct dynkv_group {
    struct dynkv_session *session;
    uint32_t first;
    uint32_t count;
};

void dynkv_grouping_begin(struct dynkv_grouping *grouping, struct dynkv_client *client);
void dynkv_grouping_add(struct dynkv_grouping *grouping, struct dynkv_session *session,
                        const struct dynkv_group_entry *entry);
bool dynkv_grouping_next(struct dynkv_grouping *grouping, struct dynkv_group *out);
void dynkv_grouping_fini(struct dynkv_grouping *grouping);

#endif
