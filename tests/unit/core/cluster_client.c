/* cluster_client.c: what tests ask of a cluster as a client (see cluster.h). */
#include <string.h>

#include "base/assert.h"
#include "cluster.h"

uint64_t cluster_keyspace(struct cluster *cluster, uint32_t node, const char *name, uint8_t n,
                          uint8_t r, uint8_t w)
{
    struct dynkv_keyspace_open body = {
        .name = dynkv_slice_text(name), .flags = DYNKV_KEYSPACE_CREATE, .n = n, .r = r, .w = w};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    if (!cluster_ask(cluster, node, DYNKV_MESSAGE_KEYSPACE_OPEN, &body, 1000, &envelope, &reply) ||
        envelope.type != DYNKV_MESSAGE_KEYSPACE_REPLY)
        return 0;
    return reply.keyspace_reply.keyspaces[0].id;
}

struct dynkv_put_result cluster_put(struct cluster *cluster, uint32_t node, uint64_t keyspace,
                                    const char *key, const char *value,
                                    const struct dynkv_slice *context)
{
    struct dynkv_put_item item = {
        .key = dynkv_slice_text(key),
        .partition_len = (uint32_t)strlen(key),
        .flags = (uint8_t)((value ? 0 : DYNKV_PUT_DELETE) | (context ? DYNKV_PUT_HAS_CONTEXT : 0)),
        .value = value ? dynkv_slice_text(value) : dynkv_slice(NULL, 0),
    };
    struct dynkv_put body = {.keyspace = keyspace, .items = &item, .item_count = 1};
    struct dynkv_put_result failed = {.error = DYNKV_TIMEOUT};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    if (context)
        item.context = *context;
    if (!cluster_ask(cluster, node, DYNKV_MESSAGE_PUT, &body, 1000, &envelope, &reply))
        return failed;
    if (envelope.type != DYNKV_MESSAGE_PUT_REPLY) {
        failed.error = reply.error_reply.error;
        return failed;
    }
    return reply.put_reply.results[0];
}

struct dynkv_get_result cluster_get(struct cluster *cluster, uint32_t node, uint64_t keyspace,
                                    const char *key, bool coordinate, uint8_t r,
                                    struct dynkv_object *object_out)
{
    struct dynkv_get_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key)};
    struct dynkv_get body = {
        .keyspace = keyspace,
        .flags = coordinate ? DYNKV_GET_COORDINATE : 0,
        .r = r,
        .items = &item,
        .item_count = 1,
    };
    struct dynkv_get_result failed = {.error = DYNKV_TIMEOUT};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    if (!cluster_ask(cluster, node, DYNKV_MESSAGE_GET, &body, 3000, &envelope, &reply))
        return failed;
    if (envelope.type != DYNKV_MESSAGE_GET_REPLY) {
        failed.error = reply.error_reply.error;
        return failed;
    }
    if (object_out)
        DYNKV_ASSERT(dynkv_object_decode(reply.get_reply.results[0].object, cluster_arena(cluster),
                                         object_out) == DYNKV_OK);
    return reply.get_reply.results[0];
}
