/* filter.c: the bytes of a filter, and the logic of sets of results. */
#include "model/filter.h"

#include "model/filter_value.h"

#define FILTER_VERSION 1u

/* ---- constants ---- */

enum filter_class { FILTER_INTEGER, FILTER_REAL, FILTER_BYTES, FILTER_DIGITS, FILTER_NO_VALUE };

static enum filter_class type_class(enum dynkv_filter_type type)
{
    switch (type) {
    case DYNKV_FILTER_ANY:
    case DYNKV_FILTER_PRESENT:
        return FILTER_NO_VALUE;
    case DYNKV_FILTER_FLOAT4:
    case DYNKV_FILTER_FLOAT8:
        return FILTER_REAL;
    case DYNKV_FILTER_TEXT:
    case DYNKV_FILTER_BYTEA:
    case DYNKV_FILTER_UUID:
        return FILTER_BYTES;
    case DYNKV_FILTER_NUMERIC:
        return FILTER_DIGITS;
    default:
        return FILTER_INTEGER;
    }
}

/* NaN is equal to itself, and greater than all others. */
static int real_compare(double a, double b)
{
    if (a != a || b != b)
        return (a != a) - (b != b);
    return (a > b) - (a < b);
}

int dynkv_filter_compare(enum dynkv_filter_type type, const struct dynkv_filter_value *a,
                         const struct dynkv_filter_value *b)
{
    switch (type_class(type)) {
    case FILTER_INTEGER:
        return (a->integer > b->integer) - (a->integer < b->integer);
    case FILTER_REAL:
        return real_compare(a->real, b->real);
    case FILTER_BYTES:
        return dynkv_slice_compare(a->bytes, b->bytes);
    case FILTER_DIGITS:
        return filter_numeric_compare(a->bytes, b->bytes);
    default:
        return 0;
    }
}

/* ---- encoding ---- */

static void put_value(enum dynkv_filter_type type, const struct dynkv_filter_value *value,
                      struct dynkv_buf *out)
{
    uint64_t bits;

    switch (type_class(type)) {
    case FILTER_BYTES:
    case FILTER_DIGITS:
        dynkv_put_bytes(out, value->bytes);
        return;
    case FILTER_REAL:
        memcpy(&bits, &value->real, sizeof bits);
        break;
    default:
        bits = (uint64_t)value->integer;
    }
    dynkv_put_u64(out, bits);
}

static void put_node(const struct dynkv_filter *filter, const struct dynkv_filter_node *node,
                     struct dynkv_buf *out)
{
    dynkv_put_u8(out, (uint8_t)node->op);
    switch (node->op) {
    case DYNKV_FILTER_AND:
    case DYNKV_FILTER_OR:
        dynkv_put_varint(out, node->child_count);
        /* FALLTHROUGH */
    case DYNKV_FILTER_NOT:
        for (uint32_t i = 0; i < node->child_count; i++)
            put_node(filter, &node->children[i], out);
        return;
    case DYNKV_FILTER_NULL:
        return;
    default:
        dynkv_put_varint(out, node->column);
    }
    if (node->op == DYNKV_FILTER_IN) {
        dynkv_put_u8(out, node->has_null);
        dynkv_put_varint(out, node->value_count);
    }
    for (uint32_t i = 0; i < node->value_count; i++)
        put_value(filter->columns[node->column].type, &node->values[i], out);
}

void dynkv_filter_encode(const struct dynkv_filter *filter, struct dynkv_buf *out)
{
    dynkv_put_u8(out, FILTER_VERSION);
    dynkv_put_u8(out, (uint8_t)filter->format);
    dynkv_put_varint(out, filter->column_count);
    for (uint32_t i = 0; i < filter->column_count; i++) {
        dynkv_put_u8(out, (uint8_t)filter->columns[i].type);
        dynkv_put_varint(out, filter->columns[i].limit);
        dynkv_put_bytes(out, filter->columns[i].name);
    }
    put_node(filter, &filter->root, out);
}

/* ---- decoding ---- */

struct decoder {
    struct dynkv_cursor in;
    struct dynkv_arena *arena;
    struct dynkv_filter *filter;
    uint32_t nodes;
    bool is_too_large;
};

