/*
 * sim.h: the simulator's parts, shared by the files of tests/sim.
 *
 *   main.c      arguments, seeds, summary            report.c   violations, seed lines, the trace
 *   swarm.c     what a seed draws                    run.c      a seed's phases: birth, safety, healing
 *   trial.c     what a healed cluster is put to
 *   queue.c     virtual time: what happens next      cluster.c  nodes: life, steps, effects
 *   network.c   frames and requests on their way     disk.c     stores that take time and lose things
 *   faults.c    when what breaks                     workload.c clients; read.c scan.c their reads
 *   operator.c  joins, leaves, replacements          rings.c    the rings that were in use
 *   oracle.c    what was written, applied, acknowledged
 *   check_*.c   one invariant each, called by the oracle; check.h lists them
 *
 * One process, one thread, virtual time in microseconds.  All randomness comes from the seed, in one
 * stream per part, so that a change to one part leaves the choices of the others alone.
 */
#ifndef DYNKV_SIM_H
#define DYNKV_SIM_H

#include "base/avl.h"
#include "base/map.h"
#include "base/random.h"
#include "core/mutant.h"
#include "core/node.h"
#include "model/clock.h"
#include "model/object.h"
#include "model/read_quorum.h"
#include "model/ring.h"

#define SIM_NODES_MAX     12u
#define SIM_CLIENTS_MAX   16u
#define SIM_KEYS_MAX      64u
#define SIM_KEYSPACES_MAX 3u
#define SIM_BATCH_MAX     6u /* items of one client request */
#define SIM_CHANGES_MAX   256u
#define SIM_STATES_KEPT   8u /* of each key, to be merged with each other */
#define SIM_WALL_START_MS 1700000000000u
#define SIM_MS            1000u /* microseconds of virtual time */
#define SIM_SECOND        1000000u

struct sim;

/* ---- what is asked for, and what a seed draws ---- */

/* X(NAME, name, what it does) */
#define SIM_FAULTS(X)                                                            \
    X(LOSS, loss, "messages are lost")                                           \
    X(DUPLICATE, duplicate, "messages come twice")                               \
    X(DELAY, delay, "messages are late and overtake each other")                 \
    X(PARTITION, partition, "links are cut: in halves, one way, one node alone") \
    X(CRASH, crash, "nodes crash, or stop cleanly, and restart")                 \
    X(PAUSE, pause, "nodes stop for a while, and go on")                         \
    X(CLOCK, clock, "clocks drift and jump both ways")                           \
    X(SLOW_DISK, slow_disk, "a disk is slow for a while")                        \
    X(BAD_DISK, bad_disk, "a disk fails until the node is restarted")            \
    X(RESTORE, restore, "a node comes back with an old copy of its store")       \
    X(WIPE, wipe, "a node comes back with an empty store")                       \
    X(JOIN, join, "a node is added, and joins by a staged change")               \
    X(LEAVE, leave, "a member leaves by a staged change")                        \
    X(REPLACE, replace, "a member, dead or alive, is replaced")                  \
    X(CANCEL, cancel, "changes of the membership are cancelled")

