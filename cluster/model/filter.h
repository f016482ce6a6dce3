/*
 * filter.h: a condition on a stored value, which a node evaluates for a scan, so that fewer rows travel.
 *
 * A filter is a small tree of comparisons with constants, over the columns of a value in format 'row' (a
 * MessagePack map {column name: value}) or 'json' (a JSON object).  Its result is not true, false or null,
 * but the *set* of those that are possible: a value that cannot be read for certain (another type than the
 * column's, a number that only its rounding decides, bytes that are no map) makes more than one possible.
 * The node leaves a row out only if "true" is impossible, so whoever asked has to look again, and never
 * misses a row.
 *
 * What the types mean is PostgreSQL's: NaN is the greatest float and equal to itself, infinity is a date,
 * text is compared by its UTF-8 bytes, LIKE takes a character at a time, numeric is as exact as its digits,
 * and a comparison with NULL is null.
 *
 * Bytes (see docs/protocol.md): u8 version, u8 format, columns, then the tree in prefix order.  They come
 * from outside: dynkv_filter_decode takes nothing on trust, and equal filters have equal bytes.
 */
#ifndef DYNKV_MODEL_FILTER_H
#define DYNKV_MODEL_FILTER_H

#include "base/bytes.h"
#include "base/error.h"

#define DYNKV_FILTER_MAX         (64u * 1024u) /* bytes of an encoded filter */
#define DYNKV_FILTER_COLUMNS_MAX 32u
#define DYNKV_FILTER_NODES_MAX   512u
#define DYNKV_FILTER_DEPTH_MAX   16u

enum dynkv_filter_format {
    DYNKV_FILTER_ROW = 1,
    DYNKV_FILTER_JSON = 2,
};

/* How a column is read, and what its constants are: an integer, a real, or bytes. */
enum dynkv_filter_type {
    DYNKV_FILTER_ANY = 1, /* only whether it is NULL is asked */
    DYNKV_FILTER_PRESENT, /* the same where a JSON null is a value: jsonb in format 'json' */
    DYNKV_FILTER_BOOL,    /* integer: 0 or 1 */
    DYNKV_FILTER_INT2,    /* integer */
    DYNKV_FILTER_INT4,
    DYNKV_FILTER_INT8,
    DYNKV_FILTER_FLOAT4, /* real */
    DYNKV_FILTER_FLOAT8,
    DYNKV_FILTER_TEXT, /* bytes: UTF-8 */
    DYNKV_FILTER_BYTEA,
    DYNKV_FILTER_UUID,        /* bytes: 16 */
    DYNKV_FILTER_DATE,        /* integer: days since 2000-01-01 */
    DYNKV_FILTER_TIMESTAMP,   /* integer: microseconds since then */
    DYNKV_FILTER_TIMESTAMPTZ, /* the same, in UTC; infinities of all three: INT64_MIN, INT64_MAX */
    DYNKV_FILTER_NUMERIC,     /* bytes: digits, as dynkv_filter_numeric gives them */
    DYNKV_FILTER_TYPE_LAST = DYNKV_FILTER_NUMERIC,
};

struct dynkv_filter_column {
    enum dynkv_filter_type type;
    /* What is beyond it is not what the column would show; 0: no limit.  Of TEXT: characters.  Of NUMERIC:
     * digits << 16 | how many of them stand behind the point. */
    uint32_t limit;
    struct dynkv_slice name;
};

/* A constant; which member counts is the column's type's affair. */
struct dynkv_filter_value {
    int64_t integer;
    double real;
    struct dynkv_slice bytes;
};

enum dynkv_filter_op {
    DYNKV_FILTER_AND = 1, /* children */
    DYNKV_FILTER_OR,
    DYNKV_FILTER_NOT,     /* one child */
    DYNKV_FILTER_NULL,    /* nothing: a comparison with NULL */
    DYNKV_FILTER_IS_NULL, /* column */
    DYNKV_FILTER_EQ,      /* column, one value */
    DYNKV_FILTER_LT,
    DYNKV_FILTER_LE,
    DYNKV_FILTER_GE,
    DYNKV_FILTER_GT,
    DYNKV_FILTER_IN,          /* column, values rising, each once; has_null: and NULL */
    DYNKV_FILTER_LIKE,        /* column (TEXT), the pattern; its escape is a backslash */
    DYNKV_FILTER_STARTS_WITH, /* column (TEXT), the beginning */
};

struct dynkv_filter_node {
    enum dynkv_filter_op op;
    uint32_t column;
    bool has_null;
    struct dynkv_filter_value *values;
    uint32_t value_count;
    struct dynkv_filter_node *children;
    uint32_t child_count;
};

struct dynkv_filter {
    enum dynkv_filter_format format;
    struct dynkv_filter_column *columns;
    uint32_t column_count;
    struct dynkv_filter_node root;
};

/* A set of results. */
enum {
    DYNKV_FILTER_MAY_BE_TRUE = 1,
    DYNKV_FILTER_MAY_BE_FALSE = 2,
    DYNKV_FILTER_MAY_BE_NULL = 4,
    DYNKV_FILTER_MAY_BE_ANY = 7,
};

/*
 * What does not change the value of a decimal number is cut off its text, so that equal numbers have equal
 * bytes: the constant that filters take for it.  Borrows from the text, which is as PostgreSQL writes a
 * numeric; false: it is not.
 */
bool dynkv_filter_numeric(struct dynkv_slice text, struct dynkv_slice *out);
/* The order of a type's constants: <0, 0, >0. */
int dynkv_filter_compare(enum dynkv_filter_type type, const struct dynkv_filter_value *a,
                         const struct dynkv_filter_value *b);
void dynkv_filter_encode(const struct dynkv_filter *filter, struct dynkv_buf *out);
/* OK, MALFORMED, or TOO_LARGE: over one of the limits above.  What is decoded borrows from bytes and lives in the arena. */
enum dynkv_error dynkv_filter_decode(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                     struct dynkv_filter *out);
/* The set of possible results for a stored value; the arena is scratch. */
uint8_t dynkv_filter_test(const struct dynkv_filter *filter, struct dynkv_slice value,
                          struct dynkv_arena *arena);

#endif
