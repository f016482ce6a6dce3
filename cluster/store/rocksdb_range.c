/*
 * rocksdb_range.c: ranges of the rocksdb engine, and the removal of a keyspace.
 *
 * A range is one iterator for all of its partitions, so it sees one moment of the store.  Where an
 * iterator ends it may have ended in an error, and the next seek would clear that: it is looked at before.
 */
#include <string.h>

#include "store/rocksdb_impl.h"

static struct dynkv_slice iterator_name(const rocksdb_iterator_t *iterator)
{
    size_t len;
    const char *data = rocksdb_iter_key(iterator, &len);

    return dynkv_slice(data, len);
}

static struct dynkv_slice iterator_record(const rocksdb_iterator_t *iterator)
{
    size_t len;
    const char *data = rocksdb_iter_value(iterator, &len);

    return dynkv_slice(data, len);
}

static void iterator_seek(rocksdb_iterator_t *iterator, const struct dynkv_buf *name)
{
    rocksdb_iter_seek(iterator, (const char *)name->data, name->len);
}

/* To the last name before this one. */
static void iterator_seek_before(rocksdb_iterator_t *iterator, const struct dynkv_buf *name)
{
    rocksdb_iter_seek_for_prev(iterator, (const char *)name->data, name->len);
    if (rocksdb_iter_valid(iterator) &&
        dynkv_slice_equal(iterator_name(iterator), dynkv_buf_slice(name)))
        rocksdb_iter_prev(iterator);
}

static enum dynkv_error iterator_error(struct rocks *rocks, const rocksdb_iterator_t *iterator,
                                       const char *doing)
{
    char *text = NULL;

    rocksdb_iter_get_error(iterator, &text);
    return text ? rocks_error(rocks, text, doing) : DYNKV_OK;
}

/* ---- ranges ---- */

/* A call of rocks_scan under way. */
struct scan {
    const struct dynkv_engine_range *range;
    uint32_t limit_each;
    rocksdb_iterator_t *iterator;
    struct dynkv_buf name; /* the first name of the partition that is read */
    struct dynkv_buf end;  /* falling: the first name behind it */
    struct engine_limit so_far;
    dynkv_engine_visit *visit;
    void *context;
    struct dynkv_buf *next_key;
};

/*
 * Moves to the first record of the range's place-th partition.  Where partitions rise, the iterator has
 * passed everything before this one: it need not seek if it stands beyond the name, or at the end.  That
 * makes partitions without records cheap, and most scans of small keyspaces meet many.  Where keys fall
 * it is moved each time.
 */
static void scan_enter(struct scan *scan, uint32_t place)
{
    const struct dynkv_engine_range *range = scan->range;
    uint32_t partition = range->partitions[place];
    bool rises = place > 0 && partition > range->partitions[place - 1];

    rocks_name(&scan->name, partition, range->keyspace,
               place == 0 && range->first_lower.len ? range->first_lower : range->lower);
    if (range->order == DYNKV_ORDER_FALLING) {
        if (range->upper.len)
            rocks_name(&scan->end, partition, range->keyspace, range->upper);
        else
            rocks_name_after(&scan->end, partition, range->keyspace);
        iterator_seek_before(scan->iterator, &scan->end);
        return;
    }
    if (rises &&
        (!rocksdb_iter_valid(scan->iterator) ||
         dynkv_slice_compare(iterator_name(scan->iterator), dynkv_buf_slice(&scan->name)) >= 0))
        return;
    iterator_seek(scan->iterator, &scan->name);
}

static void scan_step(struct scan *scan)
{
    if (scan->range->order == DYNKV_ORDER_FALLING)
        rocksdb_iter_prev(scan->iterator);
    else
        rocksdb_iter_next(scan->iterator);
}

/* Visits one partition of the range; true: a limit was reached, and next_key is where to go on. */
static bool scan_partition(struct scan *scan, uint32_t place)
{
    const struct dynkv_engine_range *range = scan->range;
    uint32_t count = 0;

    for (scan_enter(scan, place); rocksdb_iter_valid(scan->iterator); scan_step(scan)) {
        struct dynkv_slice name = iterator_name(scan->iterator), key, record;

        if (name.len < ROCKS_PREFIX || memcmp(name.data, scan->name.data, ROCKS_PREFIX) != 0)
            return false;
        key = dynkv_slice(name.data + ROCKS_PREFIX, name.len - ROCKS_PREFIX);
        if (engine_is_beyond(range, key) || (scan->limit_each && count == scan->limit_each))
            return false;
        if (engine_limit_reached(&scan->so_far, range)) {
            dynkv_put_raw(scan->next_key, key);
            return true;
        }
        record = iterator_record(scan->iterator);
        scan->so_far.stopped = !scan->visit(scan->context, range->partitions[place], key, record);
        scan->so_far.records++;
        scan->so_far.bytes += key.len + record.len;
        count++;
    }
    return false;
}

