#include "daemon/loop.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "daemon/client_socket.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/pages.h"
#include "daemon/peer_receiver.h"
#include "daemon/peer_sender.h"
#include "daemon/socket.h"
#include "daemon/store_thread.h"

#define HOUSEKEEPING_MS 10000u /* how often idle senders are looked for */

enum loop_state {
    LOOP_RUNNING,
    LOOP_DRAINING,
    LOOP_FAILED,
    LOOP_HALTED,
};

struct dynkvd_loop {
    struct dynkvd_loop_parts parts;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* the loop's thread, and who waits for halt */
    struct dynkvd_item *first, *last;
    bool tick_due;
    bool busy; /* there is a runner */
    bool idle; /* the loop's thread waits: wake it */
    enum loop_state state;
    bool has_failed; /* stays, when HALTED follows */

    /* the runner's */
    uint64_t now_ms, mono_ms; /* of this round */
    struct dynkv_effects effects;
    struct dynkvd_job own_job;        /* without a store thread: the effects being carried out */
    struct dynkvd_result *own_result; /* ... and the answers; with one: those from memory */
    bool store_failed;                /* found out in this round */
    uint64_t housekeeping_next_ms;
    struct dynkv_arena page_arena;
};

/* ---- effects ---- */

static void loop_step(struct dynkvd_loop *loop, struct dynkv_event *event)
{
    event->now_ms = loop->now_ms;
    event->mono_ms = loop->mono_ms;
    dynkv_node_step(loop->parts.node, event, &loop->effects);
}

static void loop_step_result(struct dynkvd_loop *loop, struct dynkvd_result *result)
{
    for (uint32_t i = 0; i < result->event_count; i++)
        loop_step(loop, &result->events[i]);
    loop->store_failed |= result->store_failed;
}

/* What needs no store.  Nothing here depends on the stores of the same round: the core acknowledges a
 * write only in the step that is told of its STORED. */
static void loop_send(struct dynkvd_loop *loop)
{
    struct dynkv_effects *effects = &loop->effects;

    for (uint32_t i = 0; i < effects->log_count; i++)
        dynkvd_log_slice(effects->logs[i].level, effects->logs[i].text);
    for (uint32_t i = 0; i < effects->send_count; i++)
        dynkvd_senders_add(loop->parts.senders, &effects->sends[i], loop->mono_ms);
    dynkvd_senders_flush(loop->parts.senders);
    for (uint32_t i = 0; i < effects->reply_count; i++)
        dynkvd_clients_reply(loop->parts.clients, effects->replies[i].client,
                             effects->replies[i].message);
}

static void loop_swap_effects(struct dynkvd_loop *loop, struct dynkvd_job *job)
{
    struct dynkv_effects empty = job->effects;

    job->effects = loop->effects;
    loop->effects = empty;
}

/* With an engine that never blocks: does the job here. */
static void loop_work_here(struct dynkvd_loop *loop, struct dynkvd_result *result)
{
    struct dynkvd_job *job = &loop->own_job;

    loop_swap_effects(loop, job);
    dynkvd_work_read(loop->parts.engine, job, loop->parts.metrics, result);
    dynkvd_work_write(loop->parts.engine, job, loop->parts.metrics, result);
    dynkv_effects_reset(&job->effects);
}

static void loop_give(struct dynkvd_loop *loop, struct dynkvd_result *result)
{
    struct dynkvd_job *job = dynkvd_store_job(loop->parts.store);

    loop_swap_effects(loop, job);
    dynkvd_store_give(loop->parts.store, job, result);
}

/* Carries out the effects, steps what was answered at once, carries out what comes of that, and so on. */
static void loop_flush(struct dynkvd_loop *loop)
{
    struct dynkvd_result *result = loop->own_result;

    for (;;) {
        loop_send(loop);
        if (!dynkvd_effects_have_work(&loop->effects)) {
            dynkv_effects_reset(&loop->effects);
            return;
        }
        if (loop->parts.store)
            loop_give(loop, result);
        else
            loop_work_here(loop, result);
        loop_step_result(loop, result);
        dynkv_arena_reset(&result->arena);
        result->event_count = 0;
        result->store_failed = false;
    }
}

/* ---- items ---- */

