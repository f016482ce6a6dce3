/*
 * live.h: what the live tests share: checks, nodes that are real processes, and a client that is a
 * plain libnng REQ socket speaking wire/message.h.
 *
 * A check that fails ends its test; all nodes are then killed and the next test begins.
 */
#ifndef DYNKV_TESTS_LIVE_H
#define DYNKV_TESTS_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "wire/message.h"

#define LIVE_PATIENCE_MS 20000u /* for what must happen, on a machine with other work to do */
#define LIVE_NODES_MAX   8u
#define LIVE_ARGS_MAX    32u
#define LIVE_LOG_MAX     (64u * 1024u)

/* ---- a run (live_run.c) ---- */

/* Once: makes the folder of all tests, and ends the nodes when a signal ends us. */
bool live_begin(const char *dynkvd);
/* Runs one test in a folder of its own, ends its nodes and clients; false if a check failed. */
bool live_run(void (*test)(void));
/* Removes the folder of all tests, unless one failed: its files may tell why. */
void live_end(bool passed);

/* ---- checks (live_run.c) ---- */

_Noreturn void live_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define CHECK(condition, ...) \
    ((condition) ? (void)0 : live_fail(__FILE__, __LINE__, #condition ": " __VA_ARGS__))

uint64_t live_now_ms(void);
/* Asks until it is true, for LIVE_PATIENCE_MS; false if it never is. */
bool live_wait(bool (*is_true)(void *context), void *context);
/* The same, and a check; what: for the message when it never is. */
void live_await(bool (*is_true)(void *context), void *context, const char *what);
/* The same, but as long as that takes, in milliseconds: for what takes many steps. */
void live_await_within(bool (*is_true)(void *context), void *context, const char *what,
                       uint64_t patience_ms);
/* A folder of this test alone. */
const char *live_folder(void);
/* Removes the data folder of a node that does not run. */
void live_wipe(const char *name);

/* ---- nodes (live_node.c) ---- */

struct live_node;

struct live_node_options {
    const char *name;
    const char *storage; /* NULL: rocksdb */
    const char *join;    /* peer url; NULL: founds, or restarts */
    const char *shell;   /* NULL, or what a shell does before it becomes the node */
    /* NULL: on 127.0.0.1, with ports from the kernel. */
    const char *client_url, *peer_url;
    const char *extra[8];
};

/* The path of dynkvd; once. */
void live_nodes_init(const char *program);
/* Starts a node with ports from the kernel; the same name again has the same folder and ports. */
struct live_node *live_node_start(const struct live_node_options *options);
/* Waits for its "ready" line; the urls are known then. */
void live_node_await_ready(struct live_node *node);
const char *live_node_client_url(const struct live_node *node);
const char *live_node_peer_url(const struct live_node *node);
/* host:port of its web pages, "" without. */
const char *live_node_pages(const struct live_node *node);
pid_t live_node_pid(const struct live_node *node);
bool live_node_is_alive(struct live_node *node);
void live_node_signal(struct live_node *node, int signal);
/* Waits for the end: the exit code, or -signal. */
int live_node_await_exit(struct live_node *node);
/* What it has written to standard error so far, copied to out. */
void live_node_log(struct live_node *node, char out[LIVE_LOG_MAX]);
/* Kills and forgets all. */
void live_nodes_end(void);

/* Three nodes that all see three members up. */
void live_cluster_start(const char *storage, struct live_node *nodes[3]);
/* Waits until node sees so many up, and so many down. */
void live_await_members(struct live_node *node, uint32_t up, uint32_t down);

/* ---- client (live_client.c) ---- */

struct live_client;

struct live_answer {
    struct dynkv_arena arena;
    void *message; /* nng_msg */
    struct dynkv_envelope envelope;
    union dynkv_body body;
};

struct live_client *live_client_open(const char *url);
/* Raw bytes there and back; false: no answer in time.  The answer's slices live until the next ask. */
bool live_client_exchange(struct live_client *client, struct dynkv_slice bytes, uint32_t timeout_ms,
                          struct dynkv_slice *answer);
/* False: no answer that decodes and has our request id. */
bool live_client_ask(struct live_client *client, uint8_t type, const void *body,
                     uint32_t deadline_ms, struct live_answer *answer);
/* A counter of the node, by its name in STATUS. */
uint64_t live_counter(struct live_client *client, const char *name);
uint64_t live_status_counter(const struct dynkv_status_reply *status, const char *name);
void live_answer_free(struct live_answer *answer);
void live_client_close(struct live_client *client);
/* Closes what tests left open. */
void live_clients_end(void);

/* These fail the test if there is no answer. */
uint64_t live_keyspace(struct live_client *client, const char *name, uint8_t n, uint8_t r,
                       uint8_t w);
struct dynkv_put_result live_put(struct live_client *client, uint64_t keyspace, const char *key,
                                 const char *value, uint8_t w, uint32_t deadline_ms);
/* The number of siblings that are alive; the value of the newest in value. */
uint32_t live_get(struct live_client *client, uint64_t keyspace, const char *key, uint8_t r,
                  char value[256], enum dynkv_error *error);

/* ---- garbage (live_garbage.c) ---- */

void live_throw_garbage(struct live_node *node);
/* GET path at host:port; the answer with its head, cut at size.  False: no answer. */
bool live_http_get(const char *host_port, const char *path, char *out, size_t size);

#endif
