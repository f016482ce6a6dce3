/*
 * pipeline.h: writes on their way to one keyspace, several batches at once.
 *
 * One batch gathers while up to PIPELINE_IN_FLIGHT_MAX are on their way.  A key that is in a batch on its
 * way waits for that batch, so that the last write of a key is the one that stays.  After the first failure
 * nothing more is sent; what is on its way is still waited for, so that the counts are final.
 */
#ifndef DYNKV_FDW_PIPELINE_H
#define DYNKV_FDW_PIPELINE_H

#include "postgres.h"

#include "fdw/connection.h"
#include "fdw/option.h"

typedef struct DynkvPipeline DynkvPipeline;

typedef struct DynkvPipelineCounts {
    uint64 sent;
    uint64 acknowledged; /* of those */
    uint64 unknown;      /* of those: may have taken effect or not */
    uint64 unsent;       /* added, but not sent */
} DynkvPipelineCounts;

/* A new row beside which another one stands, as it turned out. */
typedef struct DynkvCrowded {
    struct dynkv_key_ref at;
    uint64 timestamp, value_hash; /* which of them it is */
} DynkvCrowded;

/* Where a pipeline leads. */
typedef struct DynkvPipelineTarget {
    DynkvConnection *connection;
    const DynkvTableOptions *options;
    const char *table;
    uint64 keyspace; /* once something was sent */
} DynkvPipelineTarget;

/* In the current memory context.  options gives keyspace, batch_size and deadline. */
extern DynkvPipeline *dynkv_pipeline_create(DynkvConnection *connection,
                                            const DynkvTableOptions *options, const char *table);
/* No key will be added twice. */
extern void dynkv_pipeline_expect_unique(DynkvPipeline *pipeline);
/*
 * Copies the write and waits while too much is on its way.  false: something has failed.  A row that is new
 * replaces nothing but what its context says, and is noted if another one stands beside it.
 */
extern bool dynkv_pipeline_add(DynkvPipeline *pipeline, const struct dynkv_write *write,
                               bool is_new, int w, bool strict);
/* Sends what is gathered, without waiting for more than room. */
extern bool dynkv_pipeline_push(DynkvPipeline *pipeline);
/* Sends what is gathered unless something has failed, and waits for all. */
extern bool dynkv_pipeline_finish(DynkvPipeline *pipeline);
extern DynkvPipelineCounts dynkv_pipeline_counts(const DynkvPipeline *pipeline);
/* The first failure, DYNKV_OK: none; and libdynkv's text about it. */
extern enum dynkv_error dynkv_pipeline_error(const DynkvPipeline *pipeline, const char **text);
extern DynkvPipelineTarget dynkv_pipeline_target(const DynkvPipeline *pipeline);
/* Those of the batches that are settled, once. */
extern const DynkvCrowded *dynkv_pipeline_take_crowded(DynkvPipeline *pipeline, int *count);
/* Replicas that have stored each of the writes that failed, at least. */
extern int dynkv_pipeline_fewest_acks(const DynkvPipeline *pipeline);

#endif
