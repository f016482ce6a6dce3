/*
 * filter_like.c: LIKE, as PostgreSQL has it for text in UTF-8 under a deterministic collation.
 *
 * % stands for any characters, _ for one, a backslash takes the next character as it is.  Where the text
 * does not fit behind the last %, that one is tried to stand for one character more; the ones before it
 * need not be tried again, as the later one could take as much.
 *
 * The work is bounded: a pattern of many % and a text that nearly fits take as long as their product.  What is not
 * decided within the bound is left open, as is a pattern that ends in a backslash, which is an error where
 * it is reached.
 */
#include "model/filter_value.h"

#define STEPS_A_BYTE 32u
#define STEPS_MIN    1024u

/* The characters of text, which is UTF-8; a byte that begins none counts as one. */
static size_t char_len(struct dynkv_slice text, size_t at)
{
    size_t end = at + 1;

    while (end < text.len && (text.data[end] & 0xc0) == 0x80)
        end++;
    return end - at;
}

static bool ends_in_escape(struct dynkv_slice pattern)
{
    size_t at = 0;

    while (at < pattern.len) {
        if (pattern.data[at] == '\\' && at + 1 == pattern.len)
            return true;
        at += pattern.data[at] == '\\' ? 2 : 1;
    }
    return false;
}

uint8_t filter_like(struct dynkv_slice text, struct dynkv_slice pattern)
{
    size_t t = 0, p = 0, retry_text = 0, retry_pattern = 0;
    size_t steps = STEPS_MIN + STEPS_A_BYTE * (text.len + pattern.len);
    bool may_retry = false;

    if (ends_in_escape(pattern))
        return DYNKV_FILTER_MAY_BE_TRUE | DYNKV_FILTER_MAY_BE_FALSE;
    while (t < text.len || p < pattern.len) {
        uint8_t wanted = p < pattern.len ? pattern.data[p] : 0;

        if (steps-- == 0)
            return DYNKV_FILTER_MAY_BE_TRUE | DYNKV_FILTER_MAY_BE_FALSE;
        if (wanted == '%') {
            if (++p == pattern.len)
                return DYNKV_FILTER_MAY_BE_TRUE;
            may_retry = true;
            retry_text = t;
            retry_pattern = p;
            continue;
        }
        if (wanted == '_' && t < text.len) {
            t += char_len(text, t);
            p++;
            continue;
        }
        if (p < pattern.len && wanted != '_' && t < text.len) {
            size_t literal = wanted == '\\' ? p + 1 : p;

            if (pattern.data[literal] == text.data[t]) {
                t++;
                p = literal + 1;
                continue;
            }
        }
        /* Where the text has ended already, less of it will not do. */
        if (!may_retry || t == text.len)
            return DYNKV_FILTER_MAY_BE_FALSE;
        retry_text += char_len(text, retry_text);
        t = retry_text;
        p = retry_pattern;
    }
    return DYNKV_FILTER_MAY_BE_TRUE;
}

uint8_t filter_starts_with(struct dynkv_slice text, struct dynkv_slice prefix)
{
    bool does = text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;

    return does ? DYNKV_FILTER_MAY_BE_TRUE : DYNKV_FILTER_MAY_BE_FALSE;
}
