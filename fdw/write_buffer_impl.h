/*
 * write_buffer_impl.h: the parts of a write buffer, for write_buffer.c (the tree), buffer_disk.c (the runs below it)
 * and buffer_cursor.c (both in order).
 *
 * All writes in memory are younger than all on disk, and each run's are younger than those of the runs
 * before it: a spill takes the whole tree, and a merge takes neighbours.  So the first version found from
 * the top down is the last one.
 *
 * A write that was taken back is removed from the tree at once; numbers of such writes on disk are holes,
 * and the next merge leaves them out.
 */
#ifndef DYNKV_FDW_WRITE_BUFFER_IMPL_H
#define DYNKV_FDW_WRITE_BUFFER_IMPL_H

#include "postgres.h"

#include "base/avl.h"
#include "fdw/write_buffer.h"

/* Runs of one level that become one of the next level. */
#define BUFFER_FAN_IN   8
/* At most BUFFER_FAN_IN - 1 runs on each level: 8^9 times work_mem. */
#define BUFFER_RUNS_MAX (9 * BUFFER_FAN_IN)

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

static inline BufferEntry *buffer_entry(const struct dynkv_avl_node *node)
{
    return node ? (BufferEntry *)((char *)unconstify(struct dynkv_avl_node *, node) -
                                  offsetof(BufferEntry, node))
                : NULL;
}

static inline bool entry_has_key(const BufferEntry *entry, struct dynkv_slice key)
{
    return entry && dynkv_slice_equal(entry->data.write.at.key, key);
}

static inline bool buffer_sees(const DynkvBuffered *write, CommandId before)
{
    return write->command < before;
}

/* The first entry whose key is not before this one: its youngest version. */
extern BufferEntry *dynkv_buffer_seek(const DynkvWriteBuffer *buffer, struct dynkv_slice key);

/* ---- buffer_disk.c ---- */

/* A run of all that is in the tree, which is the caller's to empty. */
extern void dynkv_buffer_write_run(DynkvWriteBuffer *buffer);
/* Merges as long as there are enough neighbours of one level at the end. */
extern void dynkv_buffer_merge_runs(DynkvWriteBuffer *buffer);
/* Writes from that number on that are on disk were taken back.  Allocates nothing. */
extern void dynkv_buffer_add_hole(DynkvWriteBuffer *buffer, uint64 first);
extern bool dynkv_buffer_is_taken_back(const DynkvWriteBuffer *buffer, uint64 number);
/* As dynkv_write_buffer_find, of what is on disk. */
extern bool dynkv_buffer_find_in_runs(DynkvWriteBuffer *buffer, struct dynkv_slice key,
                                      CommandId before, DynkvBuffered *write);

#endif
