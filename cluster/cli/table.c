/* table.c: columns for a terminal. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define CELL_MAX 512u /* of a formatted cell: numbers and urls */

static void add_cell(struct dynkv_table *table, struct dynkv_slice bytes)
{
    if (table->count == table->cap) {
        table->cap = table->cap ? table->cap * 2 : 64;
        table->cells = dynkv_realloc(table->cells, table->cap * sizeof *table->cells);
    }
    table->cells[table->count++] = dynkv_slice_copy(bytes, &table->arena);
}

void dynkv_table_text(struct dynkv_table *table, const char *text)
{
    add_cell(table, dynkv_slice_text(text));
}

void dynkv_table_bytes(struct dynkv_table *table, struct dynkv_slice bytes)
{
    struct dynkv_buf escaped = {0};

    dynkv_text_put_escaped(&escaped, bytes);
    add_cell(table, escaped.len ? dynkv_buf_slice(&escaped) : dynkv_slice_text("-"));
    dynkv_buf_fini(&escaped);
}

void dynkv_table_format(struct dynkv_table *table, const char *format, ...)
{
    char text[CELL_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add_cell(table, dynkv_slice_text(text));
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t cell_width(struct dynkv_slice cell)
{
    size_t width = 0;

    for (size_t i = 0; i < cell.len; i++)
        width += (cell.data[i] & 0xc0) != 0x80;
    return width;
}

void dynkv_table_print(struct dynkv_table *table)
{
    size_t *widths = dynkv_calloc(table->columns, sizeof *widths);

    DYNKV_ASSERT(table->count % table->columns == 0);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = cell_width(table->cells[i]);

        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->count; i++) {
        bool is_last = (i + 1) % table->columns == 0;
        size_t pad = widths[i % table->columns] + 2 - cell_width(table->cells[i]);

        fwrite(table->cells[i].data, 1, table->cells[i].len, stdout);
        printf("%*s", is_last ? 0 : (int)pad, "");
        if (is_last)
            putchar('\n');
    }
    free(widths);
    free(table->cells);
    dynkv_arena_fini(&table->arena);
    *table = (struct dynkv_table){.columns = table->columns};
}
