/* The server of a two-way test against clients that know the code, and against those that do not,
 * drip, stay silent, guess, replay and shout. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "reflect/serve.h"
#include "sys/listen.h"
#include "sys/mac.h"

typedef struct World {
        sd_event *event;
        ServePolicy policy;
        Serve *serve;
        uint16_t port;
        char lines[4096];
        bool ended;
        ServeEnd why;
} World;

typedef struct Client {
        int fd;
        Session session;
        Buf in, out;
        bool closed;
        ReflectBye bye; /* _REFLECT_BYE_MAX: none came */
        ReflectReply reply;
        unsigned n_replies;
} Client;

/* --- the server ---------------------------------------------------------------------------------
 */

static void on_line(const Addr *peer, const char *text, void *userdata)
{
        World *w = userdata;
        char addr[ADDR_MAX];
        size_t n = strlen(w->lines);

        (void)snprintf(w->lines + n, sizeof(w->lines) - n, "%s: %s\n", addr_format(addr, peer),
                       text);
}

static void on_end(Serve *s, ServeEnd why, void *userdata)
{
        World *w = userdata;

        assert_false(w->ended);
        w->ended = true;
        w->why = why;
}

static int setup(void **state)
{
        World *w = new0(World, 1);
        if (!w || sd_event_new(&w->event) < 0)
                return -1;
        w->policy.code = (ReflectCode){.secret = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, .port = 6388};
        w->policy.reflect.back =
                (BackPolicy){.ports = {{1, 65535}}, .n_ports = 1, .own = true, .claimed = true};
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;

        serve_free(w->serve);
        sd_event_unref(w->event);
        free(w);
        return 0;
}

static void serve(World *w)
{
        static const ServeOps ops = {.on_line = on_line, .on_end = on_end};
        SockAddr sa;
        socklen_t len = sizeof(sa);
        Addr a;
        int fd;

        assert_int_equal(tcp_listen(0, 64, &fd), 0);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &a), 0);
        w->port = a.port;
        assert_int_equal(serve_new(w->event, fd, &w->policy, &ops, w, &w->serve), 0);
}

/* --- clients ------------------------------------------------------------------------------------
 */

/* from: a loopback address to come from, or NULL. -errno when nobody listens. */
static int client_connect(World *w, Client *c, const ReflectCode *code, const char *from)
{
        SockAddr sa;
        Addr a = {0};

        *c = (Client){.bye = _REFLECT_BYE_MAX};
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(c->fd >= 0);
        assert_int_equal(addr_parse(from ? from : "127.0.0.1", &a), 0);
        socklen_t len = addr_to_sockaddr(&a, &sa);
        assert_int_equal(bind(c->fd, &sa.sa, len), 0);
        assert_int_equal(addr_parse("127.0.0.1", &a), 0);
        a.port = w->port;
        len = addr_to_sockaddr(&a, &sa);
        if (connect(c->fd, &sa.sa, len) < 0) {
                int r = -errno;
                c->fd = safe_close(c->fd);
                return r;
        }
        assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(session_init(&c->session, SESSION_CLIENT, code), 0);
        assert_int_equal(session_hello(&c->session, &c->out), 0);
        return 0;
}

static void client_done(Client *c)
{
        c->fd = safe_close(c->fd);
        session_done(&c->session);
        buf_done(&c->in);
        buf_done(&c->out);
}

static void client_ask(Client *c, const ReflectRequest *q)
{
        _cleanup_buf_ Buf body = {0};

        assert_int_equal(reflect_encode_request(&body, q), 0);
        assert_int_equal(session_seal(&c->session, &c->out, buf_data(&body), buf_size(&body)), 0);
}

static void client_hear(Client *c)
{
        SessionWord w = {.event = SESSION_HELLO};

        while (w.event != SESSION_MORE) {
                assert_int_equal(session_next(&c->session, &c->in, &w), 0);
                if (w.event == SESSION_BYE)
                        c->bye = w.bye;
                if (w.event != SESSION_BODY)
                        continue;
                assert_int_equal(reflect_decode_reply(w.body, w.body_size, &c->reply), 0);
                c->n_replies++;
        }
}