static void on_request(struct dynkvd_loop *loop, struct dynkvd_request *request,
                       enum loop_state state)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_REQUEST};

    if (state == LOOP_FAILED) {
        dynkvd_request_refuse(request, DYNKV_STORAGE,
                              "this node is out of service: its storage failed (see its log)");
    } else if (state == LOOP_DRAINING) {
        dynkvd_request_refuse(request, DYNKV_STOPPING, "this node is stopping; ask another one");
    } else {
        dynkvd_request_hold(request);
        event.as.request.client = dynkvd_request_token(request);
        event.as.request.bytes = dynkvd_request_bytes(request);
        loop_step(loop, &event);
    }
}

static void on_frame(struct dynkvd_loop *loop, struct dynkvd_frame *frame, enum loop_state state)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_FRAME};

    if (state != LOOP_FAILED) {
        event.as.frame.bytes = dynkvd_frame_bytes(frame);
        loop_step(loop, &event);
    }
    dynkvd_frame_free(loop->parts.receiver, frame);
}

static void on_result(struct dynkvd_loop *loop, struct dynkvd_result *result, enum loop_state state)
{
    if (state != LOOP_FAILED)
        loop_step_result(loop, result);
    dynkvd_result_free(result);
}

static void on_page(struct dynkvd_loop *loop, struct dynkvd_page *page)
{
    struct dynkv_status_reply status;
    struct dynkv_buf text = {0};

    if (loop->parts.engine)
        dynkvd_work_measure(loop->parts.engine, loop->parts.metrics);
    dynkv_node_status(loop->parts.node, &loop->page_arena, &status);
    dynkvd_page_render(page->kind, &status, loop->parts.metrics, &text);
    dynkvd_page_answer(page, dynkv_buf_slice(&text));
    dynkv_buf_fini(&text);
    dynkv_arena_reset(&loop->page_arena);
}

static void on_tick(struct dynkvd_loop *loop, enum loop_state state)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_TICK};

    if (state != LOOP_FAILED)
        loop_step(loop, &event);
    dynkvd_senders_tick(loop->parts.senders, loop->mono_ms);
    if (loop->mono_ms >= loop->housekeeping_next_ms) {
        loop->housekeeping_next_ms = loop->mono_ms + HOUSEKEEPING_MS;
        dynkvd_senders_retire_idle(loop->parts.senders, loop->mono_ms);
    }
}

static void loop_take(struct dynkvd_loop *loop, struct dynkvd_item *item, enum loop_state state)
{
    switch (item->kind) {
    case DYNKVD_ITEM_REQUEST:
        on_request(loop, (struct dynkvd_request *)item, state);
        break;
    case DYNKVD_ITEM_FRAME:
        on_frame(loop, (struct dynkvd_frame *)item, state);
        break;
    case DYNKVD_ITEM_RESULT:
        on_result(loop, (struct dynkvd_result *)item, state);
        break;
    case DYNKVD_ITEM_PAGE:
        on_page(loop, (struct dynkvd_page *)item);
        break;
    }
}

/* The core has been told, and its answers are out.  Whatever still waits gets an answer here. */
static void loop_fail(struct dynkvd_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    if (loop->state != LOOP_HALTED)
        loop->state = LOOP_FAILED;
    loop->has_failed = true;
    pthread_mutex_unlock(&loop->lock);
    atomic_store(&loop->parts.metrics->out_of_service, 1);
    dynkvd_log(DYNKV_LOG_ERROR, "the store failed: this node is out of service until it is "
                                "restarted; look at the disk first");
}

static void loop_round(struct dynkvd_loop *loop, struct dynkvd_item *items, bool tick,
                       enum loop_state state)
{
    struct dynkvd_item *next;
    bool had_failed = loop->store_failed;

    loop->now_ms = dynkvd_wall_ms();
    loop->mono_ms = dynkvd_mono_ms();
    dynkvd_metric_add(&loop->parts.metrics->loop_runs, 1);
    if (tick)
        on_tick(loop, state);
    for (; items; items = next) {
        next = items->next; /* the item may be gone, or a new request, after this */
        dynkvd_metric_add(&loop->parts.metrics->loop_items, 1);
        loop_take(loop, items, state);
    }
    loop_flush(loop);
    if (loop->store_failed && !had_failed)
        loop_fail(loop);
    if (loop->store_failed)
        dynkvd_clients_refuse_all(loop->parts.clients, DYNKV_STORAGE,
                                  "this node is out of service: its storage failed (see its log)");
    dynkvd_receiver_resume(loop->parts.receiver);
}

/* ---- the runner ---- */

