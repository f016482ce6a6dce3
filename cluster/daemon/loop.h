/*
 * loop.h: the place where everything meets the core.
 *
 * Whatever happens to the node (a client's request, a peer's frame, an answer of the store, a web page
 * to fill, the tick of the clock) is an item.  Items are posted to one queue.  One thread at a time is
 * the loop's runner: it takes all that is queued, steps the core with each, then carries out the
 * effects of all those steps together, and begins again until the queue is empty.  So batches form by
 * themselves: the busier the node, the larger they are.
 *
 * The runner is whoever finds the loop idle: the NNG thread that has just received a message runs it on
 * the spot, which saves waking another thread for every request; all other posters, and the clock, are
 * served by the loop's own thread.  What belongs to the runner (the core, the effects, the senders) needs
 * no lock of its own; it passes from runner to runner under the queue's.
 *
 * States, moved only forward:
 *   RUNNING   requests are stepped
 *   DRAINING  a clean stop has begun: new requests are refused (STOPPING), what is in flight goes on
 *   FAILED    the store failed: requests are refused (STORAGE), frames dropped, so that the others see
 *             this node as down; the core is stepped no more
 *   HALTED    no item is taken any more
 */
#ifndef DYNKV_DAEMON_LOOP_H
#define DYNKV_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/node.h"
#include "daemon/metrics.h"
#include "store/engine.h"

/* Received and queued, or handed to the store and not yet done.  Beyond: requests are refused
 * (OVERLOADED) and frames are left in the sockets, which slows the senders down. */
#define DYNKVD_BACKLOG_BYTES_MAX ((uint64_t)128 * 1024 * 1024)

enum dynkvd_item_kind {
    DYNKVD_ITEM_REQUEST, /* struct dynkvd_request, client_socket.h */
    DYNKVD_ITEM_FRAME,   /* struct dynkvd_frame, peer_receiver.h */
    DYNKVD_ITEM_RESULT,  /* struct dynkvd_result, store_work.h */
    DYNKVD_ITEM_PAGE,    /* struct dynkvd_page, http.h */
};

/* Stands first in what is posted. */
struct dynkvd_item {
    struct dynkvd_item *next;
    enum dynkvd_item_kind kind;
};

struct dynkvd_loop;
struct dynkvd_clients;
struct dynkvd_receiver;
struct dynkvd_senders;
struct dynkvd_store;

/* All outlive the loop's running; the loop owns none of them. */
struct dynkvd_loop_parts {
    struct dynkv_node *node;
    struct dynkvd_clients *clients;
    struct dynkvd_receiver *receiver;
    struct dynkvd_senders *senders;
    struct dynkvd_store *store;  /* the store thread, or */
    struct dynkv_engine *engine; /* an engine that never blocks: the runner calls it itself */
    struct dynkvd_metrics *metrics;
};

/* Items may be posted from now on; they wait until start. */
struct dynkvd_loop *dynkvd_loop_new(void);
void dynkvd_loop_start(struct dynkvd_loop *loop, const struct dynkvd_loop_parts *parts);

/*
 * Queues an item, any thread.  If may_run and the loop is idle, the caller becomes the runner: the
 * answer is true, and dynkvd_loop_run must be called next, with no lock held.
 */
bool dynkvd_loop_post(struct dynkvd_loop *loop, struct dynkvd_item *item, bool may_run);
void dynkvd_loop_run(struct dynkvd_loop *loop);

void dynkvd_loop_drain(struct dynkvd_loop *loop);
/* After this no thread runs the loop, and posted items only gather. */
void dynkvd_loop_halt(struct dynkvd_loop *loop);
bool dynkvd_loop_has_failed(struct dynkvd_loop *loop);
/* Frees it, and items that were left. */
void dynkvd_loop_free(struct dynkvd_loop *loop);

#endif
