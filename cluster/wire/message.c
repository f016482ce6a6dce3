/*
 * message.c: the envelope, and the way from a message's number to its layout.
 *
 *   u8 protocol, u8 type, varint request_id, fixed64 timestamp, fixed64 sender, fixed64 ring_version,
 *   varint deadline_ms, then the body
 *
 * The first two bytes stand in every protocol version to come, so that a node can always tell "too new
 * for me" from garbage.
 */
#include "wire/message.h"

#include "base/assert.h"
#include "wire/layouts.h"

const struct dynkv_layout *dynkv_message_layout(uint8_t type)
{
    switch (type) {
#define MESSAGE_LAYOUT(number, upper, name) \
    case number:                            \
        return &dynkv_layout_##name;
        DYNKV_MESSAGES(MESSAGE_LAYOUT)
#undef MESSAGE_LAYOUT
    default:
        return NULL;
    }
}

const char *dynkv_message_name(uint8_t type)
{
    switch (type) {
#define MESSAGE_NAME(number, upper, name) \
    case number:                          \
        return #upper;
        DYNKV_MESSAGES(MESSAGE_NAME)
#undef MESSAGE_NAME
    default:
        return "UNKNOWN";
    }
}

void dynkv_message_encode(const struct dynkv_envelope *envelope, const void *body,
                          struct dynkv_buf *out)
{
    const struct dynkv_layout *layout = dynkv_message_layout(envelope->type);

    DYNKV_ASSERT(layout);
    dynkv_put_u8(out, DYNKV_PROTOCOL_VERSION);
    dynkv_put_u8(out, envelope->type);
    dynkv_put_varint(out, envelope->request_id);
    dynkv_put_u64(out, envelope->timestamp);
    dynkv_put_u64(out, envelope->sender);
    dynkv_put_u64(out, envelope->ring_version);
    dynkv_put_varint(out, envelope->deadline_ms);
    dynkv_layout_encode(layout, body, out);
}

static void decode_envelope(struct dynkv_cursor *cursor, struct dynkv_envelope *envelope)
{
    uint64_t deadline_ms;

    envelope->request_id = dynkv_get_varint(cursor);
    envelope->timestamp = dynkv_get_u64(cursor);
    envelope->sender = dynkv_get_u64(cursor);
    envelope->ring_version = dynkv_get_u64(cursor);
    deadline_ms = dynkv_get_varint(cursor);
    if (deadline_ms > UINT32_MAX)
        cursor->failed = true;
    else
        envelope->deadline_ms = (uint32_t)deadline_ms;
}

enum dynkv_error dynkv_message_decode(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                      struct dynkv_envelope *envelope, union dynkv_body *body)
{
    struct dynkv_cursor cursor;
    const struct dynkv_layout *layout;

    memset(envelope, 0, sizeof *envelope);
    if (bytes.len < 2 || bytes.len > DYNKV_MESSAGE_MAX)
        return DYNKV_MALFORMED;
    cursor = dynkv_cursor(bytes);
    envelope->protocol = dynkv_get_u8(&cursor);
    envelope->type = dynkv_get_u8(&cursor);
    decode_envelope(&cursor, envelope);
    /* What stands behind the first two bytes of another version is a guess: it may have failed. */
    if (envelope->protocol != DYNKV_PROTOCOL_VERSION)
        return DYNKV_UNSUPPORTED;
    if (cursor.failed)
        return DYNKV_MALFORMED;
    layout = dynkv_message_layout(envelope->type);
    if (!layout)
        return DYNKV_UNSUPPORTED;
    dynkv_layout_decode(layout, &cursor, arena, body);
    if (cursor.failed || dynkv_cursor_left(&cursor))
        return DYNKV_MALFORMED;
    return DYNKV_OK;
}
