/*
 * moved.h: the keys that the rows of one UPDATE leave, and those that they take.
 *
 * A key that was taken before the statement is no clash if the row that had it leaves it, before or after.
 * It costs about 40 bytes for each row that gets another key, and the bytes of those keys that were taken.
 */
#ifndef DYNKV_FDW_MOVED_H
#define DYNKV_FDW_MOVED_H

#include "postgres.h"

#include "base/bytes.h"

typedef struct DynkvMoved DynkvMoved;

extern DynkvMoved *dynkv_moved_create(MemoryContext context);
extern void dynkv_moved_leave(DynkvMoved *moved, struct dynkv_slice key);
/* False: another row of the statement has taken it already. */
extern bool dynkv_moved_arrive(DynkvMoved *moved, struct dynkv_slice key);
/* A row had this key when the statement began; the bytes are copied. */
extern void dynkv_moved_is_taken(DynkvMoved *moved, struct dynkv_slice key);
/* Of all that were taken one that nobody has left; to be asked when all rows have moved. */
extern bool dynkv_moved_find_clash(DynkvMoved *moved, struct dynkv_slice *key);

#endif