enum sim_fault {
#define SIM_FAULT_ENUM(upper, name, text) SIM_FAULT_##upper,
    SIM_FAULTS(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT
};

struct sim_options {
    uint64_t first_seed, last_seed;
    uint32_t nodes; /* 0: drawn */
    uint32_t ops;
    uint32_t faults; /* bits by enum sim_fault */
    enum dynkv_mutant mutant;
    const char *meant_for; /* stop at the first violation of this invariant; NULL: any */
    bool trace, quiet;
};

enum sim_trial {
    SIM_TRIAL_NONE,
    SIM_TRIAL_ABSENT,
    SIM_TRIAL_REPAIR,
};

struct sim_keyspace_plan {
    uint8_t n, r, w;
    uint64_t ttl_ms;
};

/* Rates are per million unless the name has a unit. */
struct sim_swarm {
    uint32_t nodes, partitions, clients, keys, keyspace_count;
    struct sim_keyspace_plan keyspaces[SIM_KEYSPACES_MAX];
    uint32_t faults;
    uint32_t loss, duplicate, late;
    bool in_order; /* links keep the order of their frames */
    uint32_t link_us, jitter_us, late_us;
    uint32_t gather_us; /* how long a node gathers events before it flushes */
    uint32_t read_us, sync_us;
    uint32_t fault_every_us;
    uint32_t think_us;
    uint32_t put_share, delete_share, scan_share, direct_share; /* percent */
    uint32_t context_share, blind_share, retry_share, ttl_share, batch_share;
    uint32_t odd_quorum_share; /* requests with r or w of their own */
    uint32_t client_deadline_ms;
    int64_t client_skew_ms, node_skew_ms; /* at most, either way */
    uint32_t reap_interval_ms;
    uint32_t strict_share;               /* percent of the puts */
    uint32_t hints_max, hints_bytes_max; /* 0: as many as anybody would */
    uint32_t sync_every_ms;
    uint32_t trial; /* enum sim_trial */
};

/* ---- the queue ---- */

enum sim_event_kind {
    SIM_TICK,    /* node */
    SIM_FRAME,   /* node, data: a peer's frame */
    SIM_REQUEST, /* node, token, data: a client's message */
    SIM_REPLY,   /* token, data: a node's answer, at the client */
    SIM_REFUSED, /* token: nobody listens there */
    SIM_FLUSH,   /* node */
    SIM_DISK_READ,
    SIM_DISK_SYNC,
    SIM_CLIENT_NEXT,    /* node is the client */
    SIM_CLIENT_TIMEOUT, /* node is the client, token its call */
    SIM_CLIENT_HEDGE,   /* the same */
    SIM_RESTART,        /* node, life */
    SIM_NEXT_FAULT,
    SIM_DISK_WELL, /* node: it is as fast as ever again */
};

struct sim_event {
    uint64_t at_us, order;
    uint8_t kind;   /* enum sim_event_kind */
    uint32_t node;  /* or client */
    uint32_t life;  /* of the node it is meant for, where that matters */
    uint64_t token; /* what the kind says */
    uint8_t *data;  /* owned */
    size_t len;
};

struct sim_queue {
    struct sim_event *heap;
    uint32_t count, cap;
    uint64_t next_order;
};

void sim_at(struct sim *sim, uint64_t delay_us, struct sim_event event);
/* Takes the earliest; false if there is none. */
bool sim_queue_take(struct sim_queue *queue, struct sim_event *out);
void sim_queue_fini(struct sim_queue *queue);

/* ---- stores ---- */

struct sim_cell {
    struct dynkv_avl_node node;
    uint32_t partition;
    uint64_t keyspace;
    struct dynkv_slice key;  /* owned */
    struct dynkv_buf record; /* durable; empty: not there */
    struct dynkv_buf newest; /* what the node made of it last, in newest_life */
    uint32_t newest_life;
};

struct sim_disk {
    struct dynkv_avl cells; /* records */
    struct dynkv_avl hints; /* partition 0, keyspace: whom it is for, key: as the core makes it */
    struct dynkv_buf state, lease;
    bool is_clean; /* the last run stopped cleanly */
};

struct sim_job {
    struct sim_job *next;
    struct dynkv_effects effects;
    bool is_writing;
};

struct sim_cell *sim_disk_cell(struct sim_disk *disk, uint32_t partition, uint64_t keyspace,
                               struct dynkv_slice key, bool make);
/* The same for a hint. */
struct sim_cell *sim_disk_hint(struct sim_disk *disk, uint64_t hint_for, struct dynkv_slice key,
                               bool make);
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);
void sim_disk_fini(struct sim_disk *disk);

/* ---- nodes ---- */

