/* layouts_peer.c: what only nodes say to each other. */
#include "wire/layouts.h"

/* ---- objects ---- */

static const struct dynkv_field replicate_item_fields[] = {
    BYTES(replicate_item, key, DYNKV_KEY_MAX),
    U32(replicate_item, partition_len),
    BYTES(replicate_item, object, DYNKV_MESSAGE_MAX),
};
LAYOUT(replicate_item)

static const struct dynkv_field replicate_fields[] = {
    FIXED64(replicate, keyspace),
    LIST(replicate, items, item_count, replicate_item, DYNKV_BATCH_ITEMS_MAX),
    FIXED64(replicate, hint_for),
};
LAYOUT(replicate)

static const struct dynkv_field replicate_reply_fields[] = {
    U8(replicate_reply, error),
};
LAYOUT(replicate_reply)

/* ---- verified scans ---- */

static const struct dynkv_field verify_segment_fields[] = {
    U32(verify_segment, partition),
    BYTES(verify_segment, lower, BOUND_MAX),
    BYTES(verify_segment, upper, BOUND_MAX),
    FIXED64(verify_segment, digest),
    U32(verify_segment, count),
};
static LAYOUT(verify_segment)

    static const struct dynkv_field verify_fields[] = {
        FIXED64(verify, keyspace),
        LIST(verify, segments, segment_count, verify_segment, DYNKV_PARTITIONS_MAX),
        U8(verify, order),
        BYTES(verify, lower, BOUND_MAX),
        BYTES(verify, upper, BOUND_MAX),
};
LAYOUT(verify)

static const struct dynkv_field verify_result_fields[] = {
    U8(verify_result, equal),
    U8(verify_result, truncated),
    LIST(verify_result, entries, entry_count, scan_entry, DYNKV_SCAN_ITEMS_MAX),
};
static LAYOUT(verify_result)

    static const struct dynkv_field verify_reply_fields[] = {
        U8(verify_reply, error),
        LIST(verify_reply, results, result_count, verify_result, DYNKV_PARTITIONS_MAX),
        U8(verify_reply, is_cut),
        BYTES(verify_reply, cut_key, BOUND_MAX),
};
LAYOUT(verify_reply)

/* ---- membership ---- */

static const struct dynkv_field report_fields[] = {
    FIXED64(report, id),
    U64(report, incarnation),
    FIXED64(report, facts),
    LIST(report, accusers, accuser_count, accuser, DYNKV_MEMBERS_MAX),
};
static LAYOUT(report)

    static const struct dynkv_field ping_fields[] = {
        FIXED64(ping, tables_digest),
        FIXED64(ping, target),
        FIXED64(ping, asked_by),
        U64(ping, sequence),
        LIST(ping, news, news_count, member, DYNKV_NEWS_MAX),
        LIST(ping, reports, report_count, report, DYNKV_NEWS_MAX),
};
LAYOUT(ping)

static const struct dynkv_field ping_reply_fields[] = {
    FIXED64(ping_reply, tables_digest),
    FIXED64(ping_reply, target),
    U64(ping_reply, sequence),
    LIST(ping_reply, news, news_count, member, DYNKV_NEWS_MAX),
    LIST(ping_reply, reports, report_count, report, DYNKV_NEWS_MAX),
};
LAYOUT(ping_reply)

static const struct dynkv_field ping_nack_fields[] = {
    FIXED64(ping_nack, target),
    U64(ping_nack, sequence),
};
LAYOUT(ping_nack)

static const struct dynkv_field restarted_fields[] = {
    LIST(restarted, members, member_count, member, 1),
};
LAYOUT(restarted)

static const struct dynkv_field restarted_reply_fields[] = {
    LIST(restarted_reply, members, member_count, member, 1),
};
LAYOUT(restarted_reply)

static const struct dynkv_field gossip_fields[] = {
    LIST(gossip, members, member_count, member, DYNKV_MEMBERS_MAX),
    LIST(gossip, keyspaces, keyspace_count, keyspace_info, DYNKV_KEYSPACES_MAX),
    U8(gossip, answer),
    LIST(gossip, tables, table_count, ring_table, 1),
    LIST(gossip, changes, change_count, change_record, 1),
    U8(gossip, whole),
    U8(gossip, unsure),
};
LAYOUT(gossip)

static const struct dynkv_field join_fields[] = {
    LIST(join, members, member_count, member, 1),
};
LAYOUT(join)

static const struct dynkv_field join_reply_fields[] = {
    U8(join_reply, error),
    BYTES(join_reply, text, DYNKV_TEXT_MAX),
    FIXED64(join_reply, cluster_id),
    U32(join_reply, partitions),
    LIST(join_reply, members, member_count, member, DYNKV_MEMBERS_MAX),
    LIST(join_reply, keyspaces, keyspace_count, keyspace_info, DYNKV_KEYSPACES_MAX),
    LIST(join_reply, tables, table_count, ring_table, 1),
    LIST(join_reply, changes, change_count, change_record, 1),
};
LAYOUT(join_reply)

/* ---- anti-entropy ---- */

