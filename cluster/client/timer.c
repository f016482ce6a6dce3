/* timer.c: timers in a balanced tree, ordered by time. */
#include "client/timer.h"

#include "base/map.h"

static struct dynkv_timer *timer_of(struct dynkv_avl_node *node)
{
    return DYNKV_CONTAINER(node, struct dynkv_timer, node);
}

static int timer_compare(const void *key, const struct dynkv_avl_node *node)
{
    const struct dynkv_timer *a = key;
    const struct dynkv_timer *b = DYNKV_CONTAINER(node, const struct dynkv_timer, node);

    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void dynkv_timer_arm(struct dynkv_timers *timers, struct dynkv_timer *timer, uint64_t at_ms)
{
    dynkv_timer_disarm(timers, timer);
    timer->at_ms = at_ms;
    timer->order = timers->next_order++;
    timer->is_armed = true;
    dynkv_avl_insert(&timers->tree, &timer->node, timer, timer_compare);
}

void dynkv_timer_disarm(struct dynkv_timers *timers, struct dynkv_timer *timer)
{
    if (!timer->is_armed)
        return;
    dynkv_avl_remove(&timers->tree, &timer->node);
    timer->is_armed = false;
}

bool dynkv_timers_next(const struct dynkv_timers *timers, uint64_t *at_ms)
{
    struct dynkv_avl_node *first = dynkv_avl_first(&timers->tree);

    if (!first)
        return false;
    *at_ms = timer_of(first)->at_ms;
    return true;
}

void dynkv_timers_run(struct dynkv_timers *timers, uint64_t now_ms)
{
    uint64_t newest = timers->next_order;

    for (;;) {
        struct dynkv_avl_node *first = dynkv_avl_first(&timers->tree);
        struct dynkv_timer *timer = first ? timer_of(first) : NULL;

        /* A timer armed by a callback, already due again: it must not keep us here for ever. */
        if (!timer || timer->at_ms > now_ms || timer->order >= newest)
            return;
        dynkv_timer_disarm(timers, timer);
        timer->fire(timer);
    }
}
