/* The order in which a probe's socket is looked at (probe.md 1.2, 2.2.1). */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"

#include "base/fd.h"
#include "sys/probe-fd.h"

/* A port of a protocol that nobody has. */
static Addr nobody(const char *s, int type)
{
        SockAddr sa;
        Addr a = AP(s, 0);
        socklen_t len = addr_to_sockaddr(&a, &sa);
        int fd = socket(a.family, type | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        len = sizeof(sa);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &a), 0);
        close(fd);
        return a;
}

/* A socket to which an ICMP port-unreachable came: the kernel has it twice, as SO_ERROR and in the
 * error queue. Loopback answers before send() returns. */
static int refused(const char *s)
{
        ConnectPolicy policy = {.addr = nobody(s, SOCK_DGRAM)};
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&policy.addr, &sa);
        int fd = probe_fd_open(&policy, SOCK_DGRAM);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, &sa.sa, len), 0);
        assert_int_equal(send(fd, "", 1, 0), 1);
        return fd;
}

static int so_error(int fd)
{
        int error = -1;
        socklen_t len = sizeof(error);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
        return error;
}

static const char *const loopbacks[] = {"127.0.0.1", "::1"};

/* The trap itself: who reads the queue first hears of no error any more. */
static void test_trap(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(loopbacks); i++) {
                _cleanup_close_ int a = refused(loopbacks[i]), b = refused(loopbacks[i]);
                IcmpNote note = {0};
                assert_int_equal(so_error(a), ECONNREFUSED);
                probe_fd_icmp(b, &note);
                assert_true(note.seen);
                assert_int_equal(so_error(b), 0);
        }
}

static void test_order(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(loopbacks); i++) {
                _cleanup_close_ int fd = refused(loopbacks[i]);
                IcmpNote note = {0};
                Addr self = AP(loopbacks[i], 0);
                int error = 0;
                assert_int_equal(probe_fd_look(fd, &error, &note), CONNECT_FAILED);
                assert_int_equal(error, ECONNREFUSED);
                assert_true(note.seen);
                assert_int_equal(note.error, ECONNREFUSED);
                assert_true(addr_equal(&note.from, &self));
        }
}

/* Without any error: only a socket that TCP_INFO calls established is one. */
static void test_established_only(void **state)
{
        ConnectPolicy policy = {.addr = nobody("127.0.0.1", SOCK_STREAM)};
        _cleanup_close_ int fd = probe_fd_open(&policy, SOCK_STREAM);
        IcmpNote note = {.seen = true, .code = 7};
        int error = -1;

        assert_true(fd >= 0);
        assert_int_equal(probe_fd_look(fd, &error, &note), CONNECT_PENDING);
        assert_int_equal(error, 0);
        assert_int_equal(note.code, 7); /* nothing came: left alone */

        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&policy.addr, &sa);
        (void)connect(fd, &sa.sa, len);
        assert_int_equal(probe_fd_look(fd, &error, &note), CONNECT_FAILED);
        assert_int_equal(error, ECONNREFUSED);
}

/* The SYN of a ladder's rung lives so many hops. */
static void test_ttl(void **state)
{
        ConnectPolicy policy = {.addr = AP("127.0.0.1", 1), .ttl = 3};
        _cleanup_close_ int v4 = probe_fd_open(&policy, SOCK_STREAM);
        policy.addr = AP("::1", 1);
        _cleanup_close_ int v6 = probe_fd_open(&policy, SOCK_STREAM);
        int ttl = 0, hops = 0;
        socklen_t len = sizeof(ttl);
        assert_int_equal(getsockopt(v4, IPPROTO_IP, IP_TTL, &ttl, &len), 0);
        assert_int_equal(getsockopt(v6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, &len), 0);
        assert_int_equal(ttl, 3);
        assert_int_equal(hops, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_trap),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_established_only),
                cmocka_unit_test(test_ttl),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
