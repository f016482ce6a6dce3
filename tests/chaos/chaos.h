/*
 * chaos.h: what the parts of the chaos test share.
 *
 * Five dynkvd processes, N=3, while faults fall on them; many clients of libdynkv in one loop, so that
 * "acknowledged before the read began" is a plain order of events:
 *
 *   the set test       clients add unique elements to a few keys by read, merge, write with the context
 *                      of the read.  Every acknowledged element must be there at the end, and in every
 *                      read that began after it was acknowledged.
 *   the register test  one writer a key, with rising numbers.  No read may give a number older than
 *                      what was acknowledged before it began, nor one that was never written.
 *
 *   chaos.c            options, the phases of a run, the report
 *   chaos_net.c        the network of namespaces, and cutting it
 *   chaos_change.c     two nodes join and two leave, amid the faults
 *   chaos_faults.c     the plan of faults, drawn from the seed, and carrying it out
 *   chaos_loop.c       the one loop that drives all clients
 *   chaos_set.c, chaos_register.c
 *   chaos_replicas.c   what each node holds, asked of it directly
 */
#ifndef DYNKV_TESTS_CHAOS_H
#define DYNKV_TESTS_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "client/dynkv.h"
#include "tests/live/live.h"

#define CHAOS_FOUNDERS       5u
#define CHAOS_NODES          7u /* with those that join */
#define CHAOS_N              3u
#define CHAOS_ALL_NODES      ((1u << CHAOS_NODES) - 1)
#define CHAOS_SET_KEYS       8u
#define CHAOS_SET_CLIENTS    8u
#define CHAOS_REGISTERS      4u
#define CHAOS_READERS        4u
#define CHAOS_ACTORS_MAX     (CHAOS_SET_CLIENTS + CHAOS_REGISTERS + CHAOS_READERS)
#define CHAOS_KEYS           (CHAOS_SET_KEYS + CHAOS_REGISTERS)
#define CHAOS_ADDITIONS_MAX  1000000u
#define CHAOS_SECONDS_MAX    3600u
#define CHAOS_DEADLINE_MS    2000u   /* of every read and write under faults */
#define CHAOS_BACK_OFF_MS    100u    /* at most, before trying again after an error */
#define CHAOS_CONVERGENCE_MS 120000u /* healed replicas are equal before this has passed */
#define CHAOS_ERRORS_MAX     32u     /* different errors in a report */
#define CHAOS_SHOWN_MAX      10u     /* violations of a kind that are told in full */

struct chaos_options {
    uint64_t seed;
    uint32_t seconds; /* faults fall for so long ... */
    uint32_t
        additions; /* ... and until so many additions are acknowledged, in at most twice the time */
    uint8_t r, w;
    bool loopback; /* no namespaces, and so no partitions */
    bool sloppy;
    bool change;            /* two nodes join, and then two leave */
    bool without_reading;   /* nodes have to come together by themselves once healed */
    bool without_context;   /* writers overwrite what they have not seen: elements get lost */
    bool expect_violations; /* pass only if what is not promised is seen not to hold */
};

extern struct chaos_options chaos_options;
extern struct live_node *chaos_nodes[CHAOS_NODES];
extern uint64_t chaos_keyspace;

