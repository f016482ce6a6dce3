/* layouts_cluster.c: the generic replies, the session, and the facts about the cluster. */
#include "wire/layouts.h"

/* Numbers that a node tells of itself in STATUS. */
#define COUNTERS_MAX 1024u

static const struct dynkv_field error_reply_fields[] = {
    U8(error_reply, error),
    BYTES(error_reply, text, DYNKV_TEXT_MAX),
};
LAYOUT(error_reply)

LAYOUT_EMPTY(done)

static const struct dynkv_field hello_fields[] = {
    U32(hello, protocol_min),
    U32(hello, protocol_max),
    U64(hello, capabilities),
    BYTES(hello, client_name, DYNKV_NAME_MAX),
    BYTES(hello, credentials, DYNKV_TEXT_MAX),
};
LAYOUT(hello)

static const struct dynkv_field hello_reply_fields[] = {
    U32(hello_reply, protocol),
    U64(hello_reply, capabilities),
    FIXED64(hello_reply, cluster_id),
    FIXED64(hello_reply, node_id),
    BYTES(hello_reply, node_name, DYNKV_NAME_MAX),
    BYTES(hello_reply, software, DYNKV_NAME_MAX),
};
LAYOUT(hello_reply)

/* ---- members ---- */

static const struct dynkv_field accuser_fields[] = {
    FIXED64(accuser, id),
};
LAYOUT(accuser)

static const struct dynkv_field member_fields[] = {
    FIXED64(member, id),
    U64(member, incarnation),
    BYTES(member, name, DYNKV_NAME_MAX),
    BYTES(member, zone, DYNKV_NAME_MAX),
    BYTES(member, client_url, DYNKV_URL_MAX),
    BYTES(member, peer_url, DYNKV_URL_MAX),
    U32(member, weight),
    FIXED64(member, joined),
    FIXED64(member, ring_version),
    U8(member, holds_data),
    FIXED64(member, left),
    LIST(member, accusers, accuser_count, accuser, DYNKV_MEMBERS_MAX),
    FIXED64(member, excluded),
    FIXED64(member, run),
};
LAYOUT(member)

static const struct dynkv_field place_fields[] = {
    FIXED64(place, id), FIXED64(place, holder), FIXED64(place, zone),
    U32(place, weight), FIXED64(place, joined), FIXED64(place, left),
};
LAYOUT(place)

static const struct dynkv_field ring_request_fields[] = {
    FIXED64(ring_request, known_version),
};
LAYOUT(ring_request)

static const struct dynkv_field ring_reply_fields[] = {
    FIXED64(ring_reply, cluster_id),
    FIXED64(ring_reply, ring_version),
    U32(ring_reply, partitions),
    LIST(ring_reply, members, member_count, member, DYNKV_MEMBERS_MAX),
    LIST(ring_reply, down, down_count, accuser, DYNKV_MEMBERS_MAX),
    U64(ring_reply, epoch),
    LIST(ring_reply, places, place_count, place, DYNKV_PLACES_MAX),
};
LAYOUT(ring_reply)

/* ---- status ---- */

LAYOUT_EMPTY(status)

static const struct dynkv_field counter_fields[] = {
    BYTES(counter, name, DYNKV_NAME_MAX),
    U64(counter, value),
};
static LAYOUT(counter)

    static const struct dynkv_field status_reply_fields[] = {
        FIXED64(status_reply, node_id),
        BYTES(status_reply, node_name, DYNKV_NAME_MAX),
        FIXED64(status_reply, cluster_id),
        BYTES(status_reply, storage, DYNKV_NAME_MAX),
        U64(status_reply, uptime_ms),
        FIXED64(status_reply, ring_version),
        U32(status_reply, partitions),
        LIST(status_reply, members, member_count, member, DYNKV_MEMBERS_MAX),
        LIST(status_reply, down, down_count, accuser, DYNKV_MEMBERS_MAX),
        LIST(status_reply, counters, counter_count, counter, COUNTERS_MAX),
        FIXED64(status_reply, actor),
        U64(status_reply, epoch),
        U8(status_reply, phase),
        LIST(status_reply, leaving, leaving_count, accuser, DYNKV_MEMBERS_MAX),
};
LAYOUT(status_reply)

/* ---- keyspaces ---- */

static const struct dynkv_field keyspace_info_fields[] = {
    FIXED64(keyspace_info, id),     BYTES(keyspace_info, name, DYNKV_NAME_MAX),
    U32(keyspace_info, generation), FIXED64(keyspace_info, stamp),
    U8(keyspace_info, dropped),     U8(keyspace_info, n),
    U8(keyspace_info, r),           U8(keyspace_info, w),
    U64(keyspace_info, ttl_ms),
};
LAYOUT(keyspace_info)

static const struct dynkv_field extent_fields[] = {
    U64(extent, keys),
    U64(extent, bytes),
};
LAYOUT(extent)

static const struct dynkv_field keyspace_open_fields[] = {
    BYTES(keyspace_open, name, DYNKV_NAME_MAX),
    U8(keyspace_open, flags),
    U8(keyspace_open, n),
    U8(keyspace_open, r),
    U8(keyspace_open, w),
    U64(keyspace_open, ttl_ms),
    U8(keyspace_open, has_ttl),
};
LAYOUT(keyspace_open)

static const struct dynkv_field keyspace_drop_fields[] = {
    BYTES(keyspace_drop, name, DYNKV_NAME_MAX),
};
LAYOUT(keyspace_drop)

LAYOUT_EMPTY(keyspace_list)

static const struct dynkv_field keyspace_reply_fields[] = {
    LIST(keyspace_reply, keyspaces, keyspace_count, keyspace_info, DYNKV_KEYSPACES_MAX),
    LIST(keyspace_reply, extent, extent_count, extent, 1),
};
LAYOUT(keyspace_reply)
