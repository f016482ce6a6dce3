/* scan_page.c: filling, merging, cutting and giving out a page of a scan. */
#include "core/scan_page.h"

#include <stdlib.h>

#include "base/hash.h"
#include "core/node_impl.h"

uint64_t scan_entry_digest(struct dynkv_slice key, uint64_t object_digest)
{
    return dynkv_hash(key, object_digest);
}

static bool entry_open(struct scan_entry *entry, struct dynkv_slice key, uint32_t partition_len,
                       struct dynkv_slice object, struct dynkv_arena *arena)
{
    entry->key = dynkv_slice_copy(key, arena);
    entry->partition_len = partition_len;
    if (dynkv_object_decode(dynkv_slice_copy(object, arena), arena, &entry->object))
        return false;
    entry->digest = dynkv_object_digest(&entry->object);
    return true;
}

/* Adds a record behind the segment's entries, where there is room for it. */
static bool segment_add(struct scan_segment *segment, const struct dynkv_record *record,
                        struct dynkv_arena *arena)
{
    struct scan_entry *entry = &segment->entries[segment->entry_count];
    struct dynkv_slice object;
    uint32_t partition_len;

    if (record_open(record->record, &partition_len, &object) ||
        !entry_open(entry, record->key, partition_len, object, arena))
        return false;
    segment->digest += scan_entry_digest(entry->key, entry->digest);
    segment->entry_count++;
    segment->read_count++;
    return true;
}

