/* fuzz_message.c: bytes from a socket are refused, or mean exactly what they say. */
#include "fuzz.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dynkv_arena arena = {0};
    struct dynkv_envelope envelope;
    union dynkv_body body;
    struct dynkv_slice bytes = dynkv_slice(data, size);
    enum dynkv_error error = dynkv_message_decode(bytes, &arena, &envelope, &body);

    if (!error) {
        struct dynkv_buf again = {0};

        dynkv_message_encode(&envelope, &body, &again);
        DYNKV_ASSERT(dynkv_slice_equal(dynkv_buf_slice(&again), bytes));
        dynkv_buf_fini(&again);
    } else {
        DYNKV_ASSERT(error == DYNKV_MALFORMED || error == DYNKV_UNSUPPORTED);
    }
    dynkv_arena_fini(&arena);
    return 0;
}
