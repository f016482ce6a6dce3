/* option_value.c: the values of options: what is allowed, checking and reading them. */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/varlena.h"

#include "client/dynkv.h"
#include "fdw/compat.h"
#include "fdw/meta.h"
#include "fdw/option.h"
#include "fdw/option_table.h"
#include "model/keyspace.h"

/* What may be written, for hints. */
static char *option_allowed(const DynkvOptionDef *def)
{
    switch (def->type) {
    case DYNKV_OPTION_HOSTS:
        return "host:port, tcp://host:port or ipc:///path, separated by commas.";
    case DYNKV_OPTION_ROUTING:
        return "\"ring\" or \"any\".";
    case DYNKV_OPTION_FORMAT:
        return "\"row\", \"json\" or \"raw\".";
    case DYNKV_OPTION_WRITE_MODE:
        return "\"transaction\" or \"immediate\".";
    case DYNKV_OPTION_ON_INSERT:
        return "\"put\" or \"error\".";
    case DYNKV_OPTION_ON_BAD_ROW:
        return "\"error\" or \"skip\".";
    case DYNKV_OPTION_CONFLICT:
        return "\"lww\", \"siblings\" or \"error\".";
    case DYNKV_OPTION_META:
        return "\"version\", \"siblings\", \"expires_at\", \"modified_at\" or \"node\".";
    case DYNKV_OPTION_BOOL:
        return "\"on\" or \"off\".";
    case DYNKV_OPTION_INT:
        return psprintf("an integer from %d to %d.", def->min, def->max);
    case DYNKV_OPTION_MS:
        return psprintf("a time from %d ms to %d s, such as \"250\" (milliseconds) or \"5s\".",
                        def->min, def->max / 1000);
    case DYNKV_OPTION_COST:
        return "a number that is not negative.";
    case DYNKV_OPTION_KEYSPACE:
        return psprintf("1 to %u letters, digits, \"_\", \"-\", \".\" or \"$\".", DYNKV_NAME_MAX);
    case DYNKV_OPTION_COLUMNS:
        return "column names, separated by commas, none of them twice.";
    case DYNKV_OPTION_FUNCTION:
        return "the name of a function with its schema, \"schema.function\".";
    case DYNKV_OPTION_NAME:
        return "a name that is not empty.";
    }
    pg_unreachable();
}

void dynkv_option_value_error(const DynkvOptionDef *def, const char *value, const char *problem)
{
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("invalid value for option \"%s\": \"%s\"", def->name, value),
                    problem ? errdetail_internal("%s", problem)
                            : errdetail("\"%s\": %s.", def->name, def->help),
                    errhint("Allowed: %s", option_allowed(def))));
}

static void option_check_hosts(const DynkvOptionDef *def, const char *value)
{
    struct dynkv_client_options options = {.hosts = value};
    struct dynkv_client *client = NULL;
    char text[DYNKV_CLIENT_TEXT_MAX] = "";

    /* libdynkv's own reading of it; this connects to nobody. */
    if (dynkv_client_new(&options, &client, text, sizeof text))
        dynkv_option_value_error(def, value, text[0] ? text : NULL);
    dynkv_client_free(client);
}

bool dynkv_option_lists_column(List *names, const char *name)
{
    ListCell *cell;

    foreach (cell, names)
        if (strcmp(lfirst(cell), name) == 0)
            return true;
    return false;
}

static void option_check_columns(const DynkvOptionDef *def, const char *value)
{
    List *seen = NIL;
    ListCell *cell;

    foreach (cell, dynkv_option_split_columns(value)) {
        char *name = lfirst(cell);

        if (dynkv_option_lists_column(seen, name))
            dynkv_option_value_error(def, value,
                                     psprintf("Column \"%s\" stands there twice.", name));
        seen = lappend(seen, name);
    }
    if (seen == NIL)
        dynkv_option_value_error(def, value, NULL);
}

List *dynkv_option_split_columns(const char *value)
{
    List *names = NIL;

    if (!SplitIdentifierString(pstrdup(value), ',', &names))
        return NIL;
    return names;
}

