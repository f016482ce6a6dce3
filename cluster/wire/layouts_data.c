/* layouts_data.c: reads, writes, scans and repair. */
#include "wire/layouts.h"

/* ---- get ---- */

static const struct dynkv_field get_item_fields[] = {
    BYTES(get_item, key, DYNKV_KEY_MAX),
    U32(get_item, partition_len),
    U8(get_item, want),
};
static LAYOUT(get_item)

    static const struct dynkv_field get_fields[] = {
        FIXED64(get, keyspace),
        U8(get, flags),
        U8(get, r),
        LIST(get, items, item_count, get_item, DYNKV_BATCH_ITEMS_MAX),
};
LAYOUT(get)

static const struct dynkv_field get_result_fields[] = {
    U8(get_result, error),
    U8(get_result, answers),
    FIXED64(get_result, digest),
    BYTES(get_result, object, DYNKV_MESSAGE_MAX),
};
static LAYOUT(get_result)

    static const struct dynkv_field get_reply_fields[] = {
        LIST(get_reply, results, result_count, get_result, DYNKV_BATCH_ITEMS_MAX),
        LIST(get_reply, extent, extent_count, extent, 1),
};
LAYOUT(get_reply)

/* ---- put ---- */

static const struct dynkv_field put_item_fields[] = {
    BYTES(put_item, key, DYNKV_KEY_MAX),
    U32(put_item, partition_len),
    U8(put_item, flags),
    BYTES(put_item, context, CONTEXT_MAX),
    U64(put_item, expires_at_ms),
    BYTES(put_item, value, DYNKV_VALUE_MAX),
};
static LAYOUT(put_item)

    static const struct dynkv_field put_fields[] = {
        FIXED64(put, keyspace),
        U8(put, flags),
        U8(put, w),
        FIXED64(put, client),
        U64(put, sequence),
        LIST(put, items, item_count, put_item, DYNKV_BATCH_ITEMS_MAX),
        FIXED64(put, stamp),
};
LAYOUT(put)

static const struct dynkv_field put_result_fields[] = {
    U8(put_result, error),
    U8(put_result, acks),
    BYTES(put_result, context, CONTEXT_MAX),
    FIXED64(put_result, timestamp),
    U8(put_result, siblings),
};
static LAYOUT(put_result)

    static const struct dynkv_field put_reply_fields[] = {
        LIST(put_reply, results, result_count, put_result, DYNKV_BATCH_ITEMS_MAX),
        LIST(put_reply, extent, extent_count, extent, 1),
};
LAYOUT(put_reply)

/* ---- scan ---- */

static const struct dynkv_field partition_range_fields[] = {
    U32(partition_range, first),
    U32(partition_range, count),
};
static LAYOUT(partition_range)

    static const struct dynkv_field scan_fields[] = {
        FIXED64(scan, keyspace),
        U8(scan, flags),
        U8(scan, r),
        LIST(scan, partitions, partition_count, partition_range, DYNKV_PARTITIONS_MAX),
        BYTES(scan, lower, BOUND_MAX),
        BYTES(scan, upper, BOUND_MAX),
        U8(scan, has_cursor),
        U32(scan, cursor_partition),
        BYTES(scan, cursor_key, BOUND_MAX),
        U32(scan, limit),
        U32(scan, limit_bytes),
        U8(scan, order),
        BYTES(scan, filter, DYNKV_FILTER_MAX),
        U32(scan, matches),
};
LAYOUT(scan)

static const struct dynkv_field scan_entry_fields[] = {
    U32(scan_entry, partition),
    U32(scan_entry, partition_len),
    BYTES(scan_entry, key, DYNKV_KEY_MAX),
    BYTES(scan_entry, object, DYNKV_MESSAGE_MAX),
};
LAYOUT(scan_entry)

static const struct dynkv_field scan_reply_fields[] = {
    LIST(scan_reply, entries, entry_count, scan_entry, DYNKV_SCAN_ITEMS_MAX),
    U8(scan_reply, more),
    U32(scan_reply, cursor_partition),
    BYTES(scan_reply, cursor_key, BOUND_MAX),
    U32(scan_reply, examined),
    LIST(scan_reply, extent, extent_count, extent, 1),
};
LAYOUT(scan_reply)

/* ---- repair ---- */

static const struct dynkv_field repair_item_fields[] = {
    BYTES(repair_item, key, DYNKV_KEY_MAX),
    U32(repair_item, partition_len),
};
static LAYOUT(repair_item)

    static const struct dynkv_field repair_fields[] = {
        FIXED64(repair, keyspace),
        LIST(repair, items, item_count, repair_item, DYNKV_BATCH_ITEMS_MAX),
};
LAYOUT(repair)
