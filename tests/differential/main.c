/*
 * main.c: differential: random SQL on a foreign table and on an ordinary one with the same rows; every
 * result, command tag and error class must agree.
 *
 *   differential --hosts HOST:PORT,... [--seeds A..B] [--statements N] [--jobs J] [--shrink SECONDS]
 *                [--trace 1] [--sabotage 1] [--worker N]
 *
 *   --shrink     when a seed fails, look for fewer statements that fail, for so long
 *   --trace      print every statement and its outcome
 *   --sabotage   the ordinary side gets a row more, which must be found out
 *   --worker     the first job's number, in names of schemas and keyspaces, for runs beside each other
 *
 * The server is the one of PGHOST, PGPORT and so on.  One line a seed; when the sides differ, the seed, the
 * statement, both outcomes, the statements that lead there, and the command that repeats it.  The last line
 * is "differential: N passed, N failed", of seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "differential.h"

#define ROWS_SHOWN 12u
#define JOBS_MAX   16u

struct options {
    const char *hosts;
    uint64_t first, last;
    unsigned statements, jobs, shrink_s, trace, sabotage, worker;
};

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: differential --hosts HOST:PORT,... [--seeds A..B] [--statements N] "
                    "[--jobs J] [--shrink SECONDS] [--trace 1] "
                    "[--sabotage 1] [--worker N]\n");
    exit(2);
}

static void parse_seeds(const char *text, struct options *options)
{
    char *end;

    options->first = options->last = strtoull(text, &end, 10);
    if (strncmp(end, "..", 2) == 0)
        options->last = strtoull(end + 2, &end, 10);
    if (*end || options->last < options->first)
        usage();
}

static void parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i += 2) {
        const char *name = arguments[i], *value = arguments[i + 1];

        if (i + 1 == count)
            usage();
        if (strcmp(name, "--hosts") == 0)
            options->hosts = value;
        else if (strcmp(name, "--seeds") == 0)
            parse_seeds(value, options);
        else if (strcmp(name, "--statements") == 0)
            options->statements = (unsigned)atoi(value);
        else if (strcmp(name, "--jobs") == 0)
            options->jobs = (unsigned)atoi(value);
        else if (strcmp(name, "--shrink") == 0)
            options->shrink_s = (unsigned)atoi(value);
        else if (strcmp(name, "--trace") == 0)
            options->trace = (unsigned)atoi(value);
        else if (strcmp(name, "--worker") == 0)
            options->worker = (unsigned)atoi(value);
        else if (strcmp(name, "--sabotage") == 0)
            options->sabotage = (unsigned)atoi(value);
        else
            usage();
    }
    if (!options->hosts || options->jobs < 1 || options->jobs > JOBS_MAX)
        usage();
}

/* ---- a failure ---- */

static void show_outcome(const char *name, const struct outcome *outcome)
{
    printf("  %s: %s%s, %u rows\n", name, outcome->sqlstate[0] ? outcome->sqlstate : "",
           outcome->tag, outcome->row_count);
    if (outcome->message)
        printf("    %s", outcome->message);
}

