/*
 * write_buffer.h: the writes of one transaction to one keyspace, by key, until they are sent or discarded.
 *
 * It is a small log-structured merge tree (O'Neil and others, 1996): a balanced tree in memory, and past
 * work_mem sorted runs on disk (buffer_run.h), which are merged so that there are never many.  Memory is
 * bounded by work_mem and about 2 bytes for each write on disk.
 *
 * Every write has a number, rising, and the command that made it.
 *   - A snapshot sees of each key the last write of the commands before its own, as with local tables.
 *   - A (sub)transaction that aborts takes back all writes from a number on: only it has written since.
 *   - What is sent at the end is the last write of each key.
 * So earlier writes of a key are kept, unless the same command in the same subtransaction replaces its own.
 *
 * Three rules make a key's last write the right one:
 *   - It carries the version that was read from the cluster when the key was first written, if any was.
 *   - Within one command a put wins over a delete, in whatever order they come: the delete is of the row
 *     the command saw, the put is the row it leaves (UPDATE t SET key = key + 1).
 *   - It is new if the first one was: if no version was read.
 */
#ifndef DYNKV_FDW_WRITE_BUFFER_H
#define DYNKV_FDW_WRITE_BUFFER_H

#include "postgres.h"

#include "fdw/buffer_run.h"

typedef struct DynkvWriteBuffer DynkvWriteBuffer;
typedef struct DynkvBufferCursor DynkvBufferCursor;

/* Sees writes of all commands. */
#define DYNKV_ALL_COMMANDS InvalidCommandId

/* In a context of its own below the current one; temporary files belong to the owner. */
extern DynkvWriteBuffer *dynkv_write_buffer_create(ResourceOwner owner);
/* Frees it with its files.  Not needed after an abort. */
extern void dynkv_write_buffer_close(DynkvWriteBuffer *buffer);

/* Copies the write; its number is given here.  first: the number that the subtransaction began at. */
extern void dynkv_write_buffer_add(DynkvWriteBuffer *buffer, const DynkvBuffered *write,
                                   uint64 first);
/* The number of the next write. */
extern uint64 dynkv_write_buffer_next(const DynkvWriteBuffer *buffer);
/* Takes back all writes from that number on.  Allocates nothing and reads nothing: safe during abort. */
extern void dynkv_write_buffer_rollback(DynkvWriteBuffer *buffer, uint64 first);

/*
 * The write of a key that commands from `before` on see; valid until the next call with this buffer.
 * false: there is none.  write NULL: only whether there is one.
 */
extern bool dynkv_write_buffer_find(DynkvWriteBuffer *buffer, struct dynkv_slice key,
                                    CommandId before, DynkvBuffered *write);
/* Whether nothing is to be sent; how many writes are held in memory, if none is on disk. */
extern bool dynkv_write_buffer_is_empty(DynkvWriteBuffer *buffer);
extern bool dynkv_write_buffer_is_small(const DynkvWriteBuffer *buffer, uint64 writes);

/*
 * Cursors give one write a key, by rising key: the one that commands from `before` on see.  Writes may
 * be added and taken back meanwhile.  In the current memory context, where it also ends.
 */
extern DynkvBufferCursor *dynkv_buffer_cursor_create(DynkvWriteBuffer *buffer, CommandId before);
/* The first key not before this one is next. */
extern void dynkv_buffer_cursor_seek(DynkvBufferCursor *cursor, struct dynkv_slice key);
/* Valid until the next call with this cursor, or the next write; false: no more. */
extern bool dynkv_buffer_cursor_next(DynkvBufferCursor *cursor, DynkvBuffered *write);
/*
 * The other way round, by falling key: the last key before this one (of length 0: before the end) is next.
 * A cursor goes one way or the other.
 */
extern void dynkv_buffer_cursor_seek_before(DynkvBufferCursor *cursor, struct dynkv_slice key);
extern bool dynkv_buffer_cursor_previous(DynkvBufferCursor *cursor, DynkvBuffered *write);
extern void dynkv_buffer_cursor_close(DynkvBufferCursor *cursor);

#endif
