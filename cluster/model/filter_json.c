/*
 * filter_json.c: format 'json': the members of one JSON object.
 *
 * Numbers become doubles by arithmetic whose error is far below the margin that is given them: what only the
 * last digits decide is left open.
 */
#include "model/filter_value.h"

#define REAL_MARGIN  1e-13 /* relative; the arithmetic below errs by less than 1e-14 */
#define DIGITS_MAX   18    /* of an integer, and of a real as many are looked at */
#define EXPONENT_MAX 280

static void skip_space(struct dynkv_cursor *in)
{
    while (dynkv_cursor_left(in) &&
           (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
}

static bool take(struct dynkv_cursor *in, char wanted)
{
    if (!dynkv_cursor_left(in) || *in->at != (uint8_t)wanted)
        return false;
    in->at++;
    return true;
}

static bool take_word(struct dynkv_cursor *in, const char *word)
{
    size_t len = strlen(word);

    if (dynkv_cursor_left(in) < len || memcmp(in->at, word, len) != 0)
        return false;
    in->at += len;
    return true;
}

/* ---- strings ---- */

/* What stands between two quotes, as it is; the first quote is taken. */
static bool get_raw_string(struct dynkv_cursor *in, struct dynkv_slice *out, bool *has_escapes)
{
    const uint8_t *start = in->at;

    *has_escapes = false;
    for (; dynkv_cursor_left(in) && *in->at != '"'; in->at++) {
        if (*in->at < 0x20)
            return false;
        if (*in->at == '\\') {
            *has_escapes = true;
            in->at++;
            if (!dynkv_cursor_left(in))
                return false;
        }
    }
    *out = dynkv_slice(start, (size_t)(in->at - start));
    return take(in, '"');
}

static bool get_hex4(struct dynkv_cursor *in, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = dynkv_get_u8(in);
        uint32_t digit = c >= '0' && c <= '9'   ? c - (uint32_t)'0'
                         : c >= 'a' && c <= 'f' ? c - (uint32_t)'a' + 10
                         : c >= 'A' && c <= 'F' ? c - (uint32_t)'A' + 10
                                                : 16;

        if (in->failed || digit > 15)
            return false;
        *code = *code << 4 | digit;
    }
    return true;
}

/* A character by its number; false: half a pair, or the number zero, which text cannot have. */
static bool get_numbered(struct dynkv_cursor *in, uint32_t *code)
{
    uint32_t low;

    if (!get_hex4(in, code) || *code == 0 || (*code >= 0xdc00 && *code < 0xe000))
        return false;
    if (*code < 0xd800 || *code >= 0xe000)
        return true;
    if (!take(in, '\\') || !take(in, 'u') || !get_hex4(in, &low) || low < 0xdc00 || low >= 0xe000)
        return false;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static uint8_t *put_utf8(uint8_t *at, uint32_t code)
{
    if (code < 0x80) {
        *at++ = (uint8_t)code;
        return at;
    }
    if (code < 0x800) {
        *at++ = (uint8_t)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *at++ = (uint8_t)(0xe0 | code >> 12);
        } else {
            *at++ = (uint8_t)(0xf0 | code >> 18);
            *at++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        }
        *at++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    }
    *at++ = (uint8_t)(0x80 | (code & 0x3f));
    return at;
}

/* A string with its escapes resolved, which is never longer. */
static bool unescape(struct dynkv_slice raw, struct dynkv_arena *arena, struct dynkv_slice *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    struct dynkv_cursor in = dynkv_cursor(raw);
    uint8_t *bytes = dynkv_arena_alloc(arena, raw.len + 1), *at = bytes;

    while (dynkv_cursor_left(&in)) {
        uint8_t c = dynkv_get_u8(&in);
        uint32_t code, i = 0;

        if (c != '\\') {
            *at++ = c;
            continue;
        }
        c = dynkv_get_u8(&in);
        if (c == 'u') {
            if (!get_numbered(&in, &code))
                return false;
            at = put_utf8(at, code);
            continue;
        }
        while (from[i] && (uint8_t)from[i] != c)
            i++;
        if (!from[i])
            return false;
        *at++ = (uint8_t)to[i];
    }
    *out = dynkv_slice(bytes, (size_t)(at - bytes));
    return true;
}

static bool get_string(struct dynkv_cursor *in, struct dynkv_arena *arena, struct dynkv_slice *out)
{
    bool has_escapes;

    if (!take(in, '"') || !get_raw_string(in, out, &has_escapes))
        return false;
    return !has_escapes || unescape(*out, arena, out);
}

/* ---- numbers ---- */

struct number {
    bool is_negative, is_integer;
    uint64_t digits; /* the first ones */
    uint32_t count;  /* of those, without leading zeros */
    int32_t exponent;
};

static bool is_digit(const struct dynkv_cursor *in)
{
    return dynkv_cursor_left(in) && *in->at >= '0' && *in->at <= '9';
}

static bool get_digits(struct dynkv_cursor *in, struct number *number, int32_t exponent_each)
{
    if (!is_digit(in))
        return false;
    for (; is_digit(in); in->at++) {
        if (number->count < DIGITS_MAX) {
            number->digits = number->digits * 10 + (uint64_t)(*in->at - '0');
            number->count += number->digits > 0;
            number->exponent += exponent_each;
        } else {
            number->count = DIGITS_MAX + 1;
            number->exponent += exponent_each + 1;
        }
    }
    return true;
}

static bool get_number(struct dynkv_cursor *in, struct number *number)
{
    bool starts_with_zero;

    *number = (struct number){.is_negative = take(in, '-'), .is_integer = true};
    starts_with_zero = dynkv_cursor_left(in) && *in->at == '0';
    if (starts_with_zero) {
        in->at++;
        if (is_digit(in))
            return false;
    } else if (!get_digits(in, number, 0)) {
        return false;
    }
    if (take(in, '.')) {
        number->is_integer = false;
        if (!get_digits(in, number, -1))
            return false;
    }
    if (dynkv_cursor_left(in) && (*in->at == 'e' || *in->at == 'E')) {
        struct number power = {0};
        bool is_below;

        in->at++;
        number->is_integer = false;
        is_below = take(in, '-');
        if (!is_below)
            (void)take(in, '+');
        if (!get_digits(in, &power, 0))
            return false;
        /* Of more than nine digits nothing can be said: far outside of what is looked at. */
        number->exponent +=
            (power.count > 9 ? 1000000000 : (int32_t)power.digits) * (is_below ? -1 : 1);
    }
    return true;
}

/*
 * A double that is certain: an integer that is one, times or by a power of ten that is one, is rounded but
 * once (Clinger 1990).  False: it is not so simple.
 */
static bool number_exact(const struct number *number, double *real)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int32_t most = (int32_t)(sizeof powers / sizeof powers[0]) - 1;

    if (number->count > DIGITS_MAX || number->digits > UINT64_C(1) << 53 ||
        number->exponent < -most || number->exponent > most)
        return false;
    *real = (double)number->digits;
    if (number->exponent < 0)
        *real /= powers[-number->exponent];
    else
        *real *= powers[number->exponent];
    if (number->is_negative)
        *real = -*real;
    return true;
}

