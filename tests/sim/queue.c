/* queue.c: virtual time, as a binary heap of what is to happen; equal times in the order of asking. */
#include <stdlib.h>

#include "sim.h"

static bool queue_is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_at(struct sim *sim, uint64_t delay_us, struct sim_event event)
{
    struct sim_queue *queue = &sim->queue;
    uint32_t at = queue->count++;

    if (queue->count > queue->cap) {
        queue->cap = queue->cap ? queue->cap * 2 : 1024;
        queue->heap = dynkv_realloc(queue->heap, queue->cap * sizeof *queue->heap);
    }
    event.at_us = sim->now_us + delay_us;
    event.order = queue->next_order++;
    for (; at && queue_is_before(&event, &queue->heap[(at - 1) / 2]); at = (at - 1) / 2)
        queue->heap[at] = queue->heap[(at - 1) / 2];
    queue->heap[at] = event;
}

bool sim_queue_take(struct sim_queue *queue, struct sim_event *out)
{
    struct sim_event last;
    uint32_t at = 0, child;

    if (queue->count == 0)
        return false;
    *out = queue->heap[0];
    last = queue->heap[--queue->count];
    while ((child = 2 * at + 1) < queue->count) {
        if (child + 1 < queue->count &&
            queue_is_before(&queue->heap[child + 1], &queue->heap[child]))
            child++;
        if (!queue_is_before(&queue->heap[child], &last))
            break;
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    if (queue->count)
        queue->heap[at] = last;
    return true;
}

void sim_queue_fini(struct sim_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++)
        free(queue->heap[i].data);
    free(queue->heap);
    *queue = (struct sim_queue){0};
}
