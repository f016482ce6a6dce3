/* What every engine promises, case by case; test_model.c does it with random histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fixture.h"

static void a_batched_get_answers_each_key_in_its_place(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op ops[] = {op_put(1, 7, "a", "1"), op_put(1, 7, "b", "2"),
                                    op_put(2, 7, "a", "3"), op_put(1, 8, "a", "4")};
    struct dynkv_engine_key keys[] = {{1, 8, dynkv_slice_text("a"), DYNKV_ENGINE_RECORDS},
                                      {1, 7, dynkv_slice_text("none"), DYNKV_ENGINE_RECORDS},
                                      {2, 7, dynkv_slice_text("a"), DYNKV_ENGINE_RECORDS},
                                      {1, 7, dynkv_slice_text("b"), DYNKV_ENGINE_RECORDS},
                                      {1, 7, dynkv_slice_text("a"), DYNKV_ENGINE_RECORDS},
                                      {1, 8, dynkv_slice_text("a"), DYNKV_ENGINE_RECORDS}};
    struct dynkv_engine_value values[6];

    assert_int_equal(dynkv_engine_write(f->engine, ops, 4), DYNKV_OK);
    dynkv_engine_get(f->engine, keys, 6, &f->arena, values);
    assert_true(dynkv_slice_equal(values[0].data, dynkv_slice_text("4")));
    assert_int_equal(values[1].error, DYNKV_NOT_FOUND);
    assert_true(dynkv_slice_equal(values[2].data, dynkv_slice_text("3")));
    assert_true(dynkv_slice_equal(values[3].data, dynkv_slice_text("2")));
    assert_true(dynkv_slice_equal(values[4].data, dynkv_slice_text("1")));
    assert_true(dynkv_slice_equal(values[5].data, dynkv_slice_text("4")));
}

static void an_empty_record_is_not_a_missing_one(void **state)
{
    struct fixture *f = *state;

    write_one(f, op_put(1, 7, "", ""));
    assert_string_equal(get_text(f, 1, 7, ""), "");
    assert_null(get_text(f, 1, 7, "a"));
}

static void operations_of_one_batch_take_effect_in_order(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op drop_9 = {.kind = DYNKV_ENGINE_DROP_KEYSPACE, .at.keyspace = 9};
    struct dynkv_engine_op drop_4 = {.kind = DYNKV_ENGINE_DROP_PARTITION, .at.partition = 4};
    struct dynkv_engine_op delete_b = {
        DYNKV_ENGINE_DELETE, {1, 7, dynkv_slice_text("b"), DYNKV_ENGINE_RECORDS}, {NULL, 0}};
    struct dynkv_engine_op ops[] = {
        op_put(1, 7, "a", "1"),
        op_put(1, 7, "a", "2"),
        op_put(1, 7, "b", "1"),
        delete_b,
        op_put(1, 9, "c", "1"),
        drop_9,
        op_put(1, 9, "d", "1"),
        op_put(4, 7, "e", "1"),
        drop_4,
        op_put(4, 7, "f", "1"),
    };

    assert_int_equal(dynkv_engine_write(f->engine, ops, sizeof ops / sizeof ops[0]), DYNKV_OK);
    assert_string_equal(get_text(f, 1, 7, "a"), "2");
    assert_null(get_text(f, 1, 7, "b"));
    assert_null(get_text(f, 1, 9, "c"));
    assert_string_equal(get_text(f, 1, 9, "d"), "1");
    assert_null(get_text(f, 4, 7, "e"));
    assert_string_equal(get_text(f, 4, 7, "f"), "1");
}

static void dropping_a_keyspace_or_a_partition_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op op = {.kind = DYNKV_ENGINE_DROP_KEYSPACE, .at.keyspace = 7};

    for (uint32_t partition = 0; partition < 65536; partition += 4369)
        for (uint64_t keyspace = 6; keyspace <= 8; keyspace++)
            write_one(f, op_put(partition, keyspace, "k", "v"));
    write_one(f, op_put(1, UINT64_MAX, "k", "v"));
    write_one(f, op);
    for (uint32_t partition = 0; partition < 65536; partition += 4369) {
        assert_null(get_text(f, partition, 7, "k"));
        assert_non_null(get_text(f, partition, 6, "k"));
        assert_non_null(get_text(f, partition, 8, "k"));
    }
    op = (struct dynkv_engine_op){.kind = DYNKV_ENGINE_DROP_KEYSPACE, .at.keyspace = UINT64_MAX};
    write_one(f, op);
    assert_null(get_text(f, 1, UINT64_MAX, "k"));
    op = (struct dynkv_engine_op){.kind = DYNKV_ENGINE_DROP_PARTITION, .at.partition = 4369};
    write_one(f, op);
    assert_null(get_text(f, 4369, 6, "k"));
    assert_null(get_text(f, 4369, 8, "k"));
    assert_non_null(get_text(f, 0, 6, "k"));
    assert_non_null(get_text(f, 8738, 6, "k"));
}

static struct dynkv_engine_op op_hint(uint32_t partition, uint64_t keyspace, const char *key,
                                      const char *value)
{
    struct dynkv_engine_op op = op_put(partition, keyspace, key, value);

    op.at.space = DYNKV_ENGINE_HINTS;
    return op;
}

static void a_hint_and_a_record_of_one_key_know_nothing_of_each_other(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op ops[] = {op_put(1, 7, "a", "record"), op_hint(1, 7, "a", "hint"),
                                    op_hint(1, 7, "b", "hint")};
    struct dynkv_engine_op remove = op_hint(1, 7, "a", "");

    assert_int_equal(dynkv_engine_write(f->engine, ops, 3), DYNKV_OK);
    assert_string_equal(get_text(f, 1, 7, "a"), "record");
    assert_string_equal(get_hint_text(f, 1, 7, "a"), "hint");
    assert_null(get_text(f, 1, 7, "b"));
    remove.kind = DYNKV_ENGINE_DELETE;
    write_one(f, remove);
    assert_null(get_hint_text(f, 1, 7, "a"));
    assert_string_equal(get_text(f, 1, 7, "a"), "record");
    remove.at.space = DYNKV_ENGINE_RECORDS;
    write_one(f, remove);
    assert_null(get_text(f, 1, 7, "a"));
    assert_string_equal(get_hint_text(f, 1, 7, "b"), "hint");
}

static void dropping_a_keyspace_or_a_partition_leaves_the_hints(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op ops[] = {
        op_put(1, 7, "a", "record"),
        op_hint(1, 7, "a", "hint"),
        {.kind = DYNKV_ENGINE_DROP_KEYSPACE, .at.keyspace = 7},
        op_put(1, 8, "a", "record"),
        {.kind = DYNKV_ENGINE_DROP_PARTITION, .at.partition = 1},
    };

    assert_int_equal(dynkv_engine_write(f->engine, ops, sizeof ops / sizeof ops[0]), DYNKV_OK);
    assert_null(get_text(f, 1, 7, "a"));
    assert_null(get_text(f, 1, 8, "a"));
    assert_string_equal(get_hint_text(f, 1, 7, "a"), "hint");
}

static void metadata_is_set_replaced_and_removed(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op op = {DYNKV_ENGINE_META,
                                 {0, 0, dynkv_slice_text("state"), DYNKV_ENGINE_RECORDS},
                                 dynkv_slice_text("1")};

    assert_int_equal(dynkv_engine_meta(f->engine, op.at.key, &f->arena).error, DYNKV_NOT_FOUND);
    assert_int_equal(dynkv_engine_write_synced(f->engine, &op, 1), DYNKV_OK);
    op.value = dynkv_slice_text("22");
    assert_int_equal(dynkv_engine_write_synced(f->engine, &op, 1), DYNKV_OK);
    assert_true(dynkv_slice_equal(dynkv_engine_meta(f->engine, op.at.key, &f->arena).data,
                                  dynkv_slice_text("22")));
    op.value = dynkv_slice(NULL, 0);
    assert_int_equal(dynkv_engine_write_synced(f->engine, &op, 1), DYNKV_OK);
    assert_int_equal(dynkv_engine_meta(f->engine, op.at.key, &f->arena).error, DYNKV_NOT_FOUND);
}

static void metadata_is_no_record_and_no_keyspace_has_it(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_op meta = {DYNKV_ENGINE_META,
                                   {0, 0, dynkv_slice_text("state"), DYNKV_ENGINE_RECORDS},
                                   dynkv_slice_text("1")};
    struct dynkv_engine_op drops[] = {{.kind = DYNKV_ENGINE_DROP_KEYSPACE},
                                      {.kind = DYNKV_ENGINE_DROP_PARTITION}};

    write_one(f, meta);
    assert_null(get_text(f, 0, 0, "state"));
    assert_int_equal(dynkv_engine_write(f->engine, drops, 2), DYNKV_OK);
    assert_int_equal(dynkv_engine_meta(f->engine, meta.at.key, &f->arena).error, DYNKV_OK);
}

static bool count_visit(void *context, uint32_t partition, struct dynkv_slice key,
                        struct dynkv_slice record)
{
    uint32_t *count = context;

    (void)partition;
    (void)key;
    (void)record;
    (*count)++;
    return true;
}

static uint32_t count_range(struct fixture *f, const char *lower, size_t lower_len,
                            const char *upper, size_t upper_len)
{
    static const uint32_t partition = 1;
    struct dynkv_engine_range range = {.keyspace = 7,
                                       .partitions = &partition,
                                       .partition_count = 1,
                                       .lower = dynkv_slice(lower, lower_len),
                                       .upper = dynkv_slice(upper, upper_len)};
    uint32_t count = 0, next_partition;
    struct dynkv_buf next_key = {0};
    bool more = true;

    assert_int_equal(dynkv_engine_scan(f->engine, &range, count_visit, &count, &more,
                                       &next_partition, &next_key),
                     DYNKV_OK);
    assert_false(more);
    assert_int_equal(next_key.len, 0);
    dynkv_buf_fini(&next_key);
    return count;
}

static void bounds_are_byte_strings_and_the_upper_one_is_outside(void **state)
{
    struct fixture *f = *state;
    static const struct dynkv_slice keys[] = {
        {(const uint8_t *)"", 0},     {(const uint8_t *)"\x00", 1},
        {(const uint8_t *)"a", 1},    {(const uint8_t *)"a\x00", 2},
        {(const uint8_t *)"ab", 2},   {(const uint8_t *)"a\xff", 2},
        {(const uint8_t *)"\xff", 1}, {(const uint8_t *)"\xff\xff", 2}};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct dynkv_engine_op op = {
            DYNKV_ENGINE_PUT, {1, 7, keys[i], DYNKV_ENGINE_RECORDS}, dynkv_slice_text("v")};

        write_one(f, op);
    }
    assert_int_equal(count_range(f, "", 0, "", 0), 8);
    assert_int_equal(count_range(f, "a", 1, "b", 1), 4);
    assert_int_equal(count_range(f, "a", 1, "a\xff", 2), 3);
    assert_int_equal(count_range(f, "a\x00", 2, "", 0), 5);
    assert_int_equal(count_range(f, "", 0, "\x00", 1), 1);
    assert_int_equal(count_range(f, "\xff", 1, "", 0), 2);
    assert_int_equal(count_range(f, "\xff\xff\xff", 3, "", 0), 0);
    assert_int_equal(count_range(f, "a", 1, "a", 1), 0);
    assert_int_equal(count_range(f, "b", 1, "a", 1), 0);
}

/* Reads a range by key in pages of three, checks the order, and gives the count. */
static uint32_t read_by_key(struct fixture *f, struct dynkv_engine_range *range,
                            dynkv_engine_visit *visit, void *context)
{
    uint32_t pages = 0, unused;
    struct dynkv_buf divide = {0};
    bool more;

    do {
        dynkv_buf_reset(&divide);
        assert_int_equal(
            dynkv_engine_scan(f->engine, range, visit, context, &more, &unused, &divide), DYNKV_OK);
        *(range->order == DYNKV_ORDER_FALLING ? &range->upper : &range->lower) =
            dynkv_slice_copy(dynkv_buf_slice(&divide), &f->arena);
        pages++;
    } while (more);
    dynkv_buf_fini(&divide);
    return pages;
}

