/*
 * random_body.h: makes and compares message bodies from their layouts, knowing none of them.
 *
 * The unit tests and the corpus of the fuzz targets are made of these.
 */
#ifndef DYNKV_TESTS_RANDOM_BODY_H
#define DYNKV_TESTS_RANDOM_BODY_H

#include "base/random.h"
#include "wire/layout.h"
#include "wire/message.h"

/*
 * Fills the struct with random values, extreme ones often; what it points to lives in the arena.  rich:
 * lists have at least one item and bytes are not empty, so that every field of the layout is walked.
 */
void random_body(const struct dynkv_layout *layout, struct dynkv_random *random, bool rich,
                 struct dynkv_arena *arena, void *target);
/* A random envelope for a message of that type. */
struct dynkv_envelope random_envelope(uint8_t type, struct dynkv_random *random);
bool bodies_equal(const struct dynkv_layout *layout, const void *a, const void *b);

#endif
