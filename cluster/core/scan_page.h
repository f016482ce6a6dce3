/*
 * scan_page.h: one page of a scan as pure data: segments of entries, merged with what replicas hold.
 *
 * A segment is the part of one partition that a page covers.  Everything lives in the operation's arena.
 *
 * Where partitions decide the order, a page goes from one segment to the next.  Where keys do, all segments
 * have the same bounds, and a page is all of them merged.
 */
#ifndef DYNKV_CORE_SCAN_PAGE_H
#define DYNKV_CORE_SCAN_PAGE_H

#include "core/node.h"
#include "model/filter.h"
#include "model/object.h"

struct scan_entry {
    struct dynkv_slice key;
    uint32_t partition_len;
    bool differs; /* some replica holds something else */
    struct dynkv_object object;
    uint64_t digest; /* of the object */
};

struct scan_segment {
    uint32_t partition;
    struct dynkv_slice lower, upper; /* as in SCAN */
    struct scan_entry *entries;      /* in the page's order */
    uint32_t entry_count;
    /* what was read here, before anything was merged in */
    uint32_t read_count;
    uint64_t digest;
    uint64_t asked[DYNKV_REPLICAS_MAX];
    uint32_t asked_count;
    uint32_t needed; /* answers that are still needed */
    uint32_t open;   /* answers that may still come */
};

struct scan_page {
    enum dynkv_order order;
    struct scan_segment *segments; /* in the order of the scan; by key: by rising partition */
    uint32_t segment_count;
    /* The page ends early: at cut_key (excluded) of cut_segment; by key, where cut_key divides it. */
    bool is_cut;
    uint32_t cut_segment;
    struct dynkv_slice cut_key;
};

/* What count and digest of a segment are made of: the sum over its entries of this. */
uint64_t scan_entry_digest(struct dynkv_slice key, uint64_t object_digest);

/* Fills the segments with records as read from the store, in order; false: a record is corrupt. */
bool scan_page_fill(struct scan_page *page, const struct dynkv_record *records, uint32_t count,
                    struct dynkv_arena *arena);
/*
 * Merges what a replica told of a segment, and cuts the page where it stopped.  MALFORMED: garbage;
 * TOO_LARGE: the siblings of a key are too much for one object.
 */
enum dynkv_error scan_page_merge(struct scan_page *page, uint32_t segment,
                                 const struct dynkv_verify_result *told, struct dynkv_arena *arena);
/* Ends the page at key (in segment), unless it ends earlier already. */
void scan_page_cut(struct scan_page *page, uint32_t segment, struct dynkv_slice key);
/* Ends the page after so many entries, if it has more (merging may have made it grow). */
void scan_page_limit(struct scan_page *page, uint32_t limit, struct dynkv_arena *arena);
/* What of a page is for the asker. */
struct scan_choice {
    uint8_t flags; /* enum dynkv_scan_flag */
    uint64_t now_ms;
    const struct dynkv_filter *filter; /* NULL: none */
    bool decides_conflicts;            /* a mutant's: by the first of several siblings */
    uint32_t matches;                  /* entries at most; 0: all */
    uint32_t examined;                 /* entries that were looked at: counted here */
};
/* The entries of the page for the asker.  The page ends where there are as many as may be. */
struct dynkv_scan_entry *scan_page_entries(struct scan_page *page, struct scan_choice *choice,
                                           struct dynkv_arena *arena, uint32_t *count);

#endif
