/*
 * read_quorum.c: one quorum read as pure data.
 *
 * A replica counts as active from being asked until it fails; next() keeps r of them active, and one
 * more for each hedge.  Its content is known to be in the merged object when it answered with the
 * object, or with the digest of the merged object, of any object that was merged, or of nothing (0).
 * Otherwise it is fetched.  Two replicas with one digest are fetched once: the second waits for what
 * comes of the first, unless somebody was slow.
 */
#include "model/read_quorum.h"

#include "base/assert.h"

void dynkv_read_quorum_init(struct dynkv_read_quorum *read, uint32_t n, uint32_t r)
{
    DYNKV_ASSERT(n <= DYNKV_REPLICAS_MAX && r >= 1);
    *read = (struct dynkv_read_quorum){.n = n, .r = r};
}

static uint32_t count_in_state(const struct dynkv_read_quorum *read, enum dynkv_replica_state state)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < read->n; i++)
        count += read->replicas[i].state == state;
    return count;
}

uint32_t dynkv_read_quorum_answers(const struct dynkv_read_quorum *read)
{
    return count_in_state(read, DYNKV_REPLICA_HAS_DIGEST) +
           count_in_state(read, DYNKV_REPLICA_HAS_OBJECT);
}

/* Whether another replica gave, or is asked for, an object with this digest. */
static bool object_in_state(const struct dynkv_read_quorum *read, uint64_t digest,
                            enum dynkv_replica_state state)
{
    for (uint32_t i = 0; i < read->n; i++)
        if (read->replicas[i].state == state && read->replicas[i].digest == digest)
            return true;
    return false;
}

/* A digest whose object is not part of the merged one yet. */
static bool is_differing(const struct dynkv_read_quorum *read, uint32_t replica)
{
    const struct dynkv_read_replica *it = &read->replicas[replica];

    return it->state == DYNKV_REPLICA_HAS_DIGEST && it->digest != 0 &&
           it->digest != read->merged_digest &&
           !object_in_state(read, it->digest, DYNKV_REPLICA_HAS_OBJECT);
}

/* A differing replica to fetch now, or n. */
static uint32_t replica_to_fetch(const struct dynkv_read_quorum *read)
{
    uint32_t replica;

    /* While the first object is under way, it may turn out to be the same; unless it is slow. */
    if (!read->has_object && !read->extra && count_in_state(read, DYNKV_REPLICA_WAITING_OBJECT))
        return read->n;
    for (replica = 0; replica < read->n; replica++)
        if (is_differing(read, replica) &&
            (read->extra ||
             !object_in_state(read, read->replicas[replica].digest, DYNKV_REPLICA_WAITING_OBJECT)))
            break;
    return replica;
}

bool dynkv_read_quorum_next(struct dynkv_read_quorum *read, uint32_t *replica,
                            enum dynkv_want *want)
{
    uint32_t unasked = count_in_state(read, DYNKV_REPLICA_UNASKED);
    uint32_t failed = count_in_state(read, DYNKV_REPLICA_FAILED);
    uint32_t at;

    if (dynkv_read_quorum_state(read) != DYNKV_READ_ASKING)
        return false;
    at = replica_to_fetch(read);
    if (at < read->n) {
        *want = DYNKV_WANT_OBJECT;
    } else {
        if (unasked == 0 || read->n - unasked - failed >= read->r + read->extra)
            return false;
        for (at = 0; read->replicas[at].state != DYNKV_REPLICA_UNASKED;)
            at++;
        *want = read->has_object || count_in_state(read, DYNKV_REPLICA_WAITING_OBJECT)
                    ? DYNKV_WANT_DIGEST
                    : DYNKV_WANT_OBJECT;
    }
    read->replicas[at].state =
        *want == DYNKV_WANT_OBJECT ? DYNKV_REPLICA_WAITING_OBJECT : DYNKV_REPLICA_WAITING_DIGEST;
    *replica = at;
    return true;
}

