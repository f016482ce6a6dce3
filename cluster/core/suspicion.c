/*
 * suspicion.c: how long a suspected member has to speak up (see suspicion.h).
 *
 * Integers only: every node must come to the same number, on whatever machine, and the core has no
 * mathematics library.
 */
#include "core/suspicion.h"

#include "base/assert.h"

#define LOG_ONE     65536u           /* 1 in the fixed point of suspicion_log2 */
#define LOG_BITS    16u              /* binary digits behind its point */
#define LOG2_OF_TEN UINT64_C(217706) /* log2(10) * 65536 */

/* Digit by digit: squaring a mantissa in [1, 2) doubles its logarithm. */
uint32_t suspicion_log2(uint64_t value)
{
    uint32_t whole = 0;
    uint64_t mantissa; /* in 1/2^31ths */
    uint32_t result;

    DYNKV_ASSERT(value > 0);
    for (uint64_t rest = value; rest > 1; rest >>= 1)
        whole++;
    mantissa = whole > 31 ? value >> (whole - 31) : value << (31 - whole);
    result = whole * LOG_ONE;
    for (uint32_t bit = LOG_ONE / 2; bit; bit /= 2) {
        mantissa = mantissa * mantissa >> 31;
        if (mantissa >> 32) {
            mantissa >>= 1;
            result += bit;
        }
    }
    return result;
}

uint64_t suspicion_least_ms(uint32_t multiplier, uint32_t members, uint32_t interval_ms)
{
    uint64_t scale = (uint64_t)suspicion_log2(members) * LOG_ONE / LOG2_OF_TEN;

    if (scale < LOG_ONE)
        scale = LOG_ONE;
    return (uint64_t)multiplier * interval_ms * scale >> LOG_BITS;
}

uint64_t suspicion_time_ms(uint32_t confirmations, uint32_t expected, uint64_t least_ms,
                           uint64_t greatest_ms)
{
    DYNKV_ASSERT(least_ms <= greatest_ms);
    if (confirmations >= expected)
        return least_ms;
    return greatest_ms - (greatest_ms - least_ms) * suspicion_log2(confirmations + 1) /
                             suspicion_log2(expected + 1);
}
