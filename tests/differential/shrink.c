/*
 * shrink.c: fewer statements that still make the sides differ (Zeller's delta debugging, simplified:
 * halves, quarters, down to single statements are left out in turn).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "differential.h"

/* Runs the statements that are kept, in new tables; the number run when the sides differed, or 0. */
static unsigned shrink_replay(struct run *run, const bool *kept)
{
    unsigned ran = 0;

    run_end(run);
    run_begin(run, run->seed, run->worker);
    for (unsigned i = 0; i < run->history.count; i++) {
        if (!kept[i])
            continue;
        ran = i + 1;
        if (!run_statement(run, &run->history.list[i]))
            return ran;
    }
    return 0;
}

static void shrink_drop(struct run *run, const bool *kept)
{
    unsigned count = 0;

    for (unsigned i = 0; i < run->history.count; i++) {
        if (kept[i]) {
            run->history.list[count++] = run->history.list[i];
        } else {
            statement_free(&run->history.list[i]);
        }
    }
    run->history.count = count;
}

/* Leaves out [from, from + count) if the sides differ without it, too; true if so. */
static bool shrink_without(struct run *run, unsigned from, unsigned count)
{
    bool *kept = malloc(run->history.count);
    unsigned differed;

    if (!kept)
        abort();
    for (unsigned i = 0; i < run->history.count; i++)
        kept[i] = i < from || i >= from + count;
    differed = shrink_replay(run, kept);
    if (differed) {
        memset(kept + differed, 0, run->history.count - differed);
        shrink_drop(run, kept);
    }
    free(kept);
    return differed > 0;
}

void shrink(struct run *run, unsigned seconds)
{
    time_t end = time(NULL) + (time_t)seconds;

    for (unsigned chunk = run->history.count / 2; chunk > 0; chunk /= 2) {
        bool again = true;

        while (again && time(NULL) < end) {
            again = false;
            for (unsigned from = 0; from + 1 < run->history.count && time(NULL) < end;) {
                if (shrink_without(run, from, chunk))
                    again = true;
                else
                    from += chunk;
            }
            again &= chunk == 1;
        }
    }
    shrink_without(run, run->history.count, 0); /* once more, for its outcomes */
}
