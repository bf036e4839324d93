/* The probe as its users have it, over loopback: sockets of our own and the fake GCS. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "probe/facts.h"
#include "probe/probe.h"
#include "probe/state.h"
#include "probe/talk.h"
#include "sys/probe-sock.h"

#define SEC USEC_PER_SEC

/* --- a listener of our own -----------------------------------------------------------------------
 */

static int listener(uint16_t *ret_port)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
        *ret_port = ntohs(sa.sin_port);
        return fd;
}

/* A port that nobody has. */
static uint16_t closed_port(void)
{
        uint16_t port;
        safe_close(listener(&port));
        return port;
}

static Addr loopback(uint16_t port)
{
        Addr a;
        assert_int_equal(addr_parse("127.0.0.1", &a), 0);
        a.port = port;
        return a;
}

/* --- one connect ---------------------------------------------------------------------------------
 */

typedef struct Seen {
        sd_event *event;
        bool free_inside;
        unsigned n;
        ConnectFacts facts;
        int fd;
} Seen;

static void on_sock(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Seen *s = userdata;
        s->n++;
        s->facts = *f;
        s->fd = probe_sock_take_fd(p);
        if (s->free_inside)
                probe_sock_free(p);
        sd_event_exit(s->event, 0);
}

static void sock_once(uint16_t port, bool free_inside, Seen *ret)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        ProbeSock *p;
        ConnectPolicy policy = {.addr = loopback(port)};

        assert_true(sd_event_new(&event) >= 0);
        *ret = (Seen){.event = event, .free_inside = free_inside};
        assert_int_equal(probe_sock_new(event, &policy, on_sock, ret, &p), 0);
        assert_int_equal(ret->n, 0); /* never from the constructor */
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(ret->n, 1);
        if (!free_inside)
                probe_sock_free(p);
}

static void test_sock_refused(void **state)
{
        Seen s;
        sock_once(closed_port(), false, &s);
        assert_int_equal(s.facts.outcome, CONNECT_FAILED);
        assert_int_equal(s.facts.error, ECONNREFUSED);
        assert_false(s.facts.icmp.seen);
        assert_false(s.facts.at_once);
        assert_int_equal(s.fd, -ENOTCONN);
        sock_once(closed_port(), true, &s);
        assert_int_equal(s.facts.error, ECONNREFUSED);
}

static void test_sock_established(void **state)
{
        uint16_t port;
        _cleanup_close_ int l = listener(&port);
        Seen s;
        StreamFacts f;

        sock_once(port, true, &s);
        _cleanup_close_ int fd = s.fd;
        assert_int_equal(s.facts.outcome, CONNECT_ESTABLISHED);
        assert_true(fd >= 0);
        assert_int_equal(send(fd, "hello", 5, 0), 5);
        assert_int_equal(probe_stream_facts(fd, &f), 0);
        assert_int_equal(f.unsent, 0);
        assert_int_equal(f.bytes_acked, 6); /* the SYN counts one */
        /* what would make soft errors hard is off again */
        int on = -1;
        socklen_t len = sizeof(on);
        assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, &len), 0);
        assert_int_equal(on, 0);
}

/* The interface does not exist: an answer, by the loop. */
static void test_sock_at_once(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(probe_sock_freep) ProbeSock *p = NULL;
        Seen s;
        ConnectPolicy policy = {.addr = loopback(1), .interface = "nosuch0"};

        assert_true(sd_event_new(&event) >= 0);
        s = (Seen){.event = event};
        assert_int_equal(probe_sock_new(event, &policy, on_sock, &s, &p), 0);
        assert_int_equal(sd_event_loop(event), 0);
        assert_true(s.facts.at_once);
        assert_true(s.facts.error == ENODEV || s.facts.error == EPERM);
        policy.interface = "a-name-longer-than-any-interface";
        assert_int_equal(probe_sock_new(event, &policy, on_sock, &s, &p), -ENODEV);
}

static void test_udp(void **state)
{
        _cleanup_(probe_udp_freep) ProbeUdp *u = NULL;
        ConnectPolicy policy = {.addr = loopback(closed_port())};
        IcmpNote note;

        assert_int_equal(probe_udp_new(&policy, &u), 0);
        assert_false(probe_udp_forbidden(u));
        probe_udp_poll(u, &note);
        assert_true(note.seen); /* loopback answers before send() returns */
        assert_int_equal(note.type, 3);
        assert_int_equal(note.code, 3);
        assert_true(addr_equal(&note.from, &policy.addr));
}

/* --- a greeting ----------------------------------------------------------------------------------
 */

static sd_event *talk_event; /* of the test under way */

