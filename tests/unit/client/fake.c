/*
 * fake.c: the scripted cluster.
 *
 * Every node is a process, so that it can go as real ones do (SIGKILL, with all its connections at
 * once), and because closing a libnng 1.5 socket that is at work may hang.  What the test says and what
 * the nodes count is in memory that all of them share.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/client/fake.h"

#include <dirent.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model/read_quorum.h"
#include "model/ring.h"
#include "tests/unit/client/fake_plan.h"
#include "tests/unit/client/fake_put.h"
#include "tests/unit/client/fake_scan.h"

#define CONTEXTS    32u
#define TYPES       64u
#define CLUSTER_ID  0xc105731u
#define SHARED_SIZE (16u * 1024u * 1024u) /* of the structures and all that is stored */

struct fake_context {
    struct fake_node *node;
    nng_ctx ctx;
    nng_aio *aio;
    bool is_sending;
};

struct fake_node {
    struct fake_cluster *cluster;
    uint64_t id;
    char url[160];
    char host[160];
    pid_t process; /* 0: not running */
    bool knows_keyspace;
    nng_socket socket;                      /* the node's own */
    struct fake_context contexts[CONTEXTS]; /* the node's own */
    struct fake_entry *entries;             /* in order of (partition, key) */
    enum fake_reaction reactions[TYPES];
    enum dynkv_error errors[TYPES];
    uint32_t messages[TYPES], items[TYPES];
    uint64_t stamp, sequence; /* of the last PUT */
    const char *extra_member;
};

struct fake_cluster {
    struct fake_node nodes[FAKE_NODES_MAX];
    uint32_t count;
    char hosts[512];
    char folder[64]; /* of ipc sockets */
    struct dynkv_ring *ring;
    pthread_mutex_t mutex; /* over all that the nodes and the test share */
    size_t used;           /* of the shared memory, which begins with this structure */
    uint32_t largest_items[TYPES];
    uint64_t largest_bytes[TYPES];
};

/* ---- shared memory ---- */

