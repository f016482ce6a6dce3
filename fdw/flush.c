/*
 * flush.c: the last write of every key, buffer by buffer, and what is said when that fails.
 *
 * Buffers of more than a batch are flushed one after the other.  Small ones, of which a transaction that
 * touches several tables has a few, go out at once and are waited for together.
 *
 * Whatever fails after something was sent, a cancel too, leaves the cluster with a part of the writes, so
 * it becomes 08007: the transaction aborts here, and is not undone there.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "fdw/absent.h"
#include "fdw/flush.h"
#include "fdw/pipeline.h"
#include "fdw/report.h"
#include "fdw/txn.h"

/* One buffer on its way. */
typedef struct FlushPart {
    DynkvTxnBuffer *kept;
    DynkvPipeline *pipeline; /* NULL: not begun */
    DynkvBufferCursor *cursor;
} FlushPart;

typedef struct Flush {
    FlushPart *parts;
    int count;
    bool is_explained; /* the error tells how far it got */
} Flush;

/* ---- errors ---- */

/* A row that never was in the cluster and is gone again needs no tombstone. */
static bool flush_is_nothing(const DynkvBuffered *write)
{
    return write->write.is_delete && write->is_new;
}

static DynkvPipelineCounts flush_counts(const Flush *flush)
{
    DynkvPipelineCounts sum = {0, 0, 0, 0};

    for (int i = 0; i < flush->count; i++) {
        if (flush->parts[i].pipeline) {
            DynkvPipelineCounts counts = dynkv_pipeline_counts(flush->parts[i].pipeline);

            sum.sent += counts.sent;
            sum.acknowledged += counts.acknowledged;
            sum.unknown += counts.unknown;
            sum.unsent += counts.unsent;
        }
    }
    return sum;
}

/* Reads what is left, to tell how much it was. */
static uint64 flush_count_left(Flush *flush)
{
    uint64 left = 0;

    for (int i = 0; i < flush->count; i++) {
        FlushPart *part = &flush->parts[i];
        DynkvBuffered write;

        if (!part->cursor)
            part->cursor = dynkv_buffer_cursor_create(part->kept->buffer, DYNKV_ALL_COMMANDS);
        while (dynkv_buffer_cursor_next(part->cursor, &write))
            left += !flush_is_nothing(&write);
    }
    return left;
}

static const char *const flush_hint =
    "The transaction is rolled back here, but the cluster keeps what it has taken.  Read the rows "
    "and "
    "write again those that are missing; writing the same rows once more does no harm.";

static void flush_fail(Flush *flush, FlushPart *failed)
{
    const char *text;
    enum dynkv_error error = dynkv_pipeline_error(failed->pipeline, &text);
    DynkvPipelineCounts counts = flush_counts(flush);
    uint64 total = counts.sent + counts.unsent + flush_count_left(flush);

    flush->is_explained = true;
    if (counts.acknowledged == 0 && counts.unknown == 0)
        dynkv_report(ERROR, error,
                     psprintf("%s.  None of the " UINT64_FORMAT
                              " rows of this transaction was written.",
                              text, total),
                     DYNKV_WRITING, failed->kept->table);
    ereport(ERROR, (errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
                    errmsg("could not write all rows of the transaction to foreign table "
                           "\"%s\": %s",
                           failed->kept->table, dynkv_error_text(error)),
                    errdetail_internal("%s.  Of " UINT64_FORMAT " rows " UINT64_FORMAT
                                       " were acknowledged, " UINT64_FORMAT
                                       " may have been written or not, " UINT64_FORMAT " were not.",
                                       text, total, counts.acknowledged, counts.unknown,
                                       total - counts.acknowledged - counts.unknown),
                    errhint("%s", flush_hint)));
}

/*
 * Rows gave way to those of other sessions (absent.h).  If they were all there was, nothing is left of the
 * transaction.
 */
static void flush_fail_duplicate(Flush *flush, const DynkvTxnBuffer *kept, struct dynkv_slice key,
                                 int lost)
{
    uint64 stayed = flush_counts(flush).acknowledged - (uint64)lost;
    char *text = dynkv_absent_describe(kept->unique_relid, key);

    flush->is_explained = true;
    if (stayed == 0)
        ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                        errmsg("duplicate key in foreign table \"%s\"", kept->unique_table),
                        errdetail("Key %s was inserted by another session at the same moment, "
                                  "whose row stays.",
                                  text),
                        errhint("Nothing is left of this transaction.  Try it again.")));
    ereport(ERROR,
            (errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
             errmsg("could not write all rows of the transaction to foreign table "
                    "\"%s\": duplicate key",
                    kept->unique_table),
             errdetail("Key %s was inserted by another session at the same moment, whose "
                       "row stays.  " UINT64_FORMAT " other rows of this transaction were written.",
                       text, stayed),
             errhint("%s", flush_hint)));
}

