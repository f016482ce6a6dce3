/*
 * write_buffer.c: the tree in memory, the runs below it, and what is seen of both.
 *
 * All writes in memory are younger than all on disk, and each run's are younger than those of the runs
 * before it: a spill takes the whole tree, and a merge takes neighbours.  So the first version found from
 * the top down is the last one.
 *
 * A write that was taken back is removed from the tree at once; numbers of such writes on disk are holes,
 * and the next merge leaves them out.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/avl.h"
#include "fdw/write_buffer.h"

/* Runs of one level that become one of the next level. */
#define BUFFER_FAN_IN    8
/* At most BUFFER_FAN_IN - 1 runs on each level: 8^9 times work_mem. */
#define BUFFER_RUNS_MAX  (9 * BUFFER_FAN_IN)
/* Memory is taken in chunks that double from the one to the other. */
#define BUFFER_CHUNK_MIN ((Size)1024)
#define BUFFER_CHUNK_MAX ((Size)65536)

/* A write in memory.  Its bytes follow it. */
typedef struct BufferEntry {
    struct dynkv_avl_node node;
    struct BufferEntry *older; /* the one added before it */
    bool is_replaced;          /* by the same command; not in the tree any more */
    DynkvBuffered data;
} BufferEntry;

/* Numbers [first, end) were taken back after they had gone to disk. */
typedef struct BufferHole {
    uint64 first, end;
} BufferHole;

struct DynkvWriteBuffer {
    MemoryContext context;
    MemoryContext entries; /* the chunks */
    MemoryContext found;   /* what find read from disk */
    ResourceOwner owner;
    uint64 next_number;
    /* They change when entries, or runs, go away. */
    uint64 tree_generation, runs_generation;

    struct dynkv_avl tree;
    BufferEntry *newest;
    char *chunk;
    Size chunk_used, chunk_size;
    Size bytes; /* of all chunks */

    DynkvRun *runs[BUFFER_RUNS_MAX]; /* oldest first */
    int levels[BUFFER_RUNS_MAX];
    int run_count;
    DynkvRunReader reader; /* of find */

    /* Room for one more hole is made by each spill, as an abort may not allocate. */
    BufferHole *holes; /* rising */
    int hole_count, hole_room;
};

/* ---- order: keys rising, of one key the youngest first ---- */

typedef struct BufferPlace {
    struct dynkv_slice key;
    uint64 number;
} BufferPlace;

static BufferEntry *buffer_entry(const struct dynkv_avl_node *node)
{
    return node ? (BufferEntry *)((char *)unconstify(struct dynkv_avl_node *, node) -
                                  offsetof(BufferEntry, node))
                : NULL;
}

static int buffer_compare(const void *key, const struct dynkv_avl_node *node)
{
    const BufferPlace *place = key;
    const BufferEntry *entry = buffer_entry(node);
    int order = dynkv_slice_compare(place->key, entry->data.write.at.key);

    if (order != 0)
        return order;
    return place->number > entry->data.number ? -1 : place->number < entry->data.number ? 1 : 0;
}

/* The first entry whose key is not before this one: its youngest version. */
static BufferEntry *buffer_seek(const DynkvWriteBuffer *buffer, struct dynkv_slice key)
{
    BufferPlace place = {.key = key, .number = PG_UINT64_MAX};

    return buffer_entry(dynkv_avl_seek(&buffer->tree, &place, buffer_compare));
}

static bool entry_has_key(const BufferEntry *entry, struct dynkv_slice key)
{
    return entry && dynkv_slice_equal(entry->data.write.at.key, key);
}

/* ---- create and close ---- */

DynkvWriteBuffer *dynkv_write_buffer_create(ResourceOwner owner)
{
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv write buffer", ALLOCSET_SMALL_SIZES);
    DynkvWriteBuffer *buffer = MemoryContextAllocZero(context, sizeof *buffer);

    buffer->context = context;
    buffer->entries = AllocSetContextCreate(context, "dynkv writes", ALLOCSET_SMALL_SIZES);
    buffer->found = AllocSetContextCreate(context, "dynkv write read back", ALLOCSET_SMALL_SIZES);
    buffer->owner = owner;
    buffer->next_number = 1;
    return buffer;
}

