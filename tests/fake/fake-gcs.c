/* A GCS for tests: answers what raycluster asks of Ray, or misbehaves as told.
 *
 *     fake-gcs [--port N] [--address A] [--tls CA,CERT,KEY] [--control FILE] [--KEY VALUE]…
 *
 * Prints "port N" when it listens (127.0.0.1 and a free port unless told), ends on SIGTERM or
 * SIGINT with 0. With --tls it speaks TLS alone, as Ray does. --KEY=VALUE is the same. The control
 * file has lines "KEY VALUE", "#" begins a comment; it is read again whenever it changed, on top of
 * the command line. Keys:
 *
 *     mode MODE        below; healthy
 *     version V        Ray's version; 2.60.0
 *     python V         Python's version; 3.11.2
 *     cluster HEX      cluster id, filled up with zeros; aa…
 *     token T          wanted in "authorization" of all but health and reflection
 *     node K=V,K=V…    one node more: id (hex, filled up) hostname address name instance group port
 *                      object_manager runtime_env agent_grpc agent metrics (ports; 0)
 *                      head=1 state=alive|draining|dead cpus gpus idle (ms) start reason
 *     nodes N          N nodes more, made up
 *     agents A,B       pids for GetAgentPIDs
 *     pending N        pending resource requests
 *     reflection N     bytes of what gRPC's reflection answers, token or not; 7728; 0 = it is not
 *                      there
 *     log FILE         appends one line a request, METHOD token=yes|no, one a connection,
 *                      "connect", and one a PING: "ping", "ping-again" from its second on
 *
 * Modes: healthy · silent (accepts, says nothing) · mute (SETTINGS, no answer) · garbage · zeros ·
 * http1 · ssh · redis · eof and rst (at once) · eof-later and rst-later (after the request) ·
 * goaway (instead of an answer) · goaway-after (behind each answer) · half-header (half a frame's
 * head, then nothing) · cut (half an answer, then EOF) · status-N or status-N:TEXT (for every call)
 * · http-N (HTTP status) · html (wrong content type) · no-status · two-messages · compressed · huge
 * (a length of 2 GiB) · long (a length that the body does not have) · flood (a body without end) ·
 * headers (2000 of them) · pings (a flood of them) · drip (a byte every 20 ms) · bad-proto ·
 * short-id (ids of 5 bytes) · not-found (the KV is empty) · refuse (drains are refused) · codes
 * (GcsStatus with code 12) · not-serving (health) · late (an answer after 300 ms)
 *
 * As Ray does, it dies (status 134) of a request with an id that is not 28 bytes, and of a drain
 * without a reason: a client that sends one fails its test. */
#include <arpa/inet.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/time.h"
#include "sys/stream.h"

#include "fake-gcs-answers.h"
#include "fake-gcs-tls.h"

typedef struct Conn {
        Fake *fake;
        Stream *stream;
        nghttp2_session *session;
        sd_event_source *drip;
        Buf slow;
        Call *calls;
        bool ending, ended, reset, stuck, pinged;
} Conn;

/* --- HTTP/2 -------------------------------------------------------------------------------------
 */

static nghttp2_nv nv(const char *name, const char *value)
{
        return (nghttp2_nv){.name = (uint8_t *)name,
                            .namelen = strlen(name),
                            .value = (uint8_t *)value,
                            .valuelen = strlen(value)};
}

static Call *call_free(Call *q)
{
        sd_event_source_disable_unref(q->late);
        buf_done(&q->in);
        buf_done(&q->out);
        free(q);
        return NULL;
}

static void conn_free(Conn *c)
{
        for (Call *q = c->calls, *next; q; q = next) {
                next = q->next;
                call_free(q);
        }
        sd_event_source_disable_unref(c->drip);
        stream_free(c->stream);
        nghttp2_session_del(c->session);
        buf_done(&c->slow);
        free(c);
}

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *data, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
        Conn *c = userdata;
        Call *q = source->ptr;
        size_t n = MIN(size, buf_size(&q->out));
        char status[16], escaped[1024], *e = escaped;

        if (n > 0) {
                memcpy(data, buf_data(&q->out), n);
                buf_consume(&q->out, n);
        }
        if (buf_size(&q->out) > 0)
                return (ssize_t)n;
        if (q->endless) {
                memset(data + n, 0, size - n);
                return (ssize_t)size;
        }
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (in_mode(c->fake, "no-status"))
                return (ssize_t)n;
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        (void)snprintf(status, sizeof(status), "%d", q->status);
        for (const char *s = q->message; *s && e < escaped + sizeof(escaped) - 4; s++)
                e += *s == '%' || *s < 0x20 || *s > 0x7e ? sprintf(e, "%%%02X", (uint8_t)*s)
                                                         : sprintf(e, "%c", *s);
        *e = 0;
        nghttp2_nv trailers[] = {nv("grpc-status", status), nv("grpc-message", escaped)};
        (void)nghttp2_submit_trailer(session, id, trailers, 2);
        return (ssize_t)n;
}