/* The rows that the other side has not; both are sorted. */
static void show_missing(const char *what, const struct outcome *mine, const struct outcome *other)
{
    unsigned at = 0, shown = 0;

    for (unsigned i = 0; i < mine->row_count && shown < ROWS_SHOWN; i++) {
        int order = -1;

        while (at < other->row_count && (order = strcmp(other->rows[at], mine->rows[i])) < 0)
            at++;
        if (at < other->row_count && order == 0) {
            at++;
            continue;
        }
        printf("  %s: %s\n", what, mine->rows[i]);
        shown++;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_failure(struct run *run, unsigned statements)
{
    struct outcome *outcomes = run->outcomes;

    printf("seed %llu, statement %u: %s\n", (unsigned long long)run->seed, run->history.count,
           run->difference);
    statement_show(&run->history.list[run->history.count - 1]);
    show_outcome("foreign", &outcomes[FOREIGN]);
    show_outcome("local", &outcomes[LOCAL]);
    for (int i = 0; i < SIDES; i++)
        if (outcomes[i].row_count)
            qsort(outcomes[i].rows, outcomes[i].row_count, sizeof *outcomes[i].rows, by_text);
    show_missing("only foreign", &outcomes[FOREIGN], &outcomes[LOCAL]);
    show_missing("only local", &outcomes[LOCAL], &outcomes[FOREIGN]);
    printf("repeat with  make differential SEEDS=%llu STATEMENTS=%u\n",
           (unsigned long long)run->seed, statements);
}

static void show_script(const struct run *run)
{
    struct text ddl = {0};

    printf("what is left of seed %llu:\n", (unsigned long long)run->seed);
    tables_ddl(&run->tables, run->seed, true, run->worker, &ddl);
    for (size_t at = 0; at < ddl.len; at += strlen(ddl.data + at) + 1)
        printf("%s;\n", ddl.data + at);
    text_free(&ddl);
    for (unsigned i = 0; i < run->history.count; i++)
        statement_show(&run->history.list[i]);
}

/* ---- seeds ---- */

static void forget(struct history *history)
{
    for (unsigned i = 0; i < history->count; i++)
        statement_free(&history->list[i]);
    free(history->list);
    *history = (struct history){0};
}

/* What workers tell the parent; so small that a pipe takes it whole. */
struct counts {
    long seeds, failed, statements, errors;
};

static void one_seed(uint64_t seed, unsigned worker, const struct options *options,
                     struct counts *counts)
{
    struct run run = {.traces = options->trace > 0, .is_sabotaged = options->sabotage > 0};
    bool agree;

    run_begin(&run, seed, worker);
    agree = run_seed(&run, options->statements);
    counts->seeds++;
    counts->failed += !agree;
    counts->statements += run.history.count;
    counts->errors += run.errors;
    if (agree) {
        printf("seed %llu: %u statements agree, %u of them errors\n", (unsigned long long)seed,
               run.history.count, run.errors);
    } else {
        show_failure(&run, options->statements);
        fflush(stdout);
        if (options->shrink_s > 0) {
            shrink(&run, options->shrink_s);
            show_script(&run);
            if (run.difference)
                show_failure(&run, options->statements);
        }
    }
    fflush(stdout);
    run_end(&run);
    forget(&run.history);
}

/* One worker's share of the seeds. */
static void work(unsigned worker, const struct options *options, int out)
{
    struct counts counts = {0};

    for (uint64_t seed = options->first + (worker - options->worker); seed <= options->last;
         seed += options->jobs)
        one_seed(seed, worker, options, &counts);
    if (write(out, &counts, sizeof counts) != sizeof counts)
        abort();
}

static bool work_all(const struct options *options)
{
    struct counts counts, sum = {0};
    unsigned ended = 0;
    int ends[2];

    if (pipe(ends))
        abort();
    fflush(stdout);
    for (unsigned i = 0; i < options->jobs; i++) {
        if (fork() == 0) {
            work(options->worker + i, options, ends[1]);
            exit(0);
        }
    }
    close(ends[1]);
    for (; read(ends[0], &counts, sizeof counts) == sizeof counts; ended++) {
        sum.seeds += counts.seeds;
        sum.failed += counts.failed;
        sum.statements += counts.statements;
        sum.errors += counts.errors;
    }
    while (wait(NULL) > 0)
        continue;
    sum.failed += (long)(options->jobs - ended); /* a worker that told nothing */
    printf("%ld statements, of which %ld failed on both sides\n", sum.statements, sum.errors);
    printf("differential: %ld passed, %ld failed\n", sum.seeds - sum.failed, sum.failed);
    return sum.failed == 0;
}

int main(int count, char **arguments)
{
    struct options options = {.first = 1, .last = 1, .statements = 300, .jobs = 1};

    parse(count, arguments, &options);
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    printf("differential: seeds %llu..%llu\n", (unsigned long long)options.first,
           (unsigned long long)options.last);
    run_prepare_database(options.hosts);
    return work_all(&options) ? 0 : 1;
}