struct sim_node {
    struct dynkv_node *core; /* NULL while it is down */
    struct dynkv_effects effects;
    uint32_t index, life; /* life: raised by every start and stop */
    uint64_t id;
    uint64_t actor, actor_before; /* now, and before the last step */
    bool is_wiped;   /* came back empty: it is no member, and cannot become one by itself */
    uint64_t old_id; /* whom the others still list, when it was wiped */
    bool flush_due;
    uint64_t paused_until_us;
    char name[12], url[20];
    /* clock */
    int64_t skew_us;
    int64_t drift_ppm;
    uint64_t drift_since_us;
    /* disk */
    struct sim_disk disk, backup;
    bool has_backup;
    struct sim_job *job_first, **job_last;
    bool disk_bad;
    uint32_t disk_slowness; /* times as slow */
    /* checks */
    uint64_t ring_seen;       /* the ring version checked last */
    uint64_t actor_timestamp; /* greatest this actor stamped */
    uint64_t refused_replies; /* SIBLINGS_LIMIT, told by this life */
    bool had_place;           /* under this identity */
    bool is_excluded;         /* somebody knows that it is: what it holds counts for nothing */
    bool has_left;   /* what an old copy of its store brings back counts for nothing, either */
    bool was_unsure; /* an old copy of its store may have brought it back behind the others */
    uint64_t changes_seen;
    uint64_t refused_hints; /* REPLICATE answered OVERLOADED, by this life */
};

void sim_node_start(struct sim *sim, struct sim_node *node);
/* Carries out all that it asked for, and marks the store clean, before it goes. */
void sim_node_stop(struct sim *sim, struct sim_node *node);
/* Loses all that is not durable; what is being synced is there or not, whole. */
void sim_node_crash(struct sim *sim, struct sim_node *node);
void sim_node_wipe(struct sim *sim, struct sim_node *node);
void sim_node_back_up(struct sim *sim, struct sim_node *node);
void sim_node_restore(struct sim *sim, struct sim_node *node);
uint64_t sim_node_wall_ms(const struct sim *sim, const struct sim_node *node);
void sim_node_set_skew(struct sim *sim, struct sim_node *node, int64_t skew_us);
void sim_node_step(struct sim *sim, struct sim_node *node, struct dynkv_event *event);
void sim_node_on_event(struct sim *sim, struct sim_node *node, struct sim_event *event);
uint64_t sim_node_counter(struct sim *sim, const struct sim_node *node, const char *name);
/* A member of the cluster that is up: it may serve. */
bool sim_node_serves(const struct sim_node *node);
struct sim_node *sim_node_by_id(struct sim *sim, uint64_t id);
void sim_disk_start_job(struct sim *sim, struct sim_node *node);
void sim_disk_on_read(struct sim *sim, struct sim_node *node);
void sim_disk_on_sync(struct sim *sim, struct sim_node *node);
void sim_disk_lose_jobs(struct sim *sim, struct sim_node *node);
void sim_disk_finish_jobs(struct sim *sim, struct sim_node *node);

/* ---- network ---- */

struct sim_network {
    struct dynkv_random random;
    uint64_t cut_until_us[SIM_NODES_MAX][SIM_NODES_MAX];
    uint64_t client_cut_until_us[SIM_NODES_MAX];
    uint64_t last_us[SIM_NODES_MAX][SIM_NODES_MAX];
};

void sim_network_send(struct sim *sim, struct sim_node *from, const struct dynkv_effects *effects);
void sim_network_request(struct sim *sim, uint32_t node, uint64_t token, struct dynkv_slice bytes);
void sim_network_reply(struct sim *sim, struct sim_node *from, uint64_t token,
                       struct dynkv_slice bytes);

/* ---- clients ---- */

struct sim_write;
struct sim_key;

/* Where a value has the number of its write, big-endian (workload.c). */
#define SIM_VALUE_NUMBER 4u

enum sim_op_kind {
    SIM_OP_NONE,
    SIM_OP_PUT,
    SIM_OP_GET,    /* coordinated by a node */
    SIM_OP_DIRECT, /* the client asks the replicas itself */
    SIM_OP_SCAN,
};

/* What a reader of a key may count on. */
struct sim_need {
    struct sim_key *key;
    struct dynkv_version version;
    uint32_t loss_epoch;
    uint64_t since_us; /* when it asked */
};