/* A count of things that take at least a byte each: no memory is taken on the word of a count. */
static uint32_t get_count(struct decoder *decoder)
{
    uint64_t count = dynkv_get_varint(&decoder->in);

    if (count > dynkv_cursor_left(&decoder->in)) {
        decoder->in.failed = true;
        return 0;
    }
    return (uint32_t)count;
}

static void get_value(struct decoder *decoder, enum dynkv_filter_type type,
                      struct dynkv_filter_value *value)
{
    enum filter_class class = type_class(type);
    struct dynkv_slice number;
    uint64_t bits;

    if (class == FILTER_BYTES || class == FILTER_DIGITS) {
        value->bytes = dynkv_get_bytes(&decoder->in, DYNKV_FILTER_MAX);
        if (class == FILTER_DIGITS && !decoder->in.failed &&
            (!dynkv_filter_numeric(value->bytes, &number) || number.len != value->bytes.len))
            decoder->in.failed = true;
        return;
    }
    bits = dynkv_get_u64(&decoder->in);
    if (class == FILTER_REAL)
        memcpy(&value->real, &bits, sizeof value->real);
    else
        value->integer = (int64_t)bits;
}

/* Whether columns of that type can be asked so. */
static bool op_fits(enum dynkv_filter_op op, enum dynkv_filter_type type)
{
    if (op == DYNKV_FILTER_LIKE || op == DYNKV_FILTER_STARTS_WITH)
        return type == DYNKV_FILTER_TEXT;
    return op == DYNKV_FILTER_IS_NULL || type_class(type) != FILTER_NO_VALUE;
}

static void get_column(struct decoder *decoder, struct dynkv_filter_node *node)
{
    uint64_t column = dynkv_get_varint(&decoder->in);
    const struct dynkv_filter *filter = decoder->filter;

    if (column >= filter->column_count || !op_fits(node->op, filter->columns[column].type))
        decoder->in.failed = true;
    else
        node->column = (uint32_t)column;
}

static void get_values(struct decoder *decoder, struct dynkv_filter_node *node)
{
    enum dynkv_filter_type type;

    if (decoder->in.failed)
        return;
    type = decoder->filter->columns[node->column].type;
    node->value_count = 1;
    if (node->op == DYNKV_FILTER_IN) {
        uint8_t has_null = dynkv_get_u8(&decoder->in);

        decoder->in.failed = decoder->in.failed || has_null > 1;
        node->has_null = has_null == 1;
        node->value_count = get_count(decoder);
    }
    node->values = dynkv_arena_calloc(decoder->arena, node->value_count, sizeof *node->values);
    for (uint32_t i = 0; i < node->value_count && !decoder->in.failed; i++) {
        get_value(decoder, type, &node->values[i]);
        if (i > 0 && dynkv_filter_compare(type, &node->values[i - 1], &node->values[i]) >= 0)
            decoder->in.failed = true;
    }
}

static void get_node(struct decoder *decoder, struct dynkv_filter_node *node, uint32_t depth)
{
    node->op = (enum dynkv_filter_op)dynkv_get_u8(&decoder->in);
    if (depth > DYNKV_FILTER_DEPTH_MAX || ++decoder->nodes > DYNKV_FILTER_NODES_MAX) {
        decoder->is_too_large = decoder->in.failed = true;
        return;
    }
    switch (node->op) {
    case DYNKV_FILTER_AND:
    case DYNKV_FILTER_OR:
    case DYNKV_FILTER_NOT:
        node->child_count = node->op == DYNKV_FILTER_NOT ? 1 : get_count(decoder);
        if (node->child_count > DYNKV_FILTER_NODES_MAX) {
            decoder->is_too_large = decoder->in.failed = true;
            return;
        }
        node->children =
            dynkv_arena_calloc(decoder->arena, node->child_count, sizeof *node->children);
        for (uint32_t i = 0; i < node->child_count && !decoder->in.failed; i++)
            get_node(decoder, &node->children[i], depth + 1);
        return;
    case DYNKV_FILTER_NULL:
        return;
    case DYNKV_FILTER_IS_NULL:
        get_column(decoder, node);
        return;
    case DYNKV_FILTER_EQ:
    case DYNKV_FILTER_LT:
    case DYNKV_FILTER_LE:
    case DYNKV_FILTER_GE:
    case DYNKV_FILTER_GT:
    case DYNKV_FILTER_IN:
    case DYNKV_FILTER_LIKE:
    case DYNKV_FILTER_STARTS_WITH:
        get_column(decoder, node);
        get_values(decoder, node);
        return;
    }
    decoder->in.failed = true;
}