static void cell_number(struct filter_cell *cell, const struct dynkv_filter_column *column,
                        const struct number *number, struct dynkv_slice text,
                        struct dynkv_arena *arena)
{
    double real = (double)number->digits, exact, margin;

    if (column->type == DYNKV_FILTER_NUMERIC) {
        filter_cell_text(cell, column, text, arena);
        return;
    }

    if (number->is_integer && number->count <= DIGITS_MAX) {
        filter_cell_int(cell, column,
                        number->is_negative ? -(int64_t)number->digits : (int64_t)number->digits,
                        arena);
        if (cell->known == FILTER_IS_KNOWN)
            return;
    }
    if (number->digits == 0) {
        filter_cell_real(cell, column, 0);
        return;
    }
    if (column->type == DYNKV_FILTER_FLOAT8 && number_exact(number, &exact)) {
        filter_cell_real(cell, column, exact);
        return;
    }
    if (number->exponent < -EXPONENT_MAX || number->exponent > EXPONENT_MAX)
        return;
    for (int32_t i = number->exponent; i > 0; i--)
        real *= 10;
    for (int32_t i = number->exponent; i < 0; i++)
        real /= 10;
    margin = real * REAL_MARGIN;
    if (number->is_negative)
        filter_cell_between(cell, column, -real - margin, -real + margin);
    else
        filter_cell_between(cell, column, real - margin, real + margin);
}

/* ---- values ---- */

/* Steps over an array or object, by its brackets; without recursion, so depth is no concern. */
static bool skip_nested(struct dynkv_cursor *in)
{
    struct dynkv_slice string;
    bool has_escapes;
    size_t depth = 0;

    do {
        uint8_t c = dynkv_get_u8(in);

        if (in->failed)
            return false;
        if (c == '"' && !get_raw_string(in, &string, &has_escapes))
            return false;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
    } while (depth > 0);
    return true;
}

/* Takes the next value, and tells the cell; NULL: nobody asks for it. */
static bool get_value(struct filter_cells *cells, struct dynkv_cursor *in, struct filter_cell *cell,
                      const struct dynkv_filter_column *column)
{
    struct dynkv_slice text;
    struct number number;
    bool has_escapes;

    if (!dynkv_cursor_left(in))
        return false;
    switch (*in->at) {
    case '"':
        if (!cell) {
            in->at++;
            return get_raw_string(in, &text, &has_escapes);
        }
        if (!get_string(in, cells->arena, &text))
            return false;
        filter_cell_text(cell, column, text, cells->arena);
        return true;
    case '{':
    case '[':
        return skip_nested(in);
    case 't':
    case 'f':
        if (cell)
            filter_cell_bool(cell, column, *in->at == 't');
        return take_word(in, *in->at == 't' ? "true" : "false");
    case 'n':
        if (cell && column->type != DYNKV_FILTER_PRESENT)
            cell->known = FILTER_IS_NULL;
        return take_word(in, "null");
    default:
        text.data = in->at;
        if (!get_number(in, &number))
            return false;
        text.len = (size_t)(in->at - text.data);
        if (cell)
            cell_number(cell, column, &number, text, cells->arena);
        return true;
    }
}

bool filter_read_json(struct filter_cells *cells, struct dynkv_slice value)
{
    struct dynkv_cursor in = dynkv_cursor(value);
    bool is_first = true;

    skip_space(&in);
    if (!take(&in, '{'))
        return false;
    for (skip_space(&in); !take(&in, '}'); skip_space(&in), is_first = false) {
        const struct dynkv_filter_column *column = NULL;
        struct filter_cell *cell;
        struct dynkv_slice name;

        if (!is_first && !take(&in, ','))
            return false;
        skip_space(&in);
        if (!get_string(&in, cells->arena, &name))
            return false;
        cell = filter_cell_meet(cells, name, &column);
        skip_space(&in);
        if (!take(&in, ':'))
            return false;
        skip_space(&in);
        if (!get_value(cells, &in, cell, column))
            return false;
    }
    skip_space(&in);
    return dynkv_cursor_left(&in) == 0;
}
