/*
 * transport.h: one non-blocking connection that speaks SP (the scalability protocols' framing) as REQ.
 *
 *   CLOSED -> CONNECTING -> GREETING -> OPEN -> CLOSED
 *
 *   CLOSED      no descriptor, nothing buffered
 *   CONNECTING  connect() is under way (of one of the addresses the name stands for)
 *   GREETING    connected; our 8 bytes are queued, the other side's are awaited
 *   OPEN        messages may be appended and arrive
 *
 * The caller moves it: open, then on_event for what epoll reports, flush when it has appended, close.
 * Whatever goes wrong is an error code and a text, after which only close and open may follow.
 *
 * SP over TCP: both sides say 00 'S' 'P' 00, u16 protocol (REQ 0x30, REP 0x31), 00 00, each big-endian;
 * then every message is a u64 big-endian length and so many bytes.  Over IPC a byte 01 stands before
 * the length.  A message of REQ/REP begins with a u32 big-endian request id whose top bit is set; the
 * reply repeats it.  (nanomsg RFC "sp-tcp-mapping-01", "sp-request-reply-01"; nng's IPC mapping.)
 *
 * The buffer for what arrives grows with what has arrived, never by what a length promises, and never
 * beyond one message of DYNKV_MESSAGE_MAX.
 */
#ifndef DYNKV_CLIENT_TRANSPORT_H
#define DYNKV_CLIENT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/error.h"
#include "client/address.h"

#define DYNKV_TRANSPORT_TEXT_MAX  192u
#define DYNKV_TRANSPORT_NAMES_MAX 8u /* addresses of one name that are tried */

enum dynkv_transport_state {
    DYNKV_TRANSPORT_CLOSED,
    DYNKV_TRANSPORT_CONNECTING,
    DYNKV_TRANSPORT_GREETING,
    DYNKV_TRANSPORT_OPEN,
};

struct dynkv_transport {
    enum dynkv_transport_state state;
    const struct dynkv_address *address;
    int fd;
    int epoll_fd;
    void *epoll_data; /* what epoll reports for this descriptor */
    bool wants_write; /* registered for EPOLLOUT */

    struct sockaddr_storage names[DYNKV_TRANSPORT_NAMES_MAX];
    socklen_t name_lengths[DYNKV_TRANSPORT_NAMES_MAX];
    uint32_t name_count, name_next;

    uint8_t *in;
    size_t in_start, in_end, in_cap;
    struct dynkv_buf out;
    size_t out_start;
    uint64_t out_total;     /* bytes ever appended on this connection */
    uint64_t written_total; /* of those, taken by the kernel */
    uint64_t read_total;

    char text[DYNKV_TRANSPORT_TEXT_MAX]; /* of the last error: "connection refused" */
};

/* CLOSED -> CONNECTING or GREETING.  address must outlive the connection. */
enum dynkv_error dynkv_transport_open(struct dynkv_transport *transport,
                                      const struct dynkv_address *address, int epoll_fd,
                                      void *epoll_data);
/* From any state; frees everything. */
void dynkv_transport_close(struct dynkv_transport *transport);
/* Advances connect and greeting, reads what is there.  events are epoll's. */
enum dynkv_error dynkv_transport_on_event(struct dynkv_transport *transport, uint32_t events);
/* Sends what is queued, as far as the kernel takes it. */
enum dynkv_error dynkv_transport_flush(struct dynkv_transport *transport);
/*
 * When OPEN: the next whole message, borrowed until the next call on this transport; *found false if
 * there is none yet.  NOT_DYNKV for what no REP socket would send.
 */
enum dynkv_error dynkv_transport_next(struct dynkv_transport *transport, bool *found,
                                      uint32_t *request_id, struct dynkv_slice *message);
/*
 * Appending a message when OPEN: begin, put the bytes into transport->out, then end (which makes it a
 * part of the stream) or cancel (which takes it back).  begin gives the mark that end and cancel want.
 */
size_t dynkv_transport_begin(struct dynkv_transport *transport, uint32_t request_id);
/* false, and the message is taken back, if it is over DYNKV_MESSAGE_MAX. */
bool dynkv_transport_end(struct dynkv_transport *transport, size_t mark);
/* Whether something is queued that flush could send. */
bool dynkv_transport_has_output(const struct dynkv_transport *transport);

#endif
