/*
 * buffer_run.h: writes on disk, sorted: what a write buffer (write_buffer.h) puts there when memory is full.
 *
 * A run is written once, in order (keys rising; of one key, numbers falling), and then read.  In memory it
 * keeps the first key of every stretch of RUN_STRETCH bytes and a Bloom filter of 10 bits a key (Bloom,
 * 1970), about 2 bytes a write in all, so that a look-up reads one stretch or, mostly, nothing.
 *
 * Memory is a context of the run's own below the one that was current; the temporary file belongs to the
 * resource owner given, which closes it after an abort.
 */
#ifndef DYNKV_FDW_BUFFER_RUN_H
#define DYNKV_FDW_BUFFER_RUN_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/resowner.h"

#include "client/dynkv.h"

/* One write, as a buffer holds it. */
typedef struct DynkvBuffered {
    struct dynkv_write write;
    uint64 number; /* of this write among the buffer's, from 1 */
    CommandId command;
    uint8 w; /* as struct dynkv_call has it */
    bool strict;
    bool is_new; /* the cluster was seen not to have the key, and must not when it is sent */
} DynkvBuffered;

typedef struct DynkvRun DynkvRun;

/* expected: how many writes will come; more or fewer may. */
extern DynkvRun *dynkv_run_create(ResourceOwner owner, uint64 expected);
extern void dynkv_run_append(DynkvRun *run, const DynkvBuffered *write);
extern void dynkv_run_close(DynkvRun *run);
extern uint64 dynkv_run_count(const DynkvRun *run);
/* The greatest number of its writes, 0 if it has none. */
extern uint64 dynkv_run_last_number(const DynkvRun *run);
/* false: it certainly has no write of that key. */
extern bool dynkv_run_may_have(const DynkvRun *run, struct dynkv_slice key);

/* A place in a run.  Zero-initialised, then seek. */
typedef struct DynkvRunReader {
    DynkvRun *run;
    bool is_end;        /* else all below is of the write it stands at */
    DynkvBuffered head; /* with its key, but with value and context of the right length only */
    StringInfoData key;
    uint64 rest; /* where context and value stand in the file */
} DynkvRunReader;

/* At the first write whose key is not before this one. */
extern void dynkv_run_seek(DynkvRunReader *reader, struct dynkv_slice key);
extern void dynkv_run_next(DynkvRunReader *reader);
/* At some write of the greatest key before this one; key NULL: of the greatest.  is_end: there is none. */
extern void dynkv_run_seek_before(DynkvRunReader *reader, const struct dynkv_slice *key);
/* The whole write, in the current memory context. */
extern void dynkv_run_load(const DynkvRunReader *reader, DynkvBuffered *write);
extern void dynkv_run_reader_fini(DynkvRunReader *reader);

#endif
