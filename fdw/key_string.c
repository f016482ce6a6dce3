/*
 * key_string.c: text-like key columns and bytea.
 *
 * In a key with other columns after it the end must show, and must sort before any byte that could
 * follow: 0x00 0x01.  A zero byte of the value is 0x00 0xff, which sorts after the end and before every
 * other byte, so "a" < "a\0" < "ab" stays true.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "fdw/key_codec.h"

#define ZERO_MARK 0xff /* after 0x00: a zero byte */
#define END_MARK  0x01 /* after 0x00: the end of the column */

/* ---- writing ---- */

static struct dynkv_slice string_varlena(Datum value)
{
    struct varlena *data = PG_DETOAST_DATUM_PACKED(value);

    return dynkv_slice(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
}

static struct dynkv_slice string_without_blanks(struct dynkv_slice text)
{
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

static struct dynkv_slice string_bytes(const DynkvKeyColumn *key, Datum value)
{
    struct dynkv_slice text;

    switch (key->kind) {
    case DYNKV_KEY_BYTEA:
        return string_varlena(value);
    case DYNKV_KEY_TEXT:
        text = string_varlena(value);
        break;
    case DYNKV_KEY_BPCHAR:
        text = string_without_blanks(string_varlena(value));
        break;
    case DYNKV_KEY_NAME:
        text = dynkv_slice_text(NameStr(*DatumGetName(value)));
        break;
    default: /* an enum */
        text = dynkv_slice_text(DatumGetCString(DirectFunctionCall1(enum_out, value)));
        break;
    }
    return dynkv_text_to_utf8((const char *)text.data, (int)text.len);
}

void dynkv_key_put_string(const DynkvKeyColumn *key, Datum value, StringInfo out)
{
    struct dynkv_slice left = string_bytes(key, value);
    const uint8 *zero;

    while (!key->plain && left.len > 0 && (zero = memchr(left.data, 0, left.len)) != NULL) {
        size_t run = (size_t)(zero - left.data) + 1;

        appendBinaryStringInfo(out, (const char *)left.data, (int)run);
        appendStringInfoCharMacro(out, (char)ZERO_MARK);
        left = dynkv_slice(left.data + run, left.len - run);
    }
    if (left.len > 0)
        appendBinaryStringInfo(out, (const char *)left.data, (int)left.len);
    if (!key->plain) {
        appendStringInfoCharMacro(out, 0);
        appendStringInfoCharMacro(out, END_MARK);
    }
}

/* ---- reading ---- */

/* The escaped bytes up to the end mark, which is consumed; *escapes: how many zero bytes are in it. */
static struct dynkv_slice string_scan(struct dynkv_cursor *in, size_t *escapes)
{
    const uint8 *start = in->at;
    const uint8 *at = start;

    *escapes = 0;
    while (!in->failed) {
        const uint8 *zero = at < in->end ? memchr(at, 0, (size_t)(in->end - at)) : NULL;

        if (!zero || zero + 1 == in->end || (zero[1] != END_MARK && zero[1] != ZERO_MARK)) {
            in->failed = true;
            break;
        }
        at = zero + 2;
        if (zero[1] == END_MARK) {
            in->at = at;
            return dynkv_slice(start, (size_t)(zero - start));
        }
        (*escapes)++;
    }
    return dynkv_slice(NULL, 0);
}

static struct dynkv_slice string_unescape(struct dynkv_slice escaped, size_t escapes)
{
    uint8 *bytes = palloc(escaped.len);
    size_t from, to = 0;

    for (from = 0; from < escaped.len; from++) {
        bytes[to++] = escaped.data[from];
        if (escaped.data[from] == 0)
            from++; /* the mark */
    }
    Assert(to == escaped.len - escapes);
    return dynkv_slice(bytes, to);
}

/* A text that is longer than the column's (n) cannot have come from it. */
static void string_check_length(const DynkvKeyColumn *key, const char *text, int *missing,
                                const DynkvPlace *place)
{
    int limit = key->column.typmod - VARHDRSZ;
    int chars = pg_mbstrlen(text);

    *missing = 0;
    if (key->column.typmod < VARHDRSZ)
        return;
    if (chars > limit)
        dynkv_key_malformed(
            place, psprintf("the text in its key has %d characters, the column %d", chars, limit));
    *missing = limit - chars;
}

static Datum string_get_bpchar(const DynkvKeyColumn *key, char *text, const DynkvPlace *place)
{
    int len = (int)strlen(text);
    int missing;
    struct varlena *value;

    if (len > 0 && text[len - 1] == ' ')
        dynkv_key_malformed(place, "the text in its key ends in a blank");
    string_check_length(key, text, &missing, place);
    value = palloc(VARHDRSZ + (Size)len + (Size)missing);
    SET_VARSIZE(value, VARHDRSZ + len + missing);
    memcpy(VARDATA(value), text, (size_t)len);
    memset(VARDATA(value) + len, ' ', (size_t)missing);
    return PointerGetDatum(value);
}

Datum dynkv_key_get_string(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                           const DynkvPlace *place)
{
    struct dynkv_slice bytes;
    size_t escapes = 0;
    int missing;
    char *text;

    if (key->plain)
        bytes = dynkv_get_raw(in, dynkv_cursor_left(in));
    else
        bytes = string_scan(in, &escapes);
    if (!wanted || in->failed)
        return (Datum)0;
    if (escapes > 0)
        bytes = string_unescape(bytes, escapes);
    if (key->kind == DYNKV_KEY_BYTEA)
        return PointerGetDatum(cstring_to_text_with_len((const char *)bytes.data, (int)bytes.len));

    text = dynkv_text_from_utf8(bytes, place);
    switch (key->kind) {
    case DYNKV_KEY_TEXT:
        string_check_length(key, text, &missing, place);
        return PointerGetDatum(cstring_to_text(text));
    case DYNKV_KEY_BPCHAR:
        return string_get_bpchar(key, text, place);
    case DYNKV_KEY_NAME:
        if (strlen(text) >= NAMEDATALEN)
            dynkv_key_malformed(place, "the text in its key is too long for type name");
        return DirectFunctionCall1(namein, CStringGetDatum(text));
    default: /* an enum */
        return DirectFunctionCall2(enum_in, CStringGetDatum(text),
                                   ObjectIdGetDatum(key->column.base));
    }
}
