/*
 * version.h: dots and version vectors.
 *
 * A dot names one write: the n-th of one actor.  A version vector {actor -> counter} says "everything
 * up to here of each actor has been seen or replaced".  An actor is a store incarnation, never a node
 * name (see DESIGN: riak_kv kv679).
 *
 * Source: Preguica, Baquero, Almeida, Fonte, Goncalves, "Dotted Version Vectors", 2010/2012.
 *
 * Encoded: varint count, then per actor, in rising order: u64 actor, varint counter (> 0).  The
 * encoding is canonical: equal vectors have equal bytes.  It is also the client's opaque context.
 */
#ifndef DYNKV_MODEL_VERSION_H
#define DYNKV_MODEL_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

struct dynkv_dot {
    uint64_t actor;
    uint64_t counter; /* from 1 */
};

/* By actor, then counter: <0, 0, >0. */
int dynkv_dot_compare(struct dynkv_dot a, struct dynkv_dot b);

/* Zero-initialised is the empty vector. */
struct dynkv_version {
    struct dynkv_dot *entries; /* rising by actor, each once; memory of an arena */
    uint32_t count;
};

enum dynkv_version_order {
    DYNKV_VERSION_EQUAL,
    DYNKV_VERSION_BEFORE, /* the second has seen all the first has, and more */
    DYNKV_VERSION_AFTER,
    DYNKV_VERSION_CONCURRENT,
};

/* The counter of an actor, 0 if absent. */
uint64_t dynkv_version_counter(const struct dynkv_version *version, uint64_t actor);
bool dynkv_version_covers(const struct dynkv_version *version, struct dynkv_dot dot);
enum dynkv_version_order dynkv_version_compare(const struct dynkv_version *a,
                                               const struct dynkv_version *b);
/* Pointwise maximum, in the arena. */
struct dynkv_version dynkv_version_merge(const struct dynkv_version *a,
                                         const struct dynkv_version *b, struct dynkv_arena *arena);
/* The vector with one dot added (pointwise maximum with it), in the arena. */
struct dynkv_version dynkv_version_add(const struct dynkv_version *version, struct dynkv_dot dot,
                                       struct dynkv_arena *arena);
void dynkv_version_encode(const struct dynkv_version *version, struct dynkv_buf *out);
/* Reads one vector from the cursor; CORRUPT-looking bytes set the cursor's failed flag. */
struct dynkv_version dynkv_version_decode(struct dynkv_cursor *cursor, struct dynkv_arena *arena);
/* The whole slice must be one vector; an empty slice is the empty vector.  MALFORMED otherwise. */
enum dynkv_error dynkv_version_parse(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                     struct dynkv_version *out);

#endif