/* The segment of a partition, which rise; NULL if there is none. */
static struct scan_segment *segment_find(const struct scan_page *page, uint32_t partition)
{
    uint32_t low = 0, high = page->segment_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (page->segments[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low < page->segment_count && page->segments[low].partition == partition
               ? &page->segments[low]
               : NULL;
}

/* Records by key: they are dealt to the segments, after each was told how many it gets. */
static bool fill_by_key(struct scan_page *page, const struct dynkv_record *records, uint32_t count,
                        struct scan_entry *entries, struct dynkv_arena *arena)
{
    for (uint32_t i = 0; i < count; i++) {
        struct scan_segment *segment = segment_find(page, records[i].partition);

        if (!segment)
            return false;
        segment->entry_count++;
    }
    for (uint32_t i = 0; i < page->segment_count; i++) {
        page->segments[i].entries = entries;
        entries += page->segments[i].entry_count;
        page->segments[i].entry_count = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!segment_add(segment_find(page, records[i].partition), &records[i], arena))
            return false;
    return true;
}

bool scan_page_fill(struct scan_page *page, const struct dynkv_record *records, uint32_t count,
                    struct dynkv_arena *arena)
{
    struct scan_entry *entries = dynkv_arena_calloc(arena, count, sizeof *entries);
    uint32_t at = 0;

    if (page->order != DYNKV_ORDER_PARTITION)
        return fill_by_key(page, records, count, entries, arena);
    for (uint32_t i = 0; i < page->segment_count; i++) {
        struct scan_segment *segment = &page->segments[i];

        segment->entries = &entries[at];
        for (; at < count && records[at].partition == segment->partition; at++)
            if (!segment_add(segment, &records[at], arena))
                return false;
    }
    return at == count;
}

/* The same key on both sides: one entry of the merged object. */
static bool entry_merge(struct scan_entry *mine, const struct scan_entry *theirs,
                        struct dynkv_arena *arena)
{
    if (mine->digest == theirs->digest)
        return true;
    mine->object = dynkv_object_merge(&mine->object, &theirs->object, arena);
    mine->digest = dynkv_object_digest(&mine->object);
    mine->differs = true;
    return dynkv_object_is_within_limits(&mine->object);
}

/* Two lists in one order, as one; false: an object has become too large. */
static bool segment_merge(struct scan_segment *segment, enum dynkv_order by,
                          const struct scan_entry *theirs, uint32_t their_count,
                          struct dynkv_arena *arena)
{
    const struct scan_entry *mine = segment->entries;
    uint32_t my_count = segment->entry_count, i = 0, j = 0, count = 0;
    struct scan_entry *merged =
        dynkv_arena_calloc(arena, (size_t)my_count + their_count, sizeof *merged);

    while (i < my_count || j < their_count) {
        int order = i == my_count      ? 1
                    : j == their_count ? -1
                                       : dynkv_order_compare(by, mine[i].key, theirs[j].key);
        struct scan_entry *entry = &merged[count++];

        *entry = order <= 0 ? mine[i] : theirs[j];
        if (order == 0 && !entry_merge(entry, &theirs[j], arena))
            return false;
        if (order != 0)
            entry->differs = true;
        i += order <= 0;
        j += order >= 0;
    }
    segment->entries = merged;
    segment->entry_count = count;
    return true;
}

enum dynkv_error scan_page_merge(struct scan_page *page, uint32_t index,
                                 const struct dynkv_verify_result *told, struct dynkv_arena *arena)
{
    struct scan_segment *segment = &page->segments[index];
    struct scan_entry *theirs = dynkv_arena_calloc(arena, told->entry_count, sizeof *theirs);

    for (uint32_t i = 0; i < told->entry_count; i++) {
        const struct dynkv_scan_entry *from = &told->entries[i];

        if (!entry_open(&theirs[i], from->key, from->partition_len, from->object, arena))
            return DYNKV_MALFORMED;
        if (i > 0 && dynkv_order_compare(page->order, theirs[i - 1].key, theirs[i].key) >= 0)
            return DYNKV_MALFORMED;
    }
    if (!segment_merge(segment, page->order, theirs, told->entry_count, arena))
        return DYNKV_TOO_LARGE;
    if (told->truncated && page->order != DYNKV_ORDER_PARTITION)
        return DYNKV_MALFORMED; /* the reply as a whole is cut */
    if (told->truncated) {
        struct dynkv_slice last =
            told->entry_count ? theirs[told->entry_count - 1].key : segment->lower;
        uint8_t *end = dynkv_arena_alloc(arena, last.len + 1);

        if (told->entry_count == 0) {
            scan_page_cut(page, index, segment->lower);
            return DYNKV_OK;
        }
        /* The smallest key behind the last one that was told. */
        memcpy(end, last.data, last.len);
        end[last.len] = 0;
        scan_page_cut(page, index, dynkv_slice(end, last.len + 1));
    }
    return DYNKV_OK;
}

/* Whether the page ends at (segment, key), or before. */
static bool page_ends_before(const struct scan_page *page, uint32_t segment, struct dynkv_slice key)
{
    if (!page->is_cut)
        return false;
    if (page->order != DYNKV_ORDER_PARTITION)
        return dynkv_order_compare(page->order, page->cut_key, key) <= 0;
    return page->cut_segment < segment ||
           (page->cut_segment == segment && dynkv_slice_compare(page->cut_key, key) <= 0);
}

void scan_page_cut(struct scan_page *page, uint32_t segment, struct dynkv_slice key)
{
    if (page_ends_before(page, segment, key))
        return;
    page->is_cut = true;
    page->cut_segment = segment;
    page->cut_key = key;
}

/* An entry of the page, not cut off. */
struct listed {
    const struct scan_entry *entry;
    uint32_t partition;
};

static int listed_compare_rising(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    int order = dynkv_slice_compare(x->entry->key, y->entry->key);

    if (order == 0 && x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return order;
}

static int listed_compare_falling(const void *a, const void *b)
{
    return listed_compare_rising(b, a);
}

static bool page_has(const struct scan_page *page, uint32_t segment, struct dynkv_slice key)
{
    if (!page->is_cut)
        return true;
    if (page->order != DYNKV_ORDER_PARTITION)
        return dynkv_order_is_before(page->order, key, page->cut_key);
    return !page_ends_before(page, segment, key);
}

/* The entries of the page in its order. */
static struct listed *page_list(const struct scan_page *page, struct dynkv_arena *arena,
                                uint32_t *count)
{
    struct listed *list;
    size_t total = 0;

    for (uint32_t i = 0; i < page->segment_count; i++)
        total += page->segments[i].entry_count;
    list = dynkv_arena_calloc(arena, total, sizeof *list);
    *count = 0;
    for (uint32_t i = 0; i < page->segment_count; i++) {
        const struct scan_segment *segment = &page->segments[i];

        for (uint32_t j = 0; j < segment->entry_count; j++) {
            if (!page_has(page, i, segment->entries[j].key))
                break;
            list[(*count)++] = (struct listed){&segment->entries[j], segment->partition};
        }
    }
    if (page->order != DYNKV_ORDER_PARTITION)
        qsort(list, *count, sizeof *list,
              page->order == DYNKV_ORDER_FALLING ? listed_compare_falling : listed_compare_rising);
    return list;
}

/* The page ends before this entry. */
static void page_end_before(struct scan_page *page, const struct listed *end,
                            struct dynkv_arena *arena)
{
    struct dynkv_slice first = end->entry->key; /* that does not belong to it any more */

    if (page->order == DYNKV_ORDER_FALLING) {
        uint8_t *behind = dynkv_arena_calloc(arena, 1, first.len + 1);

        memcpy(behind, first.data, first.len);
        first = dynkv_slice(behind, first.len + 1);
    }
    for (uint32_t i = 0; i < page->segment_count; i++)
        if (page->segments[i].partition == end->partition)
            scan_page_cut(page, i, first);
}

void scan_page_limit(struct scan_page *page, uint32_t limit, struct dynkv_arena *arena)
{
    uint32_t count;
    struct listed *list = page_list(page, arena, &count);

    if (count > limit)
        page_end_before(page, &list[limit], arena);
}

static struct dynkv_slice entry_encode(const struct scan_entry *entry, bool strip,
                                       struct dynkv_buf *scratch, struct dynkv_arena *arena)
{
    for (uint32_t i = 0; strip && i < entry->object.sibling_count; i++) {
        entry->object.siblings[i].flags |= DYNKV_SIBLING_STRIPPED;
        entry->object.siblings[i].value = dynkv_slice(NULL, 0);
    }
    dynkv_buf_reset(scratch);
    dynkv_object_encode(&entry->object, scratch);
    return dynkv_slice_copy(dynkv_buf_slice(scratch), arena);
}

/*
 * Whether the filter leaves an entry out.  What a conflict is worth is the asker's to say, so an object of
 * several siblings is never left out.
 */
static bool choice_leaves_out(const struct scan_choice *choice, const struct dynkv_object *object,
                              struct dynkv_arena *arena)
{
    if (!choice->filter || object->sibling_count == 0 ||
        (object->sibling_count > 1 && !choice->decides_conflicts) ||
        dynkv_sibling_is_dead(&object->siblings[0], choice->now_ms))
        return false;
    return !(dynkv_filter_test(choice->filter, object->siblings[0].value, arena) &
             DYNKV_FILTER_MAY_BE_TRUE);
}

struct dynkv_scan_entry *scan_page_entries(struct scan_page *page, struct scan_choice *choice,
                                           struct dynkv_arena *arena, uint32_t *count)
{
    struct dynkv_buf scratch = {0};
    uint32_t listed;
    struct listed *list = page_list(page, arena, &listed);
    struct dynkv_scan_entry *out = dynkv_arena_calloc(arena, listed, sizeof *out);

    *count = 0;
    for (uint32_t i = 0; i < listed; i++) {
        const struct scan_entry *entry = list[i].entry;

        if (choice->matches && *count == choice->matches) {
            page_end_before(page, &list[i], arena);
            break;
        }
        if (!(choice->flags & DYNKV_SCAN_DEAD_TOO) &&
            dynkv_object_is_dead(&entry->object, choice->now_ms))
            continue;
        choice->examined++;
        if (choice_leaves_out(choice, &entry->object, arena))
            continue;
        out[(*count)++] = (struct dynkv_scan_entry){
            .partition = list[i].partition,
            .partition_len = entry->partition_len,
            .key = entry->key,
            .object = entry_encode(entry, choice->flags & DYNKV_SCAN_KEYS_ONLY, &scratch, arena),
        };
    }
    dynkv_buf_fini(&scratch);
    return out;
}
