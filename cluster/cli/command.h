/*
 * command.h: what the commands share: the client, the keys of the command line, and how errors end.
 */
#ifndef DYNKV_CLI_COMMAND_H
#define DYNKV_CLI_COMMAND_H

#include "cli/json.h"
#include "cli/options.h"
#include "client/dynkv.h"

enum dynkv_exit {
    DYNKV_EXIT_OK = 0,
    DYNKV_EXIT_NOT_FOUND = 1,
    DYNKV_EXIT_USAGE = 2,
    DYNKV_EXIT_UNAVAILABLE = 3,
    DYNKV_EXIT_CONFLICT = 4,
};

struct dynkv_cli {
    const struct dynkv_options *options;
    struct dynkv_client *client;
    uint64_t now_ms;     /* wall clock at the start: what has expired is judged by it */
    uint64_t started_ms; /* monotonic: the deadline counts from it */
};

/* One function a command, in cmd_*.c; the result is the exit code. */
#define DYNKV_COMMAND_FUNCTION(upper, name, arguments, fewest, most, summary) \
    int dynkv_cmd_##name(struct dynkv_cli *cli);
DYNKV_COMMANDS(DYNKV_COMMAND_FUNCTION)
#undef DYNKV_COMMAND_FUNCTION

/* What the exit code of an error is. */
int dynkv_cli_exit_code(enum dynkv_error error);
/* Prints "dynkv: text" on stderr and gives the error's exit code. */
int dynkv_cli_fail(enum dynkv_error error, const char *text);
/* Prints what is wrong with the command line; the exit code of wrong usage. */
int dynkv_cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Waits for a request; 0, or the exit code after its error was printed.  The caller frees it. */
int dynkv_cli_wait(struct dynkv_request *request);

/* What is left of the command's deadline, at least 1 ms: a command of several requests has but one. */
uint32_t dynkv_cli_left_ms(const struct dynkv_cli *cli);
/* r, w and strict of the command line, and the deadline that is left. */
struct dynkv_call dynkv_cli_call(const struct dynkv_cli *cli);
uint64_t dynkv_cli_monotonic_ms(void);

/* The id and the settings of a keyspace; the name in it is not kept.  0, or the exit code. */
int dynkv_cli_open_keyspace(struct dynkv_cli *cli, const char *name, bool create,
                            struct dynkv_keyspace_info *out);

/* Appends a key's text, or the bytes it stands for if --hex is set; what is its name in an error. */
int dynkv_cli_key_bytes(const struct dynkv_options *options, const char *what, const char *text,
                        struct dynkv_buf *out);
/*
 * The key of the command line: the partition key and --sort.  It points into buffer, which the caller
 * frees.  0, or the exit code.
 */
int dynkv_cli_key(const struct dynkv_options *options, const char *partition_key,
                  struct dynkv_buf *buffer, struct dynkv_key_ref *out);

/* The two parts of a key in JSON: "key", and "sort_key" if there is one. */
void dynkv_cli_json_key(struct dynkv_json *json, const struct dynkv_options *options,
                        struct dynkv_key_ref at);
/* The same on a line of text, parted by a tab. */
void dynkv_cli_text_key(struct dynkv_buf *out, const struct dynkv_options *options,
                        struct dynkv_key_ref at);

#endif
