/*
 * log.h: the daemon's log, one line an event on standard error:
 *
 *     2026-01-31T12:00:00.123Z WARNING n1 what, where, what to do
 *
 * The only state of the daemon that is global: there is one standard error.  Callable from any thread.
 * Bytes that are not printable (texts may come from peers) are written as '?', so a line stays a line.
 * At most DYNKVD_LOG_LINES_PER_SECOND lines below ERROR are written; the next second tells how many
 * were left out.
 */
#ifndef DYNKV_DAEMON_LOG_H
#define DYNKV_DAEMON_LOG_H

#include "core/node.h"

#define DYNKVD_LOG_LINES_PER_SECOND 200u
#define DYNKVD_LOG_LINE_MAX         2048u

/* name is copied.  Lines above level are not written. */
void dynkvd_log_init(const char *name, enum dynkv_log_level level);
void dynkvd_log(enum dynkv_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void dynkvd_log_slice(enum dynkv_log_level level, struct dynkv_slice text);

#endif
