/* live_client.c: a client that is a plain libnng REQ socket. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "tests/live/live.h"

struct live_client {
    struct live_client *next;
    nng_socket socket;
    nng_msg *last; /* the answer to the last exchange */
    uint64_t next_id;
};

static struct live_client *clients;

struct live_client *live_client_open(const char *url)
{
    struct live_client *client = dynkv_calloc(1, sizeof *client);
    int result = nng_req0_open(&client->socket);

    client->next = clients;
    clients = client;
    client->next_id = 1;
    CHECK(result == 0, "nng_req0_open: %s", nng_strerror(result));
    /* Never resend by itself: a test counts what was sent. */
    nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    nng_socket_set_ms(client->socket, NNG_OPT_RECONNMINT, 10);
    nng_socket_set_ms(client->socket, NNG_OPT_RECONNMAXT, 100);
    result = nng_dial(client->socket, url, NULL, NNG_FLAG_NONBLOCK);
    CHECK(result == 0, "nng_dial %s: %s", url, nng_strerror(result));
    return client;
}

void live_client_close(struct live_client *client)
{
    struct live_client **link = &clients;

    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    nng_close(client->socket);
    if (client->last)
        nng_msg_free(client->last);
    free(client);
}

void live_clients_end(void)
{
    while (clients)
        live_client_close(clients);
}

bool live_client_exchange(struct live_client *client, struct dynkv_slice bytes, uint32_t timeout_ms,
                          struct dynkv_slice *answer)
{
    nng_msg *message;

    nng_socket_set_ms(client->socket, NNG_OPT_SENDTIMEO, (nng_duration)timeout_ms);
    nng_socket_set_ms(client->socket, NNG_OPT_RECVTIMEO, (nng_duration)timeout_ms);
    if (client->last)
        nng_msg_free(client->last);
    client->last = NULL;
    nng_msg_alloc(&message, 0);
    nng_msg_append(message, bytes.data, bytes.len);
    if (nng_sendmsg(client->socket, message, 0)) {
        nng_msg_free(message);
        return false;
    }
    if (nng_recvmsg(client->socket, &client->last, 0)) {
        client->last = NULL;
        return false;
    }
    *answer = dynkv_slice(nng_msg_body(client->last), nng_msg_len(client->last));
    return true;
}

bool live_client_ask(struct live_client *client, uint8_t type, const void *body,
                     uint32_t deadline_ms, struct live_answer *answer)
{
    struct dynkv_envelope envelope = {
        .type = type, .request_id = client->next_id++, .deadline_ms = deadline_ms};
    struct dynkv_buf request = {0};
    struct dynkv_slice bytes;
    bool ok;

    *answer = (struct live_answer){0};
    dynkv_message_encode(&envelope, body, &request);
    ok =
        live_client_exchange(client, dynkv_buf_slice(&request), deadline_ms + 3000, &bytes) &&
        dynkv_message_decode(bytes, &answer->arena, &answer->envelope, &answer->body) == DYNKV_OK &&
        answer->envelope.request_id == envelope.request_id;
    if (!ok)
        live_answer_free(answer);
    dynkv_buf_fini(&request);
    return ok;
}

void live_answer_free(struct live_answer *answer)
{
    dynkv_arena_fini(&answer->arena);
}

/* Fails the test unless the answer has the type; an ERROR's text is shown. */
static void expect_type(const struct live_answer *answer, uint8_t type)
{
    const struct dynkv_error_reply *error = &answer->body.error_reply;

    CHECK(answer->envelope.type != DYNKV_MESSAGE_ERROR || type == DYNKV_MESSAGE_ERROR,
          "instead of %s: %s: %.*s", dynkv_message_name(type),
          dynkv_error_name((enum dynkv_error)error->error), (int)error->text.len,
          (const char *)error->text.data);
    CHECK(answer->envelope.type == type, "got %s instead of %s",
          dynkv_message_name(answer->envelope.type), dynkv_message_name(type));
}

