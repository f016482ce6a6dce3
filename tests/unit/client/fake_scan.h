/* fake_scan.h: what a fake node answers to SCAN. */
#ifndef DYNKV_TESTS_CLIENT_FAKE_SCAN_H
#define DYNKV_TESTS_CLIENT_FAKE_SCAN_H

#include "wire/message.h"

struct fake_entry {
    struct fake_entry *next;
    struct dynkv_slice key;
    struct dynkv_slice object; /* encoded */
    uint32_t partition;
};

/*
 * Of the entries, which rise.  Ranges are asked for in rising order in these tests, in which the entries are
 * kept too.  A filter leaves all of them.
 */
void fake_fill_scan(const struct fake_entry *entries, const struct dynkv_scan *scan,
                    struct dynkv_arena *arena, struct dynkv_scan_reply *out);

#endif
