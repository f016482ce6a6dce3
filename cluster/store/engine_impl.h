/*
 * engine_impl.h: what an engine gives to engine.c (inside cluster/store only).
 *
 * An engine embeds struct dynkv_engine as its first member and fills in the table.  The calls mean what
 * their namesakes in engine.h say; statistics and the last error's text are kept by the front.
 */
#ifndef DYNKV_STORE_ENGINE_IMPL_H
#define DYNKV_STORE_ENGINE_IMPL_H

#include "store/engine.h"

#define ENGINE_ERROR_TEXT_MAX 512

struct engine_class {
    const char *kind;
    struct dynkv_engine *(*open)(const struct dynkv_engine_config *config, char *error_text,
                                 size_t size);
    void (*close)(struct dynkv_engine *engine);
    void (*get)(struct dynkv_engine *engine, const struct dynkv_engine_key *keys, uint32_t count,
                struct dynkv_arena *arena, struct dynkv_engine_value *values);
    bool (*peek)(struct dynkv_engine *engine, const struct dynkv_engine_key *key,
                 struct dynkv_arena *arena, struct dynkv_engine_value *value);
    enum dynkv_error (*write)(struct dynkv_engine *engine, const struct dynkv_engine_op *ops,
                              uint32_t count, bool synced);
    /* Partition by partition; order is how keys come in each of them (PARTITION: rising). */
    enum dynkv_error (*scan)(struct dynkv_engine *engine, const struct dynkv_engine_range *range,
                             uint32_t limit_each, dynkv_engine_visit *visit, void *context,
                             bool *more, uint32_t *next_partition, struct dynkv_buf *next_key);
    struct dynkv_engine_value (*meta)(struct dynkv_engine *engine, struct dynkv_slice name,
                                      struct dynkv_arena *arena);
    enum dynkv_error (*sync)(struct dynkv_engine *engine);
    enum dynkv_error (*checkpoint)(struct dynkv_engine *engine, const char *path);
    void (*stats)(struct dynkv_engine *engine, struct dynkv_engine_stats *out);
};

struct dynkv_engine {
    const struct engine_class *class;
    enum dynkv_sync sync;
    uint64_t writes, syncs;
    char last_error[ENGINE_ERROR_TEXT_MAX];
};

extern const struct engine_class engine_memory;
extern const struct engine_class engine_rocksdb;

/* As dynkv_engine_scan, of a range by key: the runs of its partitions, merged (merge.c). */
enum dynkv_error engine_merge(struct dynkv_engine *engine, const struct dynkv_engine_range *range,
                              dynkv_engine_visit *visit, void *context, bool *more,
                              struct dynkv_buf *next_key);

/* Counts what a range has visited, and says when it ends before the next record. */
struct engine_limit {
    uint32_t records;
    uint64_t bytes;
    bool stopped; /* the visitor said so */
};

/* Whether a key that rises to the bound, or falls to it, is outside. */
static inline bool engine_is_beyond(const struct dynkv_engine_range *range, struct dynkv_slice key)
{
    if (range->order == DYNKV_ORDER_FALLING)
        return dynkv_slice_compare(key, range->lower) < 0;
    return range->upper.len && dynkv_slice_compare(key, range->upper) >= 0;
}

static inline bool engine_limit_reached(const struct engine_limit *so_far,
                                        const struct dynkv_engine_range *range)
{
    return so_far->stopped || (range->limit && so_far->records >= range->limit) ||
           (range->limit_bytes && so_far->bytes >= range->limit_bytes);
}

#endif
