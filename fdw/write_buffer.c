/*
 * write_buffer.c: the tree in memory: adding to it, taking back, looking up.  How it stands to what is on disk is
 * told in write_buffer_impl.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "fdw/write_buffer_impl.h"

/* Memory is taken in chunks that double from the one to the other. */
#define BUFFER_CHUNK_MIN ((Size)1024)
#define BUFFER_CHUNK_MAX ((Size)65536)

/* ---- order: keys rising, of one key the youngest first ---- */

typedef struct BufferPlace {
    struct dynkv_slice key;
    uint64 number;
} BufferPlace;

static int buffer_compare(const void *key, const struct dynkv_avl_node *node)
{
    const BufferPlace *place = key;
    const BufferEntry *entry = buffer_entry(node);
    int order = dynkv_slice_compare(place->key, entry->data.write.at.key);

    if (order != 0)
        return order;
    return place->number > entry->data.number ? -1 : place->number < entry->data.number ? 1 : 0;
}

BufferEntry *dynkv_buffer_seek(const DynkvWriteBuffer *buffer, struct dynkv_slice key)
{
    BufferPlace place = {.key = key, .number = PG_UINT64_MAX};

    return buffer_entry(dynkv_avl_seek(&buffer->tree, &place, buffer_compare));
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

/* ---- taking back ---- */

void dynkv_write_buffer_rollback(DynkvWriteBuffer *buffer, uint64 first)
{
    while (buffer->newest && buffer->newest->data.number >= first) {
        if (!buffer->newest->is_replaced)
            dynkv_avl_remove(&buffer->tree, &buffer->newest->node);
        buffer->newest = buffer->newest->older;
    }
    buffer->tree_generation++;
    dynkv_buffer_add_hole(buffer, first);
}

/* ---- looking up ---- */

bool dynkv_write_buffer_find(DynkvWriteBuffer *buffer, struct dynkv_slice key, CommandId before,
                             DynkvBuffered *write)
{
    BufferEntry *entry = dynkv_buffer_seek(buffer, key);

    for (; entry_has_key(entry, key); entry = buffer_entry(dynkv_avl_next(&entry->node))) {
        if (buffer_sees(&entry->data, before)) {
            if (write)
                *write = entry->data;
            return true;
        }
    }
    return buffer->run_count > 0 && dynkv_buffer_find_in_runs(buffer, key, before, write);
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

static void buffer_drop_entries(DynkvWriteBuffer *buffer)
{
    buffer->tree = (struct dynkv_avl){NULL, 0};
    buffer->newest = NULL;
    buffer->chunk = NULL;
    buffer->chunk_used = buffer->chunk_size = buffer->bytes = 0;
    buffer->tree_generation++;
    MemoryContextReset(buffer->entries);
}

static void buffer_spill(DynkvWriteBuffer *buffer)
{
    dynkv_buffer_write_run(buffer);
    buffer_drop_entries(buffer);
    dynkv_buffer_merge_runs(buffer);
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
             !dynkv_buffer_find_in_runs(buffer, write.write.at.key, DYNKV_ALL_COMMANDS, &before))
        return;
    buffer_follow(&write, &before);
    buffer_discard(buffer, entry);
    if (in_memory && before.command == write.command && before.number >= first)
        buffer_discard(buffer, in_memory);
    buffer_insert(buffer, &write);
}
