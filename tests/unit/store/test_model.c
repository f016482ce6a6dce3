/*
 * Random histories of every kind of operation, against a sorted array.
 *
 * After each batch a batched get and a range are compared with the array; a range is read in pages of
 * random limits, and each page must stop where the limits say and tell exactly where to go on.  Keys are
 * short and of few different bytes, so many are equal and many are prefixes of one another.  The seed is
 * fixed; DYNKV_SEED=n in the environment takes another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"
#include "fixture.h"

#define ROUNDS          1500
#define BATCH_MAX       20u
#define GETS_MAX        30u
#define REOPEN_EVERY    60 /* rocksdb: what is in memory becomes a file */
#define KEY_MAX         3u
#define MODEL_MAX       8192u
#define PARTITION_COUNT 6u

static const uint32_t partitions[PARTITION_COUNT] = {0, 1, 2, 255, 256, 65535};
static const uint64_t keyspaces[] = {0, 1, 255, UINT64_MAX};

struct entry {
    struct dynkv_engine_key at;
    struct dynkv_slice record;
    uint8_t bytes[KEY_MAX + sizeof(uint64_t)]; /* the two above point here */
};

struct model {
    struct fixture *f;
    struct dynkv_random random;
    struct entry *entries[MODEL_MAX]; /* in the engine's order */
    uint32_t count;
};

static uint32_t below(struct model *m, uint32_t bound)
{
    return (uint32_t)dynkv_random_below(&m->random, bound);
}

static struct dynkv_slice random_key(struct model *m)
{
    static const uint8_t bytes[] = {0, 1, 'a', 0xfe, 0xff};
    size_t len = below(m, KEY_MAX + 1);
    uint8_t *key = dynkv_arena_alloc(&m->f->arena, KEY_MAX);

    for (size_t i = 0; i < len; i++)
        key[i] = bytes[below(m, sizeof bytes)];
    return dynkv_slice(key, len);
}

/* Hints are rarer than records, as they are in life. */
static enum dynkv_engine_space random_space(struct model *m)
{
    return below(m, 3) ? DYNKV_ENGINE_RECORDS : DYNKV_ENGINE_HINTS;
}

static struct dynkv_engine_key random_at(struct model *m)
{
    return (struct dynkv_engine_key){partitions[below(m, PARTITION_COUNT)], keyspaces[below(m, 4)],
                                     random_key(m), random_space(m)};
}

static struct dynkv_slice random_record(struct model *m)
{
    uint64_t value = dynkv_random_next(&m->random);

    return dynkv_slice(dynkv_arena_copy(&m->f->arena, &value, sizeof value),
                       below(m, sizeof value + 1));
}

/* ---- the model ---- */

static int at_compare(const struct dynkv_engine_key *a, const struct dynkv_engine_key *b)
{
    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->keyspace != b->keyspace)
        return a->keyspace < b->keyspace ? -1 : 1;
    return dynkv_slice_compare(a->key, b->key);
}

/* The place of at, or where it would be. */
static uint32_t model_place(const struct model *m, const struct dynkv_engine_key *at)
{
    uint32_t place = 0;

    while (place < m->count && at_compare(&m->entries[place]->at, at) < 0)
        place++;
    return place;
}

static const struct entry *model_find(const struct model *m, const struct dynkv_engine_key *at)
{
    uint32_t place = model_place(m, at);

    if (place < m->count && at_compare(&m->entries[place]->at, at) == 0)
        return m->entries[place];
    return NULL;
}

static void model_remove(struct model *m, uint32_t place)
{
    free(m->entries[place]);
    m->count--;
    memmove(&m->entries[place], &m->entries[place + 1], (m->count - place) * sizeof m->entries[0]);
}

static void model_put(struct model *m, const struct dynkv_engine_op *op)
{
    struct entry *entry = dynkv_calloc(1, sizeof *entry);
    uint32_t place = model_place(m, &op->at);

    if (model_find(m, &op->at))
        model_remove(m, place);
    assert_true(m->count < MODEL_MAX);
    memmove(&m->entries[place + 1], &m->entries[place], (m->count - place) * sizeof m->entries[0]);
    m->entries[place] = entry;
    m->count++;
    entry->at = op->at;
    entry->at.key.data = memcpy(entry->bytes, op->at.key.data, op->at.key.len);
    entry->record =
        dynkv_slice(memcpy(entry->bytes + KEY_MAX, op->value.data, op->value.len), op->value.len);
}

static void model_apply(struct model *m, const struct dynkv_engine_op *op)
{
    if (op->kind == DYNKV_ENGINE_PUT) {
        model_put(m, op);
        return;
    }
    for (uint32_t i = m->count; i-- > 0;) {
        const struct dynkv_engine_key *at = &m->entries[i]->at;

        if ((op->kind == DYNKV_ENGINE_DELETE && at_compare(at, &op->at) == 0) ||
            (at->space == DYNKV_ENGINE_RECORDS &&
             ((op->kind == DYNKV_ENGINE_DROP_KEYSPACE && at->keyspace == op->at.keyspace) ||
              (op->kind == DYNKV_ENGINE_DROP_PARTITION && at->partition == op->at.partition))))
            model_remove(m, i);
    }
}

