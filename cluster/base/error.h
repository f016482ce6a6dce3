/*
 * error.h: the one list of outcomes.
 *
 * The numbers travel between nodes and clients, so they are never reused or renumbered.  NOT_FOUND,
 * TIMEOUT and UNAVAILABLE are outcomes a caller plans for; the others say that something must be
 * mended.  UNAVAILABLE and TIMEOUT of a write mean: indeterminate, it may still take effect whole.
 */
#ifndef DYNKV_BASE_ERROR_H
#define DYNKV_BASE_ERROR_H

/* X(number, NAME, text) */
#define DYNKV_ERRORS(X)                                                                     \
    X(0, OK, "ok")                                                                          \
    X(1, NOT_FOUND, "not found")                                                            \
    X(2, TIMEOUT, "the deadline passed")                                                    \
    X(3, UNAVAILABLE, "too few replicas answered")                                          \
    X(4, SIBLINGS_LIMIT, "the key has too many siblings; read it and write it back merged") \
    X(5, TOO_LARGE, "over a size limit")                                                    \
    X(6, MALFORMED, "malformed message")                                                    \
    X(7, UNSUPPORTED, "protocol version or message not supported")                          \
    X(8, NO_KEYSPACE, "no such keyspace")                                                   \
    X(9, INVALID, "invalid argument")                                                       \
    X(10, NOT_REPLICA, "this node is not a replica of the key")                             \
    X(11, RING_CHANGED, "the ring has changed; fetch it and try again")                     \
    X(12, OVERLOADED, "the node is overloaded; try again later")                            \
    X(13, STORAGE, "the node's storage failed")                                             \
    X(14, CORRUPT, "stored data is corrupt")                                                \
    X(15, CLOCK_DRIFT, "the sender's clock is too far ahead")                               \
    X(16, CONNECT, "cannot connect")                                                        \
    X(17, NOT_DYNKV, "the other side does not speak dynkv")                                 \
    X(18, REFUSED, "refused")                                                               \
    X(19, STOPPING, "the node is stopping")                                                 \
    X(20, CONFLICT, "concurrent values exist")                                              \
    X(21, CANCELLED, "cancelled")                                                           \
    X(22, TRUNCATED, "left out of a reply that was full; ask for it again")                 \
    X(23, STALE, "sent before tombstones of its partition were reaped; send it again")      \
    X(24, VERSION_LIMIT,                                                                    \
      "the key's version has too many entries, one for each crash of its writers; delete "  \
      "the key")

enum dynkv_error {
#define DYNKV_ERROR_ENUM(number, name, text) DYNKV_##name = (number),
    DYNKV_ERRORS(DYNKV_ERROR_ENUM)
#undef DYNKV_ERROR_ENUM
};

/* A static text for any number, known or not; never NULL. */
const char *dynkv_error_text(enum dynkv_error error);

/* The symbolic name ("NOT_FOUND"), for logs and JSON; "UNKNOWN" for a number not listed. */
const char *dynkv_error_name(enum dynkv_error error);

#endif
