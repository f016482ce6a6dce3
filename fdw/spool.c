/*
 * spool.c: the first work_mem of bytes in memory, the rest in one temporary file.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "fdw/spool.h"

/* A StringInfo, which holds the part in memory, ends at MaxAllocSize. */
#define SPOOL_MEMORY_MAX ((uint64)MaxAllocSize / 2)

struct DynkvSpool {
    StringInfoData memory; /* offsets below memory_max; all of it once the file is begun */
    uint64 memory_max;
    BufFile *file; /* offsets from memory.len on; NULL as long as all fits in memory */
    uint64 size;
    MemoryContext context;
    ResourceOwner owner; /* of the file, so that it is gone after an abort */
};

DynkvSpool *dynkv_spool_create(void)
{
    DynkvSpool *spool = palloc0(sizeof *spool);

    initStringInfo(&spool->memory);
    spool->memory_max = Min((uint64)work_mem * 1024, SPOOL_MEMORY_MAX);
    spool->context = CurrentMemoryContext;
    spool->owner = CurrentResourceOwner;
    return spool;
}

static void spool_begin_file(DynkvSpool *spool)
{
    MemoryContext old_context = MemoryContextSwitchTo(spool->context);
    ResourceOwner old_owner = CurrentResourceOwner;

    CurrentResourceOwner = spool->owner;
    spool->file = BufFileCreateTemp(false);
    CurrentResourceOwner = old_owner;
    MemoryContextSwitchTo(old_context);
}

/* File position of an offset; BufFileSeek takes care of segments when it is relative to the start. */
static void spool_seek(DynkvSpool *spool, uint64 offset)
{
    if (BufFileSeek(spool->file, 0, (off_t)(offset - (uint64)spool->memory.len), SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not seek in a temporary file of a dynkv statement: %m")));
}

uint64 dynkv_spool_append(DynkvSpool *spool, const void *data, size_t size)
{
    uint64 offset = spool->size;

    if (!spool->file && spool->size + size <= spool->memory_max) {
        appendBinaryStringInfo(&spool->memory, data, (int)size);
    } else {
        if (!spool->file)
            spool_begin_file(spool);
        spool_seek(spool, offset);
        BufFileWrite(spool->file, unconstify(void *, data), size);
    }
    spool->size += size;
    return offset;
}

void dynkv_spool_read(DynkvSpool *spool, uint64 offset, void *data, size_t size)
{
    if (offset + size > spool->size)
        elog(ERROR, "dynkv spool: %zu bytes at " UINT64_FORMAT " of " UINT64_FORMAT, size, offset,
             spool->size);
    if (offset < (uint64)spool->memory.len) {
        /* What was appended in one piece lies on one side. */
        memcpy(data, spool->memory.data + offset, size);
        return;
    }
    spool_seek(spool, offset);
    if (BufFileRead(spool->file, data, size) != size)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not read a temporary file of a dynkv statement: %m")));
}

uint64 dynkv_spool_size(const DynkvSpool *spool)
{
    return spool->size;
}

void dynkv_spool_reset(DynkvSpool *spool)
{
    if (spool->file)
        BufFileClose(spool->file);
    spool->file = NULL;
    resetStringInfo(&spool->memory);
    spool->size = 0;
}
