/*
 * refusal.h: the ERROR reply to a request that the core is not shown.
 */
#ifndef DYNKV_DAEMON_REFUSAL_H
#define DYNKV_DAEMON_REFUSAL_H

#include "base/bytes.h"
#include "base/error.h"

/* Appends it to out, with the request's id if the request can be read. */
void dynkvd_refusal_encode(struct dynkv_slice request, uint64_t node_id, enum dynkv_error error,
                           const char *text, struct dynkv_buf *out);

#endif
