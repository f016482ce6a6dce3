/*
 * store_work.h: the effects that the store carries out, and the events that answer them.
 *
 * A job is the effects of one round of the loop.  It is done in two parts: its loads and ranges, then
 * its stores as one batch.  Several jobs can be done together, the loads of all before the stores of
 * all, as long as none loads what a job before it stores (dynkvd_group_add sees to that): the result is
 * the same as doing them one by one, with one write and one sync for all of them.
 */
#ifndef DYNKV_DAEMON_STORE_WORK_H
#define DYNKV_DAEMON_STORE_WORK_H

#include "base/map.h"
#include "daemon/loop.h"
#include "daemon/store_pending.h"

#define DYNKVD_GROUP_BYTES_MAX \
    ((size_t)16 * 1024 * 1024) /* of one write; a single job may be more */

/* Loads that the loop looks for in memory itself; where there are more, two threads are faster than one. */
#define DYNKVD_PEEK_MAX 32u

struct dynkvd_job {
    struct dynkvd_job *next;
    struct dynkv_effects effects;
    size_t store_bytes; /* keys and records of the stores */
};

/* Events for the core; their data live in the arena. */
struct dynkvd_result {
    struct dynkvd_item item;
    struct dynkv_arena arena;
    struct dynkv_event *events; /* without their times */
    uint32_t event_count, event_cap;
    bool store_failed; /* a write failed: the node must go out of service */
};

struct dynkvd_group {
    struct dynkvd_job *first, *last;
    size_t store_bytes;
    struct dynkv_map stored; /* keys the group stores, by hash */
    bool stores_keyspace;    /* it drops one */
    struct dynkv_arena arena;
};

struct dynkvd_result *dynkvd_result_new(void);
void dynkvd_result_free(struct dynkvd_result *result);

/* Whether effects have anything for the store to do. */
bool dynkvd_effects_have_work(const struct dynkv_effects *effects);

/* Zero-initialised is an empty group.  True: the job is in the group.  An empty group takes any. */
bool dynkvd_group_add(struct dynkvd_group *group, struct dynkvd_job *job);
/* Frees what the group itself holds and empties it; the jobs are the caller's. */
void dynkvd_group_reset(struct dynkvd_group *group);

/*
 * Answers those of the job's loads that the engine has in memory and that no pending store is to change, and takes
 * them out of the job.  On another thread than the rest.
 */
void dynkvd_work_peek(struct dynkv_engine *engine, struct dynkvd_pending *pending,
                      struct dynkvd_job *job, struct dynkvd_metrics *metrics,
                      struct dynkvd_result *result);
/* Does the loads and ranges of the jobs, first to last. */
void dynkvd_work_read(struct dynkv_engine *engine, const struct dynkvd_job *jobs,
                      struct dynkvd_metrics *metrics, struct dynkvd_result *result);
/* Does their stores, as one batch.  engine NULL: it failed before; they fail without touching it. */
void dynkvd_work_write(struct dynkv_engine *engine, const struct dynkvd_job *jobs,
                       struct dynkvd_metrics *metrics, struct dynkvd_result *result);
/* Puts the engine's own numbers into the metrics. */
void dynkvd_work_measure(struct dynkv_engine *engine, struct dynkvd_metrics *metrics);

#endif