struct numbers {
    int next, step;
    size_t record_len;
};

static bool number_visit(void *context, uint32_t partition, struct dynkv_slice key,
                         struct dynkv_slice record)
{
    struct numbers *numbers = context;
    char text[8];

    assert_int_equal(partition, (uint32_t)(numbers->next < 100 ? 0 : numbers->next % 4));
    snprintf(text, sizeof text, "%04d", numbers->next);
    assert_true(dynkv_slice_equal(key, dynkv_slice_text(text)));
    assert_int_equal(record.len, numbers->record_len);
    assert_int_equal(record.data[record.len - 1], (uint8_t)numbers->next);
    numbers->next += numbers->step;
    return true;
}

/* The first hundred keys are all in one partition, whose run must read on many times. */
static void a_range_by_key_merges_partitions_however_uneven_and_large_they_are(void **state)
{
    static const uint32_t partitions[] = {0, 1, 2, 3};
    static const size_t lens[] = {1, 9000};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        char key[8], *record = dynkv_arena_calloc(&f->arena, 1, lens[i]);
        struct dynkv_engine_range range = {.keyspace = 7,
                                           .partitions = partitions,
                                           .partition_count = 4,
                                           .limit = 40,
                                           .order = DYNKV_ORDER_RISING};
        struct numbers numbers = {.step = 1, .record_len = lens[i]};

        for (int n = 0; n < 400; n++) {
            struct dynkv_engine_op op = op_put((uint32_t)(n < 100 ? 0 : n % 4), 7, key, "");

            snprintf(key, sizeof key, "%04d", n);
            op.at.key = dynkv_slice_text(key);
            record[lens[i] - 1] = (char)n;
            op.value = dynkv_slice(record, lens[i]);
            write_one(f, op);
        }
        assert_int_equal(read_by_key(f, &range, number_visit, &numbers), 10);
        assert_int_equal(numbers.next, 400);
        range.order = DYNKV_ORDER_FALLING;
        range.lower = range.upper = dynkv_slice(NULL, 0);
        range.limit = 0;
        range.limit_bytes = 100000;
        numbers.next = 399;
        numbers.step = -1;
        read_by_key(f, &range, number_visit, &numbers);
        assert_int_equal(numbers.next, -1);
    }
}