/* What the socket takes and gives just now. */
static void client_move(Client *c)
{
        uint8_t data[8192];

        while (c->fd >= 0 && buf_size(&c->out) > 0) {
                ssize_t n = send(c->fd, buf_data(&c->out), buf_size(&c->out), MSG_NOSIGNAL);
                if (n <= 0)
                        break;
                buf_consume(&c->out, (size_t)n);
        }
        for (;;) {
                ssize_t n = c->fd >= 0 ? recv(c->fd, data, sizeof(data), 0) : 0;
                if (n > 0) {
                        assert_int_equal(buf_append(&c->in, data, (size_t)n), 0);
                        client_hear(c);
                        continue;
                }
                c->closed = c->closed || n == 0 || (errno != EAGAIN && errno != EINTR);
                return;
        }
}

#define UNTIL(w, c, cond)                                                                          \
        do {                                                                                       \
                usec_t _end = now_mono() + 20 * USEC_PER_SEC;                                      \
                for (;;) {                                                                         \
                        client_move(c);                                                            \
                        if (cond)                                                                  \
                                break;                                                             \
                        assert_true(now_mono() < _end);                                            \
                        assert_true(sd_event_run((w)->event, 10 * USEC_PER_MSEC) >= 0);            \
                }                                                                                  \
        } while (0)

/* The server's side of what was already sent. */
static void settle(World *w)
{
        while (sd_event_run(w->event, 0) > 0)
                ;
}

static const ReflectReply *asked(World *w, Client *c, const ReflectRequest *q)
{
        unsigned n = c->n_replies;

        client_ask(c, q);
        UNTIL(w, c, c->n_replies > n);
        return &c->reply;
}

static void greet(World *w, Client *c, const char *from)
{
        assert_int_equal(client_connect(w, c, &w->policy.code, from), 0);
        UNTIL(w, c, c->session.greeted);
}

static const ReflectRequest begin_request = {.kind = REFLECT_BEGIN};

/* --- those that know the code -------------------------------------------------------------------
 */

static int on_peer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        const ReflectRequest *q = userdata;

        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(c >= 0);
        assert_int_equal(send(c, q->nonce, sizeof(q->nonce), 0), sizeof(q->nonce));
        close(c);
        return 0;
}

static void test_talk(void **state)
{
        World *w = *state;
        ReflectRequest q = {.kind = REFLECT_BACK, .has_nonce = true, .n_back = 1};
        const ReflectReply *p;
        Client c;

        serve(w);
        greet(w, &c, NULL);
        p = asked(w, &c, &begin_request);
        assert_int_equal(p->refusal, REFLECT_NONE);
        assert_int_equal(p->observed.family, AF_INET); /* not in IPv6's clothes */
        assert_int_equal(p->local.port, w->port);
        assert_true(p->t2_usec > 0 && p->t3_usec >= p->t2_usec);
        assert_true(strlen(p->hostname) > 0);

        p = asked(w, &c, &(ReflectRequest){.kind = REFLECT_DOWN, .bulk = REFLECT_BULK_MAX});
        assert_int_equal(p->filler, REFLECT_BULK_MAX);
        p = asked(w, &c, &(ReflectRequest){.kind = REFLECT_UP, .filler = REFLECT_BULK_MAX});
        assert_int_equal(p->received, REFLECT_BULK_MAX);
        p = asked(w, &c, &(ReflectRequest){.kind = REFLECT_LOOK, .port = w->port});
        assert_true(p->port.known && p->port.listening && !p->port.loopback_only);
        assert_true(p->rise.known);

        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *io = NULL;
        _cleanup_close_ int fd = -EBADF;
        SockAddr sa;
        socklen_t len = sizeof(sa);
        Addr a;
        assert_int_equal(random_bytes(q.nonce, sizeof(q.nonce)), 0);
        assert_int_equal(tcp_listen(0, 4, &fd), 0);
        assert_true(sd_event_add_io(w->event, &io, fd, EPOLLIN, on_peer, &q) >= 0);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &a), 0);
        q.back[0] = (ReflectBackPort){.port = a.port, .nonce = true};
        p = asked(w, &c, &q);
        assert_int_equal(p->n_back, 1);
        assert_int_equal(p->back[0].result, BACK_NONCE_OK);
        assert_int_equal(p->back[0].addr.port, a.port);
        /* too soon for another one */
        p = asked(w, &c, &q);
        assert_int_equal(p->refusal, REFLECT_RATE);
        assert_true(p->retry > 0 && p->retry <= BACK_INTERVAL);

        assert_string_equal(w->lines, "127.0.0.1: knows the code\n"
                                      "127.0.0.1: connected back: 1 nonce-ok\n");
        assert_int_equal(serve_n_connections(w->serve), 1);
        client_done(&c);
        settle(w);
        assert_int_equal(serve_n_connections(w->serve), 0);
}

