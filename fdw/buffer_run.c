/*
 * buffer_run.c: a temporary file of records, its sparse index and its filter.
 */
#include "postgres.h"

#include "storage/buffile.h"
#include "utils/memutils.h"

#include "base/hash.h"
#include "fdw/buffer_run.h"

/* About one block of the file's buffer: what a look-up reads. */
#define RUN_STRETCH       ((uint64)BLCKSZ)
/* 10 bits and 4 probes: 1.2% of the keys that are not there seem to be. */
#define RUN_FILTER_BITS   10
#define RUN_FILTER_PROBES 4
#define RUN_FILTER_SEED   5

typedef struct RunStretch {
    uint8 *key; /* the first one */
    uint32 key_len;
    uint64 at;
} RunStretch;

struct DynkvRun {
    MemoryContext context;
    BufFile *file;
    uint64 size;
    uint64 count, last_number;
    RunStretch *stretches;
    uint64 stretch_count, stretch_room;
    uint64 *filter;
    uint64 filter_bits;
};

/* A record: this, the key, the context, the value. */
typedef struct RunRecord {
    uint64 number;
    uint64 expires_at_ms;
    uint32 key_len, partition_len, context_len, value_len;
    CommandId command;
    uint8 w;
    bool strict, is_new, is_delete, has_context;
} RunRecord;

static void run_io_error(const char *doing)
{
    ereport(ERROR, (errcode_for_file_access(),
                    errmsg("could not %s a temporary file of a dynkv transaction: %m", doing)));
}

