/*
 * peer_link.c: see peer_link.h.
 *
 * Two asynchronous operations at most: the one of the state, and the sending of a message.  Both may complete
 * on any of NNG's threads; what they share is under the lock.  The stream is freed only when neither is under
 * way, and only by the completion that finds that so, or by dynkvd_link_free.
 *
 * Resting has an nng_aio of its own: once one has slept, NNG 1.5.2 ends every later operation on it that times
 * out as if it had succeeded.
 *
 * No other operation has a timeout of NNG's.  When that runs out NNG 1.5.2 takes the operation's way of being cancelled, lets go
 * of its lock, and goes that way: if the operation has ended by itself meanwhile, and the next one on the same nng_aio has
 * begun, it is that one which is taken out of a list that belongs to others, and may end twice.  The first SYN that is
 * repeated, after one second, met a dial's timeout of one second (found by make chaos-long).  So the loop's tick looks
 * at the time (dynkvd_link_tick), and cancels under the lock, without which no next operation begins.
 */
#include "daemon/peer_link.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "daemon/clock.h"
#include "daemon/stream_timeout.h"
#include "daemon/url.h"

#define GREETING_SIZE   8u
#define SP_PUSH         0x50u
#define SP_PULL         0x51u
#define IPC_MESSAGE     1u /* the byte before the length on IPC */
#define LENGTH_SIZE     8u
#define HEADER_SIZE_MAX 9u

enum link_state {
    LINK_RESTING,
    LINK_DIALING,
    LINK_GREETING, /* our greeting is on its way */
    LINK_HEARING,  /* theirs is */
    LINK_UP, /* a byte is waited for that never comes: how the end of the connection is noticed */
    LINK_BREAKING, /* the stream is closed, and the message on it not given back yet */
};

static const uint8_t link_greeting[GREETING_SIZE] = {0, 'S', 'P', 0, 0, SP_PUSH, 0, 0};

struct dynkvd_link {
    dynkvd_link_done *done;
    void *argument;
    bool is_ipc;
    nng_stream_dialer *dialer;
    nng_aio *rest;
    nng_aio *step; /* the operation of every other state */
    nng_aio *send;

    pthread_mutex_t lock;
    enum link_state state;
    bool ending; /* dynkvd_link_free waits: nothing is begun any more */
    nng_stream *stream;
    uint8_t heard[GREETING_SIZE];
    uint32_t heard_len, greeted_len;
    uint32_t rest_ms;
    uint64_t step_until_ms; /* 0: it may take as long as it likes, or is being cancelled */

    bool waiting; /* a message is here */
    bool sending; /* and has been given to the stream */
    bool is_late; /* that is being cancelled */
    uint64_t give_up_ms;
    uint8_t header[HEADER_SIZE_MAX];
    size_t header_len;
    struct dynkv_slice message;
    size_t sent; /* of header and message together */
};

/* ---- starting operations, with the lock held ---- */

static void link_rest(struct dynkvd_link *link)
{
    link->state = LINK_RESTING;
    nng_sleep_aio((nng_duration)link->rest_ms, link->rest);
    link->rest_ms *= 2;
    if (link->rest_ms > DYNKVD_LINK_REST_MAX_MS)
        link->rest_ms = DYNKVD_LINK_REST_MAX_MS;
}

static void link_dial(struct dynkvd_link *link)
{
    link->state = LINK_DIALING;
    link->step_until_ms = dynkvd_mono_ms() + DYNKVD_LINK_DIAL_MS;
    nng_stream_dialer_dial(link->dialer, link->step);
}

static void link_step_bytes(struct dynkvd_link *link, void *bytes, size_t len,
                            void (*operation)(nng_stream *, nng_aio *))
{
    nng_iov iov = {.iov_buf = bytes, .iov_len = len};

    if (nng_aio_set_iov(link->step, 1, &iov))
        dynkv_out_of_memory(sizeof iov);
    link->step_until_ms = link->state == LINK_UP ? 0 : dynkvd_mono_ms() + DYNKVD_LINK_GREET_MS;
    operation(link->stream, link->step);
}

static void link_greet(struct dynkvd_link *link)
{
    link->state = LINK_GREETING;
    link_step_bytes(link, (void *)(uintptr_t)&link_greeting[link->greeted_len],
                    GREETING_SIZE - link->greeted_len, nng_stream_send);
}

