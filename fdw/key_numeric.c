/*
 * key_numeric.c: numeric key columns.
 *
 *   tag     0 -Infinity, 1 negative, 2 zero, 3 positive, 4 Infinity, 5 NaN: as PostgreSQL orders them
 *   weight  2 bytes, the power of 10000 of the first digit, sign flipped
 *   digits  2 bytes each, base 10000, first and last not 0, each plus 1
 *   end     0x0000, below any digit: a number that goes on is greater
 *
 * and for a negative number all after the tag inverted, so that what is greater in size is less.  That
 * is the value without its display scale: equal numerics have equal bytes.  Reading gives the shortest
 * scale that shows all digits, or that of the column's type, as in numeric(10,2).
 *
 * The binary form of numeric_send and numeric_recv is what both ends speak: numeric's own layout is
 * private to the server.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "fdw/key_codec.h"

#define BASE            10000
#define SIGN_POSITIVE   0x0000 /* of the binary form */
#define SIGN_NEGATIVE   0x4000
#define SIGN_NAN        0xc000
#define SIGN_INFINITY   0xd000
#define SIGN_NINFINITY  0xf000
#define SCALE_MAX       0x3fff
#define WEIGHT_SIGN_BIT 0x8000

enum {
    TAG_NINFINITY,
    TAG_NEGATIVE,
    TAG_ZERO,
    TAG_POSITIVE,
    TAG_INFINITY,
    TAG_NAN,
};

static uint8 numeric_tag(uint16 sign, int digits)
{
    switch (sign) {
    case SIGN_NAN:
        return TAG_NAN;
    case SIGN_INFINITY:
        return TAG_INFINITY;
    case SIGN_NINFINITY:
        return TAG_NINFINITY;
    case SIGN_NEGATIVE:
        return digits ? TAG_NEGATIVE : TAG_ZERO;
    default:
        return digits ? TAG_POSITIVE : TAG_ZERO;
    }
}

void dynkv_key_put_numeric(Datum value, StringInfo out)
{
    bytea *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, value));
    struct dynkv_cursor in = dynkv_cursor(dynkv_slice(VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent)));
    int digits = (int)dynkv_key_get_bits(&in, 2);
    uint16 weight = (uint16)dynkv_key_get_bits(&in, 2);
    uint16 sign = (uint16)dynkv_key_get_bits(&in, 2);
    uint8 tag = numeric_tag(sign, digits);
    uint16 invert = tag == TAG_NEGATIVE ? 0xffff : 0;
    int i;

    (void)dynkv_key_get_bits(&in, 2); /* the display scale */
    dynkv_key_put_bits(out, tag, 1);
    if (tag != TAG_NEGATIVE && tag != TAG_POSITIVE)
        return;
    /* numeric keeps neither leading nor trailing zero digits. */
    dynkv_key_put_bits(out, (uint16)(weight ^ WEIGHT_SIGN_BIT ^ invert), 2);
    for (i = 0; i < digits; i++)
        dynkv_key_put_bits(out, (uint16)(((uint16)dynkv_key_get_bits(&in, 2) + 1) ^ invert), 2);
    dynkv_key_put_bits(out, invert, 2);
    Assert(!in.failed && in.at == in.end);
}

/* The decimal places that show all of the number. */
static int numeric_places(int16 weight, int digits, int last_digit)
{
    int scale = 4 * (digits - 1 - weight);

    if (scale <= 0)
        return 0;
    while (last_digit % 10 == 0) {
        last_digit /= 10;
        scale--;
    }
    return scale;
}

static Datum numeric_receive(int16 weight, uint16 sign, int scale, StringInfo digits)
{
    StringInfoData message;

    initStringInfo(&message);
    pq_sendint16(&message, (uint16)(digits->len / 2));
    pq_sendint16(&message, (uint16)weight);
    pq_sendint16(&message, sign);
    pq_sendint16(&message, (uint16)scale);
    appendBinaryStringInfo(&message, digits->data, digits->len);
    return DirectFunctionCall3(numeric_recv, PointerGetDatum(&message),
                               ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* Weight, digits and end of a number that is neither zero nor special. */
static Datum numeric_get_finite(struct dynkv_cursor *in, uint16 sign, bool wanted,
                                const DynkvPlace *place)
{
    uint16 invert = sign == SIGN_NEGATIVE ? 0xffff : 0;
    int16 weight = (int16)((uint16)dynkv_key_get_bits(in, 2) ^ invert ^ WEIGHT_SIGN_BIT);
    int first = 0, last = 0;
    int scale;
    StringInfoData digits;

    initStringInfo(&digits);
    for (;;) {
        int digit = ((uint16)dynkv_key_get_bits(in, 2) ^ invert) - 1;

        if (in->failed)
            return (Datum)0;
        if (digit < 0)
            break;
        if (digit >= BASE)
            dynkv_key_malformed(place, "its key bytes are no number: a digit is out of range");
        first = digits.len ? first : digit;
        last = digit;
        pq_sendint16(&digits, (uint16)digit);
    }
    if (first == 0 || last == 0)
        dynkv_key_malformed(place, "its key bytes are no number: zeros at an end");
    if (!wanted)
        return (Datum)0;
    scale = numeric_places(weight, digits.len / 2, last);
    if (scale > SCALE_MAX)
        dynkv_key_malformed(place, "its key bytes are no number: too many decimal places");
    return numeric_receive(weight, sign, scale, &digits);
}

/* As the column's numeric(p,s) shows it; one with more places cannot have come from it. */
static Datum numeric_fit(const DynkvKeyColumn *key, Datum value, const DynkvPlace *place)
{
    Datum fitted;

    if (key->column.typmod < 0)
        return value;
    fitted = DirectFunctionCall2(numeric, value, Int32GetDatum(key->column.typmod));
    if (!DatumGetBool(DirectFunctionCall2(numeric_eq, value, fitted)))
        dynkv_key_malformed(place, "the number in its key has more decimal places than the column");
    return fitted;
}

Datum dynkv_key_get_numeric(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                            const DynkvPlace *place)
{
    uint8 tag = dynkv_get_u8(in);
    StringInfoData none;
    Datum value;

    if (in->failed)
        return (Datum)0;
    initStringInfo(&none);
    switch (tag) {
    case TAG_NEGATIVE:
        value = numeric_get_finite(in, SIGN_NEGATIVE, wanted, place);
        break;
    case TAG_POSITIVE:
        value = numeric_get_finite(in, SIGN_POSITIVE, wanted, place);
        break;
    case TAG_ZERO:
        value = numeric_receive(0, SIGN_POSITIVE, 0, &none);
        break;
    case TAG_NINFINITY:
        value = numeric_receive(0, SIGN_NINFINITY, 0, &none);
        break;
    case TAG_INFINITY:
        value = numeric_receive(0, SIGN_INFINITY, 0, &none);
        break;
    case TAG_NAN:
        value = numeric_receive(0, SIGN_NAN, 0, &none);
        break;
    default:
        dynkv_key_malformed(place, "its key bytes are no number: unknown sign");
    }
    return wanted && !in->failed ? numeric_fit(key, value, place) : (Datum)0;
}
