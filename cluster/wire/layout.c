/*
 * layout.c: the one encoder and the one decoder of structs.
 *
 * The decoder trusts nothing: a length or a count is compared with its maximum and with the bytes that
 * are left before anything is allocated, so a message can never make its receiver allocate more than a
 * small multiple of the message's own size.
 */
#include "wire/layout.h"

#include "base/assert.h"

/* Members are reached by memcpy: the tables know their offsets, the compiler must not guess types. */

static uint32_t member_u32(const void *source, size_t offset)
{
    uint32_t value;

    memcpy(&value, (const uint8_t *)source + offset, sizeof value);
    return value;
}

static uint64_t member_u64(const void *source, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)source + offset, sizeof value);
    return value;
}

static struct dynkv_slice member_slice(const void *source, size_t offset)
{
    struct dynkv_slice value;

    memcpy(&value, (const uint8_t *)source + offset, sizeof value);
    return value;
}

static const uint8_t *member_list(const void *source, size_t offset)
{
    const uint8_t *items;

    memcpy(&items, (const uint8_t *)source + offset, sizeof items);
    return items;
}

static void set_member(void *target, size_t offset, const void *value, size_t size)
{
    memcpy((uint8_t *)target + offset, value, size);
}

/* ---- encode ---- */

static void encode_list(const struct dynkv_field *field, const void *source, struct dynkv_buf *out)
{
    const uint8_t *items = member_list(source, field->offset);
    uint32_t count = member_u32(source, field->count_offset);

    DYNKV_ASSERT(count <= field->max);
    dynkv_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++)
        dynkv_layout_encode(field->item, items + (size_t)i * field->item->size, out);
}

static void encode_bytes(const struct dynkv_field *field, const void *source, struct dynkv_buf *out)
{
    struct dynkv_slice bytes = member_slice(source, field->offset);

    DYNKV_ASSERT(bytes.len <= field->max);
    dynkv_put_bytes(out, bytes);
}

void dynkv_layout_encode(const struct dynkv_layout *layout, const void *source,
                         struct dynkv_buf *out)
{
    for (uint32_t i = 0; i < layout->field_count; i++) {
        const struct dynkv_field *field = &layout->fields[i];

        switch (field->kind) {
        case DYNKV_FIELD_U8:
            dynkv_put_u8(out, ((const uint8_t *)source)[field->offset]);
            break;
        case DYNKV_FIELD_U32:
            dynkv_put_varint(out, member_u32(source, field->offset));
            break;
        case DYNKV_FIELD_U64:
            dynkv_put_varint(out, member_u64(source, field->offset));
            break;
        case DYNKV_FIELD_FIXED64:
            dynkv_put_u64(out, member_u64(source, field->offset));
            break;
        case DYNKV_FIELD_BYTES:
            encode_bytes(field, source, out);
            break;
        case DYNKV_FIELD_LIST:
            encode_list(field, source, out);
            break;
        }
    }
}

/* ---- decode ---- */

/* The fewest bytes that one struct takes on the wire. */
static size_t layout_encoded_min(const struct dynkv_layout *layout)
{
    size_t size = 0;

    for (uint32_t i = 0; i < layout->field_count; i++)
        size += layout->fields[i].kind == DYNKV_FIELD_FIXED64 ? 8 : 1;
    return size;
}

static uint32_t decode_u32(struct dynkv_cursor *cursor)
{
    uint64_t value = dynkv_get_varint(cursor);

    if (value > UINT32_MAX) {
        cursor->failed = true;
        return 0;
    }
    return (uint32_t)value;
}

static void decode_list(const struct dynkv_field *field, struct dynkv_cursor *cursor,
                        struct dynkv_arena *arena, void *target)
{
    size_t item_min = layout_encoded_min(field->item);
    uint32_t count = decode_u32(cursor);
    uint8_t *items;

    DYNKV_ASSERT(item_min > 0);
    if (count > field->max || count > dynkv_cursor_left(cursor) / item_min)
        cursor->failed = true;
    if (cursor->failed || count == 0)
        return;
    items = dynkv_arena_calloc(arena, count, field->item->size);
    for (uint32_t i = 0; i < count && !cursor->failed; i++)
        dynkv_layout_decode(field->item, cursor, arena, items + (size_t)i * field->item->size);
    set_member(target, field->offset, &items, sizeof items);
    set_member(target, field->count_offset, &count, sizeof count);
}

static void decode_field(const struct dynkv_field *field, struct dynkv_cursor *cursor,
                         struct dynkv_arena *arena, void *target)
{
    struct dynkv_slice bytes;
    uint64_t wide;
    uint32_t narrow;

    switch (field->kind) {
    case DYNKV_FIELD_U8:
        ((uint8_t *)target)[field->offset] = dynkv_get_u8(cursor);
        break;
    case DYNKV_FIELD_U32:
        narrow = decode_u32(cursor);
        set_member(target, field->offset, &narrow, sizeof narrow);
        break;
    case DYNKV_FIELD_U64:
        wide = dynkv_get_varint(cursor);
        set_member(target, field->offset, &wide, sizeof wide);
        break;
    case DYNKV_FIELD_FIXED64:
        wide = dynkv_get_u64(cursor);
        set_member(target, field->offset, &wide, sizeof wide);
        break;
    case DYNKV_FIELD_BYTES:
        bytes = dynkv_get_bytes(cursor, field->max);
        set_member(target, field->offset, &bytes, sizeof bytes);
        break;
    case DYNKV_FIELD_LIST:
        decode_list(field, cursor, arena, target);
        break;
    }
}

void dynkv_layout_decode(const struct dynkv_layout *layout, struct dynkv_cursor *cursor,
                         struct dynkv_arena *arena, void *target)
{
    memset(target, 0, layout->size);
    for (uint32_t i = 0; i < layout->field_count && !cursor->failed; i++)
        decode_field(&layout->fields[i], cursor, arena, target);
}