static void get_columns(struct decoder *decoder)
{
    struct dynkv_filter *filter = decoder->filter;

    filter->column_count = get_count(decoder);
    if (filter->column_count > DYNKV_FILTER_COLUMNS_MAX) {
        decoder->is_too_large = decoder->in.failed = true;
        return;
    }
    filter->columns =
        dynkv_arena_calloc(decoder->arena, filter->column_count, sizeof *filter->columns);
    for (uint32_t i = 0; i < filter->column_count; i++) {
        struct dynkv_filter_column *column = &filter->columns[i];
        uint8_t type = dynkv_get_u8(&decoder->in);
        uint64_t limit = dynkv_get_varint(&decoder->in);

        if (type < DYNKV_FILTER_ANY || type > DYNKV_FILTER_TYPE_LAST || limit > UINT32_MAX)
            decoder->in.failed = true;
        column->type = (enum dynkv_filter_type)type;
        column->limit = (uint32_t)limit;
        column->name = dynkv_get_bytes(&decoder->in, DYNKV_FILTER_MAX);
    }
}

enum dynkv_error dynkv_filter_decode(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                     struct dynkv_filter *out)
{
    struct decoder decoder = {.in = dynkv_cursor(bytes), .arena = arena, .filter = out};
    uint8_t version, format;

    *out = (struct dynkv_filter){0};
    if (bytes.len > DYNKV_FILTER_MAX)
        return DYNKV_TOO_LARGE;
    version = dynkv_get_u8(&decoder.in);
    format = dynkv_get_u8(&decoder.in);
    if (version != FILTER_VERSION || format < DYNKV_FILTER_ROW || format > DYNKV_FILTER_JSON)
        return DYNKV_MALFORMED;
    out->format = (enum dynkv_filter_format)format;
    get_columns(&decoder);
    if (!decoder.in.failed)
        get_node(&decoder, &out->root, 1);
    if (decoder.is_too_large)
        return DYNKV_TOO_LARGE;
    return decoder.in.failed || dynkv_cursor_left(&decoder.in) ? DYNKV_MALFORMED : DYNKV_OK;
}

/* ---- sets of results ---- */

#define T DYNKV_FILTER_MAY_BE_TRUE
#define F DYNKV_FILTER_MAY_BE_FALSE
#define N DYNKV_FILTER_MAY_BE_NULL

static uint8_t set_not(uint8_t a)
{
    return (uint8_t)((a & N) | (a & T ? F : 0) | (a & F ? T : 0));
}

static uint8_t set_and(uint8_t a, uint8_t b)
{
    bool is_null = ((a & N) && (b & (T | N))) || ((b & N) && (a & (T | N)));

    return (uint8_t)((a & b & T) | ((a | b) & F) | (is_null ? N : 0));
}

/* Which of less (1), equal (2) and greater (4) a cell may be than a constant. */
static uint8_t cell_compare(const struct filter_cell *cell, enum dynkv_filter_type type,
                            const struct dynkv_filter_value *value)
{
    int low, high;
    uint8_t may = 0;

    if (cell->known == FILTER_IS_ANYTHING)
        return 7;
    low = dynkv_filter_compare(type, &cell->value, value);
    high = cell->known == FILTER_IS_BETWEEN ? real_compare(cell->high, value->real) : low;
    if (low < 0)
        may |= 1;
    if (low <= 0 && high >= 0)
        may |= 2;
    if (high > 0)
        may |= 4;
    return may;
}

