/* The scanner on the loopback; silence and ICMP are tried in tests/net. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "ports.h"
#include "sys/port-scan.h"

/* Nobody's of this machine, and of no other test: see ports.h. A daemon of another test listens at
 * every address of the loopback. */
#define FIRST PORTS_SCANNED_FIRST
#define LAST  PORTS_SCANNED_LAST

/* A loopback address of this process alone: the same test may run beside. */
static char own_addr[16];

typedef struct Seen {
        sd_event *event;
        PortScan *scan;
        bool free_inside;
        unsigned n_calls;
        PortScanFacts facts;
        PortRange *ranges;
        size_t n_ranges;
} Seen;

static void on_end(PortScan *s, const PortScanFacts *f, void *userdata)
{
        Seen *seen = userdata;
        seen->n_calls++;
        seen->facts = *f;
        assert_int_equal(port_ranges_fold(f->results, f->n, NULL, &seen->ranges, &seen->n_ranges),
                         0);
        if (seen->free_inside)
                seen->scan = port_scan_free(s);
        sd_event_exit(seen->event, 0);
}

static int listen_on(const char *addr, uint16_t port, int backlog)
{
        Addr a;
        SockAddr sa;

        assert_int_equal(addr_parse(addr, &a), 0);
        a.port = port;
        socklen_t len = addr_to_sockaddr(&a, &sa);
        int one = 1, fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, backlog), 0);
        return fd;
}

static unsigned count_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;
        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static void scan(Seen *seen, const char *addr, PortSpan span, usec_t deadline)
{
        PortScanPolicy policy = {.spans = &span, .n_spans = 1, .deadline = deadline};

        assert_int_equal(addr_parse(addr, &policy.addr), 0);
        assert_true(sd_event_new(&seen->event) >= 0);
        assert_int_equal(port_scan_new(seen->event, &policy, on_end, seen, &seen->scan), 0);
        assert_int_equal(seen->n_calls, 0);
        assert_true(sd_event_loop(seen->event) >= 0);
        assert_int_equal(seen->n_calls, 1);
}

static void done(Seen *seen)
{
        port_scan_free(seen->scan);
        sd_event_unref(seen->event);
        free(seen->ranges);
}

static void assert_state(const Seen *seen, PortState state, const char *words)
{
        _cleanup_free_ char *s = port_ranges_format(seen->ranges, seen->n_ranges, PORT_MASK(state));
        assert_string_equal(s, words);
}

static void test_open_and_closed(void **state)
{
        for (unsigned free_inside = 0; free_inside < 2; free_inside++) {
                unsigned before = count_fds();
                Seen seen = {.free_inside = free_inside};
                int a = listen_on(own_addr, FIRST + 1, 8), b = listen_on(own_addr, LAST, 8);

                scan(&seen, own_addr, (PortSpan){FIRST, LAST}, 0);
                assert_true(seen.facts.complete);
                assert_false(seen.facts.cut);
                assert_int_equal(seen.facts.trouble, 0);
                assert_state(&seen, PORT_OPEN, "30001, 32767");
                assert_state(&seen, PORT_REFUSED, "30000, 30002-32766");
                assert_true(seen.facts.took < 5 * USEC_PER_SEC);
                /* who listens there gets a connection that is over: reset, so that no TIME_WAIT
                 * stays here */
                int got = accept(a, NULL, NULL);
                char byte;
                assert_true(got >= 0);
                assert_int_equal(read(got, &byte, 1), -1);
                assert_int_equal(errno, ECONNRESET);
                done(&seen);
                close(got);
                close(a);
                close(b);
                assert_int_equal(count_fds(), before);
        }
}

static void test_ipv6(void **state)
{
        Seen seen = {0};
        scan(&seen, "::1", (PortSpan){FIRST, LAST}, 0);
        assert_true(seen.facts.complete);
        assert_state(&seen, PORT_SILENT, "");
        assert_in_range(port_ranges_count(seen.ranges, seen.n_ranges, PORT_MASK(PORT_REFUSED)),
                        LAST - FIRST - 100, LAST - FIRST + 1);
        done(&seen);
}

/* All own ports that the kernel gives out: none of them is open because it met itself. */
static void test_own_echo(void **state)
{
        Seen seen = {0};
        scan(&seen, own_addr, (PortSpan){32768, 60999}, 0);
        for (size_t i = 0; i < seen.facts.n; i++)
                if (seen.facts.results[i].state == PORT_OPEN) {
                        /* somebody else's, of this machine: it must be there still */
                        Seen again = {0};
                        uint16_t port = seen.facts.results[i].port;
                        scan(&again, own_addr, (PortSpan){port, port}, 0);
                        assert_int_equal(again.ranges[0].state, PORT_OPEN);
                        done(&again);
                }
        done(&seen);
}

