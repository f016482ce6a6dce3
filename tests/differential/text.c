/*
 * text.c: see text.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static void text_reserve(struct text *text, size_t more)
{
    if (text->len + more + 1 <= text->room)
        return;
    text->room = (text->len + more + 1) * 2;
    text->data = realloc(text->data, text->room);
    if (!text->data)
        abort();
}

void text_add_args(struct text *text, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        abort();
    text_reserve(text, (size_t)len);
    vsnprintf(text->data + text->len, (size_t)len + 1, format, again);
    va_end(again);
    text->len += (size_t)len;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_add_args(text, format, args);
    va_end(args);
}

void text_add_quoted(struct text *text, const char *value)
{
    text_reserve(text, strlen(value) * 2 + 3);
    if (strchr(value, '\\'))
        text->data[text->len++] = 'E';
    text->data[text->len++] = '\'';
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\') {
            text_reserve(text, strlen(value) * 2 + 3);
            text->data[text->len++] = *value;
        }
        text->data[text->len++] = *value;
    }
    text->data[text->len++] = '\'';
    text->data[text->len] = 0;
}

void text_clear(struct text *text)
{
    text->len = 0;
    text_reserve(text, 0);
    text->data[0] = 0;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

char *text_of(const char *format, ...)
{
    struct text text = {0};
    va_list args;

    va_start(args, format);
    text_add_args(&text, format, args);
    va_end(args);
    return text.data;
}
