/*
 * value_msgpack.h: reading MessagePack item by item, straight from the bytes, with every read checked.
 *
 * An array or map item is only its head: its elements are the items that follow.  Nothing is allocated
 * and nothing recurses, so depth is no concern.
 */
#ifndef DYNKV_FDW_VALUE_MSGPACK_H
#define DYNKV_FDW_VALUE_MSGPACK_H

#include "postgres.h"

#include "base/bytes.h"

typedef enum DynkvMsgpackKind {
    DYNKV_MSGPACK_NIL,
    DYNKV_MSGPACK_BOOL,
    DYNKV_MSGPACK_INT,
    DYNKV_MSGPACK_UINT, /* only those that are no int64 */
    DYNKV_MSGPACK_FLOAT,
    DYNKV_MSGPACK_STR,
    DYNKV_MSGPACK_BIN,
    DYNKV_MSGPACK_EXT,
    DYNKV_MSGPACK_ARRAY,
    DYNKV_MSGPACK_MAP,
} DynkvMsgpackKind;

typedef struct DynkvMsgpackItem {
    DynkvMsgpackKind kind;
    union {
        bool flag;
        int64 integer;
        uint64 natural;
        double real;
        uint32 count; /* of an array's elements or a map's pairs */
    } as;
    struct dynkv_slice bytes; /* of STR, BIN, EXT; borrowed */
} DynkvMsgpackItem;

/* False: the bytes end too soon or are no MessagePack (0xc1). */
extern bool dynkv_msgpack_next(struct dynkv_cursor *in, DynkvMsgpackItem *item);
/* Steps over what belongs to an item that next gave. */
extern bool dynkv_msgpack_skip_content(struct dynkv_cursor *in, const DynkvMsgpackItem *item);
/* With its article, for messages. */
extern const char *dynkv_msgpack_kind_name(DynkvMsgpackKind kind);

#endif
