/*
 * raw.h: a server that is no dynkv node: it sends the bytes it is given and then keeps quiet.
 *
 * It runs in a thread of the test, and serves one connection after the other.
 */
#ifndef DYNKV_TESTS_CLIENT_RAW_H
#define DYNKV_TESTS_CLIENT_RAW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct raw_script {
    struct dynkv_slice at_once; /* sent when somebody has connected */
    uint32_t wait_for;          /* then so many bytes are read */
    struct dynkv_slice then;    /* then this is sent, again and again if is_endless */
    bool is_endless;
    bool closes; /* then the connection is closed; otherwise the other side must do it */
};

struct raw_server;

struct raw_server *raw_start(const struct raw_script *script);
/* "127.0.0.1:port" */
const char *raw_host(const struct raw_server *server);
void raw_stop(struct raw_server *server);

#endif