static void on_talk(Talk *t, const TalkAnswer *a, void *userdata)
{
        TalkAnswer *ret = userdata;
        *ret = *a;
        talk_free(t);
        sd_event_exit(talk_event, 0);
}

static void test_talk(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        TalkAnswer a = {.kind = _SERVICE_KIND_INVALID};
        uint16_t port;
        Talk *t;

        assert_true(sd_event_new(&event) >= 0);
        talk_event = event;
        /* nobody there: the connect object is gone when the answer is given */
        ConnectPolicy policy = {.addr = loopback(closed_port())};
        assert_int_equal(talk_new(event, -EBADF, &policy, GREETING_TLS, SEC, on_talk, &a, &t), 0);
        assert_int_equal(sd_event_loop(event), 0);
        assert_false(a.connected);
        assert_int_equal(a.kind, SERVICE_UNKNOWN);
        assert_int_equal(a.closed, ECONNREFUSED);

        _cleanup_(sd_event_unrefp) sd_event *event2 = NULL;
        _cleanup_close_ int l = listener(&port);
        assert_true(sd_event_new(&event2) >= 0);
        talk_event = event2;
        policy.addr.port = port;
        assert_int_equal(
                talk_new(event2, -EBADF, &policy, GREETING_HTTP2, SEC / 10, on_talk, &a, &t), 0);
        assert_int_equal(sd_event_loop(event2), 0);
        assert_true(a.connected);
        assert_int_equal(a.kind, SERVICE_UNKNOWN);
        assert_int_equal(a.size, 0);
        assert_true(a.stream_known);
        assert_int_equal(a.stream.unsent, 0);
}

/* --- a whole examination -------------------------------------------------------------------------
 */

typedef struct Told {
        sd_event *event;
        bool free_inside;
        unsigned n;
        Verdict verdict;
        ProbeConfidence confidence;
        Versions head;
        char sentence[512];
        size_t n_steps;
} Told;

static void on_report(Probe *p, const ProbeReport *r, void *userdata)
{
        Told *t = userdata;
        t->n++;
        t->verdict = r->verdict;
        t->confidence = r->confidence;
        t->head = r->head;
        t->n_steps = r->n_steps;
        (void)snprintf(t->sentence, sizeof(t->sentence), "%s", strna(r->sentence));
        if (t->free_inside)
                probe_free(p);
        sd_event_exit(t->event, 0);
}

static void probe_once(ProbeRequest request, bool free_inside, Told *ret)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Probe *p;
        usec_t begin = now_mono();

        assert_true(sd_event_new(&event) >= 0);
        *ret = (Told){.event = event, .free_inside = free_inside};
        assert_int_equal(probe_new(event, &request, on_report, ret, &p), 0);
        assert_int_equal(ret->n, 0);
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(ret->n, 1);
        assert_true(now_mono() - begin < 10 * SEC);
        if (!free_inside)
                probe_free(p);
}

static void test_probe_refused(void **state)
{
        Told t;
        Addr a = loopback(0);
        uint16_t port = closed_port();
        char want[200];

        probe_once((ProbeRequest){.host = "127.0.0.1", .port = port}, false, &t);
        assert_int_equal(t.verdict, VERDICT_PORT_CLOSED);
        assert_int_equal(t.confidence, PROBE_PROVEN);
        assert_int_equal(t.n_steps, 2);
        (void)snprintf(want, sizeof(want),
                       "head 127.0.0.1 answers on port %u with a refusal: Ray is not running there",
                       port);
        assert_string_equal(t.sentence, want);
        /* resolved already: the name is for the words */
        probe_once((ProbeRequest){.host = "compute04", .port = port, .addr = &a}, true, &t);
        assert_int_equal(t.verdict, VERDICT_NAME_IS_LOOPBACK);
        assert_non_null(strstr(t.sentence, "compute04 (127.0.0.1)"));
}

static void test_probe_deadline(void **state)
{
        uint16_t port;
        _cleanup_close_ int l = listener(&port); /* accepts and says nothing */
        Told t;
        usec_t begin = now_mono();

        probe_once((ProbeRequest){.host = "127.0.0.1", .port = port, .deadline = SEC / 5}, true,
                   &t);
        assert_int_equal(t.verdict, VERDICT_INCONCLUSIVE);
        assert_true(now_mono() - begin < 2 * SEC);
}

static void test_probe_bad_request(void **state)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        char name[400];
        Probe *p;
        ProbeRequest q = {.host = "127.0.0.1"};

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(probe_new(event, &q, on_report, NULL, &p), -EINVAL); /* no port */
        q = (ProbeRequest){.port = 1};
        assert_int_equal(probe_new(event, &q, on_report, NULL, &p), -EINVAL); /* no host */
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        q = (ProbeRequest){.host = name, .port = 1};
        assert_int_equal(probe_new(event, &q, on_report, NULL, &p), -ENAMETOOLONG);
}

