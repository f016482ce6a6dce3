/* transport.c: sockets, the SP greeting and framing, and the two byte queues. */
#include "client/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"

#define GREETING_SIZE   8u
#define SP_REQ          0x30u
#define SP_REP          0x31u
#define REQUEST_ID_SIZE 4u
#define IPC_MESSAGE     1u            /* the byte before the length on IPC */
#define READ_SIZE       (64u * 1024u) /* first size of the read buffer, and least room to read into */
#define IDLE_BUFFER_MAX (1024u * 1024u) /* an empty buffer above this is given back */
#define COMPACT_MIN     (1024u * 1024u) /* written bytes worth moving the rest down for */
#define RECV_ROUNDS_MAX \
    16u /* reads of one event, so that one busy node does not starve the others */
#define UNANSWERED_MAX_MS \
    10000 /* the kernel gives a silent peer up after this (TCP_USER_TIMEOUT) */

static size_t header_size(const struct dynkv_transport *transport)
{
    return transport->address->is_ipc ? 9 : 8;
}

static enum dynkv_error fail(struct dynkv_transport *transport, enum dynkv_error error,
                             const char *text)
{
    snprintf(transport->text, sizeof transport->text, "%s", text);
    return error;
}

static enum dynkv_error fail_errno(struct dynkv_transport *transport, int code)
{
    char buffer[96];

    switch (code) {
    case ECONNREFUSED:
    case ENOENT:
        return fail(transport, DYNKV_CONNECT, "connection refused");
    case ECONNRESET:
    case EPIPE:
        return fail(transport, DYNKV_CONNECT, "the connection was closed by the other side");
    case ETIMEDOUT:
        return fail(transport, DYNKV_CONNECT, "the host does not answer");
    default:
        return fail(transport, DYNKV_CONNECT, strerror_r(code, buffer, sizeof buffer));
    }
}

/* ---- connecting ---- */

static enum dynkv_error resolve_ipc(struct dynkv_transport *transport)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    /* The parser has checked that it fits. */
    memcpy(name.sun_path, transport->address->host, strlen(transport->address->host) + 1);
    memcpy(&transport->names[0], &name, sizeof name);
    transport->name_lengths[0] = sizeof name;
    transport->name_count = 1;
    return DYNKV_OK;
}

/* A number is understood at once; a name may ask the resolver, which blocks (dynkv.h says so). */
static enum dynkv_error resolve_tcp(struct dynkv_transport *transport)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    const struct dynkv_address *address = transport->address;
    int code = getaddrinfo(address->host, address->port, &hints, &list);

    if (code) {
        hints.ai_flags = AI_NUMERICSERV;
        code = getaddrinfo(address->host, address->port, &hints, &list);
    }
    if (code) {
        snprintf(transport->text, sizeof transport->text, "the host name is not known (%s)",
                 gai_strerror(code));
        return DYNKV_CONNECT;
    }
    for (struct addrinfo *at = list; at; at = at->ai_next) {
        if (transport->name_count == DYNKV_TRANSPORT_NAMES_MAX)
            break;
        memcpy(&transport->names[transport->name_count], at->ai_addr, at->ai_addrlen);
        transport->name_lengths[transport->name_count++] = at->ai_addrlen;
    }
    freeaddrinfo(list);
    return transport->name_count ? DYNKV_OK
                                 : fail(transport, DYNKV_CONNECT, "the host name has no address");
}

static bool watch(struct dynkv_transport *transport, int operation)
{
    struct epoll_event event = {.events =
                                    EPOLLIN | EPOLLRDHUP | (transport->wants_write ? EPOLLOUT : 0u),
                                .data.ptr = transport->epoll_data};

    return epoll_ctl(transport->epoll_fd, operation, transport->fd, &event) == 0;
}

static void set_wants_write(struct dynkv_transport *transport, bool wants)
{
    if (transport->wants_write == wants)
        return;
    transport->wants_write = wants;
    watch(transport, EPOLL_CTL_MOD);
}

