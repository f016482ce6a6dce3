/* live_garbage.c: what anybody on the network can send to a port. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/live/live.h"
#include "wire/frame.h"

#define ROUNDS 40u

static void fill(struct dynkv_random *random, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)dynkv_random_next(random);
}

static int tcp_connect(const char *host_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(host_port, ':') + 1));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    live_fail(__FILE__, __LINE__, "cannot connect to %s: %s", host_port, strerror(errno));
}

/* All of it, or as much as the other side takes before it hangs up. */
static void tcp_throw(const char *url, const void *bytes, size_t len)
{
    int fd = tcp_connect(url);
    const char *at = bytes;

    while (len) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            break;
        at += sent;
        len -= (size_t)sent;
    }
    close(fd);
}

/* protocol: of the pretended sender, 0x30 REQ or 0x50 PUSH (SP's numbers). */
static void throw_raw(struct dynkv_random *random, const char *url, uint8_t protocol)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    uint8_t bytes[4096];

    tcp_throw(url, http, sizeof http - 1);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t len = 1 + (size_t)dynkv_random_below(random, sizeof bytes - 1);

        fill(random, bytes, len);
        if (i % 2) { /* a good greeting, then nonsense: half the time of a plausible length */
            memcpy(bytes, (uint8_t[]){0, 'S', 'P', 0, 0, protocol, 0, 0}, 8);
            if (i % 4 == 1 && len > 16) {
                memset(bytes + 8, 0, 7);
                bytes[15] = (uint8_t)dynkv_random_below(random, 64);
            }
        }
        tcp_throw(url, bytes, len);
    }
}

/* Whole messages of nonsense through a real REQ socket: each must be answered by an ERROR. */
static void throw_requests(struct dynkv_random *random, const char *url)
{
    struct live_client *client = live_client_open(url);
    uint8_t bytes[2048];

    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t len = (size_t)dynkv_random_below(random, sizeof bytes);
        struct dynkv_slice reply;
        struct live_answer answer = {0};

        fill(random, bytes, len);
        if (i % 2 && len > 2) { /* begin like a message */
            bytes[0] = DYNKV_PROTOCOL_VERSION;
            bytes[1] = (uint8_t)dynkv_random_below(random, 48);
        }
        CHECK(live_client_exchange(client, dynkv_slice(bytes, len), 5000, &reply),
              "no answer to %zu random bytes", len);
        CHECK(dynkv_message_decode(reply, &answer.arena, &answer.envelope, &answer.body) ==
                      DYNKV_OK &&
                  answer.envelope.type == DYNKV_MESSAGE_ERROR,
              "%zu random bytes were answered by something else than ERROR", len);
        live_answer_free(&answer);
    }
    live_client_close(client);
}

/* Frames of nonsense, and good frames around messages of nonsense, through a real PUSH socket. */
static void throw_frames(struct dynkv_random *random, const char *url)
{
    uint8_t bytes[2048];
    nng_socket push;

    nng_push0_open(&push);
    nng_socket_set_ms(push, NNG_OPT_SENDTIMEO, 5000);
    CHECK(nng_dial(push, url, NULL, 0) == 0, "cannot dial %s", url);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t len = (size_t)dynkv_random_below(random, sizeof bytes);
        struct dynkv_buf frame = {0};

        fill(random, bytes, len);
        if (i % 2) {
            dynkv_frame_begin(&frame, dynkv_random_next(random), dynkv_random_next(random));
            dynkv_frame_add(&frame, dynkv_slice(bytes, len));
        } else {
            dynkv_put_raw(&frame, dynkv_slice(bytes, len));
        }
        CHECK(nng_send(push, frame.data, frame.len, 0) == 0, "a frame was not taken");
        dynkv_buf_fini(&frame);
    }
    nng_close(push);
}

void live_throw_garbage(struct live_node *node)
{
    struct dynkv_random random = dynkv_random(20240501); /* a fixed run: a failure repeats */

    throw_raw(&random, live_node_client_url(node), 0x30);
    throw_raw(&random, live_node_peer_url(node), 0x50);
    throw_requests(&random, live_node_client_url(node));
    throw_frames(&random, live_node_peer_url(node));
}

bool live_http_get(const char *host_port, const char *path, char *out, size_t size)
{
    char request[512];
    int fd = tcp_connect(host_port);
    size_t used = 0;
    ssize_t got = 0;
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);

    if (send(fd, request, (size_t)len, MSG_NOSIGNAL) == len)
        while (used < size - 1 && (got = recv(fd, out + used, size - 1 - used, 0)) > 0)
            used += (size_t)got;
    out[used] = '\0';
    close(fd);
    return used > 0 && got >= 0;
}