/* Freed while it works, at any moment: nothing is told, nothing is left. */
static void test_probe_freed_early(void **state)
{
        uint16_t port;
        _cleanup_close_ int l = listener(&port);
        for (unsigned turns = 0; turns < 12; turns++) {
                _cleanup_(sd_event_unrefp) sd_event *event = NULL;
                Told t = {0};
                Probe *p;
                ProbeRequest q = {.host = "127.0.0.1", .port = port};
                assert_true(sd_event_new(&event) >= 0);
                assert_int_equal(probe_new(event, &q, on_report, &t, &p), 0);
                for (unsigned i = 0; i < turns; i++)
                        assert_true(sd_event_run(event, 1000) >= 0);
                probe_free(p);
                assert_int_equal(t.n, 0);
        }
}

/* --- against the fake GCS ------------------------------------------------------------------------
 */

typedef struct Fake {
        pid_t pid;
        uint16_t port;
} Fake;

static Fake fake_start(const char *const *args)
{
        int pipefd[2];
        Fake f = {0};
        const char *argv[12] = {TEST_BUILD "/tests/fake/fake-gcs"};
        for (size_t i = 0; args[i]; i++)
                argv[i + 1] = args[i];

        assert_int_equal(pipe(pipefd), 0);
        f.pid = fork();
        assert_true(f.pid >= 0);
        if (f.pid == 0) {
                (void)dup2(pipefd[1], STDOUT_FILENO);
                close(pipefd[0]);
                execv(argv[0], (char *const *)argv);
                _exit(127);
        }
        close(pipefd[1]);
        FILE *in = fdopen(pipefd[0], "r");
        assert_non_null(in);
        unsigned port = 0;
        assert_int_equal(fscanf(in, "port %u", &port), 1);
        fclose(in);
        f.port = (uint16_t)port;
        return f;
}

static void fake_stop(Fake *f)
{
        assert_int_equal(kill(f->pid, SIGKILL), 0);
        assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
}

static void probe_fake(const char *mode, const char *want_token, ProbeRequest q, Told *ret)
{
        const char *args[] = {"--mode", mode, want_token ? "--token" : NULL, want_token, NULL};
        Fake f = fake_start(args);
        q.host = "127.0.0.1";
        q.port = f.port;
        probe_once(q, true, ret);
        fake_stop(&f);
}

static void test_gcs(void **state)
{
        Told t;

        probe_fake("healthy", NULL, (ProbeRequest){0}, &t);
        assert_int_equal(t.verdict, VERDICT_OK);
        assert_string_equal(t.head.ray, "2.60.0");
        assert_string_equal(t.head.python, "3.11.2");

        probe_fake("healthy", "secret", (ProbeRequest){0}, &t);
        assert_int_equal(t.verdict, VERDICT_TOKEN_REQUIRED);
        probe_fake("healthy", "secret", (ProbeRequest){.token = "other"}, &t);
        assert_int_equal(t.verdict, VERDICT_TOKEN_WRONG);
        probe_fake("healthy", "secret", (ProbeRequest){.token = "secret"}, &t);
        assert_int_equal(t.verdict, VERDICT_OK);

        probe_fake("healthy", NULL, (ProbeRequest){.here = {.ray = "2.60.0", .python = "3.11.2"}},
                   &t);
        assert_int_equal(t.verdict, VERDICT_OK);
        probe_fake("healthy", NULL, (ProbeRequest){.here = {.ray = "2.59.0"}}, &t);
        assert_int_equal(t.verdict, VERDICT_VERSION_MISMATCH);
        assert_non_null(strstr(t.sentence, "2.59.0"));
        /* engines side by side: the head's must be among them */
        Versions engines[] = {{.ray = "2.61.0"}, {.ray = "2.60.0", .python = "3.11"}};
        probe_fake("healthy", NULL, (ProbeRequest){.engines = engines, .n_engines = 2}, &t);
        assert_int_equal(t.verdict, VERDICT_OK);
        probe_fake("healthy", NULL, (ProbeRequest){.engines = engines, .n_engines = 1}, &t);
        assert_int_equal(t.verdict, VERDICT_VERSION_MISMATCH);
        assert_non_null(strstr(t.sentence, "2.61.0"));
        strcpy(engines[1].python, "3.1"); /* no part of 3.11 */
        probe_fake("healthy", NULL, (ProbeRequest){.engines = engines, .n_engines = 2}, &t);
        assert_int_equal(t.verdict, VERDICT_VERSION_MISMATCH);
        assert_non_null(strstr(t.sentence, "this machine has Python 3.1:"));

        probe_fake("healthy", NULL, (ProbeRequest){.here = {.python = "3.11.7"}}, &t);
        assert_int_equal(t.verdict, VERDICT_VERSION_MISMATCH);
        assert_non_null(strstr(t.sentence, "3.11.7"));
}