static void lock(struct fake_cluster *cluster)
{
    /* A node that was killed while it counted leaves the lock behind, and nothing half done. */
    if (pthread_mutex_lock(&cluster->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&cluster->mutex);
}

static void unlock(struct fake_cluster *cluster)
{
    pthread_mutex_unlock(&cluster->mutex);
}

static void *shared_alloc(struct fake_cluster *cluster, size_t size)
{
    void *result = (uint8_t *)cluster + cluster->used;

    cluster->used += (size + 15u) / 16u * 16u;
    assert_true(cluster->used <= SHARED_SIZE);
    return result;
}

static struct dynkv_slice shared_copy(struct fake_cluster *cluster, struct dynkv_slice from)
{
    return dynkv_slice(memcpy(shared_alloc(cluster, from.len), from.data, from.len), from.len);
}

static struct fake_cluster *shared_new(void)
{
    struct fake_cluster *cluster = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_mutexattr_t attributes;

    assert_true(cluster != MAP_FAILED);
    cluster->used = (sizeof *cluster + 15u) / 16u * 16u;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&cluster->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return cluster;
}

/* ---- answering ---- */

uint64_t fake_keyspace(void)
{
    return dynkv_keyspace_id(dynkv_slice_text(FAKE_KEYSPACE), 1);
}

static void fill_ring(struct fake_node *node, struct dynkv_arena *arena,
                      struct dynkv_ring_reply *out)
{
    struct fake_cluster *cluster = node->cluster;
    uint32_t count = cluster->count + (node->extra_member ? 1u : 0u);

    out->cluster_id = CLUSTER_ID;
    out->ring_version = dynkv_ring_version(cluster->ring) + (node->extra_member ? 1u : 0u);
    out->partitions = FAKE_PARTITIONS;
    out->member_count = count;
    out->members = dynkv_arena_calloc(arena, count, sizeof *out->members);
    for (uint32_t i = 0; i < count; i++)
        out->members[i] = (struct dynkv_member){
            .id = i < cluster->count ? cluster->nodes[i].id : 0x77,
            .incarnation = 1,
            .client_url =
                dynkv_slice_text(i < cluster->count ? cluster->nodes[i].url : node->extra_member),
            .weight = 100,
            .joined = i + 1,
        };
    out->place_count = count;
    out->places = dynkv_arena_calloc(arena, count, sizeof *out->places);
    for (uint32_t i = 0; i < count; i++)
        out->places[i] = (struct dynkv_place){
            .id = out->members[i].id,
            .holder = out->members[i].id,
            .zone = dynkv_ring_zone(out->members[i].zone),
            .weight = 100,
            .joined = i + 1,
        };
}

static const struct fake_entry *entry_find(const struct fake_node *node, struct dynkv_slice key)
{
    for (const struct fake_entry *entry = node->entries; entry; entry = entry->next)
        if (dynkv_slice_equal(entry->key, key))
            return entry;
    return NULL;
}

static void fill_get(struct fake_node *node, const struct dynkv_get *get, struct dynkv_arena *arena,
                     struct dynkv_get_reply *out)
{
    out->result_count = get->item_count;
    out->results = dynkv_arena_calloc(arena, get->item_count, sizeof *out->results);
    for (uint32_t i = 0; i < get->item_count; i++) {
        const struct fake_entry *entry = entry_find(node, get->items[i].key);
        struct dynkv_object object;

        out->results[i].answers = get->flags & DYNKV_GET_COORDINATE ? 2 : 0;
        if (!entry)
            continue;
        dynkv_object_decode(entry->object, arena, &object);
        out->results[i].digest = dynkv_object_digest(&object);
        if (get->items[i].want == DYNKV_WANT_OBJECT)
            out->results[i].object = entry->object;
    }
}

static uint32_t item_count(const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    switch (envelope->type) {
    case DYNKV_MESSAGE_GET:
        return body->get.item_count;
    case DYNKV_MESSAGE_PUT:
        return body->put.item_count;
    case DYNKV_MESSAGE_REPAIR:
        return body->repair.item_count;
    default:
        return 0;
    }
}

static void fill_keyspace(struct fake_node *node, const struct dynkv_keyspace_open *open,
                          struct dynkv_arena *arena, struct dynkv_keyspace_reply *out)
{
    struct dynkv_slice name = dynkv_slice_copy(open->name, arena);

    if (open->flags & DYNKV_KEYSPACE_CREATE)
        node->knows_keyspace = true;
    out->keyspace_count = 1;
    out->keyspaces = dynkv_arena_calloc(arena, 1, sizeof *out->keyspaces);
    out->keyspaces[0] = (struct dynkv_keyspace_info){
        .id = dynkv_keyspace_id(name, 1),
        .name = name,
        .generation = 1,
        .n = open->n ? open->n : (uint8_t)node->cluster->count,
        .r = open->r ? open->r : (uint8_t)(node->cluster->count > 1 ? 2 : 1),
        .w = open->w ? open->w : (uint8_t)(node->cluster->count > 1 ? 2 : 1),
        .ttl_ms = open->ttl_ms,
    };
}

static bool needs_keyspace(uint8_t type)
{
    return type == DYNKV_MESSAGE_GET || type == DYNKV_MESSAGE_PUT || type == DYNKV_MESSAGE_SCAN;
}

static void fill_error(union dynkv_body *reply, uint8_t *reply_type, enum dynkv_error error)
{
    *reply_type = DYNKV_MESSAGE_ERROR;
    reply->error_reply.error = (uint8_t)error;
    reply->error_reply.text = dynkv_slice_text("scripted refusal");
}

/* Fills reply and its type; false: no answer. */
static bool answer(struct fake_node *node, const struct dynkv_envelope *envelope,
                   const union dynkv_body *body, struct dynkv_arena *arena, uint8_t *reply_type,
                   union dynkv_body *reply)
{
    uint8_t type = envelope->type;
    enum fake_reaction reaction = node->reactions[type];

    *reply_type = (uint8_t)(type + 1);
    if (reaction == FAKE_ERROR_ONCE)
        node->reactions[type] = FAKE_NORMAL;
    if (reaction == FAKE_SILENT)
        return false;
    if (reaction == FAKE_SILENT_AFTER_ONE)
        node->reactions[type] = FAKE_SILENT;
    if (reaction == FAKE_ERROR || reaction == FAKE_ERROR_ONCE) {
        fill_error(reply, reply_type, node->errors[type]);
        return true;
    }
    if (needs_keyspace(type) && !node->knows_keyspace) {
        fill_error(reply, reply_type, DYNKV_NO_KEYSPACE);
        return true;
    }
    switch (type) {
    case DYNKV_MESSAGE_HELLO:
        reply->hello_reply = (struct dynkv_hello_reply){
            .protocol = 1, .cluster_id = CLUSTER_ID, .node_id = node->id};
        return true;
    case DYNKV_MESSAGE_CLUSTER_CHANGE:
        fake_fill_plan(&body->cluster_change, arena, &reply->cluster_plan);
        return true;
    case DYNKV_MESSAGE_RING:
        fill_ring(node, arena, &reply->ring_reply);
        return true;
    case DYNKV_MESSAGE_STATUS:
        reply->status_reply.node_id = node->id;
        return true;
    case DYNKV_MESSAGE_KEYSPACE_OPEN:
        if (!node->knows_keyspace && !(body->keyspace_open.flags & DYNKV_KEYSPACE_CREATE))
            fill_error(reply, reply_type, DYNKV_NO_KEYSPACE);
        else
            fill_keyspace(node, &body->keyspace_open, arena, &reply->keyspace_reply);
        if (*reply_type != DYNKV_MESSAGE_ERROR)
            *reply_type = DYNKV_MESSAGE_KEYSPACE_REPLY;
        return true;
    case DYNKV_MESSAGE_GET:
        fill_get(node, &body->get, arena, &reply->get_reply);
        return true;
    case DYNKV_MESSAGE_PUT:
        fake_fill_put(node->id, &body->put, arena, &reply->put_reply);
        return true;
    case DYNKV_MESSAGE_SCAN:
        fake_fill_scan(node->entries, &body->scan, arena, &reply->scan_reply);
        return true;
    default:
        *reply_type = DYNKV_MESSAGE_DONE;
        return true;
    }
}

static void count_message(struct fake_node *node, const struct dynkv_envelope *envelope,
                          const union dynkv_body *body, size_t bytes)
{
    struct fake_cluster *cluster = node->cluster;
    uint32_t items = item_count(envelope, body);

    node->messages[envelope->type]++;
    node->items[envelope->type] += items;
    if (envelope->type == DYNKV_MESSAGE_PUT) {
        node->stamp = body->put.stamp;
        node->sequence = body->put.sequence;
    }
    if (items > cluster->largest_items[envelope->type])
        cluster->largest_items[envelope->type] = items;
    if (bytes > cluster->largest_bytes[envelope->type])
        cluster->largest_bytes[envelope->type] = bytes;
}

/* Turns a request into its reply in place; false: no answer. */
static bool handle(struct fake_node *node, nng_msg *message)
{
    struct dynkv_arena arena = {0};
    struct dynkv_buf out = {0};
    struct dynkv_envelope envelope, reply_envelope = {0};
    union dynkv_body body, reply;
    struct dynkv_slice bytes = dynkv_slice(nng_msg_body(message), nng_msg_len(message));
    bool answered = false;

    memset(&reply, 0, sizeof reply);
    lock(node->cluster);
    if (!dynkv_message_decode(bytes, &arena, &envelope, &body) && envelope.type < TYPES) {
        count_message(node, &envelope, &body, bytes.len);
        reply_envelope.request_id = envelope.request_id;
        reply_envelope.sender = node->id;
        reply_envelope.ring_version = dynkv_ring_version(node->cluster->ring);
        answered = answer(node, &envelope, &body, &arena, &reply_envelope.type, &reply);
    }
    if (answered) {
        dynkv_message_encode(&reply_envelope, &reply, &out);
        nng_msg_clear(message);
        nng_msg_append(message, out.data, out.len);
    }
    unlock(node->cluster);
    dynkv_buf_fini(&out);
    dynkv_arena_fini(&arena);
    return answered;
}

static void on_aio(void *argument)
{
    struct fake_context *context = argument;
    nng_msg *message;

    if (nng_aio_result(context->aio)) {
        message = context->is_sending ? nng_aio_get_msg(context->aio) : NULL;
        if (message)
            nng_msg_free(message);
        return; /* the node stops */
    }
    if (!context->is_sending) {
        message = nng_aio_get_msg(context->aio);
        if (handle(context->node, message)) {
            context->is_sending = true;
            nng_aio_set_msg(context->aio, message);
            nng_ctx_send(context->ctx, context->aio);
            return;
        }
        nng_msg_free(message);
    }
    context->is_sending = false;
    nng_ctx_recv(context->ctx, context->aio);
}

/* ---- starting and stopping ---- */

/* In the node's process: a failure ends it, and the test fails for want of the node. */
static void check(int result)
{
    if (result)
        abort();
}

static void node_listen(struct fake_node *node)
{
    nng_listener listener;
    int port;

    check(nng_rep0_open(&node->socket));
    check(nng_socket_set_size(node->socket, NNG_OPT_RECVMAXSZ, 0));
    check(nng_listen(node->socket, node->url, &listener, 0));
    if (strncmp(node->url, "tcp", 3) != 0)
        return;
    check(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port));
    snprintf(node->url, sizeof node->url, "tcp://127.0.0.1:%d", port);
    snprintf(node->host, sizeof node->host, "127.0.0.1:%d", port);
}