static void submit_header_flood(Conn *c, Call *q)
{
        static char names[2000][16];
        static nghttp2_nv fields[2000];

        fields[0] = nv(":status", "200");
        for (size_t i = 1; i < ELEMENTSOF(fields); i++) {
                (void)snprintf(names[i], sizeof(names[i]), "x-%zu", i);
                fields[i] = nv(names[i], "y");
        }
        (void)nghttp2_submit_headers(c->session, NGHTTP2_FLAG_END_STREAM, q->id, NULL, fields,
                                     ELEMENTSOF(fields), NULL);
}

static void conn_flush(Conn *c);

static void submit_answer(Conn *c, Call *q)
{
        const char *http = mode_is(c->fake, "http-");
        nghttp2_data_provider body = {.source.ptr = q, .read_callback = give_body};

        nghttp2_nv fields[] = {
                nv(":status", http ? http : "200"),
                nv("content-type", in_mode(c->fake, "html") ? "text/html" : "application/grpc"),
        };
        if (in_mode(c->fake, "headers"))
                submit_header_flood(c, q);
        else
                (void)nghttp2_submit_response(c->session, q->id, fields, ELEMENTSOF(fields), &body);
        if (in_mode(c->fake, "goaway-after"))
                (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, q->id,
                                            NGHTTP2_INTERNAL_ERROR, (uint8_t *)"Cancelling", 10);
}

static int on_late(sd_event_source *s, uint64_t usec, void *userdata)
{
        Call *q = userdata;

        submit_answer(q->conn, q);
        conn_flush(q->conn);
        return 0;
}

/* The request is whole. */
static void on_request(Conn *c, Call *q)
{
        Fake *f = c->fake;

        if (in_mode(f, "mute"))
                return;
        if (in_mode(f, "eof-later") || in_mode(f, "rst-later")) {
                c->ending = true;
                c->reset = in_mode(f, "rst-later");
                return;
        }
        if (in_mode(f, "goaway")) {
                (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, 0,
                                            NGHTTP2_INTERNAL_ERROR, (uint8_t *)"Cancelling", 10);
                return;
        }
        if (in_mode(f, "pings"))
                for (size_t i = 0; i < 20000; i++)
                        (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
        make_answer(f, q);
        spoil(f, q);
        if (in_mode(f, "late"))
                (void)sd_event_add_time_relative(f->event, &q->late, CLOCK_MONOTONIC,
                                                 300 * USEC_PER_MSEC, 0, on_late, q);
        else
                submit_answer(c, q);
}

static int note_begin(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
        Conn *c = userdata;
        Call *q = new0(Call, 1);

        if (!q || frame->hd.type != NGHTTP2_HEADERS)
                abort();
        q->id = frame->hd.stream_id;
        q->conn = c;
        q->next = c->calls;
        c->calls = q;
        (void)nghttp2_session_set_stream_user_data(session, q->id, q);
        return 0;
}

static int note_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *userdata)
{
        Call *q = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        const char *n = (const char *)name, *v = (const char *)value;

        if (!q)
                return 0;
        if (streq(n, ":path"))
                set_str(q->path, sizeof(q->path), v);
        else if (streq(n, "authorization")) {
                q->token = true;
                set_str(q->authorization, sizeof(q->authorization), v);
        } else if (streq(n, "ray_cluster_id")) {
                q->cluster = true;
                set_str(q->cluster_id, sizeof(q->cluster_id), v);
        }
        return 0;
}

