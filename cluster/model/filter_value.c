/*
 * filter_value.c: from what stands in a value to what the column would show.
 *
 * The columns' own input is the extension's affair, and more liberal than this (fdw/column.c): an int column
 * takes "17", too.  Here only what the writers' own forms are is read; all else stays FILTER_IS_ANYTHING.
 */
#include "model/filter_value.h"

#define FLOAT_EXACT_MAX  (INT64_C(1) << 24) /* integers up to here are floats */
#define DOUBLE_EXACT_MAX (INT64_C(1) << 53)
#define FLOAT_MAX        3.0e38
#define FLOAT_MIN        1.2e-38
#define FLOAT_ROUNDING   1e-6 /* more than a real that becomes a float moves */
#define MORE_NONE        9u   /* a byte that begins no character */
#define US_A_SECOND      INT64_C(1000000)
#define US_A_DAY         (86400 * US_A_SECOND)

struct filter_cell *filter_cell_meet(struct filter_cells *cells, struct dynkv_slice name,
                                     const struct dynkv_filter_column **column)
{
    const struct dynkv_filter *filter = cells->filter;

    for (uint32_t tried = 0; tried < filter->column_count; tried++) {
        uint32_t at = (cells->next + tried) % filter->column_count;
        struct filter_cell *cell = &cells->cells[at];

        if (!dynkv_slice_equal(filter->columns[at].name, name))
            continue;
        cells->next = at + 1;
        *column = &filter->columns[at];
        cell->known = cell->is_met ? FILTER_IS_UNKNOWN : FILTER_IS_ANYTHING;
        if (cell->is_met)
            return NULL;
        cell->is_met = true;
        return cell;
    }
    return NULL;
}

static void cell_set_integer(struct filter_cell *cell, int64_t integer)
{
    cell->known = FILTER_IS_KNOWN;
    cell->value.integer = integer;
}

static void cell_set_real(struct filter_cell *cell, double real)
{
    cell->known = FILTER_IS_KNOWN;
    cell->value.real = real;
}

static void cell_set_bytes(struct filter_cell *cell, struct dynkv_slice bytes)
{
    cell->known = FILTER_IS_KNOWN;
    cell->value.bytes = bytes;
}

void filter_cell_bool(struct filter_cell *cell, const struct dynkv_filter_column *column, bool flag)
{
    if (column->type == DYNKV_FILTER_BOOL)
        cell_set_integer(cell, flag);
}

/* ---- numbers ---- */

/* A number's text, which lives as long as the cell. */
static void cell_set_numeric(struct filter_cell *cell, const struct dynkv_filter_column *column,
                             struct dynkv_slice text)
{
    struct dynkv_slice number;

    if (dynkv_filter_numeric(text, &number) && filter_numeric_fits(number, column->limit))
        cell_set_bytes(cell, number);
}

static struct dynkv_slice integer_text(int64_t integer, struct dynkv_arena *arena)
{
    uint8_t *end = (uint8_t *)dynkv_arena_alloc(arena, 20) + 20, *at = end;
    uint64_t left = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;

    do
        *--at = (uint8_t)('0' + left % 10);
    while (left /= 10);
    if (integer < 0)
        *--at = '-';
    return dynkv_slice(at, (size_t)(end - at));
}

static bool is_within(int64_t integer, int64_t limit)
{
    return integer >= -limit && integer <= limit;
}

void filter_cell_int(struct filter_cell *cell, const struct dynkv_filter_column *column,
                     int64_t integer, struct dynkv_arena *arena)
{
    switch (column->type) {
    case DYNKV_FILTER_INT2:
        if (integer >= INT16_MIN && integer <= INT16_MAX)
            cell_set_integer(cell, integer);
        break;
    case DYNKV_FILTER_INT4:
        if (integer >= INT32_MIN && integer <= INT32_MAX)
            cell_set_integer(cell, integer);
        break;
    case DYNKV_FILTER_INT8:
        cell_set_integer(cell, integer);
        break;
    case DYNKV_FILTER_FLOAT4:
        if (is_within(integer, FLOAT_EXACT_MAX))
            cell_set_real(cell, (double)integer);
        break;
    case DYNKV_FILTER_FLOAT8:
        if (is_within(integer, DOUBLE_EXACT_MAX))
            cell_set_real(cell, (double)integer);
        break;
    case DYNKV_FILTER_NUMERIC:
        cell_set_numeric(cell, column, integer_text(integer, arena));
        break;
    default:
        break;
    }
}