static void node_run(struct fake_node *node, int ready_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The test's own connections must not live on here. */
    check(dup2(ready_fd, 3) != 3);
    close_range(4, ~0u, 0);
    node_listen(node);
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        struct fake_context *context = &node->contexts[i];

        context->node = node;
        context->is_sending = false;
        check(nng_ctx_open(&context->ctx, node->socket));
        check(nng_aio_alloc(&context->aio, on_aio, context));
        nng_ctx_recv(context->ctx, context->aio);
    }
    check(write(3, "", 1) != 1);
    for (;;)
        pause();
}

void fake_node_start(struct fake_cluster *cluster, uint32_t index)
{
    struct fake_node *node = &cluster->nodes[index];
    int ready[2];
    char byte;
    pid_t process;

    assert_int_equal(pipe(ready), 0);
    process = fork();
    assert_true(process >= 0);
    if (process == 0)
        node_run(node, ready[1]);
    node->process = process; /* by the test alone: the memory is shared */
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
}

void fake_node_stop(struct fake_cluster *cluster, uint32_t index)
{
    struct fake_node *node = &cluster->nodes[index];

    if (!node->process)
        return;
    kill(node->process, SIGKILL);
    assert_int_equal(waitpid(node->process, NULL, 0), node->process);
    node->process = 0;
    if (strncmp(node->url, "ipc://", 6) == 0)
        unlink(node->url + 6);
}

