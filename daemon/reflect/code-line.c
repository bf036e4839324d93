/*
 *   CONNECTING --established--> GREETING --their hello--> UP
 *       |                          |                      |
 *       +------ refused, bye, a wrong MAC, closed --------+--> DOWN
 */
#include "reflect/code-line.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "reflect/session.h"
#include "sys/probe-sock.h"
#include "sys/stream.h"

/* Three SYNs in 0.6 s: one that is lost costs no second. */
#define SOCKETS 3

typedef enum CodeLineState {
        CODE_LINE_CONNECTING,
        CODE_LINE_GREETING, /* our hello is out */
        CODE_LINE_UP,
        CODE_LINE_DOWN, /* the owner was told, or is being told */
        _CODE_LINE_STATE_MAX,
        _CODE_LINE_STATE_INVALID = -EINVAL,
} CodeLineState;

typedef struct CodeLine {
        Line base;
        sd_event *event; /* weak */
        CodeLineState state;
        LineOps ops;
        void *userdata;
        Session session;
        Addr to, here;
        ProbeSock *sock;
        Stream *stream;
        Buf in;
        size_t received;
} CodeLine;

static const uint32_t next_states[_CODE_LINE_STATE_MAX] = {
        [CODE_LINE_CONNECTING] = 1U << CODE_LINE_GREETING | 1U << CODE_LINE_DOWN,
        [CODE_LINE_GREETING] = 1U << CODE_LINE_UP | 1U << CODE_LINE_DOWN,
        [CODE_LINE_UP] = 1U << CODE_LINE_DOWN,
};

static int code_line_set_state(CodeLine *c, CodeLineState state)
{
        if (!(next_states[c->state] & 1U << state))
                return -EPROTO;
        c->state = state;
        return 0;
}

static Line *code_line_free(Line *l)
{
        CodeLine *c = CONTAINER_OF(l, CodeLine, base);
        probe_sock_free(c->sock);
        stream_free(c->stream);
        buf_done(&c->in);
        session_done(&c->session);
        free(c);
        return NULL;
}

static void go_down(CodeLine *c, const char *why)
{
        if (code_line_set_state(c, CODE_LINE_DOWN) >= 0)
                c->ops.on_down(&c->base, why, c->userdata);
}

static int put(CodeLine *c, Buf *out)
{
        return stream_write(c->stream, buf_data(out), buf_size(out));
}

static int code_line_send(Line *l, const void *body, size_t size)
{
        CodeLine *c = CONTAINER_OF(l, CodeLine, base);
        _cleanup_buf_ Buf out = {0};

        if (c->state != CODE_LINE_UP)
                return -ENOTCONN;
        int r = session_seal(&c->session, &out, body, size);
        return r < 0 ? r : put(c, &out);
}

static void code_line_ends(const Line *l, Addr *ret_here, Addr *ret_there)
{
        const CodeLine *c = CONTAINER_OF(l, const CodeLine, base);
        *ret_here = c->here;
        *ret_there = c->stream ? c->to : (Addr){0};
}

static void code_line_progress(const Line *l, LineProgress *ret)
{
        const CodeLine *c = CONTAINER_OF(l, const CodeLine, base);
        StreamFacts facts;

        *ret = (LineProgress){.received = c->received};
        if (c->stream && probe_stream_facts(stream_fd(c->stream), &facts) >= 0)
                ret->unsent = facts.unsent + stream_pending(c->stream);
}

static const LineVtable vtable = {
        .send = code_line_send,
        .ends = code_line_ends,
        .progress = code_line_progress,
        .free = code_line_free,
};

/* What a word of theirs that cannot be taken means. */
static const char *error_words(int error)
{
        switch (error) {
        case -EACCES:
                return "what answers there does not know the code";
        case -EPROTONOSUPPORT:
                return "the reflector speaks another version";
        case -ENOMEM:
                return "out of memory";
        default:
                return "what answers there is no reflector";
        }
}

static const char *bye_words(char buf[160], ReflectBye bye)
{
        (void)snprintf(buf, 160, "the reflector says: %s", strna(reflect_bye_to_string(bye)));
        return buf;
}

/* The last thing that is done in an event: the owner may have freed the line. One reply answers one
 * request, so that behind a word nothing more is due until the owner has asked again. */