DynkvRun *dynkv_run_create(ResourceOwner owner, uint64 expected)
{
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv writes on disk", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    ResourceOwner old_owner = CurrentResourceOwner;
    DynkvRun *run = palloc0(sizeof *run);

    run->context = context;
    run->filter_bits = (Max(expected, 64) * RUN_FILTER_BITS + 63) / 64 * 64;
    run->filter = MemoryContextAllocExtended(context, run->filter_bits / 8,
                                             MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
    CurrentResourceOwner = owner;
    run->file = BufFileCreateTemp(false);
    CurrentResourceOwner = old_owner;
    MemoryContextSwitchTo(old);
    return run;
}

void dynkv_run_close(DynkvRun *run)
{
    BufFileClose(run->file);
    MemoryContextDelete(run->context);
}

uint64 dynkv_run_count(const DynkvRun *run)
{
    return run->count;
}

uint64 dynkv_run_last_number(const DynkvRun *run)
{
    return run->last_number;
}

/* ---- the filter: two halves of one hash give all probes (Kirsch and Mitzenmacher, 2006) ---- */

static uint64 run_probe(const DynkvRun *run, uint64 hash, int probe)
{
    uint64 step = (hash >> 32) | 1;

    return ((uint32)hash + (uint64)probe * step) % run->filter_bits;
}

static void run_filter_add(DynkvRun *run, struct dynkv_slice key)
{
    uint64 hash = dynkv_hash(key, RUN_FILTER_SEED);

    for (int probe = 0; probe < RUN_FILTER_PROBES; probe++) {
        uint64 bit = run_probe(run, hash, probe);

        run->filter[bit / 64] |= UINT64CONST(1) << (bit % 64);
    }
}

bool dynkv_run_may_have(const DynkvRun *run, struct dynkv_slice key)
{
    uint64 hash = dynkv_hash(key, RUN_FILTER_SEED);

    for (int probe = 0; probe < RUN_FILTER_PROBES; probe++) {
        uint64 bit = run_probe(run, hash, probe);

        if (!(run->filter[bit / 64] & (UINT64CONST(1) << (bit % 64))))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static void run_begin_stretch(DynkvRun *run, struct dynkv_slice key)
{
    RunStretch *stretch;

    if (run->stretch_count == run->stretch_room) {
        run->stretch_room = Max(run->stretch_room * 2, 16);
        run->stretches =
            run->stretches
                ? repalloc_huge(run->stretches, sizeof *run->stretches * run->stretch_room)
                : MemoryContextAlloc(run->context, sizeof *run->stretches * run->stretch_room);
    }
    stretch = &run->stretches[run->stretch_count++];
    stretch->key = MemoryContextAlloc(run->context, key.len);
    memcpy(stretch->key, key.data, key.len);
    stretch->key_len = (uint32)key.len;
    stretch->at = run->size;
}

static void run_write(DynkvRun *run, const void *data, size_t size)
{
    if (size > 0)
        BufFileWrite(run->file, unconstify(void *, data), size);
    run->size += size;
}

void dynkv_run_append(DynkvRun *run, const DynkvBuffered *buffered)
{
    const struct dynkv_write *write = &buffered->write;
    RunRecord record;

    memset(&record, 0, sizeof record);
    record.number = buffered->number;
    record.expires_at_ms = write->expires_at_ms;
    record.key_len = (uint32)write->at.key.len;
    record.partition_len = write->at.partition_len;
    record.context_len = (uint32)write->context.len;
    record.value_len = (uint32)write->value.len;
    record.command = buffered->command;
    record.w = buffered->w;
    record.strict = buffered->strict;
    record.is_new = buffered->is_new;
    record.is_delete = write->is_delete;
    record.has_context = write->has_context;

    if (run->stretch_count == 0 ||
        run->size - run->stretches[run->stretch_count - 1].at >= RUN_STRETCH)
        run_begin_stretch(run, write->at.key);
    run_filter_add(run, write->at.key);
    run_write(run, &record, sizeof record);
    run_write(run, write->at.key.data, write->at.key.len);
    run_write(run, write->context.data, write->context.len);
    run_write(run, write->value.data, write->value.len);
    run->count++;
    run->last_number = Max(run->last_number, buffered->number);
}

/* ---- reading ---- */

static void run_read(const DynkvRun *run, void *data, size_t size)
{
    if (size > 0 && BufFileRead(run->file, data, size) != size)
        run_io_error("read");
}

/* Several readers share the file's position.  BufFileSeek finds the segment from the first one on. */
static void run_position(const DynkvRun *run, uint64 at)
{
    if (BufFileSeek(run->file, 0, (off_t)at, SEEK_SET) != 0)
        run_io_error("seek in");
}

static void run_read_head(DynkvRunReader *reader, uint64 at)
{
    RunRecord record;

    reader->is_end = at >= reader->run->size;
    if (reader->is_end)
        return;
    run_position(reader->run, at);
    run_read(reader->run, &record, sizeof record);
    resetStringInfo(&reader->key);
    enlargeStringInfo(&reader->key, (int)record.key_len);
    run_read(reader->run, reader->key.data, record.key_len);
    reader->head = (DynkvBuffered){
        .write = {.at = {.key = dynkv_slice(reader->key.data, record.key_len),
                         .partition_len = record.partition_len},
                  .is_delete = record.is_delete,
                  .has_context = record.has_context,
                  .context = dynkv_slice(NULL, record.context_len),
                  .expires_at_ms = record.expires_at_ms,
                  .value = dynkv_slice(NULL, record.value_len)},
        .number = record.number,
        .command = record.command,
        .w = record.w,
        .strict = record.strict,
        .is_new = record.is_new,
    };
    reader->rest = at + sizeof record + record.key_len;
}

void dynkv_run_next(DynkvRunReader *reader)
{
    run_read_head(reader,
                  reader->rest + reader->head.write.context.len + reader->head.write.value.len);
}

/* The last stretch that begins before the key: versions of one key may begin in the one before. */
static uint64 run_stretch_of(const DynkvRun *run, struct dynkv_slice key)
{
    uint64 low = 0, high = run->stretch_count;

    while (low < high) {
        uint64 middle = (low + high) / 2;
        const RunStretch *stretch = &run->stretches[middle];

        if (dynkv_slice_compare(dynkv_slice(stretch->key, stretch->key_len), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? run->stretches[low - 1].at : 0;
}

void dynkv_run_seek(DynkvRunReader *reader, struct dynkv_slice key)
{
    if (!reader->key.data)
        initStringInfo(&reader->key);
    run_read_head(reader, run_stretch_of(reader->run, key));
    while (!reader->is_end && dynkv_slice_compare(reader->head.write.at.key, key) < 0)
        dynkv_run_next(reader);
}

void dynkv_run_seek_before(DynkvRunReader *reader, const struct dynkv_slice *key)
{
    DynkvRun *run = reader->run;
    uint64 at, last;
    bool found = false;

    if (!reader->key.data)
        initStringInfo(&reader->key);
    if (key)
        at = run_stretch_of(run, *key);
    else
        at = run->stretch_count > 0 ? run->stretches[run->stretch_count - 1].at : 0;
    /* Records can be read forward only: from where the stretch begins, twice. */
    last = at;
    for (run_read_head(reader, at); !reader->is_end; run_read_head(reader, at)) {
        if (key && dynkv_slice_compare(reader->head.write.at.key, *key) >= 0)
            break;
        found = true;
        last = at;
        at = reader->rest + reader->head.write.context.len + reader->head.write.value.len;
    }
    if (found)
        run_read_head(reader, last);
    else
        reader->is_end = true;
}

void dynkv_run_load(const DynkvRunReader *reader, DynkvBuffered *write)
{
    const struct dynkv_write *head = &reader->head.write;
    size_t size = head->at.key.len + head->context.len + head->value.len;
    uint8 *bytes = MemoryContextAllocHuge(CurrentMemoryContext, size);
    uint8 *context = bytes + head->at.key.len;

    memcpy(bytes, head->at.key.data, head->at.key.len);
    run_position(reader->run, reader->rest);
    run_read(reader->run, context, head->context.len + head->value.len);
    *write = reader->head;
    write->write.at.key = dynkv_slice(bytes, head->at.key.len);
    write->write.context = dynkv_slice(context, head->context.len);
    write->write.value = dynkv_slice(context + head->context.len, head->value.len);
}

void dynkv_run_reader_fini(DynkvRunReader *reader)
{
    if (reader->key.data)
        pfree(reader->key.data);
    memset(reader, 0, sizeof *reader);
}