struct fake_cluster *fake_cluster_start(uint32_t nodes, const char *scheme)
{
    struct fake_cluster *cluster = shared_new();
    struct dynkv_ring_member members[FAKE_NODES_MAX] = {0};

    assert_true(nodes <= FAKE_NODES_MAX);
    cluster->count = nodes;
    snprintf(cluster->folder, sizeof cluster->folder, "/tmp/dynkv-fake-XXXXXX");
    assert_non_null(mkdtemp(cluster->folder));
    for (uint32_t i = 0; i < nodes; i++)
        members[i] = (struct dynkv_ring_member){.id = 0x1001u + i,
                                                .zone = dynkv_hash((struct dynkv_slice){0}, 0),
                                                .joined = i + 1,
                                                .weight = 100};
    cluster->ring = dynkv_ring_new(members, nodes, FAKE_PARTITIONS);
    for (uint32_t i = 0; i < nodes; i++) {
        struct fake_node *node = &cluster->nodes[i];

        node->cluster = cluster;
        node->id = members[i].id;
        node->knows_keyspace = true;
        if (strcmp(scheme, "ipc") == 0) {
            snprintf(node->url, sizeof node->url, "ipc://%s/%u", cluster->folder, i);
            memcpy(node->host, node->url, sizeof node->host);
        } else {
            snprintf(node->url, sizeof node->url, "tcp://127.0.0.1:0");
        }
        fake_node_start(cluster, i);
        snprintf(cluster->hosts + strlen(cluster->hosts),
                 sizeof cluster->hosts - strlen(cluster->hosts), "%s%s", i ? "," : "", node->host);
    }
    return cluster;
}

