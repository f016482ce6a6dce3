/* frame.c: the peers' frames. */
#include "wire/frame.h"

#include "base/assert.h"
#include "base/limits.h"

static size_t varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

void dynkv_frame_begin(struct dynkv_buf *out, uint64_t cluster_id, uint64_t sender)
{
    DYNKV_ASSERT(out->len == 0);
    dynkv_put_u32(out, DYNKV_FRAME_MAGIC);
    dynkv_put_u64(out, cluster_id);
    dynkv_put_u64(out, sender);
}

bool dynkv_frame_add(struct dynkv_buf *out, struct dynkv_slice message)
{
    size_t room = DYNKV_MESSAGE_MAX - out->len;

    DYNKV_ASSERT(message.len > 0);
    if (message.len > room || varint_size(message.len) > room - message.len)
        return false;
    dynkv_put_bytes(out, message);
    return true;
}

enum dynkv_error dynkv_frame_open(struct dynkv_slice bytes, struct dynkv_frame *out)
{
    uint32_t magic;

    memset(out, 0, sizeof *out);
    if (bytes.len == 0 || bytes.len > DYNKV_MESSAGE_MAX)
        return DYNKV_MALFORMED;
    out->messages = dynkv_cursor(bytes);
    magic = dynkv_get_u32(&out->messages);
    out->cluster_id = dynkv_get_u64(&out->messages);
    out->sender = dynkv_get_u64(&out->messages);
    if (out->messages.failed || magic != DYNKV_FRAME_MAGIC)
        return DYNKV_MALFORMED;
    return DYNKV_OK;
}

bool dynkv_frame_next(struct dynkv_frame *frame, struct dynkv_slice *message)
{
    if (frame->messages.failed || dynkv_cursor_left(&frame->messages) == 0)
        return false;
    *message = dynkv_get_bytes(&frame->messages, DYNKV_MESSAGE_MAX);
    if (message->len == 0) /* nobody sends an empty message */
        frame->messages.failed = true;
    return !frame->messages.failed;
}