/* One of two words; at, unless it is NULL, gets whether it is the second. */
static bool option_parse_choice(const char *value, const char *first, const char *second, bool *at)
{
    bool is_second = strcmp(value, second) == 0;

    if (at)
        *at = is_second;
    return is_second || strcmp(value, first) == 0;
}

/* The place of the word in a list that NULL ends; -1: it is not there. */
static int option_find_word(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return -1;
}

static bool option_parse_conflict(const char *value, DynkvConflictMode *at)
{
    static const char *const modes[] = {"lww", "siblings", "error", NULL};
    int mode = option_find_word(value, modes);

    if (mode >= 0 && at)
        *at = (DynkvConflictMode)mode;
    return mode >= 0;
}

List *dynkv_option_split_function(const char *value)
{
    List *names = NIL;

    if (!SplitIdentifierString(pstrdup(value), '.', &names) || list_length(names) != 2)
        return NIL;
    return names;
}

void dynkv_option_parse(const DynkvOptionDef *def, const char *value, void *at)
{
    bool flag = false;
    int number = 0;
    double cost = 0;
    bool fine = true;

    switch (def->type) {
    case DYNKV_OPTION_HOSTS:
        /* Once checked it is passed on as it is: connecting checks again. */
        if (at)
            *(char **)at = pstrdup(value);
        else
            option_check_hosts(def, value);
        break;
    case DYNKV_OPTION_ROUTING:
        fine = option_parse_choice(value, "ring", "any", at);
        break;
    case DYNKV_OPTION_WRITE_MODE:
        fine = option_parse_choice(value, "transaction", "immediate", at);
        break;
    case DYNKV_OPTION_ON_INSERT:
        fine = option_parse_choice(value, "put", "error", at);
        break;
    case DYNKV_OPTION_ON_BAD_ROW:
        fine = option_parse_choice(value, "error", "skip", at);
        break;
    case DYNKV_OPTION_FORMAT:
        fine = strcmp(value, "row") == 0 || strcmp(value, "json") == 0 || strcmp(value, "raw") == 0;
        if (fine && at)
            *(DynkvFormat *)at = value[0] == 'j'   ? DYNKV_FORMAT_JSON
                                 : value[1] == 'a' ? DYNKV_FORMAT_RAW
                                                   : DYNKV_FORMAT_ROW;
        break;
    case DYNKV_OPTION_CONFLICT:
        fine = option_parse_conflict(value, at);
        break;
    case DYNKV_OPTION_META:
        fine = option_find_word(value, dynkv_meta_names) >= 0;
        break;
    case DYNKV_OPTION_BOOL:
        fine = parse_bool(value, &flag);
        if (fine && at)
            *(bool *)at = flag;
        break;
    case DYNKV_OPTION_INT:
    case DYNKV_OPTION_MS:
        fine = parse_int(value, &number, def->type == DYNKV_OPTION_MS ? GUC_UNIT_MS : 0, NULL) &&
               number >= def->min && number <= def->max;
        if (fine && at)
            *(int *)at = number;
        break;
    case DYNKV_OPTION_COST:
        fine = parse_real(value, &cost, 0, NULL) && cost >= 0 && !isinf(cost);
        if (fine && at)
            *(double *)at = cost;
        break;
    case DYNKV_OPTION_KEYSPACE:
        if (dynkv_option_is_reserved(value))
            dynkv_option_value_error(def, value,
                                     "Names that begin with \"" DYNKV_RESERVED_PREFIX
                                     "\" are kept for the extension itself.");
        fine = dynkv_keyspace_name_is_valid(dynkv_slice_text(value));
        if (fine && at)
            *(char **)at = pstrdup(value);
        break;
    case DYNKV_OPTION_COLUMNS:
        option_check_columns(def, value);
        break;
    case DYNKV_OPTION_FUNCTION:
        fine = dynkv_option_split_function(value) != NIL;
        if (fine && at)
            *(char **)at = pstrdup(value);
        break;
    case DYNKV_OPTION_NAME:
        fine = value[0] != '\0';
        break;
    }
    if (!fine)
        dynkv_option_value_error(def, value, NULL);
}

bool dynkv_option_is_reserved(const char *keyspace)
{
    return strncmp(keyspace, DYNKV_RESERVED_PREFIX, strlen(DYNKV_RESERVED_PREFIX)) == 0;
}
