/* live_run.c: one test: its folder, its failure, and the end of all that it started. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/live/live.h"

static jmp_buf failed;
static char root[256], folder[512];

_Noreturn void live_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    printf("    %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    longjmp(failed, 1);
}

uint64_t live_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static bool wait_within(bool (*is_true)(void *context), void *context, uint64_t patience_ms)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    uint64_t until = live_now_ms() + patience_ms;

    while (!is_true(context)) {
        if (live_now_ms() > until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

bool live_wait(bool (*is_true)(void *context), void *context)
{
    return wait_within(is_true, context, LIVE_PATIENCE_MS);
}

void live_await_within(bool (*is_true)(void *context), void *context, const char *what,
                       uint64_t patience_ms)
{
    if (!wait_within(is_true, context, patience_ms))
        live_fail(__FILE__, __LINE__, "not within %llu ms: %s", (unsigned long long)patience_ms,
                  what);
}

void live_await(bool (*is_true)(void *context), void *context, const char *what)
{
    live_await_within(is_true, context, what, LIVE_PATIENCE_MS);
}

const char *live_folder(void)
{
    return folder;
}

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *at)
{
    (void)entry;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void live_wipe(const char *name)
{
    char path[600];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    remove_tree(path);
}

static void on_signal(int signal_number)
{
    live_nodes_end(); /* so that no node outlives us; nothing runs after it */
    _exit(128 + signal_number);
}

bool live_begin(const char *dynkvd)
{
    const char *temporary = getenv("TMPDIR");

    snprintf(root, sizeof root, "%.200s/dynkv-live-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(root)) {
        fprintf(stderr, "cannot make %s: %s\n", root, strerror(errno));
        return false;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    live_nodes_init(dynkvd);
    return true;
}

bool live_run(void (*test)(void))
{
    static unsigned number;
    volatile bool passed = true;
    volatile uint64_t started = live_now_ms();

    snprintf(folder, sizeof folder, "%s/%u", root, ++number);
    mkdir(folder, 0700);
    if (setjmp(failed) == 0)
        test();
    else
        passed = false;
    live_clients_end();
    live_nodes_end();
    if (passed)
        remove_tree(folder);
    printf("    %s, %llu ms\n", passed ? "ok" : "FAILED",
           (unsigned long long)(live_now_ms() - started));
    return passed;
}

void live_end(bool passed)
{
    if (passed)
        remove_tree(root);
}