struct sim_client {
    uint32_t index;
    uint64_t id, sequence;
    uint64_t newest;       /* timestamp that it was shown, taken over by its clock or not */
    uint64_t stamp;        /* of the operation's writes; 0: their coordinator stamps them */
    uint64_t ring_version; /* of the ring that it knows */
    struct dynkv_clock clock;
    int64_t skew_ms;
    /* the operation in flight */
    enum sim_op_kind kind;
    uint64_t serial; /* of the call that is waited for */
    uint32_t node;   /* asked */
    uint32_t tries;
    bool heard_excluded; /* one that was excluded, which it had not heard, has answered */
    uint8_t keyspace, r, w, put_flags;
    struct sim_write *writes[SIM_BATCH_MAX];
    struct sim_need needs[SIM_KEYS_MAX];
    uint32_t need_count;
    uint64_t need_clock; /* its clock when it asked */
    struct dynkv_read_quorum read;
    uint32_t read_nodes[DYNKV_REPLICAS_MAX];
    struct dynkv_scan scan;
    uint32_t filter_least; /* of a scan with a filter: numbers of writes from here on */
    uint32_t pages;
    struct dynkv_arena arena;                  /* of the operation */
    struct dynkv_slice contexts[SIM_KEYS_MAX]; /* by key: what it read last; arena of the seed */
};

void sim_client_next(struct sim *sim, struct sim_client *client);
void sim_client_on_reply(struct sim *sim, uint64_t token, struct dynkv_slice bytes);
void sim_client_on_timeout(struct sim *sim, struct sim_client *client, uint64_t serial);
void sim_client_on_hedge(struct sim *sim, struct sim_client *client, uint64_t serial);
/* The value of a write, in the arena of the seed. */
struct dynkv_slice sim_value(struct sim *sim, uint32_t number, uint8_t len);
/* For the kinds of operations, each in its file. */
void sim_client_end(struct sim *sim, struct sim_client *client);
void sim_client_ask(struct sim *sim, struct sim_client *client, uint32_t node, uint32_t sub,
                    uint8_t type, const void *body);
void sim_client_begin(struct sim *sim, struct sim_client *client, enum sim_op_kind kind);
void sim_client_saw(struct sim *sim, struct sim_client *client, struct sim_key *key,
                    const struct dynkv_object *object);
struct sim_client *sim_client_of_token(struct sim *sim, uint64_t token);
uint32_t sim_token_sub(uint64_t token);
uint8_t sim_draw_quorum(struct sim *sim, uint8_t keyspace_default, uint8_t n);
void sim_get_begin(struct sim *sim, struct sim_client *client);
void sim_get_on_reply(struct sim *sim, struct sim_client *client,
                      const struct dynkv_get_reply *reply);
void sim_direct_begin(struct sim *sim, struct sim_client *client);
void sim_direct_on_answer(struct sim *sim, struct sim_client *client, uint32_t sub,
                          const struct dynkv_get_reply *reply);
void sim_direct_on_hedge(struct sim *sim, struct sim_client *client);
void sim_scan_begin(struct sim *sim, struct sim_client *client);
void sim_scan_on_reply(struct sim *sim, struct sim_client *client, uint32_t page,
                       const struct dynkv_scan_reply *reply);

/* ---- the oracle's memory ---- */

/* A write that a client asked for. */
struct sim_write {
    struct sim_write *next_of_key; /* newest first */
    uint32_t number;
    struct sim_key *key;
    uint64_t client, sequence;
    uint64_t client_clock; /* stamped on the request */
    uint64_t stamp;        /* with DYNKV_PUT_STAMPED: the time of whatever comes of it */
    uint8_t item_flags, w; /* w: what the request asks for, never 0 */
    bool is_strict;
    struct dynkv_slice context_bytes;
    struct dynkv_version context;
    uint64_t expires_at_ms;
    struct dynkv_slice value;
    bool is_asked;   /* sent at least once */
    bool is_applied; /* something came of it */
};

