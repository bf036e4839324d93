/* What measures a way, over loopback: large packets, samples, a ladder; and that each of them can
 * be freed at any moment. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "probe/ladder.h"
#include "probe/large.h"
#include "probe/samples.h"
#include "probe/service.h"

#define SEC USEC_PER_SEC

/* --- the fake GCS, and sockets of our own --------------------------------------------------------
 */

static pid_t fake;

static Addr fake_start(const char *key, const char *value)
{
        int pipefd[2];
        Addr a;
        assert_int_equal(pipe(pipefd), 0);
        fake = fork();
        assert_true(fake >= 0);
        if (fake == 0) {
                (void)dup2(pipefd[1], STDOUT_FILENO);
                close(pipefd[0]);
                execl(TEST_BUILD "/tests/fake/fake-gcs", "fake-gcs", key, value, NULL);
                _exit(127);
        }
        close(pipefd[1]);
        FILE *in = fdopen(pipefd[0], "r");
        unsigned port = 0;
        assert_int_equal(fscanf(in, "port %u", &port), 1);
        fclose(in);
        assert_int_equal(addr_parse("127.0.0.1", &a), 0);
        a.port = (uint16_t)port;
        return a;
}

static void fake_stop(void)
{
        assert_int_equal(kill(fake, SIGKILL), 0);
        assert_int_equal(waitpid(fake, NULL, 0), fake);
}

/* Listens, and nobody ever accepts: the kernel takes what is sent. */
static int listener(Addr *ret)
{
        SockAddr sa;
        socklen_t len;
        assert_int_equal(addr_parse("127.0.0.1", ret), 0);
        len = addr_to_sockaddr(ret, &sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, 64), 0);
        len = sizeof(sa);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, ret), 0);
        return fd;
}

/* Connected, greeted, the beginning of the answer read. */
static int greeted(const Addr *a, uint8_t *seen, size_t size, size_t *ret_n)
{
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(a, &sa);
        size_t n;
        const uint8_t *bytes = greeting_bytes(GREETING_HTTP2, &n);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, &sa.sa, len), 0);
        assert_int_equal(send(fd, bytes, n, 0), (ssize_t)n);
        *ret_n = 0;
        if (size > 0) {
                ssize_t k = recv(fd, seen, size, 0);
                assert_true(k > 0);
                *ret_n = (size_t)k;
        }
        return fd;
}

/* --- large packets -------------------------------------------------------------------------------
 */

typedef struct Seen {
        sd_event *event;
        unsigned n;
        LargeFacts large;
        SampleFacts samples;
} Seen;

static void on_large(Large *l, const LargeFacts *facts, void *userdata)
{
        Seen *s = userdata;
        s->n++;
        s->large = *facts;
        large_free(l);
        sd_event_exit(s->event, 0);
}

static void measure_large(const Addr *a, bool reads, LargeFacts *ret)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        ConnectPolicy policy = {.addr = *a};
        uint8_t seen[1024];
        size_t n;
        Large *l;

        assert_true(sd_event_new(&event) >= 0);
        Seen s = {.event = event};
        int fd = greeted(a, seen, reads ? sizeof(seen) : 0, &n);
        assert_int_equal(large_new(event, fd, seen, n, &policy, on_large, &s, &l), 0);
        assert_int_equal(s.n, 0); /* never from the constructor */
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(s.n, 1);
        *ret = s.large;
}

static void test_large(void **state)
{
        LargeFacts f;
        Addr a = fake_start("--mode", "healthy");
        measure_large(&a, true, &f);
        assert_int_equal(f.out, LARGE_ARRIVED);
        assert_int_equal(f.in, LARGE_ARRIVED);
        assert_false(f.in_vain);
        assert_true(f.tried > 1500);
        fake_stop();

        a = fake_start("--reflection", "0"); /* it is not there: nothing is known of that way */
        measure_large(&a, true, &f);
        assert_int_equal(f.out, LARGE_ARRIVED);
        assert_int_equal(f.in, LARGE_UNKNOWN);
        fake_stop();

        a = fake_start("--reflection", "200"); /* what fits into any packet says nothing */
        measure_large(&a, true, &f);
        assert_int_equal(f.in, LARGE_UNKNOWN);
        fake_stop();

        a = fake_start("--mode", "eof-later"); /* it hangs up */
        measure_large(&a, true, &f);
        assert_int_equal(f.in, LARGE_UNKNOWN);
        fake_stop();
}

