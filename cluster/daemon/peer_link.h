/*
 * peer_link.h: one connection to another node's PULL socket, kept up.
 *
 * It is the PUSH side of SP, spoken over one of NNG's byte streams: both ends greet with eight bytes, then
 * each message goes with its length before it (nanomsg RFCs sp-tcp-mapping-01 and sp-ipc-mapping-01).  NNG's
 * own PUSH socket is not used, because the one that Debian has (1.5.2) does not survive the death of the
 * other side: a pipe that closes just as it becomes ready is put back into the list of ready pipes, and used
 * from there after it was freed (nng #1653; a few thousand
 * hang-ups of the other side are enough).
 *
 *   RESTING -> DIALING -> GREETING -> HEARING -> UP     each by the completion of one asynchronous operation
 *      ^---------- BREAKING <---------------------'     any failure; waits for the message in flight, if any
 *
 * One message at a time.  It may be given in any state and goes out as soon as the link is up; its sender is
 * told how it went, exactly once, on one of NNG's threads and never from within dynkvd_link_send.
 */
#ifndef DYNKV_DAEMON_PEER_LINK_H
#define DYNKV_DAEMON_PEER_LINK_H

#include "base/bytes.h"

#define DYNKVD_LINK_REST_MIN_MS 50u  /* between two dials; doubles ... */
#define DYNKVD_LINK_REST_MAX_MS 200u /* ... up to this, and starts anew once the link was up */
#define DYNKVD_LINK_DIAL_MS \
    1500u /* a host that does not answer, not even a SYN repeated after 1 s */
#define DYNKVD_LINK_GREET_MS   1000u /* ... or accepts, and does not greet */
#define DYNKVD_LINK_SEND_MS    3000u /* for a message, from when it was given to when it is gone */
/* What the other side's system has not acknowledged for so long is lost, and the connection with it. */
#define DYNKVD_LINK_UNHEARD_MS 3000u

struct dynkvd_link;

/* sent: it was handed to the network, which does not mean that it arrived. */
typedef void dynkvd_link_done(void *argument, bool sent);

/* Dials at once, in the background.  NULL: NNG refuses the url, why (a constant) says for what reason. */
struct dynkvd_link *dynkvd_link_new(const char *url, dynkvd_link_done *done, void *argument,
                                    const char **why);
/* The bytes are borrowed until done is called; none may be on its way. */
void dynkvd_link_send(struct dynkvd_link *link, struct dynkv_slice message);
/*
 * Gives up what has taken too long; to be called every so often, from any thread but from within done.
 * mono_ms: dynkvd_mono_ms().
 */
void dynkvd_link_tick(struct dynkvd_link *link, uint64_t mono_ms);
/* Waits for NNG's threads, so not to be called on one; a message on its way may be left without done. */
void dynkvd_link_free(struct dynkvd_link *link);

#endif