/* A dot: a write that a coordinator applied. */
struct sim_applied {
    struct dynkv_map_node by_dot;
    struct sim_applied *next_of_key; /* newest first */
    struct sim_write *write;         /* of a tombstone: one of those that explain it */
    struct dynkv_dot dot;
    struct dynkv_version context; /* what it supersedes */
    uint64_t timestamp, expires_at_ms, value_hash;
    uint8_t flags;
    uint32_t node, life;
    bool is_durable;      /* some disk had it: it may not vanish any more */
    bool is_acknowledged; /* a client was told OK */
    bool may_be_lost;     /* the disks that held it were lost */
    bool is_reaped;       /* it was a sibling of what was reaped: dead, and may come back as such */
    bool is_from_old;     /* an old copy of a store may have brought it back */
    uint32_t lost_from;   /* bits by node: held it durably, and lost its disk since */
};

struct sim_keyspace {
    uint64_t id;
    struct sim_keyspace_plan plan;
    char name[16];
};

struct sim_key {
    uint32_t number, keyspace;
    uint8_t bytes[24];
    uint32_t len, partition_len, partition;
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t replica_count;
    struct sim_write *writes;
    struct sim_applied *applied;
    /* What a read that overlaps a write at w = index may count on. */
    struct dynkv_version acknowledged[DYNKV_REPLICAS_MAX + 1];
    struct dynkv_version reaped; /* what has been reaped has seen all of this */
    uint64_t reaped_us;          /* when something was, last */
    uint32_t loss_epoch;         /* raised when a disk that held some of it is lost */
    struct dynkv_map states;     /* digests of the objects that were checked */
    struct dynkv_slice merge_states[SIM_STATES_KEPT]; /* the last of them */
    uint32_t merge_count;
};

/* What anti-entropy sent, while it is watched. */
struct sim_repair {
    bool is_watched;
    uint64_t objects, leaves, find_bytes;
    uint64_t reaped; /* records meanwhile: until all have done so, trees differ */
};

struct sim_report {
    bool found;
    char invariant[8];
    char text[600];
    uint64_t at_us;
};

struct sim {
    const struct sim_options *options;
    uint64_t seed;
    struct sim_swarm swarm;
    struct dynkv_random random; /* births, disks, tie-breaks */
    uint64_t now_us;
    struct sim_queue queue;
    struct sim_node nodes[SIM_NODES_MAX];
    uint32_t node_count, spares; /* nodes that there are; of those, added by the operator */
    struct sim_network network;
    struct dynkv_random fault_random, work_random;
    bool faults_on, work_on;
    uint64_t latest_wall_ms; /* the greatest that any clock, a client's too, ever showed */
    uint32_t wipes;
    struct sim_client clients[SIM_CLIENTS_MAX];
    uint64_t next_serial;
    uint32_t ops_left, clients_busy;
    uint64_t ops_done, steps;
    struct sim_keyspace keyspaces[SIM_KEYSPACES_MAX];
    struct sim_key keys[SIM_KEYS_MAX];
    struct dynkv_map key_map;
    struct dynkv_ring **rings; /* all that nodes have used, in the order in which they came to */
    uint32_t ring_count;
    uint64_t ring_version;                 /* of the first one; 0: not formed yet */
    uint32_t rings_of_birth;               /* how many there were when it was formed */
    uint64_t epoch_after[SIM_CHANGES_MAX]; /* epoch + 1 after each change that ended; 0: not yet */
    struct sim_write **writes;             /* by number */
    uint32_t write_count, write_cap;
    struct dynkv_map dots;
    /* Calls that run.c makes itself, outside the workload. */
    uint64_t probe_token;
    bool probe_answered;
    struct dynkv_slice probe_answer;
    struct sim_write *probe_write;
    struct sim_repair repair;
    struct dynkv_arena arena; /* of the seed */
    struct dynkv_arena step_arena;
    struct dynkv_buf scratch;
    uint64_t trace_hash;
    struct sim_report report;
};

/* ---- rings.c ---- */

