/* conflict.c: siblings that are alive, and what each mode makes of them. */
#include "postgres.h"

#include "utils/rel.h"

#include "fdw/conflict.h"
#include "fdw/resolver.h"
#include "wire/message.h"

#define CONFLICT_FIRST_ROOM 4

struct DynkvConflict {
    Relation rel;
    const DynkvTableOptions *options;
    DynkvCodec *codec;
    const DynkvMeta *meta;
    const Bitmapset *wanted;
    bool needs_row;
    DynkvResolver *resolver; /* NULL: none */

    /* Of the key that was begun. */
    struct dynkv_slice key;
    const struct dynkv_object *object;
    const struct dynkv_sibling **alive; /* the latest first */
    int alive_count, alive_room;
    const struct dynkv_sibling *latest; /* of lww */
    int rows, next;
};

DynkvConflict *dynkv_conflict_create(Relation rel, const DynkvTableOptions *options,
                                     DynkvCodec *codec, const Bitmapset *wanted, bool needs_row)
{
    DynkvConflict *conflict = palloc0(sizeof *conflict);

    conflict->rel = rel;
    conflict->options = options;
    conflict->codec = codec;
    conflict->meta = dynkv_codec_meta(codec);
    conflict->wanted = wanted;
    conflict->needs_row = needs_row;
    conflict->alive_room = CONFLICT_FIRST_ROOM;
    conflict->alive = palloc(sizeof *conflict->alive * CONFLICT_FIRST_ROOM);
    if (options->resolver)
        conflict->resolver = dynkv_resolver_create(rel, options->resolver, codec);
    return conflict;
}

/* A resolver is given whole rows; it need not be asked for what all siblings have in common. */
static bool conflict_must_resolve(const DynkvConflict *conflict)
{
    return conflict->resolver && conflict->needs_row &&
           (dynkv_codec_needs_value(conflict->codec, conflict->wanted) ||
            dynkv_meta_is_of_sibling(conflict->meta, conflict->wanted));
}

bool dynkv_conflict_needs_value(const DynkvConflict *conflict)
{
    return conflict->needs_row && (conflict_must_resolve(conflict) ||
                                   dynkv_codec_needs_value(conflict->codec, conflict->wanted));
}

/* ---- a key ---- */

static bool conflict_is_later(const struct dynkv_sibling *a, const struct dynkv_sibling *b)
{
    if (a->timestamp != b->timestamp)
        return a->timestamp > b->timestamp;
    return dynkv_dot_compare(a->dot, b->dot) > 0;
}

static void conflict_make_room(DynkvConflict *conflict, uint32 siblings)
{
    if (siblings <= (uint32)conflict->alive_room)
        return;
    conflict->alive = repalloc(conflict->alive, sizeof *conflict->alive * siblings);
    conflict->alive_room = (int)siblings;
}

/* Mostly there is one. */
static void conflict_collect(DynkvConflict *conflict, uint64 now_ms)
{
    const struct dynkv_object *object = conflict->object;

    conflict_make_room(conflict, object->sibling_count);
    conflict->alive_count = 0;
    for (uint32 i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];
        int at = conflict->alive_count;

        if (dynkv_sibling_is_dead(sibling, now_ms) || dynkv_object_is_twin(object, i))
            continue;
        for (; at > 0 && conflict_is_later(sibling, conflict->alive[at - 1]); at--)
            conflict->alive[at] = conflict->alive[at - 1];
        conflict->alive[at] = sibling;
        conflict->alive_count++;
    }
}

static void conflict_raise(const DynkvConflict *conflict)
{
    const char *table = RelationGetRelationName(conflict->rel);

    ereport(ERROR,
            (errcode(DYNKV_ERRCODE_CONFLICT),
             errmsg("key %s of foreign table \"%s\" has %d concurrent values",
                    dynkv_codec_describe_key(conflict->codec, conflict->rel, conflict->key), table,
                    conflict->alive_count),
             errdetail("They were written without knowledge of each other, and the table has "
                       "conflict 'error'."),
             errhint("Look at them through a foreign table with conflict 'siblings', or with "
                     "\"dynkv get\", and settle them: UPDATE or DELETE the row there, or INSERT "
                     "the right one here."),
             errtable(conflict->rel)));
}

