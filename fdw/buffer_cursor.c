/*
 * buffer_cursor.c: the writes of a buffer by rising or falling key, from memory and disk.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fdw/write_buffer_impl.h"

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
    cursor->entry = dynkv_buffer_seek(cursor->buffer, cursor_key(cursor));
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
                !dynkv_buffer_is_taken_back(cursor->buffer, reader->head.number)) {
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
    BufferEntry *entry = bound ? dynkv_buffer_seek(buffer, *bound) : NULL;

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