static void link_hear(struct dynkvd_link *link)
{
    link->state = LINK_HEARING;
    link_step_bytes(link, &link->heard[link->heard_len], GREETING_SIZE - link->heard_len,
                    nng_stream_recv);
}

/* What is left of the message. */
static void link_send_rest(struct dynkvd_link *link)
{
    nng_iov iov[2];
    unsigned count = 0;
    size_t body = link->sent > link->header_len ? link->sent - link->header_len : 0;

    if (link->sent < link->header_len)
        iov[count++] = (nng_iov){&link->header[link->sent], link->header_len - link->sent};
    iov[count++] =
        (nng_iov){(void *)(uintptr_t)(link->message.data + body), link->message.len - body};
    if (nng_aio_set_iov(link->send, count, iov))
        dynkv_out_of_memory(sizeof iov);
    link->sending = true;
    link->is_late = false;
    nng_stream_send(link->stream, link->send);
}

static void link_watch(struct dynkvd_link *link)
{
    link->state = LINK_UP;
    link->rest_ms = DYNKVD_LINK_REST_MIN_MS;
    link_step_bytes(link, link->heard, 1, nng_stream_recv);
    if (link->waiting)
        link_send_rest(link);
}

/* The stream is of no use any more; what is sent on it is given back by NNG. */
static void link_break(struct dynkvd_link *link)
{
    if (link->stream)
        nng_stream_close(link->stream);
    if (link->sending) {
        link->state = LINK_BREAKING;
        return;
    }
    if (link->stream)
        nng_stream_free(link->stream);
    link->stream = NULL;
    link_rest(link);
}

/* ---- completions ---- */

/* Ends the message; true: its sender is to be told, without the lock. */
static bool link_end_message(struct dynkvd_link *link)
{
    bool was = link->waiting;

    link->waiting = link->sending = false;
    return was;
}

static void link_on_dialed(struct dynkvd_link *link, int result)
{
    if (result) {
        link_break(link);
        return;
    }
    link->stream = nng_aio_get_output(link->step, 0);
    dynkvd_stream_set_timeout(link->stream, DYNKVD_LINK_UNHEARD_MS);
    link->greeted_len = link->heard_len = 0;
    link_greet(link);
}

static void link_on_greeted(struct dynkvd_link *link, int result, size_t count)
{
    link->greeted_len += (uint32_t)count;
    if (result || count == 0)
        link_break(link);
    else if (link->greeted_len < GREETING_SIZE)
        link_greet(link);
    else
        link_hear(link);
}

static bool link_heard_a_puller(const struct dynkvd_link *link)
{
    return memcmp(link->heard, link_greeting, 4) == 0 && link->heard[4] == 0 &&
           link->heard[5] == SP_PULL;
}

static void link_on_heard(struct dynkvd_link *link, int result, size_t count)
{
    link->heard_len += (uint32_t)count;
    if (result || count == 0)
        link_break(link);
    else if (link->heard_len < GREETING_SIZE)
        link_hear(link);
    else if (link_heard_a_puller(link))
        link_watch(link);
    else
        link_break(link);
}

/* A message that could not be begun waits for so long only. */
static bool link_is_overdue(const struct dynkvd_link *link)
{
    return link->waiting && !link->sending && dynkvd_mono_ms() >= link->give_up_ms;
}

static void link_on_step(void *argument)
{
    struct dynkvd_link *link = argument;
    bool tell = false;
    int result;
    size_t count;

    pthread_mutex_lock(&link->lock);
    result = nng_aio_result(link->step);
    count = nng_aio_count(link->step);
    if (link->ending) {
        if (link->state == LINK_DIALING && result == 0)
            link->stream = nng_aio_get_output(link->step, 0);
        pthread_mutex_unlock(&link->lock);
        return;
    }
    switch (link->state) {
    case LINK_DIALING:
        link_on_dialed(link, result);
        break;
    case LINK_GREETING:
        link_on_greeted(link, result, count);
        break;
    case LINK_HEARING:
        link_on_heard(link, result, count);
        break;
    case LINK_UP: /* a puller says nothing: whatever this is, it is the end */
        link_break(link);
        break;
    case LINK_RESTING:  /* link_on_rested leaves it, */
    case LINK_BREAKING: /* and link_on_sent this one */
        DYNKV_ASSERT(false);
        break;
    }
    if (link_is_overdue(link))
        tell = link_end_message(link);
    pthread_mutex_unlock(&link->lock);
    if (tell)
        link->done(link->argument, false);
}