void dynkv_conflict_begin(DynkvConflict *conflict, struct dynkv_slice key,
                          const struct dynkv_object *object, uint64 now_ms)
{
    bool is_lww = conflict->options->conflict == DYNKV_CONFLICT_LWW && !conflict->resolver;

    conflict->key = key;
    conflict->object = object;
    conflict->next = 0;
    conflict_collect(conflict, now_ms);
    conflict->latest = is_lww                      ? dynkv_object_latest(object, now_ms)
                       : conflict->alive_count > 0 ? conflict->alive[0]
                                                   : NULL;
    conflict->rows = conflict->latest != NULL;
    if (conflict->alive_count <= 1)
        return;
    if (conflict->options->conflict == DYNKV_CONFLICT_SIBLINGS)
        conflict->rows = conflict->alive_count;
    else if (conflict->options->conflict == DYNKV_CONFLICT_ERROR)
        conflict_raise(conflict);
}

bool dynkv_conflict_has_row(const DynkvTableOptions *options, const struct dynkv_object *object,
                            uint64 now_ms)
{
    if (options->conflict == DYNKV_CONFLICT_LWW && !options->resolver)
        return dynkv_object_latest(object, now_ms) != NULL;
    return !dynkv_object_is_dead(object, now_ms);
}

/* ---- rows ---- */

/* Of a row that was made of several: the longest that one of them has. */
static uint64 conflict_longest_expiry(const DynkvConflict *conflict)
{
    uint64 longest = 0;

    for (int i = 0; i < conflict->alive_count; i++)
        longest = Max(longest, dynkv_meta_kept_expiry(conflict->alive[i]));
    return longest; /* never is the greatest */
}

bool dynkv_conflict_next(DynkvConflict *conflict, DynkvConflictRow *row)
{
    if (conflict->next == conflict->rows)
        return false;
    row->key = conflict->key;
    row->object = conflict->object;
    row->sibling = conflict->rows > 1 ? conflict->alive[conflict->next] : conflict->latest;
    row->place = conflict->next++;
    row->count = conflict->rows;
    row->expires_at_ms = conflict->resolver ? conflict_longest_expiry(conflict)
                                            : dynkv_meta_kept_expiry(row->sibling);
    return true;
}

/* One sibling as a row; of a resolver's all columns, for the function. */
static void conflict_decode(DynkvConflict *conflict, const struct dynkv_sibling *sibling,
                            const Bitmapset *wanted, Datum *values, bool *nulls)
{
    dynkv_codec_get_row(conflict->codec, conflict->key, sibling->value, wanted, values, nulls);
    dynkv_meta_get(conflict->meta, conflict->object, sibling, conflict->alive_count, wanted, values,
                   nulls);
}

static void conflict_resolve(DynkvConflict *conflict, Datum *values, bool *nulls)
{
    for (int i = 0; i < conflict->alive_count; i++) {
        conflict_decode(conflict, conflict->alive[i], NULL, values, nulls);
        dynkv_resolver_add(conflict->resolver, values, nulls);
    }
    dynkv_resolver_call(conflict->resolver, conflict->key, values, nulls);
    dynkv_meta_get_of_key(conflict->meta, conflict->object, conflict->alive_count, NULL, values,
                          nulls);
}

void dynkv_conflict_get(DynkvConflict *conflict, const DynkvConflictRow *row, Datum *values,
                        bool *nulls)
{
    if (!conflict->needs_row)
        memset(nulls, true, sizeof *nulls * (Size)RelationGetDescr(conflict->rel)->natts);
    else if (conflict->alive_count > 1 && conflict_must_resolve(conflict))
        conflict_resolve(conflict, values, nulls);
    else
        conflict_decode(conflict, row->sibling, conflict->wanted, values, nulls);
}
