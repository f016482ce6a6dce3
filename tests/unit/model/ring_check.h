/*
 * ring_check.h: what the ring promises, computed another way.
 *
 * The fair shares come from a bisection in floating point, which has nothing in common with the
 * integer water filling of the ring itself.
 */
#ifndef DYNKV_TESTS_RING_CHECK_H
#define DYNKV_TESTS_RING_CHECK_H

#include "model/ring.h"

#define CHECK_MEMBERS_MAX 256u

struct ring_check {
    struct dynkv_ring_member members[CHECK_MEMBERS_MAX];
    uint32_t count;
    uint32_t partitions;
};

/* count members of weight 100 that joined in turn, in zones zones by turns (0: each in its own). */
void ring_check_init(struct ring_check *check, uint32_t count, uint32_t zones, uint32_t partitions,
                     uint64_t seed);
struct dynkv_ring *ring_check_build(const struct ring_check *check);
uint32_t ring_check_live(const struct ring_check *check);
/* In how many partitions each member (by index) is among the first n. */
void ring_check_loads(const struct ring_check *check, const struct dynkv_ring *ring, uint32_t n,
                      uint32_t *loads);
/* The fair share of each live member in prefixes of length n, in partitions. */
void ring_check_shares(const struct ring_check *check, uint32_t n, double *shares);
/* Replicas that are in a prefix of length n after, and were not before. */
uint32_t ring_check_moved(const struct dynkv_ring *before, const struct dynkv_ring *after,
                          uint32_t n);
/* Fails the test unless lists are distinct, of the right length, zone by zone, and balanced up to the
 * prefix given. */
void ring_check_promises(const struct ring_check *check, const struct dynkv_ring *ring,
                         uint32_t prefixes);

#endif
