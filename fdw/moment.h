/*
 * moment.h: the cluster's milliseconds since 1970 and the server's microseconds since 2000.
 */
#ifndef DYNKV_FDW_MOMENT_H
#define DYNKV_FDW_MOMENT_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* This machine's clock, now. */
extern uint64 dynkv_now_ms(void);
/* Beyond what a timestamptz can be it becomes infinity. */
extern TimestampTz dynkv_moment_from_ms(uint64 ms);
/* Parts of a millisecond are dropped.  At least 1, also of moments before 1970; not of infinity. */
extern uint64 dynkv_moment_to_ms(TimestampTz moment);

#endif
