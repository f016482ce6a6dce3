/* value_msgpack.c: see value_msgpack.h; the bytes are those of the MessagePack specification. */
#include "postgres.h"

#include "fdw/value_msgpack.h"

static uint64 msgpack_bits(struct dynkv_cursor *in, int width)
{
    struct dynkv_slice bytes = dynkv_get_raw(in, (size_t)width);
    uint64 value = 0;
    size_t i;

    for (i = 0; i < bytes.len; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

static void msgpack_int(DynkvMsgpackItem *item, int64 value)
{
    item->kind = DYNKV_MSGPACK_INT;
    item->as.integer = value;
}

static void msgpack_uint(DynkvMsgpackItem *item, uint64 value)
{
    if (value <= (uint64)PG_INT64_MAX) {
        msgpack_int(item, (int64)value);
        return;
    }
    item->kind = DYNKV_MSGPACK_UINT;
    item->as.natural = value;
}

static void msgpack_bytes(struct dynkv_cursor *in, DynkvMsgpackItem *item, DynkvMsgpackKind kind,
                          uint64 len)
{
    item->kind = kind;
    item->bytes = dynkv_get_raw(in, (size_t)len);
}

static void msgpack_ext(struct dynkv_cursor *in, DynkvMsgpackItem *item, uint64 len)
{
    (void)dynkv_get_u8(in); /* the extension's type */
    msgpack_bytes(in, item, DYNKV_MSGPACK_EXT, len);
}

static void msgpack_container(DynkvMsgpackItem *item, DynkvMsgpackKind kind, uint64 count)
{
    item->kind = kind;
    item->as.count = (uint32)count;
}

static void msgpack_float(struct dynkv_cursor *in, DynkvMsgpackItem *item, int width)
{
    uint64 bits = msgpack_bits(in, width);

    item->kind = DYNKV_MSGPACK_FLOAT;
    if (width == 4) {
        uint32 narrow = (uint32)bits;
        float real;

        memcpy(&real, &narrow, sizeof real);
        item->as.real = real;
    } else {
        memcpy(&item->as.real, &bits, sizeof item->as.real);
    }
}

bool dynkv_msgpack_next(struct dynkv_cursor *in, DynkvMsgpackItem *item)
{
    uint8 head = dynkv_get_u8(in);

    item->kind = DYNKV_MSGPACK_NIL;
    item->bytes = dynkv_slice(NULL, 0);
    if (head <= 0x7f)
        msgpack_int(item, head);
    else if (head <= 0x8f)
        msgpack_container(item, DYNKV_MSGPACK_MAP, head & 0x0f);
    else if (head <= 0x9f)
        msgpack_container(item, DYNKV_MSGPACK_ARRAY, head & 0x0f);
    else if (head <= 0xbf)
        msgpack_bytes(in, item, DYNKV_MSGPACK_STR, head & 0x1f);
    else if (head >= 0xe0)
        msgpack_int(item, (int8)head);
    else
        switch (head) {
        case 0xc0: /* nil */
            break;
        case 0xc2: /* false, true */
        case 0xc3:
            item->kind = DYNKV_MSGPACK_BOOL;
            item->as.flag = head == 0xc3;
            break;
        case 0xc4: /* bin 8, 16, 32 */
        case 0xc5:
        case 0xc6:
            msgpack_bytes(in, item, DYNKV_MSGPACK_BIN, msgpack_bits(in, 1 << (head - 0xc4)));
            break;
        case 0xc7: /* ext 8, 16, 32 */
        case 0xc8:
        case 0xc9:
            msgpack_ext(in, item, msgpack_bits(in, 1 << (head - 0xc7)));
            break;
        case 0xca: /* float 32, 64 */
        case 0xcb:
            msgpack_float(in, item, head == 0xca ? 4 : 8);
            break;
        case 0xcc: /* uint 8, 16, 32, 64 */
        case 0xcd:
        case 0xce:
        case 0xcf:
            msgpack_uint(item, msgpack_bits(in, 1 << (head - 0xcc)));
            break;
        case 0xd0: /* int 8, 16, 32, 64 */
            msgpack_int(item, (int8)msgpack_bits(in, 1));
            break;
        case 0xd1:
            msgpack_int(item, (int16)msgpack_bits(in, 2));
            break;
        case 0xd2:
            msgpack_int(item, (int32)msgpack_bits(in, 4));
            break;
        case 0xd3:
            msgpack_int(item, (int64)msgpack_bits(in, 8));
            break;
        case 0xd4: /* fixext 1, 2, 4, 8, 16 */
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
            msgpack_ext(in, item, UINT64CONST(1) << (head - 0xd4));
            break;
        case 0xd9: /* str 8, 16, 32 */
        case 0xda:
        case 0xdb:
            msgpack_bytes(in, item, DYNKV_MSGPACK_STR, msgpack_bits(in, 1 << (head - 0xd9)));
            break;
        case 0xdc: /* array 16, 32 */
        case 0xdd:
            msgpack_container(item, DYNKV_MSGPACK_ARRAY, msgpack_bits(in, 2 << (head - 0xdc)));
            break;
        case 0xde: /* map 16, 32 */
        case 0xdf:
            msgpack_container(item, DYNKV_MSGPACK_MAP, msgpack_bits(in, 2 << (head - 0xde)));
            break;
        default: /* 0xc1 is never used */
            in->failed = true;
        }
    return !in->failed;
}

bool dynkv_msgpack_skip_content(struct dynkv_cursor *in, const DynkvMsgpackItem *item)
{
    DynkvMsgpackItem next = *item;
    uint64 pending = 0;

    for (;;) {
        if (next.kind == DYNKV_MSGPACK_ARRAY)
            pending += next.as.count;
        else if (next.kind == DYNKV_MSGPACK_MAP)
            pending += 2 * (uint64)next.as.count;
        if (pending == 0)
            return true;
        /* Every item has a byte at least: a count that cannot be true ends it here. */
        if (pending > dynkv_cursor_left(in) || !dynkv_msgpack_next(in, &next))
            return false;
        pending--;
    }
}

const char *dynkv_msgpack_kind_name(DynkvMsgpackKind kind)
{
    switch (kind) {
    case DYNKV_MSGPACK_NIL:
        return "nil";
    case DYNKV_MSGPACK_BOOL:
        return "a boolean";
    case DYNKV_MSGPACK_INT:
    case DYNKV_MSGPACK_UINT:
        return "an integer";
    case DYNKV_MSGPACK_FLOAT:
        return "a float";
    case DYNKV_MSGPACK_STR:
        return "a string";
    case DYNKV_MSGPACK_BIN:
        return "binary";
    case DYNKV_MSGPACK_EXT:
        return "a MessagePack extension";
    case DYNKV_MSGPACK_ARRAY:
        return "an array";
    case DYNKV_MSGPACK_MAP:
        return "a map";
    }
    pg_unreachable();
}
