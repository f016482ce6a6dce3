/* moment.c: from one epoch and unit to the other. */
#include "postgres.h"

#include "utils/timestamp.h"

#include "fdw/moment.h"

#define MOMENT_USECS_PER_MSEC INT64CONST(1000)
#define MOMENT_EPOCH_MS \
    ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000))

uint64 dynkv_now_ms(void)
{
    return dynkv_moment_to_ms(GetCurrentTimestamp());
}

TimestampTz dynkv_moment_from_ms(uint64 ms)
{
    if (ms >= (uint64)(END_TIMESTAMP / MOMENT_USECS_PER_MSEC + MOMENT_EPOCH_MS))
        return DT_NOEND;
    return ((int64)ms - MOMENT_EPOCH_MS) * MOMENT_USECS_PER_MSEC;
}

uint64 dynkv_moment_to_ms(TimestampTz moment)
{
    int64 usecs = moment % MOMENT_USECS_PER_MSEC;
    int64 ms = (moment - usecs) / MOMENT_USECS_PER_MSEC - (usecs < 0) + MOMENT_EPOCH_MS;

    Assert(moment != DT_NOEND);
    return moment == DT_NOBEGIN || ms < 1 ? 1 : (uint64)ms;
}
