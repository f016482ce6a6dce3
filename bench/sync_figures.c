/*
 * sync_figures.c: what anti-entropy costs where two replicas hold a million keys and few of them differ.
 *
 * Two nodes in one process with a network of their own (tests/unit/core/cluster.h).  Their stores are
 * filled behind their backs, alike but for the keys that differ: half of those are newer on one node and
 * half on the other.  Then both start, rebuild their trees, and run until the stores are the same.
 *
 * Bytes are those of encoded messages, without frames.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/ring.h"
#include "tests/unit/core/cluster.h"

#define KEYS       1000000u
#define PARTITIONS 1024u
#define VALUE_LEN  100u
#define PATIENCE   (10u * 60u * 1000u) /* of virtual time */

struct figures {
    uint64_t moved, roots, hashes, keys;
    uint64_t tree_bytes, object_bytes;
    double rebuild_s; /* processor time of one node */
};

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static struct dynkv_slice key_of(uint32_t number, struct dynkv_arena *arena)
{
    char text[32];
    int len = snprintf(text, sizeof text, "user:%08u", number);

    return dynkv_slice_copy(dynkv_slice(text, (size_t)len), arena);
}

/* A record as a node writes it: version 1 of actor 1, or version 2, which replaced it. */
static struct dynkv_slice record_of(uint32_t key_len, uint64_t version, struct dynkv_arena *arena)
{
    static const uint8_t value[VALUE_LEN] = {'v'};
    struct dynkv_dot dot = {1, version};
    struct dynkv_sibling sibling = {
        .dot = dot, .timestamp = version << 16, .value = {value, sizeof value}};
    struct dynkv_object object = {.version = {&dot, 1}, .siblings = &sibling, .sibling_count = 1};
    struct dynkv_buf record = {0};
    struct dynkv_slice copy;

    dynkv_put_varint(&record, key_len);
    dynkv_object_encode(&object, &record);
    copy = dynkv_slice_copy(dynkv_buf_slice(&record), arena);
    dynkv_buf_fini(&record);
    return copy;
}

/* What it would cost to send every key with its digest, one way. */
static uint64_t fill(struct cluster *c, uint64_t keyspace, uint32_t differing)
{
    struct dynkv_arena *arena = cluster_arena(c);
    struct dynkv_ring *ring = dynkv_ring_new(NULL, 0, PARTITIONS);
    struct dynkv_slice old = record_of(13, 1, arena), new = record_of(13, 2, arena);
    uint32_t every = KEYS / differing;
    uint64_t all_bytes = 0;

    for (uint32_t i = 0; i < KEYS; i++) {
        struct dynkv_slice key = key_of(i, arena);
        uint32_t partition = dynkv_ring_partition(ring, dynkv_ring_hash(keyspace, key));
        bool differs = i % every == 0 && i / every < differing;

        all_bytes += 1 + key.len + 8;
        for (uint32_t node = 0; node < 2; node++)
            cluster_set_record(c, node, keyspace, partition, key,
                               differs && i / every % 2 == node ? new : old);
    }
    dynkv_ring_free(ring);
    return all_bytes;
}

static bool trees_agree(struct cluster *c, uint64_t keyspace, bool only_ready)
{
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        bool ready[2];
        const struct dynkv_merkle *a = dynkv_node_tree(cluster_node(c, 0), keyspace, p, &ready[0]);
        const struct dynkv_merkle *b = dynkv_node_tree(cluster_node(c, 1), keyspace, p, &ready[1]);

        if (!ready[0] || !ready[1])
            return false;
        if (!only_ready && dynkv_merkle_node(a, 0, 0) != dynkv_merkle_node(b, 0, 0))
            return false;
    }
    return true;
}

/* Runs until it is so; exits if that never comes. */
static void run_until_trees(struct cluster *c, uint64_t keyspace, bool only_ready)
{
    for (uint32_t ms = 0; !trees_agree(c, keyspace, only_ready); ms += DYNKV_TICK_MS) {
        if (ms > PATIENCE) {
            fprintf(stderr, "sync_figures: the trees do not become %s\n",
                    only_ready ? "ready" : "equal");
            exit(1);
        }
        cluster_run(c, DYNKV_TICK_MS);
    }
}

static uint64_t total(struct cluster *c, const char *name)
{
    return cluster_counter(c, 0, name) + cluster_counter(c, 1, name);
}

static uint64_t bytes_of(struct cluster *c, const uint8_t *types, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += cluster_sent_bytes(c, types[i]);
    return sum;
}

static uint64_t measure(uint32_t differing, struct figures *out)
{
    static const uint8_t tree_types[] = {DYNKV_MESSAGE_TREE_ROOTS, DYNKV_MESSAGE_TREE_ROOTS_REPLY,
                                         DYNKV_MESSAGE_TREE_NODES, DYNKV_MESSAGE_TREE_NODES_REPLY,
                                         DYNKV_MESSAGE_LEAF_KEYS,  DYNKV_MESSAGE_LEAF_KEYS_REPLY};
    static const uint8_t object_types[] = {DYNKV_MESSAGE_GET, DYNKV_MESSAGE_GET_REPLY,
                                           DYNKV_MESSAGE_REPLICATE, DYNKV_MESSAGE_REPLICATE_REPLY};
    struct cluster *c = cluster_new(2, PARTITIONS);
    uint64_t keyspace = cluster_keyspace(c, 0, "figures", 2, 1, 1), all_bytes;
    double begin;

    cluster_run(c, 1000);
    cluster_stop(c, 0);
    cluster_stop(c, 1);
    all_bytes = fill(c, keyspace, differing);
    cluster_start(c, 0);
    cluster_start(c, 1);
    begin = seconds();
    run_until_trees(c, keyspace, true);
    out->rebuild_s = (seconds() - begin) / 2;
    run_until_trees(c, keyspace, false);
    out->moved = total(c, "sync_objects_sent") + total(c, "sync_objects_received");
    out->roots = total(c, "sync_roots_compared");
    out->hashes = total(c, "sync_hashes_compared");
    out->keys = total(c, "sync_keys_exchanged");
    out->tree_bytes = bytes_of(c, tree_types, sizeof tree_types);
    out->object_bytes = bytes_of(c, object_types, sizeof object_types);
    cluster_free(c);
    return all_bytes;
}

int main(void)
{
    static const uint32_t differing[] = {1, 100, 10000};

    printf("%u keys of 13 bytes with values of %u, %u partitions, two replicas\n", KEYS, VALUE_LEN,
           PARTITIONS);
    printf("%9s %8s %8s %8s %8s %11s %11s %12s %9s\n", "differing", "moved", "roots", "hashes",
           "keys", "tree bytes", "obj. bytes", "all digests", "rebuild s");
    for (size_t i = 0; i < sizeof differing / sizeof differing[0]; i++) {
        struct figures figures;
        uint64_t all_bytes = measure(differing[i], &figures);

        printf("%9u %8llu %8llu %8llu %8llu %11llu %11llu %12llu %9.2f\n", differing[i],
               (unsigned long long)figures.moved, (unsigned long long)figures.roots,
               (unsigned long long)figures.hashes, (unsigned long long)figures.keys,
               (unsigned long long)figures.tree_bytes, (unsigned long long)figures.object_bytes,
               (unsigned long long)all_bytes, figures.rebuild_s);
        fflush(stdout);
    }
    return 0;
}
