/*
 * writer.c: to the transaction's buffer, or to the cluster, with a buffer of its own for what must wait.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "fdw/absent.h"
#include "fdw/pipeline.h"
#include "fdw/report.h"
#include "fdw/txn.h"
#include "fdw/writer.h"

struct DynkvWriter {
    DynkvConnection *connection;
    const DynkvTableOptions *options;
    const char *table;
    CommandId command;
    MemoryContext context;
    uint64 buffered;

    DynkvTxnBuffer *kept; /* write_mode 'transaction', after the first write */

    /* write_mode 'immediate' */
    DynkvPipeline *pipeline;
    bool is_holding;
    DynkvWriteBuffer *held; /* NULL: nothing */
};

DynkvWriter *dynkv_writer_create(DynkvConnection *connection, const DynkvTableOptions *options,
                                 const char *table, CommandId command)
{
    DynkvWriter *writer = palloc0(sizeof *writer);

    writer->connection = connection;
    writer->options = options;
    writer->table = pstrdup(table);
    writer->command = command;
    writer->context = CurrentMemoryContext;
    if (options->is_immediate)
        writer->pipeline = dynkv_pipeline_create(connection, options, writer->table);
    return writer;
}

void dynkv_writer_hold(DynkvWriter *writer)
{
    writer->is_holding = true;
}

uint64 dynkv_writer_buffered(const DynkvWriter *writer)
{
    return writer->buffered;
}

uint64 dynkv_writer_flushed(const DynkvWriter *writer)
{
    return writer->pipeline ? dynkv_pipeline_counts(writer->pipeline).acknowledged : 0;
}

/* ---- sending ---- */

static void writer_fail(const DynkvWriter *writer)
{
    DynkvPipelineCounts counts;
    const char *text;
    enum dynkv_error error = dynkv_pipeline_error(writer->pipeline, &text);

    counts = dynkv_pipeline_counts(writer->pipeline);
    dynkv_report(ERROR, error,
                 psprintf("%s.  Acknowledgements of a failed write: %d or more.  Of " UINT64_FORMAT
                          " writes this statement has sent, " UINT64_FORMAT
                          " were acknowledged; the others may have taken effect or not.",
                          text, dynkv_pipeline_fewest_acks(writer->pipeline), counts.sent,
                          counts.acknowledged),
                 DYNKV_WRITING, writer->table);
}

static void writer_send(DynkvWriter *writer, const DynkvBuffered *write)
{
    if (!dynkv_pipeline_add(writer->pipeline, &write->write, write->is_new, write->w,
                            write->strict)) {
        dynkv_pipeline_finish(writer->pipeline);
        writer_fail(writer);
    }
}

static void writer_send_held(DynkvWriter *writer)
{
    DynkvBufferCursor *cursor = dynkv_buffer_cursor_create(writer->held, DYNKV_ALL_COMMANDS);
    DynkvBuffered write;

    while (dynkv_buffer_cursor_next(cursor, &write)) {
        writer_send(writer, &write);
        CHECK_FOR_INTERRUPTS();
    }
    dynkv_buffer_cursor_close(cursor);
    dynkv_write_buffer_close(writer->held);
    writer->held = NULL;
}

/* New rows that met others' have given way. */
static void writer_give_way(const DynkvWriter *writer)
{
    struct dynkv_slice key;
    int lost = dynkv_absent_give_way(writer->pipeline, &key);
    const char *text;

    if (lost == 0)
        return;
    text = dynkv_absent_describe(writer->options->relid, key);
    ereport(ERROR,
            (errcode(ERRCODE_UNIQUE_VIOLATION),
             errmsg("duplicate key in foreign table \"%s\"", writer->table),
             errdetail("Key %s was inserted by another session at the same moment, whose "
                       "row stays.  " UINT64_FORMAT " other rows of this statement were written.",
                       text, dynkv_writer_flushed(writer) - (uint64)lost)));
}

void dynkv_writer_finish(DynkvWriter *writer)
{
    if (!writer->pipeline)
        return;
    if (writer->held)
        writer_send_held(writer);
    if (!dynkv_pipeline_finish(writer->pipeline))
        writer_fail(writer);
    writer_give_way(writer);
}

/* ---- adding ---- */

