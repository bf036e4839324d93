/* HTTP/2 and the unary call, against a server written byte by byte. */
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "sys/grpc-call.h"
#include "wire/grpc.h"

typedef struct Fixture {
        sd_event *event;
        H2 *h;
        int server;
        H2Phase phases[16];
        size_t n_phases;
        GrpcCall *call;
        unsigned n_done;
        GrpcOutcome outcome;
        int error, status, http_status;
        char text[256];
        size_t size;
} Fixture;

static void on_phase(H2 *h, H2Phase before, H2Phase now, void *userdata)
{
        Fixture *f = userdata;

        assert_true(f->n_phases < ELEMENTSOF(f->phases));
        assert_int_equal(before, f->n_phases ? f->phases[f->n_phases - 1] : H2_CONNECTING);
        f->phases[f->n_phases++] = now;
}

static void start(Fixture *f)
{
        int fds[2];

        *f = (Fixture){0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         0);
        f->server = fds[1];
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(
                h2_new_fd(f->event, fds[0], "test", &(H2Ops){.on_phase = on_phase}, f, &f->h), 0);
}

static void stop(Fixture *f)
{
        grpc_call_free(f->call);
        h2_free(f->h);
        if (f->server >= 0)
                (void)close(f->server);
        sd_event_unref(f->event);
}

static void turn(Fixture *f)
{
        while (sd_event_run(f->event, 20 * USEC_PER_MSEC) > 0)
                ;
}