void filter_cell_real(struct filter_cell *cell, const struct dynkv_filter_column *column,
                      double real)
{
    if (column->type == DYNKV_FILTER_FLOAT8)
        cell_set_real(cell, real);
    else if (column->type == DYNKV_FILTER_FLOAT4 &&
             (real != real || real - real != 0 || real == 0)) /* NaN, infinite, zero */
        cell_set_real(cell, real);
    else if (column->type == DYNKV_FILTER_FLOAT4 && real > -FLOAT_MAX && real < FLOAT_MAX &&
             (double)(float)real == real)
        cell_set_real(cell, real);
}

void filter_cell_between(struct filter_cell *cell, const struct dynkv_filter_column *column,
                         double low, double high)
{
    if (column->type == DYNKV_FILTER_FLOAT4) {
        double least = low < 0 ? -high : low, most = low < 0 ? -low : high;

        if (least < FLOAT_MIN || most > FLOAT_MAX)
            return;
        low -= most * FLOAT_ROUNDING;
        high += most * FLOAT_ROUNDING;
    } else if (column->type != DYNKV_FILTER_FLOAT8) {
        return;
    }
    cell->known = FILTER_IS_BETWEEN;
    cell->value.real = low;
    cell->high = high;
}

/* ---- moments ---- */

/* That many digits; -1: there are others. */
static int64_t get_digits(struct dynkv_cursor *in, uint32_t count)
{
    struct dynkv_slice digits = dynkv_get_raw(in, count);
    int64_t number = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            in->failed = true;
        number = number * 10 + (digits.data[i] - '0');
    }
    return in->failed ? -1 : number;
}

static void get_char(struct dynkv_cursor *in, char wanted)
{
    if (dynkv_get_u8(in) != (uint8_t)wanted)
        in->failed = true;
}

static bool peek_char(const struct dynkv_cursor *in, char wanted)
{
    return dynkv_cursor_left(in) > 0 && *in->at == (uint8_t)wanted;
}

