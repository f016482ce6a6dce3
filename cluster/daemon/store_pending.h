/*
 * store_pending.h: which keys the store has been told to write and has not written yet.
 *
 * What is not among them can be read beside the store's thread.  A table of counters by hash, one thread adding
 * and one taking away: two keys that share a counter cost one of them a trip to that thread, no more.
 */
#ifndef DYNKV_DAEMON_STORE_PENDING_H
#define DYNKV_DAEMON_STORE_PENDING_H

#include <stdatomic.h>

#include "core/node.h"

#define DYNKVD_PENDING_PLACES 8192u /* 32 KiB; a power of two */

struct dynkvd_pending {
    _Atomic uint32_t places[DYNKVD_PENDING_PLACES];
    _Atomic uint32_t ranges; /* writes that are of no single key: what is dropped as a whole */
};

uint64_t dynkvd_key_hash(enum dynkv_space space, uint32_t partition, uint64_t keyspace,
                         struct dynkv_slice key);

/* The stores among the effects are given to the store; they are done, well or not. */
void dynkvd_pending_add(struct dynkvd_pending *pending, const struct dynkv_effects *effects);
void dynkvd_pending_remove(struct dynkvd_pending *pending, const struct dynkv_effects *effects);
/* True where one of them may write what is to be loaded. */
bool dynkvd_pending_has(struct dynkvd_pending *pending, const struct dynkv_effect_load *load);

#endif