void dynkv_write_buffer_close(DynkvWriteBuffer *buffer)
{
    for (int i = 0; i < buffer->run_count; i++)
        dynkv_run_close(buffer->runs[i]);
    MemoryContextDelete(buffer->context);
}

uint64 dynkv_write_buffer_next(const DynkvWriteBuffer *buffer)
{
    return buffer->next_number;
}

/* ---- what was taken back ---- */

static bool buffer_is_taken_back(const DynkvWriteBuffer *buffer, uint64 number)
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

void dynkv_write_buffer_rollback(DynkvWriteBuffer *buffer, uint64 first)
{
    while (buffer->newest && buffer->newest->data.number >= first) {
        if (!buffer->newest->is_replaced)
            dynkv_avl_remove(&buffer->tree, &buffer->newest->node);
        buffer->newest = buffer->newest->older;
    }
    buffer->tree_generation++;
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

/* ---- to disk ---- */

static void buffer_drop_entries(DynkvWriteBuffer *buffer)
{
    buffer->tree = (struct dynkv_avl){NULL, 0};
    buffer->newest = NULL;
    buffer->chunk = NULL;
    buffer->chunk_used = buffer->chunk_size = buffer->bytes = 0;
    buffer->tree_generation++;
    MemoryContextReset(buffer->entries);
}

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
        if (!buffer_is_taken_back(buffer, reader->head.number)) {
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

/* As long as there are enough neighbours of one level at the end. */
static void buffer_merge_runs(DynkvWriteBuffer *buffer)
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

static void buffer_spill(DynkvWriteBuffer *buffer)
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
    buffer_drop_entries(buffer);
    buffer_merge_runs(buffer);
}

/* ---- looking up ---- */

static bool buffer_sees(const DynkvBuffered *write, CommandId before)
{
    return write->command < before;
}

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
            !buffer_is_taken_back(buffer, reader->head.number))
            return true;
    return false;
}

