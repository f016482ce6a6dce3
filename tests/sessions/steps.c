/* steps.c: one step after the other. */
#include "tests/sessions/steps.h"

#include <string.h>

#define SESSION_COUNT 3

const char STEP_WAITS[] = "(it waits)";

static struct session *actors[SESSION_COUNT];

static struct session *actor(char who)
{
    struct session **place = &actors[who - 'A'];

    if (!*place)
        *place = session_open();
    return *place;
}

static void step_run(const struct step *step)
{
    struct session *session = actor(step->who);
    const char *got;

    if (step->expected == STEP_WAITS) {
        session_begin(session, "%s", step->sql);
        session_await_lock(session);
        return;
    }
    got = step->sql ? session_ask(session, "%s", step->sql) : session_end(session);
    CHECK(strcmp(got, step->expected) == 0, "%c: %s\n    gives    %s  %s %s\n    and not  %s",
          step->who, step->sql ? step->sql : "(what it waited for)", got, session_message(session),
          session_detail(session), step->expected);
}

void steps_run(const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        step_run(&steps[i]);
}

void steps_forget(void)
{
    memset(actors, 0, sizeof actors);
}