void fake_cluster_stop(struct fake_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++)
        fake_node_stop(cluster, i);
    rmdir(cluster->folder);
    dynkv_ring_free(cluster->ring);
    pthread_mutex_destroy(&cluster->mutex);
    munmap(cluster, SHARED_SIZE);
}

/* ---- what the test says and asks ---- */

const char *fake_hosts(const struct fake_cluster *cluster)
{
    return cluster->hosts;
}

const char *fake_host(const struct fake_cluster *cluster, uint32_t node)
{
    return cluster->nodes[node].host;
}

void fake_set_knows_keyspace(struct fake_cluster *cluster, uint32_t node, bool knows)
{
    lock(cluster);
    cluster->nodes[node].knows_keyspace = knows;
    unlock(cluster);
}

void fake_set_extra_member(struct fake_cluster *cluster, uint32_t node, const char *url)
{
    lock(cluster);
    cluster->nodes[node].extra_member =
        (const char *)shared_copy(cluster, dynkv_slice(url, strlen(url) + 1)).data;
    unlock(cluster);
}

void fake_react(struct fake_cluster *cluster, uint32_t node, uint8_t type,
                enum fake_reaction reaction, enum dynkv_error error)
{
    lock(cluster);
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (node != FAKE_ANY && node != i)
            continue;
        cluster->nodes[i].reactions[type] = reaction;
        cluster->nodes[i].errors[type] = error;
    }
    unlock(cluster);
}

static uint32_t partition_of(const struct fake_cluster *cluster, struct dynkv_slice key)
{
    return dynkv_ring_partition(cluster->ring, dynkv_ring_hash(fake_keyspace(), key));
}

static void store_one(struct fake_cluster *cluster, struct fake_node *node, struct dynkv_slice key,
                      const struct dynkv_object *object)
{
    struct fake_entry *entry = shared_alloc(cluster, sizeof *entry);
    struct fake_entry **at = &node->entries;
    struct dynkv_buf encoded = {0};

    dynkv_object_encode(object, &encoded);
    entry->key = shared_copy(cluster, key);
    entry->object = shared_copy(cluster, dynkv_buf_slice(&encoded));
    entry->partition = partition_of(cluster, key);
    dynkv_buf_fini(&encoded);
    while (*at && ((*at)->partition < entry->partition ||
                   ((*at)->partition == entry->partition &&
                    dynkv_slice_compare((*at)->key, entry->key) < 0)))
        at = &(*at)->next;
    entry->next = *at;
    *at = entry;
}

void fake_store(struct fake_cluster *cluster, uint32_t node, const char *key, uint64_t actor,
                uint64_t counter, const char *value)
{
    struct dynkv_sibling sibling = {
        .dot = {actor, counter}, .timestamp = counter, .value = dynkv_slice_text(value)};
    struct dynkv_object nothing = {0}, object;
    struct dynkv_version context = {0};
    struct dynkv_arena arena = {0};

    lock(cluster);
    assert_int_equal(dynkv_object_put(&nothing, &context, &sibling, &arena, &object), DYNKV_OK);
    for (uint32_t i = 0; i < cluster->count; i++)
        if (node == FAKE_ANY || node == i)
            store_one(cluster, &cluster->nodes[i], dynkv_slice_text(key), &object);
    unlock(cluster);
    dynkv_arena_fini(&arena);
}

