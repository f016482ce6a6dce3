/*
 * oom.c: what libdynkv does in a backend when malloc fails.
 *
 * The library cannot unwind from the middle of its work, so the session ends, and the server and all
 * other sessions go on.  A program's own definition is taken before the library's, which would abort
 * and take the whole server through crash recovery.
 */
#include "postgres.h"

#include "base/memory.h"

void dynkv_out_of_memory(size_t size)
{
    ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
                    errdetail("The dynkv client library failed on a request of %zu bytes.", size)));
    pg_unreachable();
}
