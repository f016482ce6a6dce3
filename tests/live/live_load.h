/*
 * live_load.h: clients that write, and read back, in threads of their own while the members change.
 *
 *   writers    put numbered keys at W=2 of N=3, strict, and remember which were acknowledged
 *   register   one key with rising numbers: a read at R=2 through another node than the write's must give
 *              what was acknowledged before it began, or something later
 *
 * Writes may fail while nodes are killed; only what was acknowledged counts.
 */
#ifndef DYNKV_TESTS_LIVE_LOAD_H
#define DYNKV_TESTS_LIVE_LOAD_H

#include "tests/live/live.h"

#define LOAD_KEYSPACE "change"
#define LOAD_OLD_KEYS 3000u /* that are there before the load begins */

struct load;

/* Makes the keyspace, and the keys that are there before. */
void load_prepare(struct live_node *node);
/* Begins; a and b are nodes that are not killed while it lasts. */
struct load *load_start(struct live_node *a, struct live_node *b);
/* Waits until so many more writes were acknowledged. */
void load_await_writes(struct load *load, uint32_t more);
/* Ends it; fails the test if a read was stale. */
void load_stop(struct load *load);

/*
 * Waits until every acknowledged key, and every one that was there before, is held by exactly three of the
 * nodes, equal on all, with its value; and no node holds anything that is not its own.
 */
void load_await_settled(struct load *load, struct live_node *const *nodes, uint32_t count);
void load_free(struct load *load);

#endif
