/*
 * frame.h: what travels between nodes: several messages, one after the other, behind one header.
 *
 *   u32 magic, fixed64 cluster id (0: a joiner that has none yet), fixed64 sender,
 *   then per message: varint length, message
 *
 * A frame is at most DYNKV_MESSAGE_MAX bytes; a message that would not fit goes into the next.
 */
#ifndef DYNKV_WIRE_FRAME_H
#define DYNKV_WIRE_FRAME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

#define DYNKV_FRAME_MAGIC 0x31764b64u /* "dKv1" */

struct dynkv_frame {
    uint64_t cluster_id;
    uint64_t sender;
    struct dynkv_cursor messages;
};

/* Starts a frame in an empty buffer. */
void dynkv_frame_begin(struct dynkv_buf *out, uint64_t cluster_id, uint64_t sender);
/* Appends a message; false, and no change, if it would take the frame over the limit. */
bool dynkv_frame_add(struct dynkv_buf *out, struct dynkv_slice message);
/* MALFORMED if the header is not one. */
enum dynkv_error dynkv_frame_open(struct dynkv_slice bytes, struct dynkv_frame *out);
/* The next message (borrowed): true; false at the end, or at garbage (then messages.failed is set). */
bool dynkv_frame_next(struct dynkv_frame *frame, struct dynkv_slice *message);

#endif
