/*
 * ring_figures.c: prints how evenly the ring spreads replicas and how little it moves them.
 *
 * For each cluster size: the greatest load over the fair share, for prefixes of 1 and N; the bound that
 * whole partitions set (the share rounded up, over the share); what one join and one leave move, over
 * the minimum; and the time to build the ring.  Of the leaves the worst of all members is shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "model/ring.h"

#define PARTITIONS  1024u
#define REPLICAS    3u
#define MEMBERS_MAX 100u
#define BUILDS      20

struct cluster {
    struct dynkv_ring_member members[MEMBERS_MAX + 1];
    uint32_t count;
};

static struct dynkv_ring *build(const struct cluster *cluster, uint32_t count)
{
    return dynkv_ring_new(cluster->members, count, PARTITIONS);
}

static uint32_t load(const struct dynkv_ring *ring, uint64_t member, uint32_t n)
{
    uint32_t held = 0;

    for (uint32_t p = 0; p < PARTITIONS; p++)
        held += dynkv_ring_replica_index(ring, p, member, n) >= 0;
    return held;
}

static uint32_t moved(const struct dynkv_ring *before, const struct dynkv_ring *after)
{
    uint64_t list[REPLICAS];
    uint32_t result = 0;

    for (uint32_t p = 0; p < PARTITIONS; p++) {
        uint32_t length = dynkv_ring_preference(after, p, list, REPLICAS);

        for (uint32_t i = 0; i < length; i++)
            result += dynkv_ring_replica_index(before, p, list[i], REPLICAS) < 0;
    }
    return result;
}

/* The greatest load of any member over the fair share of equals. */
static double greatest(const struct cluster *cluster, const struct dynkv_ring *ring, uint32_t n)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < cluster->count; i++) {
        uint32_t held = load(ring, cluster->members[i].id, n);

        most = held > most ? held : most;
    }
    return most * (double)cluster->count / (PARTITIONS * n);
}

static double whole_bound(uint32_t count, uint32_t n)
{
    uint32_t share_up = (PARTITIONS * n + count - 1) / count;

    return share_up * (double)count / (PARTITIONS * n);
}

static double join_ratio(const struct cluster *cluster, const struct dynkv_ring *ring)
{
    struct dynkv_ring *after = build(cluster, cluster->count + 1);
    double result = moved(ring, after) * (double)(cluster->count + 1) / (PARTITIONS * REPLICAS);

    dynkv_ring_free(after);
    return result;
}

static double worst_leave_ratio(struct cluster *cluster, const struct dynkv_ring *ring)
{
    double worst = 0;

    for (uint32_t i = 0; i < cluster->count; i++) {
        struct dynkv_ring *after;
        double ratio;

        cluster->members[i].left = MEMBERS_MAX + 10;
        after = build(cluster, cluster->count);
        cluster->members[i].left = 0;
        ratio = moved(ring, after) / (double)load(ring, cluster->members[i].id, REPLICAS);
        worst = ratio > worst ? ratio : worst;
        dynkv_ring_free(after);
    }
    return worst;
}

static double build_ms(const struct cluster *cluster)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < BUILDS; i++)
        dynkv_ring_free(build(cluster, cluster->count));
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e3 +
            (double)(end.tv_nsec - start.tv_nsec) / 1e6) /
           BUILDS;
}

static void print_row(uint32_t count, uint32_t zones)
{
    static struct cluster cluster;
    struct dynkv_random random = dynkv_random(1);
    struct dynkv_ring *ring;

    cluster.count = count;
    for (uint32_t i = 0; i <= count; i++)
        cluster.members[i] = (struct dynkv_ring_member){
            .id = dynkv_random_next(&random) | 1,
            .zone = i % zones,
            .joined = i + 1,
            .weight = 100,
        };
    ring = build(&cluster, count);
    printf("%7u %5u   %8.3f %8.3f   %8.3f %8.3f   ", count, zones, greatest(&cluster, ring, 1),
           whole_bound(count, 1), greatest(&cluster, ring, REPLICAS), whole_bound(count, REPLICAS));
    printf("%6.3f ", join_ratio(&cluster, ring));
    if (count > REPLICAS)
        printf("%6.3f", worst_leave_ratio(&cluster, ring));
    else
        printf("%6s", "-"); /* nobody is left to take over */
    printf("   %8.2f\n", build_ms(&cluster));
    dynkv_ring_free(ring);
}

int main(void)
{
    static const uint32_t counts[] = {3, 5, 10, 30, 100};

    printf(
        "Q = %u partitions, N = %u; loads over the fair share of equals, moves over the minimum\n",
        PARTITIONS, REPLICAS);
    printf("                  first of list       the %u replicas      one    worst     build\n",
           REPLICAS);
    printf("members zones   greatest  rounded   greatest  rounded     join   leave        ms\n");
    for (uint32_t zones = 1; zones <= 3; zones += 2)
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            print_row(counts[i], zones);
    return 0;
}
