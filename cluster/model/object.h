/*
 * object.h: what is stored under a key: a version vector and the sibling values it does not cover.
 *
 * Normally one sibling.  A delete is a sibling that is a tombstone.  An expiry is absolute and part of
 * the sibling, so every replica and reader treats it alike.  Merge keeps a sibling if the other side
 * has it too, or if the other side's vector does not cover its dot; vectors merge by maximum.  That is
 * a dotted version vector set: commutative, associative, idempotent, and byte-identical once encoded.
 *
 * Encoded (canonical, so equal objects have equal bytes):
 *   u8      format, 1
 *   version (version.h)
 *   varint  sibling count
 *   sibling, rising by dot:  u64 actor, varint counter, u64 timestamp, varint expires_at_ms (0 none),
 *                            u8 flags, varint value length
 *   the values, in the same order
 * All that decides identity stands before the values: dynkv_object_digest hashes that part alone.
 *
 * Decoded structures live in an arena; values are borrowed from the bytes they were decoded from (or
 * given to put), which must outlive them.
 */
#ifndef DYNKV_MODEL_OBJECT_H
#define DYNKV_MODEL_OBJECT_H

#include "model/version.h"

enum dynkv_sibling_flag {
    DYNKV_SIBLING_TOMBSTONE = 1,
    DYNKV_SIBLING_STRIPPED = 2, /* value left out on purpose (a keys-only scan); never stored */
};

struct dynkv_sibling {
    struct dynkv_dot dot;
    uint64_t timestamp;     /* hybrid logical clock of the write (clock.h) */
    uint64_t expires_at_ms; /* wall clock, milliseconds since 1970; 0: never */
    uint8_t flags;          /* enum dynkv_sibling_flag */
    struct dynkv_slice value;
};

/* Zero-initialised is the empty object: nothing known of the key. */
struct dynkv_object {
    struct dynkv_version version;
    struct dynkv_sibling *siblings; /* rising by dot */
    uint32_t sibling_count;
};

/* MALFORMED for anything but one canonical object; the empty object is the empty slice, only. */
enum dynkv_error dynkv_object_decode(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                     struct dynkv_object *out);
void dynkv_object_encode(const struct dynkv_object *object, struct dynkv_buf *out);
/* Hash of all but the values; 0 for the empty object.  Equal digests mean equal objects (2^-64). */
uint64_t dynkv_object_digest(const struct dynkv_object *object);

/*
 * Whether an object may be stored or sent: actors, siblings, and the values of all siblings together
 * (DYNKV_OBJECT_MAX).  To be asked after put and after every merge, which don't ask it themselves.
 */
bool dynkv_object_is_within_limits(const struct dynkv_object *object);
struct dynkv_object dynkv_object_merge(const struct dynkv_object *a, const struct dynkv_object *b,
                                       struct dynkv_arena *arena);
/*
 * The object after a write: its siblings that context covers are gone, the new sibling is added, the
 * vector is merged with context and the new dot.  sibling.dot must be new.  out may be
 * current; on an error it is not touched:
 *   SIBLINGS_LIMIT  if too many siblings would remain;
 *   INVALID         if context already covers the dot: it names a write that was never made;
 *   CORRUPT         if current does (a context made up by some client came in by another node);
 *   VERSION_LIMIT   if the vector would have more than DYNKV_ACTORS_PUT_MAX entries; of a tombstone
 *                   DYNKV_ACTORS_MAX.
 * A tombstone loses its value, if it was given one.
 */
enum dynkv_error dynkv_object_put(const struct dynkv_object *current,
                                  const struct dynkv_version *context,
                                  const struct dynkv_sibling *sibling, struct dynkv_arena *arena,
                                  struct dynkv_object *out);

/* A tombstone, or expired at now_ms. */
bool dynkv_sibling_is_dead(const struct dynkv_sibling *sibling, uint64_t now_ms);
/* No sibling is alive. */
bool dynkv_object_is_dead(const struct dynkv_object *object, uint64_t now_ms);
/*
 * Whether a sibling before this one is the same write, applied by another coordinator: the same time, the same
 * value (core/put_apply.c).  A reader shows it once.  Of values that were left out nobody can tell.
 */
bool dynkv_object_is_twin(const struct dynkv_object *object, uint32_t sibling);
/*
 * Last write wins: the sibling with the greatest timestamp (the dot breaks ties), tombstones and
 * expired ones included in the comparison; NULL if that one is dead, or there is none.
 */
const struct dynkv_sibling *dynkv_object_latest(const struct dynkv_object *object, uint64_t now_ms);

#endif