static int64_t in_range(struct dynkv_cursor *in, int64_t number, int64_t least, int64_t most)
{
    if (number < least || number > most)
        in->failed = true;
    return number;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* YYYY-MM-DD, as days since 2000-01-01 (Gregorian, before its time too). */
static int64_t get_date(struct dynkv_cursor *in)
{
    static const int16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t year, month, day, past;

    year = in_range(in, get_digits(in, 4), 1, 9999);
    get_char(in, '-');
    month = in_range(in, get_digits(in, 2), 1, 12);
    get_char(in, '-');
    if (in->failed)
        return 0;
    day = get_digits(in, 2);
    (void)in_range(in, day, 1,
                   before[month] - before[month - 1] + (month == 2 && is_leap(year) ? 1 : 0));
    past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 + before[month - 1] +
           (month > 2 && is_leap(year) ? 1 : 0) + day - 1 - 730119;
}

/* HH:MM:SS and up to six digits of a second, in microseconds. */
static int64_t get_time(struct dynkv_cursor *in)
{
    int64_t us = in_range(in, get_digits(in, 2), 0, 23) * 3600;
    int64_t unit = US_A_SECOND;

    get_char(in, ':');
    us += in_range(in, get_digits(in, 2), 0, 59) * 60;
    get_char(in, ':');
    us = (us + in_range(in, get_digits(in, 2), 0, 59)) * US_A_SECOND;
    if (in->failed || !peek_char(in, '.'))
        return us;
    get_char(in, '.');
    while (unit > 1 && dynkv_cursor_left(in) && *in->at >= '0' && *in->at <= '9') {
        unit /= 10;
        us += get_digits(in, 1) * unit;
    }
    return us;
}

/* Z, +HH, +HH:MM: what is to be taken away, in microseconds. */
static int64_t get_zone(struct dynkv_cursor *in)
{
    bool is_west = peek_char(in, '-');
    int64_t minutes;

    if (peek_char(in, 'Z')) {
        get_char(in, 'Z');
        return 0;
    }
    get_char(in, is_west ? '-' : '+');
    minutes = in_range(in, get_digits(in, 2), 0, 15) * 60;
    if (peek_char(in, ':')) {
        get_char(in, ':');
        minutes += in_range(in, get_digits(in, 2), 0, 59);
    }
    return (is_west ? -minutes : minutes) * 60 * US_A_SECOND;
}

bool filter_parse_moment(enum dynkv_filter_type type, struct dynkv_slice text, int64_t *out)
{
    struct dynkv_cursor in = dynkv_cursor(text);

    if (dynkv_slice_equal(text, dynkv_slice_text("infinity"))) {
        *out = INT64_MAX;
        return true;
    }
    if (dynkv_slice_equal(text, dynkv_slice_text("-infinity"))) {
        *out = INT64_MIN;
        return true;
    }
    *out = get_date(&in);
    if (type != DYNKV_FILTER_DATE) {
        get_char(&in, peek_char(&in, 'T') ? 'T' : ' ');
        *out = *out * US_A_DAY + get_time(&in);
        if (type == DYNKV_FILTER_TIMESTAMPTZ)
            *out -= get_zone(&in);
    }
    return !in.failed && dynkv_cursor_left(&in) == 0;
}

/* ---- text and bytes ---- */

/* The length in characters; false: it is no UTF-8, or has a zero byte. */
static bool count_chars(struct dynkv_slice text, size_t *chars)
{
    size_t i = 0;

    for (*chars = 0; i < text.len; ++*chars) {
        uint8_t head = text.data[i++];
        uint32_t more = head < 0x80   ? 0
                        : head < 0xc2 ? MORE_NONE
                        : head < 0xe0 ? 1
                        : head < 0xf0 ? 2
                                      : 3;
        uint32_t code = more == 1 ? head & 0x1fu : more == 2 ? head & 0x0fu : head & 0x07u;

        if (head == 0 || head > 0xf4 || more == MORE_NONE || more > text.len - i)
            return false;
        for (uint32_t j = 0; j < more; j++, i++) {
            if ((text.data[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (text.data[i] & 0x3fu);
        }
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            return false;
    }
    return true;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Pairs of digits, with hyphens passed over where they may be; false: it is no such thing. */
static bool parse_hex(struct dynkv_slice text, bool is_uuid, struct dynkv_arena *arena,
                      struct dynkv_slice *out)
{
    uint8_t *bytes = dynkv_arena_alloc(arena, text.len / 2 + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i += 2) {
        int high, low;

        if (is_uuid && (i == 8 || i == 13 || i == 18 || i == 23) && text.data[i] == '-')
            i++;
        if (text.len - i < 2)
            return false;
        high = hex_digit(text.data[i]);
        low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[len++] = (uint8_t)(high << 4 | low);
    }
    *out = dynkv_slice(bytes, len);
    return true;
}

static void text_is_real(struct filter_cell *cell, struct dynkv_slice text)
{
    double zero = 0;

    if (dynkv_slice_equal(text, dynkv_slice_text("NaN")))
        cell_set_real(cell, zero / zero);
    else if (dynkv_slice_equal(text, dynkv_slice_text("Infinity")))
        cell_set_real(cell, 1 / zero);
    else if (dynkv_slice_equal(text, dynkv_slice_text("-Infinity")))
        cell_set_real(cell, -1 / zero);
}

void filter_cell_text(struct filter_cell *cell, const struct dynkv_filter_column *column,
                      struct dynkv_slice text, struct dynkv_arena *arena)
{
    struct dynkv_slice bytes;
    int64_t moment;
    size_t chars;

    switch (column->type) {
    case DYNKV_FILTER_TEXT:
        if (count_chars(text, &chars) && (!column->limit || chars <= column->limit))
            cell_set_bytes(cell, text);
        break;
    case DYNKV_FILTER_BYTEA:
        if (text.len >= 2 && text.data[0] == '\\' && text.data[1] == 'x' &&
            parse_hex(dynkv_slice(text.data + 2, text.len - 2), false, arena, &bytes))
            cell_set_bytes(cell, bytes);
        break;
    case DYNKV_FILTER_UUID:
        if (text.len == 36 && parse_hex(text, true, arena, &bytes) && bytes.len == 16)
            cell_set_bytes(cell, bytes);
        break;
    case DYNKV_FILTER_DATE:
    case DYNKV_FILTER_TIMESTAMP:
    case DYNKV_FILTER_TIMESTAMPTZ:
        if (filter_parse_moment(column->type, text, &moment))
            cell_set_integer(cell, moment);
        break;
    case DYNKV_FILTER_FLOAT4:
    case DYNKV_FILTER_FLOAT8:
        text_is_real(cell, text);
        break;
    case DYNKV_FILTER_NUMERIC:
        cell_set_numeric(cell, column, text);
        break;
    default:
        break;
    }
}

void filter_cell_bytes(struct filter_cell *cell, const struct dynkv_filter_column *column,
                       struct dynkv_slice bytes)
{
    if (column->type == DYNKV_FILTER_BYTEA)
        cell_set_bytes(cell, bytes);
}
