#include "daemon/refusal.h"

#include "wire/message.h"

void dynkvd_refusal_encode(struct dynkv_slice request, uint64_t node_id, enum dynkv_error error,
                           const char *text, struct dynkv_buf *out)
{
    struct dynkv_arena arena = {0};
    struct dynkv_envelope asked = {0}, envelope = {0};
    union dynkv_body body;
    struct dynkv_error_reply reply = {(uint8_t)error, dynkv_slice_text(text)};

    /* Not decodable: request_id stays 0, which is what the core answers as well. */
    if (dynkv_message_decode(request, &arena, &asked, &body) == DYNKV_OK)
        envelope.request_id = asked.request_id;
    envelope.type = DYNKV_MESSAGE_ERROR;
    envelope.sender = node_id; /* timestamp 0: it orders nothing */
    dynkv_message_encode(&envelope, &reply, out);
    dynkv_arena_fini(&arena);
}