static bool buffer_find_in_runs(DynkvWriteBuffer *buffer, struct dynkv_slice key, CommandId before,
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

bool dynkv_write_buffer_find(DynkvWriteBuffer *buffer, struct dynkv_slice key, CommandId before,
                             DynkvBuffered *write)
{
    BufferEntry *entry = buffer_seek(buffer, key);

    for (; entry_has_key(entry, key); entry = buffer_entry(dynkv_avl_next(&entry->node))) {
        if (buffer_sees(&entry->data, before)) {
            if (write)
                *write = entry->data;
            return true;
        }
    }
    return buffer->run_count > 0 && buffer_find_in_runs(buffer, key, before, write);
}

bool dynkv_write_buffer_is_empty(DynkvWriteBuffer *buffer)
{
    DynkvBufferCursor *cursor;
    DynkvBuffered write;
    bool is_empty;

    if (buffer->tree.count > 0 || buffer->run_count == 0)
        return buffer->tree.count == 0;
    cursor = dynkv_buffer_cursor_create(buffer, DYNKV_ALL_COMMANDS);
    is_empty = !dynkv_buffer_cursor_next(cursor, &write);
    dynkv_buffer_cursor_close(cursor);
    return is_empty;
}

bool dynkv_write_buffer_is_small(const DynkvWriteBuffer *buffer, uint64 writes)
{
    return buffer->run_count == 0 && buffer->tree.count <= writes;
}

/* ---- adding ---- */

static char *buffer_room(DynkvWriteBuffer *buffer, Size size)
{
    char *room;

    size = MAXALIGN(size);
    if (buffer->chunk_size - buffer->chunk_used < size) {
        Size grown = Min(Max(buffer->chunk_size * 2, BUFFER_CHUNK_MIN), BUFFER_CHUNK_MAX);

        grown = Max(grown, size);
        buffer->chunk = MemoryContextAlloc(buffer->entries, grown);
        buffer->chunk_size = grown;
        buffer->chunk_used = 0;
        buffer->bytes += grown;
    }
    room = buffer->chunk + buffer->chunk_used;
    buffer->chunk_used += size;
    return room;
}

static struct dynkv_slice buffer_copy(char **at, struct dynkv_slice bytes)
{
    struct dynkv_slice copy = dynkv_slice(*at, bytes.len);

    if (bytes.len > 0)
        memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return copy;
}

static Size buffer_size_of(const DynkvBuffered *write)
{
    return sizeof(BufferEntry) + write->write.at.key.len + write->write.context.len +
           write->write.value.len;
}

/* Adds a version; returns it. */
static BufferEntry *buffer_insert(DynkvWriteBuffer *buffer, const DynkvBuffered *write)
{
    BufferEntry *entry = (BufferEntry *)buffer_room(buffer, buffer_size_of(write));
    char *at = (char *)(entry + 1);
    BufferPlace place;

    entry->is_replaced = false;
    entry->data = *write;
    entry->data.number = buffer->next_number++;
    entry->data.write.at.key = buffer_copy(&at, write->write.at.key);
    entry->data.write.context = buffer_copy(&at, write->write.context);
    entry->data.write.value = buffer_copy(&at, write->write.value);
    entry->older = buffer->newest;
    buffer->newest = entry;
    place = (BufferPlace){.key = entry->data.write.at.key, .number = entry->data.number};
    dynkv_avl_insert(&buffer->tree, &entry->node, &place, buffer_compare);
    return entry;
}

static void buffer_discard(DynkvWriteBuffer *buffer, BufferEntry *entry)
{
    dynkv_avl_remove(&buffer->tree, &entry->node);
    entry->is_replaced = true;
    buffer->tree_generation++;
}

/* An encoded vector of nothing is no version: the row that was read came from this very buffer. */
static bool buffer_is_version(const struct dynkv_write *write)
{
    return write->has_context && write->context.len > 1;
}

/* What the write becomes, given the one of the same key that came before; see write_buffer.h. */
static void buffer_follow(DynkvBuffered *write, const DynkvBuffered *before)
{
    struct dynkv_slice context = write->write.context;
    bool has_context = buffer_is_version(&write->write);

    if (before->write.is_delete || !write->write.is_delete || before->command != write->command) {
        write->is_new = (before->is_new || write->is_new) && !before->write.has_context;
    } else {
        CommandId command = write->command;

        *write = *before;
        write->command = command;
        write->is_new = before->is_new && !has_context;
    }
    if (before->write.has_context) {
        context = before->write.context;
        has_context = true;
    }
    write->write.context = has_context ? context : dynkv_slice(NULL, 0);
    write->write.has_context = has_context;
}

static void buffer_make_room(DynkvWriteBuffer *buffer, Size size)
{
    if (buffer->bytes > 0 && !buffer->newest)
        buffer_drop_entries(buffer); /* all were taken back */
    else if (buffer->chunk_size - buffer->chunk_used < MAXALIGN(size) &&
             buffer->bytes + size > (Size)work_mem * 1024 && buffer->bytes > 0)
        buffer_spill(buffer);
}

/* The version in memory before this one, or NULL. */
static BufferEntry *buffer_version_before(const BufferEntry *entry)
{
    BufferEntry *before = buffer_entry(dynkv_avl_next(&entry->node));

    return entry_has_key(before, entry->data.write.at.key) ? before : NULL;
}

/* Most keys are written once, so the write goes in as it is, and is looked at again if it had company. */
void dynkv_write_buffer_add(DynkvWriteBuffer *buffer, const DynkvBuffered *new_write, uint64 first)
{
    DynkvBuffered write = *new_write;
    DynkvBuffered before;
    BufferEntry *entry, *in_memory;

    if (!buffer_is_version(&write.write)) {
        write.write.has_context = false;
        write.write.context = dynkv_slice(NULL, 0);
    }
    buffer_make_room(buffer, buffer_size_of(&write));
    entry = buffer_insert(buffer, &write);
    in_memory = buffer_version_before(entry);
    if (in_memory)
        before = in_memory->data;
    else if (buffer->run_count == 0 ||
             !buffer_find_in_runs(buffer, write.write.at.key, DYNKV_ALL_COMMANDS, &before))
        return;
    buffer_follow(&write, &before);
    buffer_discard(buffer, entry);
    if (in_memory && before.command == write.command && before.number >= first)
        buffer_discard(buffer, in_memory);
    buffer_insert(buffer, &write);
}

/* ---- cursors ---- */

struct DynkvBufferCursor {
    DynkvWriteBuffer *buffer;
    CommandId before;
    MemoryContext context;
    MemoryContext read; /* the write given out last, if it came from disk */
    bool is_placed;     /* for these generations: */
    uint64 tree_generation, runs_generation;
    BufferEntry *entry; /* the next in memory; NULL: none */
    DynkvRunReader readers[BUFFER_RUNS_MAX];
    int reader_count;
    StringInfoData key; /* sought for, or given out last */
    bool is_after;      /* that key is done with */
};

DynkvBufferCursor *dynkv_buffer_cursor_create(DynkvWriteBuffer *buffer, CommandId before)
{
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv buffer cursor", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    DynkvBufferCursor *cursor = palloc0(sizeof *cursor);

    cursor->buffer = buffer;
    cursor->before = before;
    cursor->context = context;
    cursor->read = AllocSetContextCreate(context, "dynkv write read back", ALLOCSET_SMALL_SIZES);
    initStringInfo(&cursor->key);
    MemoryContextSwitchTo(old);
    return cursor;
}

void dynkv_buffer_cursor_close(DynkvBufferCursor *cursor)
{
    MemoryContextDelete(cursor->context);
}

static struct dynkv_slice cursor_key(const DynkvBufferCursor *cursor)
{
    return dynkv_slice(cursor->key.data, (size_t)cursor->key.len);
}

static void cursor_set_key(DynkvBufferCursor *cursor, struct dynkv_slice key, bool is_after)
{
    resetStringInfo(&cursor->key);
    appendBinaryStringInfo(&cursor->key, (const char *)key.data, (int)key.len);
    cursor->is_after = is_after;
}

void dynkv_buffer_cursor_seek(DynkvBufferCursor *cursor, struct dynkv_slice key)
{
    if (key.len == 0)
        key = dynkv_slice("", 0);
    cursor_set_key(cursor, key, false);
    cursor->is_placed = false;
}

static void cursor_place_in_tree(DynkvBufferCursor *cursor)
{
    cursor->entry = buffer_seek(cursor->buffer, cursor_key(cursor));
    while (cursor->is_after && entry_has_key(cursor->entry, cursor_key(cursor)))
        cursor->entry = buffer_entry(dynkv_avl_next(&cursor->entry->node));
    cursor->tree_generation = cursor->buffer->tree_generation;
}

static void cursor_place_in_runs(DynkvBufferCursor *cursor)
{
    DynkvWriteBuffer *buffer = cursor->buffer;
    struct dynkv_slice key = cursor_key(cursor);
    MemoryContext old = MemoryContextSwitchTo(cursor->context);

    cursor->reader_count = buffer->run_count;
    for (int i = 0; i < buffer->run_count; i++) {
        DynkvRunReader *reader = &cursor->readers[i];

        reader->run = buffer->runs[i];
        dynkv_run_seek(reader, key);
        while (cursor->is_after && !reader->is_end &&
               dynkv_slice_equal(reader->head.write.at.key, key))
            dynkv_run_next(reader);
    }
    MemoryContextSwitchTo(old);
    cursor->runs_generation = buffer->runs_generation;
}

static void cursor_place(DynkvBufferCursor *cursor)
{
    if (!cursor->is_placed || cursor->tree_generation != cursor->buffer->tree_generation)
        cursor_place_in_tree(cursor);
    if (!cursor->is_placed || cursor->runs_generation != cursor->buffer->runs_generation)
        cursor_place_in_runs(cursor);
    cursor->is_placed = true;
}

/* The least key that any source stands at; false: none stands at any. */
static bool cursor_least(const DynkvBufferCursor *cursor, struct dynkv_slice *least)
{
    bool found = cursor->entry != NULL;

    if (found)
        *least = cursor->entry->data.write.at.key;
    for (int i = 0; i < cursor->reader_count; i++) {
        const DynkvRunReader *reader = &cursor->readers[i];

        if (!reader->is_end &&
            (!found || dynkv_slice_compare(reader->head.write.at.key, *least) < 0)) {
            *least = reader->head.write.at.key;
            found = true;
        }
    }
    return found;
}

/* Takes all versions of the cursor's key; true with the one that is seen. */
static bool cursor_take(DynkvBufferCursor *cursor, DynkvBuffered *write)
{
    struct dynkv_slice key = cursor_key(cursor);
    MemoryContext old;
    bool found = false;

    for (; entry_has_key(cursor->entry, key);
         cursor->entry = buffer_entry(dynkv_avl_next(&cursor->entry->node))) {
        if (!found && buffer_sees(&cursor->entry->data, cursor->before)) {
            *write = cursor->entry->data;
            found = true;
        }
    }
    old = MemoryContextSwitchTo(cursor->read);
    for (int i = cursor->reader_count - 1; i >= 0; i--) {
        DynkvRunReader *reader = &cursor->readers[i];

        for (; !reader->is_end && dynkv_slice_equal(reader->head.write.at.key, key);
             dynkv_run_next(reader)) {
            if (!found && buffer_sees(&reader->head, cursor->before) &&
                !buffer_is_taken_back(cursor->buffer, reader->head.number)) {
                dynkv_run_load(reader, write);
                found = true;
            }
        }
    }
    MemoryContextSwitchTo(old);
    return found;
}

/* What is added behind its back is of commands that it does not see, so places need not look for it. */
bool dynkv_buffer_cursor_next(DynkvBufferCursor *cursor, DynkvBuffered *write)
{
    struct dynkv_slice least;

    MemoryContextReset(cursor->read);
    cursor_place(cursor);
    while (cursor_least(cursor, &least)) {
        cursor_set_key(cursor, least, true);
        if (cursor_take(cursor, write))
            return true;
    }
    return false;
}

/* ---- cursors that go backwards: the key is the bound, and each step looks for the greatest before it ---- */

void dynkv_buffer_cursor_seek_before(DynkvBufferCursor *cursor, struct dynkv_slice key)
{
    dynkv_buffer_cursor_seek(cursor, key);
}

/* The runs' greatest keys before the bound; those that are before it already are right. */
static void cursor_place_runs_before(DynkvBufferCursor *cursor, const struct dynkv_slice *bound)
{
    DynkvWriteBuffer *buffer = cursor->buffer;
    bool is_new = !cursor->is_placed || cursor->runs_generation != buffer->runs_generation;
    MemoryContext old = MemoryContextSwitchTo(cursor->context);

    cursor->reader_count = buffer->run_count;
    for (int i = 0; i < buffer->run_count; i++) {
        DynkvRunReader *reader = &cursor->readers[i];

        if (!is_new &&
            (reader->is_end || dynkv_slice_compare(reader->head.write.at.key, *bound) < 0))
            continue;
        reader->run = buffer->runs[i];
        dynkv_run_seek_before(reader, bound);
    }
    MemoryContextSwitchTo(old);
    cursor->runs_generation = buffer->runs_generation;
    cursor->is_placed = true;
}

static BufferEntry *buffer_seek_before(const DynkvWriteBuffer *buffer,
                                       const struct dynkv_slice *bound)
{
    BufferEntry *entry = bound ? buffer_seek(buffer, *bound) : NULL;

    return buffer_entry(entry ? dynkv_avl_prev(&entry->node) : dynkv_avl_last(&buffer->tree));
}

/* The greatest key before the bound; false: there is none. */
static bool cursor_greatest(DynkvBufferCursor *cursor, const struct dynkv_slice *bound,
                            struct dynkv_slice *greatest)
{
    BufferEntry *entry = buffer_seek_before(cursor->buffer, bound);
    bool found = entry != NULL;

    if (found)
        *greatest = entry->data.write.at.key;
    for (int i = 0; i < cursor->reader_count; i++) {
        const DynkvRunReader *reader = &cursor->readers[i];

        if (!reader->is_end &&
            (!found || dynkv_slice_compare(reader->head.write.at.key, *greatest) > 0)) {
            *greatest = reader->head.write.at.key;
            found = true;
        }
    }
    return found;
}

bool dynkv_buffer_cursor_previous(DynkvBufferCursor *cursor, DynkvBuffered *write)
{
    for (;;) {
        struct dynkv_slice bound = cursor_key(cursor), greatest;
        /* No key is empty: that is the end. */
        const struct dynkv_slice *before = bound.len > 0 ? &bound : NULL;

        cursor_place_runs_before(cursor, before);
        if (!cursor_greatest(cursor, before, &greatest))
            return false;
        cursor_set_key(cursor, greatest, true);
        if (dynkv_write_buffer_find(cursor->buffer, cursor_key(cursor), cursor->before, write))
            return true;
    }
}
