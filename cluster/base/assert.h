/*
 * assert.h: assertions that stay on in release builds.
 *
 * They state what this program guarantees to itself.  They never look at bytes that came from a
 * peer or a user: those get an error code.
 */
#ifndef DYNKV_BASE_ASSERT_H
#define DYNKV_BASE_ASSERT_H

#include <stdlib.h>

/* abort() rather than a message: the pure layers may not know stderr.  dynkvd writes the stack. */
#define DYNKV_ASSERT(condition) ((condition) ? (void)0 : abort())

#endif