static uint8_t test_comparison(const struct filter_cell *cell, enum dynkv_filter_type type,
                               const struct dynkv_filter_node *node)
{
    static const uint8_t wanted[] = {
        [DYNKV_FILTER_EQ] = 2, [DYNKV_FILTER_LT] = 1, [DYNKV_FILTER_LE] = 3,
        [DYNKV_FILTER_GE] = 6, [DYNKV_FILTER_GT] = 4,
    };
    uint8_t may = cell_compare(cell, type, &node->values[0]);

    return (uint8_t)((may & wanted[node->op] ? T : 0) | (may & ~wanted[node->op] ? F : 0));
}

static uint8_t test_in(const struct filter_cell *cell, enum dynkv_filter_type type,
                       const struct dynkv_filter_node *node)
{
    uint32_t low = 0, high = node->value_count;
    uint8_t missed = node->has_null ? N : F;

    if (cell->known != FILTER_IS_KNOWN)
        return (uint8_t)(T | missed);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = dynkv_filter_compare(type, &cell->value, &node->values[middle]);

        if (order == 0)
            return T;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return missed;
}

/* A comparison with a cell that is not NULL. */
static uint8_t test_value(const struct filter_cell *cell, enum dynkv_filter_type type,
                          const struct dynkv_filter_node *node)
{
    switch (node->op) {
    case DYNKV_FILTER_IN:
        return test_in(cell, type, node);
    case DYNKV_FILTER_LIKE:
    case DYNKV_FILTER_STARTS_WITH:
        if (cell->known != FILTER_IS_KNOWN)
            return T | F;
        return node->op == DYNKV_FILTER_LIKE
                   ? filter_like(cell->value.bytes, node->values[0].bytes)
                   : filter_starts_with(cell->value.bytes, node->values[0].bytes);
    default:
        return test_comparison(cell, type, node);
    }
}

static uint8_t test_column(const struct filter_cells *cells, const struct dynkv_filter_node *node)
{
    const struct filter_cell *cell = &cells->cells[node->column];
    enum dynkv_filter_type type = cells->filter->columns[node->column].type;

    if (node->op == DYNKV_FILTER_IS_NULL)
        return cell->known == FILTER_IS_NULL ? T : cell->known == FILTER_IS_UNKNOWN ? T | F : F;
    /* Nothing is in an empty list, not even NULL. */
    if (node->op == DYNKV_FILTER_IN && node->value_count == 0 && !node->has_null)
        return F;
    if (cell->known == FILTER_IS_NULL)
        return N;
    if (cell->known == FILTER_IS_UNKNOWN)
        return DYNKV_FILTER_MAY_BE_ANY;
    return test_value(cell, type, node);
}

static uint8_t test_node(const struct filter_cells *cells, const struct dynkv_filter_node *node)
{
    uint8_t set;

    switch (node->op) {
    case DYNKV_FILTER_AND:
        set = T;
        for (uint32_t i = 0; i < node->child_count && set & T; i++)
            set = set_and(set, test_node(cells, &node->children[i]));
        /* Cut short: it cannot be true any more, but what else it is may still be open. */
        return set & T ? set : F | N;
    case DYNKV_FILTER_OR:
        set = F;
        for (uint32_t i = 0; i < node->child_count; i++)
            set = set_not(set_and(set_not(set), set_not(test_node(cells, &node->children[i]))));
        return set;
    case DYNKV_FILTER_NOT:
        return set_not(test_node(cells, &node->children[0]));
    case DYNKV_FILTER_NULL:
        return N;
    default:
        return test_column(cells, node);
    }
}

uint8_t dynkv_filter_test(const struct dynkv_filter *filter, struct dynkv_slice value,
                          struct dynkv_arena *arena)
{
    struct filter_cells cells;
    bool is_read;

    cells.filter = filter;
    cells.arena = arena;
    cells.next = 0;
    memset(cells.cells, 0, filter->column_count * sizeof cells.cells[0]);
    is_read = filter->format == DYNKV_FILTER_ROW ? filter_read_row(&cells, value)
                                                 : filter_read_json(&cells, value);
    return is_read ? test_node(&cells, &filter->root) : DYNKV_FILTER_MAY_BE_ANY;
}
