/*
 * stream_timeout.h: gives a TCP stream of NNG's up when what was sent on it is not acknowledged.
 *
 * Without that a connection that was cut off hangs in the kernel, which sends again after ever longer pauses: after a
 * partition of 45 s the next attempt may be 50 s away, though the network is whole (tcp(7), tcp_retries2).
 */
#ifndef DYNKV_DAEMON_STREAM_TIMEOUT_H
#define DYNKV_DAEMON_STREAM_TIMEOUT_H

#include <nng/nng.h>
#include <stdint.h>

/* From now on the connection ends timeout_ms after the first byte that is not acknowledged.  Of IPC: nothing. */
void dynkvd_stream_set_timeout(nng_stream *stream, uint32_t timeout_ms);

#endif
