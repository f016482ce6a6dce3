/*
 * test_peer_link_cut.c: a link whose packets are swallowed for a while.
 *
 * In a network namespace of its own, whose loopback is set down and up again.  Where there may be none
 * (neither as root nor by a user namespace) it says so and tests nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/if.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/peer_link.h"

#define PATIENCE_MS 60000

static bool has_network;

static void loopback_set(bool up)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    request.ifr_flags = up ? IFF_UP | IFF_RUNNING : 0;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

static int listen_at(char url[64])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    snprintf(url, 64, "tcp://127.0.0.1:%u", ntohs(name.sin_port));
    return fd;
}

static void await_input(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
}

/* A connection, with both greetings over. */
static int accept_link(int listener)
{
    static const uint8_t greeting[8] = {0, 'S', 'P', 0, 0, 0x51, 0, 0};
    uint8_t heard[8];
    int fd;

    await_input(listener);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(recv(fd, heard, sizeof heard, MSG_WAITALL), sizeof heard);
    assert_int_equal(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL), sizeof greeting);
    return fd;
}

static void expect_text(int fd, const char *text)
{
    uint8_t bytes[64];
    size_t len = 8 + strlen(text);

    await_input(fd);
    assert_int_equal(recv(fd, bytes, len, MSG_WAITALL), len);
    assert_memory_equal(bytes + 8, text, strlen(text));
}

static void on_done(void *argument, bool sent)
{
    (void)sent;
    sem_post(argument);
}

static void send_text(struct dynkvd_link *link, sem_t *done, const char *text)
{
    dynkvd_link_send(link, dynkv_slice_text(text));
    sem_wait(done);
}

static void a_connection_that_swallows_is_given_up_and_made_anew(void **state)
{
    const char *why = NULL;
    struct dynkvd_link *link;
    int listener, first, second;
    char url[64];
    sem_t done;

    (void)state;
    if (!has_network)
        skip();
    loopback_set(true);
    listener = listen_at(url);
    sem_init(&done, 0, 0);
    link = dynkvd_link_new(url, on_done, &done, &why);
    assert_non_null(link);
    first = accept_link(listener);
    send_text(link, &done, "one");
    expect_text(first, "one");
    loopback_set(false);
    send_text(link, &done, "two"); /* the system takes it */
    nng_msleep(DYNKVD_LINK_UNHEARD_MS + 1500);
    loopback_set(true);
    /* The kernel alone would bring "two" over the first connection now, and there would be no other. */
    second = accept_link(listener);
    send_text(link, &done, "three");
    expect_text(second, "three");
    dynkvd_link_free(link);
    close(first);
    close(second);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_swallows_is_given_up_and_made_anew),
    };

    /* Before there are threads. */
    has_network = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
