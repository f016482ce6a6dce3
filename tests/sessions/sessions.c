/*
 * sessions.c: what sessions must withstand: cancels, errors by the thousand, dying nodes, each other.
 *
 *     sessions DYNKVD [PART OF A SENTENCE]
 */
#include <stdio.h>
#include <string.h>

#include "tests/sessions/steps.h"

static const struct session_test *const suites[] = {cancel_tests, leak_tests,      dying_tests,
                                                    commit_tests, isolation_tests, ddl_tests};
static unsigned passed, failures;

static void run(char **argv, const struct session_test *test)
{
    printf("%s\n", test->sentence);
    fflush(stdout);
    if (live_run(test->run)) {
        passed++;
    } else {
        failures++;
        printf("    repeat with  %s %s '%s'\n    its files are in %s\n", argv[0], argv[1],
               test->sentence, live_folder());
    }
    sessions_end();
    steps_forget();
    silences_end();
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 2 ? argv[2] : "";

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s DYNKVD [PART OF A SENTENCE]\n", argv[0]);
        return 2;
    }
    if (!live_begin(argv[1]))
        return 2;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        for (const struct session_test *test = suites[i]; test->sentence; test++)
            if (strstr(test->sentence, wanted))
                run(argv, test);
    live_end(failures == 0);
    printf("sessions: %u passed, %u failed\n", passed, failures);
    return failures || !passed ? 1 : 0;
}
