/* child.c: see child.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "child.h"

struct dynkv_engine *child_open(const struct fixture *f, char *text, size_t size)
{
    struct dynkv_engine_config config = {.path = f->path, .sync = DYNKV_SYNC_ALWAYS};

    return dynkv_engine_open(f->kind, &config, text, size);
}

void child_require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "child: does not hold: %s\n", what);
    _exit(1);
}

int child_wait(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

pid_t start_holder(const struct fixture *f)
{
    int ready[2];
    char byte, text[512];
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        struct dynkv_engine *engine = child_open(f, text, sizeof text);
        struct dynkv_engine_op op = op_put(1, 7, "a", "1");

        REQUIRE(engine && dynkv_engine_write(engine, &op, 1) == DYNKV_OK);
        REQUIRE(write(ready[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

void kill_holder(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}
