#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fixture.h"

struct dynkv_engine *open_or_fail(const char *kind, const char *path, enum dynkv_sync sync)
{
    struct dynkv_engine_config config = {.path = path, .sync = sync};
    char text[512] = "";
    struct dynkv_engine *engine = dynkv_engine_open(kind, &config, text, sizeof text);

    if (!engine)
        fail_msg("%s", text);
    return engine;
}

void fixture_close(struct fixture *f)
{
    dynkv_engine_close(f->engine);
    f->engine = NULL;
}

void fixture_reopen(struct fixture *f, enum dynkv_sync sync)
{
    fixture_close(f);
    f->engine = open_or_fail(f->kind, f->path, sync);
}

static int setup(void **state, const char *kind)
{
    struct fixture *f = dynkv_calloc(1, sizeof *f);
    const char *temp = getenv("TMPDIR");

    *state = f;
    f->kind = kind;
    snprintf(f->folder, sizeof f->folder, "%s/dynkv-store-XXXXXX", temp ? temp : "/tmp");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/data", f->folder);
    f->engine = open_or_fail(kind, f->path, DYNKV_SYNC_ALWAYS);
    return 0;
}

int fixture_setup_memory(void **state)
{
    return setup(state, "memory");
}

int fixture_setup_rocksdb(void **state)
{
    return setup(state, "rocksdb");
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char command[256];

    fixture_close(f);
    dynkv_arena_fini(&f->arena);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

struct dynkv_engine_op op_put(uint32_t partition, uint64_t keyspace, const char *key,
                              const char *value)
{
    return (struct dynkv_engine_op){
        DYNKV_ENGINE_PUT,
        {partition, keyspace, dynkv_slice_text(key), DYNKV_ENGINE_RECORDS},
        dynkv_slice_text(value)};
}

void write_one(struct fixture *f, struct dynkv_engine_op op)
{
    assert_int_equal(dynkv_engine_write(f->engine, &op, 1), DYNKV_OK);
}

static const char *get_text_of(struct fixture *f, struct dynkv_engine_key at)
{
    struct dynkv_engine_value value;
    char *text;

    dynkv_engine_get(f->engine, &at, 1, &f->arena, &value);
    if (value.error == DYNKV_NOT_FOUND)
        return NULL;
    assert_int_equal(value.error, DYNKV_OK);
    text = dynkv_arena_calloc(&f->arena, 1, value.data.len + 1);
    memcpy(text, value.data.data, value.data.len);
    return text;
}

const char *get_text(struct fixture *f, uint32_t partition, uint64_t keyspace, const char *key)
{
    return get_text_of(f, (struct dynkv_engine_key){partition, keyspace, dynkv_slice_text(key),
                                                    DYNKV_ENGINE_RECORDS});
}

const char *get_hint_text(struct fixture *f, uint32_t partition, uint64_t keyspace, const char *key)
{
    return get_text_of(f, (struct dynkv_engine_key){partition, keyspace, dynkv_slice_text(key),
                                                    DYNKV_ENGINE_HINTS});
}
