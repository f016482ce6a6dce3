/*
 * column.h: one column as the codec sees it, its text form, and where an error is when it is.
 *
 * The text form of a value is its type's output, but never depends on the session: dates and times are
 * ISO 8601 with timestamptz in UTC, intervals in style postgres, floats in full precision, names of
 * other objects (regclass) with their schema.  Any type's input function reads it back.
 */
#ifndef DYNKV_FDW_COLUMN_H
#define DYNKV_FDW_COLUMN_H

#include "postgres.h"

#include "access/attnum.h"
#include "fmgr.h"
#include "utils/elog.h"
#include "utils/relcache.h"

#include "base/bytes.h"
#include "fdw/compat.h"

typedef struct DynkvColumn {
    AttrNumber attno;
    const char *label;     /* the column's name in SQL */
    Oid type;              /* as declared */
    Oid base;              /* below all domains */
    int32 typmod;          /* the base type's */
    MemoryContext context; /* the codec's: caches live there */
    void *domain_cache;

    /* Of columns in values only. */
    char *name;              /* in the value, in the server's encoding */
    struct dynkv_slice utf8; /* the same in UTF-8 */
    FmgrInfo input, output;  /* of the base type */
    Oid input_param;
    FmgrInfo to_json; /* of arrays and composites, when the format is json */
} DynkvColumn;

extern void dynkv_column_init(DynkvColumn *column, Relation rel, AttrNumber attno);
/* What a column in a value needs besides. */
extern void dynkv_column_init_value(DynkvColumn *column, Relation rel);

/* ---- errors ---- */

/* What is being read; column NULL: the row as a whole. */
typedef struct DynkvPlace {
    const char *table;
    const char *keyspace;
    const DynkvColumn *column;
    struct dynkv_slice key;
} DynkvPlace;

/* Bytes from the cluster that are no such row: raises the error; problem is a sentence's end. */
extern DYNKV_NORETURN void dynkv_place_error(const DynkvPlace *place, int sqlstate,
                                             const char *problem);
/* For error_context_stack, arg is the place: names it in errors of type input functions. */
extern void dynkv_place_context(void *arg);
/* A NUL-terminated hexadecimal form of bytes for messages, shortened. */
extern char *dynkv_hex(struct dynkv_slice bytes);

/* ---- values from and to other forms ---- */

/* What must be set for the time of writing text forms of a column; the greatest of several is right. */
typedef enum DynkvSettingsNeed {
    DYNKV_SETTINGS_NONE,
    DYNKV_SETTINGS_STYLES, /* of dates, intervals, floats */
    DYNKV_SETTINGS_ALL,    /* and search_path, so that objects are named with their schema */
} DynkvSettingsNeed;

extern DynkvSettingsNeed dynkv_column_needs_settings(const DynkvColumn *column);
/* Leave with what enter gave; an error in between undoes them by itself. */
extern int dynkv_settings_enter(DynkvSettingsNeed need);
extern void dynkv_settings_leave(int nest_level);

/* The text form, in the server's encoding; palloc'd. */
extern char *dynkv_column_to_text(DynkvColumn *column, Datum value);

/* All of them check the value against the column's type, and raise the place's error if it is none. */
extern Datum dynkv_column_from_text(DynkvColumn *column, char *text, const DynkvPlace *place);
extern Datum dynkv_column_from_utf8(DynkvColumn *column, struct dynkv_slice text,
                                    const DynkvPlace *place);
extern Datum dynkv_column_from_bool(DynkvColumn *column, bool value, const DynkvPlace *place);
extern Datum dynkv_column_from_int(DynkvColumn *column, int64 value, const DynkvPlace *place);
extern Datum dynkv_column_from_uint(DynkvColumn *column, uint64 value, const DynkvPlace *place);
extern Datum dynkv_column_from_float(DynkvColumn *column, double value, const DynkvPlace *place);
extern Datum dynkv_column_from_bytes(DynkvColumn *column, struct dynkv_slice bytes,
                                     const DynkvPlace *place);
extern DYNKV_NORETURN void dynkv_column_mismatch(const DynkvColumn *column, const char *found,
                                                 const DynkvPlace *place);
/* A domain's constraints, for a value that was made as its base type. */
extern void dynkv_column_check_domain(DynkvColumn *column, Datum value);

/* UTF-8 of text in the server's encoding; the very bytes where that is UTF-8. */
extern struct dynkv_slice dynkv_text_to_utf8(const char *text, int len);
/* The reverse for bytes of any client: NUL-terminated and palloc'd, or an error if they are no text. */
extern char *dynkv_text_from_utf8(struct dynkv_slice bytes, const DynkvPlace *place);
/* Just the check that they are UTF-8 without a zero byte. */
extern void dynkv_text_check_utf8(struct dynkv_slice bytes, const DynkvPlace *place);

#endif
