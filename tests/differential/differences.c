/*
 * differences.c: what may differ between a foreign and an ordinary table, and why.
 *
 * Both sides fail, for different reasons: those that are in the table below.
 *
 * One side fails, or gives something else: the generator does not write such statements.
 *   - ON CONFLICT DO NOTHING without on_insert 'error', ON CONFLICT (key) and DO UPDATE: a foreign table
 *     has no unique index that the server could infer (PostgreSQL's own limit).
 *   - WHERE CURRENT OF, ctid, xmin, COPY table TO (only COPY (SELECT ...) TO), MERGE, LOCK TABLE,
 *     transition tables, row-level security: refused by PostgreSQL for every foreign table.
 *   - An empty text as the whole key: a key has at least one byte.
 *   - A numeric in a key reads back without trailing zeros, -0 as 0: keys that are equal are the same bytes.
 *   - UPDATE that moves a row onto the key of another that moves away: PostgreSQL refuses it or not,
 *     depending on the order of the rows, unless the constraint is DEFERRABLE; a foreign table behaves as
 *     if it were.  So keys are shifted only in tables whose local twin is DEFERRABLE.
 *   - A row that moves out of a foreign partition fires the UPDATE triggers there, not the DELETE triggers: the
 *     server fires those of the operation that it knows of.
 *   - FETCH 0 from a cursor without SCROLL steps back to where it is: refused or not, depending on whether the plan
 *     can go back, as a scan of a local index can.
 *   - INSERT into a table without on_insert 'error' overwrites; its local twin has a trigger that does.
 */
#include <string.h>

#include "differential.h"

struct difference {
    const char *foreign, *local; /* "*": any error */
    const char *reason;
};

static const struct difference differences[] = {
    {"23505", "*",
     "Keys are looked up in batches, so another error may come before or after unique_violation."},
    {"*", "23505", "The same, the other way round."},
};

bool is_documented(const char *foreign, const char *local)
{
    if (!foreign[0] || !local[0])
        return false;
    for (unsigned i = 0; i < sizeof differences / sizeof differences[0]; i++) {
        const struct difference *at = &differences[i];

        if ((at->foreign[0] == '*' || strcmp(at->foreign, foreign) == 0) &&
            (at->local[0] == '*' || strcmp(at->local, local) == 0))
            return true;
    }
    return false;
}