static void writer_keep(DynkvWriter *writer, const DynkvBuffered *write)
{
    if (!writer->kept)
        writer->kept = dynkv_txn_get(writer->connection, writer->options, writer->table);
    if (write->is_new)
        dynkv_txn_expect_new(writer->kept, writer->options, writer->table);
    dynkv_txn_add(writer->kept, write);
    writer->buffered++;
}

static void writer_hold(DynkvWriter *writer, const DynkvBuffered *write)
{
    if (!writer->held) {
        MemoryContext old = MemoryContextSwitchTo(writer->context);

        writer->held = dynkv_write_buffer_create(CurrentResourceOwner);
        MemoryContextSwitchTo(old);
    }
    dynkv_write_buffer_add(writer->held, write, 0);
}

static DynkvBuffered writer_new_put(const DynkvWriter *writer, const DynkvNewRow *row,
                                    struct dynkv_slice context)
{
    return (DynkvBuffered){
        .write = {.at = {.key = row->key, .partition_len = row->partition_len},
                  .has_context = context.len > 0,
                  .context = context,
                  .expires_at_ms = row->expires_at_ms,
                  .value = row->value},
        .command = writer->command,
        .w = (uint8)writer->options->w,
        .strict = writer->options->strict,
    };
}

/* What waits for the commit, by another table, would overwrite what is sent now, though it is older. */
static void writer_check_order(const DynkvWriter *writer, struct dynkv_slice key)
{
    DynkvTxnBuffer *kept = dynkv_txn_find(writer->connection, writer->options->keyspace);

    if (kept && dynkv_write_buffer_find(kept->buffer, key, DYNKV_ALL_COMMANDS, NULL))
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("cannot write a row of foreign table \"%s\" immediately that the "
                        "transaction has written before",
                        writer->table),
                 errdetail("A write of the same row to foreign table \"%s\" waits for the commit, "
                           "and would overwrite this one.",
                           kept->table),
                 errhint("Write the row through one of the tables only, or COMMIT in between.")));
}

static void writer_add(DynkvWriter *writer, const DynkvBuffered *write)
{
    if (!writer->pipeline) {
        writer_keep(writer, write);
        return;
    }
    writer_check_order(writer, write->write.at.key);
    if (writer->is_holding)
        writer_hold(writer, write);
    else
        writer_send(writer, write);
}

void dynkv_writer_put(DynkvWriter *writer, const DynkvNewRow *row, struct dynkv_slice context)
{
    DynkvBuffered put = writer_new_put(writer, row, context);

    writer_add(writer, &put);
}

void dynkv_writer_put_new(DynkvWriter *writer, const DynkvNewRow *row)
{
    DynkvBuffered put = writer_new_put(writer, row, dynkv_slice(NULL, 0));

    put.is_new = true;
    writer_add(writer, &put);
}

void dynkv_writer_delete(DynkvWriter *writer, struct dynkv_slice key, uint32 partition_len,
                         struct dynkv_slice context)
{
    DynkvNewRow nothing = {.key = key, .partition_len = partition_len};
    DynkvBuffered delete = writer_new_put(writer, &nothing, context);

    delete.write.is_delete = true;
    writer_add(writer, &delete);
}

void dynkv_writer_move(DynkvWriter *writer, struct dynkv_slice old_key, uint32 old_partition_len,
                       struct dynkv_slice context, const DynkvNewRow *row, bool is_new)
{
    bool was_holding = writer->is_holding;

    writer->is_holding = true;
    dynkv_writer_delete(writer, old_key, old_partition_len, context);
    if (is_new)
        dynkv_writer_put_new(writer, row);
    else
        dynkv_writer_put(writer, row, dynkv_slice(NULL, 0));
    writer->is_holding = was_holding;
}

DynkvWriterState dynkv_writer_find(DynkvWriter *writer, struct dynkv_slice key)
{
    DynkvTxnBuffer *kept = dynkv_txn_find(writer->connection, writer->options->keyspace);
    DynkvBuffered write;

    if ((writer->held && dynkv_write_buffer_find(writer->held, key, DYNKV_ALL_COMMANDS, &write)) ||
        (kept && dynkv_write_buffer_find(kept->buffer, key, DYNKV_ALL_COMMANDS, &write)))
        return write.write.is_delete ? DYNKV_WRITER_DELETED : DYNKV_WRITER_PUT;
    return DYNKV_WRITER_NOTHING;
}
