/*
 * cluster.h: what the client knows of the cluster: the members, the ring made of them, who is down.
 *
 * It is fetched from the first node that answers, and again whenever a node refuses a request because
 * of the ring, or an envelope carries a ring version not seen yet, or (at most once a second) while a
 * member is said to be down.  Members are merged with what is known (greater incarnation wins, having
 * left is for ever), and a ring of an earlier epoch is passed over, so a node that lags behind cannot take the
 * client back.
 */
#ifndef DYNKV_CLIENT_CLUSTER_H
#define DYNKV_CLIENT_CLUSTER_H

#include "client/session.h"
#include "wire/places.h"

#define DYNKV_SEEN_VERSIONS  16u   /* ring versions that were looked at already */
#define DYNKV_HEDGE_MS       250u  /* a node that takes longer to tell the ring gets company */
#define DYNKV_REFRESH_GAP_MS 1000u /* least time between fetches that only look who is up again */

struct dynkv_blame;

struct dynkv_cluster_member {
    uint64_t id, incarnation, joined;
    bool is_gone;                  /* it left, or was excluded */
    struct dynkv_session *session; /* NULL for one that is gone */
};

/* Somebody who cannot go on without the ring.  on_ring is called once, with OK or why there is none. */
struct dynkv_ring_waiter {
    struct dynkv_ring_waiter *next, *previous;
    bool is_waiting;
    uint64_t round; /* the fetch it waits for */
    void (*on_ring)(struct dynkv_ring_waiter *waiter, enum dynkv_error error, const char *text);
};

struct dynkv_cluster {
    struct dynkv_ring *ring;              /* NULL: none known */
    uint64_t cluster_id;                  /* 0: unknown */
    uint64_t ring_version, epoch;         /* of ring */
    struct dynkv_cluster_member *members; /* rising by id */
    uint32_t member_count;
    bool anybody_down;
    uint64_t fetched_at_ms;
    uint64_t seen_versions[DYNKV_SEEN_VERSIONS];
    uint32_t seen_next;

    struct dynkv_ring_waiter *waiters; /* newest first */
    struct dynkv_cluster_fetch *fetch; /* under way, or NULL */
    uint64_t round;                    /* number of the last fetch */
};

void dynkv_cluster_fini(struct dynkv_client *client);
/* Takes a RING reply in.  An error leaves everything as it was; why is in text. */
enum dynkv_error dynkv_cluster_take(struct dynkv_client *client,
                                    const struct dynkv_ring_reply *reply, char *text,
                                    size_t text_size);

/* ---- fetch.c ---- */

/* Fetches the ring, from this session first (NULL: from whoever is best), unless it is being fetched. */
void dynkv_cluster_refresh(struct dynkv_client *client, struct dynkv_session *first);
/* Waits for the end of the fetch that is under way, or for one begun now. */
void dynkv_cluster_await(struct dynkv_client *client, struct dynkv_ring_waiter *waiter);
void dynkv_cluster_cancel(struct dynkv_client *client, struct dynkv_ring_waiter *waiter);
/* Ends a fetch that is under way, telling nobody. */
void dynkv_cluster_fetch_cancel(struct dynkv_client *client);
/* Adds who keeps a fetch that is under way from its end. */
void dynkv_cluster_fetch_blame(struct dynkv_client *client, struct dynkv_blame *blame);

/* ---- cluster.c again ---- */

/* A node answered HELLO: is it of our cluster?  Otherwise an error and the text to show. */
enum dynkv_error dynkv_cluster_on_hello(struct dynkv_client *client, struct dynkv_session *session,
                                        const struct dynkv_hello_reply *hello, char *text,
                                        size_t text_size);
/* An envelope came with this ring version. */
void dynkv_cluster_on_version(struct dynkv_client *client, struct dynkv_session *session,
                              uint64_t ring_version);
/* A request is about to use the ring: looks again for those who were down, if it is time to. */
void dynkv_cluster_on_use(struct dynkv_client *client);

/*
 * Whom to ask for a partition, in the order to ask: its first n members, those that live first.
 * Returns how many; out holds DYNKV_REPLICAS_MAX.  There must be a ring.
 */
uint32_t dynkv_cluster_replicas(const struct dynkv_client *client, uint32_t partition, uint32_t n,
                                struct dynkv_session **out);
/* Any node, best first, at most max: for what every node can answer. */
uint32_t dynkv_cluster_anyone(const struct dynkv_client *client, struct dynkv_session **out,
                              uint32_t max);

#endif
