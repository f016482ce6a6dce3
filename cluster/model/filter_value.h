/*
 * filter_value.h: the inside of filters: what is known of a row's columns, and how it becomes known.
 *
 * A cell is NULL until its column is met.  What was met is known, or is a range of reals, or is anything.
 */
#ifndef DYNKV_MODEL_FILTER_VALUE_H
#define DYNKV_MODEL_FILTER_VALUE_H

#include "model/filter.h"

enum filter_known {
    FILTER_IS_NULL,
    FILTER_IS_KNOWN,    /* value */
    FILTER_IS_BETWEEN,  /* a real, value.real <= it <= high */
    FILTER_IS_ANYTHING, /* some value, not NULL */
    FILTER_IS_UNKNOWN,  /* NULL or not */
};

struct filter_cell {
    enum filter_known known;
    bool is_met; /* its name was there; a second time: unknown */
    struct dynkv_filter_value value;
    double high;
};

struct filter_cells {
    const struct dynkv_filter *filter;
    struct dynkv_arena *arena; /* scratch */
    uint32_t next;             /* where the writer's order would have the next name */
    struct filter_cell cells[DYNKV_FILTER_COLUMNS_MAX];
};

/* The cell of a name that was met, which is FILTER_IS_ANYTHING now; NULL: nobody asks for it. */
struct filter_cell *filter_cell_meet(struct filter_cells *cells, struct dynkv_slice name,
                                     const struct dynkv_filter_column **column);

/* What a value of that kind is to the column.  Cells stay FILTER_IS_ANYTHING where that is not certain. */
void filter_cell_bool(struct filter_cell *cell, const struct dynkv_filter_column *column,
                      bool flag);
void filter_cell_int(struct filter_cell *cell, const struct dynkv_filter_column *column,
                     int64_t integer, struct dynkv_arena *arena);
void filter_cell_real(struct filter_cell *cell, const struct dynkv_filter_column *column,
                      double real);
/* A number of which is known that it lies between these two, both finite. */
void filter_cell_between(struct filter_cell *cell, const struct dynkv_filter_column *column,
                         double low, double high);
/* UTF-8 of any client; it must outlive the cell, as must bytes. */
void filter_cell_text(struct filter_cell *cell, const struct dynkv_filter_column *column,
                      struct dynkv_slice text, struct dynkv_arena *arena);
void filter_cell_bytes(struct filter_cell *cell, const struct dynkv_filter_column *column,
                       struct dynkv_slice bytes);

/* Both fill the cells; false: the value is no such thing. */
bool filter_read_row(struct filter_cells *cells, struct dynkv_slice value);
bool filter_read_json(struct filter_cells *cells, struct dynkv_slice value);

/* What a text is to a pattern (LIKE), or to a beginning: a set of results.  The text is UTF-8. */
uint8_t filter_like(struct dynkv_slice text, struct dynkv_slice pattern);
uint8_t filter_starts_with(struct dynkv_slice text, struct dynkv_slice prefix);

/* Of numbers as dynkv_filter_numeric gives them: <0, 0, >0. */
int filter_numeric_compare(struct dynkv_slice a, struct dynkv_slice b);
/* Whether a column with that limit shows such a number as it is. */
bool filter_numeric_fits(struct dynkv_slice number, uint32_t limit);

/* A moment's text, ISO 8601 as PostgreSQL writes it; false: any other form. */
bool filter_parse_moment(enum dynkv_filter_type type, struct dynkv_slice text, int64_t *out);

#endif
