/* test_peer_link.c: the connection to a peer, against NNG's own PULL sockets and against hosts that misbehave. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/peer_link.h"

/* ---- the sending end ---- */

struct sending {
    sem_t done;
    bool sent;
};

static void on_done(void *argument, bool sent)
{
    struct sending *sending = argument;

    sending->sent = sent;
    sem_post(&sending->done);
}

static struct dynkvd_link *link_to(const char *url, struct sending *sending)
{
    const char *why = NULL;
    struct dynkvd_link *link = dynkvd_link_new(url, on_done, sending, &why);

    assert_non_null(link);
    sem_init(&sending->done, 0, 0);
    return link;
}

/* Sends and waits; whether the network took it. */
static bool send_to(struct dynkvd_link *link, struct sending *sending, struct dynkv_slice message)
{
    dynkvd_link_send(link, message);
    sem_wait(&sending->done);
    return sending->sent;
}

/* ---- the receiving end ---- */

static nng_socket pull_at(const char *url)
{
    nng_socket pull;

    assert_int_equal(nng_pull0_open(&pull), 0);
    assert_int_equal(nng_socket_set_size(pull, NNG_OPT_RECVMAXSZ, 0), 0);
    assert_int_equal(nng_listen(pull, url, NULL, 0), 0);
    return pull;
}

static void expect_message(nng_socket pull, struct dynkv_slice message)
{
    void *bytes;
    size_t len;

    assert_int_equal(nng_recv(pull, &bytes, &len, NNG_FLAG_ALLOC), 0);
    assert_int_equal(len, message.len);
    assert_memory_equal(bytes, message.data, len);
    nng_free(bytes, len);
}

static int listen_at(char url[64], int backlog)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    snprintf(url, 64, "tcp://127.0.0.1:%u", ntohs(name.sin_port));
    return fd;
}

/* A TCP port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    close(fd);
    return ntohs(name.sin_port);
}

/* Accepts, says these bytes, and hangs up: over and over. */
struct rude_host {
    char url[64];
    int fd;
    uint8_t says[8];
    bool resets; /* by RST rather than FIN, every second time */
    _Atomic uint32_t hung_up;
    pthread_t thread;
};

static void *rude_main(void *argument)
{
    struct rude_host *host = argument;

    for (;;) {
        int fd = accept(host->fd, NULL, NULL);
        struct linger linger = {.l_onoff = 1};

        if (fd < 0)
            return NULL;
        /* It may be gone already: rude to both sides. */
        send(fd, host->says, sizeof host->says, MSG_NOSIGNAL);
        if (host->resets && host->hung_up % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd);
        host->hung_up++;
    }
}

static void rude_start(struct rude_host *host)
{
    host->fd = listen_at(host->url, 16);
    assert_int_equal(pthread_create(&host->thread, NULL, rude_main, host), 0);
}

static void rude_stop(struct rude_host *host)
{
    shutdown(host->fd, SHUT_RDWR);
    pthread_join(host->thread, NULL);
    close(host->fd);
}

/* ---- the sentences ---- */

static void messages_arrive_in_order_at(const char *url)
{
    nng_socket pull = pull_at(url);
    struct sending sending;
    struct dynkvd_link *link = link_to(url, &sending);
    char text[32];

    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "message %u", i);
        assert_true(send_to(link, &sending, dynkv_slice_text(text)));
        expect_message(pull, dynkv_slice_text(text));
    }
    dynkvd_link_free(link);
    nng_close(pull);
}

static void messages_arrive_in_order(void **state)
{
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", free_port());
    messages_arrive_in_order_at(url);
    snprintf(url, sizeof url, "ipc:///tmp/dynkv-link-%d", (int)getpid());
    messages_arrive_in_order_at(url);
}

