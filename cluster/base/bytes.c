/* bytes.c: slices, cursors and buffers. */
#include "base/bytes.h"

#include <stdlib.h>

#include "base/assert.h"

int dynkv_slice_compare(struct dynkv_slice a, struct dynkv_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool dynkv_slice_has_prefix(struct dynkv_slice text, struct dynkv_slice prefix)
{
    return text.len >= prefix.len && dynkv_slice_equal(dynkv_slice(text.data, prefix.len), prefix);
}

struct dynkv_slice dynkv_slice_copy(struct dynkv_slice source, struct dynkv_arena *arena)
{
    return dynkv_slice(dynkv_arena_copy(arena, source.data, source.len), source.len);
}

struct dynkv_slice dynkv_get_raw(struct dynkv_cursor *cursor, size_t len)
{
    struct dynkv_slice result = {cursor->at, len};

    if (cursor->failed || len > dynkv_cursor_left(cursor)) {
        cursor->failed = true;
        return dynkv_slice(NULL, 0);
    }
    cursor->at += len;
    return result;
}

/* size bytes, least significant first. */
static uint64_t get_fixed(struct dynkv_cursor *cursor, size_t size)
{
    struct dynkv_slice raw = dynkv_get_raw(cursor, size);
    uint64_t value = 0;

    for (size_t i = raw.len; i > 0; i--)
        value = value << 8 | raw.data[i - 1];
    return value;
}

uint8_t dynkv_get_u8(struct dynkv_cursor *cursor)
{
    return (uint8_t)get_fixed(cursor, 1);
}

uint32_t dynkv_get_u32(struct dynkv_cursor *cursor)
{
    return (uint32_t)get_fixed(cursor, 4);
}

uint64_t dynkv_get_u64(struct dynkv_cursor *cursor)
{
    return get_fixed(cursor, 8);
}

uint64_t dynkv_get_varint(struct dynkv_cursor *cursor)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = dynkv_get_u8(cursor);

        if (cursor->failed)
            return 0;
        /* The tenth byte holds one bit; a last byte of zero would be a longer form of the same. */
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    cursor->failed = true;
    return 0;
}

struct dynkv_slice dynkv_get_bytes(struct dynkv_cursor *cursor, size_t max)
{
    uint64_t len = dynkv_get_varint(cursor);

    if (len > max) {
        cursor->failed = true;
        return dynkv_slice(NULL, 0);
    }
    return dynkv_get_raw(cursor, (size_t)len);
}

uint8_t *dynkv_put_room(struct dynkv_buf *buf, size_t size)
{
    uint8_t *start;

    if (size > SIZE_MAX / 4)
        dynkv_out_of_memory(size);
    if (buf->cap - buf->len < size) {
        size_t cap = buf->cap ? buf->cap * 2 : 256;

        while (cap - buf->len < size)
            cap *= 2;
        buf->data = dynkv_realloc(buf->data, cap);
        buf->cap = cap;
    }
    start = buf->data + buf->len;
    buf->len += size;
    return start;
}

static void put_fixed(struct dynkv_buf *buf, uint64_t value, size_t size)
{
    uint8_t *at = dynkv_put_room(buf, size);

    for (size_t i = 0; i < size; i++, value >>= 8)
        at[i] = (uint8_t)value;
}

static void put_fixed_be(struct dynkv_buf *buf, uint64_t value, size_t size)
{
    uint8_t *at = dynkv_put_room(buf, size);

    for (size_t i = size; i > 0; i--, value >>= 8)
        at[i - 1] = (uint8_t)value;
}

void dynkv_put_u8(struct dynkv_buf *buf, uint8_t value)
{
    put_fixed(buf, value, 1);
}

void dynkv_put_u32(struct dynkv_buf *buf, uint32_t value)
{
    put_fixed(buf, value, 4);
}

void dynkv_put_u64(struct dynkv_buf *buf, uint64_t value)
{
    put_fixed(buf, value, 8);
}

void dynkv_put_u32_be(struct dynkv_buf *buf, uint32_t value)
{
    put_fixed_be(buf, value, 4);
}

void dynkv_put_u64_be(struct dynkv_buf *buf, uint64_t value)
{
    put_fixed_be(buf, value, 8);
}

void dynkv_put_varint(struct dynkv_buf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        dynkv_put_u8(buf, (uint8_t)(value | 0x80));
    dynkv_put_u8(buf, (uint8_t)value);
}

void dynkv_put_raw(struct dynkv_buf *buf, struct dynkv_slice bytes)
{
    if (bytes.len)
        memcpy(dynkv_put_room(buf, bytes.len), bytes.data, bytes.len);
}

void dynkv_put_bytes(struct dynkv_buf *buf, struct dynkv_slice bytes)
{
    dynkv_put_varint(buf, bytes.len);
    dynkv_put_raw(buf, bytes);
}

void dynkv_buf_reset(struct dynkv_buf *buf)
{
    buf->len = 0;
}

void dynkv_buf_fini(struct dynkv_buf *buf)
{
    free(buf->data);
    *buf = (struct dynkv_buf){NULL, 0, 0};
}