/* An error of another kind: a cancel, or a temporary file that cannot be read.  In PG_CATCH. */
static void flush_rethrow(const Flush *flush, MemoryContext context)
{
    DynkvPipelineCounts counts = flush_counts(flush);
    ErrorData *error;

    if (counts.sent == 0 || flush->is_explained)
        PG_RE_THROW();
    MemoryContextSwitchTo(context);
    error = CopyErrorData();
    FlushErrorState();
    error->sqlerrcode = ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN;
    error->detail = psprintf("Of " UINT64_FORMAT " rows that were sent when the transaction "
                             "committed, " UINT64_FORMAT
                             " were acknowledged; the others may have been written or not.",
                             counts.sent, counts.acknowledged);
    error->hint = pstrdup(flush_hint);
    ReThrowError(error);
}

/* ---- sending ---- */

/* false: it failed. */
static bool flush_send(FlushPart *part)
{
    DynkvTxnBuffer *kept = part->kept;
    DynkvBuffered write;

    part->pipeline = dynkv_pipeline_create(kept->connection, &kept->options, kept->table);
    dynkv_pipeline_expect_unique(part->pipeline);
    part->cursor = dynkv_buffer_cursor_create(kept->buffer, DYNKV_ALL_COMMANDS);
    while (dynkv_buffer_cursor_next(part->cursor, &write)) {
        if (flush_is_nothing(&write))
            continue;
        if (!dynkv_pipeline_add(part->pipeline, &write.write, write.is_new, write.w, write.strict))
            return false;
        CHECK_FOR_INTERRUPTS();
    }
    return dynkv_pipeline_push(part->pipeline);
}

static void flush_finish(Flush *flush, FlushPart *failed)
{
    for (int i = 0; i < flush->count; i++) {
        FlushPart *part = &flush->parts[i];

        if (part->pipeline && !dynkv_pipeline_finish(part->pipeline) && !failed)
            failed = part;
    }
    if (failed)
        flush_fail(flush, failed);
}

static bool flush_is_large(const FlushPart *part)
{
    return !dynkv_write_buffer_is_small(part->kept->buffer, (uint64)part->kept->options.batch_size);
}

/* A cluster that cannot be reached at all is better found out before another one has got its rows. */
static void flush_open(const Flush *flush)
{
    for (int i = 0; i < flush->count; i++) {
        DynkvTxnBuffer *kept = flush->parts[i].kept;
        uint64 keyspace;

        if (!dynkv_write_buffer_is_empty(kept->buffer))
            dynkv_connection_keyspace(kept->connection, &kept->options, kept->table, true,
                                      &keyspace);
    }
}

/* Keys that must be new are looked for while nothing of any buffer is sent. */
static void flush_check(const Flush *flush)
{
    for (int i = 0; i < flush->count; i++)
        dynkv_absent_check(flush->parts[i].kept);
}

/* Rows that met others' in the middle of all this. */
static void flush_give_way(Flush *flush)
{
    for (int i = 0; i < flush->count; i++) {
        FlushPart *part = &flush->parts[i];
        struct dynkv_slice key;
        int lost = dynkv_absent_give_way(part->pipeline, &key);

        if (lost > 0)
            flush_fail_duplicate(flush, part->kept, key, lost);
    }
}

static void flush_all(Flush *flush)
{
    flush_open(flush);
    flush_check(flush);
    for (int i = 0; i < flush->count; i++) {
        FlushPart *part = &flush->parts[i];

        if (flush_is_large(part) && (!flush_send(part) || !dynkv_pipeline_finish(part->pipeline)))
            flush_finish(flush, part);
    }
    for (int i = 0; i < flush->count; i++) {
        FlushPart *part = &flush->parts[i];

        if (!part->pipeline && !flush_send(part))
            flush_finish(flush, part);
    }
    flush_finish(flush, NULL);
    flush_give_way(flush);
}

/* ---- interface ---- */

/* The oldest first.  On the heap, so that what is noted before an error is there after it. */
static Flush *flush_create(slist_head *buffers)
{
    Flush *flush = palloc0(sizeof *flush);
    slist_iter at;
    int left = 0;

    slist_foreach(at, buffers)
    {
        left++;
    }
    flush->count = left;
    flush->parts = palloc0(sizeof *flush->parts * (Size)Max(left, 1));
    slist_foreach(at, buffers)
    {
        flush->parts[--left].kept = slist_container(DynkvTxnBuffer, node, at.cur);
    }
    return flush;
}

/* The server stops its own clock before it commits. */
static bool flush_start_timeout(void)
{
    if (StatementTimeout <= 0 || get_timeout_active(STATEMENT_TIMEOUT))
        return false;
    enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
    return true;
}

void dynkv_flush(slist_head *buffers)
{
    MemoryContext context, old;
    bool has_timeout;
    Flush *flush;

    if (slist_is_empty(buffers))
        return;
    context = AllocSetContextCreate(TopTransactionContext, "dynkv flush", ALLOCSET_DEFAULT_SIZES);
    old = MemoryContextSwitchTo(context);
    flush = flush_create(buffers);
    has_timeout = flush_start_timeout();
    PG_TRY();
    {
        flush_all(flush);
    }
    PG_CATCH();
    {
        if (has_timeout)
            disable_timeout(STATEMENT_TIMEOUT, false);
        flush_rethrow(flush, context);
    }
    PG_END_TRY();
    if (has_timeout)
        disable_timeout(STATEMENT_TIMEOUT, false);
    for (int i = 0; i < flush->count; i++)
        dynkv_write_buffer_close(flush->parts[i].kept->buffer);
    slist_init(buffers);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
}
