/*
 * suspicion.h: how long a suspected member has to speak up, as pure arithmetic.
 *
 * A suspicion that one member alone holds may be that member's own trouble, so it gets the greatest
 * time; every further member that reports the same by itself shortens it, down to the least time once
 * as many have as could be hoped for.  The least time grows with the logarithm of the cluster's size,
 * since that is how long news need to reach everybody: the suspicion to the suspect, and its
 * refutation back.
 *
 * Sources: Das, Gupta, Motivala, "SWIM", DSN 2002, 4.2 (suspicion); Dadgar, Phillips, Currey,
 * "Lifeguard: Local Health Awareness for More Accurate Failure Detection", DSN 2018, IV-B (the formula).
 */
#ifndef DYNKV_CORE_SUSPICION_H
#define DYNKV_CORE_SUSPICION_H

#include <stdint.h>

/* The logarithm to the base 2 in 1/65536ths; value is not 0. */
uint32_t suspicion_log2(uint64_t value);

/* interval_ms * multiplier * max(1, log10(members)); members is not 0. */
uint64_t suspicion_least_ms(uint32_t multiplier, uint32_t members, uint32_t interval_ms);

/*
 * The time from the first report on: greatest - (greatest - least) * log(confirmations + 1) /
 * log(expected + 1).  confirmations: reports after the first; expected: how many of them bring the
 * time down to the least; more change nothing, and if none can be expected, the time is the least.
 */
uint64_t suspicion_time_ms(uint32_t confirmations, uint32_t expected, uint64_t least_ms,
                           uint64_t greatest_ms);

#endif
