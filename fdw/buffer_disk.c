/* buffer_disk.c: the runs of a write buffer: written when memory is full, merged, looked up in. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "fdw/write_buffer_impl.h"

/* ---- what was taken back ---- */

bool dynkv_buffer_is_taken_back(const DynkvWriteBuffer *buffer, uint64 number)
{
    for (int i = buffer->hole_count - 1; i >= 0; i--)
        if (number >= buffer->holes[i].first)
            return number < buffer->holes[i].end;
    return false;
}

static bool buffer_disk_has_from(const DynkvWriteBuffer *buffer, uint64 first)
{
    for (int i = 0; i < buffer->run_count; i++)
        if (dynkv_run_last_number(buffer->runs[i]) >= first)
            return true;
    return false;
}

void dynkv_buffer_add_hole(DynkvWriteBuffer *buffer, uint64 first)
{
    if (!buffer_disk_has_from(buffer, first))
        return;
    /* Those of its own subtransactions become part of it. */
    while (buffer->hole_count > 0 && buffer->holes[buffer->hole_count - 1].first >= first)
        buffer->hole_count--;
    Assert(buffer->hole_count < buffer->hole_room);
    buffer->holes[buffer->hole_count].first = first;
    buffer->holes[buffer->hole_count].end = buffer->next_number;
    buffer->hole_count++;
}

static void buffer_make_room_for_hole(DynkvWriteBuffer *buffer)
{
    if (buffer->hole_count < buffer->hole_room)
        return;
    buffer->hole_room = Max(buffer->hole_room * 2, 8);
    buffer->holes = buffer->holes
                        ? repalloc(buffer->holes, sizeof *buffer->holes * (size_t)buffer->hole_room)
                        : MemoryContextAlloc(buffer->context,
                                             sizeof *buffer->holes * (size_t)buffer->hole_room);
}

/* ---- merging ---- */

/* Readers at the start of some runs; the memory is the caller's. */
static DynkvRunReader *buffer_open_readers(DynkvWriteBuffer *buffer, int first, int count)
{
    DynkvRunReader *readers = palloc0(sizeof *readers * (size_t)count);

    for (int i = 0; i < count; i++) {
        readers[i].run = buffer->runs[first + i];
        dynkv_run_seek(&readers[i], dynkv_slice(NULL, 0));
    }
    return readers;
}

/* Which of them stands at what comes first; NULL: all are at their ends.  They are oldest first. */
static DynkvRunReader *buffer_first_reader(DynkvRunReader *readers, int count)
{
    DynkvRunReader *best = NULL;

    for (int i = count - 1; i >= 0; i--)
        if (!readers[i].is_end && (!best || dynkv_slice_compare(readers[i].head.write.at.key,
                                                                best->head.write.at.key) < 0))
            best = &readers[i];
    return best;
}

static DynkvRun *buffer_merge_into_new(DynkvWriteBuffer *buffer, int first)
{
    int count = buffer->run_count - first;
    DynkvRunReader *readers = buffer_open_readers(buffer, first, count);
    DynkvRunReader *reader;
    uint64 expected = 0;
    MemoryContext one =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv merge", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(buffer->context);
    DynkvRun *merged;

    for (int i = 0; i < count; i++)
        expected += dynkv_run_count(readers[i].run);
    merged = dynkv_run_create(buffer->owner, expected);
    MemoryContextSwitchTo(one);
    while ((reader = buffer_first_reader(readers, count)) != NULL) {
        if (!dynkv_buffer_is_taken_back(buffer, reader->head.number)) {
            DynkvBuffered write;

            dynkv_run_load(reader, &write);
            dynkv_run_append(merged, &write);
            MemoryContextReset(one);
        }
        dynkv_run_next(reader);
        CHECK_FOR_INTERRUPTS();
    }
    MemoryContextSwitchTo(old);
    MemoryContextDelete(one);
    for (int i = 0; i < count; i++)
        dynkv_run_reader_fini(&readers[i]);
    pfree(readers);
    return merged;
}

static void buffer_merge(DynkvWriteBuffer *buffer, int first)
{
    DynkvRun *merged = buffer_merge_into_new(buffer, first);

    /* Nothing fails from here on. */
    for (int i = first; i < buffer->run_count; i++)
        dynkv_run_close(buffer->runs[i]);
    buffer->runs[first] = merged;
    buffer->levels[first]++;
    buffer->run_count = first + 1;
    buffer->runs_generation++;
}

void dynkv_buffer_merge_runs(DynkvWriteBuffer *buffer)
{
    for (;;) {
        int last = buffer->run_count - 1;
        int first = last;

        while (first > 0 && buffer->levels[first - 1] == buffer->levels[last])
            first--;
        if (last - first + 1 < BUFFER_FAN_IN)
            return;
        buffer_merge(buffer, first);
    }
}

/* ---- writing ---- */

void dynkv_buffer_write_run(DynkvWriteBuffer *buffer)
{
    MemoryContext old = MemoryContextSwitchTo(buffer->context);
    DynkvRun *run;

    if (buffer->run_count == BUFFER_RUNS_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("too many writes in one transaction for the setting of work_mem"),
                        errhint("Raise work_mem, or use several transactions.")));
    buffer_make_room_for_hole(buffer);
    run = dynkv_run_create(buffer->owner, buffer->tree.count);
    MemoryContextSwitchTo(old);
    for (struct dynkv_avl_node *node = dynkv_avl_first(&buffer->tree); node;
         node = dynkv_avl_next(node))
        dynkv_run_append(run, &buffer_entry(node)->data);
    buffer->runs[buffer->run_count] = run;
    buffer->levels[buffer->run_count] = 0;
    buffer->run_count++;
    buffer->runs_generation++;
}

/* ---- looking up ---- */

static bool buffer_find_on_disk(DynkvWriteBuffer *buffer, DynkvRun *run, struct dynkv_slice key,
                                CommandId before)
{
    DynkvRunReader *reader = &buffer->reader;

    if (!dynkv_run_may_have(run, key))
        return false;
    reader->run = run;
    for (dynkv_run_seek(reader, key);
         !reader->is_end && dynkv_slice_equal(reader->head.write.at.key, key);
         dynkv_run_next(reader))
        if (buffer_sees(&reader->head, before) &&
            !dynkv_buffer_is_taken_back(buffer, reader->head.number))
            return true;
    return false;
}

bool dynkv_buffer_find_in_runs(DynkvWriteBuffer *buffer, struct dynkv_slice key, CommandId before,
                               DynkvBuffered *write)
{
    /* The reader's own memory stays with the buffer. */
    MemoryContext old = MemoryContextSwitchTo(buffer->context);
    bool found = false;

    for (int i = buffer->run_count - 1; i >= 0 && !found; i--)
        found = buffer_find_on_disk(buffer, buffer->runs[i], key, before);
    if (found && write) {
        MemoryContextReset(buffer->found);
        MemoryContextSwitchTo(buffer->found);
        dynkv_run_load(&buffer->reader, write);
    }
    MemoryContextSwitchTo(old);
    return found;
}