/* Several requests in one breath, the second of which has to wait for a test. */
static void test_pipeline(void **state)
{
        World *w = *state;
        ReflectRequest q = {.kind = REFLECT_BACK, .n_back = 1, .back = {{1, false}}};
        Client c;

        serve(w);
        greet(w, &c, NULL);
        client_ask(&c, &begin_request);
        client_ask(&c, &q);
        client_ask(&c, &(ReflectRequest){.kind = REFLECT_UP, .filler = 17});
        UNTIL(w, &c, c.n_replies == 3);
        assert_int_equal(c.reply.received, 17);
        client_done(&c);
}

/* Gone in the middle of a test. */
static void test_gone(void **state)
{
        World *w = *state;
        ReflectRequest q = {.kind = REFLECT_BACK, .n_back = 1, .back = {{1, false}}};
        Client c;

        serve(w);
        greet(w, &c, NULL);
        client_ask(&c, &q);
        client_move(&c);
        client_done(&c);
        settle(w);
        assert_int_equal(serve_n_connections(w->serve), 0);
        greet(w, &c, "127.0.0.2");
        assert_int_equal(asked(w, &c, &q)->back[0].result, BACK_REFUSED);
        client_done(&c);
}

static void test_nonsense(void **state)
{
        World *w = *state;
        Client c;

        /* sealed, but no request: told so, and the talk goes on */
        serve(w);
        greet(w, &c, NULL);
        assert_int_equal(session_seal(&c.session, &c.out, "\xff\xff\xff", 3), 0);
        UNTIL(w, &c, c.n_replies == 1);
        assert_int_equal(c.reply.refusal, REFLECT_BAD);
        ReflectRequest q = {.kind = REFLECT_BEGIN, .version = 9};
        assert_int_equal(asked(w, &c, &q)->refusal, REFLECT_VERSIONS);
        assert_int_equal(asked(w, &c, &begin_request)->refusal, REFLECT_NONE);
        client_done(&c);
}

/* --- those that do not --------------------------------------------------------------------------
 */

static void test_guessing(void **state)
{
        World *w = *state;
        ReflectCode wrong = w->policy.code;
        Client c, good;

        serve(w);
        greet(w, &good, "127.0.0.3");
        (void)asked(w, &good, &begin_request);
        for (unsigned i = 0; i < SERVE_TRIES_MAX; i++) {
                assert_false(w->ended);
                wrong.secret[0]++;
                assert_int_equal(client_connect(w, &c, &wrong, NULL), 0);
                UNTIL(w, &c, c.session.greeted);
                client_ask(&c, &begin_request);
                UNTIL(w, &c, c.closed);
                assert_int_equal(c.bye, REFLECT_BYE_CODE);
                assert_int_equal(c.n_replies, 0);
                client_done(&c);
        }
        /* over, for all */
        UNTIL(w, &good, good.closed && w->ended);
        assert_int_equal(good.bye, REFLECT_BYE_OVER);
        assert_int_equal(w->why, SERVE_END_TRIES);
        client_done(&good);
        assert_int_equal(client_connect(w, &c, &w->policy.code, NULL), -ECONNREFUSED);
        assert_non_null(strstr(w->lines, "127.0.0.1: tried a wrong code (5 of 5)\n"));
}

/* To greet and go is no guess: whoever scans ports does not end the test. */
static void test_scanned(void **state)
{
        World *w = *state;
        Client c;

        serve(w);
        for (unsigned i = 0; i < 2 * SERVE_TRIES_MAX; i++) {
                greet(w, &c, NULL);
                client_done(&c);
                settle(w);
        }
        greet(w, &c, NULL);
        assert_int_equal(asked(w, &c, &begin_request)->refusal, REFLECT_NONE);
        client_done(&c);
}

