/*
 * random.h: a seeded generator (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
 *
 * For tests, jitter and the simulator, where the same seed must give the same run.  Not for secrets
 * and not for identities: those come from the operating system, in the daemon and the client.
 */
#ifndef DYNKV_BASE_RANDOM_H
#define DYNKV_BASE_RANDOM_H

#include <stdint.h>

struct dynkv_random {
    uint64_t state;
};

static inline struct dynkv_random dynkv_random(uint64_t seed)
{
    return (struct dynkv_random){seed};
}

static inline uint64_t dynkv_random_next(struct dynkv_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Uniform in [0, bound), by rejection; bound > 0. */
static inline uint64_t dynkv_random_below(struct dynkv_random *random, uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value;

    do
        value = dynkv_random_next(random);
    while (value >= limit);
    return value % bound;
}

#endif
