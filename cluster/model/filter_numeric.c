/*
 * filter_numeric.c: decimal numbers of any length, compared by their digits.
 *
 * A number is the text that PostgreSQL writes for it, -?(0|[1-9][0-9]*)(\.[0-9]+)?, with what does not
 * change its value cut off: zeros at the end of the fraction, and the sign of zero.  So equal numbers have
 * equal bytes.  NaN is equal to itself and greater than Infinity.
 */
#include "model/filter_value.h"

#define DIGITS_MAX 1000u /* longer ones may be more than a numeric holds */

enum rank { RANK_LOW, RANK_NUMBER, RANK_HIGH, RANK_NAN };

static enum rank number_rank(struct dynkv_slice number)
{
    if (dynkv_slice_equal(number, dynkv_slice_text("NaN")))
        return RANK_NAN;
    if (dynkv_slice_equal(number, dynkv_slice_text("Infinity")))
        return RANK_HIGH;
    if (dynkv_slice_equal(number, dynkv_slice_text("-Infinity")))
        return RANK_LOW;
    return RANK_NUMBER;
}

static size_t skip_digits(struct dynkv_slice text, size_t at)
{
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at;
}

/* Where the digits before the point begin and end, and the fraction, which may be empty. */
struct parts {
    bool is_negative;
    struct dynkv_slice whole, fraction;
};

/* false: the text is no number in that form. */
static bool number_split(struct dynkv_slice text, struct parts *parts)
{
    size_t start = text.len > 0 && text.data[0] == '-', point = skip_digits(text, start), end;

    *parts = (struct parts){.is_negative = start > 0,
                            .whole = dynkv_slice(text.data + start, point - start)};
    if (point == start || (parts->whole.len > 1 && text.data[start] == '0') ||
        text.len > DIGITS_MAX)
        return false;
    if (point == text.len)
        return true;
    end = skip_digits(text, point + 1);
    parts->fraction = dynkv_slice(text.data + point + 1, end - point - 1);
    return text.data[point] == '.' && end == text.len && parts->fraction.len > 0;
}

bool dynkv_filter_numeric(struct dynkv_slice text, struct dynkv_slice *out)
{
    struct parts parts;

    *out = text;
    if (number_rank(text) != RANK_NUMBER)
        return true;
    if (text.len == 0 || !number_split(text, &parts))
        return false;
    if (parts.fraction.len) {
        while (out->data[out->len - 1] == '0')
            out->len--;
        out->len -= out->data[out->len - 1] == '.';
    }
    if (parts.is_negative && out->len == 2 && out->data[1] == '0')
        *out = dynkv_slice(out->data + 1, 1);
    return true;
}

bool filter_numeric_fits(struct dynkv_slice number, uint32_t limit)
{
    uint32_t precision = limit >> 16, scale = limit & 0xffff;
    struct parts parts;
    size_t whole;

    if (limit == 0 || dynkv_slice_equal(number, dynkv_slice_text("NaN")))
        return true;
    if (number_rank(number) != RANK_NUMBER || !number_split(number, &parts))
        return false;
    whole = parts.whole.data[0] == '0' ? 0 : parts.whole.len;
    return parts.fraction.len <= scale && whole + scale <= precision;
}

int filter_numeric_compare(struct dynkv_slice a, struct dynkv_slice b)
{
    enum rank rank_a = number_rank(a), rank_b = number_rank(b);
    struct parts x, y;
    int order;

    if (rank_a != RANK_NUMBER || rank_b != RANK_NUMBER)
        return (rank_a > rank_b) - (rank_a < rank_b);
    if (!number_split(a, &x) || !number_split(b, &y))
        return dynkv_slice_compare(a, b); /* neither a cell nor a decoded filter has such */
    if (x.is_negative != y.is_negative)
        return x.is_negative ? -1 : 1;
    order = x.whole.len != y.whole.len ? (x.whole.len > y.whole.len) - (x.whole.len < y.whole.len)
                                       : dynkv_slice_compare(x.whole, y.whole);
    if (order == 0) /* no zeros at the end: of two that begin alike the longer one is greater */
        order = dynkv_slice_compare(x.fraction, y.fraction);
    return x.is_negative ? -order : order;
}
