/*
 * address.h: where a node listens, parsed from text.
 *
 *   host:port, tcp://host:port, [v6 address]:port, ipc:///path
 *
 * The text is kept in one form, which messages show and comparison uses: "host:port" or "ipc:///path".
 */
#ifndef DYNKV_CLIENT_ADDRESS_H
#define DYNKV_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define DYNKV_HOSTS_MAX 64u /* addresses in one hosts text */

struct dynkv_address {
    bool is_ipc;
    char text[DYNKV_URL_MAX + 3]; /* two more: an IPv6 host gets its brackets back */
    char host[DYNKV_URL_MAX + 1]; /* tcp: name or number, without brackets; ipc: the path */
    char port[6];                 /* tcp: 1 to 65535, as digits */
};

/* INVALID, with the reason and a remedy in text. */
enum dynkv_error dynkv_address_parse(struct dynkv_slice url, struct dynkv_address *out, char *text,
                                     size_t text_size);
/* A list separated by commas, blanks around each ignored; 1 to DYNKV_HOSTS_MAX of them. */
enum dynkv_error dynkv_address_parse_list(const char *hosts, struct dynkv_address *out,
                                          uint32_t *count, char *text, size_t text_size);

#endif
