/*
 * config.h: what the daemon was told on the command line and in --config FILE.
 *
 * Both know the same options by the same names, from one table: "--name n1" or "--name=n1" there,
 * "name = n1" here ('#' starts a comment).  The command line wins over the file; a list given on the
 * command line replaces the file's.
 */
#ifndef DYNKV_DAEMON_CONFIG_H
#define DYNKV_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "daemon/url.h"

#define DYNKVD_URLS_MAX        32u /* addresses in one list */
#define DYNKVD_PATH_MAX        4000u
#define DYNKVD_CONFIG_TEXT_MAX 2048u /* an error, or a line of the file */

struct dynkvd_urls {
    uint32_t count;
    dynkvd_url url[DYNKVD_URLS_MAX];
};

struct dynkvd_config {
    char name[DYNKV_NAME_MAX + 1];
    char zone[DYNKV_NAME_MAX + 1];
    char data[DYNKVD_PATH_MAX + 1];
    struct dynkvd_urls listen, join;
    dynkvd_url peer, advertise, advertise_peer, http; /* empty: not given; http without scheme */
    uint32_t weight, partitions, sync_interval_ms;
    uint32_t storage;   /* enum dynkvd_storage */
    uint32_t sync;      /* enum dynkv_sync */
    uint32_t log_level; /* enum dynkv_log_level */
};

enum dynkvd_storage {
    DYNKVD_STORAGE_ROCKSDB,
    DYNKVD_STORAGE_MEMORY,
};

enum dynkvd_config_outcome {
    DYNKVD_CONFIG_RUN,
    DYNKVD_CONFIG_HELP,
    DYNKVD_CONFIG_VERSION,
    DYNKVD_CONFIG_WRONG, /* error says what, where, and what to do */
};

enum dynkvd_config_outcome dynkvd_config_read(struct dynkvd_config *config, int argc, char **argv,
                                              char error[DYNKVD_CONFIG_TEXT_MAX]);
/* The text of --help, on standard output. */
void dynkvd_config_print_help(void);

#endif
