/* settle.c: keys of several rows, in a tree, and which of their rows were met. */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/avl.h"
#include "fdw/settle.h"

typedef struct SettleKey {
    struct dynkv_avl_node node;
    struct dynkv_slice key;
    Bitmapset *met; /* places */
    int count;      /* rows that there are */
} SettleKey;

struct DynkvSettle {
    Relation rel;
    DynkvCodec *codec;
    MemoryContext context;
    struct dynkv_avl keys;
};

DynkvSettle *dynkv_settle_create(Relation rel, DynkvCodec *codec)
{
    DynkvSettle *settle = palloc0(sizeof *settle);

    settle->rel = rel;
    settle->codec = codec;
    settle->context = CurrentMemoryContext;
    return settle;
}

static SettleKey *settle_key(const struct dynkv_avl_node *node)
{
    return (SettleKey *)((char *)unconstify(struct dynkv_avl_node *, node) -
                         offsetof(SettleKey, node));
}

static int settle_compare(const void *key, const struct dynkv_avl_node *node)
{
    return dynkv_slice_compare(*(const struct dynkv_slice *)key, settle_key(node)->key);
}

static SettleKey *settle_find(DynkvSettle *settle, const DynkvOldRow *row)
{
    struct dynkv_avl_node *node = dynkv_avl_find(&settle->keys, &row->key, settle_compare);
    SettleKey *found;
    uint8 *copy;

    if (node)
        return settle_key(node);
    found = palloc0(sizeof *found);
    copy = palloc(row->key.len);
    memcpy(copy, row->key.data, row->key.len);
    found->key = dynkv_slice(copy, row->key.len);
    found->count = row->count;
    dynkv_avl_insert(&settle->keys, &found->node, &found->key, settle_compare);
    return found;
}

void dynkv_settle_met(DynkvSettle *settle, const DynkvOldRow *row)
{
    MemoryContext old;
    SettleKey *key;

    if (row->count <= 1)
        return;
    old = MemoryContextSwitchTo(settle->context);
    key = settle_find(settle, row);
    key->met = bms_add_member(key->met, row->place);
    MemoryContextSwitchTo(old);
}

static void settle_raise(const DynkvSettle *settle, const SettleKey *key)
{
    const char *table = RelationGetRelationName(settle->rel);

    ereport(
        ERROR,
        (errcode(ERRCODE_CARDINALITY_VIOLATION),
         errmsg("cannot DELETE %d of the %d concurrent rows of key %s from foreign table "
                "\"%s\"",
                bms_num_members(key->met), key->count,
                dynkv_codec_describe_key(settle->codec, settle->rel, key->key), table),
         errdetail("A DELETE takes away the key with all of its rows, and the condition does "
                   "not meet them all."),
         errhint("UPDATE the row that shall stay: the others are gone then.  Or DELETE by key."),
         errtable(settle->rel)));
}

void dynkv_settle_finish(DynkvSettle *settle)
{
    for (struct dynkv_avl_node *node = dynkv_avl_first(&settle->keys); node;
         node = dynkv_avl_next(node)) {
        const SettleKey *key = settle_key(node);

        if (bms_num_members(key->met) < key->count)
            settle_raise(settle, key);
    }
}
