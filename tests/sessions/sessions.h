/*
 * sessions.h: what the session tests share: PostgreSQL sessions through libpq, a cluster of real nodes
 * (tests/live) for each test, and hosts that say nothing.
 *
 * The PostgreSQL is started by scripts/sessions.sh and named by libpq's environment variables.
 */
#ifndef DYNKV_TESTS_SESSIONS_H
#define DYNKV_TESTS_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/live/live.h"

struct session_test {
    const char *sentence;
    void (*run)(void);
};

/* Each ends with one that has no sentence. */
extern const struct session_test cancel_tests[], leak_tests[], dying_tests[], isolation_tests[],
    ddl_tests[], commit_tests[];

/* ---- a session (session.c) ---- */

struct session;

struct session *session_open(void);
void session_close(struct session *session);
/* Closes what tests left open. */
void sessions_end(void);
pid_t session_pid(const struct session *session);

/*
 * Runs statements to their end.  What the last of them gave: rows "a|b; c|d" (NULL is empty), the
 * SQLSTATE of the error, or "" if there are no rows.  Lives until the session's next call.
 */
const char *session_ask(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, and the test fails if it is an error. */
const char *session_do(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Begins statements and does not wait; session_end waits, with the test's patience. */
void session_begin(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *session_end(struct session *session);
/* Whether what was begun has not ended. */
bool session_is_busy(struct session *session);
/* Until the backend waits for the cluster: from then on a cancel meets it there. */
void session_await_waiting(const struct session *session);
/* Until the backend waits for another one's lock. */
void session_await_lock(const struct session *session);
void session_cancel(struct session *session);
/* A cancel that comes before the statement is read is lost, so: again and again. */
void session_cancel_until_it_ends(struct session *session);
/* The last error's message and detail, "" without. */
const char *session_message(const struct session *session);
const char *session_detail(const struct session *session);

/* ---- the stage (stage.c) ---- */

#define STAGE_NODES 3u
extern struct live_node *stage_nodes[STAGE_NODES];

/*
 * Starts three nodes, makes the server "kv" for them with a user mapping, in a database that has nothing
 * else.  storage: as in live_cluster_start.
 */
void stage_set(const char *storage);
/* host:port of a node, or "host:port,..." of all; both live until the next call. */
const char *stage_host(uint32_t node);
const char *stage_hosts(void);
/* Stops all nodes' clocks, and lets them go on until all are up for all. */
void stage_freeze(void);
void stage_thaw(void);
/* The same node on its data, again. */
void stage_restart(uint32_t node);

/* ---- hosts that say nothing (silence.c) ---- */

/* Takes connections and never answers; or does not even take them.  The port. */
uint16_t silence_answering(void);
uint16_t silence_swallowing(void);
/* Whether somebody gets a connection there now. */
bool silence_takes(uint16_t port);
void silences_end(void);

#endif
