/*
 * facts.h: questions that any node can answer: keyspaces, status, the ring.
 *
 * The best node is asked; if it cannot be reached or keeps us waiting, the next, and so on.  A question
 * that changes something and may not be repeated stays with the node that it was sent to.
 */
#ifndef DYNKV_CLIENT_FACTS_H
#define DYNKV_CLIENT_FACTS_H

#include "client/request.h"
#include "model/keyspace.h"

struct dynkv_ask_kind {
    uint8_t type, reply_type; /* enum dynkv_message_type */
    bool is_repeatable;
    bool errors_are_clean; /* a node that answers with an error has done nothing: the next may */
    /* Looks at the reply; false, and why, if it cannot be.  NULL: any will do. */
    bool (*take)(struct dynkv_request *request, const union dynkv_body *body, const char **why);
};

struct dynkv_request *dynkv_ask_new(struct dynkv_client *client, const struct dynkv_ask_kind *kind,
                                    uint32_t deadline_ms);
/* body lives in the request's arena.  only: this node and no other; NULL: any. */
void dynkv_ask_launch(struct dynkv_request *request, const void *body, struct dynkv_session *only);
/* The reply, or NULL if there is none (yet); the request must be of that reply type. */
const union dynkv_body *dynkv_ask_reply(const struct dynkv_request *request, uint8_t reply_type);

#endif
