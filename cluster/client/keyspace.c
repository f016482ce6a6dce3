/* keyspace.c: keyspaces by name: open, alter, drop, list; and what the client remembers of them. */
#include <stdlib.h>

#include "base/assert.h"
#include "client/facts.h"

/* A keyspace opened longer ago than this is known to every node that is in touch with the others. */
#define NEWS_TRAVELS_MS 10000u

/* ---- those that are known ---- */

struct dynkv_known_keyspace *dynkv_keyspace_known(const struct dynkv_client *client, uint64_t id)
{
    struct dynkv_map_node *node = dynkv_map_find(&client->keyspaces, id);

    return node ? DYNKV_CONTAINER(node, struct dynkv_known_keyspace, node) : NULL;
}

/* What a node says of a keyspace; false if it cannot be. */
static bool is_sound(const struct dynkv_keyspace_info *info)
{
    return dynkv_keyspace_name_is_valid(info->name) && info->n >= 1 &&
           info->n <= DYNKV_REPLICAS_MAX && info->r >= 1 && info->r <= info->n && info->w >= 1 &&
           info->w <= info->n;
}

static void remember(struct dynkv_client *client, const struct dynkv_keyspace_info *info)
{
    struct dynkv_known_keyspace *known = dynkv_keyspace_known(client, info->id);

    if (!known) {
        known = dynkv_calloc(1, sizeof *known);
        known->opened_at_ms = client->now_ms;
        dynkv_map_add(&client->keyspaces, &known->node, info->id);
    }
    known->info = *info;
    memcpy(known->name, info->name.data, info->name.len);
    known->name[info->name.len] = 0;
    known->info.name = dynkv_slice_text(known->name);
}

void dynkv_keyspace_learn(struct dynkv_client *client, uint64_t keyspace,
                          const struct dynkv_extent *extent, uint32_t count)
{
    struct dynkv_known_keyspace *known = count ? dynkv_keyspace_known(client, keyspace) : NULL;

    if (!known)
        return;
    known->has_extent = true;
    known->extent = *extent;
}

bool dynkv_keyspace_extent(const struct dynkv_client *client, uint64_t keyspace,
                           struct dynkv_extent *out)
{
    const struct dynkv_known_keyspace *known = dynkv_keyspace_known(client, keyspace);

    if (known && known->has_extent)
        *out = known->extent;
    return known && known->has_extent;
}

void dynkv_keyspaces_fini(struct dynkv_client *client)
{
    struct dynkv_map_node *node;

    while ((node = dynkv_map_first(&client->keyspaces))) {
        dynkv_map_remove(&client->keyspaces, node);
        free(DYNKV_CONTAINER(node, struct dynkv_known_keyspace, node));
    }
    dynkv_map_fini(&client->keyspaces);
}

bool dynkv_keyspace_teach(struct dynkv_client *client, struct dynkv_session *session,
                          uint64_t keyspace, struct dynkv_exchange *exchange,
                          struct dynkv_keyspace_open *body, struct dynkv_arena *arena,
                          uint64_t deadline_at_ms, dynkv_exchange_done *on_done, void *owner)
{
    const struct dynkv_known_keyspace *known = dynkv_keyspace_known(client, keyspace);

    /*
     * Creating gives the same id only for a first generation; and a keyspace that was opened long ago
     * was dropped by somebody: a read or write must not bring it back.
     */
    if (!known || known->info.generation != 1 ||
        client->now_ms - known->opened_at_ms > NEWS_TRAVELS_MS)
        return false;
    *body = (struct dynkv_keyspace_open){
        .name = dynkv_slice_copy(known->info.name, arena),
        .flags = DYNKV_KEYSPACE_CREATE,
        .n = known->info.n,
        .r = known->info.r,
        .w = known->info.w,
        .ttl_ms = known->info.ttl_ms,
        .has_ttl = 1,
    };
    *exchange = (struct dynkv_exchange){
        .owner = owner,
        .type = DYNKV_MESSAGE_KEYSPACE_OPEN,
        .reply_type = DYNKV_MESSAGE_KEYSPACE_REPLY,
        .body = body,
        .arena = arena,
        .deadline_at_ms = deadline_at_ms,
        .on_done = on_done,
    };
    dynkv_session_submit(session, exchange);
    return true;
}

/* ---- requests ---- */

static bool take_reply(struct dynkv_request *request, const union dynkv_body *body,
                       const char **why)
{
    const struct dynkv_keyspace_reply *reply = &body->keyspace_reply;

    for (uint32_t i = 0; i < reply->keyspace_count; i++) {
        if (!is_sound(&reply->keyspaces[i])) {
            *why = "it told of a keyspace that cannot be";
            return false;
        }
    }
    for (uint32_t i = 0; i < reply->keyspace_count; i++)
        if (!reply->keyspaces[i].dropped)
            remember(request->client, &reply->keyspaces[i]);
    return true;
}

