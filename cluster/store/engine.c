/* engine.c: the front of the engines. */
#include "store/engine.h"

#include <stdio.h>
#include <string.h>

#include "store/engine_impl.h"

static const struct engine_class *const classes[] = {&engine_memory, &engine_rocksdb};

struct dynkv_engine *dynkv_engine_open(const char *kind, const struct dynkv_engine_config *config,
                                       char *error_text, size_t size)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        struct dynkv_engine *engine;

        if (strcmp(classes[i]->kind, kind) != 0)
            continue;
        engine = classes[i]->open(config, error_text, size);
        if (engine) {
            engine->class = classes[i];
            engine->sync = config->sync;
        }
        return engine;
    }
    snprintf(error_text, size, "no storage engine is called \"%s\"; there are: memory, rocksdb",
             kind);
    return NULL;
}

void dynkv_engine_close(struct dynkv_engine *engine)
{
    if (engine)
        engine->class->close(engine);
}

const char *dynkv_engine_kind(const struct dynkv_engine *engine)
{
    return engine->class->kind;
}

void dynkv_engine_get(struct dynkv_engine *engine, const struct dynkv_engine_key *keys,
                      uint32_t count, struct dynkv_arena *arena, struct dynkv_engine_value *values)
{
    if (count)
        engine->class->get(engine, keys, count, arena, values);
}

bool dynkv_engine_peek(struct dynkv_engine *engine, const struct dynkv_engine_key *key,
                       struct dynkv_arena *arena, struct dynkv_engine_value *value)
{
    return engine->class->peek && engine->class->peek(engine, key, arena, value);
}

static enum dynkv_error engine_write(struct dynkv_engine *engine, const struct dynkv_engine_op *ops,
                                     uint32_t count, bool synced)
{
    enum dynkv_error error;

    if (count == 0)
        return DYNKV_OK;
    error = engine->class->write(engine, ops, count, synced);
    engine->writes++;
    engine->syncs += !error && synced;
    return error;
}

enum dynkv_error dynkv_engine_write(struct dynkv_engine *engine, const struct dynkv_engine_op *ops,
                                    uint32_t count)
{
    return engine_write(engine, ops, count, engine->sync == DYNKV_SYNC_ALWAYS);
}

enum dynkv_error dynkv_engine_write_synced(struct dynkv_engine *engine,
                                           const struct dynkv_engine_op *ops, uint32_t count)
{
    return engine_write(engine, ops, count, true);
}

enum dynkv_error dynkv_engine_scan(struct dynkv_engine *engine,
                                   const struct dynkv_engine_range *range,
                                   dynkv_engine_visit *visit, void *context, bool *more,
                                   uint32_t *next_partition, struct dynkv_buf *next_key)
{
    *more = false;
    if (range->order != DYNKV_ORDER_PARTITION)
        return engine_merge(engine, range, visit, context, more, next_key);
    return engine->class->scan(engine, range, 0, visit, context, more, next_partition, next_key);
}

struct dynkv_engine_value dynkv_engine_meta(struct dynkv_engine *engine, struct dynkv_slice name,
                                            struct dynkv_arena *arena)
{
    return engine->class->meta(engine, name, arena);
}

enum dynkv_error dynkv_engine_sync(struct dynkv_engine *engine)
{
    enum dynkv_error error = engine->class->sync(engine);

    engine->syncs += !error;
    return error;
}

enum dynkv_error dynkv_engine_checkpoint(struct dynkv_engine *engine, const char *path)
{
    return engine->class->checkpoint(engine, path);
}

void dynkv_engine_stats(struct dynkv_engine *engine, struct dynkv_engine_stats *out)
{
    *out = (struct dynkv_engine_stats){.writes = engine->writes, .syncs = engine->syncs};
    engine->class->stats(engine, out);
}

const char *dynkv_engine_last_error(const struct dynkv_engine *engine)
{
    return engine->last_error;
}
