/*
 * peer_receiver.h: the PULL socket on which other nodes' frames arrive.
 *
 * Frames are received one after the other, so those of one sender stay in order.  While the node's
 * backlog is over its limit nothing is received: TCP slows the senders down, whose queues then drop.
 */
#ifndef DYNKV_DAEMON_PEER_RECEIVER_H
#define DYNKV_DAEMON_PEER_RECEIVER_H

#include "daemon/loop.h"
#include "daemon/url.h"

#include <nng/nng.h>

struct dynkvd_frame {
    struct dynkvd_item item;
    nng_msg *message;
};

/* NULL, and why in error. */
struct dynkvd_receiver *dynkvd_receiver_open(struct dynkvd_loop *loop,
                                             struct dynkvd_metrics *metrics, char *error,
                                             size_t error_size);
bool dynkvd_receiver_listen(struct dynkvd_receiver *receiver, dynkvd_url url, char *error,
                            size_t error_size);
void dynkvd_receiver_start(struct dynkvd_receiver *receiver);
struct dynkv_slice dynkvd_frame_bytes(const struct dynkvd_frame *frame);
void dynkvd_frame_free(struct dynkvd_receiver *receiver, struct dynkvd_frame *frame);
/* By the loop's runner, at the end of a round: receives again if that had stopped and may go on. */
void dynkvd_receiver_resume(struct dynkvd_receiver *receiver);
/* No frame is posted afterwards. */
void dynkvd_receiver_close(struct dynkvd_receiver *receiver);
void dynkvd_receiver_free(struct dynkvd_receiver *receiver);

#endif
