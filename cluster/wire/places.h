/*
 * places.h: from the places that nodes tell to the ring that is replayed from them.
 */
#ifndef DYNKV_WIRE_PLACES_H
#define DYNKV_WIRE_PLACES_H

#include <stdbool.h>

#include "model/ring.h"
#include "wire/message.h"

/* Whether a list from outside can be one (distinct places and holders, weights within bounds). */
bool dynkv_places_are_possible(const struct dynkv_place *places, uint32_t count);
/* Their ring, on the heap.  The list must be possible, partitions too (model/ring.h). */
struct dynkv_ring *dynkv_places_ring(const struct dynkv_place *places, uint32_t count,
                                     uint32_t partitions);

#endif
