/* session.c: libpq, and results as one line of text. */
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "tests/sessions/sessions.h"

#define SESSIONS_MAX 8
#define ANSWER_MAX   (64u * 1024u)
#define SQL_MAX      8192u

struct session {
    PGconn *connection;
    PGcancel *cancel;
    char answer[ANSWER_MAX];
    char message[1024], detail[1024];
};

static struct session *sessions[SESSIONS_MAX];
static struct session *observer; /* looks at what the others do */

/* ---- open and close ---- */

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static struct session **free_place(void)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (!sessions[i])
            return &sessions[i];
    live_fail(__FILE__, __LINE__, "more than %d sessions in one test", SESSIONS_MAX);
}

struct session *session_open(void)
{
    struct session **place = free_place();
    struct session *session = calloc(1, sizeof *session);

    CHECK(session, "out of memory");
    *place = session;
    session->connection = PQconnectdb("");
    CHECK(PQstatus(session->connection) == CONNECTION_OK, "%s",
          PQerrorMessage(session->connection));
    PQsetNoticeReceiver(session->connection, ignore_notice, NULL);
    session->cancel = PQgetCancel(session->connection);
    CHECK(session->cancel, "no way to cancel");
    return session;
}

void session_close(struct session *session)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (sessions[i] == session)
            sessions[i] = NULL;
    if (session == observer)
        observer = NULL;
    PQfreeCancel(session->cancel);
    PQfinish(session->connection);
    free(session);
}

void sessions_end(void)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (sessions[i])
            session_close(sessions[i]);
}

pid_t session_pid(const struct session *session)
{
    return PQbackendPID(session->connection);
}

/* ---- results ---- */

static void answer_rows(struct session *session, const PGresult *result)
{
    size_t len = 0;

    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++) {
            const char *before = column ? "|" : row ? "; " : "";

            len += (size_t)snprintf(session->answer + len, ANSWER_MAX - len, "%s%s", before,
                                    PQgetvalue(result, row, column));
            CHECK(len < ANSWER_MAX, "the answer is too long for this test");
        }
    }
}

static void keep_field(char out[1024], const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);

    snprintf(out, 1024, "%s", text ? text : "");
}

static void answer_take(struct session *session, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (!state && session->message[0])
        return; /* the connection is lost, and the result before this one has said why */
    session->answer[0] = session->message[0] = session->detail[0] = '\0';
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        answer_rows(session, result);
        break;
    case PGRES_FATAL_ERROR:
        snprintf(session->answer, ANSWER_MAX, "%s", state ? state : "the connection is lost");
        keep_field(session->message, result, PG_DIAG_MESSAGE_PRIMARY);
        keep_field(session->detail, result, PG_DIAG_MESSAGE_DETAIL);
        break;
    default:
        break;
    }
}

const char *session_message(const struct session *session)
{
    return session->message;
}

const char *session_detail(const struct session *session)
{
    return session->detail;
}

/* ---- statements ---- */

static void begin(struct session *session, const char *format, va_list args)
{
    char sql[SQL_MAX];

    CHECK(vsnprintf(sql, sizeof sql, format, args) < (int)sizeof sql, "too long a statement");
    session->answer[0] = session->message[0] = session->detail[0] = '\0';
    CHECK(PQsendQuery(session->connection, sql), "%s", PQerrorMessage(session->connection));
}

void session_begin(struct session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    begin(session, format, args);
    va_end(args);
}

bool session_is_busy(struct session *session)
{
    PQconsumeInput(session->connection);
    return PQisBusy(session->connection);
}

/* false: nothing came in time. */
static bool await_input(struct session *session, uint64_t until_ms)
{
    uint64_t now_ms = live_now_ms();
    int fd = PQsocket(session->connection);
    struct timeval left;
    fd_set set;

    if (now_ms >= until_ms)
        return false;
    left.tv_sec = (time_t)((until_ms - now_ms) / 1000);
    left.tv_usec = (suseconds_t)((until_ms - now_ms) % 1000 * 1000);
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &left) > 0;
}

const char *session_end(struct session *session)
{
    uint64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS;
    PGresult *result;

    for (;;) {
        while (session_is_busy(session))
            CHECK(await_input(session, until_ms), "the statement did not end within %u ms",
                  LIVE_PATIENCE_MS);
        result = PQgetResult(session->connection);
        if (!result)
            return session->answer;
        answer_take(session, result);
        PQclear(result);
    }
}

const char *session_ask(struct session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    begin(session, format, args);
    va_end(args);
    return session_end(session);
}

const char *session_do(struct session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    begin(session, format, args);
    va_end(args);
    session_end(session);
    CHECK(!session->message[0], "%s: %s %s (%s)", format, session->answer, session->message,
          session->detail);
    return session->answer;
}

/* ---- looking at a backend ---- */

static bool waits_for(const struct session *session, const char *type)
{
    return strcmp(session_do(observer,
                             "SELECT count(*) FROM pg_stat_activity "
                             "WHERE pid = %d AND wait_event_type = '%s'",
                             (int)session_pid(session), type),
                  "1") == 0;
}

static bool waits_for_cluster(void *session)
{
    return waits_for(session, "Extension");
}

static bool waits_for_lock(void *session)
{
    return waits_for(session, "Lock");
}

static void await_backend(const struct session *session, bool (*is_true)(void *), const char *what)
{
    if (!observer)
        observer = session_open();
    live_await(is_true, (void *)(uintptr_t)session, what);
}

void session_await_waiting(const struct session *session)
{
    await_backend(session, waits_for_cluster, "the backend waits for the cluster");
}

void session_await_lock(const struct session *session)
{
    await_backend(session, waits_for_lock, "the backend waits for a lock");
}

/* ---- cancels ---- */

void session_cancel(struct session *session)
{
    char text[256];

    CHECK(PQcancel(session->cancel, text, sizeof text), "%s", text);
}

void session_cancel_until_it_ends(struct session *session)
{
    uint64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS;

    while (session_is_busy(session)) {
        CHECK(live_now_ms() < until_ms, "no cancel is obeyed");
        session_cancel(session);
        await_input(session, live_now_ms() + 20);
    }
}
