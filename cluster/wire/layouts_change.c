/* layouts_change.c: staged changes of the membership: what clients ask, what nodes gossip and prove. */
#include "wire/layouts.h"

/* ---- asked by clients ---- */

static const struct dynkv_field cluster_change_fields[] = {
    U8(cluster_change, action),
    BYTES(cluster_change, name, DYNKV_NAME_MAX),
    BYTES(cluster_change, other, DYNKV_NAME_MAX),
};
LAYOUT(cluster_change)

static const struct dynkv_field plan_entry_fields[] = {
    U8(plan_entry, kind),
    FIXED64(plan_entry, member),
    FIXED64(plan_entry, other),
    BYTES(plan_entry, member_name, DYNKV_NAME_MAX),
    BYTES(plan_entry, other_name, DYNKV_NAME_MAX),
};
static LAYOUT(plan_entry)

    static const struct dynkv_field plan_member_fields[] = {
        FIXED64(plan_member, id),
        BYTES(plan_member, name, DYNKV_NAME_MAX),
        U8(plan_member, role),
        U8(plan_member, down),
        U8(plan_member, excluded),
        U32(plan_member, replicas_before),
        U32(plan_member, replicas_after),
        U32(plan_member, gained),
        U32(plan_member, lost),
        U8(plan_member, accepted),
        U8(plan_member, ready),
        U8(plan_member, seen),
        U8(plan_member, reverted),
        U64(plan_member, gained_keys),
        U64(plan_member, gained_bytes),
};
static LAYOUT(plan_member)

    static const struct dynkv_field blocker_fields[] = {
        BYTES(blocker, text, DYNKV_TEXT_MAX),
};
static LAYOUT(blocker)

    static const struct dynkv_field cluster_plan_fields[] = {
        U8(cluster_plan, phase),
        U64(cluster_plan, epoch),
        U64(cluster_plan, changes),
        LIST(cluster_plan, entries, entry_count, plan_entry, DYNKV_CHANGES_MAX),
        LIST(cluster_plan, members, member_count, plan_member, DYNKV_MEMBERS_MAX),
        LIST(cluster_plan, blockers, blocker_count, blocker, DYNKV_BLOCKERS_MAX),
        U8(cluster_plan, uncounted),
};
LAYOUT(cluster_plan)

/* ---- gossiped ---- */

static const struct dynkv_field ring_table_fields[] = {
    U64(ring_table, epoch),
    U64(ring_table, changes),
    LIST(ring_table, places, place_count, place, DYNKV_PLACES_MAX),
};
LAYOUT(ring_table)

static const struct dynkv_field change_entry_fields[] = {
    U8(change_entry, kind),
    FIXED64(change_entry, member),
    FIXED64(change_entry, other),
};
static LAYOUT(change_entry)

    static const struct dynkv_field change_record_fields[] = {
        U64(change_record, number),
        FIXED64(change_record, id),
        FIXED64(change_record, stamp),
        U8(change_record, committed),
        U8(change_record, cancelled),
        LIST(change_record, entries, entry_count, change_entry, DYNKV_CHANGES_MAX),
        LIST(change_record, accepted, accepted_count, accuser, DYNKV_MEMBERS_MAX),
        LIST(change_record, ready, ready_count, accuser, DYNKV_MEMBERS_MAX),
        LIST(change_record, seen, seen_count, accuser, DYNKV_MEMBERS_MAX),
        LIST(change_record, reverted, reverted_count, accuser, DYNKV_MEMBERS_MAX),
        LIST(change_record, places, place_count, place, DYNKV_PLACES_MAX),
};
LAYOUT(change_record)

/* ---- proofs and transfers ---- */

static const struct dynkv_field prove_place_fields[] = {
    FIXED64(prove_place, keyspace),
    U32(prove_place, partition),
    FIXED64(prove_place, root),
};
static LAYOUT(prove_place)

    static const struct dynkv_field prove_fields[] = {
        LIST(prove, places, place_count, prove_place, DYNKV_PARTITIONS_MAX),
};
LAYOUT(prove)

static const struct dynkv_field prove_result_fields[] = {
    U8(prove_result, proof),
};
static LAYOUT(prove_result)

    static const struct dynkv_field prove_reply_fields[] = {
        LIST(prove_reply, results, result_count, prove_result, DYNKV_PARTITIONS_MAX),
};
LAYOUT(prove_reply)

static const struct dynkv_field pull_fields[] = {
    FIXED64(pull, keyspace),
    U32(pull, partition),
    BYTES(pull, lower, BOUND_MAX),
};
LAYOUT(pull)

static const struct dynkv_field pull_reply_fields[] = {
    U8(pull_reply, error),
    U8(pull_reply, more),
    BYTES(pull_reply, next, BOUND_MAX),
    LIST(pull_reply, items, item_count, replicate_item, DYNKV_SCAN_ITEMS_MAX),
};
LAYOUT(pull_reply)