/* Peers that lie, flood, drip and hang up at every step: a verdict, in time, and never OK. */
static void test_hostile(void **state)
{
        static const struct {
                const char *mode;
                Verdict verdict;
        } rows[] = {
                {"garbage", VERDICT_NOT_RAY},
                {"zeros", VERDICT_NOT_RAY},
                {"http1", VERDICT_NOT_RAY},
                {"ssh", VERDICT_NOT_RAY},
                {"redis", VERDICT_NOT_RAY},
                {"eof", VERDICT_CLOSED_AFTER_ACCEPT},
                {"eof-later", VERDICT_CLOSED_AFTER_ACCEPT},
                {"rst-later", VERDICT_CLOSED_AFTER_ACCEPT},
                {"goaway", VERDICT_CLOSED_AFTER_ACCEPT},
                {"half-header", VERDICT_SERVICE_FROZEN},
                {"mute", VERDICT_SERVICE_FROZEN},
                {"silent", VERDICT_SERVICE_FROZEN},
                {"cut", VERDICT_CLOSED_AFTER_ACCEPT},
                {"status-12", VERDICT_NOT_RAY},
                {"status-16:WrongClusterID: x", VERDICT_WRONG_CLUSTER},
                {"status-16:InvalidAuthToken: x", VERDICT_TOKEN_REQUIRED},
                {"status-16:something else", VERDICT_INCONCLUSIVE},
                {"http-503", VERDICT_NOT_RAY},
                {"html", VERDICT_NOT_RAY},
                {"no-status", VERDICT_NOT_RAY},
                {"two-messages", VERDICT_NOT_RAY},
                {"compressed", VERDICT_NOT_RAY},
                {"huge", VERDICT_NOT_RAY},
                {"long", VERDICT_NOT_RAY},
                {"flood", VERDICT_NOT_RAY},
                {"headers", VERDICT_NOT_RAY},
                {"bad-proto", VERDICT_NOT_RAY},
                {"codes", VERDICT_INCONCLUSIVE},
                {"drip", VERDICT_INCONCLUSIVE},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Told t;
                probe_fake(rows[i].mode, NULL, (ProbeRequest){0}, &t);
                if (t.verdict != rows[i].verdict)
                        fail_msg("%s: %s: %s", rows[i].mode, verdict_to_string(t.verdict),
                                 t.sentence);
        }
}

static void test_tables(void **state)
{
        for (ProbeConfidence c = 0; c < _PROBE_CONFIDENCE_MAX; c++)
                assert_int_equal(probe_confidence_from_string(probe_confidence_to_string(c)), c);
        for (ProbeDirection d = 0; d < _PROBE_DIRECTION_MAX; d++)
                assert_int_equal(probe_direction_from_string(probe_direction_to_string(d)), d);
        for (ProbePlace p = 0; p < _PROBE_PLACE_MAX; p++)
                assert_int_equal(probe_place_from_string(probe_place_to_string(p)), p);
}

/* Every stage may end it all, has words for who waits, and nothing comes after the end. */
static void test_stages(void **state)
{
        for (ProbeState i = 0; i < _PROBE_STATE_MAX; i++) {
                assert_int_equal(probe_state_may(i, PROBE_DONE), i != PROBE_DONE);
                assert_false(probe_state_may(PROBE_DONE, i));
                assert_false(probe_state_may(i, PROBE_NAMING));
                if (i != PROBE_GREETING) /* tells its own steps */
                        assert_true(!isempty(probe_state_doing(i)));
        }
        assert_true(probe_state_may(PROBE_NAMING, PROBE_MEETING));
        assert_true(probe_state_may(PROBE_CONNECTING, PROBE_LOOKING));
        assert_false(probe_state_may(PROBE_CONNECTING, PROBE_RETURNING)); /* nothing serves yet */
        assert_false(probe_state_may(PROBE_RETURNING, PROBE_CONNECTING));
}

int main(void)
{
        (void)signal(SIGPIPE, SIG_IGN);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stages),
                cmocka_unit_test(test_sock_refused),
                cmocka_unit_test(test_sock_established),
                cmocka_unit_test(test_sock_at_once),
                cmocka_unit_test(test_udp),
                cmocka_unit_test(test_talk),
                cmocka_unit_test(test_probe_refused),
                cmocka_unit_test(test_probe_deadline),
                cmocka_unit_test(test_probe_bad_request),
                cmocka_unit_test(test_probe_freed_early),
                cmocka_unit_test(test_gcs),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_tables),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