static int note_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                     size_t size, void *userdata)
{
        Call *q = nghttp2_session_get_stream_user_data(session, id);

        return q && buf_append(&q->in, data, size) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int note_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
        Call *q = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        Conn *c = userdata;

        if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
                log_line(c->fake, c->pinged ? "ping-again" : "ping", false);
                c->pinged = true;
        }
        if (q && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
            (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS))
                on_request(userdata, q);
        return 0;
}

static int note_close(nghttp2_session *session, int32_t id, uint32_t code, void *userdata)
{
        Conn *c = userdata;

        for (Call **p = &c->calls; *p; p = &(*p)->next)
                if ((*p)->id == id) {
                        Call *q = *p;
                        *p = q->next;
                        call_free(q);
                        break;
                }
        return 0;
}

/* --- a connection -------------------------------------------------------------------------------
 */

/* A reset, or an orderly end: reading goes on, because closing with unread input is a reset too. */
static void conn_end(Conn *c, bool reset)
{
        struct linger l = {.l_onoff = 1};

        if (reset) {
                (void)setsockopt(stream_fd(c->stream), SOL_SOCKET, SO_LINGER, &l, sizeof(l));
                conn_free(c);
                return;
        }
        c->ended = true;
        (void)shutdown(stream_fd(c->stream), SHUT_WR);
}

static int on_drip(sd_event_source *s, uint64_t usec, void *userdata)
{
        Conn *c = userdata;

        if (buf_size(&c->slow) > 0) {
                (void)stream_write(c->stream, buf_data(&c->slow), 1);
                buf_consume(&c->slow, 1);
        }
        (void)sd_event_source_set_time_relative(s, 20 * USEC_PER_MSEC);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

static void conn_flush(Conn *c)
{
        const uint8_t *data;
        ssize_t n;
        bool answered = false;

        while (!c->stuck && stream_pending(c->stream) < STREAM_OUTPUT_MAX / 2 &&
               (n = nghttp2_session_mem_send(c->session, &data)) > 0) {
                answered = answered || (n > 9 && data[3] == NGHTTP2_HEADERS);
                if (in_mode(c->fake, "drip"))
                        (void)buf_append(&c->slow, data, (size_t)n);
                else if (answered && in_mode(c->fake, "half-header")) {
                        (void)stream_write(c->stream, data, 5);
                        c->stuck = true;
                        return;
                } else if (answered && in_mode(c->fake, "cut")) {
                        (void)stream_write(c->stream, data, (size_t)n / 2);
                        c->ending = true;
                        return;
                } else
                        (void)stream_write(c->stream, data, (size_t)n);
        }
        if (in_mode(c->fake, "drip") && !c->drip)
                (void)sd_event_add_time_relative(c->fake->event, &c->drip, CLOCK_MONOTONIC,
                                                 20 * USEC_PER_MSEC, 0, on_drip, c);
}

static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Conn *c = userdata;

        load_world(c->fake);
        if (in_mode(c->fake, "silent") || c->ended)
                return;
        if (nghttp2_session_mem_recv(c->session, data, size) < 0) {
                conn_free(c);
                return;
        }
        conn_flush(c);
        if (c->ending)
                conn_end(c, c->reset);
}

static void on_drained(Stream *s, void *userdata)
{
        conn_flush(userdata);
}

static void on_closed(Stream *s, int error, void *userdata)
{
        conn_free(userdata);
}

/* What is said before anybody asks; false: nothing more comes. */
static bool greet(Conn *c)
{
        static const uint8_t zeros[4096];
        const Fake *f = c->fake;
        const char *text = in_mode(f, "http1")     ? "HTTP/1.1 400 Bad Request\r\n\r\n<html>"
                           : in_mode(f, "ssh")     ? "SSH-2.0-OpenSSH_9.2p1\r\n"
                           : in_mode(f, "redis")   ? "-ERR unknown command 'PRI'\r\n"
                           : in_mode(f, "garbage") ? "\001\002\003garbage of all kinds \377\376"
                                                   : NULL;

        if (in_mode(f, "silent"))
                return false;
        if (text)
                (void)stream_write(c->stream, text, strlen(text));
        else if (in_mode(f, "zeros"))
                (void)stream_write(c->stream, zeros, sizeof(zeros));
        else
                return true;
        return false;
}