static void drop_socket(struct dynkv_transport *transport)
{
    if (transport->fd >= 0)
        close(transport->fd); /* which also takes it out of the epoll set */
    transport->fd = -1;
    transport->wants_write = false;
}

static void set_options(int fd, bool is_ipc)
{
    int one = 1, unanswered = UNANSWERED_MAX_MS;

    if (is_ipc)
        return;
    /* None of them is vital, so a kernel that refuses one is no error. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
}

static void greet(struct dynkv_transport *transport)
{
    static const uint8_t greeting[GREETING_SIZE] = {0, 'S', 'P', 0, 0, SP_REQ, 0, 0};

    transport->state = DYNKV_TRANSPORT_GREETING;
    dynkv_put_raw(&transport->out, dynkv_slice(greeting, sizeof greeting));
    transport->out_total += sizeof greeting;
}

/* Tries the names from name_next on, until one connects or is under way. */
static enum dynkv_error connect_next(struct dynkv_transport *transport)
{
    int code = ECONNREFUSED;

    drop_socket(transport);
    while (transport->name_next < transport->name_count) {
        uint32_t i = transport->name_next++;
        const struct sockaddr *name = (const struct sockaddr *)&transport->names[i];

        transport->fd = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (transport->fd < 0) {
            code = errno;
            continue;
        }
        set_options(transport->fd, transport->address->is_ipc);
        if (connect(transport->fd, name, transport->name_lengths[i]) == 0) {
            greet(transport);
            if (watch(transport, EPOLL_CTL_ADD))
                return dynkv_transport_flush(transport);
        } else if (errno == EINPROGRESS) {
            transport->state = DYNKV_TRANSPORT_CONNECTING;
            transport->wants_write = true;
            if (watch(transport, EPOLL_CTL_ADD))
                return DYNKV_OK;
        }
        code = errno;
        drop_socket(transport);
    }
    return fail_errno(transport, code);
}

enum dynkv_error dynkv_transport_open(struct dynkv_transport *transport,
                                      const struct dynkv_address *address, int epoll_fd,
                                      void *epoll_data)
{
    enum dynkv_error error;

    DYNKV_ASSERT(transport->state == DYNKV_TRANSPORT_CLOSED);
    memset(transport, 0, sizeof *transport);
    transport->fd = -1;
    transport->address = address;
    transport->epoll_fd = epoll_fd;
    transport->epoll_data = epoll_data;
    transport->state = DYNKV_TRANSPORT_CONNECTING;
    error = address->is_ipc ? resolve_ipc(transport) : resolve_tcp(transport);
    return error ? error : connect_next(transport);
}

void dynkv_transport_close(struct dynkv_transport *transport)
{
    if (transport->state == DYNKV_TRANSPORT_CLOSED)
        return;
    drop_socket(transport);
    free(transport->in);
    transport->in = NULL;
    transport->in_start = transport->in_end = transport->in_cap = 0;
    dynkv_buf_fini(&transport->out);
    transport->out_start = 0;
    transport->state = DYNKV_TRANSPORT_CLOSED;
}

static enum dynkv_error finish_connect(struct dynkv_transport *transport)
{
    int code = 0;
    socklen_t length = sizeof code;
    enum dynkv_error error;

    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &code, &length) != 0)
        code = errno;
    if (code == 0) {
        greet(transport);
        return dynkv_transport_flush(transport);
    }
    /* The text of the last name that was tried is the one to show. */
    fail_errno(transport, code);
    if (transport->name_next == transport->name_count)
        return DYNKV_CONNECT;
    error = connect_next(transport);
    return error;
}

/* ---- writing ---- */

bool dynkv_transport_has_output(const struct dynkv_transport *transport)
{
    return transport->out.len > transport->out_start;
}

static void output_written(struct dynkv_transport *transport, size_t size)
{
    transport->out_start += size;
    transport->written_total += size;
    if (transport->out_start == transport->out.len) {
        transport->out_start = 0;
        dynkv_buf_reset(&transport->out);
        if (transport->out.cap > IDLE_BUFFER_MAX)
            dynkv_buf_fini(&transport->out);
    } else if (transport->out_start >= COMPACT_MIN &&
               transport->out_start >= transport->out.len / 2) {
        transport->out.len -= transport->out_start;
        memmove(transport->out.data, transport->out.data + transport->out_start,
                transport->out.len);
        transport->out_start = 0;
    }
}

