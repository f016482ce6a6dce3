/*
 * steps.h: what several sessions do in turn, and what each of them is to see; a table instead of code.
 *
 *     {'A', "BEGIN", ""},
 *     {'A', "UPDATE t SET n = 2", ""},
 *     {'B', "SELECT n FROM t", "1"},             rows, or the SQLSTATE of an error
 *     {'B', "SELECT ... FOR UPDATE", STEP_WAITS}, it waits for a lock,
 *     {'A', "COMMIT", ""},
 *     {'B', NULL, "2"},                          and ends with this
 */
#ifndef DYNKV_TESTS_SESSIONS_STEPS_H
#define DYNKV_TESTS_SESSIONS_STEPS_H

#include <stddef.h>

#include "tests/sessions/sessions.h"

struct step {
    char who; /* 'A', 'B' or 'C' */
    const char *sql;
    const char *expected;
};

extern const char STEP_WAITS[];

/* Sessions of a name are the same ones in all calls of a test. */
void steps_run(const struct step *steps, size_t count);

#define STEPS(...)                                \
    steps_run((const struct step[]){__VA_ARGS__}, \
              sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))

/* They end with the test (sessions_end), and are to be forgotten then. */
void steps_forget(void);

#endif