/*
 * The name that no record of the range reaches.  With it the iterator does not walk on over what was
 * deleted behind the range, only to find the next record that is alive.
 */
static void range_end(const struct dynkv_engine_range *range, struct dynkv_buf *out)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < range->partition_count; i++)
        last = range->partitions[i] > last ? range->partitions[i] : last;
    if (range->upper.len)
        rocks_name(out, last, range->keyspace, range->upper);
    else
        rocks_name_after(out, last, range->keyspace);
}

/* The name that all of the range reach: so it is where the iterator falls. */
static void range_begin(const struct dynkv_engine_range *range, struct dynkv_buf *out)
{
    uint32_t first = UINT32_MAX;

    for (uint32_t i = 0; i < range->partition_count; i++)
        first = range->partitions[i] < first ? range->partitions[i] : first;
    rocks_name(out, first, range->keyspace, range->lower);
}

enum dynkv_error rocks_scan(struct dynkv_engine *engine, const struct dynkv_engine_range *range,
                            uint32_t limit_each, dynkv_engine_visit *visit, void *context,
                            bool *more, uint32_t *next_partition, struct dynkv_buf *next_key)
{
    struct rocks *rocks = (struct rocks *)engine;
    struct scan scan = {.range = range,
                        .limit_each = limit_each,
                        .visit = visit,
                        .context = context,
                        .next_key = next_key};
    struct dynkv_buf begin = {0}, end = {0};
    enum dynkv_error error = DYNKV_OK;

    range_begin(range, &begin);
    range_end(range, &end);
    rocksdb_readoptions_set_iterate_lower_bound(rocks->read_range, (const char *)begin.data,
                                                begin.len);
    rocksdb_readoptions_set_iterate_upper_bound(rocks->read_range, (const char *)end.data, end.len);
    /* What reads whole partitions (a table, a tree being built) must not push out what points need. */
    rocksdb_readoptions_set_fill_cache(rocks->read_range, range->lower.len || range->upper.len);
    scan.iterator = rocksdb_create_iterator_cf(rocks->db, rocks->read_range,
                                               rocks->families[rocks_family(range->space)]);
    for (uint32_t i = 0; i < range->partition_count && !*more && !error; i++) {
        *more = scan_partition(&scan, i);
        if (*more)
            *next_partition = range->partitions[i];
        else if (!rocksdb_iter_valid(scan.iterator))
            error = iterator_error(rocks, scan.iterator, "read a range");
    }
    rocksdb_iter_destroy(scan.iterator);
    dynkv_buf_fini(&scan.name);
    dynkv_buf_fini(&scan.end);
    dynkv_buf_fini(&begin);
    dynkv_buf_fini(&end);
    return error;
}

/* ---- removing a keyspace ---- */

static uint32_t name_partition(struct dynkv_slice name)
{
    uint32_t partition = 0;

    for (unsigned i = 0; i < 4 && i < name.len; i++)
        partition = partition << 8 | name.data[i];
    return partition;
}

/* Records of a keyspace lie in many partitions: seek from one to the next that has any. */
enum dynkv_error rocks_drop_keyspace(struct rocks *rocks, rocksdb_writebatch_t *batch,
                                     uint64_t keyspace)
{
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(rocks->db, rocks->read, rocks->families[ROCKS_RECORDS]);
    struct dynkv_buf first = {0}, end = {0};
    uint64_t partition = 0;
    enum dynkv_error error;

    while (partition <= UINT32_MAX) {
        struct dynkv_slice name;
        uint32_t found;

        rocks_name(&first, (uint32_t)partition, keyspace, dynkv_slice(NULL, 0));
        iterator_seek(iterator, &first);
        if (!rocksdb_iter_valid(iterator))
            break;
        name = iterator_name(iterator);
        if (name.len >= ROCKS_PREFIX && memcmp(name.data, first.data, ROCKS_PREFIX) == 0) {
            rocks_name_after(&end, (uint32_t)partition, keyspace);
            rocksdb_writebatch_delete_range_cf(batch, rocks->families[ROCKS_RECORDS],
                                               (const char *)first.data, first.len,
                                               (const char *)end.data, end.len);
            partition++;
            continue;
        }
        /* It stands at a greater name: of this partition (none of ours then), or of a later one. */
        found = name_partition(name);
        partition = found > partition ? found : partition + 1;
    }
    error = iterator_error(rocks, iterator, "look for a keyspace's records");
    rocksdb_iter_destroy(iterator);
    dynkv_buf_fini(&first);
    dynkv_buf_fini(&end);
    return error;
}
