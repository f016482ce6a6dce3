/*
 * fake.h: a cluster of scripted nodes, each a process with a real libnng REP socket.
 *
 * A fake node answers HELLO, RING, STATUS, KEYSPACE_OPEN, CLUSTER_CHANGE, GET, PUT, SCAN and REPAIR as a node would
 * from what the test has put into it, counts what it is sent, and can be told to keep silent or to
 * answer with an error.  All nodes are replicas of everything (N = 3, or fewer nodes).
 */
#ifndef DYNKV_TESTS_CLIENT_FAKE_H
#define DYNKV_TESTS_CLIENT_FAKE_H

#include "client/dynkv.h"
#include "base/hash.h"
#include "model/keyspace.h"

#define FAKE_NODES_MAX  3u
#define FAKE_PARTITIONS 16u
#define FAKE_ANY        UINT32_MAX /* of nodes */
#define FAKE_WAIT_MS    10000u     /* nothing in these tests takes so long but a failure */
#define FAKE_HASTE_MS   800u       /* patience of a client that is to go elsewhere */
/* A put of this value is answered with a second sibling. */
#define FAKE_CONFLICT   "conflict"
/* A put of this value is STALE if it is stamped. */
#define FAKE_STALE      "stale"

struct fake_cluster;

enum fake_reaction {
    FAKE_NORMAL,
    FAKE_SILENT, /* takes the message and never answers */
    FAKE_SILENT_AFTER_ONE,
    FAKE_ERROR, /* answers ERROR */
    FAKE_ERROR_ONCE,
};

struct fake_cluster *fake_cluster_start(uint32_t nodes, const char *scheme);
void fake_cluster_stop(struct fake_cluster *cluster);
/* For dynkv_client_options.hosts. */
const char *fake_hosts(const struct fake_cluster *cluster);
const char *fake_host(const struct fake_cluster *cluster, uint32_t node);
/* Goes away with all its connections; comes back at the same address. */
void fake_node_stop(struct fake_cluster *cluster, uint32_t node);
void fake_node_start(struct fake_cluster *cluster, uint32_t node);

/* The keyspace that all nodes know from the start, and whether a node knows it. */
uint64_t fake_keyspace(void);
#define FAKE_KEYSPACE "things"
void fake_set_knows_keyspace(struct fake_cluster *cluster, uint32_t node, bool knows);
void fake_react(struct fake_cluster *cluster, uint32_t node, uint8_t type,
                enum fake_reaction reaction, enum dynkv_error error);
/* Adds a member, who never answers, to the ring that the node tells. */
void fake_set_extra_member(struct fake_cluster *cluster, uint32_t node, const char *url);

/* An object with one value, written by actor as its counter-th. */
void fake_store(struct fake_cluster *cluster, uint32_t node, const char *key, uint64_t actor,
                uint64_t counter, const char *value);
/* The place of a node in the preference list of a key, and the node at a place. */
uint32_t fake_node_at(const struct fake_cluster *cluster, const char *key, uint32_t place);

/* Messages, and the items in them, that a node (or FAKE_ANY) was sent. */
uint32_t fake_messages(struct fake_cluster *cluster, uint32_t node, uint8_t type);
uint32_t fake_items(struct fake_cluster *cluster, uint32_t node, uint8_t type);
uint32_t fake_largest_items(struct fake_cluster *cluster, uint8_t type);
/* Of the last PUT that a node was sent. */
uint64_t fake_last_stamp(const struct fake_cluster *cluster, uint32_t node);
uint64_t fake_last_sequence(const struct fake_cluster *cluster, uint32_t node);
uint64_t fake_largest_bytes(struct fake_cluster *cluster, uint8_t type);
/* Drives the client until a node was sent so many messages of a type. */
void fake_await_messages(struct fake_cluster *cluster, struct dynkv_client *client, uint32_t node,
                         uint8_t type, uint32_t count);

/* A client of the cluster that has opened the keyspace; one that does not wait for a slow node; and one of
 * any hosts, that has not opened it. */
struct dynkv_client *fake_client(struct fake_cluster *cluster);
struct dynkv_client *fake_hasty_client(struct fake_cluster *cluster);
struct dynkv_client *fake_client_of(const char *hosts);
/* Descriptors that this process has open. */
uint32_t fake_open_descriptors(void);
struct dynkv_key_ref fake_key(const char *key);

#endif