static void a_large_message_arrives_whole(void **state)
{
    struct dynkv_slice message = {.len = (size_t)20 << 20};
    uint8_t *bytes = malloc(message.len);
    struct sending sending;
    struct dynkvd_link *link;
    nng_socket pull;
    char url[64];

    (void)state;
    for (size_t i = 0; i < message.len; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    message.data = bytes;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", free_port());
    pull = pull_at(url);
    link = link_to(url, &sending);
    dynkvd_link_send(link, message);
    expect_message(pull, message);
    sem_wait(&sending.done);
    assert_true(sending.sent);
    dynkvd_link_free(link);
    nng_close(pull);
    free(bytes);
}

static void a_message_waits_for_a_host_that_is_late(void **state)
{
    struct dynkv_slice message = dynkv_slice_text("early");
    struct sending sending;
    struct dynkvd_link *link;
    nng_socket pull;
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", free_port());
    link = link_to(url, &sending);
    dynkvd_link_send(link, message);
    pull = pull_at(url);
    sem_wait(&sending.done);
    assert_true(sending.sent);
    expect_message(pull, message);
    dynkvd_link_free(link);
    nng_close(pull);
}

static void a_message_to_nobody_is_given_back(void **state)
{
    struct sending sending;
    struct dynkvd_link *link;
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", free_port());
    link = link_to(url, &sending);
    assert_false(send_to(link, &sending, dynkv_slice_text("lost")));
    dynkvd_link_free(link);
}

static void a_host_that_comes_back_is_found_again(void **state)
{
    struct dynkv_slice message = dynkv_slice_text("again");
    struct sending sending;
    struct dynkvd_link *link;
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", free_port());
    link = link_to(url, &sending);
    for (uint32_t i = 0; i < 5; i++) {
        nng_socket pull = pull_at(url);
        void *bytes;
        size_t len;

        nng_socket_set_ms(pull, NNG_OPT_RECVTIMEO, 100);
        /* What was sent before the loss was noticed is lost; the next ones are not. */
        do
            send_to(link, &sending, message);
        while (nng_recv(pull, &bytes, &len, NNG_FLAG_ALLOC) != 0);
        assert_int_equal(len, message.len);
        nng_free(bytes, len);
        nng_close(pull);
    }
    dynkvd_link_free(link);
}

static void a_host_that_greets_and_hangs_up_does_no_harm(void **state)
{
    enum { LINKS = 32, HANGUPS = 500 };
    struct rude_host host = {.says = {0, 'S', 'P', 0, 0, 0x51, 0, 0}, .resets = true};
    struct dynkvd_link *links[LINKS];
    static struct sending sendings[LINKS];

    (void)state;
    rude_start(&host);
    for (uint32_t i = 0; i < LINKS; i++)
        links[i] = link_to(host.url, &sendings[i]);
    while (host.hung_up < HANGUPS)
        for (uint32_t i = 0; i < LINKS; i++)
            send_to(links[i], &sendings[i], dynkv_slice_text("anybody there?"));
    for (uint32_t i = 0; i < LINKS; i++)
        dynkvd_link_free(links[i]);
    rude_stop(&host);
}

static void a_host_that_speaks_something_else_gets_nothing(void **state)
{
    struct rude_host host = {.says = "SSH-2.0"};
    struct sending sending;
    struct dynkvd_link *link;

    (void)state;
    rude_start(&host);
    link = link_to(host.url, &sending);
    assert_false(send_to(link, &sending, dynkv_slice_text("secret")));
    dynkvd_link_free(link);
    rude_stop(&host);
}

/* Ticks until there is a connection to be accepted. */
static int accept_ticking(int listener, struct dynkvd_link *link)
{
    struct pollfd polled = {.fd = listener, .events = POLLIN};

    while (poll(&polled, 1, 10) == 0)
        dynkvd_link_tick(link, dynkvd_mono_ms());
    return accept(listener, NULL, NULL);
}

static void a_host_that_accepts_and_says_nothing_is_given_up(void **state)
{
    struct sending sending;
    struct dynkvd_link *link;
    int listener, fd[3];
    char url[64];

    (void)state;
    listener = listen_at(url, 16);
    link = link_to(url, &sending);
    dynkvd_link_send(link, dynkv_slice_text("lost"));
    for (int i = 0; i < 3; i++)
        fd[i] = accept_ticking(listener, link);
    while (sem_trywait(&sending.done) != 0) {
        struct pollfd polled = {.fd = listener, .events = POLLIN};

        if (poll(&polled, 1, 10) > 0) /* it goes on meanwhile */
            close(accept(listener, NULL, NULL));
        dynkvd_link_tick(link, dynkvd_mono_ms());
    }
    assert_false(sending.sent);
    dynkvd_link_free(link);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    close(listener);
}

static void a_host_that_takes_no_more_gets_no_more(void **state)
{
    struct dynkv_slice message = {.len = (size_t)64 << 20}; /* more than two systems hold */
    uint8_t *bytes = calloc(1, message.len);
    static const uint8_t greeting[8] = {0, 'S', 'P', 0, 0, 0x51, 0, 0};
    struct sending sending;
    struct dynkvd_link *link;
    int listener, first, second;
    char url[64];

    (void)state;
    message.data = bytes;
    listener = listen_at(url, 16);
    link = link_to(url, &sending);
    first = accept_ticking(listener, link);
    assert_int_equal(send(first, greeting, sizeof greeting, MSG_NOSIGNAL), sizeof greeting);
    dynkvd_link_send(link, message);
    second = accept_ticking(listener, link); /* half a message is the end of a connection */
    sem_wait(&sending.done);
    assert_false(sending.sent);
    dynkvd_link_free(link);
    close(first);
    close(second);
    close(listener);
    free(bytes);
}

static void a_link_can_be_freed_in_any_state(void **state)
{
    char url[64];
    nng_socket pull;

    (void)state;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", free_port());
    pull = pull_at(url);
    for (uint32_t i = 0; i < 200; i++) {
        struct sending sending;
        struct dynkvd_link *link = link_to(url, &sending);

        dynkvd_link_send(link, dynkv_slice_text("in flight"));
        if (i % 3 == 0)
            sem_wait(&sending.done);
        dynkvd_link_free(link);
    }
    nng_close(pull);
}

static void an_address_that_is_none_is_refused(void **state)
{
    const char *why = NULL;

    (void)state;
    assert_null(dynkvd_link_new("carrier-pigeon://loft", on_done, NULL, &why));
    assert_non_null(why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_order),
        cmocka_unit_test(a_large_message_arrives_whole),
        cmocka_unit_test(a_message_waits_for_a_host_that_is_late),
        cmocka_unit_test(a_message_to_nobody_is_given_back),
        cmocka_unit_test(a_host_that_comes_back_is_found_again),
        cmocka_unit_test(a_host_that_greets_and_hangs_up_does_no_harm),
        cmocka_unit_test(a_host_that_speaks_something_else_gets_nothing),
        cmocka_unit_test(a_host_that_accepts_and_says_nothing_is_given_up),
        cmocka_unit_test(a_host_that_takes_no_more_gets_no_more),
        cmocka_unit_test(a_link_can_be_freed_in_any_state),
        cmocka_unit_test(an_address_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
