/*
 * identity.h: who this node is, kept in its store.
 *
 * The member id stays as long as the store does.  The actor (store incarnation), with which writes are
 * stamped, is replaced whenever the store may have lost writes that were stamped with it: a new store,
 * the memory engine, or one that stopped uncleanly in a run that did not sync every write.  Counting on
 * with an actor after losing state would give two values one dot, and a replica would drop one of them.
 *
 * The record, metadata "identity":
 *   u8 format, 1;  u8 flags;  u64 member id;  u64 actor;  varint length, the node's name
 * It is written and synced before either number is used, and marked clean as the last act of a run.
 */
#ifndef DYNKV_DAEMON_IDENTITY_H
#define DYNKV_DAEMON_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "store/engine.h"

struct dynkvd_identity {
    uint64_t id;
    uint64_t actor;
    bool is_new;                     /* the store was empty */
    bool is_new_actor;               /* ... or its last run ended in doubt */
    struct dynkv_slice state, lease; /* the core's metadata, in the arena; empty: none */
};

/* 64 random bits of the operating system, not 0. */
uint64_t dynkvd_random_id(void);
/* Reads, or makes, the identity and marks the store as running; false, and why in error
 * (out is zero then). */
bool dynkvd_identity_open(struct dynkv_engine *engine, const struct dynkvd_config *config,
                          struct dynkv_arena *arena, struct dynkvd_identity *out, char *error,
                          size_t error_size);
/* Everything is synced: the next start may go on with the same actor. */
enum dynkv_error dynkvd_identity_mark_clean(struct dynkv_engine *engine,
                                            const struct dynkvd_config *config,
                                            const struct dynkvd_identity *identity);

#endif
