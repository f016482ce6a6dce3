/*
 * text.h: a string that grows.  Memory that cannot be had ends the program: it is a test.
 */
#ifndef DYNKV_TESTS_TEXT_H
#define DYNKV_TESTS_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct text {
    char *data; /* terminated; NULL while empty */
    size_t len, room;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_args(struct text *text, const char *format, va_list args);
/* A quoted SQL literal. */
void text_add_quoted(struct text *text, const char *value);
void text_clear(struct text *text);
void text_free(struct text *text);
/* Of a printf that cannot fail; the caller's to free. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
