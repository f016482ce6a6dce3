/*
 * text.h: bytes as text a person or a script can read, and back.
 */
#ifndef DYNKV_CLI_TEXT_H
#define DYNKV_CLI_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF. */
bool dynkv_text_is_utf8(struct dynkv_slice bytes);

/* Appends lower-case hex. */
void dynkv_text_put_hex(struct dynkv_buf *out, struct dynkv_slice bytes);
/* Appends what the hex text stands for; false, and nothing appended, if it is not hex. */
bool dynkv_text_parse_hex(const char *text, struct dynkv_buf *out);

/*
 * Appends bytes so that they stay within their line and column: valid UTF-8 as it is, but backslash,
 * tab, newline and carriage return as \\ \t \n \r, and all other control or stray bytes as \xNN.
 */
void dynkv_text_put_escaped(struct dynkv_buf *out, struct dynkv_slice bytes);

/* As sprintf, appended, without the closing zero. */
void dynkv_text_put_format(struct dynkv_buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