static void statistics_count_records_and_writes(void **state)
{
    struct fixture *f = *state;
    struct dynkv_engine_stats stats;

    write_one(f, op_put(1, 7, "a", "1"));
    write_one(f, op_put(1, 7, "b", "1"));
    assert_int_equal(dynkv_engine_sync(f->engine), DYNKV_OK);
    dynkv_engine_stats(f->engine, &stats);
    assert_int_equal(stats.records, 2);
    assert_int_equal(stats.writes, 2);
    assert_int_equal(stats.syncs, 3);
    assert_true(stats.bytes > 0);
    assert_string_equal(dynkv_engine_last_error(f->engine), "");
    assert_string_equal(dynkv_engine_kind(f->engine), f->kind);
}

static void the_memory_engine_makes_no_checkpoints(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(dynkv_engine_checkpoint(f->engine, f->path), DYNKV_UNSUPPORTED);
}

static void an_engine_nobody_knows_is_refused_with_the_list(void **state)
{
    struct dynkv_engine_config config = {.path = "unused"};
    char text[512];

    (void)state;
    assert_null(dynkv_engine_open("paper", &config, text, sizeof text));
    assert_non_null(strstr(text, "paper"));
    assert_non_null(strstr(text, "memory, rocksdb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ALL(a_batched_get_answers_each_key_in_its_place),
        FOR_ALL(an_empty_record_is_not_a_missing_one),
        FOR_ALL(operations_of_one_batch_take_effect_in_order),
        FOR_ALL(dropping_a_keyspace_or_a_partition_leaves_the_others),
        FOR_ALL(a_hint_and_a_record_of_one_key_know_nothing_of_each_other),
        FOR_ALL(dropping_a_keyspace_or_a_partition_leaves_the_hints),
        FOR_ALL(metadata_is_set_replaced_and_removed),
        FOR_ALL(metadata_is_no_record_and_no_keyspace_has_it),
        FOR_ALL(bounds_are_byte_strings_and_the_upper_one_is_outside),
        FOR_ALL(a_range_by_key_merges_partitions_however_uneven_and_large_they_are),
        FOR_ALL(statistics_count_records_and_writes),
        {"the_memory_engine_makes_no_checkpoints", the_memory_engine_makes_no_checkpoints,
         fixture_setup_memory, fixture_teardown, NULL},
        cmocka_unit_test(an_engine_nobody_knows_is_refused_with_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