/* A frozen server is no hole: small packets bring no answer either. */
static void test_large_frozen(void **state)
{
        Addr a;
        LargeFacts f;
        _cleanup_close_ int fd = listener(&a);
        usec_t begin = now_mono();

        measure_large(&a, false, &f);
        assert_int_equal(f.out, LARGE_ARRIVED);
        assert_int_equal(f.in, LARGE_LOST);
        assert_true(f.in_vain);
        assert_int_equal(f.fits, 0);
        assert_true(now_mono() - begin < 5 * SEC);
}

static void test_large_bad_bytes(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Addr a;
        size_t n;
        Large *l;
        _cleanup_close_ int fd = listener(&a), conn = greeted(&a, NULL, 0, &n);
        ConnectPolicy policy = {.addr = a};

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(large_new(event, conn, (const uint8_t *)"HTTP/1.1 400", 12, &policy,
                                   on_large, NULL, &l),
                         -EPROTO);
        assert_int_equal(send(conn, "x", 1, 0), 1); /* the caller still has the connection */
}

/* --- samples and ladder --------------------------------------------------------------------------
 */

static void on_samples(Samples *s, const SampleFacts *facts, void *userdata)
{
        Seen *seen = userdata;
        seen->n++;
        seen->samples = *facts;
        samples_free(s);
        sd_event_exit(seen->event, 0);
}

static void test_samples(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Addr a;
        Samples *p;
        _cleanup_close_ int fd = listener(&a);
        ConnectPolicy policy = {.addr = a};

        assert_true(sd_event_new(&event) >= 0);
        Seen s = {.event = event};
        assert_int_equal(samples_new(event, &policy, on_samples, &s, &p), 0);
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.samples.sent, SAMPLES_ROUND);
        assert_int_equal(s.samples.lost, 0);
        assert_true(s.samples.rtt > 0);
}

static int on_stop(sd_event_source *s, uint64_t usec, void *userdata)
{
        return sd_event_exit(sd_event_source_get_event(s), 0);
}

/* Loopback is no hop: the first SYN arrives already. */
static void test_ladder(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(ladder_freep) Ladder *l = NULL;
        Addr a;
        LadderFacts f;
        _cleanup_close_ int fd = listener(&a);
        ConnectPolicy policy = {.addr = a};

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(ladder_new(event, &policy, &f, &l), 0);
        assert_true(f.asked);
        assert_true(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, SEC / 10, 1, on_stop,
                                               NULL) >= 0);
        assert_int_equal(sd_event_loop(event), 0);
        assert_true(f.ended && f.arrived);
        assert_int_equal(f.n_hops, 0);
}

/* --- freed while they work -----------------------------------------------------------------------
 */

static void test_freed_early(void **state)
{
        Addr a = fake_start("--mode", "healthy");
        ConnectPolicy policy = {.addr = a};
        uint8_t seen[1024];
        size_t n;

        for (unsigned turns = 0; turns < 8; turns++) {
                _cleanup_(sd_event_unrefp) sd_event *event = NULL;
                Seen s = {0};
                LadderFacts facts;
                Large *l;
                Samples *p;
                Ladder *d;
                assert_true(sd_event_new(&event) >= 0);
                s.event = event;
                int fd = greeted(&a, seen, sizeof(seen), &n);
                assert_int_equal(large_new(event, fd, seen, n, &policy, on_large, &s, &l), 0);
                assert_int_equal(samples_new(event, &policy, on_samples, &s, &p), 0);
                assert_int_equal(ladder_new(event, &policy, &facts, &d), 0);
                for (unsigned i = 0; i < turns && s.n == 0; i++)
                        assert_true(sd_event_run(event, 1000) >= 0);
                if (!s.large.asked)
                        large_free(l);
                if (!s.samples.asked)
                        samples_free(p);
                ladder_free(d);
        }
        fake_stop();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_large),           cmocka_unit_test(test_large_frozen),
                cmocka_unit_test(test_large_bad_bytes), cmocka_unit_test(test_samples),
                cmocka_unit_test(test_ladder),          cmocka_unit_test(test_freed_early),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