/* A ring that was in use, by its version; NULL: none. */
const struct dynkv_ring *sim_ring_of(const struct sim *sim, uint64_t version);
/* Remembers the one that readers use on the node, or the other one that it writes to. */
const struct dynkv_ring *sim_ring_note(struct sim *sim, const struct sim_node *node, bool other);
/* After each step: a change may come and go within one. */
void sim_rings_note(struct sim *sim, const struct sim_node *node);
/* No node has used another ring than the one at the end of the birth, since then. */
bool sim_ring_is_first(const struct sim *sim);
uint32_t sim_key_replicas(const struct sim *sim, const struct dynkv_ring *ring,
                          const struct sim_key *key, uint64_t out[DYNKV_REPLICAS_MAX]);
bool sim_key_is_on(const struct sim *sim, const struct dynkv_ring *ring, const struct sim_key *key,
                   uint64_t id);
/* The replicas of all keys in the ring that is in use now. */
void sim_settle_keys(struct sim *sim);

/* ---- operator.c ---- */

void sim_operator_act(struct sim *sim, enum sim_fault fault);
/* Somebody who holds a place, or has not been excluded, will not come back. */
bool sim_operator_misses_somebody(struct sim *sim);
/* Nothing is left half done, and leavers are empty. */
void sim_operator_heal(struct sim *sim);

/* ---- run.c, swarm.c, faults.c, report.c ---- */

void sim_run_for(struct sim *sim, uint64_t us);

/* Runs one seed to its end or first violation, which is then in sim->report. */
void sim_run_seed(struct sim *sim, const struct sim_options *options, uint64_t seed);
void sim_fini(struct sim *sim);
void sim_run_for(struct sim *sim, uint64_t us);
/* A write outside of the workload; false: it was not answered OK. */
bool sim_probe_write(struct sim *sim, struct sim_key *key, struct sim_node *node, uint8_t w,
                     uint8_t put_flags);
void sim_trial(struct sim *sim);
void sim_swarm_draw(struct sim_swarm *swarm, const struct sim_options *options, uint64_t seed);
void sim_swarm_print(const struct sim_swarm *swarm, char *out, size_t size);
void sim_faults_start(struct sim *sim);
void sim_faults_next(struct sim *sim);
void sim_faults_end(struct sim *sim);
const char *sim_fault_name(enum sim_fault fault);
/* A line of the trace, when it was asked for. */
#define SIM_TRACE(sim, ...)              \
    do {                                 \
        if ((sim)->options->trace)       \
            sim_trace(sim, __VA_ARGS__); \
    } while (0)
__attribute__((format(printf, 2, 3))) void sim_trace(struct sim *sim, const char *format, ...);
/* Notes a violation; the first of a seed counts. */
__attribute__((format(printf, 3, 4))) void sim_violation(struct sim *sim, const char *invariant,
                                                         const char *format, ...);
const char *sim_key_text(const struct sim_key *key);
const char *sim_dot_text(const struct sim *sim, struct dynkv_dot dot);
const char *sim_version_text(const struct sim *sim, const struct dynkv_version *version);
void sim_hash(struct sim *sim, uint64_t number);

/* ---- draws ---- */

static inline uint64_t sim_below(struct dynkv_random *random, uint64_t bound)
{
    return bound ? dynkv_random_next(random) % bound : 0;
}

static inline bool sim_percent(struct dynkv_random *random, uint32_t percent)
{
    return sim_below(random, 100) < percent;
}

static inline bool sim_ppm(struct dynkv_random *random, uint32_t rate)
{
    return rate && sim_below(random, 1000000) < rate;
}

/* About mean on average, seldom several times as much: the sum of halvings of one draw. */
static inline uint64_t sim_around(struct dynkv_random *random, uint64_t mean)
{
    uint64_t bits = dynkv_random_next(random),
             doublings = (uint64_t)__builtin_ctzll(bits | 1u << 5);

    return (mean << doublings) / 4 + sim_below(random, mean / 2 + 1);
}

#endif
