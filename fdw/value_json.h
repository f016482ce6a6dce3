/*
 * value_json.h: the top level of a JSON object, member by member; and JSON arrays and objects for
 * columns that are arrays and composites.
 */
#ifndef DYNKV_FDW_VALUE_JSON_H
#define DYNKV_FDW_VALUE_JSON_H

#include "postgres.h"

#include "common/jsonapi.h"
#include "fmgr.h"

typedef struct DynkvJsonMember {
    const char *name;
    /* The value's text as it stands in the document, not terminated. */
    const char *raw;
    int raw_len;
    /* STRING, NUMBER, TRUE, FALSE, NULL; ARRAY_START, OBJECT_START for the others */
    JsonTokenType type;
    const char *text; /* of a scalar: its token, a string without quotes and escapes */
} DynkvJsonMember;

typedef void (*DynkvJsonVisit)(void *state, const DynkvJsonMember *member);

/*
 * Parses text (server encoding, NUL-terminated) and calls visit for each member of the object.  NULL, or
 * what is wrong with the text; visit may have been called by then.
 */
extern const char *dynkv_json_each(char *text, DynkvJsonVisit visit, void *state);

/* A JSON array or object as what the input function of an array or composite type reads. */
extern char *dynkv_json_nested_text(char *json, Oid type);
/* Makes a polymorphic function believe that its first argument is of the type. */
extern void dynkv_json_bind(FmgrInfo *function, Oid function_oid, Oid result, Oid argument);

#endif
