/* error.c: names and texts of the outcomes. */
#include "base/error.h"

const char *dynkv_error_text(enum dynkv_error error)
{
    switch (error) {
#define ERROR_TEXT(number, name, text) \
    case DYNKV_##name:                 \
        return text;
        DYNKV_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
    }
    return "unknown error";
}

const char *dynkv_error_name(enum dynkv_error error)
{
    switch (error) {
#define ERROR_NAME(number, name, text) \
    case DYNKV_##name:                 \
        return #name;
        DYNKV_ERRORS(ERROR_NAME)
#undef ERROR_NAME
    }
    return "UNKNOWN";
}