void dynkvd_loop_run(struct dynkvd_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    DYNKV_ASSERT(loop->busy);
    while (loop->state != LOOP_HALTED && (loop->first || loop->tick_due)) {
        struct dynkvd_item *items = loop->first;
        bool tick = loop->tick_due;
        enum loop_state state = loop->state;

        loop->first = loop->last = NULL;
        loop->tick_due = false;
        pthread_mutex_unlock(&loop->lock);
        loop_round(loop, items, tick, state);
        pthread_mutex_lock(&loop->lock);
    }
    loop->busy = false;
    if (loop->state == LOOP_HALTED)
        pthread_cond_broadcast(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
}

bool dynkvd_loop_post(struct dynkvd_loop *loop, struct dynkvd_item *item, bool may_run)
{
    bool must_run = false, wake = false;

    item->next = NULL;
    pthread_mutex_lock(&loop->lock);
    if (loop->last)
        loop->last->next = item;
    else
        loop->first = item;
    loop->last = item;
    if (!loop->busy && loop->started && loop->state != LOOP_HALTED) {
        if (may_run)
            loop->busy = must_run = true;
        else
            wake = loop->idle;
    }
    pthread_mutex_unlock(&loop->lock);
    if (wake)
        pthread_cond_signal(&loop->wake);
    return must_run;
}

/* The clock, and the runner for those who may not run the loop themselves. */
static void *loop_main(void *argument)
{
    struct dynkvd_loop *loop = argument;
    uint64_t tick_next_ms = dynkvd_mono_ms();

    pthread_mutex_lock(&loop->lock);
    while (loop->state != LOOP_HALTED) {
        uint64_t now_ms = dynkvd_mono_ms();
        struct timespec until;

        if (now_ms >= tick_next_ms) {
            tick_next_ms = now_ms + DYNKV_TICK_MS;
            loop->tick_due = true;
        }
        if (!loop->busy && (loop->first || loop->tick_due)) {
            loop->busy = true;
            pthread_mutex_unlock(&loop->lock);
            dynkvd_loop_run(loop);
            dynkvd_senders_close_retired(loop->parts.senders);
            pthread_mutex_lock(&loop->lock);
            continue;
        }
        until = dynkvd_deadline(tick_next_ms > now_ms ? tick_next_ms - now_ms : 0);
        loop->idle = true;
        pthread_cond_timedwait(&loop->wake, &loop->lock, &until);
        loop->idle = false;
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

/* ---- life ---- */

struct dynkvd_loop *dynkvd_loop_new(void)
{
    struct dynkvd_loop *loop = dynkv_calloc(1, sizeof *loop);

    pthread_mutex_init(&loop->lock, NULL);
    dynkvd_condition_init(&loop->wake);
    loop->own_result = dynkvd_result_new();
    return loop;
}

void dynkvd_loop_start(struct dynkvd_loop *loop, const struct dynkvd_loop_parts *parts)
{
    pthread_mutex_lock(&loop->lock);
    loop->parts = *parts;
    loop->started = true;
    pthread_mutex_unlock(&loop->lock);
    loop->thread = dynkvd_thread_start("loop", loop_main, loop);
}

void dynkvd_loop_drain(struct dynkvd_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    if (loop->state == LOOP_RUNNING)
        loop->state = LOOP_DRAINING;
    pthread_mutex_unlock(&loop->lock);
}

void dynkvd_loop_halt(struct dynkvd_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->state = LOOP_HALTED;
    pthread_cond_broadcast(&loop->wake);
    while (loop->busy)
        pthread_cond_wait(&loop->wake, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    if (loop->started)
        pthread_join(loop->thread, NULL);
}

bool dynkvd_loop_has_failed(struct dynkvd_loop *loop)
{
    bool failed;

    pthread_mutex_lock(&loop->lock);
    failed = loop->has_failed;
    pthread_mutex_unlock(&loop->lock);
    return failed;
}

void dynkvd_loop_free(struct dynkvd_loop *loop)
{
    struct dynkvd_item *item, *next;

    for (item = loop->first; item; item = next) {
        next = item->next;
        if (item->kind == DYNKVD_ITEM_FRAME)
            dynkvd_frame_free(loop->parts.receiver, (struct dynkvd_frame *)item);
        else if (item->kind == DYNKVD_ITEM_RESULT)
            dynkvd_result_free((struct dynkvd_result *)item);
        /* requests are their context's, and pages were all answered before the halt */
    }
    dynkvd_result_free(loop->own_result);
    dynkv_effects_fini(&loop->effects);
    dynkv_effects_fini(&loop->own_job.effects);
    dynkv_arena_fini(&loop->page_arena);
    pthread_cond_destroy(&loop->wake);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}