uint64_t live_keyspace(struct live_client *client, const char *name, uint8_t n, uint8_t r,
                       uint8_t w)
{
    struct dynkv_keyspace_open body = {
        .name = dynkv_slice_text(name), .flags = DYNKV_KEYSPACE_CREATE, .n = n, .r = r, .w = w};
    struct live_answer answer;
    uint64_t id;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_KEYSPACE_OPEN, &body, 5000, &answer),
          "no answer to KEYSPACE_OPEN");
    expect_type(&answer, DYNKV_MESSAGE_KEYSPACE_REPLY);
    CHECK(answer.body.keyspace_reply.keyspace_count == 1, "one keyspace was asked for");
    id = answer.body.keyspace_reply.keyspaces[0].id;
    live_answer_free(&answer);
    return id;
}

struct dynkv_put_result live_put(struct live_client *client, uint64_t keyspace, const char *key,
                                 const char *value, uint8_t w, uint32_t deadline_ms)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key),
                                  .value = dynkv_slice_text(value)};
    struct dynkv_put body = {.keyspace = keyspace,
                             .w = w,
                             .client = (uint64_t)(uintptr_t)client,
                             .sequence = client->next_id,
                             .items = &item,
                             .item_count = 1};
    struct dynkv_put_result result = {0};
    struct live_answer answer;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_PUT, &body, deadline_ms, &answer),
          "no answer to PUT %s", key);
    if (answer.envelope.type == DYNKV_MESSAGE_ERROR) {
        result.error = answer.body.error_reply.error;
    } else {
        expect_type(&answer, DYNKV_MESSAGE_PUT_REPLY);
        CHECK(answer.body.put_reply.result_count == 1, "one key was put");
        result = answer.body.put_reply.results[0];
        result.context = dynkv_slice(NULL, 0); /* it goes with the answer */
    }
    live_answer_free(&answer);
    return result;
}

uint32_t live_get(struct live_client *client, uint64_t keyspace, const char *key, uint8_t r,
                  char value[256], enum dynkv_error *error)
{
    struct dynkv_get_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key)};
    struct dynkv_get body = {.keyspace = keyspace,
                             .flags = DYNKV_GET_COORDINATE,
                             .r = r,
                             .items = &item,
                             .item_count = 1};
    struct live_answer answer;
    struct dynkv_object object;
    uint64_t newest = 0;
    uint32_t alive = 0;

    value[0] = '\0';
    CHECK(live_client_ask(client, DYNKV_MESSAGE_GET, &body, 5000, &answer), "no answer to GET %s",
          key);
    if (answer.envelope.type == DYNKV_MESSAGE_ERROR) {
        *error = (enum dynkv_error)answer.body.error_reply.error;
        live_answer_free(&answer);
        return 0;
    }
    expect_type(&answer, DYNKV_MESSAGE_GET_REPLY);
    CHECK(answer.body.get_reply.result_count == 1, "one key was asked for");
    *error = (enum dynkv_error)answer.body.get_reply.results[0].error;
    CHECK(dynkv_object_decode(answer.body.get_reply.results[0].object, &answer.arena, &object) ==
              DYNKV_OK,
          "the object of %s does not decode", key);
    for (uint32_t i = 0; i < object.sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object.siblings[i];

        if (sibling->flags & DYNKV_SIBLING_TOMBSTONE)
            continue;
        alive++;
        if (sibling->timestamp >= newest)
            snprintf(value, 256, "%.*s", (int)sibling->value.len,
                     (const char *)sibling->value.data);
        newest = sibling->timestamp >= newest ? sibling->timestamp : newest;
    }
    live_answer_free(&answer);
    return alive;
}

uint64_t live_status_counter(const struct dynkv_status_reply *status, const char *name)
{
    for (uint32_t i = 0; i < status->counter_count; i++)
        if (dynkv_slice_equal(status->counters[i].name, dynkv_slice_text(name)))
            return status->counters[i].value;
    CHECK(false, "STATUS has no counter %s", name);
    return 0;
}

uint64_t live_counter(struct live_client *client, const char *name)
{
    struct dynkv_status body = {0};
    struct live_answer answer;
    uint64_t value;

    CHECK(live_client_ask(client, DYNKV_MESSAGE_STATUS, &body, 5000, &answer),
          "no answer to STATUS");
    expect_type(&answer, DYNKV_MESSAGE_STATUS_REPLY);
    value = live_status_counter(&answer.body.status_reply, name);
    live_answer_free(&answer);
    return value;
}
