/* filter_row.c: format 'row': a MessagePack map, item by item, straight from the bytes. */
#include "model/filter_value.h"

enum item_kind { ITEM_NIL, ITEM_BOOL, ITEM_INT, ITEM_REAL, ITEM_STR, ITEM_BIN, ITEM_OTHER };

struct item {
    enum item_kind kind;
    int64_t integer;
    double real;
    struct dynkv_slice bytes;
    uint64_t inside; /* items that belong to it and follow */
};

static uint64_t get_bits(struct dynkv_cursor *in, uint32_t width)
{
    struct dynkv_slice bytes = dynkv_get_raw(in, width);
    uint64_t bits = 0;

    for (size_t i = 0; i < bytes.len; i++)
        bits = bits << 8 | bytes.data[i];
    return bits;
}

/* Widths go up by doubling: a type and the three after it are 8, 16, 32 and 64 bits. */
static uint32_t width_after(uint8_t head, uint8_t first)
{
    return 1u << (head - first);
}

static void get_long(struct dynkv_cursor *in, struct item *item, uint8_t head)
{
    uint32_t narrow;
    uint64_t bits;
    float real;

    if (head == 0xc2 || head == 0xc3) {
        item->kind = ITEM_BOOL;
        item->integer = head == 0xc3;
    } else if (head >= 0xc4 && head <= 0xc6) {
        item->kind = ITEM_BIN;
        item->bytes = dynkv_get_raw(in, (size_t)get_bits(in, width_after(head, 0xc4)));
    } else if (head >= 0xc7 && head <= 0xc9) {
        uint64_t len = get_bits(in, width_after(head, 0xc7));

        item->kind = ITEM_OTHER;
        (void)dynkv_get_raw(in, (size_t)len + 1);
    } else if (head == 0xca) {
        item->kind = ITEM_REAL;
        narrow = (uint32_t)get_bits(in, 4);
        memcpy(&real, &narrow, sizeof real);
        item->real = (double)real;
    } else if (head == 0xcb) {
        item->kind = ITEM_REAL;
        bits = get_bits(in, 8);
        memcpy(&item->real, &bits, sizeof item->real);
    } else if (head >= 0xcc && head <= 0xcf) {
        bits = get_bits(in, width_after(head, 0xcc));
        item->kind = bits <= INT64_MAX ? ITEM_INT : ITEM_OTHER;
        item->integer = (int64_t)bits;
    } else if (head >= 0xd0 && head <= 0xd3) {
        uint32_t width = width_after(head, 0xd0);

        bits = get_bits(in, width);
        item->kind = ITEM_INT;
        item->integer = width == 1   ? (int8_t)bits
                        : width == 2 ? (int16_t)bits
                        : width == 4 ? (int32_t)bits
                                     : (int64_t)bits;
    } else if (head >= 0xd4 && head <= 0xd8) {
        item->kind = ITEM_OTHER;
        (void)dynkv_get_raw(in, width_after(head, 0xd4) + 1u);
    } else if (head >= 0xd9 && head <= 0xdb) {
        item->kind = ITEM_STR;
        item->bytes = dynkv_get_raw(in, (size_t)get_bits(in, width_after(head, 0xd9)));
    } else if (head == 0xdc || head == 0xdd) {
        item->kind = ITEM_OTHER;
        item->inside = get_bits(in, head == 0xdc ? 2 : 4);
    } else if (head == 0xde || head == 0xdf) {
        item->kind = ITEM_OTHER;
        item->inside = 2 * get_bits(in, head == 0xde ? 2 : 4);
    } else if (head != 0xc0) { /* nil; 0xc1 is never used */
        in->failed = true;
    }
}

static bool get_item(struct dynkv_cursor *in, struct item *item)
{
    uint8_t head = dynkv_get_u8(in);

    *item = (struct item){.kind = ITEM_NIL};
    if (head <= 0x7f || head >= 0xe0) {
        item->kind = ITEM_INT;
        item->integer = (int8_t)head;
    } else if (head <= 0x8f) {
        item->kind = ITEM_OTHER;
        item->inside = 2 * (head & 0x0fu);
    } else if (head <= 0x9f) {
        item->kind = ITEM_OTHER;
        item->inside = head & 0x0fu;
    } else if (head <= 0xbf) {
        item->kind = ITEM_STR;
        item->bytes = dynkv_get_raw(in, head & 0x1fu);
    } else {
        get_long(in, item, head);
    }
    return !in->failed;
}

/* Steps over what is inside an item; without recursion, so depth is no concern. */
static bool skip_inside(struct dynkv_cursor *in, const struct item *item)
{
    uint64_t pending = item->inside;
    struct item next;

    while (pending > 0) {
        /* Every item has a byte at least: a count that cannot be true ends it here. */
        if (pending > dynkv_cursor_left(in) || !get_item(in, &next))
            return false;
        pending += next.inside - 1;
    }
    return true;
}

static void cell_take(struct filter_cell *cell, const struct dynkv_filter_column *column,
                      const struct item *item, struct dynkv_arena *arena)
{
    switch (item->kind) {
    case ITEM_NIL:
        cell->known = FILTER_IS_NULL;
        break;
    case ITEM_BOOL:
        filter_cell_bool(cell, column, item->integer != 0);
        break;
    case ITEM_INT:
        filter_cell_int(cell, column, item->integer, arena);
        break;
    case ITEM_REAL:
        filter_cell_real(cell, column, item->real);
        break;
    case ITEM_STR:
        filter_cell_text(cell, column, item->bytes, arena);
        break;
    case ITEM_BIN:
        filter_cell_bytes(cell, column, item->bytes);
        break;
    case ITEM_OTHER:
        break;
    }
}

bool filter_read_row(struct filter_cells *cells, struct dynkv_slice value)
{
    struct dynkv_cursor in = dynkv_cursor(value);
    uint8_t head = value.len ? value.data[0] : 0;
    uint64_t pairs;
    struct item map, name, item;

    if ((head < 0x80 || head > 0x8f) && head != 0xde && head != 0xdf)
        return false;
    if (!get_item(&in, &map))
        return false;
    for (pairs = map.inside / 2; pairs > 0; pairs--) {
        const struct dynkv_filter_column *column;
        struct filter_cell *cell = NULL;

        if (!get_item(&in, &name) || !skip_inside(&in, &name) || !get_item(&in, &item))
            return false;
        if (name.kind == ITEM_STR)
            cell = filter_cell_meet(cells, name.bytes, &column);
        if (cell)
            cell_take(cell, column, &item, cells->arena);
        if (!skip_inside(&in, &item))
            return false;
    }
    return dynkv_cursor_left(&in) == 0;
}