static void say(Fixture *f, const void *data, size_t n)
{
        assert_int_equal(send(f->server, data, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void put_frame(Buf *b, uint8_t type, uint8_t flags, uint32_t id, const void *data, size_t n)
{
        uint8_t head[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags};

        id = htonl(id);
        memcpy(head + 5, &id, 4);
        assert_int_equal(buf_append(b, head, sizeof(head)), 0);
        assert_int_equal(buf_append(b, data, n), 0);
}

static void say_frame(Fixture *f, uint8_t type, uint8_t flags, uint32_t id, const void *data,
                      size_t n)
{
        _cleanup_buf_ Buf b = {0};

        put_frame(&b, type, flags, id, data, n);
        say(f, buf_data(&b), buf_size(&b));
}

enum { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, CONTINUATION = 9 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* HPACK without indexing; a value of up to 126 + 2^14 bytes. */
static void put_header(Buf *b, const char *name, const char *value)
{
        size_t n = strlen(value);
        uint8_t head[] = {0, (uint8_t)strlen(name)}, small = (uint8_t)n;

        assert_int_equal(buf_append(b, head, 2), 0);
        assert_int_equal(buf_append(b, name, strlen(name)), 0);
        if (n < 127)
                assert_int_equal(buf_append(b, &small, 1), 0);
        else {
                uint8_t big[4] = {0x7f};
                size_t k = 1;
                for (n -= 127; n >= 128; n >>= 7)
                        big[k++] = (uint8_t)(n | 0x80);
                big[k++] = (uint8_t)n;
                assert_int_equal(buf_append(b, big, k), 0);
        }
        assert_int_equal(buf_append(b, value, strlen(value)), 0);
}

static const uint8_t status_200 = 0x88;

static void say_headers(Fixture *f, uint8_t flags, const char *const *pairs)
{
        _cleanup_buf_ Buf b = {0};

        assert_int_equal(buf_append(&b, &status_200, 1), 0);
        for (; pairs && pairs[0]; pairs += 2)
                put_header(&b, pairs[0], pairs[1]);
        say_frame(f, HEADERS, flags | END_HEADERS, 1, buf_data(&b), buf_size(&b));
}

static void say_trailers(Fixture *f, const char *const *pairs)
{
        _cleanup_buf_ Buf b = {0};

        for (; pairs[0]; pairs += 2)
                put_header(&b, pairs[0], pairs[1]);
        say_frame(f, HEADERS, END_STREAM | END_HEADERS, 1, buf_data(&b), buf_size(&b));
}

static void on_done(GrpcCall *call, const GrpcResult *r, void *userdata)
{
        Fixture *f = userdata;

        assert_ptr_equal(call, f->call);
        f->n_done++;
        f->outcome = r->outcome;
        f->error = r->error;
        f->status = r->status;
        f->http_status = r->http_status;
        f->size = r->size;
        (void)snprintf(f->text, sizeof(f->text), "%s", r->text);
}

static void call(Fixture *f, usec_t timeout)
{
        assert_int_equal(
                grpc_call_new(
                        f->event, f->h,
                        &(GrpcRequest){.path = "/a.B/C", .timeout = timeout, .reply_max = 1000},
                        on_done, f, &f->call),
                0);
        assert_int_equal(f->n_done, 0);
}

#define GRPC                                                                                       \
        (const char *[])                                                                           \
        {                                                                                          \
                "content-type", "application/grpc", NULL                                           \
        }
#define LONG (3600 * USEC_PER_SEC)

static void expect_phases(const Fixture *f, size_t n, const H2Phase *phases)
{
        assert_int_equal(f->n_phases, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(f->phases[i], phases[i]);
}

static void test_call(void **state)
{
        Fixture f;

        start(&f);
        assert_int_equal(h2_phase(f.h), H2_CONNECTING);
        call(&f, LONG);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_headers(&f, 0, GRPC);
        say_frame(&f, DATA, 0, 1, "\0\0\0\0\2ok", 7);
        turn(&f);
        assert_int_equal(f.n_done, 0); /* no trailers yet */
        say_trailers(&f, (const char *[]){"grpc-status", "0", NULL});
        turn(&f);
        assert_int_equal(f.n_done, 1);
        assert_int_equal(f.outcome, GRPC_ANSWERED);
        assert_int_equal(f.status, 0);
        assert_int_equal(f.size, 2);
        assert_int_equal(f.http_status, 200);
        expect_phases(&f, 2, (H2Phase[]){H2_CONNECTED, H2_SERVING});
        assert_true(h2_received(f.h) > 50);
        stop(&f);
}

static void test_trailers_only(void **state)
{
        Fixture f;

        start(&f);
        call(&f, LONG);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_headers(&f, END_STREAM,
                    (const char *[]){"content-type", "application/grpc", "grpc-status", "16",
                                     "grpc-message", "Wrong%20ID", NULL});
        turn(&f);
        assert_int_equal(f.outcome, GRPC_ANSWERED);
        assert_int_equal(f.status, 16);
        assert_string_equal(f.text, "Wrong ID");
        stop(&f);
}

/* What our client says first: the preface, SETTINGS without push, and nothing secret in HPACK's
 * table (literal never added to it, 0x0 or 0x1 as the high bits). */
static void test_request(void **state)
{
        static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        uint8_t data[4096];
        Fixture f;

        start(&f);
        assert_int_equal(grpc_call_new(f.event, f.h,
                                       &(GrpcRequest){.path = "/a.B/C",
                                                      .timeout = LONG,
                                                      .token = "hush",
                                                      .cluster_id = "c1"},
                                       on_done, &f, &f.call),
                         0);
        turn(&f);
        ssize_t n = recv(f.server, data, sizeof(data), 0);
        assert_true(n > 100);
        assert_memory_equal(data, preface, strlen(preface));
        assert_int_equal(data[24 + 3], SETTINGS);
        /* name 23 of the static table: literal never indexed, and not with indexing */
        assert_non_null(memmem(data, (size_t)n, "\x1f\x08", 2));
        assert_null(memchr(data + 24, 0x57, (size_t)n - 24));
        stop(&f);

        /* what no header can carry is refused before anything is sent */
        static const char *const bad[] = {"a b", "a\r\nb", "\xc3\xa9", "\t"};
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                start(&f);
                assert_int_equal(
                        grpc_call_new(
                                f.event, f.h,
                                &(GrpcRequest){.path = "/a.B/C", .timeout = LONG, .token = bad[i]},
                                on_done, &f, &f.call),
                        -EINVAL);
                assert_null(f.call);
                stop(&f);
        }
}

static void test_header_limits(void **state)
{
        char *value = malloc(H2_HEADERS_SIZE);
        Fixture f;

        /* one long value */
        assert_non_null(value);
        memset(value, 'v', H2_HEADERS_SIZE - 1);
        value[H2_HEADERS_SIZE - 1] = 0;
        start(&f);
        call(&f, LONG);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        {
                _cleanup_buf_ Buf b = {0};
                assert_int_equal(buf_append(&b, &status_200, 1), 0);
                put_header(&b, "x", value);
                say_frame(&f, HEADERS, END_STREAM, 1, buf_data(&b), 16000);
                say_frame(&f, CONTINUATION, END_HEADERS, 1, buf_data(&b) + 16000,
                          buf_size(&b) - 16000);
        }
        turn(&f);
        assert_int_equal(f.outcome, GRPC_GARBAGE);
        assert_int_equal(f.error, -EMSGSIZE);
        stop(&f);
        free(value);

        /* many */
        for (int n = H2_HEADERS_MAX; n <= H2_HEADERS_MAX + 1; n++) {
                const char *pairs[2 * (H2_HEADERS_MAX + 2)] = {"content-type", "application/grpc",
                                                               "grpc-status", "5"};
                for (int i = 2; i < n - 1; i++)
                        pairs[2 * i] = "x", pairs[2 * i + 1] = "y";
                start(&f);
                call(&f, LONG);
                say_frame(&f, SETTINGS, 0, 0, NULL, 0);
                say_headers(&f, END_STREAM, pairs);
                turn(&f);
                assert_int_equal(f.outcome, n <= H2_HEADERS_MAX ? GRPC_ANSWERED : GRPC_GARBAGE);
                stop(&f);
        }
}

static void test_body_limit(void **state)
{
        for (size_t n = 1000; n <= 1001; n++) {
                uint8_t body[GRPC_FRAME_HEAD + 1001] = {0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n};
                Fixture f;
                start(&f);
                call(&f, LONG);
                say_frame(&f, SETTINGS, 0, 0, NULL, 0);
                say_headers(&f, 0, GRPC);
                say_frame(&f, DATA, 0, 1, body, GRPC_FRAME_HEAD + n);
                if (n == 1000) /* else it ends without: no more is taken in */
                        say_trailers(&f, (const char *[]){"grpc-status", "0", NULL});
                turn(&f);
                assert_int_equal(f.n_done, 1);
                assert_int_equal(f.outcome, n == 1000 ? GRPC_ANSWERED : GRPC_GARBAGE);
                assert_int_equal(f.error, n == 1000 ? 0 : -EMSGSIZE);
                assert_int_equal(h2_phase(f.h), H2_SERVING); /* the connection lives on */
                stop(&f);
        }
}

static void test_goaway(void **state)
{
        GrpcCall *second = NULL;
        Fixture f;

        start(&f);
        call(&f, LONG);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_frame(&f, GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
        turn(&f);
        assert_int_equal(h2_phase(f.h), H2_GOING);
        assert_int_equal(f.n_done, 0); /* ours is under the last id: it may end in order */
        assert_int_equal(grpc_call_new(f.event, f.h, &(GrpcRequest){.path = "/", .timeout = LONG},
                                       on_done, &f, &second),
                         -EPIPE);
        say_headers(&f, END_STREAM,
                    (const char *[]){"content-type", "application/grpc", "grpc-status", "5", NULL});
        turn(&f);
        assert_int_equal(f.n_done, 1);
        assert_int_equal(f.status, 5);
        assert_int_equal(h2_phase(f.h), H2_EOF);
        stop(&f);

        start(&f);
        call(&f, LONG);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_frame(&f, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\2", 8);
        turn(&f);
        assert_int_equal(f.outcome, GRPC_CLOSED);
        stop(&f);
}

static void test_reset_stream(void **state)
{
        Fixture f;

        start(&f);
        call(&f, LONG);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_frame(&f, RST, 0, 1, "\0\0\0\7", 4);
        turn(&f);
        assert_int_equal(f.outcome, GRPC_CLOSED);
        assert_int_equal(f.error, -ECONNABORTED);
        assert_int_equal(h2_phase(f.h), H2_SERVING);
        stop(&f);
}

static void test_other_protocols(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
        } cases[] = {
                {"S", 1},
                {"-ERR\r\n", 6},
                {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
                {"\x15\x03\x01\0\2\2\x46", 7}, /* a TLS alert */
                {"\0\0\0\0\0\0\0\0\0", 9},     /* a DATA frame first */
                {"\0\0\0\4\1\0\0\0\0", 9},     /* an acknowledgement of nothing */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const uint8_t *first;
                Fixture f;
                start(&f);
                call(&f, LONG);
                say(&f, cases[i].bytes, cases[i].n);
                turn(&f);
                assert_int_equal(f.n_done, 1);
                assert_int_equal(f.outcome, GRPC_NOT_HTTP2);
                assert_int_equal(h2_phase(f.h), H2_NOT_HTTP2);
                assert_int_equal(h2_first_bytes(f.h, &first), cases[i].n);
                assert_memory_equal(first, cases[i].bytes, cases[i].n);
                stop(&f);
        }
}

static void test_first_bytes_limit(void **state)
{
        char text[1000];
        const uint8_t *first;
        Fixture f;

        start(&f);
        memset(text, 'x', sizeof(text));
        say(&f, text, sizeof(text));
        turn(&f);
        assert_int_equal(h2_first_bytes(f.h, &first), H2_FIRST_BYTES_MAX);
        stop(&f);
}

/* A server that asks for acknowledgements and never reads one: bounded by nghttp2's own queue,
 * since we stop making bytes that nobody takes. */
static void test_floods(void **state)
{
        static const struct {
                uint8_t type;
                size_t n;
        } cases[] = {{PING, 8}, {SETTINGS, 0}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buf_ Buf b = {0};
                Fixture f;
                start(&f);
                call(&f, LONG);
                put_frame(&b, SETTINGS, 0, 0, NULL, 0);
                for (int k = 0; k < 200; k++)
                        put_frame(&b, cases[i].type, 0, 0, "12345678", cases[i].n);
                for (int k = 0; k < 10000 && f.n_done == 0; k++) {
                        (void)send(f.server, buf_data(&b), buf_size(&b), MSG_NOSIGNAL);
                        assert_true(sd_event_run(f.event, 0) >= 0);
                }
                turn(&f);
                assert_int_equal(f.n_done, 1);
                assert_int_equal(h2_phase(f.h), H2_BROKEN);
                assert_int_equal(f.outcome, GRPC_GARBAGE);
                stop(&f);
        }
}

static void test_eof(void **state)
{
        Fixture f;

        start(&f);
        call(&f, LONG);
        assert_int_equal(shutdown(f.server, SHUT_WR), 0);
        turn(&f);
        assert_int_equal(f.outcome, GRPC_CLOSED);
        assert_int_equal(h2_phase(f.h), H2_EOF);
        stop(&f);
}

static void test_deadline(void **state)
{
        uint8_t data[4096];
        Fixture f;

        start(&f);
        usec_t begin = now_mono();
        call(&f, 50 * USEC_PER_MSEC);
        while (f.n_done == 0)
                assert_true(sd_event_run(f.event, USEC_PER_SEC) >= 0);
        assert_true(now_mono() - begin >= 50 * USEC_PER_MSEC);
        assert_true(now_mono() - begin < USEC_PER_SEC);
        assert_int_equal(f.outcome, GRPC_TIMEOUT);
        assert_int_equal(f.error, -ETIMEDOUT);
        /* the server is told: RST_STREAM with CANCEL */
        ssize_t n = recv(f.server, data, sizeof(data), 0);
        assert_true(n > 13);
        assert_non_null(memmem(data, (size_t)n, "\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13));
        /* a late answer hurts nobody */
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_headers(&f, END_STREAM, GRPC);
        turn(&f);
        assert_int_equal(f.n_done, 1);
        assert_int_equal(h2_phase(f.h), H2_SERVING);
        stop(&f);
}

static void test_freed(void **state)
{
        Fixture f;

        /* the call first, the answer later */
        start(&f);
        call(&f, LONG);
        turn(&f);
        f.call = grpc_call_free(f.call);
        say_frame(&f, SETTINGS, 0, 0, NULL, 0);
        say_headers(&f, END_STREAM, GRPC);
        turn(&f);
        assert_int_equal(f.n_done, 0);
        stop(&f);

        /* before a byte was sent */
        start(&f);
        call(&f, LONG);
        f.call = grpc_call_free(f.call);
        turn(&f);
        stop(&f);

        /* the connection first: no callback any more */
        start(&f);
        call(&f, LONG);
        f.h = h2_free(f.h);
        turn(&f);
        assert_int_equal(f.n_done, 0);
        stop(&f);
}

/* The handshake was through, then came a reset, before our loop had a turn: that is not "no
 * connection". */
static void test_reset_at_once(void **state)
{
        SockAddr sa = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(sa.in);
        struct linger linger = {.l_onoff = 1};
        sd_event *event = NULL;
        H2 *h = NULL;
        Addr a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, &a), 0);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(h2_connect(event, &a, NULL, NULL, &h), 0);
        int conn = accept(fd, NULL, NULL);
        assert_true(conn >= 0);
        assert_int_equal(setsockopt(conn, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        (void)close(conn);
        while (sd_event_run(event, 20 * USEC_PER_MSEC) > 0)
                ;
        assert_int_equal(h2_phase(h), H2_FAILED);
        assert_int_equal(h2_error(h), -ECONNRESET);
        assert_true(h2_was_connected(h));
        h2_free(h);
        (void)close(fd);
        sd_event_unref(event);
}

static void test_names(void **state)
{
        for (int i = 0; i < _H2_PHASE_MAX; i++)
                assert_non_null(h2_phase_to_string(i));
        assert_null(h2_phase_to_string(_H2_PHASE_MAX));
        for (int i = 0; i < _GRPC_OUTCOME_MAX; i++)
                assert_non_null(grpc_outcome_to_string(i));
        assert_null(grpc_outcome_to_string(_GRPC_OUTCOME_INVALID));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_call),
                cmocka_unit_test(test_trailers_only),
                cmocka_unit_test(test_request),
                cmocka_unit_test(test_header_limits),
                cmocka_unit_test(test_body_limit),
                cmocka_unit_test(test_goaway),
                cmocka_unit_test(test_reset_stream),
                cmocka_unit_test(test_other_protocols),
                cmocka_unit_test(test_first_bytes_limit),
                cmocka_unit_test(test_floods),
                cmocka_unit_test(test_eof),
                cmocka_unit_test(test_deadline),
                cmocka_unit_test(test_freed),
                cmocka_unit_test(test_reset_at_once),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
