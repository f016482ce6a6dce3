/*
 * cluster.h: a few nodes, a network and stores in one process, for the core's tests.
 *
 * Time is virtual and everything is deterministic: frames are delivered in the order sent, loads before
 * stores, as the driver's contract says.  A node can be stopped (loses its memory, keeps its store), and
 * links can be cut.
 */
#ifndef DYNKV_TESTS_CORE_CLUSTER_H
#define DYNKV_TESTS_CORE_CLUSTER_H

#include "core/node.h"
#include "model/object.h"

#define CLUSTER_MAX 24

struct cluster;

/* count nodes; the first founds, the others join; returns when all know all.  partitions: Q. */
struct cluster *cluster_new(uint32_t count, uint32_t partitions);
void cluster_free(struct cluster *cluster);

/* Lets virtual time pass, with all that happens in it. */
void cluster_run(struct cluster *cluster, uint32_t ms);
/* Cleanly, all that it asked for being stored; or as by a crash. */
void cluster_stop(struct cluster *cluster, uint32_t node);
void cluster_crash(struct cluster *cluster, uint32_t node);
void cluster_start(struct cluster *cluster, uint32_t node);
/* While paused a node gets neither ticks nor frames; the frames wait for it. */
void cluster_pause(struct cluster *cluster, uint32_t node, bool paused);
/* Starts one more node that asks to join (it may be refused); returns its index. */
uint32_t cluster_add(struct cluster *cluster);
/* Frames from one node to another are lost while cut. */
void cluster_cut(struct cluster *cluster, uint32_t from, uint32_t to, bool cut);
/* Frames from one node to another wait while held, and come in their order when no more. */
void cluster_hold(struct cluster *cluster, uint32_t from, uint32_t to, bool hold);
/* A node looks for tombstones so often, from its next start on; 0, as at first: practically never. */
void cluster_set_reap_interval(struct cluster *cluster, uint32_t node, uint32_t interval_ms);
/* How many hints a node may keep, from its next start on. */
void cluster_set_hints_max(struct cluster *cluster, uint32_t node, uint32_t hints_max);
/* And what they may take. */
void cluster_set_hints_bytes_max(struct cluster *cluster, uint32_t node, uint64_t bytes);
/* Hints in a node's store. */
uint32_t cluster_stored_hints(const struct cluster *cluster, uint32_t node);
/* All stores of a node fail from now on. */
void cluster_fail_disk(struct cluster *cluster, uint32_t node);
void cluster_set_clock(struct cluster *cluster, uint32_t node, int64_t skew_ms);
/* Ranges of a node are answered after so long, with at most so many records a page (0: as asked). */
void cluster_slow_scans(struct cluster *cluster, uint32_t node, uint32_t delay_ms,
                        uint32_t page_records);
/* The identity and tables of a stopped node as a copy of its store would have them, and put back. */
struct cluster_copy {
    struct dynkv_slice state, lease;
    bool clean;
};
struct cluster_copy cluster_copy(const struct cluster *cluster, uint32_t node);
void cluster_put_back(struct cluster *cluster, uint32_t node, const struct cluster_copy *copy);
/* A stopped node's store gets a new incarnation, as after a stop that may have lost writes. */
void cluster_new_actor(struct cluster *cluster, uint32_t node);
/* The same, and it has lost all records, but not its membership. */
void cluster_forget_records(struct cluster *cluster, uint32_t node);
/* Writes a record into a node's store behind its back (it must be stopped); the bytes are borrowed. */
void cluster_set_record(struct cluster *cluster, uint32_t node, uint64_t keyspace,
                        uint32_t partition, struct dynkv_slice key, struct dynkv_slice record);
/* All records of a node's store, in order. */
typedef void cluster_visit(void *context, uint64_t keyspace, uint32_t partition,
                           struct dynkv_slice key, struct dynkv_slice record);
void cluster_records(struct cluster *cluster, uint32_t node, cluster_visit *visit, void *context);

/*
 * Sends a request to a node as a client would and runs until it is answered, at most limit_ms.  False: no
 * answer.  The body lives until the next call.
 */
bool cluster_ask(struct cluster *cluster, uint32_t node, uint8_t type, const void *body,
                 uint32_t limit_ms, struct dynkv_envelope *envelope, union dynkv_body *reply);
/* The same with raw bytes. */
bool cluster_ask_raw(struct cluster *cluster, uint32_t node, struct dynkv_slice bytes,
                     uint32_t limit_ms, struct dynkv_envelope *envelope, union dynkv_body *reply);
/* Hands raw bytes to a node as a peer's frame. */
void cluster_send_raw(struct cluster *cluster, uint32_t node, struct dynkv_slice bytes);

/* ---- shorthands; text keys, whole key is the partition key unless given ---- */

uint64_t cluster_keyspace(struct cluster *cluster, uint32_t node, const char *name, uint8_t n,
                          uint8_t r, uint8_t w);
/* A put of one key; context NULL: none.  Returns the result (context is copied, valid till free). */
struct dynkv_put_result cluster_put(struct cluster *cluster, uint32_t node, uint64_t keyspace,
                                    const char *key, const char *value,
                                    const struct dynkv_slice *context);
/* A get of one key; object_out may be NULL (then the result's bytes tell). */
struct dynkv_get_result cluster_get(struct cluster *cluster, uint32_t node, uint64_t keyspace,
                                    const char *key, bool coordinate, uint8_t r,
                                    struct dynkv_object *object_out);
uint64_t cluster_counter(struct cluster *cluster, uint32_t node, const char *name);
uint64_t cluster_actor(const struct cluster *cluster, uint32_t node);
uint64_t cluster_id(const struct cluster *cluster, uint32_t node);
struct dynkv_node *cluster_node(struct cluster *cluster, uint32_t node);
/* How many messages of a type were sent from node to node since the start. */
uint64_t cluster_sent(const struct cluster *cluster, uint8_t type);
uint64_t cluster_sent_bytes(const struct cluster *cluster, uint8_t type);
/* What a node says of another: 1 down, 0 up, -1 unknown. */
int cluster_sees_down(struct cluster *cluster, uint32_t node, uint32_t other);
/* The index of a node that is the place-th replica of a key. */
uint32_t cluster_replica(struct cluster *cluster, uint64_t keyspace, const char *key,
                         uint32_t place);
struct dynkv_arena *cluster_arena(struct cluster *cluster);

#endif
