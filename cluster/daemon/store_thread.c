#include "daemon/store_thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/socket.h"

#define FREE_JOBS_MAX 64u

struct dynkvd_store {
    struct dynkv_engine *engine;
    struct dynkvd_loop *loop;
    struct dynkvd_metrics *metrics;
    uint32_t sync_interval_ms; /* 0: not this mode */
    struct dynkvd_pending pending;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct dynkvd_job *first, *last; /* given, not begun */
    struct dynkvd_job *free;
    uint32_t free_count;
    bool stopping;
    bool idle; /* the thread waits */

    /* of the thread alone */
    uint64_t sync_next_ms, measure_next_ms; /* monotonic */
    bool dirty;                             /* written since the last sync */
    bool
        failed; /* a write or sync did: the engine is not written to any more, see stop in main.c */
};

struct dynkvd_job *dynkvd_store_job(struct dynkvd_store *store)
{
    struct dynkvd_job *job;

    pthread_mutex_lock(&store->lock);
    job = store->free;
    if (job) {
        store->free = job->next;
        store->free_count--;
    }
    pthread_mutex_unlock(&store->lock);
    return job ? job : dynkv_calloc(1, sizeof *job);
}

static void job_free(struct dynkvd_job *job)
{
    dynkv_effects_fini(&job->effects);
    free(job);
}

static void job_recycle(struct dynkvd_store *store, struct dynkvd_job *job)
{
    dynkvd_metric_sub(&store->metrics->backlog_bytes, job->store_bytes);
    dynkv_effects_reset(&job->effects);
    job->store_bytes = 0;
    pthread_mutex_lock(&store->lock);
    if (store->free_count < FREE_JOBS_MAX) {
        job->next = store->free;
        store->free = job;
        store->free_count++;
        job = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    if (job)
        job_free(job);
}

void dynkvd_store_give(struct dynkvd_store *store, struct dynkvd_job *job,
                       struct dynkvd_result *result)
{
    bool wake;

    dynkvd_work_peek(store->engine, &store->pending, job, store->metrics, result);
    if (!dynkvd_effects_have_work(&job->effects)) {
        job_recycle(store, job);
        return;
    }
    dynkvd_pending_add(&store->pending, &job->effects);
    job->next = NULL;
    for (uint32_t i = 0; i < job->effects.store_count; i++)
        job->store_bytes += job->effects.stores[i].key.len + job->effects.stores[i].record.len;
    dynkvd_metric_add(&store->metrics->backlog_bytes, job->store_bytes);
    pthread_mutex_lock(&store->lock);
    if (store->last)
        store->last->next = job;
    else
        store->first = job;
    store->last = job;
    wake = store->idle;
    pthread_mutex_unlock(&store->lock);
    if (wake)
        pthread_cond_signal(&store->wake);
}

static void store_post(struct dynkvd_store *store, struct dynkvd_result *result)
{
    if (result->event_count || result->store_failed)
        dynkvd_loop_post(store->loop, &result->item, false);
    else
        dynkvd_result_free(result);
}

/* Everything that was due is done; a failing sync is as bad as a failing write. */
static void store_do_timers(struct dynkvd_store *store)
{
    uint64_t now = dynkvd_mono_ms();

    if (store->sync_interval_ms && now >= store->sync_next_ms) {
        store->sync_next_ms = now + store->sync_interval_ms;
        if (store->dirty && !store->failed && dynkv_engine_sync(store->engine)) {
            struct dynkvd_result *result = dynkvd_result_new();

            dynkvd_log(DYNKV_LOG_ERROR, "the store cannot sync: %s",
                       dynkv_engine_last_error(store->engine));
            result->store_failed = store->failed = true;
            store_post(store, result);
        }
        store->dirty = false;
    }
    if (now >= store->measure_next_ms) {
        store->measure_next_ms = now + DYNKVD_STORE_MEASURE_MS;
        dynkvd_work_measure(store->engine, store->metrics);
    }
}

static void store_do_group(struct dynkvd_store *store, struct dynkvd_group *group)
{
    struct dynkvd_result *read = dynkvd_result_new(), *written = dynkvd_result_new();
    struct dynkvd_job *job, *next;

    dynkvd_work_read(store->engine, group->first, store->metrics, read);
    store_post(store, read);
    dynkvd_work_write(store->failed ? NULL : store->engine, group->first, store->metrics, written);
    store->failed |= written->store_failed;
    store->dirty |= written->event_count > 0;
    store_post(store, written);
    for (job = group->first; job; job = next) {
        next = job->next;
        dynkvd_pending_remove(&store->pending, &job->effects);
        job_recycle(store, job);
    }
}

/* Waits for jobs; NULL: stop. */
static struct dynkvd_job *store_take(struct dynkvd_store *store)
{
    struct dynkvd_job *jobs;

    pthread_mutex_lock(&store->lock);
    while (!store->first && !store->stopping) {
        uint64_t next = store->measure_next_ms, now = dynkvd_mono_ms();
        struct timespec until;

        if (store->sync_interval_ms && store->sync_next_ms < next)
            next = store->sync_next_ms;
        if (now >= next) {
            pthread_mutex_unlock(&store->lock);
            store_do_timers(store);
            pthread_mutex_lock(&store->lock);
            continue;
        }
        until = dynkvd_deadline(next - now);
        store->idle = true;
        pthread_cond_timedwait(&store->wake, &store->lock, &until);
        store->idle = false;
    }
    jobs = store->first;
    store->first = store->last = NULL;
    pthread_mutex_unlock(&store->lock);
    return jobs;
}

static void *store_main(void *argument)
{
    struct dynkvd_store *store = argument;
    struct dynkvd_job *job, *next;

    while ((job = store_take(store)))
        while (job) {
            struct dynkvd_group group = {0};

            for (; job; job = next) {
                next = job->next;
                if (!dynkvd_group_add(&group, job)) {
                    job->next = next;
                    break;
                }
            }
            store_do_group(store, &group);
            dynkvd_group_reset(&group);
            store_do_timers(store);
        }
    return NULL;
}

struct dynkvd_store *dynkvd_store_start(struct dynkv_engine *engine,
                                        const struct dynkvd_config *config,
                                        struct dynkvd_loop *loop, struct dynkvd_metrics *metrics)
{
    struct dynkvd_store *store = dynkv_calloc(1, sizeof *store);

    store->engine = engine;
    store->loop = loop;
    store->metrics = metrics;
    if (config->sync == DYNKV_SYNC_INTERVAL)
        store->sync_interval_ms = config->sync_interval_ms;
    pthread_mutex_init(&store->lock, NULL);
    dynkvd_condition_init(&store->wake);
    store->thread = dynkvd_thread_start("store", store_main, store);
    return store;
}

bool dynkvd_store_stop(struct dynkvd_store *store)
{
    struct dynkvd_job *job, *next;
    bool good;

    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    for (job = store->free; job; job = next) {
        next = job->next;
        job_free(job);
    }
    good = !store->failed;
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    free(store);
    return good;
}
