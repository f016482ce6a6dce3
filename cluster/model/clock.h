/*
 * clock.h: hybrid logical clock (Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014).
 *
 * A timestamp is 48 bits of wall-clock milliseconds since 1970 and 16 bits of counter, so timestamps
 * compare as integers and read as times.  A clock never goes back, and advances past every timestamp
 * it is shown, so what was caused later is stamped later, whatever the machines' clocks say.
 */
#ifndef DYNKV_MODEL_CLOCK_H
#define DYNKV_MODEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct dynkv_clock {
    uint64_t last; /* the greatest timestamp given out or seen */
};

static inline uint64_t dynkv_timestamp_ms(uint64_t timestamp)
{
    return timestamp >> 16;
}

/* A fresh timestamp, greater than all before it. */
static inline uint64_t dynkv_clock_tick(struct dynkv_clock *clock, uint64_t now_ms)
{
    uint64_t wall = now_ms << 16;

    clock->last = wall > clock->last ? wall : clock->last + 1;
    return clock->last;
}

/* Advances past a timestamp from elsewhere; false, and no change, if it is too far in the future. */
static inline bool dynkv_clock_observe(struct dynkv_clock *clock, uint64_t timestamp,
                                       uint64_t now_ms)
{
    if (dynkv_timestamp_ms(timestamp) > now_ms + DYNKV_CLOCK_DRIFT_MAX_MS)
        return false;
    if (timestamp > clock->last)
        clock->last = timestamp;
    return true;
}

#endif
