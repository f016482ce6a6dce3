/* What the loop may read itself, and what has to wait for the store's thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/effects.h"
#include "daemon/store_work.h"

struct fixture {
    char folder[64];
    struct dynkv_engine *engine;
    struct dynkvd_pending pending;
    struct dynkvd_metrics metrics;
    struct dynkvd_job job;
    struct dynkvd_result *result;
};

static int setup(void **state)
{
    struct fixture *f = dynkv_calloc(1, sizeof *f);
    char text[512] = "";

    snprintf(f->folder, sizeof f->folder, "/tmp/dynkv-work-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->engine = dynkv_engine_open("rocksdb", &(struct dynkv_engine_config){.path = f->folder}, text,
                                  sizeof text);
    if (!f->engine)
        fail_msg("%s", text);
    f->result = dynkvd_result_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];

    dynkv_effects_fini(&f->job.effects);
    dynkvd_result_free(f->result);
    dynkv_engine_close(f->engine);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    free(f);
    return system(command);
}

static void add_load(struct fixture *f, const char *key, uint64_t token)
{
    struct dynkv_effect_load *load = dynkv_effects_add_load(&f->job.effects);

    load->token = token;
    load->keyspace = 7;
    load->partition = 1;
    load->key = dynkv_slice_text(key);
}

static struct dynkv_effect_store *add_store(struct dynkv_effects *effects,
                                            enum dynkv_store_kind kind, const char *key)
{
    struct dynkv_effect_store *store = dynkv_effects_add_store(effects);

    store->kind = kind;
    store->keyspace = 7;
    store->partition = 1;
    store->key = dynkv_slice_text(key);
    store->record = dynkv_slice_text("value");
    return store;
}

static void write_key(struct fixture *f, const char *key)
{
    struct dynkvd_job job = {0};
    struct dynkvd_result *result = dynkvd_result_new();

    add_store(&job.effects, DYNKV_STORE_RECORD, key);
    dynkvd_work_write(f->engine, &job, &f->metrics, result);
    assert_false(result->store_failed);
    dynkvd_result_free(result);
    dynkv_effects_fini(&job.effects);
}

static void peek(struct fixture *f)
{
    dynkvd_work_peek(f->engine, &f->pending, &f->job, &f->metrics, f->result);
}

static void what_is_in_memory_is_answered_at_once(void **state)
{
    struct fixture *f = *state;

    write_key(f, "a");
    add_load(f, "a", 11);
    add_load(f, "b", 12);
    peek(f);
    assert_int_equal(f->job.effects.load_count, 0);
    assert_false(dynkvd_effects_have_work(&f->job.effects));
    assert_int_equal(f->result->event_count, 2);
    assert_int_equal(f->result->events[0].type, DYNKV_EVENT_LOADED);
    assert_int_equal(f->result->events[0].as.loaded.token, 11);
    assert_int_equal(f->result->events[0].as.loaded.error, DYNKV_OK);
    assert_true(
        dynkv_slice_equal(f->result->events[0].as.loaded.record, dynkv_slice_text("value")));
    assert_int_equal(f->result->events[1].as.loaded.token, 12);
    assert_int_equal(f->result->events[1].as.loaded.error, DYNKV_NOT_FOUND);
    assert_int_equal(f->metrics.store_peeks, 2);
}

static void a_key_that_is_being_written_waits_for_that(void **state)
{
    struct fixture *f = *state;
    struct dynkv_effects given = {0};

    write_key(f, "a");
    add_store(&given, DYNKV_STORE_RECORD, "b");
    add_store(&given, DYNKV_STORE_DELETE, "b");
    add_store(&given, DYNKV_STORE_META, "a"); /* nobody loads it */
    dynkvd_pending_add(&f->pending, &given);
    add_load(f, "a", 11);
    add_load(f, "b", 12);
    peek(f);
    assert_int_equal(f->result->event_count, 1);
    assert_int_equal(f->result->events[0].as.loaded.token, 11);
    assert_int_equal(f->job.effects.load_count, 1);
    assert_int_equal(f->job.effects.loads[0].token, 12);

    dynkvd_pending_remove(&f->pending, &given);
    peek(f);
    assert_int_equal(f->result->event_count, 2);
    assert_int_equal(f->job.effects.load_count, 0);
    dynkv_effects_fini(&given);
}

static void the_same_key_of_the_hints_is_another(void **state)
{
    struct fixture *f = *state;
    struct dynkv_effects given = {0};

    add_store(&given, DYNKV_STORE_RECORD, "a")->space = DYNKV_SPACE_HINTS;
    dynkvd_pending_add(&f->pending, &given);
    add_load(f, "a", 11);
    add_load(f, "a", 12);
    f->job.effects.loads[1].space = DYNKV_SPACE_HINTS;
    peek(f);
    assert_int_equal(f->result->event_count, 1);
    assert_int_equal(f->result->events[0].as.loaded.token, 11);
    dynkv_effects_fini(&given);
}

static void nothing_is_read_beside_a_drop(void **state)
{
    static const enum dynkv_store_kind kinds[] = {DYNKV_STORE_DROP_KEYSPACE, DYNKV_STORE_DROP_TREE};
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        struct dynkv_effects given = {0};

        add_store(&given, kinds[i], "");
        dynkvd_pending_add(&f->pending, &given);
        add_load(f, "a", 11);
        peek(f);
        assert_int_equal(f->job.effects.load_count, 1);
        dynkvd_pending_remove(&f->pending, &given);
        peek(f);
        assert_int_equal(f->job.effects.load_count, 0);
        dynkv_effects_fini(&given);
    }
}

static void many_loads_are_the_store_threads(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < DYNKVD_PEEK_MAX; i++)
        add_load(f, "a", i + 1);
    peek(f);
    assert_int_equal(f->result->event_count, DYNKVD_PEEK_MAX);
    for (uint32_t i = 0; i <= DYNKVD_PEEK_MAX; i++)
        add_load(f, "a", i + 1);
    peek(f);
    assert_int_equal(f->job.effects.load_count, DYNKVD_PEEK_MAX + 1);
    assert_int_equal(f->result->event_count, DYNKVD_PEEK_MAX);
}

#define CASE(name)                         \
    {                                      \
#name, name, setup, teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_in_memory_is_answered_at_once),
        CASE(a_key_that_is_being_written_waits_for_that),
        CASE(the_same_key_of_the_hints_is_another),
        CASE(nothing_is_read_beside_a_drop),
        CASE(many_loads_are_the_store_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
