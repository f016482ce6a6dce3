/*
 * json.h: writes one JSON value into a buffer.
 *
 * Inside an object every call takes the member's name, inside an array and at the top NULL.  The writer
 * puts the commas; it asserts that what was begun is ended.
 */
#ifndef DYNKV_CLI_JSON_H
#define DYNKV_CLI_JSON_H

#include "cli/text.h"

#define DYNKV_JSON_DEPTH_MAX 16u

/* Zero-initialised is a writer that has written nothing. */
struct dynkv_json {
    struct dynkv_buf out;
    unsigned depth;
    bool has_items[DYNKV_JSON_DEPTH_MAX];
};

void dynkv_json_begin_object(struct dynkv_json *json, const char *name);
void dynkv_json_end_object(struct dynkv_json *json);
void dynkv_json_begin_array(struct dynkv_json *json, const char *name);
void dynkv_json_end_array(struct dynkv_json *json);

/* text must be UTF-8 (names, urls, error texts); what is not is replaced by U+FFFD, byte by byte. */
void dynkv_json_text(struct dynkv_json *json, const char *name, struct dynkv_slice text);
/* Any bytes: "name": "text" if they are UTF-8, else "name_hex": "hex". */
void dynkv_json_bytes(struct dynkv_json *json, const char *name, struct dynkv_slice bytes);
void dynkv_json_hex(struct dynkv_json *json, const char *name, struct dynkv_slice bytes);
/* Ids and hashes: 16 hex digits in a string, since readers of JSON round large numbers. */
void dynkv_json_id(struct dynkv_json *json, const char *name, uint64_t id);
void dynkv_json_u64(struct dynkv_json *json, const char *name, uint64_t value);
/* decimals digits after the point; what is no number is null. */
void dynkv_json_number(struct dynkv_json *json, const char *name, double value, int decimals);
void dynkv_json_bool(struct dynkv_json *json, const char *name, bool value);

/* Prints the value and a newline on stdout, and is empty again, ready for the next. */
void dynkv_json_print(struct dynkv_json *json);
void dynkv_json_fini(struct dynkv_json *json);

#endif
