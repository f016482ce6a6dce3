/*
 * url.h: addresses as a person writes them, and as NNG and the other members want them.
 *
 * Accepted: host:port (meaning tcp), tcp://host:port, ipc://path.  IPv6 hosts stand in brackets; an
 * empty host, "*", "0.0.0.0" and "[::]" mean all addresses of the machine.  Port 0 asks the kernel.
 */
#ifndef DYNKV_DAEMON_URL_H
#define DYNKV_DAEMON_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

typedef char dynkvd_url[DYNKV_URL_MAX + 1];

/* Normalises text (len bytes) to out; false, and why in error, if it is not such an address. */
bool dynkvd_url_parse(const char *text, size_t len, dynkvd_url out, char *error, size_t error_size);
bool dynkvd_url_is_tcp(const char *url);
/* A tcp url that listens on all addresses, which nobody can dial. */
bool dynkvd_url_is_wildcard(const char *url);
/* If the port of a tcp url is 0, puts port in its place. */
void dynkvd_url_set_port(dynkvd_url url, uint16_t port);

#endif
