/* sys/inet-diag against the kernel of this machine: own listeners on the loopback. */
#include "test.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/inet-diag.h"

static Addr addr(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

/* A listener on an address and any port; defer: connections stay half open until data comes. */
static int listen_on(const char *s, int backlog, bool defer, uint16_t *ret_port)
{
        Addr a = addr(s);
        SockAddr sa;
        int on = 60, off = 0;

        a.port = *ret_port;
        int fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 && errno == EAFNOSUPPORT)
                return -EAFNOSUPPORT;
        assert_true(fd >= 0);
        if (a.family == AF_INET6)
                assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
        if (defer)
                assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)), 0);
        socklen_t len = addr_to_sockaddr(&a, &sa);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, backlog), 0);
        len = sizeof(sa);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &a), 0);
        *ret_port = a.port;
        return fd;
}

static int connect_to(const char *s, uint16_t port)
{
        Addr a = addr(s);
        SockAddr sa;

        a.port = port;
        int fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        socklen_t len = addr_to_sockaddr(&a, &sa);
        assert_int_equal(connect(fd, &sa.sa, len), 0);
        return fd;
}

static void test_listeners(void **state)
{
        DiagListener l[DIAG_LISTENERS_MAX];
        char text[ADDR_PORT_MAX];
        uint16_t port = 0;
        size_t n;

        _cleanup_close_ int fd = listen_on("127.0.0.7", 3, false, &port);
        assert_int_equal(inet_diag_listeners(port, l, &n), 0);
        assert_int_equal(n, 1);
        assert_true(addr_is_loopback(&l[0].addr));
        assert_int_equal(l[0].addr.port, port);
        assert_int_equal(l[0].queue, 0);
        assert_int_equal(l[0].room, 3);

        _cleanup_close_ int c = connect_to("127.0.0.7", port);
        _cleanup_close_ int d = connect_to("127.0.0.7", port);
        assert_int_equal(inet_diag_listeners(port, l, &n), 0);
        assert_int_equal(l[0].queue, 2);
        assert_non_null(addr_format_port(text, &l[0].addr));

        /* the same port at another address */
        _cleanup_close_ int other = listen_on("127.0.0.8", 9, false, &port);
        assert_int_equal(inet_diag_listeners(port, l, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(l[0].room + l[1].room, 12);

        /* a port where nobody listens; a connection is no listener */
        fd = safe_close(fd);
        other = safe_close(other);
        assert_int_equal(inet_diag_listeners(port, l, &n), 0);
        assert_int_equal(n, 0);
}

static void test_listener_v6(void **state)
{
        DiagListener l[DIAG_LISTENERS_MAX];
        uint16_t port = 0;
        size_t n;

        _cleanup_close_ int fd = listen_on("::", 5, false, &port);
        if (fd < 0) {
                print_message("skipped: no IPv6 in this kernel\n");
                skip();
        }
        assert_int_equal(inet_diag_listeners(port, l, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(l[0].addr.family, AF_INET6);
        assert_true(addr_is_any(&l[0].addr));
}

/* More sockets on one port than are kept. */
static void test_listeners_bound(void **state)
{
        int fds[DIAG_LISTENERS_MAX + 6];
        DiagListener l[DIAG_LISTENERS_MAX];
        uint16_t port = 0;
        char text[32];
        size_t n;

        for (unsigned i = 0; i < ELEMENTSOF(fds); i++) {
                (void)snprintf(text, sizeof(text), "127.0.1.%u", i + 1);
                fds[i] = listen_on(text, 1, false, &port);
        }
        assert_int_equal(inet_diag_listeners(port, l, &n), 0);
        assert_int_equal(n, DIAG_LISTENERS_MAX);
        for (unsigned i = 0; i < ELEMENTSOF(fds); i++)
                safe_close(fds[i]);
}

static void syn_recv(const char *listener, const char *dial, const char *from)
{
        Addr who[2] = {addr("10.1.2.3"), addr(from)};
        uint16_t port = 0;
        unsigned n;

        _cleanup_close_ int fd = listen_on(listener, 5, true, &port);
        if (fd < 0) {
                print_message("skipped: no IPv6 in this kernel\n");
                return;
        }
        assert_int_equal(inet_diag_syn_recv(port, who, 2, &n), 0);
        assert_int_equal(n, 0);
        _cleanup_close_ int a = connect_to(dial, port);
        _cleanup_close_ int b = connect_to(dial, port);
        assert_int_equal(inet_diag_syn_recv(port, who, 2, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(inet_diag_syn_recv(port, who, 1, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(inet_diag_syn_recv((uint16_t)(port - 1), who, 2, &n), 0);
        assert_int_equal(n, 0);
}

static void test_syn_recv(void **state)
{
        syn_recv("127.0.0.1", "127.0.0.1", "127.0.0.1");
        syn_recv("::1", "::1", "::1");
        /* an IPv4 connection of a listener for both */
        syn_recv("::", "127.0.0.1", "127.0.0.1");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_listeners),
                cmocka_unit_test(test_listener_v6),
                cmocka_unit_test(test_listeners_bound),
                cmocka_unit_test(test_syn_recv),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
