/*
 * writer.h: the writes of one statement to one table.
 *
 * write_mode 'transaction': the transaction keeps them until it commits (txn.h).
 *
 * write_mode 'immediate': they are sent while the statement runs, and are done when it ends.  Those that the
 * statement itself would read again (dynkv_writer_hold, dynkv_writer_move) wait for its end.
 */
#ifndef DYNKV_FDW_WRITER_H
#define DYNKV_FDW_WRITER_H

#include "postgres.h"

#include "fdw/connection.h"
#include "fdw/option.h"

typedef struct DynkvWriter DynkvWriter;

/* In the current memory context.  options must outlive it.  command: that of the statement. */
extern DynkvWriter *dynkv_writer_create(DynkvConnection *connection,
                                        const DynkvTableOptions *options, const char *table,
                                        CommandId command);
/*
 * write_mode 'immediate': from now on writes wait for the end of the statement: it also reads the table
 * (INSERT ... SELECT from the same table would not end), or checks rows before it writes any.
 */
extern void dynkv_writer_hold(DynkvWriter *writer);
/* A row that is to be. */
typedef struct DynkvNewRow {
    struct dynkv_slice key;
    uint32 partition_len;
    struct dynkv_slice value;
    uint64 expires_at_ms; /* as in struct dynkv_write */
} DynkvNewRow;

/* Adds a write; bytes are copied.  context: encoded version vector read, or empty for none. */
extern void dynkv_writer_put(DynkvWriter *writer, const DynkvNewRow *row,
                             struct dynkv_slice context);
/*
 * A put of a key that the cluster does not have: a delete in the same transaction just forgets it, and it
 * must not have it still when the row is sent (absent.h).
 */
extern void dynkv_writer_put_new(DynkvWriter *writer, const DynkvNewRow *row);
extern void dynkv_writer_delete(DynkvWriter *writer, struct dynkv_slice key, uint32 partition_len,
                                struct dynkv_slice context);
/*
 * A row whose key changes: the old one is deleted, the new one put.  The statement does not read the new
 * one, and keys can be shifted or swapped.  is_new: the new key is to be as with put_new, unless the same
 * transaction deletes the row that has it.
 */
extern void dynkv_writer_move(DynkvWriter *writer, struct dynkv_slice old_key,
                              uint32 old_partition_len, struct dynkv_slice context,
                              const DynkvNewRow *row, bool is_new);

/* What was said last of a key by the transaction, or held by the statement, and not sent yet. */
typedef enum DynkvWriterState {
    DYNKV_WRITER_NOTHING,
    DYNKV_WRITER_PUT,
    DYNKV_WRITER_DELETED,
} DynkvWriterState;
extern DynkvWriterState dynkv_writer_find(DynkvWriter *writer, struct dynkv_slice key);

/* The statement ends.  'immediate': sends what is left and waits for all; errors are raised here. */
extern void dynkv_writer_finish(DynkvWriter *writer);
/* Its writes that were kept for the commit; that were sent and acknowledged. */
extern uint64 dynkv_writer_buffered(const DynkvWriter *writer);
extern uint64 dynkv_writer_flushed(const DynkvWriter *writer);

#endif