enum dynkv_error dynkv_transport_flush(struct dynkv_transport *transport)
{
    if (transport->state < DYNKV_TRANSPORT_GREETING)
        return DYNKV_OK;
    while (dynkv_transport_has_output(transport)) {
        ssize_t sent = send(transport->fd, transport->out.data + transport->out_start,
                            transport->out.len - transport->out_start, MSG_NOSIGNAL);

        if (sent >= 0) {
            output_written(transport, (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            set_wants_write(transport, true);
            return DYNKV_OK;
        } else if (errno != EINTR) {
            return fail_errno(transport, errno);
        }
    }
    set_wants_write(transport, false);
    return DYNKV_OK;
}

static void put_be(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static uint64_t get_be(const uint8_t *from, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | from[i];
    return value;
}

size_t dynkv_transport_begin(struct dynkv_transport *transport, uint32_t request_id)
{
    size_t mark = transport->out.len;
    uint8_t *room;

    DYNKV_ASSERT(transport->state == DYNKV_TRANSPORT_OPEN);
    room = dynkv_put_room(&transport->out, header_size(transport) + REQUEST_ID_SIZE);
    put_be(room + header_size(transport), request_id, REQUEST_ID_SIZE);
    return mark;
}

bool dynkv_transport_end(struct dynkv_transport *transport, size_t mark)
{
    size_t header = header_size(transport);
    size_t body = transport->out.len - mark - header;

    if (body > DYNKV_MESSAGE_MAX) {
        transport->out.len = mark;
        return false;
    }
    if (transport->address->is_ipc)
        transport->out.data[mark] = IPC_MESSAGE;
    put_be(transport->out.data + mark + header - 8, body, 8);
    transport->out_total += header + body;
    return true;
}

/* ---- reading ---- */

static enum dynkv_error check_greeting(struct dynkv_transport *transport)
{
    static const uint8_t begin[4] = {0, 'S', 'P', 0};
    const uint8_t *in = transport->in + transport->in_start;
    size_t have = transport->in_end - transport->in_start;
    uint64_t protocol;

    /* Judged as soon as a byte is wrong: a server of something else may never send eight. */
    if (memcmp(in, begin, have < sizeof begin ? have : sizeof begin) != 0) {
        bool is_http = have >= 4 && memcmp(in, "HTTP", 4) == 0;

        return fail(transport, DYNKV_NOT_DYNKV,
                    is_http ? "this is an HTTP server, not dynkv; give a node's client address"
                            : "what answers there is not dynkv; give a node's client address");
    }
    if (have < GREETING_SIZE)
        return DYNKV_OK;
    protocol = get_be(in + 4, 2);
    if (protocol != SP_REP || get_be(in + 6, 2) != 0) {
        snprintf(transport->text, sizeof transport->text,
                 "this is an SP socket of protocol 0x%x, not the client socket of a dynkv node "
                 "(0x31); is it the address for peers?",
                 (unsigned)protocol);
        return DYNKV_NOT_DYNKV;
    }
    transport->in_start += GREETING_SIZE;
    transport->state = DYNKV_TRANSPORT_OPEN;
    return DYNKV_OK;
}

/* Room for at least READ_SIZE bytes, or as much as the largest message may still need. */
static size_t input_room(struct dynkv_transport *transport)
{
    size_t largest = header_size(transport) + DYNKV_MESSAGE_MAX;
    size_t have = transport->in_end - transport->in_start;
    size_t cap;

    if (transport->in_start && (have == 0 || transport->in_cap - transport->in_end < READ_SIZE)) {
        memmove(transport->in, transport->in + transport->in_start, have);
        transport->in_start = 0;
        transport->in_end = have;
    }
    if (have == 0 && transport->in_cap > IDLE_BUFFER_MAX) {
        free(transport->in);
        transport->in = NULL;
        transport->in_cap = 0;
    }
    if (transport->in_cap - transport->in_end < READ_SIZE / 2 && transport->in_cap < largest) {
        cap = transport->in_cap ? transport->in_cap * 2 : READ_SIZE;
        if (cap > largest)
            cap = largest;
        transport->in = dynkv_realloc(transport->in, cap);
        transport->in_cap = cap;
    }
    return transport->in_cap - transport->in_end;
}

/* One read; *again says that there may be more. */
static enum dynkv_error read_some(struct dynkv_transport *transport, bool *again)
{
    size_t room = input_room(transport);
    ssize_t got;

    *again = false;
    if (!room)
        return DYNKV_OK; /* full of whole messages that were not taken yet */
    got = recv(transport->fd, transport->in + transport->in_end, room, 0);
    if (got > 0) {
        transport->in_end += (size_t)got;
        transport->read_total += (uint64_t)got;
        *again = (size_t)got == room;
        return DYNKV_OK;
    }
    if (got == 0)
        return fail(transport, DYNKV_CONNECT,
                    transport->state == DYNKV_TRANSPORT_OPEN
                        ? "the connection was closed by the other side"
                        : "the other side closed the connection before it said what it is");
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return DYNKV_OK;
    return fail_errno(transport, errno);
}

/*
 * Reads and leaves whole messages in the buffer for next().  A read that fills its room is followed by
 * another, so that a big message does not need an event for every 64 KiB; and if the other side has
 * hung up, the end is reached now, lest the next write go into a dead connection.
 */
static enum dynkv_error read_input(struct dynkv_transport *transport, bool hung_up)
{
    bool again = true;

    for (uint32_t round = 0; (again || hung_up) && round < RECV_ROUNDS_MAX; round++) {
        enum dynkv_error error = read_some(transport, &again);

        if (!error && transport->state == DYNKV_TRANSPORT_GREETING &&
            transport->in_end > transport->in_start)
            error = check_greeting(transport);
        if (error)
            return error;
    }
    return DYNKV_OK;
}

enum dynkv_error dynkv_transport_on_event(struct dynkv_transport *transport, uint32_t events)
{
    enum dynkv_error error = DYNKV_OK;

    if (transport->state == DYNKV_TRANSPORT_CONNECTING)
        return events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ? finish_connect(transport) : DYNKV_OK;
    /* What it managed to say before it closed is read first: a garbage greeting explains the close. */
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
        error = read_input(transport, (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0);
    if (!error && events & EPOLLOUT)
        error = dynkv_transport_flush(transport);
    return error;
}

enum dynkv_error dynkv_transport_next(struct dynkv_transport *transport, bool *found,
                                      uint32_t *request_id, struct dynkv_slice *message)
{
    size_t header = header_size(transport);
    size_t have = transport->in_end - transport->in_start;
    const uint8_t *in = transport->in + transport->in_start;
    uint64_t body;

    *found = false;
    if (have < header)
        return DYNKV_OK;
    if (transport->address->is_ipc && in[0] != IPC_MESSAGE)
        return fail(transport, DYNKV_NOT_DYNKV, "it sent something that is no SP message");
    body = get_be(in + header - 8, 8);
    if (body < REQUEST_ID_SIZE || body > DYNKV_MESSAGE_MAX) {
        snprintf(transport->text, sizeof transport->text,
                 "it announced a message of %llu bytes; dynkv messages have 4 to %u",
                 (unsigned long long)body, DYNKV_MESSAGE_MAX);
        return DYNKV_NOT_DYNKV;
    }
    if (have - header < body)
        return DYNKV_OK;
    *request_id = (uint32_t)get_be(in + header, REQUEST_ID_SIZE);
    if (!(*request_id & 0x80000000u))
        return fail(transport, DYNKV_NOT_DYNKV, "it sent a reply without a request id");
    *message = dynkv_slice(in + header + REQUEST_ID_SIZE, (size_t)body - REQUEST_ID_SIZE);
    transport->in_start += header + (size_t)body;
    *found = true;
    return DYNKV_OK;
}
