/*
 * keyspace.h: a named set of keys with its own replication settings.
 *
 * A definition is gossiped as a last-writer-wins register per name: the greater (generation, stamp)
 * wins, then the greater of the other fields in turn, so all nodes settle on the same one.  The id is
 * a hash of name and generation: nodes that create the same name at the same time mean the same
 * keyspace, and one that is dropped and made again is another, so late deletes of the old one cannot
 * touch it.
 */
#ifndef DYNKV_MODEL_KEYSPACE_H
#define DYNKV_MODEL_KEYSPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

struct dynkv_keyspace {
    struct dynkv_slice name; /* 1 to DYNKV_NAME_MAX bytes: letters, digits, '_', '-', '.', '$' */
    uint32_t generation;     /* from 1; raised by drop and create */
    uint64_t stamp;          /* timestamp of the definition */
    bool dropped;
    uint8_t n, r, w; /* 1 <= r, w <= n <= DYNKV_REPLICAS_MAX */
    uint64_t ttl_ms; /* default time to live of a put; 0: none */
};

uint64_t dynkv_keyspace_id(struct dynkv_slice name, uint32_t generation);
/* Whether the second should replace the first. */
bool dynkv_keyspace_is_newer(const struct dynkv_keyspace *old, const struct dynkv_keyspace *new_);
bool dynkv_keyspace_name_is_valid(struct dynkv_slice name);

#endif
