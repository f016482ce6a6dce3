#include "daemon/http.h"

#include <arpa/inet.h>
#include <nng/supplemental/http/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *path, *type;
} pages[] = {
    [DYNKVD_PAGE_HTML] = {"/", "text/html; charset=utf-8"},
    [DYNKVD_PAGE_JSON] = {"/status", "application/json"},
    [DYNKVD_PAGE_METRICS] = {"/metrics", "text/plain; version=0.0.4"},
};
#define PAGE_COUNT (sizeof pages / sizeof *pages)

/* What a handler knows: one a page. */
struct handler_data {
    struct dynkvd_loop *loop;
    enum dynkvd_page_kind kind;
};

struct dynkvd_http {
    nng_http_server *server;
    nng_url *url;
    struct handler_data data[PAGE_COUNT];
};

static void on_page(nng_aio *aio)
{
    nng_http_handler *handler = nng_aio_get_input(aio, 1);
    const struct handler_data *data = nng_http_handler_get_data(handler);
    struct dynkvd_page *page = dynkv_calloc(1, sizeof *page);

    page->item.kind = DYNKVD_ITEM_PAGE;
    page->kind = data->kind;
    page->aio = aio;
    dynkvd_loop_post(data->loop, &page->item, false);
}

void dynkvd_page_answer(struct dynkvd_page *page, struct dynkv_slice text)
{
    nng_http_res *response = NULL;
    int result = nng_http_res_alloc(&response);

    if (!result)
        result = nng_http_res_set_header(response, "Content-Type", pages[page->kind].type);
    if (!result)
        result = nng_http_res_copy_data(response, text.data, text.len);
    if (result) {
        if (response)
            nng_http_res_free(response);
    } else {
        nng_aio_set_output(page->aio, 0, response);
    }
    nng_aio_finish(page->aio, result);
    free(page);
}

static int add_pages(struct dynkvd_http *http, struct dynkvd_loop *loop)
{
    int result = 0;

    for (size_t i = 0; i < PAGE_COUNT && !result; i++) {
        nng_http_handler *handler;

        http->data[i] = (struct handler_data){loop, (enum dynkvd_page_kind)i};
        result = nng_http_handler_alloc(&handler, pages[i].path, on_page);
        if (result)
            break;
        result = nng_http_handler_set_data(handler, &http->data[i], NULL);
        if (!result)
            result = nng_http_server_add_handler(http->server, handler);
        if (result)
            nng_http_handler_free(handler);
    }
    return result;
}

static uint16_t bound_port(nng_http_server *server)
{
    nng_sockaddr address;

    if (nng_http_server_get_addr(server, &address))
        return 0;
    return ntohs(address.s_family == NNG_AF_INET6 ? address.s_in6.sa_port : address.s_in.sa_port);
}

struct dynkvd_http *dynkvd_http_start(struct dynkvd_loop *loop, dynkvd_url tcp_url, char *error,
                                      size_t error_size)
{
    struct dynkvd_http *http = dynkv_calloc(1, sizeof *http);
    char url[DYNKV_URL_MAX + 8];
    int result;

    snprintf(url, sizeof url, "http%s", tcp_url + strlen("tcp"));
    result = nng_url_parse(&http->url, url);
    if (!result)
        result = nng_http_server_hold(&http->server, http->url);
    if (!result)
        result = add_pages(http, loop);
    if (!result)
        result = nng_http_server_start(http->server);
    if (!result) {
        dynkvd_url_set_port(tcp_url, bound_port(http->server));
        return http;
    }
    snprintf(error, error_size, "--http: cannot serve pages at %s: %s", url, nng_strerror(result));
    dynkvd_http_stop(http);
    return NULL;
}

void dynkvd_http_stop(struct dynkvd_http *http)
{
    if (http->server) {
        nng_http_server_stop(http->server);
        nng_http_server_release(http->server);
    }
    if (http->url)
        nng_url_free(http->url);
    free(http);
}
