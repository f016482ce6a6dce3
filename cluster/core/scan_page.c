/* scan_page.c: filling, merging, cutting and giving out a page of a scan. */
#include "core/scan_page.h"

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

bool scan_page_fill(struct scan_page *page, const struct dynkv_record *records, uint32_t count,
                    struct dynkv_arena *arena)
{
    struct scan_entry *entries = dynkv_arena_calloc(arena, count, sizeof *entries);
    uint32_t at = 0;

    for (uint32_t i = 0; i < page->segment_count; i++) {
        struct scan_segment *segment = &page->segments[i];

        segment->entries = &entries[at];
        for (; at < count && records[at].partition == segment->partition; at++) {
            struct dynkv_slice object;
            uint32_t partition_len;

            if (record_open(records[at].record, &partition_len, &object) ||
                !entry_open(&entries[at], records[at].key, partition_len, object, arena))
                return false;
            segment->digest += scan_entry_digest(entries[at].key, entries[at].digest);
            segment->entry_count++;
        }
        segment->read_count = segment->entry_count;
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

/* Two lists that rise by key, as one; false: an object has become too large. */
static bool segment_merge(struct scan_segment *segment, const struct scan_entry *theirs,
                          uint32_t their_count, struct dynkv_arena *arena)
{
    const struct scan_entry *mine = segment->entries;
    uint32_t my_count = segment->entry_count, i = 0, j = 0, count = 0;
    struct scan_entry *merged =
        dynkv_arena_calloc(arena, (size_t)my_count + their_count, sizeof *merged);

    while (i < my_count || j < their_count) {
        int order = i == my_count      ? 1
                    : j == their_count ? -1
                                       : dynkv_slice_compare(mine[i].key, theirs[j].key);
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
        if (i > 0 && dynkv_slice_compare(theirs[i - 1].key, theirs[i].key) >= 0)
            return DYNKV_MALFORMED;
    }
    if (!segment_merge(segment, theirs, told->entry_count, arena))
        return DYNKV_TOO_LARGE;
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

void scan_page_cut(struct scan_page *page, uint32_t segment, struct dynkv_slice key)
{
    if (page->is_cut &&
        (page->cut_segment < segment ||
         (page->cut_segment == segment && dynkv_slice_compare(page->cut_key, key) <= 0)))
        return;
    page->is_cut = true;
    page->cut_segment = segment;
    page->cut_key = key;
}

void scan_page_limit(struct scan_page *page, uint32_t limit)
{
    for (uint32_t i = 0; i < page->segment_count; i++) {
        const struct scan_segment *segment = &page->segments[i];

        if (segment->entry_count > limit) {
            scan_page_cut(page, i, segment->entries[limit].key);
            return;
        }
        limit -= segment->entry_count;
    }
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

struct dynkv_scan_entry *scan_page_entries(const struct scan_page *page, uint8_t flags,
                                           uint64_t now_ms, struct dynkv_arena *arena,
                                           uint32_t *count)
{
    struct dynkv_scan_entry *out;
    struct dynkv_buf scratch = {0};
    size_t total = 0;

    for (uint32_t i = 0; i < page->segment_count; i++)
        total += page->segments[i].entry_count;
    out = dynkv_arena_calloc(arena, total, sizeof *out);
    *count = 0;
    for (uint32_t i = 0; i < page->segment_count; i++) {
        const struct scan_segment *segment = &page->segments[i];

        if (page->is_cut && i > page->cut_segment)
            break;
        for (uint32_t j = 0; j < segment->entry_count; j++) {
            const struct scan_entry *entry = &segment->entries[j];

            if (page->is_cut && i == page->cut_segment &&
                dynkv_slice_compare(entry->key, page->cut_key) >= 0)
                break;
            if (!(flags & DYNKV_SCAN_DEAD_TOO) && dynkv_object_is_dead(&entry->object, now_ms))
                continue;
            out[(*count)++] = (struct dynkv_scan_entry){
                .partition = segment->partition,
                .partition_len = entry->partition_len,
                .key = entry->key,
                .object = entry_encode(entry, flags & DYNKV_SCAN_KEYS_ONLY, &scratch, arena),
            };
        }
    }
    dynkv_buf_fini(&scratch);
    return out;
}
