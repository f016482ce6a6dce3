/*
 * option_table.h: the option table's shape, for the files that read options; others use option.h.
 */
#ifndef DYNKV_FDW_OPTION_TABLE_H
#define DYNKV_FDW_OPTION_TABLE_H

#include "fdw/compat.h"
#include "fdw/option.h"

#define DYNKV_ON_SERVER 0x1
#define DYNKV_ON_TABLE  0x2
#define DYNKV_ON_COLUMN 0x4

typedef enum DynkvOptionType {
    DYNKV_OPTION_HOSTS,
    DYNKV_OPTION_ROUTING,
    DYNKV_OPTION_FORMAT,
    DYNKV_OPTION_WRITE_MODE,
    DYNKV_OPTION_ON_INSERT,
    DYNKV_OPTION_ON_BAD_ROW,
    DYNKV_OPTION_CONFLICT,
    DYNKV_OPTION_META,
    DYNKV_OPTION_BOOL,
    DYNKV_OPTION_INT,
    DYNKV_OPTION_MS, /* an int; units such as 's' are understood */
    DYNKV_OPTION_COST,
    DYNKV_OPTION_KEYSPACE,
    DYNKV_OPTION_COLUMNS,  /* by the rules of SplitIdentifierString: "Mixed Case", folded */
    DYNKV_OPTION_FUNCTION, /* by the same rules, with a point */
    DYNKV_OPTION_NAME,
} DynkvOptionType;

/* Whose field it fills. */
typedef enum DynkvOptionTarget {
    DYNKV_FOR_NOBODY,
    DYNKV_FOR_SERVER, /* DynkvServerOptions */
    DYNKV_FOR_TABLE,  /* DynkvTableOptions */
} DynkvOptionTarget;

typedef struct DynkvOptionDef {
    const char *name;
    int contexts; /* DYNKV_ON_... */
    DynkvOptionTarget target;
    DynkvOptionType type;
    int min, max;     /* of integers and times */
    const char *boot; /* default, as a user would write it; NULL: see the reader */
    size_t offset;    /* of the target's field */
    const char *help; /* what it means, for messages */
} DynkvOptionDef;

/* The value of one option in a list, or NULL. */
extern const char *dynkv_option_get(List *options, const char *name);
/* Fills the target's fields with the defaults; with the options in the list that are the target's. */
extern void dynkv_option_defaults(DynkvOptionTarget target, void *into);
extern void dynkv_option_apply(List *options, DynkvOptionTarget target, void *into);

/* ---- values, in option_value.c ---- */

/* Checks the value, and stores it at `at` unless that is NULL; what is not allowed is an error. */
extern void dynkv_option_parse(const DynkvOptionDef *def, const char *value, void *at);
/* The error for a value; problem: one more sentence, or NULL. */
extern DYNKV_NORETURN void dynkv_option_value_error(const DynkvOptionDef *def, const char *value,
                                                    const char *problem);
extern bool dynkv_option_lists_column(List *names, const char *name);
/* Column names of a key option; NIL: not a list of names. */
extern List *dynkv_option_split_columns(const char *value);

#endif
