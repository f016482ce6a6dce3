/* out_of_memory.c: the default end; alone in its file so that a program can link its own instead. */
#include "base/memory.h"

#include <stdlib.h>

void dynkv_out_of_memory(size_t size)
{
    (void)size;
    abort();
}
