/*
 * value_json_each.c: PostgreSQL's JSON parser, with callbacks that keep to the outermost object.
 */
#include "postgres.h"

#include "fdw/compat.h"
#include "fdw/value_json.h"

typedef struct EachState {
    JsonLexContext *lexer;
    DynkvJsonVisit visit;
    void *visit_state;
    bool not_object;
    DynkvJsonMember member;
} EachState;

static bool each_is_member(const EachState *each)
{
    return each->lexer->lex_level == 1 && each->member.name;
}

static DynkvJsonResult each_object_start(void *arg)
{
    EachState *each = arg;

    if (each_is_member(each))
        each->member.type = JSON_TOKEN_OBJECT_START;
    DYNKV_JSON_GO_ON;
}

static DynkvJsonResult each_array_start(void *arg)
{
    EachState *each = arg;

    if (each->lexer->lex_level == 0)
        each->not_object = true;
    if (each_is_member(each))
        each->member.type = JSON_TOKEN_ARRAY_START;
    DYNKV_JSON_GO_ON;
}

static DynkvJsonResult each_scalar(void *arg, char *token, JsonTokenType type)
{
    EachState *each = arg;

    if (each->lexer->lex_level == 0)
        each->not_object = true;
    if (each_is_member(each)) {
        each->member.type = type;
        each->member.text = token;
    }
    DYNKV_JSON_GO_ON;
}

static DynkvJsonResult each_field_start(void *arg, char *name, bool is_null)
{
    EachState *each = arg;

    /* Of an array at the top the members of its objects are deeper; not_object tells it anyway. */
    if (each->lexer->lex_level == 1 && !each->not_object) {
        each->member.name = name;
        each->member.raw = each->lexer->token_start;
        each->member.text = NULL;
    }
    DYNKV_JSON_GO_ON;
}

static DynkvJsonResult each_field_end(void *arg, char *name, bool is_null)
{
    EachState *each = arg;

    if (each_is_member(each)) {
        each->member.raw_len = (int)(each->lexer->prev_token_terminator - each->member.raw);
        each->visit(each->visit_state, &each->member);
        each->member.name = NULL;
    }
    DYNKV_JSON_GO_ON;
}

const char *dynkv_json_each(char *text, DynkvJsonVisit visit, void *state)
{
    EachState each = {.visit = visit, .visit_state = state};
    JsonSemAction actions = {
        .semstate = &each,
        .object_start = each_object_start,
        .array_start = each_array_start,
        .scalar = each_scalar,
        .object_field_start = each_field_start,
        .object_field_end = each_field_end,
    };
    JsonParseErrorType problem;

    each.lexer = dynkv_json_lexer(text, (int)strlen(text));
    problem = pg_parse_json(each.lexer, &actions);
    if (problem != JSON_SUCCESS)
        return psprintf("the value is no JSON: %s", json_errdetail(problem, each.lexer));
    return each.not_object ? "the value is JSON, but not an object" : NULL;
}
