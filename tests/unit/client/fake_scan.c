/* fake_scan.c: one page of a scan, from a list of entries. */
#include "tests/unit/client/fake_scan.h"

#include <stdlib.h>

#include "base/order.h"

/* The place of a partition in what was asked, or -1. */
static int64_t range_place(const struct dynkv_scan *scan, uint32_t partition)
{
    int64_t place = 0;

    for (uint32_t i = 0; i < scan->partition_count; i++) {
        const struct dynkv_partition_range *range = &scan->partitions[i];

        if (partition >= range->first && partition - range->first < range->count)
            return place + (partition - range->first);
        place += range->count;
    }
    return -1;
}

static bool is_in_page(const struct dynkv_scan *scan, const struct fake_entry *entry)
{
    int64_t place = range_place(scan, entry->partition);

    if (place < 0 || dynkv_slice_compare(entry->key, scan->lower) < 0 ||
        (scan->upper.len && dynkv_slice_compare(entry->key, scan->upper) >= 0))
        return false;
    if (scan->order != DYNKV_ORDER_PARTITION)
        return !scan->has_cursor ||
               !dynkv_order_is_before((enum dynkv_order)scan->order, entry->key, scan->cursor_key);
    if (!scan->has_cursor || place > range_place(scan, scan->cursor_partition))
        return true;
    return entry->partition == scan->cursor_partition &&
           dynkv_slice_compare(entry->key, scan->cursor_key) >= 0;
}

static int scan_entry_compare(const void *a, const void *b)
{
    const struct dynkv_scan_entry *x = a, *y = b;

    return dynkv_slice_compare(x->key, y->key);
}

static int scan_entry_compare_falling(const void *a, const void *b)
{
    return scan_entry_compare(b, a);
}

#define FAKE_ENTRIES_MAX 1000u /* of a node, for pages by key */

/* All entries are in the reply: sorts them, and cuts them to the limit. */
static void sort_scan(const struct dynkv_scan *scan, struct dynkv_scan_reply *out)
{
    bool falls = scan->order == DYNKV_ORDER_FALLING;

    if (out->entry_count)
        qsort(out->entries, out->entry_count, sizeof *out->entries,
              falls ? scan_entry_compare_falling : scan_entry_compare);
    if (out->entry_count <= scan->limit)
        return;
    out->more = 1;
    out->cursor_key = out->entries[falls ? scan->limit - 1 : scan->limit].key;
    out->entry_count = scan->limit;
}

/* What it holds stands for the whole; in replies to scans alone. */
static struct dynkv_extent *fill_extent(const struct fake_entry *entries, struct dynkv_arena *arena)
{
    struct dynkv_extent *extent = dynkv_arena_calloc(arena, 1, sizeof *extent);

    for (const struct fake_entry *entry = entries; entry; entry = entry->next) {
        extent->keys++;
        extent->bytes += entry->key.len;
    }
    return extent;
}

void fake_fill_scan(const struct fake_entry *entries, const struct dynkv_scan *scan,
                    struct dynkv_arena *arena, struct dynkv_scan_reply *out)
{
    bool is_by_key = scan->order != DYNKV_ORDER_PARTITION;
    uint32_t room = is_by_key ? FAKE_ENTRIES_MAX : scan->limit;

    if (scan->filter.len && scan->matches && scan->matches < room)
        room = scan->matches;
    out->extent = fill_extent(entries, arena);
    out->extent_count = 1;
    out->entries = dynkv_arena_calloc(arena, room, sizeof *out->entries);
    for (const struct fake_entry *entry = entries; entry; entry = entry->next) {
        if (!is_in_page(scan, entry))
            continue;
        if (out->entry_count == room) {
            out->more = 1;
            out->cursor_partition = entry->partition;
            out->cursor_key = entry->key;
            return;
        }
        out->entries[out->entry_count++] = (struct dynkv_scan_entry){
            .partition = entry->partition,
            .partition_len = (uint32_t)entry->key.len,
            .key = entry->key,
            .object = entry->object,
        };
    }
    if (is_by_key)
        sort_scan(scan, out);
}
