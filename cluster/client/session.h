/*
 * session.h: one node as the client knows it: its connection, what waits for it, what it owes.
 *
 *   IDLE -> CONNECTING -> HELLO -> OPEN -> FAILED -> CONNECTING ...
 *
 *   IDLE        never needed yet; the first message submitted connects
 *   CONNECTING  socket and SP greeting are under way; messages queue
 *   HELLO       HELLO is sent; messages queue until the node has said who it is
 *   OPEN        messages are sent as they come, up to max_in_flight_bytes unanswered
 *   FAILED      the last attempt or connection failed; a timer tries again, later each time.  A message
 *               submitted now tries at once
 *
 * A session that fails gives everything that it was entrusted with back to the owners, but never from
 * within a call of theirs: failures are kept and told by dynkv_session_settle, so that an owner may
 * submit from inside its callback without being called again.
 *
 * An exchange is one message to one node and its reply.  It belongs to its owner, who fills it in,
 * submits it, and may submit it again once it is done.  It ends in exactly one call of on_done, unless
 * the owner cancels it first.
 */
#ifndef DYNKV_CLIENT_SESSION_H
#define DYNKV_CLIENT_SESSION_H

#include "base/map.h"
#include "client/address.h"
#include "client/timer.h"
#include "client/transport.h"
#include "wire/message.h"

struct dynkv_client;
struct dynkv_session;
struct dynkv_exchange;

/* What became of a message. */
enum dynkv_fate {
    DYNKV_FATE_ANSWERED, /* the node answered: OK with the body, or the error it gave */
    DYNKV_FATE_UNSENT,   /* not a byte of it left this process */
    DYNKV_FATE_LOST,     /* it, or a part, was sent; whether it was carried out is not known */
};

struct dynkv_outcome {
    enum dynkv_error error;
    enum dynkv_fate fate;
    const char *text;       /* why, when error is not OK; borrowed for the call */
    union dynkv_body *body; /* when OK: of reply_type, in the exchange's arena; else NULL */
};

typedef void dynkv_exchange_done(struct dynkv_exchange *exchange,
                                 const struct dynkv_outcome *outcome);

struct dynkv_exchange {
    /* For the owner to fill in. */
    void *owner;
    uint8_t type;              /* enum dynkv_message_type */
    uint8_t reply_type;        /* what it must be answered with, if not with ERROR */
    const void *body;          /* struct of type; must live until done */
    struct dynkv_arena *arena; /* the reply and what is decoded of it are put here */
    uint64_t deadline_at_ms;   /* of the whole request: told to the node */
    uint64_t slow_at_ms;       /* 0: never; when on_slow is called, once */
    dynkv_exchange_done *on_done;
    bool (*on_slow)(struct dynkv_exchange *exchange); /* true: others had better avoid the node */

    /* The session's. */
    struct dynkv_session *session; /* NULL when not under way */
    struct dynkv_map_node by_id;   /* in session->in_flight */
    struct dynkv_exchange *next,
        *previous; /* in session->queue, or in the client's list of losses */
    struct dynkv_timer slow;
    uint64_t request_id;
    uint64_t stream_begin; /* where in the connection's stream it begins */
    uint32_t size;
    enum dynkv_exchange_state {
        DYNKV_EXCHANGE_DONE,
        DYNKV_EXCHANGE_QUEUED,
        DYNKV_EXCHANGE_IN_FLIGHT,
        DYNKV_EXCHANGE_FAILED, /* not told yet */
    } state;
    enum dynkv_fate fate; /* when FAILED */
    enum dynkv_error error;
};

struct dynkv_exchange_list {
    struct dynkv_exchange *first, *last;
};

enum dynkv_session_state {
    DYNKV_SESSION_IDLE,
    DYNKV_SESSION_CONNECTING,
    DYNKV_SESSION_HELLO,
    DYNKV_SESSION_OPEN,
    DYNKV_SESSION_FAILED,
};

/* How good a session is to ask, best first. */
enum dynkv_liveness {
    DYNKV_LIVE,     /* answers, or has not been tried */
    DYNKV_DOUBTFUL, /* the cluster says it is down, or it keeps us waiting */
    DYNKV_DEAD,     /* the last connection to it failed */
};

struct dynkv_session {
    struct dynkv_client *client;
    uint32_t index; /* among the client's sessions */
    struct dynkv_address address;
    enum dynkv_session_state state;
    struct dynkv_transport transport;

    uint64_t expected_node_id; /* of the member that should answer here; 0: anybody */
    uint64_t node_id;          /* who answered HELLO last; 0: nobody yet */
    bool is_down;              /* the cluster says so */
    bool is_wanted;            /* reconnect by itself: a seed or a member */
    bool is_slow;              /* somebody waited too long for it, and it has said nothing since */

    struct dynkv_map in_flight;       /* by request id */
    struct dynkv_exchange_list queue; /* not appended to the connection yet */
    uint64_t in_flight_bytes;
    uint32_t unflushed; /* exchanges appended since the last flush */

    struct dynkv_timer timer; /* CONNECTING, HELLO: give up; FAILED: try again; is_slow: check */
    uint32_t failures;        /* in a row */
    enum dynkv_error error;   /* of the last failure */
    char text[DYNKV_TRANSPORT_TEXT_MAX];

    struct dynkv_exchange hello;
    struct dynkv_hello hello_body;
    struct dynkv_arena hello_arena;

    bool is_dirty; /* in the client's list of sessions with something to flush */
    struct dynkv_session *next_dirty;

    uint64_t group_stamp; /* group.c: which grouping group_index belongs to */
    uint32_t group_index;
};

/* On the heap; the client's list owns it. */
struct dynkv_session *dynkv_session_new(struct dynkv_client *client,
                                        const struct dynkv_address *address);
/* Nothing may be under way on it any more: dynkv_session_close first. */
void dynkv_session_free(struct dynkv_session *session);
/* Disconnects; what was under way fails with this error. */
void dynkv_session_close(struct dynkv_session *session, enum dynkv_error error, const char *text);
enum dynkv_liveness dynkv_session_liveness(const struct dynkv_session *session);

/* Hands a filled-in exchange over; on_done follows later, never from within this call. */
void dynkv_session_submit(struct dynkv_session *session, struct dynkv_exchange *exchange);
/* Sends a message whose reply interests nobody, if the session is open. */
void dynkv_session_tell(struct dynkv_session *session, uint8_t type, const void *body,
                        uint64_t deadline_at_ms);
/* Ends an exchange without on_done; it may have been sent, and even carried out. */
void dynkv_exchange_cancel(struct dynkv_exchange *exchange);
/* From on_slow: to be called again then. */
void dynkv_exchange_slow_again(struct dynkv_exchange *exchange, uint64_t at_ms);
/* Whether any of it may have left this process. */
bool dynkv_exchange_is_sent(const struct dynkv_exchange *exchange);

/* For the client's loop: what epoll reported; flushing; telling the failures there are. */
void dynkv_session_on_event(struct dynkv_session *session, uint32_t events);
void dynkv_session_flush(struct dynkv_session *session);
/* Whether what is appended should leave now rather than wait for company. */
bool dynkv_session_is_urgent(const struct dynkv_session *session);
/* Tells the owners of failed exchanges; true if there were any. */
bool dynkv_session_settle(struct dynkv_client *client);

#endif
