/*
 * bytes.h: slices (borrowed bytes), cursors (checked reading) and buffers (growing, for writing).
 *
 * Integers on the wire and in the store are little-endian when fixed, and LEB128 varints otherwise;
 * keys of the store, which must sort, use the big-endian calls.  A varint is at most 10 bytes and is
 * accepted in its shortest form only, so that equal values have equal bytes.
 */
#ifndef DYNKV_BASE_BYTES_H
#define DYNKV_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

/* Bytes owned by somebody else.  data may be NULL when len is 0. */
struct dynkv_slice {
    const uint8_t *data;
    size_t len;
};

static inline struct dynkv_slice dynkv_slice(const void *data, size_t len)
{
    return (struct dynkv_slice){data, len};
}

static inline struct dynkv_slice dynkv_slice_text(const char *text)
{
    return dynkv_slice(text, strlen(text));
}

static inline bool dynkv_slice_equal(struct dynkv_slice a, struct dynkv_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Byte order, a prefix before what it is a prefix of: <0, 0, >0. */
int dynkv_slice_compare(struct dynkv_slice a, struct dynkv_slice b);
bool dynkv_slice_has_prefix(struct dynkv_slice text, struct dynkv_slice prefix);
/* A copy that lives in the arena. */
struct dynkv_slice dynkv_slice_copy(struct dynkv_slice source, struct dynkv_arena *arena);

/*
 * A cursor reads from the front of a slice.  The first read that goes wrong sets failed, and every
 * read after it gives zero or an empty slice: decode straight through, check failed once.
 */
struct dynkv_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct dynkv_cursor dynkv_cursor(struct dynkv_slice source)
{
    if (!source.data) /* C allows no arithmetic on NULL, not even adding zero */
        source = dynkv_slice("", 0);
    return (struct dynkv_cursor){source.data, source.data + source.len, false};
}

static inline size_t dynkv_cursor_left(const struct dynkv_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

uint8_t dynkv_get_u8(struct dynkv_cursor *cursor);
uint32_t dynkv_get_u32(struct dynkv_cursor *cursor);
uint64_t dynkv_get_u64(struct dynkv_cursor *cursor);
uint64_t dynkv_get_varint(struct dynkv_cursor *cursor);
/* len raw bytes, borrowed from the source. */
struct dynkv_slice dynkv_get_raw(struct dynkv_cursor *cursor, size_t len);
/* A varint length of at most max, then that many bytes, borrowed from the source. */
struct dynkv_slice dynkv_get_bytes(struct dynkv_cursor *cursor, size_t max);

/* A growing buffer that owns its bytes.  Zero-initialised is a valid empty buffer. */
struct dynkv_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

static inline struct dynkv_slice dynkv_buf_slice(const struct dynkv_buf *buf)
{
    return dynkv_slice(buf->data, buf->len);
}

/* Room for size more bytes, uninitialised; returns where they start and counts them as written. */
uint8_t *dynkv_put_room(struct dynkv_buf *buf, size_t size);
void dynkv_put_u8(struct dynkv_buf *buf, uint8_t value);
void dynkv_put_u32(struct dynkv_buf *buf, uint32_t value);
void dynkv_put_u64(struct dynkv_buf *buf, uint64_t value);
void dynkv_put_u32_be(struct dynkv_buf *buf, uint32_t value);
void dynkv_put_u64_be(struct dynkv_buf *buf, uint64_t value);
void dynkv_put_varint(struct dynkv_buf *buf, uint64_t value);
void dynkv_put_raw(struct dynkv_buf *buf, struct dynkv_slice bytes);
/* Varint length, then the bytes. */
void dynkv_put_bytes(struct dynkv_buf *buf, struct dynkv_slice bytes);
void dynkv_buf_reset(struct dynkv_buf *buf); /* keeps the memory */
void dynkv_buf_fini(struct dynkv_buf *buf);

#endif