static void test_few_descriptors(void **state)
{
        struct rlimit old, few = {128, 128}, now;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        few.rlim_max = old.rlim_max;

        /* the soft limit is raised as long as it is needed, and not longer */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        Seen seen = {0};
        scan(&seen, own_addr, (PortSpan){FIRST, FIRST + 500}, 0);
        assert_false(seen.facts.narrow);
        assert_int_equal(seen.facts.window, 501);
        done(&seen);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
        assert_int_equal(now.rlim_cur, 128);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* In a process of its own, whose hard limit cannot be raised again. taken: descriptors with high
 * numbers, which the lowest free one does not tell of. */
static bool scan_with(rlim_t limit, int taken)
{
        const struct rlimit few = {limit, limit};
        Seen seen = {0};

        if (setrlimit(RLIMIT_NOFILE, &few) < 0)
                return false;
        for (int i = 1; i <= taken; i++)
                if (dup2(STDERR_FILENO, (int)limit - i) < 0)
                        return false;
        scan(&seen, own_addr, (PortSpan){FIRST, LAST}, 0);
        bool good = seen.facts.narrow && seen.facts.complete && !seen.facts.trouble &&
                    seen.facts.window < limit && seen.n_ranges == 1 &&
                    seen.ranges[0].state == PORT_REFUSED;
        done(&seen);
        return good;
}

static void test_hard_limit(void **state)
{
        static const struct {
                rlim_t limit;
                int taken;
        } rows[] = {{100, 0}, {100, 60}, {60, 0}};

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        _exit(scan_with(rows[i].limit, rows[i].taken) ? 0 : 3);
                int status;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), 0);
        }
}

/* No descriptor at all: an end, and it says why. */
static void test_no_descriptors(void **state)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                PortSpan span = {FIRST, LAST};
                PortScanPolicy policy = {.spans = &span, .n_spans = 1};
                Seen seen = {0};
                bool good = sd_event_new(&seen.event) >= 0 &&
                            addr_parse(own_addr, &policy.addr) >= 0 &&
                            port_scan_new(seen.event, &policy, on_end, &seen, &seen.scan) >= 0;
                const struct rlimit none = {3, 3};
                good = good && setrlimit(RLIMIT_NOFILE, &none) >= 0 &&
                       sd_event_loop(seen.event) >= 0 && seen.facts.trouble == EMFILE &&
                       seen.facts.cut && !seen.facts.complete &&
                       seen.facts.took < 5 * USEC_PER_SEC && seen.n_ranges == 1 &&
                       seen.ranges[0].state == PORT_UNKNOWN;
                _exit(good ? 0 : 3);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* A full queue is silent: the deadline ends it, and nothing is said of what was not heard. */
static void test_deadline(void **state)
{
        Seen seen = {0};
        int fd = listen_on(own_addr, FIRST, 0);
        int fill[4];
        for (size_t i = 0; i < ELEMENTSOF(fill); i++) {
                SockAddr sa;
                Addr a;
                assert_int_equal(addr_parse(own_addr, &a), 0);
                a.port = FIRST;
                fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
                (void)connect(fill[i], &sa.sa, addr_to_sockaddr(&a, &sa));
        }
        scan(&seen, own_addr, (PortSpan){FIRST, FIRST + 1}, 200 * USEC_PER_MSEC);
        assert_true(seen.facts.cut);
        assert_false(seen.facts.complete);
        assert_state(&seen, PORT_UNKNOWN, "30000");
        assert_state(&seen, PORT_REFUSED, "30001");
        done(&seen);

        seen = (Seen){0};
        scan(&seen, own_addr, (PortSpan){FIRST, FIRST + 1}, 0);
        assert_true(seen.facts.complete);
        assert_state(&seen, PORT_SILENT, "30000");
        /* its repeated SYNs leave this machine */
        assert_true(seen.facts.retrans_known);
        assert_true(seen.facts.retrans_fail < seen.facts.retrans);
        done(&seen);
        for (size_t i = 0; i < ELEMENTSOF(fill); i++)
                close(fill[i]);
        close(fd);
}

static void test_dropped_half_way(void **state)
{
        unsigned before = count_fds();
        sd_event *event = NULL;
        PortScan *s = NULL;
        PortSpan span = {FIRST, LAST};
        Seen seen = {0};
        PortScanPolicy policy = {.spans = &span, .n_spans = 1};

        assert_int_equal(addr_parse("127.0.0.1", &policy.addr), 0);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(port_scan_new(event, &policy, on_end, &seen, &s), 0);
        assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        s = port_scan_free(s);
        assert_int_equal(seen.n_calls, 0);
        sd_event_unref(event);
        assert_int_equal(count_fds(), before);
}

static void test_bad_policy(void **state)
{
        sd_event *event = NULL;
        PortScan *s = NULL;
        PortSpan span = {5, 4};
        PortScanPolicy policy = {.spans = &span, .n_spans = 1};

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(port_scan_new(event, &policy, on_end, NULL, &s), -EINVAL);
        span = (PortSpan){4, 5};
        policy.interface = "a-name-that-is-too-long";
        assert_int_equal(port_scan_new(event, &policy, on_end, NULL, &s), -ENODEV);
        assert_null(s);
        sd_event_unref(event);
}

int main(void)
{
        unsigned pid = (unsigned)getpid();
        (void)snprintf(own_addr, sizeof(own_addr), "127.%u.%u.%u", 1 + (pid >> 14) % 254,
                       (pid >> 7) % 128, 1 + pid % 128);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_open_and_closed), cmocka_unit_test(test_ipv6),
                cmocka_unit_test(test_own_echo),        cmocka_unit_test(test_few_descriptors),
                cmocka_unit_test(test_hard_limit),      cmocka_unit_test(test_no_descriptors),
                cmocka_unit_test(test_deadline),        cmocka_unit_test(test_dropped_half_way),
                cmocka_unit_test(test_bad_policy),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
