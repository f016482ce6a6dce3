/* crash.c: see crash.h.  What runs inside the handler is safe in one: write(2), and backtrace(3), which
 * is called once beforehand because its first call loads a library. */
#include "daemon/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define CRASH_FRAMES_MAX 64
#define CRASH_STACK_SIZE (64u << 10) /* of the handler: a stack overflow leaves no other */

#ifdef __SANITIZE_ADDRESS__
static const int crash_signals[] = {SIGABRT};
#else
static const int crash_signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#endif

static void crash_write(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

    (void)ignored; /* there is nobody left to tell */
}

static void crash_on_signal(int signal)
{
    void *frames[CRASH_FRAMES_MAX];
    const char *name = sigabbrev_np(signal);

    crash_write("dynkvd crashed: SIG");
    crash_write(name ? name : "?");
    crash_write(
        ", a bug; please report it with these lines (addr2line -e dynkvd explains them):\n");
    backtrace_symbols_fd(frames, backtrace(frames, CRASH_FRAMES_MAX), STDERR_FILENO);
    raise(signal); /* SA_RESETHAND: it ends the process as soon as the handler returns */
}

void dynkvd_crash_init(void)
{
    static char stack[CRASH_STACK_SIZE];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = crash_on_signal,
                               .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};
    void *frame[1];

    backtrace(frame, 1);
    sigaltstack(&alternate, NULL); /* of this thread; the others use their own */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        sigaction(crash_signals[i], &action, NULL);
}