/* ---- writes and gets ---- */

static void write_random_batch(struct model *m)
{
    struct dynkv_engine_op ops[BATCH_MAX];
    uint32_t count = 1 + below(m, BATCH_MAX);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t dice = below(m, 200);

        ops[i] = (struct dynkv_engine_op){DYNKV_ENGINE_PUT, random_at(m), random_record(m)};
        if (dice < 40)
            ops[i].kind = DYNKV_ENGINE_DELETE;
        else if (dice < 42)
            ops[i].kind = DYNKV_ENGINE_DROP_KEYSPACE;
        else if (dice < 44)
            ops[i].kind = DYNKV_ENGINE_DROP_PARTITION;
    }
    assert_int_equal(dynkv_engine_write(m->f->engine, ops, count), DYNKV_OK);
    for (uint32_t i = 0; i < count; i++)
        model_apply(m, &ops[i]);
}

static void check_gets(struct model *m)
{
    struct dynkv_engine_key keys[GETS_MAX];
    struct dynkv_engine_value values[GETS_MAX];
    uint32_t count = 1 + below(m, GETS_MAX);

    for (uint32_t i = 0; i < count; i++)
        keys[i] = random_at(m);
    dynkv_engine_get(m->f->engine, keys, count, &m->f->arena, values);
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *entry = model_find(m, &keys[i]);

        assert_int_equal(values[i].error, entry ? DYNKV_OK : DYNKV_NOT_FOUND);
        if (entry)
            assert_true(dynkv_slice_equal(values[i].data, entry->record));
    }
}

/* ---- ranges ---- */

/* What a range must give, and how far its pages have come. */
struct reading {
    const struct entry *expected[MODEL_MAX];
    uint32_t count, at;
    uint32_t page_records, page_bytes, stop_after;
    bool page_full; /* a limit was reached: no more calls until the next page */
    struct dynkv_engine_range range;
};

static bool check_visit(void *context, uint32_t partition, struct dynkv_slice key,
                        struct dynkv_slice record)
{
    struct reading *r = context;
    const struct entry *entry;

    assert_false(r->page_full);
    assert_true(r->at < r->count);
    entry = r->expected[r->at++];
    assert_int_equal(partition, entry->at.partition);
    assert_true(dynkv_slice_equal(key, entry->at.key));
    assert_true(dynkv_slice_equal(record, entry->record));
    r->page_records++;
    r->page_bytes += (uint32_t)(key.len + record.len);
    r->page_full = r->page_records == r->stop_after ||
                   (r->range.limit && r->page_records >= r->range.limit) ||
                   (r->range.limit_bytes && r->page_bytes >= r->range.limit_bytes);
    return r->page_records != r->stop_after;
}

static void read_page(struct model *m, struct reading *r)
{
    struct dynkv_buf next_key = {0};
    uint32_t next_partition = 0;
    bool more = false;

    r->page_records = r->page_bytes = 0;
    r->page_full = false;
    assert_int_equal(dynkv_engine_scan(m->f->engine, &r->range, check_visit, r, &more,
                                       &next_partition, &next_key),
                     DYNKV_OK);
    assert_int_equal(more, r->at < r->count);
    if (more) {
        const struct entry *next = r->expected[r->at];

        assert_true(r->page_full);
        assert_int_equal(next_partition, next->at.partition);
        assert_true(dynkv_slice_equal(dynkv_buf_slice(&next_key), next->at.key));
        while (*r->range.partitions != next_partition) {
            r->range.partitions++;
            r->range.partition_count--;
        }
        r->range.first_lower = dynkv_slice_copy(dynkv_buf_slice(&next_key), &m->f->arena);
    }
    dynkv_buf_fini(&next_key);
}

static void expect_range(const struct model *m, struct reading *r)
{
    const struct dynkv_engine_range *range = &r->range;

    for (uint32_t i = 0; i < range->partition_count; i++)
        for (uint32_t j = 0; j < m->count; j++) {
            const struct dynkv_engine_key *at = &m->entries[j]->at;

            if (at->space == range->space && at->partition == range->partitions[i] &&
                at->keyspace == range->keyspace &&
                dynkv_slice_compare(at->key, range->lower) >= 0 &&
                (range->upper.len == 0 || dynkv_slice_compare(at->key, range->upper) < 0))
                r->expected[r->count++] = m->entries[j];
        }
}

/* ---- ranges by key ---- */

static int falling_compare(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;

    return dynkv_slice_compare(y->at.key, x->at.key);
}

static int rising_compare(const void *a, const void *b)
{
    return -falling_compare(a, b);
}

