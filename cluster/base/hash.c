/* hash.c: XXH3, compiled into this file alone so that nothing links libxxhash. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t dynkv_hash(struct dynkv_slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}

uint64_t dynkv_hash_pair(uint64_t a, uint64_t b)
{
    uint8_t raw[16];

    for (unsigned i = 0; i < 8; i++) {
        raw[i] = (uint8_t)(a >> (8 * i));
        raw[8 + i] = (uint8_t)(b >> (8 * i));
    }
    return XXH3_64bits(raw, sizeof raw);
}
