/*
 * peer_sender.h: what is queued for each node that is sent to, over one link (peer_link.h) each.
 *
 * Messages to one url gather in frames (wire/frame.h); while one frame is being handed to the network,
 * the next fills.  A node is dialed when the first message goes to it, in the background and again
 * after every loss; one that is not sent to for DYNKVD_SENDER_IDLE_MS is forgotten.
 *
 * Nothing here waits: a message is dropped and counted when the queue is full, and the whole queue is
 * when the link does not get a frame out in its time (DYNKVD_LINK_SEND_MS).  The core's timeouts deal
 * with it; old messages would be of no use to a node that comes back.
 *
 * Everything but dynkvd_senders_close_retired is called by the loop's runner.
 */
#ifndef DYNKV_DAEMON_PEER_SENDER_H
#define DYNKV_DAEMON_PEER_SENDER_H

#include "core/node.h"
#include "daemon/metrics.h"

#define DYNKVD_SENDERS_MAX           (2u * DYNKV_MEMBERS_MAX) /* urls; also addresses to join at */
#define DYNKVD_SENDER_QUEUE_BYTES    ((size_t)64 * 1024 * 1024)
#define DYNKVD_SENDER_QUEUE_MESSAGES 100000u
#define DYNKVD_SENDER_FRAME_BYTES    ((size_t)1024 * 1024) /* then the next frame is begun */
#define DYNKVD_SENDER_IDLE_MS        (5u * 60u * 1000u)

struct dynkvd_senders *dynkvd_senders_new(struct dynkvd_metrics *metrics, uint64_t node_id);
void dynkvd_senders_add(struct dynkvd_senders *senders, const struct dynkv_effect_send *send,
                        uint64_t mono_ms);
/* Sets off what was added. */
void dynkvd_senders_flush(struct dynkvd_senders *senders);
/* Gives up dials, greetings and messages that take too long: at each tick. */
void dynkvd_senders_tick(struct dynkvd_senders *senders, uint64_t mono_ms);
/* Retires idle ones.  Their links are freed by close_retired, since closing may wait for NNG's
 * threads, one of which the runner may be. */
void dynkvd_senders_retire_idle(struct dynkvd_senders *senders, uint64_t mono_ms);
/* By the loop's own thread, while it is not the runner. */
void dynkvd_senders_close_retired(struct dynkvd_senders *senders);
/* After the loop has halted. */
void dynkvd_senders_free(struct dynkvd_senders *senders);

#endif
