/* cluster.c: the members and the ring, as the client has learnt them. */
#include "client/cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "client/client.h"

/* ---- members ---- */

/* Where a member is, or would be inserted. */
static uint32_t member_place(const struct dynkv_cluster *cluster, uint64_t id)
{
    uint32_t low = 0, high = cluster->member_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (cluster->members[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct dynkv_cluster_member *member_find(const struct dynkv_cluster *cluster, uint64_t id)
{
    uint32_t place = member_place(cluster, id);

    if (place < cluster->member_count && cluster->members[place].id == id)
        return &cluster->members[place];
    return NULL;
}

static struct dynkv_cluster_member *member_insert(struct dynkv_cluster *cluster, uint64_t id)
{
    uint32_t place = member_place(cluster, id);
    struct dynkv_cluster_member *member;

    cluster->members =
        dynkv_realloc(cluster->members, (cluster->member_count + 1u) * sizeof *cluster->members);
    member = &cluster->members[place];
    memmove(member + 1, member, (cluster->member_count - place) * sizeof *member);
    cluster->member_count++;
    memset(member, 0, sizeof *member);
    member->id = id;
    return member;
}

static void member_learn(struct dynkv_cluster *cluster, const struct dynkv_member *told)
{
    struct dynkv_cluster_member *member = member_find(cluster, told->id);

    if (!member) {
        if (cluster->member_count == DYNKV_MEMBERS_MAX)
            return;
        member = member_insert(cluster, told->id);
    }
    member->is_gone |= told->left || told->excluded;
    if (told->incarnation < member->incarnation)
        return;
    member->incarnation = told->incarnation;
    member->joined = told->joined;
}

/* The sessions that stand for members, by what this reply says of their addresses. */
static struct dynkv_session *member_session(struct dynkv_client *client,
                                            const struct dynkv_member *told)
{
    struct dynkv_address address;
    char text[DYNKV_CLIENT_TEXT_MAX];

    /* One that is connected already and said so itself, under whatever name the user reached it. */
    for (uint32_t i = 0; i < client->session_count; i++) {
        struct dynkv_session *session = client->sessions[i];

        if (session->node_id == told->id && session->state == DYNKV_SESSION_OPEN)
            return session;
    }
    if (dynkv_address_parse(told->client_url, &address, text, sizeof text))
        return NULL;
    return dynkv_client_session(client, &address);
}

static void assign_sessions(struct dynkv_client *client, const struct dynkv_ring_reply *reply)
{
    struct dynkv_cluster *cluster = &client->cluster;

    for (uint32_t i = 0; i < reply->member_count; i++) {
        struct dynkv_cluster_member *member = member_find(cluster, reply->members[i].id);

        if (!member || member->is_gone || reply->members[i].incarnation < member->incarnation)
            continue;
        member->session = member_session(client, &reply->members[i]);
    }
    for (uint32_t i = 0; i < client->session_count; i++) {
        client->sessions[i]->expected_node_id = 0;
        client->sessions[i]->is_wanted =
            client->routing == DYNKV_ROUTE_ANY && i < client->seed_count;
    }
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        struct dynkv_cluster_member *member = &cluster->members[i];
        const struct dynkv_cluster_member *rival;

        if (member->is_gone)
            member->session = NULL;
        if (!member->session)
            continue;
        /* A node that lost its data and joined anew shares its address with what it was before. */
        rival = member_find(cluster, member->session->expected_node_id);
        if (rival && rival->joined > member->joined)
            continue;
        member->session->expected_node_id = member->id;
        member->session->is_wanted = true;
    }
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        struct dynkv_cluster_member *member = &cluster->members[i];

        if (member->session && member->session->expected_node_id != member->id)
            member->session = NULL;
    }
}

/* Connections to nodes that are no longer of use, unless something is still under way on them. */
static void close_unwanted(struct dynkv_client *client)
{
    for (uint32_t i = 0; i < client->session_count; i++) {
        struct dynkv_session *session = client->sessions[i];

        if (!session->is_wanted && session->state == DYNKV_SESSION_OPEN &&
            !session->in_flight.count && !session->queue.first)
            dynkv_session_close(session, DYNKV_CONNECT, "it is no member of the cluster");
    }
}

static void mark_down(struct dynkv_client *client, const struct dynkv_ring_reply *reply)
{
    struct dynkv_cluster *cluster = &client->cluster;

    cluster->anybody_down = false;
    for (uint32_t i = 0; i < client->session_count; i++)
        client->sessions[i]->is_down = false;
    for (uint32_t i = 0; i < reply->down_count; i++) {
        struct dynkv_cluster_member *member = member_find(cluster, reply->down[i].id);

        if (!member || member->is_gone)
            continue;
        cluster->anybody_down = true;
        if (member->session)
            member->session->is_down = true;
    }
}

/* ---- the ring ---- */

static void forget(struct dynkv_client *client)
{
    struct dynkv_cluster *cluster = &client->cluster;

    if (cluster->ring)
        dynkv_ring_free(cluster->ring);
    free(cluster->members);
    cluster->ring = NULL;
    cluster->members = NULL;
    cluster->member_count = 0;
    cluster->ring_version = 0;
    cluster->epoch = 0;
    cluster->cluster_id = 0;
    cluster->anybody_down = false;
    memset(cluster->seen_versions, 0, sizeof cluster->seen_versions);
    for (uint32_t i = 0; i < client->session_count; i++) {
        client->sessions[i]->expected_node_id = 0;
        client->sessions[i]->is_down = false;
        client->sessions[i]->is_wanted = i < client->seed_count;
    }
}

static void see_version(struct dynkv_cluster *cluster, uint64_t version)
{
    cluster->seen_versions[cluster->seen_next] = version;
    cluster->seen_next = (cluster->seen_next + 1) % DYNKV_SEEN_VERSIONS;
}

static void take_ring(struct dynkv_client *client, const struct dynkv_ring_reply *reply)
{
    struct dynkv_cluster *cluster = &client->cluster;

    if (cluster->ring && reply->epoch < cluster->epoch)
        return; /* of a node that has not heard of the newest yet */
    if (cluster->ring)
        dynkv_ring_free(cluster->ring);
    cluster->ring = dynkv_places_ring(reply->places, reply->place_count, reply->partitions);
    cluster->ring_version = dynkv_ring_version(cluster->ring);
    cluster->epoch = reply->epoch;
}

enum dynkv_error dynkv_cluster_take(struct dynkv_client *client,
                                    const struct dynkv_ring_reply *reply, char *text,
                                    size_t text_size)
{
    struct dynkv_cluster *cluster = &client->cluster;

    if (cluster->ring && reply->member_count == 0 && reply->ring_version == cluster->ring_version) {
        mark_down(client, reply);
        cluster->fetched_at_ms = client->now_ms;
        return DYNKV_OK;
    }
    if (reply->place_count == 0) {
        snprintf(text, text_size, "it is not part of a cluster yet");
        return DYNKV_UNAVAILABLE;
    }
    for (uint32_t i = 0; i < reply->member_count; i++)
        if (!reply->members[i].id)
            goto nonsense;
    if (!dynkv_places_are_possible(reply->places, reply->place_count) || !reply->partitions ||
        reply->partitions > DYNKV_PARTITIONS_MAX || (reply->partitions & (reply->partitions - 1)))
        goto nonsense;
    if (cluster->cluster_id && cluster->cluster_id != reply->cluster_id)
        forget(client);
    cluster->cluster_id = reply->cluster_id;
    for (uint32_t i = 0; i < reply->member_count; i++)
        member_learn(cluster, &reply->members[i]);
    take_ring(client, reply);
    see_version(cluster, reply->ring_version);
    assign_sessions(client, reply);
    mark_down(client, reply);
    close_unwanted(client);
    cluster->fetched_at_ms = client->now_ms;
    return DYNKV_OK;
nonsense:
    snprintf(text, text_size, "it told a ring that cannot be");
    return DYNKV_MALFORMED;
}

enum dynkv_error dynkv_cluster_on_hello(struct dynkv_client *client, struct dynkv_session *session,
                                        const struct dynkv_hello_reply *hello, char *text,
                                        size_t text_size)
{
    struct dynkv_cluster *cluster = &client->cluster;

    if (session->expected_node_id && session->expected_node_id != hello->node_id) {
        snprintf(text, text_size, "another node than the ring says answers there (%.*s)",
                 (int)hello->node_name.len, (const char *)hello->node_name.data);
        session->expected_node_id = 0;
        dynkv_cluster_refresh(client, NULL);
        return DYNKV_CONNECT;
    }
    if (!hello->cluster_id || !cluster->cluster_id || hello->cluster_id == cluster->cluster_id)
        return DYNKV_OK;
    for (uint32_t i = 0; i < client->session_count; i++) {
        if (client->sessions[i] == session || client->sessions[i]->state != DYNKV_SESSION_OPEN)
            continue;
        snprintf(text, text_size, "it belongs to another cluster than %s does",
                 client->sessions[i]->address.text);
        return DYNKV_REFUSED;
    }
    /* Nobody of the old cluster is left: it was taken down and another was born at its addresses. */
    forget(client);
    return DYNKV_OK;
}

void dynkv_cluster_on_version(struct dynkv_client *client, struct dynkv_session *session,
                              uint64_t ring_version)
{
    struct dynkv_cluster *cluster = &client->cluster;

    if (!cluster->ring || !ring_version || ring_version == cluster->ring_version)
        return;
    for (uint32_t i = 0; i < DYNKV_SEEN_VERSIONS; i++)
        if (cluster->seen_versions[i] == ring_version)
            return;
    see_version(cluster, ring_version);
    dynkv_cluster_refresh(client, session);
}

void dynkv_cluster_on_use(struct dynkv_client *client)
{
    struct dynkv_cluster *cluster = &client->cluster;

    if (cluster->ring && cluster->anybody_down &&
        client->now_ms - cluster->fetched_at_ms >= DYNKV_REFRESH_GAP_MS)
        dynkv_cluster_refresh(client, NULL);
}

void dynkv_cluster_fini(struct dynkv_client *client)
{
    DYNKV_ASSERT(!client->cluster.waiters);
    dynkv_cluster_fetch_cancel(client);
    forget(client);
}

/* ---- whom to ask ---- */

/* Appends those of the list that have this liveness. */
static uint32_t take_if(struct dynkv_session *const *list, uint32_t count,
                        enum dynkv_liveness wanted, struct dynkv_session **out, uint32_t have)
{
    for (uint32_t i = 0; i < count; i++)
        if (dynkv_session_liveness(list[i]) == wanted)
            out[have++] = list[i];
    return have;
}

/* Not another node that took over the address: it would answer for keys that are not its own. */
static bool answers_as(const struct dynkv_session *session, uint64_t id)
{
    return session->state != DYNKV_SESSION_OPEN || session->node_id == id;
}

uint32_t dynkv_cluster_replicas(const struct dynkv_client *client, uint32_t partition, uint32_t n,
                                struct dynkv_session **out)
{
    const struct dynkv_cluster *cluster = &client->cluster;
    uint64_t ids[DYNKV_REPLICAS_MAX];
    struct dynkv_session *sessions[DYNKV_REPLICAS_MAX];
    uint32_t count = 0, have;

    if (n > DYNKV_REPLICAS_MAX)
        n = DYNKV_REPLICAS_MAX;
    n = dynkv_ring_preference(cluster->ring, partition, ids, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct dynkv_cluster_member *member = member_find(cluster, ids[i]);

        if (member && member->session && answers_as(member->session, ids[i]))
            sessions[count++] = member->session;
    }
    have = take_if(sessions, count, DYNKV_LIVE, out, 0);
    have = take_if(sessions, count, DYNKV_DOUBTFUL, out, have);
    return take_if(sessions, count, DYNKV_DEAD, out, have);
}

/* Connected ones before those that would have to be, then by liveness. */
static uint32_t rank(const struct dynkv_session *session)
{
    enum dynkv_liveness liveness = dynkv_session_liveness(session);

    if (liveness == DYNKV_LIVE)
        return session->state == DYNKV_SESSION_OPEN ? 0 : 1;
    return 1 + (uint32_t)liveness;
}

uint32_t dynkv_cluster_anyone(const struct dynkv_client *client, struct dynkv_session **out,
                              uint32_t max)
{
    uint32_t have = 0;
    uint32_t considered =
        client->routing == DYNKV_ROUTE_ANY ? client->seed_count : client->session_count;

    for (uint32_t wanted = 0; wanted <= 1 + (uint32_t)DYNKV_DEAD; wanted++) {
        for (uint32_t i = 0; i < considered && have < max; i++) {
            struct dynkv_session *session = client->sessions[i];

            if ((session->is_wanted || i < client->seed_count) && rank(session) == wanted)
                out[have++] = session;
        }
    }
    return have;
}