static void on_connected(Stream *s, void *userdata)
{
        Conn *c = userdata;

        if (in_mode(c->fake, "eof") || in_mode(c->fake, "rst")) {
                conn_end(c, in_mode(c->fake, "rst"));
                return;
        }
        if (!greet(c))
                return;
        /* the second one is gRPC core's own, by which it is known */
        nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100},
                                             {0xfe03, 1}};
        (void)nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
                                      ELEMENTSOF(settings));
        conn_flush(c);
}

static void conn_new(Fake *f, int fd)
{
        static const StreamOps ops = {.on_connected = on_connected,
                                      .on_data = on_data,
                                      .on_drained = on_drained,
                                      .on_closed = on_closed};
        nghttp2_session_callbacks *callbacks;
        Conn *c = new0(Conn, 1);

        if (!c || nghttp2_session_callbacks_new(&callbacks) != 0)
                abort();
        c->fake = f;
        c->slow.limit = BODY_MAX;
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, note_begin);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, note_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, note_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, note_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, note_close);
        if (nghttp2_session_server_new(&c->session, callbacks, c) != 0 ||
            stream_new_fd(f->event, fd, &ops, c, &c->stream) < 0)
                abort();
        if (f->tls)
                fake_tls_begin(f->tls, c->stream);
        nghttp2_session_callbacks_del(callbacks);
}

static int on_accept(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Fake *f = userdata;
        int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        load_world(f);
        if (conn >= 0) {
                log_line(f, "connect", false);
                conn_new(f, conn);
        }
        return 0;
}

/* --- main ---------------------------------------------------------------------------------------
 */

static int listen_on(Fake *f, const char *address, uint16_t port)
{
        Addr a;
        SockAddr sa;
        socklen_t len;
        int one = 1;

        if (addr_parse(address, &a) < 0)
                return -EINVAL;
        a.port = port;
        len = addr_to_sockaddr(&a, &sa);
        f->fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (f->fd < 0 || bind(f->fd, &sa.sa, len) < 0 || listen(f->fd, 128) < 0 ||
            getsockname(f->fd, &sa.sa, &len) < 0)
                return -errno;
        printf("port %u\n", ntohs(sa.sa.sa_family == AF_INET6 ? sa.in6.sin6_port : sa.in.sin_port));
        return fflush(stdout) == 0 ? 0 : -EIO;
}

static void usage(void)
{
        fprintf(stderr,
                "usage: fake-gcs [--port N] [--address A] [--tls FILES] [--control FILE] [--KEY "
                "VALUE]…\n"
                "the keys and modes stand on top of tests/fake/fake-gcs.c\n");
        exit(2);
}

int main(int argc, char **argv)
{
        Fake f = {.fd = -EBADF};
        const char *address = "127.0.0.1", *port = "0";
        sigset_t mask;

        for (int i = 1; i < argc; i++) {
                char *key = argv[i], *value;
                if (strncmp(key, "--node_id=", 10) == 0)
                        continue; /* it plays a raylet, whose id stands there */
                if (strncmp(key, "--", 2) != 0)
                        usage();
                key += 2;
                value = strchr(key, '=');
                if (value)
                        *value++ = 0;
                else if (!(value = argv[++i]))
                        usage();
                if (streq(key, "port"))
                        port = value;
                else if (streq(key, "address"))
                        address = value;
                else if (streq(key, "tls"))
                        f.tls = fake_tls_new(value);
                else if (streq(key, "control"))
                        f.control = value;
                else if (strv_extendf(&f.settings, "%s %s", key, value) < 0)
                        abort();
        }
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGTERM);
        (void)sigaddset(&mask, SIGINT);
        (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL's own sockets raise it */
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        load_world(&f);
        int r = listen_on(&f, address, (uint16_t)atoi(port));
        if (r < 0) {
                fprintf(stderr, "fake-gcs: %s:%s: %s\n", address, port, strerror(-r));
                return 1;
        }
        if (sd_event_new(&f.event) < 0 ||
            sd_event_add_signal(f.event, NULL, SIGTERM, NULL, NULL) < 0 ||
            sd_event_add_signal(f.event, NULL, SIGINT, NULL, NULL) < 0 ||
            sd_event_add_io(f.event, &f.accept, f.fd, EPOLLIN, on_accept, &f) < 0)
                abort();
        r = sd_event_loop(f.event);
        _exit(r < 0); /* connections are the kernel's to close */
}