/*
 * Whether an answer of this replica still counts: it is waited for, or it was given up and comes late.
 * What is decided stays decided, since the caller has acted on it.
 */
static bool is_welcome(const struct dynkv_read_quorum *read, uint32_t replica,
                       enum dynkv_replica_state waiting)
{
    enum dynkv_replica_state state;

    DYNKV_ASSERT(replica < read->n);
    state = read->replicas[replica].state;
    return dynkv_read_quorum_state(read) == DYNKV_READ_ASKING &&
           (state == waiting || state == DYNKV_REPLICA_FAILED);
}

void dynkv_read_quorum_on_object(struct dynkv_read_quorum *read, uint32_t replica,
                                 const struct dynkv_object *object, struct dynkv_arena *arena)
{
    struct dynkv_read_replica *it = &read->replicas[replica];

    if (!is_welcome(read, replica, DYNKV_REPLICA_WAITING_OBJECT))
        return;
    it->state = DYNKV_REPLICA_HAS_OBJECT;
    it->digest = dynkv_object_digest(object);
    if (!read->has_object || it->digest != read->merged_digest) {
        read->merged = dynkv_object_merge(&read->merged, object, arena);
        read->merged_digest = dynkv_object_digest(&read->merged);
    }
    read->has_object = true;
}

void dynkv_read_quorum_on_digest(struct dynkv_read_quorum *read, uint32_t replica, uint64_t digest)
{
    if (!is_welcome(read, replica, DYNKV_REPLICA_WAITING_DIGEST))
        return;
    read->replicas[replica].state = DYNKV_REPLICA_HAS_DIGEST;
    read->replicas[replica].digest = digest;
}

void dynkv_read_quorum_on_failure(struct dynkv_read_quorum *read, uint32_t replica)
{
    enum dynkv_replica_state state;

    DYNKV_ASSERT(replica < read->n);
    state = read->replicas[replica].state;
    if (state == DYNKV_REPLICA_WAITING_OBJECT || state == DYNKV_REPLICA_WAITING_DIGEST)
        read->replicas[replica].state = DYNKV_REPLICA_FAILED;
}

void dynkv_read_quorum_on_truncated(struct dynkv_read_quorum *read, uint32_t replica)
{
    enum dynkv_replica_state state;

    DYNKV_ASSERT(replica < read->n);
    state = read->replicas[replica].state;
    if (state == DYNKV_REPLICA_WAITING_OBJECT)
        read->replicas[replica].state =
            read->replicas[replica].digest ? DYNKV_REPLICA_HAS_DIGEST : DYNKV_REPLICA_UNASKED;
    else if (state == DYNKV_REPLICA_WAITING_DIGEST)
        read->replicas[replica].state = DYNKV_REPLICA_UNASKED;
}

void dynkv_read_quorum_hedge(struct dynkv_read_quorum *read)
{
    read->extra++;
}

enum dynkv_read_state dynkv_read_quorum_state(const struct dynkv_read_quorum *read)
{
    if (read->n - count_in_state(read, DYNKV_REPLICA_FAILED) < read->r)
        return DYNKV_READ_FAILED;
    if (dynkv_read_quorum_answers(read) < read->r)
        return DYNKV_READ_ASKING;
    for (uint32_t i = 0; i < read->n; i++)
        if (is_differing(read, i))
            return DYNKV_READ_ASKING;
    return DYNKV_READ_DONE;
}

bool dynkv_read_quorum_is_stale(const struct dynkv_read_quorum *read, uint32_t replica)
{
    enum dynkv_replica_state state;

    DYNKV_ASSERT(replica < read->n);
    state = read->replicas[replica].state;
    return dynkv_read_quorum_state(read) == DYNKV_READ_DONE &&
           (state == DYNKV_REPLICA_HAS_DIGEST || state == DYNKV_REPLICA_HAS_OBJECT) &&
           read->replicas[replica].digest != read->merged_digest;
}