/* Equal keys of several partitions may come in any order: the entry is looked for among those. */
static bool check_ordered_visit(void *context, uint32_t partition, struct dynkv_slice key,
                                struct dynkv_slice record)
{
    struct reading *r = context;
    uint32_t at = r->at;
    const struct entry *found;

    assert_true(r->at < r->count);
    if (r->page_full)
        assert_true(dynkv_slice_equal(r->expected[r->at - 1]->at.key, key));
    while (at < r->count && r->expected[at]->at.partition != partition)
        at++;
    assert_true(at < r->count);
    found = r->expected[at];
    r->expected[at] = r->expected[r->at];
    r->expected[r->at] = found;
    assert_true(dynkv_slice_equal(key, r->expected[r->at]->at.key));
    assert_true(dynkv_slice_equal(key, r->expected[at]->at.key));
    assert_true(dynkv_slice_equal(record, found->record));
    r->at++;
    r->page_records++;
    r->page_bytes += (uint32_t)(key.len + record.len);
    r->page_full = r->page_full || r->page_records == r->stop_after ||
                   (r->range.limit && r->page_records >= r->range.limit) ||
                   (r->range.limit_bytes && r->page_bytes >= r->range.limit_bytes);
    return r->page_records != r->stop_after;
}

static void read_ordered_page(struct model *m, struct reading *r)
{
    struct dynkv_buf divide = {0};
    uint32_t unused;
    bool more = false;

    r->page_records = r->page_bytes = 0;
    r->page_full = false;
    assert_int_equal(
        dynkv_engine_scan(m->f->engine, &r->range, check_ordered_visit, r, &more, &unused, &divide),
        DYNKV_OK);
    assert_int_equal(more, r->at < r->count);
    if (more) {
        struct dynkv_slice key = dynkv_slice_copy(dynkv_buf_slice(&divide), &m->f->arena);

        assert_true(r->page_full);
        assert_true(dynkv_order_is_before(r->range.order, r->expected[r->at - 1]->at.key, key));
        assert_false(dynkv_order_is_before(r->range.order, r->expected[r->at]->at.key, key));
        *(r->range.order == DYNKV_ORDER_FALLING ? &r->range.upper : &r->range.lower) = key;
    }
    dynkv_buf_fini(&divide);
}

static void check_ordered_range(struct model *m, struct reading *r)
{
    uint32_t pages = 0;

    r->range.order = below(m, 2) ? DYNKV_ORDER_RISING : DYNKV_ORDER_FALLING;
    expect_range(m, r);
    qsort(r->expected, r->count, sizeof r->expected[0],
          r->range.order == DYNKV_ORDER_RISING ? rising_compare : falling_compare);
    do
        read_ordered_page(m, r);
    while (r->at < r->count && ++pages <= MODEL_MAX);
    assert_int_equal(r->at, r->count);
}

/* ---- any range ---- */

/* Some of the partitions, rising more often than not. */
static uint32_t choose_partitions(struct model *m, uint32_t *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        if (below(m, 3))
            out[count++] = partitions[i];
    if (below(m, 3) == 0)
        for (uint32_t i = count; i > 1; i--) {
            uint32_t j = below(m, i), moved = out[i - 1];

            out[i - 1] = out[j];
            out[j] = moved;
        }
    return count;
}

static void check_range(struct model *m)
{
    uint32_t chosen[PARTITION_COUNT];
    struct reading r = {.range = {.keyspace = keyspaces[below(m, 4)], .partitions = chosen}};
    uint32_t pages = 0;

    r.range.partition_count = choose_partitions(m, chosen);
    r.range.space = random_space(m);
    if (below(m, 2))
        r.range.lower = random_key(m);
    if (below(m, 2))
        r.range.upper = random_key(m);
    if (below(m, 2))
        r.range.limit = 1 + below(m, 40);
    if (below(m, 2))
        r.range.limit_bytes = 1 + below(m, 200);
    r.stop_after = below(m, 2) ? 1 + below(m, 50) : 0;
    if (below(m, 2)) {
        check_ordered_range(m, &r);
        return;
    }
    expect_range(m, &r);
    do
        read_page(m, &r);
    while (r.at < r.count && ++pages <= MODEL_MAX);
    assert_int_equal(r.at, r.count);
}

static void random_histories_give_what_a_sorted_array_gives(void **state)
{
    struct fixture *f = *state;
    const char *seed = getenv("DYNKV_SEED");
    struct model *m = dynkv_calloc(1, sizeof *m);

    m->f = f;
    m->random = dynkv_random(seed ? strtoull(seed, NULL, 10) : 20261121);
    for (int round = 0; round < ROUNDS; round++) {
        write_random_batch(m);
        check_gets(m);
        check_range(m);
        if (strcmp(f->kind, "rocksdb") == 0 && round % REOPEN_EVERY == REOPEN_EVERY - 1)
            fixture_reopen(f, DYNKV_SYNC_NEVER);
        dynkv_arena_reset(&f->arena);
    }
    while (m->count)
        model_remove(m, m->count - 1);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ALL(random_histories_give_what_a_sorted_array_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
