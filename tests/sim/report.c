/* report.c: violations, the trace and its hash, and how keys, dots and versions are written. */
#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "sim.h"

#define TEXT_PLACES 8u /* texts that live at the same time */

void sim_hash(struct sim *sim, uint64_t number)
{
    sim->trace_hash = dynkv_hash_pair(sim->trace_hash, number);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list arguments;

    printf("%12.3f ms  ", (double)sim->now_us / SIM_MS);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void sim_violation(struct sim *sim, const char *invariant, const char *format, ...)
{
    va_list arguments;

    if (sim->report.found)
        return;
    sim->report.found = true;
    sim->report.at_us = sim->now_us;
    snprintf(sim->report.invariant, sizeof sim->report.invariant, "%s", invariant);
    va_start(arguments, format);
    vsnprintf(sim->report.text, sizeof sim->report.text, format, arguments);
    va_end(arguments);
    SIM_TRACE(sim, "VIOLATION of %s: %s", invariant, sim->report.text);
}

static char *text_place(size_t *size)
{
    static char places[TEXT_PLACES][200];
    static uint32_t next;

    *size = sizeof places[0];
    return places[next++ % TEXT_PLACES];
}

const char *sim_key_text(const struct sim_key *key)
{
    size_t size;
    char *text = text_place(&size);

    snprintf(text, size, "key %.*s", (int)key->len, (const char *)key->bytes);
    return text;
}

/* Actors by the node that has them now; those of the past by their number. */
const char *sim_dot_text(const struct sim *sim, struct dynkv_dot dot)
{
    size_t size;
    char *text = text_place(&size);

    for (uint32_t i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].actor == dot.actor) {
            snprintf(text, size, "%s:%llu", sim->nodes[i].name, (unsigned long long)dot.counter);
            return text;
        }
    snprintf(text, size, "%04x:%llu", (unsigned)(dot.actor & 0xffff),
             (unsigned long long)dot.counter);
    return text;
}

const char *sim_version_text(const struct sim *sim, const struct dynkv_version *version)
{
    size_t size, len = 1;
    char *text = text_place(&size);

    snprintf(text, size, "[");
    for (uint32_t i = 0; i < version->count && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " " : "",
                                sim_dot_text(sim, version->entries[i]));
    if (len < size)
        snprintf(text + len, size - len, "]");
    return text;
}
