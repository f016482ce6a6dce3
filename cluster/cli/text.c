/* text.c: bytes as text a person or a script can read, and back. */
#include "cli/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

/*
 * The length of the UTF-8 character at the front, 0 if there is none.  The table of well-formed byte
 * sequences is table 3-7 of the Unicode standard: only the second byte has bounds of its own.
 */
static size_t utf8_char_len(struct dynkv_slice bytes)
{
    uint8_t first = bytes.data[0], low = 0x80, high = 0xbf;
    size_t len;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len > bytes.len)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    if (bytes.data[1] < low || bytes.data[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (bytes.data[i] < 0x80 || bytes.data[i] > 0xbf)
            return 0;
    return len;
}

bool dynkv_text_is_utf8(struct dynkv_slice bytes)
{
    while (bytes.len > 0) {
        size_t len = utf8_char_len(bytes);

        if (len == 0)
            return false;
        bytes = dynkv_slice(bytes.data + len, bytes.len - len);
    }
    return true;
}

void dynkv_text_put_hex(struct dynkv_buf *out, struct dynkv_slice bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        dynkv_put_u8(out, (uint8_t)digits[bytes.data[i] >> 4]);
        dynkv_put_u8(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool dynkv_text_parse_hex(const char *text, struct dynkv_buf *out)
{
    size_t len = strlen(text);

    if (len % 2 != 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (hex_digit(text[i]) < 0)
            return false;
    for (size_t i = 0; i < len; i += 2)
        dynkv_put_u8(out, (uint8_t)(hex_digit(text[i]) << 4 | hex_digit(text[i + 1])));
    return true;
}

void dynkv_text_put_escaped(struct dynkv_buf *out, struct dynkv_slice bytes)
{
    while (bytes.len > 0) {
        uint8_t first = bytes.data[0];
        size_t len = utf8_char_len(bytes);

        if (first == '\\' || first == '\t' || first == '\n' || first == '\r') {
            dynkv_put_u8(out, '\\');
            dynkv_put_u8(out, first == '\t'   ? 't'
                              : first == '\n' ? 'n'
                              : first == '\r' ? 'r'
                                              : '\\');
        } else if (len == 0 || first < 0x20 || first == 0x7f) {
            len = 1;
            dynkv_text_put_format(out, "\\x%02x", first);
        } else {
            dynkv_put_raw(out, dynkv_slice(bytes.data, len));
        }
        bytes = dynkv_slice(bytes.data + len, bytes.len - len);
    }
}

void dynkv_text_put_format(struct dynkv_buf *out, const char *format, ...)
{
    va_list arguments, again;
    int len;

    va_start(arguments, format);
    va_copy(again, arguments);
    len = vsnprintf(NULL, 0, format, arguments);
    DYNKV_ASSERT(len >= 0);
    vsnprintf((char *)dynkv_put_room(out, (size_t)len + 1), (size_t)len + 1, format, again);
    out->len--;
    va_end(again);
    va_end(arguments);
}
