/*
 * timer.h: moments at which something must be done, in order.
 *
 * A timer lives inside the structure that it belongs to and must be disarmed before that one goes.
 * Times are milliseconds of the monotonic clock.
 */
#ifndef DYNKV_CLIENT_TIMER_H
#define DYNKV_CLIENT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/avl.h"

struct dynkv_timer {
    struct dynkv_avl_node node;
    uint64_t at_ms;
    uint64_t order; /* among equal times, the one armed first */
    bool is_armed;
    void (*fire)(struct dynkv_timer *timer);
};

/* Zero-initialised is valid and empty. */
struct dynkv_timers {
    struct dynkv_avl tree;
    uint64_t next_order;
};

/* fire must be set.  Arming an armed timer moves it. */
void dynkv_timer_arm(struct dynkv_timers *timers, struct dynkv_timer *timer, uint64_t at_ms);
/* Nothing happens to one that is not armed. */
void dynkv_timer_disarm(struct dynkv_timers *timers, struct dynkv_timer *timer);
/* True and the earliest time, or false if no timer is armed. */
bool dynkv_timers_next(const struct dynkv_timers *timers, uint64_t *at_ms);
/* Fires those that are due at now_ms when called; those that the callbacks arm wait for the next run. */
void dynkv_timers_run(struct dynkv_timers *timers, uint64_t now_ms);

#endif
