/*
 * table.h: columns for a terminal.
 *
 * Cells are added row by row; print pads every column to its widest cell.  The first row is the heading.
 */
#ifndef DYNKV_CLI_TABLE_H
#define DYNKV_CLI_TABLE_H

#include "cli/text.h"

/* Set columns; the rest zero-initialised is an empty table. */
struct dynkv_table {
    unsigned columns;
    struct dynkv_slice *cells; /* of the table's arena */
    size_t count, cap;
    struct dynkv_arena arena;
};

void dynkv_table_text(struct dynkv_table *table, const char *text);
/* Escaped, so that a cell stays a cell; what is empty is shown as "-". */
void dynkv_table_bytes(struct dynkv_table *table, struct dynkv_slice bytes);
void dynkv_table_format(struct dynkv_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints on stdout and frees. */
void dynkv_table_print(struct dynkv_table *table);

#endif
