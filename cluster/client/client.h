/*
 * client.h: the client's own structure, shared by the files of this folder and by nobody else.
 *
 *   dynkv.h      the library's face
 *   client.c     making one, the loop: events, timers, failures to tell, flushing
 *   address.c    what the hosts text means        transport.c  a socket that speaks SP
 *   session.c    one node: queue, in flight, reconnecting, HELLO
 *   cluster.c    the members and the ring, when to fetch them anew, whom to ask for a key
 *   group.c      items -> one or a few messages for each node
 *   request.c    what all requests share: deadline, waiting for the ring, errors and their texts
 *   get.c put.c scan.c keyspace.c facts.c   the requests
 */
#ifndef DYNKV_CLIENT_CLIENT_H
#define DYNKV_CLIENT_CLIENT_H

#include "base/random.h"
#include "client/cluster.h"
#include "client/dynkv.h"
#include "client/session.h"
#include "client/timer.h"
#include "model/clock.h"

#define DYNKV_CONNECT_TIMEOUT_DEFAULT_MS 2000u
#define DYNKV_IN_FLIGHT_DEFAULT          (32u * 1024u * 1024u)
#define DYNKV_PATIENCE_DEFAULT_MS        250u

/* A keyspace this client has opened. */
struct dynkv_known_keyspace {
    struct dynkv_map_node node; /* by id */
    struct dynkv_keyspace_info info;
    uint64_t opened_at_ms;
    bool has_extent;
    struct dynkv_extent extent; /* as a node told last */
    char name[DYNKV_NAME_MAX + 1];
};

struct dynkv_client {
    enum dynkv_routing routing;
    char name[DYNKV_NAME_MAX + 1];
    uint32_t connect_timeout_ms;
    uint64_t max_in_flight_bytes;
    uint32_t patience_ms;

    int epoll_fd;
    uint64_t now_ms;    /* monotonic; as of the last call into the library */
    uint64_t polled_ms; /* when events were looked at last */
    struct dynkv_timers timers;
    struct dynkv_clock clock;
    uint64_t newest;            /* timestamp it was shown, whether the clock follows it or not */
    struct dynkv_random random; /* jitter */

    struct dynkv_session **sessions;
    uint32_t session_count, session_cap;
    uint32_t seed_count; /* the first so many come from hosts */
    struct dynkv_session *dirty;
    struct dynkv_exchange_list failed; /* exchanges whose owners are to be told */

    struct dynkv_cluster cluster;
    struct dynkv_map keyspaces;

    uint64_t id;       /* random: the writer's identity (struct dynkv_put) */
    uint64_t sequence; /* of its puts */
    uint64_t last_request_id;
    uint64_t last_group_stamp;

    struct dynkv_request *requests; /* all that are not freed */
    struct dynkv_scan_handle *scans;
    struct dynkv_client_stats stats;
};

/* Wall clock, milliseconds since 1970. */
uint64_t dynkv_client_wall_ms(void);
/* A timestamp from elsewhere: what is written after it has to be stamped later. */
void dynkv_client_observe(struct dynkv_client *client, uint64_t timestamp);
void dynkv_client_observe_object(struct dynkv_client *client, const struct dynkv_object *object);
/* A stamp for writes, later than all of those; 0: the clock is too far behind. */
uint64_t dynkv_client_stamp(struct dynkv_client *client);
/* Brings now_ms up to date, and takes note of connections that broke while nobody looked. */
void dynkv_client_enter(struct dynkv_client *client);
/* Tells failures and sends what should leave at once; the end of every call that starts something. */
void dynkv_client_leave(struct dynkv_client *client);
/* The session of an address, made if there is none. */
struct dynkv_session *dynkv_client_session(struct dynkv_client *client,
                                           const struct dynkv_address *address);

#endif
