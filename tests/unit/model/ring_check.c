/* ring_check.c: the promises of ring.h, checked from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ring_check.h"

#include "base/random.h"

void ring_check_init(struct ring_check *check, uint32_t count, uint32_t zones, uint32_t partitions,
                     uint64_t seed)
{
    struct dynkv_random random = dynkv_random(seed);

    assert_true(count <= CHECK_MEMBERS_MAX);
    *check = (struct ring_check){.count = count, .partitions = partitions};
    for (uint32_t i = 0; i < count; i++)
        check->members[i] = (struct dynkv_ring_member){
            .id = dynkv_random_next(&random) | 1,
            .zone = zones ? 1000 + i % zones : 1000 + i,
            .joined = i + 1,
            .weight = 100,
        };
}

struct dynkv_ring *ring_check_build(const struct ring_check *check)
{
    return dynkv_ring_new(check->members, check->count, check->partitions);
}

uint32_t ring_check_live(const struct ring_check *check)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < check->count; i++)
        live += check->members[i].left == 0;
    return live;
}

static uint32_t member_index(const struct ring_check *check, uint64_t id)
{
    for (uint32_t i = 0; i < check->count; i++)
        if (check->members[i].id == id)
            return i;
    fail_msg("a list names %llu, which is no member", (unsigned long long)id);
    return 0;
}

void ring_check_loads(const struct ring_check *check, const struct dynkv_ring *ring, uint32_t n,
                      uint32_t *loads)
{
    uint64_t list[DYNKV_REPLICAS_MAX];

    memset(loads, 0, check->count * sizeof *loads);
    for (uint32_t p = 0; p < check->partitions; p++) {
        uint32_t length = dynkv_ring_preference(ring, p, list, n);

        for (uint32_t i = 0; i < length; i++)
            loads[member_index(check, list[i])]++;
    }
}

/* Weight of the zone of each live member, and whether the member is the first of its zone. */
static uint32_t zone_weights(const struct ring_check *check, double *weights, bool *first)
{
    uint32_t zones = 0;

    for (uint32_t i = 0; i < check->count; i++) {
        weights[i] = 0;
        first[i] = check->members[i].left == 0;
        for (uint32_t k = 0; k < check->count; k++) {
            if (check->members[k].left || check->members[k].zone != check->members[i].zone)
                continue;
            weights[i] += check->members[k].weight;
            if (k < i)
                first[i] = false;
        }
        zones += first[i];
    }
    return zones;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

void ring_check_shares(const struct ring_check *check, uint32_t n, double *shares)
{
    static double weights[CHECK_MEMBERS_MAX], floors[CHECK_MEMBERS_MAX];
    static bool first[CHECK_MEMBERS_MAX];
    const double all = check->partitions;
    uint32_t zones = zone_weights(check, weights, first), zoned = n < zones ? n : zones;
    double low = 0, high = 1e7;

    /* The first entries, of which a zone gets one at most. */
    for (int i = 0; i < 200; i++) {
        double level = (low + high) / 2, sum = 0;

        for (uint32_t k = 0; k < check->count; k++)
            sum += first[k] ? clamp(level * weights[k], 0, all) : 0;
        *(sum < zoned * all ? &low : &high) = level;
    }
    for (uint32_t k = 0; k < check->count; k++)
        floors[k] = check->members[k].left
                        ? 0
                        : clamp(high * weights[k], 0, all) * check->members[k].weight / weights[k];
    /* And the rest, of which a member gets one at most. */
    low = 0;
    high = 1e7;
    for (int i = 0; i < 200 && zoned < n; i++) {
        double level = (low + high) / 2, sum = 0;

        for (uint32_t k = 0; k < check->count; k++)
            if (!check->members[k].left)
                sum += clamp(level * check->members[k].weight, floors[k], all);
        *(sum < n * all ? &low : &high) = level;
    }
    for (uint32_t k = 0; k < check->count; k++)
        shares[k] = zoned == n || check->members[k].left
                        ? floors[k]
                        : clamp(high * check->members[k].weight, floors[k], all);
}

uint32_t ring_check_moved(const struct dynkv_ring *before, const struct dynkv_ring *after,
                          uint32_t n)
{
    uint64_t list[DYNKV_REPLICAS_MAX];
    uint32_t moved = 0;

    for (uint32_t p = 0; p < dynkv_ring_partitions(after); p++) {
        uint32_t length = dynkv_ring_preference(after, p, list, n);

        for (uint32_t i = 0; i < length; i++)
            moved += dynkv_ring_replica_index(before, p, list[i], n) < 0;
    }
    return moved;
}

static uint32_t zone_count(const struct ring_check *check)
{
    static double weights[CHECK_MEMBERS_MAX];
    static bool first[CHECK_MEMBERS_MAX];

    return zone_weights(check, weights, first);
}

static void check_list(const struct ring_check *check, const struct dynkv_ring *ring, uint32_t p,
                       uint32_t length, uint32_t zones)
{
    uint64_t list[DYNKV_REPLICAS_MAX];

    assert_int_equal(dynkv_ring_preference(ring, p, list, DYNKV_REPLICAS_MAX), length);
    for (uint32_t i = 0; i < length; i++) {
        const struct dynkv_ring_member *member = &check->members[member_index(check, list[i])];

        assert_int_equal(member->left, 0);
        for (uint32_t k = 0; k < i; k++) {
            assert_true(list[k] != list[i]);
            if (i < zones)
                assert_true(check->members[member_index(check, list[k])].zone != member->zone);
        }
    }
}

static void check_loads(const struct ring_check *check, const struct dynkv_ring *ring, uint32_t n)
{
    static uint32_t loads[CHECK_MEMBERS_MAX];
    static double shares[CHECK_MEMBERS_MAX];

    ring_check_loads(check, ring, n, loads);
    ring_check_shares(check, n, shares);
    for (uint32_t i = 0; i < check->count; i++) {
        /* The next whole partition above; a share that is one but for rounding is that one. */
        double whole = (double)(uint32_t)(shares[i] + 0.999), loose = shares[i] * 1.05;

        if (loads[i] > (whole > loose ? whole : loose) + 0.001)
            fail_msg("%u members, %u partitions, prefix %u: member %u (weight %u) holds %u, "
                     "its fair share is %.2f",
                     ring_check_live(check), check->partitions, n, i, check->members[i].weight,
                     loads[i], shares[i]);
    }
}

void ring_check_promises(const struct ring_check *check, const struct dynkv_ring *ring,
                         uint32_t prefixes)
{
    uint32_t live = ring_check_live(check), zones = zone_count(check);
    uint32_t length = live < DYNKV_REPLICAS_MAX ? live : DYNKV_REPLICAS_MAX;

    assert_int_equal(dynkv_ring_member_count(ring), live);
    for (uint32_t p = 0; p < check->partitions; p++)
        check_list(check, ring, p, length, zones);
    for (uint32_t n = 1; n <= length && n <= prefixes; n++)
        check_loads(check, ring, n);
}
