/* fuzz_frame.c: a frame from a peer's socket, and every message in it. */
#include "fuzz.h"
#include "wire/frame.h"
#include "wire/message.h"

/* Puts the messages into a frame of our own on the way, which must come out as it was. */
static void walk(struct dynkv_frame *frame, struct dynkv_slice bytes)
{
    struct dynkv_arena arena = {0};
    struct dynkv_buf again = {0};
    struct dynkv_slice message;

    dynkv_frame_begin(&again, frame->cluster_id, frame->sender);
    while (dynkv_frame_next(frame, &message)) {
        struct dynkv_envelope envelope;
        union dynkv_body body;

        (void)dynkv_message_decode(message, &arena, &envelope, &body);
        dynkv_arena_reset(&arena);
        DYNKV_ASSERT(dynkv_frame_add(&again, message));
    }
    if (!frame->messages.failed)
        DYNKV_ASSERT(dynkv_slice_equal(dynkv_buf_slice(&again), bytes));
    DYNKV_ASSERT(!dynkv_frame_next(frame, &message));
    dynkv_buf_fini(&again);
    dynkv_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dynkv_slice bytes = dynkv_slice(data, size);
    struct dynkv_frame frame;

    if (!dynkv_frame_open(bytes, &frame))
        walk(&frame, bytes);
    return 0;
}