static bool take_one(struct dynkv_request *request, const union dynkv_body *body, const char **why)
{
    const struct dynkv_keyspace_reply *reply = &body->keyspace_reply;

    if (reply->keyspace_count == 1) {
        if (!take_reply(request, body, why))
            return false;
        dynkv_keyspace_learn(request->client, reply->keyspaces[0].id, reply->extent,
                             reply->extent_count);
        return true;
    }
    *why = "it told of several keyspaces, or none, where one was asked for";
    return false;
}

static const struct dynkv_ask_kind open_ask = {
    .type = DYNKV_MESSAGE_KEYSPACE_OPEN,
    .reply_type = DYNKV_MESSAGE_KEYSPACE_REPLY,
    .is_repeatable = true,
    .take = take_one,
};
/* A drop that was sent and lost may have been done; a second one would say that nothing is there. */
static const struct dynkv_ask_kind drop_ask = {
    .type = DYNKV_MESSAGE_KEYSPACE_DROP,
    .reply_type = DYNKV_MESSAGE_KEYSPACE_REPLY,
    .is_repeatable = false,
    .take = take_one,
};
static const struct dynkv_ask_kind list_ask = {
    .type = DYNKV_MESSAGE_KEYSPACE_LIST,
    .reply_type = DYNKV_MESSAGE_KEYSPACE_REPLY,
    .is_repeatable = true,
    .take = take_reply,
};

/* The name, copied; a request with an unfit name is done at once. */
static struct dynkv_slice take_name(struct dynkv_request *request, const char *name)
{
    struct dynkv_slice text = dynkv_slice_text(name ? name : "");

    if (!dynkv_keyspace_name_is_valid(text))
        dynkv_request_fail(request, DYNKV_INVALID,
                           "\"%.80s\" is no name for a keyspace: 1 to %u letters, digits, or any "
                           "of _ - . $",
                           name ? name : "", DYNKV_NAME_MAX);
    return dynkv_slice_copy(text, &request->arena);
}

static struct dynkv_request *open_start(struct dynkv_client *client, const char *name,
                                        enum dynkv_keyspace_open_flag flags,
                                        const struct dynkv_keyspace_settings *settings,
                                        uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_ask_new(client, &open_ask, deadline_ms);
    struct dynkv_keyspace_open *body = dynkv_arena_calloc(&request->arena, 1, sizeof *body);

    body->name = take_name(request, name);
    body->flags = (uint8_t)flags;
    if (settings) {
        body->n = settings->n;
        body->r = settings->r;
        body->w = settings->w;
        body->has_ttl = settings->has_ttl;
        body->ttl_ms = settings->ttl_ms;
    }
    dynkv_ask_launch(request, body, NULL);
    return request;
}

struct dynkv_request *dynkv_keyspace_open_start(struct dynkv_client *client, const char *name,
                                                bool create,
                                                const struct dynkv_keyspace_settings *settings,
                                                uint32_t deadline_ms)
{
    return open_start(client, name, create ? DYNKV_KEYSPACE_CREATE : 0, settings, deadline_ms);
}

struct dynkv_request *dynkv_keyspace_alter_start(struct dynkv_client *client, const char *name,
                                                 const struct dynkv_keyspace_settings *settings,
                                                 uint32_t deadline_ms)
{
    return open_start(client, name, DYNKV_KEYSPACE_ALTER, settings, deadline_ms);
}

struct dynkv_request *dynkv_keyspace_drop_start(struct dynkv_client *client, const char *name,
                                                uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_ask_new(client, &drop_ask, deadline_ms);
    struct dynkv_keyspace_drop *body = dynkv_arena_calloc(&request->arena, 1, sizeof *body);

    body->name = take_name(request, name);
    dynkv_ask_launch(request, body, NULL);
    return request;
}

struct dynkv_request *dynkv_keyspace_list_start(struct dynkv_client *client, uint32_t deadline_ms)
{
    struct dynkv_request *request = dynkv_ask_new(client, &list_ask, deadline_ms);
    struct dynkv_keyspace_list *body = dynkv_arena_calloc(&request->arena, 1, sizeof *body);

    dynkv_ask_launch(request, body, NULL);
    return request;
}

const struct dynkv_keyspace_info *dynkv_request_keyspaces(const struct dynkv_request *request,
                                                          uint32_t *count)
{
    const union dynkv_body *body = dynkv_ask_reply(request, DYNKV_MESSAGE_KEYSPACE_REPLY);

    if (count)
        *count = body ? body->keyspace_reply.keyspace_count : 0;
    return body ? body->keyspace_reply.keyspaces : NULL;
}