static void test_replay(void **state)
{
        _cleanup_buf_ Buf recorded = {0};
        World *w = *state;
        Client c, d;

        serve(w);
        greet(w, &c, NULL);
        client_ask(&c, &begin_request);
        assert_int_equal(buf_append(&recorded, buf_data(&c.out), buf_size(&c.out)), 0);
        UNTIL(w, &c, c.n_replies == 1);

        /* in another connection it is somebody's wrong code */
        greet(w, &d, NULL);
        assert_int_equal(buf_append(&d.out, buf_data(&recorded), buf_size(&recorded)), 0);
        UNTIL(w, &d, d.closed);
        assert_int_equal(d.bye, REFLECT_BYE_CODE);
        client_done(&d);

        /* in its own it is out of turn, and no try */
        assert_int_equal(buf_append(&c.out, buf_data(&recorded), buf_size(&recorded)), 0);
        UNTIL(w, &c, c.closed);
        assert_int_equal(c.bye, REFLECT_BYE_BAD);
        assert_int_equal(c.n_replies, 1);
        client_done(&c);
        assert_null(strstr(w->lines, "2 of 5"));
}

static void shout(World *w, const void *data, size_t size, ReflectBye bye)
{
        Client c;

        assert_int_equal(client_connect(w, &c, &w->policy.code, NULL), 0);
        buf_done(&c.out);
        assert_int_equal(buf_append(&c.out, data, size), 0);
        UNTIL(w, &c, c.closed);
        assert_int_equal(c.bye, bye);
        client_done(&c);
}

static void test_garbage(void **state)
{
        static const char later[] = "\0\0\0\x2brayprobe\0\x09"
                                    "0123456789abcdef0123456789abcdef";
        World *w = *state;
        _cleanup_free_ uint8_t *much = new0(uint8_t, 4 << 20);

        assert_non_null(much);
        serve(w);
        shout(w, "GET / HTTP/1.1\r\n\r\n", 18, REFLECT_BYE_BAD);
        shout(w, "\x16\x03\x01\x02\x00\x01\x00\x01", 8, REFLECT_BYE_BAD); /* TLS */
        shout(w, "\0\x02\0\x01\x02", 5, REFLECT_BYE_BAD); /* a frame of 128 KiB and a byte */
        memcpy(much, "\0\0\0\x29\x02", 5);
        shout(w, much, 4 + 0x29, REFLECT_BYE_BAD); /* sealed, not greeted */
        uint8_t hello[47];
        memcpy(hello, "\0\0\0\x2b\x01", 5);
        memcpy(hello + 5, later + 4, 42);
        shout(w, hello, sizeof(hello), REFLECT_BYE_VERSION);
        memset(much, 'A', 4 << 20);
        shout(w, much, 4 << 20, REFLECT_BYE_BAD);
        assert_string_equal(w->lines, "");
        settle(w);
        assert_int_equal(serve_n_connections(w->serve), 0);
}

/* A byte now and then keeps nobody's connection open. */
static void test_drip(void **state)
{
        World *w = *state;
        Client c;
        unsigned n = 0;

        w->policy.proof_deadline = 300 * USEC_PER_MSEC;
        serve(w);
        assert_int_equal(client_connect(w, &c, &w->policy.code, NULL), 0);
        _cleanup_buf_ Buf drops = c.out;
        c.out = (Buf){0};
        usec_t end = now_mono() + 20 * USEC_PER_SEC, begin = now_mono();
        while (!c.closed && now_mono() < end) {
                if (c.bye == _REFLECT_BYE_MAX && buf_size(&drops) > 1) {
                        assert_int_equal(buf_append(&c.out, buf_data(&drops), 1), 0);
                        buf_consume(&drops, 1);
                        n++;
                }
                client_move(&c);
                assert_true(sd_event_run(w->event, 20 * USEC_PER_MSEC) >= 0);
        }
        assert_true(c.closed && n > 2);
        assert_int_equal(c.bye, REFLECT_BYE_SLOW);
        assert_true(now_mono() - begin >= 300 * USEC_PER_MSEC);
        client_done(&c);
}

