/*
 * crash.h: the last words of a dynkvd that a bug ends.
 *
 * An assertion of the pure layers aborts without a message (base/assert.h), and a core dump is not always
 * kept.  So SIGABRT, SIGSEGV, SIGBUS, SIGFPE and SIGILL write one line and the stack to standard error,
 * then end the process by the same signal, as they would have.  An address sanitizer says more by itself
 * and keeps all but SIGABRT.
 */
#ifndef DYNKV_DAEMON_CRASH_H
#define DYNKV_DAEMON_CRASH_H

/* Once, before any thread is started. */
void dynkvd_crash_init(void);

#endif
