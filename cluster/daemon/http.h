/*
 * http.h: the node's web pages, at --http HOST:PORT, for people and for monitoring.
 *
 *   /         a page for people
 *   /status   the same as JSON
 *   /metrics  Prometheus text
 *
 * A request becomes an item of the loop, whose runner fills the page: only there may the core be asked.
 */
#ifndef DYNKV_DAEMON_HTTP_H
#define DYNKV_DAEMON_HTTP_H

#include <nng/nng.h>

#include "daemon/loop.h"
#include "daemon/url.h"

enum dynkvd_page_kind {
    DYNKVD_PAGE_HTML,
    DYNKVD_PAGE_JSON,
    DYNKVD_PAGE_METRICS,
};

struct dynkvd_page {
    struct dynkvd_item item;
    enum dynkvd_page_kind kind;
    nng_aio *aio;
};

struct dynkvd_http;

/* tcp_url: as in the configuration; gets the port that the kernel gave.  NULL, and why in error. */
struct dynkvd_http *dynkvd_http_start(struct dynkvd_loop *loop, dynkvd_url tcp_url, char *error,
                                      size_t error_size);
/* Answers with the text, and frees the page. */
void dynkvd_page_answer(struct dynkvd_page *page, struct dynkv_slice text);
/* Before the loop halts: waits for pages that are being filled. */
void dynkvd_http_stop(struct dynkvd_http *http);

#endif
