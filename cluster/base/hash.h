/*
 * hash.h: the one hash of dynkv, XXH3 (xxHash, BSD licence).
 *
 * Its values are stored and travel: placement, digests and trees depend on them.  Seeds keep uses
 * apart.
 */
#ifndef DYNKV_BASE_HASH_H
#define DYNKV_BASE_HASH_H

#include <stdint.h>

#include "base/bytes.h"

uint64_t dynkv_hash(struct dynkv_slice bytes, uint64_t seed);
/* A good mix of two numbers, for tokens and ranks. */
uint64_t dynkv_hash_pair(uint64_t a, uint64_t b);

#endif