uint32_t fake_node_at(const struct fake_cluster *cluster, const char *key, uint32_t place)
{
    uint64_t ids[FAKE_NODES_MAX];
    uint32_t count = dynkv_ring_preference(
        cluster->ring, partition_of(cluster, dynkv_slice_text(key)), ids, FAKE_NODES_MAX);

    assert_true(place < count);
    return (uint32_t)(ids[place] - 0x1001u);
}

static uint32_t sum(struct fake_cluster *cluster, uint32_t node, uint8_t type, bool items)
{
    uint32_t total = 0;

    lock(cluster);
    for (uint32_t i = 0; i < cluster->count; i++)
        if (node == FAKE_ANY || node == i)
            total += items ? cluster->nodes[i].items[type] : cluster->nodes[i].messages[type];
    unlock(cluster);
    return total;
}

uint32_t fake_messages(struct fake_cluster *cluster, uint32_t node, uint8_t type)
{
    return sum(cluster, node, type, false);
}

uint32_t fake_items(struct fake_cluster *cluster, uint32_t node, uint8_t type)
{
    return sum(cluster, node, type, true);
}

uint32_t fake_largest_items(struct fake_cluster *cluster, uint8_t type)
{
    return cluster->largest_items[type];
}

uint64_t fake_last_stamp(const struct fake_cluster *cluster, uint32_t node)
{
    return cluster->nodes[node].stamp;
}

uint64_t fake_last_sequence(const struct fake_cluster *cluster, uint32_t node)
{
    return cluster->nodes[node].sequence;
}

uint64_t fake_largest_bytes(struct fake_cluster *cluster, uint8_t type)
{
    return cluster->largest_bytes[type];
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void fake_await_messages(struct fake_cluster *cluster, struct dynkv_client *client, uint32_t node,
                         uint8_t type, uint32_t count)
{
    uint64_t end_ms = now_ms() + FAKE_WAIT_MS;

    while (fake_messages(cluster, node, type) < count) {
        assert_true(now_ms() < end_ms);
        dynkv_client_poll(client, 1);
    }
}

static struct dynkv_client *client_of(const char *hosts, uint32_t patience_ms)
{
    struct dynkv_client_options options = {
        .hosts = hosts, .name = "test", .patience_ms = patience_ms};
    struct dynkv_client *client;
    char text[DYNKV_CLIENT_TEXT_MAX];

    assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_OK);
    return client;
}

struct dynkv_client *fake_client_of(const char *hosts)
{
    return client_of(hosts, FAKE_WAIT_MS);
}

static struct dynkv_client *client_with_keyspace(struct fake_cluster *cluster, uint32_t patience_ms)
{
    struct dynkv_client *client = client_of(fake_hosts(cluster), patience_ms);
    struct dynkv_request *request =
        dynkv_keyspace_open_start(client, FAKE_KEYSPACE, false, NULL, FAKE_WAIT_MS);

    dynkv_request_wait(request);
    assert_string_equal(dynkv_request_text(request), "");
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    assert_true(dynkv_request_keyspaces(request, NULL)[0].id == fake_keyspace());
    dynkv_request_free(request);
    return client;
}

struct dynkv_client *fake_client(struct fake_cluster *cluster)
{
    return client_with_keyspace(cluster, FAKE_WAIT_MS);
}

struct dynkv_client *fake_hasty_client(struct fake_cluster *cluster)
{
    return client_with_keyspace(cluster, FAKE_HASTE_MS);
}

uint32_t fake_open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint32_t count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

struct dynkv_key_ref fake_key(const char *key)
{
    return (struct dynkv_key_ref){.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key)};
}
