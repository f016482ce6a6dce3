/*
 * store_thread.h: the one thread that calls an engine which may block.
 *
 * Jobs are done in the order in which they were given.  All that wait when the thread comes round are
 * done as one group (store_work.h): their loads are answered at once, then their stores are written
 * with one sync.  While a sync runs the next group gathers: that is the group commit.
 *
 * A load that needs no disk needs no other thread either: dynkvd_store_give answers what it finds in memory on the
 * spot.  That saves two of the changes of threads that a lookup consists of.
 */
#ifndef DYNKV_DAEMON_STORE_THREAD_H
#define DYNKV_DAEMON_STORE_THREAD_H

#include "daemon/config.h"
#include "daemon/store_work.h"

#define DYNKVD_STORE_MEASURE_MS 1000u /* how old the engine's numbers in the metrics may be */

struct dynkvd_store *dynkvd_store_start(struct dynkv_engine *engine,
                                        const struct dynkvd_config *config,
                                        struct dynkvd_loop *loop, struct dynkvd_metrics *metrics);
/* A job with no effects, from those done before or new. */
struct dynkvd_job *dynkvd_store_job(struct dynkvd_store *store);
/*
 * Takes the job over; its results are posted to the loop, but for loads that can be answered at once: those are
 * added to result.  By the loop's runner.
 */
void dynkvd_store_give(struct dynkvd_store *store, struct dynkvd_job *job,
                       struct dynkvd_result *result);
/* Does what was given, then ends the thread; false: some of it, or of what came before, failed. */
bool dynkvd_store_stop(struct dynkvd_store *store);

#endif
