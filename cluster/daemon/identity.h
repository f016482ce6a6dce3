/*
 * identity.h: who this node is, kept in its store.
 *
 * The member id stays as long as the store does.  Whether the actor that stamps its writes may stay, too,
 * the core decides (core/restart.c); it is told whether the last run stopped cleanly.
 *
 * The record, metadata "identity":
 *   u8 format, 1;  u8 flags;  u64 member id;  varint length, the node's name
 * It is written and synced, as not clean, before anything else is done, and marked clean as the last act of
 * a run of which everything was stored.
 */
#ifndef DYNKV_DAEMON_IDENTITY_H
#define DYNKV_DAEMON_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "store/engine.h"

struct dynkvd_identity {
    uint64_t id;
    bool is_clean;                   /* the last run stopped cleanly; false for a new store */
    struct dynkv_slice state, lease; /* the core's metadata, in the arena; empty: none */
};

/* 64 random bits of the operating system, not 0. */
uint64_t dynkvd_random_id(void);
/* Reads, or makes, the identity and marks the store as running; false, and why in error
 * (out is zero then). */
bool dynkvd_identity_open(struct dynkv_engine *engine, const struct dynkvd_config *config,
                          struct dynkv_arena *arena, struct dynkvd_identity *out, char *error,
                          size_t error_size);
/* Everything is stored and synced. */
enum dynkv_error dynkvd_identity_mark_clean(struct dynkv_engine *engine,
                                            const struct dynkvd_config *config,
                                            const struct dynkvd_identity *identity);

#endif
