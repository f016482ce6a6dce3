/*
 * request.h: what all requests share: deadline, waiting for the ring, errors and their texts.
 *
 * A kind of request (get.c, put.c ...) embeds struct dynkv_request as its first member and gives two
 * functions.  begin is called from dynkv_request_launch, when there is a ring if the kind needs one,
 * and again each time a ring that the request waited for has come.  settle ends every item that has no
 * result yet with the error given and cancels its exchanges; it is called at the deadline and when
 * there is no ring.  A request is done by dynkv_request_finish or dynkv_request_fail, once.
 */
#ifndef DYNKV_CLIENT_REQUEST_H
#define DYNKV_CLIENT_REQUEST_H

#include "client/client.h"
#include "client/group.h"

/* ---- who is to blame ---- */

#define DYNKV_BLAMED_MAX 8u /* nodes that a text names */

/* Which nodes failed and why, as a text: "127.0.0.1:7401: connection refused; ..." */
struct dynkv_blame {
    const struct dynkv_session *sessions[DYNKV_BLAMED_MAX];
    uint32_t count;
    enum dynkv_error error; /* of all of them, if it is the same for all */
    bool is_mixed;
    char text[DYNKV_CLIENT_TEXT_MAX];
};

/* A node is named once, with the first reason. */
void dynkv_blame_add(struct dynkv_blame *blame, const struct dynkv_session *session,
                     enum dynkv_error error, const char *why);
/* The error that all failures agree on, or UNAVAILABLE. */
enum dynkv_error dynkv_blame_error(const struct dynkv_blame *blame);

/* ---- requests ---- */

struct dynkv_request_kind {
    bool needs_ring; /* unless routing is "any" */
    void (*begin)(struct dynkv_request *request);
    void (*settle)(struct dynkv_request *request, enum dynkv_error error);
    void (*fini)(
        struct dynkv_request *request); /* cancels exchanges, frees what is not in the arena */
};

struct dynkv_request {
    const struct dynkv_request_kind *kind;
    struct dynkv_client *client;
    struct dynkv_request *next, *previous; /* in client->requests */
    struct dynkv_arena arena;              /* all that it returns */
    struct dynkv_timer deadline;
    uint64_t started_at_ms, deadline_at_ms;
    uint32_t deadline_ms;
    struct dynkv_ring_waiter waiter;
    struct dynkv_blame blame;
    bool is_done;
    enum dynkv_error error;
    char text[DYNKV_CLIENT_TEXT_MAX];
};

/* A zeroed structure of size bytes that begins with struct dynkv_request. */
void *dynkv_request_new(struct dynkv_client *client, const struct dynkv_request_kind *kind,
                        size_t size, uint32_t deadline_ms);
/* The end of every start call: begins it, unless it is done (refused) already. */
void dynkv_request_launch(struct dynkv_request *request);
/* begin is called again when the ring has been fetched anew, from first if not NULL. */
void dynkv_request_await_ring(struct dynkv_request *request, struct dynkv_session *first);
void dynkv_request_finish(struct dynkv_request *request);
/* Done, with this error and text (printf). */
void dynkv_request_fail(struct dynkv_request *request, enum dynkv_error error, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));
/* When an exchange of this request is to be called slow: a share of the time there is. */
uint64_t dynkv_request_slow_at_ms(const struct dynkv_request *request);

/* ---- keyspaces the client knows (keyspace.c) ---- */

struct dynkv_known_keyspace *dynkv_keyspace_known(const struct dynkv_client *client, uint64_t id);
/* Takes what a reply said of the keyspace's extent, if it did. */
void dynkv_keyspace_learn(struct dynkv_client *client, uint64_t keyspace,
                          const struct dynkv_extent *extent, uint32_t count);
void dynkv_keyspaces_fini(struct dynkv_client *client);

/*
 * A node said NO_KEYSPACE of one that this client opened a moment ago at another node: news travels by
 * gossip.  It is told, once, and then on_done is called: with ANSWERED and OK if it knows it now.
 * exchange is the caller's memory.  false: it is not a case for this, the keyspace is really gone.
 */
bool dynkv_keyspace_teach(struct dynkv_client *client, struct dynkv_session *session,
                          uint64_t keyspace, struct dynkv_exchange *exchange,
                          struct dynkv_keyspace_open *body, struct dynkv_arena *arena,
                          uint64_t deadline_at_ms, dynkv_exchange_done *on_done, void *owner);

/* ---- keys ---- */

/* OK, INVALID or TOO_LARGE, with the reason. */
enum dynkv_error dynkv_key_check(const struct dynkv_key_ref *key, const char **why);
/*
 * Whom to ask for a key, best first; out holds DYNKV_REPLICAS_MAX.  With routing "any": any nodes.
 */
uint32_t dynkv_key_route(const struct dynkv_client *client, uint64_t keyspace, uint32_t n,
                         struct dynkv_slice key, uint32_t partition_len,
                         struct dynkv_session **out);

#endif
