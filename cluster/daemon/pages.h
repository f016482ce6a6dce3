/*
 * pages.h: the texts of the web pages, from the node's status and the daemon's metrics.
 */
#ifndef DYNKV_DAEMON_PAGES_H
#define DYNKV_DAEMON_PAGES_H

#include "daemon/http.h"
#include "wire/message.h"

/* Appends the page to out. */
void dynkvd_page_render(enum dynkvd_page_kind kind, const struct dynkv_status_reply *status,
                        struct dynkvd_metrics *metrics, struct dynkv_buf *out);

#endif
