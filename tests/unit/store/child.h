/*
 * child.h: processes that open an engine of their own, for the store's tests.
 *
 * RocksDB's threads don't survive a fork, so a child opens the store anew; it tells of a failure by its
 * exit code, since cmocka is the parent's.
 */
#ifndef DYNKV_TESTS_STORE_CHILD_H
#define DYNKV_TESTS_STORE_CHILD_H

#include <sys/types.h>

#include "fixture.h"

#define CHILD_SKIPS 77 /* its exit code where the test cannot be done here */

/* In a child. */
struct dynkv_engine *child_open(const struct fixture *f, char *text, size_t size);
void child_require(bool holds, const char *what);
#define REQUIRE(condition) child_require((condition), #condition)

/* In the parent: the exit code of a child that ends by itself. */
int child_wait(pid_t child);
/* A child that has written one record, synced, and holds the store open until it is killed. */
pid_t start_holder(const struct fixture *f);
void kill_holder(pid_t child);

#endif