/* The same of one that knows the code and then only begins to ask. */
static void test_slow_request(void **state)
{
        World *w = *state;
        Client c;

        w->policy.request_deadline = 100 * USEC_PER_MSEC;
        serve(w);
        greet(w, &c, NULL);
        (void)asked(w, &c, &begin_request);
        client_ask(&c, &begin_request);
        c.out.end--;
        UNTIL(w, &c, c.closed);
        assert_int_equal(c.bye, REFLECT_BYE_SLOW);
        client_done(&c);
}

/* Strangers that only connect make room for who knows the code. */
static void test_crowd(void **state)
{
        World *w = *state;
        Client silent[SERVE_CONNECTIONS_MAX + 4], good, known[SERVE_CONNECTIONS_MAX];

        serve(w);
        greet(w, &good, NULL);
        (void)asked(w, &good, &begin_request);
        for (unsigned i = 0; i < ELEMENTSOF(silent); i++) {
                assert_int_equal(client_connect(w, &silent[i], &w->policy.code, NULL), 0);
                settle(w);
                assert_true(serve_n_connections(w->serve) <= SERVE_CONNECTIONS_MAX);
        }
        assert_int_equal(serve_n_connections(w->serve), SERVE_CONNECTIONS_MAX);
        /* the oldest are gone, the youngest still there, and the one that is known */
        UNTIL(w, &silent[0], silent[0].closed);
        client_move(&silent[ELEMENTSOF(silent) - 1]);
        assert_false(silent[ELEMENTSOF(silent) - 1].closed);
        assert_int_equal(asked(w, &good, &begin_request)->refusal, REFLECT_NONE);

        known[0] = good;
        for (unsigned i = 1; i < SERVE_CONNECTIONS_MAX; i++) {
                greet(w, &known[i], NULL);
                (void)asked(w, &known[i], &begin_request);
        }
        /* now all are known: the next one is told so */
        Client late;
        assert_int_equal(client_connect(w, &late, &w->policy.code, NULL), 0);
        UNTIL(w, &late, late.closed);
        assert_int_equal(late.bye, REFLECT_BYE_BUSY);
        client_done(&late);
        for (unsigned i = 0; i < SERVE_CONNECTIONS_MAX; i++)
                client_done(&known[i]);
        for (unsigned i = 0; i < ELEMENTSOF(silent); i++)
                client_done(&silent[i]);
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void test_expired(void **state)
{
        World *w = *state;
        Client c;

        w->policy.lifetime = 1;
        serve(w);
        /* in the kernel's queue before the clock is looked at */
        assert_int_equal(client_connect(w, &c, &w->policy.code, NULL), 0);
        UNTIL(w, &c, w->ended);
        assert_int_equal(w->why, SERVE_END_TIME);
        client_done(&c);
        assert_int_equal(client_connect(w, &c, &w->policy.code, NULL), -ECONNREFUSED);
}

static void test_expires(void **state)
{
        World *w = *state;
        Client c;

        w->policy.lifetime = 400 * USEC_PER_MSEC;
        serve(w);
        greet(w, &c, NULL);
        (void)asked(w, &c, &begin_request);
        UNTIL(w, &c, c.closed);
        assert_int_equal(c.bye, REFLECT_BYE_OVER);
        UNTIL(w, &c, w->ended);
        assert_int_equal(w->why, SERVE_END_TIME);
        client_done(&c);
}

/* Freed with a stranger, one that asks and one whose test runs. */
static void test_freed(void **state)
{
        World *w = *state;
        ReflectRequest q = {.kind = REFLECT_BACK, .n_back = 1, .back = {{1, false}}};
        Client a, b, c;

        serve(w);
        greet(w, &a, NULL);
        greet(w, &b, NULL);
        (void)asked(w, &b, &begin_request);
        greet(w, &c, NULL);
        (void)asked(w, &c, &begin_request);
        assert_string_equal(w->lines, "127.0.0.1: knows the code\n"); /* once for both */
        client_ask(&c, &q);
        client_move(&c);
        w->serve = serve_free(w->serve);
        client_done(&a);
        client_done(&b);
        client_done(&c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_talk),         TEST(test_pipeline), TEST(test_gone),
                TEST(test_nonsense),     TEST(test_guessing), TEST(test_scanned),
                TEST(test_replay),       TEST(test_garbage),  TEST(test_drip),
                TEST(test_slow_request), TEST(test_crowd),    TEST(test_expired),
                TEST(test_expires),      TEST(test_freed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
