/*
 * layout.h: describes how the fields of a struct are encoded.
 *
 * One encoder and one decoder walk these tables, so that bounds are checked in one place, and so that
 * tests can make, compare and mutate any message without knowing it.
 */
#ifndef DYNKV_WIRE_LAYOUT_H
#define DYNKV_WIRE_LAYOUT_H

#include <stdbool.h>

#include "base/bytes.h"

enum dynkv_field_kind {
    DYNKV_FIELD_U8,      /* uint8_t:  one byte */
    DYNKV_FIELD_U32,     /* uint32_t: varint */
    DYNKV_FIELD_U64,     /* uint64_t: varint */
    DYNKV_FIELD_FIXED64, /* uint64_t: 8 bytes little-endian (ids, hashes, timestamps) */
    DYNKV_FIELD_BYTES,   /* struct dynkv_slice: varint length, bytes */
    DYNKV_FIELD_LIST,    /* pointer to structs, and a uint32_t count: varint count, the structs */
};

struct dynkv_layout;

struct dynkv_field {
    const char *name;
    enum dynkv_field_kind kind;
    size_t offset;
    uint32_t max;                    /* BYTES: longest length; LIST: greatest count */
    size_t count_offset;             /* LIST */
    const struct dynkv_layout *item; /* LIST: the structs' layout */
};

struct dynkv_layout {
    const char *name; /* of the struct, without dynkv_ */
    size_t size;      /* of the struct in memory */
    const struct dynkv_field *fields;
    uint32_t field_count;
};

/* Appends the struct's fields to out.  The caller keeps to the maxima (asserted). */
void dynkv_layout_encode(const struct dynkv_layout *layout, const void *source,
                         struct dynkv_buf *out);
/* Fills the struct from the cursor; what goes wrong is in cursor->failed. */
void dynkv_layout_decode(const struct dynkv_layout *layout, struct dynkv_cursor *cursor,
                         struct dynkv_arena *arena, void *target);

#endif