static void take_word(CodeLine *c)
{
        SessionWord w;
        char why[160];

        int r = session_next(&c->session, &c->in, &w);
        if (r < 0)
                go_down(c, error_words(r));
        else if (w.event == SESSION_BYE)
                go_down(c, bye_words(why, w.bye));
        else if (w.event == SESSION_BODY)
                c->ops.on_reply(&c->base, w.body, w.body_size, c->userdata);
        else if (w.event == SESSION_HELLO) {
                if (code_line_set_state(c, CODE_LINE_UP) < 0)
                        go_down(c, error_words(-EBADMSG));
                else
                        c->ops.on_up(&c->base, c->userdata);
        }
}

static void on_stream_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        CodeLine *c = userdata;

        c->received += size;
        int r = buf_append(&c->in, data, size);
        if (r < 0)
                go_down(c, error_words(r == -EMSGSIZE ? -EBADMSG : r));
        else
                take_word(c);
}

static void on_stream_connected(Stream *s, void *userdata)
{
        CodeLine *c = userdata;
        _cleanup_buf_ Buf out = {0};

        int r = session_hello(&c->session, &out);
        if (r >= 0)
                r = put(c, &out);
        if (r < 0)
                go_down(c, strerror(-r));
}

static void on_stream_closed(Stream *s, int error, void *userdata)
{
        CodeLine *c = userdata;
        SessionWord w;
        char why[160];

        /* it may have said why in the same breath as something else */
        if (session_next(&c->session, &c->in, &w) >= 0 && w.event == SESSION_BYE)
                (void)bye_words(why, w.bye);
        else if (error < 0)
                (void)snprintf(why, sizeof(why), "the connection to the reflector broke: %s",
                               strerror(-error));
        else
                (void)snprintf(why, sizeof(why), "%s",
                               c->state == CODE_LINE_GREETING
                                       ? "what answers there hung up on the greeting"
                                       : "the reflector hung up");
        go_down(c, why);
}

static const StreamOps stream_ops = {
        .on_connected = on_stream_connected,
        .on_data = on_stream_data,
        .on_closed = on_stream_closed,
};

static void tell_failure(CodeLine *c, const ConnectFacts *f)
{
        char addr[ADDR_PORT_MAX], why[160];

        (void)snprintf(why, sizeof(why), "no reflector at %s: %s%s", addr_format_port(addr, &c->to),
                       strerror(f->error), f->icmp.seen ? ", by ICMP" : "");
        go_down(c, why);
}

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        CodeLine *c = userdata;
        _cleanup_close_ int fd = -EBADF;

        if (f->outcome == CONNECT_ESTABLISHED)
                fd = probe_sock_take_fd(p);
        if (fd < 0) {
                tell_failure(c, f);
                return;
        }
        SockAddr sa;
        socklen_t len = sizeof(sa);
        if (getsockname(fd, &sa.sa, &len) >= 0)
                (void)addr_from_sockaddr(&sa.sa, len, &c->here);
        int r = stream_new_fd(c->event, fd, &stream_ops, c, &c->stream);
        if (r >= 0)
                (void)TAKE_FD(fd);
        if (r < 0 || code_line_set_state(c, CODE_LINE_GREETING) < 0)
                go_down(c, strerror(r < 0 ? -r : EPROTO));
}

static int code_line_open(const Transport *t, sd_event *event, const LinePolicy *policy,
                          const LineOps *ops, void *userdata, Line **ret)
{
        const CodeTransport *transport = CONTAINER_OF(t, const CodeTransport, base);
        CodeLine *c = new0(CodeLine, 1);
        if (!c)
                return -ENOMEM;
        *c = (CodeLine){
                .base = {.vtable = &vtable},
                .event = event,
                .ops = *ops,
                .userdata = userdata,
                .to = policy->to,
                .in = {.limit = 2 * REFLECT_FRAME_MAX},
        };
        c->to.port = transport->code.port;
        const ConnectPolicy connect = {
                .addr = c->to,
                .from = policy->from,
                .interface = policy->interface,
                .n_sockets = SOCKETS,
                .mss = policy->mss,
        };
        int r = session_init(&c->session, SESSION_CLIENT, &transport->code);
        if (r >= 0)
                r = probe_sock_new(event, &connect, on_sock_answer, c, &c->sock);
        if (r < 0) {
                code_line_free(&c->base);
                return r;
        }
        *ret = &c->base;
        return 0;
}

const Transport code_transport = {.open = code_line_open};
