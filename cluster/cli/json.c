/* json.c: writes JSON (RFC 8259). */
#include "cli/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/assert.h"

static void put_text(struct dynkv_json *json, const char *text)
{
    dynkv_put_raw(&json->out, dynkv_slice_text(text));
}

static void put_char(struct dynkv_json *json, uint8_t c)
{
    if (c == '"' || c == '\\') {
        dynkv_put_u8(&json->out, '\\');
        dynkv_put_u8(&json->out, c);
    } else if (c == '\n') {
        put_text(json, "\\n");
    } else if (c == '\t') {
        put_text(json, "\\t");
    } else if (c < 0x20 || c == 0x7f) {
        dynkv_text_put_format(&json->out, "\\u%04x", c);
    } else {
        dynkv_put_u8(&json->out, c);
    }
}

static void put_string(struct dynkv_json *json, struct dynkv_slice text)
{
    bool is_utf8 = dynkv_text_is_utf8(text);

    dynkv_put_u8(&json->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (!is_utf8 && text.data[i] >= 0x80)
            put_text(json, "\\ufffd");
        else
            put_char(json, text.data[i]);
    }
    dynkv_put_u8(&json->out, '"');
}

/* The comma, if one is due, and the name, if there is one. */
static void begin_value(struct dynkv_json *json, const char *name)
{
    if (json->depth > 0) {
        if (json->has_items[json->depth - 1])
            dynkv_put_u8(&json->out, ',');
        json->has_items[json->depth - 1] = true;
    }
    if (name) {
        put_string(json, dynkv_slice_text(name));
        dynkv_put_u8(&json->out, ':');
    }
}

static void begin_nested(struct dynkv_json *json, const char *name, char bracket)
{
    begin_value(json, name);
    dynkv_put_u8(&json->out, (uint8_t)bracket);
    DYNKV_ASSERT(json->depth < DYNKV_JSON_DEPTH_MAX);
    json->has_items[json->depth++] = false;
}

static void end_nested(struct dynkv_json *json, char bracket)
{
    DYNKV_ASSERT(json->depth > 0);
    json->depth--;
    dynkv_put_u8(&json->out, (uint8_t)bracket);
}

void dynkv_json_begin_object(struct dynkv_json *json, const char *name)
{
    begin_nested(json, name, '{');
}

void dynkv_json_end_object(struct dynkv_json *json)
{
    end_nested(json, '}');
}

void dynkv_json_begin_array(struct dynkv_json *json, const char *name)
{
    begin_nested(json, name, '[');
}

void dynkv_json_end_array(struct dynkv_json *json)
{
    end_nested(json, ']');
}

void dynkv_json_text(struct dynkv_json *json, const char *name, struct dynkv_slice text)
{
    begin_value(json, name);
    put_string(json, text);
}

void dynkv_json_hex(struct dynkv_json *json, const char *name, struct dynkv_slice bytes)
{
    begin_value(json, name);
    dynkv_put_u8(&json->out, '"');
    dynkv_text_put_hex(&json->out, bytes);
    dynkv_put_u8(&json->out, '"');
}

void dynkv_json_bytes(struct dynkv_json *json, const char *name, struct dynkv_slice bytes)
{
    char name_hex[64];

    if (dynkv_text_is_utf8(bytes)) {
        dynkv_json_text(json, name, bytes);
        return;
    }
    snprintf(name_hex, sizeof name_hex, "%s_hex", name);
    dynkv_json_hex(json, name_hex, bytes);
}

void dynkv_json_id(struct dynkv_json *json, const char *name, uint64_t id)
{
    begin_value(json, name);
    dynkv_text_put_format(&json->out, "\"%016" PRIx64 "\"", id);
}

void dynkv_json_u64(struct dynkv_json *json, const char *name, uint64_t value)
{
    begin_value(json, name);
    dynkv_text_put_format(&json->out, "%" PRIu64, value);
}

void dynkv_json_number(struct dynkv_json *json, const char *name, double value, int decimals)
{
    begin_value(json, name);
    if (isfinite(value))
        dynkv_text_put_format(&json->out, "%.*f", decimals, value);
    else
        put_text(json, "null");
}

void dynkv_json_bool(struct dynkv_json *json, const char *name, bool value)
{
    begin_value(json, name);
    put_text(json, value ? "true" : "false");
}

void dynkv_json_print(struct dynkv_json *json)
{
    DYNKV_ASSERT(json->depth == 0);
    dynkv_put_u8(&json->out, '\n');
    fwrite(json->out.data, 1, json->out.len, stdout);
    dynkv_buf_reset(&json->out);
}

void dynkv_json_fini(struct dynkv_json *json)
{
    dynkv_buf_fini(&json->out);
}
