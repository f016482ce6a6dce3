/*
 * clock.h: the two clocks of the daemon, in milliseconds.
 */
#ifndef DYNKV_DAEMON_CLOCK_H
#define DYNKV_DAEMON_CLOCK_H

#include <stdint.h>

uint64_t dynkvd_wall_ms(void); /* since 1970; may jump either way */
uint64_t dynkvd_mono_ms(void); /* since some start; never goes back, CLOCK_MONOTONIC */

#endif