static void link_on_rested(void *argument)
{
    struct dynkvd_link *link = argument;

    pthread_mutex_lock(&link->lock);
    if (!link->ending)
        link_dial(link);
    pthread_mutex_unlock(&link->lock);
}

static void link_on_sent(void *argument)
{
    struct dynkvd_link *link = argument;
    bool tell = false, sent;
    int result;

    pthread_mutex_lock(&link->lock);
    result = nng_aio_result(link->send);
    link->sent += nng_aio_count(link->send);
    sent = link->sent == link->header_len + link->message.len;
    if (link->ending) {
        pthread_mutex_unlock(&link->lock);
        return;
    }
    if (result == 0 && !sent && link->state == LINK_UP) {
        link_send_rest(link);
    } else {
        tell = link_end_message(link);
        if (link->state == LINK_BREAKING)
            link_break(link);
        else if (!sent && link->state == LINK_UP)
            nng_stream_close(
                link->stream); /* half a message: what is waited for ends, and breaks */
    }
    pthread_mutex_unlock(&link->lock);
    if (tell)
        link->done(link->argument, sent);
}

/* ---- life ---- */

struct dynkvd_link *dynkvd_link_new(const char *url, dynkvd_link_done *done, void *argument,
                                    const char **why)
{
    struct dynkvd_link *link = dynkv_calloc(1, sizeof *link);
    int result = nng_stream_dialer_alloc(&link->dialer, url);

    if (result) {
        *why = nng_strerror(result);
        free(link);
        return NULL;
    }
    link->done = done;
    link->argument = argument;
    link->is_ipc = !dynkvd_url_is_tcp(url);
    link->rest_ms = DYNKVD_LINK_REST_MIN_MS;
    pthread_mutex_init(&link->lock, NULL);
    if (nng_aio_alloc(&link->rest, link_on_rested, link) ||
        nng_aio_alloc(&link->step, link_on_step, link) ||
        nng_aio_alloc(&link->send, link_on_sent, link))
        dynkv_out_of_memory(sizeof *link);
    nng_aio_set_timeout(link->step, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(link->send, NNG_DURATION_INFINITE);
    pthread_mutex_lock(&link->lock);
    link_dial(link);
    pthread_mutex_unlock(&link->lock);
    return link;
}

static void link_put_header(struct dynkvd_link *link)
{
    size_t at = 0;

    if (link->is_ipc)
        link->header[at++] = IPC_MESSAGE;
    for (uint32_t i = 0; i < LENGTH_SIZE; i++)
        link->header[at++] = (uint8_t)((uint64_t)link->message.len >> (56 - 8 * i));
    link->header_len = at;
}

void dynkvd_link_send(struct dynkvd_link *link, struct dynkv_slice message)
{
    pthread_mutex_lock(&link->lock);
    link->message = message;
    link->sent = 0;
    link->give_up_ms = dynkvd_mono_ms() + DYNKVD_LINK_SEND_MS;
    link_put_header(link);
    link->waiting = true;
    if (link->state == LINK_UP)
        link_send_rest(link);
    pthread_mutex_unlock(&link->lock);
}

void dynkvd_link_tick(struct dynkvd_link *link, uint64_t mono_ms)
{
    pthread_mutex_lock(&link->lock);
    if (link->step_until_ms && mono_ms >= link->step_until_ms && link->state != LINK_RESTING &&
        link->state != LINK_BREAKING) {
        link->step_until_ms = 0;
        nng_aio_cancel(link->step);
    }
    if (link->sending && !link->is_late && mono_ms >= link->give_up_ms) {
        link->is_late = true;
        nng_aio_cancel(link->send);
    }
    pthread_mutex_unlock(&link->lock);
}

void dynkvd_link_free(struct dynkvd_link *link)
{
    pthread_mutex_lock(&link->lock);
    link->ending = true;
    if (link->stream)
        nng_stream_close(link->stream);
    pthread_mutex_unlock(&link->lock);
    nng_stream_dialer_close(link->dialer);
    nng_aio_stop(link->rest); /* each waits for its completion */
    nng_aio_stop(link->step);
    nng_aio_stop(link->send);
    if (link->stream)
        nng_stream_free(link->stream);
    nng_stream_dialer_free(link->dialer);
    nng_aio_free(link->rest);
    nng_aio_free(link->step);
    nng_aio_free(link->send);
    pthread_mutex_destroy(&link->lock);
    free(link);
}