static const struct dynkv_field tree_root_fields[] = {
    U32(tree_root, partition),
    FIXED64(tree_root, root),
};
static LAYOUT(tree_root)

    static const struct dynkv_field tree_keyspace_fields[] = {
        FIXED64(tree_keyspace, keyspace),
        LIST(tree_keyspace, roots, root_count, tree_root, DYNKV_PARTITIONS_MAX),
};
static LAYOUT(tree_keyspace)

    static const struct dynkv_field tree_roots_fields[] = {
        LIST(tree_roots, keyspaces, keyspace_count, tree_keyspace, DYNKV_KEYSPACES_MAX),
};
LAYOUT(tree_roots)

static const struct dynkv_field tree_place_fields[] = {
    FIXED64(tree_place, keyspace),
    U32(tree_place, partition),
};
static LAYOUT(tree_place)

    static const struct dynkv_field tree_roots_reply_fields[] = {
        U8(tree_roots_reply, error),
        LIST(tree_roots_reply, places, place_count, tree_place, DYNKV_PARTITIONS_MAX),
};
LAYOUT(tree_roots_reply)

static const struct dynkv_field tree_index_fields[] = {
    U32(tree_index, index),
};
static LAYOUT(tree_index)

    static const struct dynkv_field tree_part_fields[] = {
        FIXED64(tree_part, keyspace),
        U32(tree_part, partition),
        LIST(tree_part, nodes, node_count, tree_index, DYNKV_TREE_LEAVES),
};
static LAYOUT(tree_part)

    static const struct dynkv_field tree_nodes_fields[] = {
        U32(tree_nodes, level),
        LIST(tree_nodes, parts, part_count, tree_part, DYNKV_TREE_PARTS_MAX),
        U8(tree_nodes, quiet),
};
LAYOUT(tree_nodes)

static const struct dynkv_field tree_sum_fields[] = {
    FIXED64(tree_sum, sum),
};
static LAYOUT(tree_sum)

    static const struct dynkv_field tree_nodes_reply_fields[] = {
        U8(tree_nodes_reply, error),
        LIST(tree_nodes_reply, sums, sum_count, tree_sum, DYNKV_TREE_PARTS_MAX *DYNKV_TREE_LEAVES),
};
LAYOUT(tree_nodes_reply)

static const struct dynkv_field leaf_keys_fields[] = {
    FIXED64(leaf_keys, keyspace),
    U32(leaf_keys, partition),
    LIST(leaf_keys, leaves, leaf_count, tree_index, DYNKV_TREE_LEAVES),
    BYTES(leaf_keys, lower, BOUND_MAX),
    U8(leaf_keys, busy_too),
};
LAYOUT(leaf_keys)

static const struct dynkv_field leaf_key_fields[] = {
    BYTES(leaf_key, key, DYNKV_KEY_MAX),
    U32(leaf_key, partition_len),
    FIXED64(leaf_key, digest),
    BYTES(leaf_key, version, CONTEXT_MAX),
};
static LAYOUT(leaf_key)

    static const struct dynkv_field leaf_keys_reply_fields[] = {
        U8(leaf_keys_reply, error),
        U8(leaf_keys_reply, more),
        BYTES(leaf_keys_reply, next, BOUND_MAX),
        LIST(leaf_keys_reply, keys, key_count, leaf_key, DYNKV_SCAN_ITEMS_MAX),
};
LAYOUT(leaf_keys_reply)

/* ---- reaping ---- */

static const struct dynkv_field reap_item_fields[] = {
    BYTES(reap_item, key, DYNKV_KEY_MAX),
    U32(reap_item, partition_len),
    FIXED64(reap_item, digest),
};
static LAYOUT(reap_item)

    static const struct dynkv_field reap_check_fields[] = {
        FIXED64(reap_check, keyspace),
        U32(reap_check, partition),
        U8(reap_check, n),
        LIST(reap_check, items, item_count, reap_item, DYNKV_BATCH_ITEMS_MAX),
};
LAYOUT(reap_check)

static const struct dynkv_field reap_index_fields[] = {
    U32(reap_index, index),
};
static LAYOUT(reap_index)

    static const struct dynkv_field reap_check_reply_fields[] = {
        U8(reap_check_reply, error),
        LIST(reap_check_reply, held, held_count, reap_index, DYNKV_BATCH_ITEMS_MAX),
};
LAYOUT(reap_check_reply)

static const struct dynkv_field reap_quiet_fields[] = {
    FIXED64(reap_quiet, keyspace),
    U32(reap_quiet, partition),
    U8(reap_quiet, n),
    FIXED64(reap_quiet, fence),
};
LAYOUT(reap_quiet)

static const struct dynkv_field reap_quiet_reply_fields[] = {
    U8(reap_quiet_reply, error),
};
LAYOUT(reap_quiet_reply)

static const struct dynkv_field reap_fields[] = {
    FIXED64(reap, keyspace),
    U32(reap, partition),
    U8(reap, n),
    FIXED64(reap, fence),
    LIST(reap, items, item_count, reap_item, DYNKV_BATCH_ITEMS_MAX),
};
LAYOUT(reap)

static const struct dynkv_field reap_reply_fields[] = {
    U8(reap_reply, error),
    U32(reap_reply, reaped),
};
LAYOUT(reap_reply)