/* Milliseconds since the faults began. */
uint64_t chaos_now_ms(void);
/* "n2 n4" for the bits of a mask. */
const char *chaos_names(uint32_t mask);
/* A violation: counts it, and tells the first few. */
void chaos_violation(uint32_t *count, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An answer that is no success, for the report: what was asked, and the error. */
void chaos_count_error(const char *what, enum dynkv_error error);
/* Quorums and strictness as the options have them. */
struct dynkv_call chaos_call(void);
/* hosts of all nodes, for libdynkv. */
const char *chaos_hosts(void);

/* ---- network (chaos_net.c) ---- */

/*
 * Moves this process into a network of its own, with a namespace for each node, all of which the kernel
 * removes when the last process in them ends.  False, and why in text, if that is not possible: nothing
 * has changed then.
 */
bool chaos_net_enter(char text[256]);
/* Where node i listens, with a network of our own or on loopback. */
const char *chaos_client_url(uint32_t i);
const char *chaos_peer_url(uint32_t i);
/* What a shell does before it becomes node i: enter its namespace, and end when this process ends. */
const char *chaos_node_shell(uint32_t i);
bool chaos_net_is_entered(void);
/* Cuts the nodes of the mask off from the other nodes, and, if clients too, from all clients. */
void chaos_net_cut(uint32_t mask, bool clients_too);
void chaos_net_heal(void);

/* ---- faults (chaos_faults.c) ---- */

enum chaos_fault_kind {
    CHAOS_KILL,    /* SIGKILL, and a restart */
    CHAOS_PAUSE,   /* SIGSTOP, SIGCONT */
    CHAOS_HALVES,  /* two nodes on one side, three on the other; clients reach all */
    CHAOS_ISOLATE, /* one node is alone; clients reach it */
    CHAOS_UNPLUG,  /* one node is alone and clients do not reach it */
    CHAOS_FAULT_KINDS,
};

/* Draws the plan from the seed and prints it. */
void chaos_faults_plan(void);
/* Begins and ends what is due; returns the milliseconds to the next. */
uint64_t chaos_faults_step(void);
/* Ends all faults and waits until every node is up and sees all others, and changes are over. */
void chaos_faults_heal(void);
/* The mask of the nodes that run, or will again; and one more, and one less. */
uint32_t chaos_running(void);
void chaos_node_start(uint32_t i);
void chaos_node_end(uint32_t i);
const char *chaos_fault_name(enum chaos_fault_kind kind);
uint32_t chaos_faults_count(enum chaos_fault_kind kind);

/* ---- changes of the membership (chaos_change.c) ---- */

/* Does what is due, and never waits. */
void chaos_change_step(void);
/* Goes on until all is done, now that all nodes are up. */
void chaos_change_finish(void);
/* Whether the node may have ended by itself because it has left. */
bool chaos_change_may_end(uint32_t i);
void chaos_change_end(void);

/* ---- loop (chaos_loop.c) ---- */

/* A client that does one thing after another. */
struct chaos_actor {
    struct dynkv_client *client;
    struct dynkv_request *request; /* what it waits for, or NULL: it sleeps */
    uint64_t wake_ms;
    void (*step)(struct chaos_actor *actor); /* the request is done, or it has slept */
    struct dynkv_random random;
    uint32_t number;
    bool is_writing;
    uint32_t key;
    uint64_t value, floor,
        seen; /* what it writes; what a read must reach; what others saw before */
};

/* Copies the actor and gives it a client that knows the keyspace; it steps at once. */
void chaos_actor_add(const struct chaos_actor *like);
/* Forgets the request and steps again after a random part of at_most_ms. */
void chaos_actor_sleep(struct chaos_actor *actor, uint64_t at_most_ms);
/* Drives all actors until is_over, and each one's last request to its end. */
void chaos_loop_run(bool (*is_over)(void));
/* Whether actors should stop beginning anything. */
bool chaos_loop_is_ending(void);
void chaos_loop_end(void);

/* ---- the tests ---- */

struct chaos_tally {
    uint32_t begun, acknowledged, indeterminate, refused;
};

struct chaos_set_result {
    struct chaos_tally additions;
    uint32_t siblings_most; /* that a read met */
    uint32_t stale;         /* reads without an element acknowledged before they began */
    uint32_t unwritten;     /* elements that nobody wrote */
    uint32_t lost_in_pair;  /* acknowledged, but on no replica of some two of a key's three */
    uint32_t lost;          /* acknowledged, and nowhere when all replicas agree */
};
extern struct chaos_set_result chaos_set;

void chaos_set_begin(void);
void chaos_set_end(void);
const char *chaos_set_key(uint32_t key);
/* Counts and tells the acknowledged elements of a key that the object lacks. */
void chaos_set_check(uint32_t key, const struct dynkv_object *object, uint32_t *lost,
                     const char *where);

struct chaos_register_result {
    struct chaos_tally writes;
    uint32_t reads, reads_refused;
    uint32_t stale, unwritten;
    uint32_t went_back; /* allowed: an unacknowledged number was seen, and then an older one */
};
extern struct chaos_register_result chaos_register;

void chaos_register_begin(void);
const char *chaos_register_key(uint32_t key);
void chaos_register_check(uint32_t key, const struct dynkv_object *object, uint32_t *stale,
                          const char *where);

/* ---- replicas (chaos_replicas.c) ---- */

/* What any two replicas of each key hold together, before anything is repaired. */
void chaos_replicas_check_pairs(void);
/*
 * Reads every key at R=N, which repairs, and waits until no hint is left and all replicas are equal.
 * False if that takes longer than CHAOS_CONVERGENCE_MS.
 */
bool chaos_replicas_converge(uint64_t *took_ms);
/* Checks what the replicas hold, now that they are equal. */
void chaos_replicas_check_all(void);

#endif
