/*
 * live.c: real processes, real sockets, real stores.
 *
 *     live DYNKVD [PART OF A SENTENCE]
 */
#include <stdio.h>
#include <string.h>

#include "tests/live/live.h"
#include "tests/live/live_tests.h"

int main(int argc, char **argv)
{
    const char *wanted = argc > 2 ? argv[2] : "";
    unsigned passed = 0, failures = 0;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s DYNKVD [PART OF A SENTENCE]\n", argv[0]);
        return 2;
    }
    if (!live_begin(argv[1]))
        return 2;
    for (const struct live_test *test = live_tests; test->sentence; test++) {
        if (!strstr(test->sentence, wanted))
            continue;
        printf("%s\n", test->sentence);
        fflush(stdout);
        if (live_run(test->run)) {
            passed++;
        } else {
            failures++;
            printf("    repeat with  %s %s '%s'\n    its files are in %s\n", argv[0], argv[1],
                   test->sentence, live_folder());
        }
    }
    live_end(failures == 0);
    printf("live: %u passed, %u failed\n", passed, failures);
    return failures || !passed ? 1 : 0;
}
