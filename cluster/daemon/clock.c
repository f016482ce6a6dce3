#include "daemon/clock.h"

#include <time.h>

static uint64_t clock_read_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

uint64_t dynkvd_wall_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME);
}

uint64_t dynkvd_mono_ms(void)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}
