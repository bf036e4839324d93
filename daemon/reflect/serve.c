/*
 *   GREETING --a sealed request--> READY --a test that takes time--> WORKING
 *       |                         |  ^  |                              |
 *       |                         |  +--|------------ its answer ------+
 *       +--deadline, no proof--+  +-----+--deadline, nonsense--+
 *                              v                               v
 *                            ENDING --all sent, or some seconds--> freed
 *
 * A connection that they close is freed in any state.
 */
#include "reflect/serve.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "sys/listen.h"
#include "sys/mac.h"
#include "sys/probe-sock.h"
#include "sys/stream.h"

/* How long a goodbye may take to get there. */
#define BYE_DEADLINE (2 * USEC_PER_SEC)

typedef enum ConnState {
        CONN_GREETING, /* a stranger so far */
        CONN_READY,    /* knows the code; its next request is waited for */
        CONN_WORKING,  /* a test runs for it */
        CONN_ENDING,   /* bye was said; what comes is not read any more */
        _CONN_STATE_MAX,
} ConnState;

static const uint32_t next_states[_CONN_STATE_MAX] = {
        [CONN_GREETING] = 1U << CONN_READY | 1U << CONN_ENDING,
        [CONN_READY] = 1U << CONN_READY | 1U << CONN_WORKING | 1U << CONN_ENDING,
        [CONN_WORKING] = 1U << CONN_READY | 1U << CONN_ENDING,
        [CONN_ENDING] = 0,
};

typedef struct Conn {
        Serve *serve; /* weak */
        ConnState state;
        uint64_t number; /* counts up: the oldest has the least */
        ViewEnds ends;
        Stream *stream;
        Session session;
        Buf in;
        ReflectAsker *asker;
        sd_event_source *deadline_timer;
} Conn;

struct Serve {
        sd_event *event; /* weak */
        ServePolicy policy;
        ServeOps ops;
        void *userdata;
        Acceptor *acceptor;
        Reflector *reflector;
        Conn *conns[SERVE_CONNECTIONS_MAX];
        uint64_t n_accepted;
        unsigned n_wrong;
        Addr known; /* the latest peer of whom was told that it knows the code */
        ServeEnd why;
        sd_event_source *lifetime_timer;
        sd_event_source *end_source; /* on_end comes from the loop, inside nobody's callback */
};

/* --- a connection -------------------------------------------------------------------------------
 */

static Conn *conn_free(Conn *c)
{
        if (!c)
                return NULL;
        for (size_t i = 0; c->serve && i < SERVE_CONNECTIONS_MAX; i++)
                if (c->serve->conns[i] == c)
                        c->serve->conns[i] = NULL;
        sd_event_source_disable_unref(c->deadline_timer);
        reflect_asker_free(c->asker);
        stream_free(c->stream);
        session_done(&c->session);
        buf_done(&c->in);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Conn *, conn_free);

static usec_t deadline_of(const Conn *c)
{
        const ServePolicy *p = &c->serve->policy;

        switch (c->state) {
        case CONN_GREETING:
                return p->proof_deadline ? p->proof_deadline : SERVE_PROOF_DEADLINE;
        case CONN_READY:
                return p->request_deadline ? p->request_deadline : SERVE_REQUEST_DEADLINE;
        case CONN_ENDING:
                return BYE_DEADLINE;
        default:
                return USEC_INFINITY; /* a test is bounded by itself */
        }
}

static void arm_deadline(Conn *c)
{
        usec_t t = deadline_of(c);

        if (t == USEC_INFINITY) {
                (void)sd_event_source_set_enabled(c->deadline_timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time_relative(c->deadline_timer, t);
        (void)sd_event_source_set_enabled(c->deadline_timer, SD_EVENT_ONESHOT);
}

static int conn_set_state(Conn *c, ConnState state)
{
        if (!(next_states[c->state] & 1U << state))
                return -EPROTO;
        c->state = state;
        arm_deadline(c);
        return 0;
}

/* Says why, if that can be said, and stops listening. The connection lives on until that is sent.
 */
static void conn_end(Conn *c, ReflectBye why)
{
        _cleanup_buf_ Buf out = {0};

        if (conn_set_state(c, CONN_ENDING) < 0)
                return;
        c->asker = reflect_asker_free(c->asker);
        if (reflect_frame_bye(&out, why) >= 0)
                (void)stream_write(c->stream, buf_data(&out), buf_size(&out));
        /* a plain close would throw the goodbye away when something unread had come */
        if (stream_pending(c->stream) == 0 && stream_fd(c->stream) >= 0)
                (void)shutdown(stream_fd(c->stream), SHUT_WR);
}

static void line(Conn *c, const char *text)
{
        if (c->serve->ops.on_line)
                c->serve->ops.on_line(&c->ends.observed, text, c->serve->userdata);
}

static void serve_end(Serve *s, ServeEnd why);

static void conn_wrong_code(Conn *c)
{
        Serve *s = c->serve;
        char text[64];

        s->n_wrong++;
        (void)snprintf(text, sizeof(text), "tried a wrong code (%u of %d)", s->n_wrong,
                       SERVE_TRIES_MAX);
        line(c, text);
        conn_end(c, REFLECT_BYE_CODE);
        if (s->n_wrong >= SERVE_TRIES_MAX)
                serve_end(s, SERVE_END_TRIES);
}

static void conn_reply(Conn *c, const ReflectReply *reply)
{
        _cleanup_buf_ Buf body = {0}, out = {0};
        ReflectReply p = *reply;

        p.t3_usec = (int64_t)now_real();
        int r = reflect_encode_reply(&body, &p);
        if (r >= 0)
                r = session_seal(&c->session, &out, buf_data(&body), buf_size(&body));
        if (r >= 0)
                r = stream_write(c->stream, buf_data(&out), buf_size(&out));
        if (r >= 0)
                r = conn_set_state(c, CONN_READY);
        if (r < 0)
                conn_end(c, REFLECT_BYE_OTHER);
}

static void conn_process(Conn *c);

static void on_reply(ReflectAsker *a, const ReflectReply *p, void *userdata)
{
        Conn *c = userdata;

        conn_reply(c, p);
        /* what came while the test ran */
        conn_process(c);
}

/* A test has several connections, which are one line for people. */
static void conn_proven(Conn *c)
{
        if (addr_equal(&c->serve->known, &c->ends.observed))
                return;
        c->serve->known = c->ends.observed;
        line(c, "knows the code");
}

static void conn_request(Conn *c, const uint8_t *body, size_t size)
{
        ReflectRequest q;
        ReflectReply p = {.refusal = REFLECT_BAD, .text = "the request is not to be understood"};
        int64_t t2 = (int64_t)now_real();

        if (c->state == CONN_GREETING) {
                conn_proven(c);
                (void)conn_set_state(c, CONN_READY);
        }
        int r = reflect_decode_request(body, size, &q);
        if (r == -EBADMSG || r == -EMSGSIZE)
                r = 1;
        else if (r >= 0)
                r = reflect_asker_ask(c->asker, &q, t2, &p);
        if (r < 0)
                conn_end(c, REFLECT_BYE_OTHER);
        else if (r > 0)
                conn_reply(c, &p);
        else
                (void)conn_set_state(c, CONN_WORKING);
}

/* Everything whole that has come, one request at a time. */
static void conn_process(Conn *c)
{
        SessionWord w;

        while (c->state == CONN_GREETING || c->state == CONN_READY) {
                int r = session_next(&c->session, &c->in, &w);
                if (r == -EACCES && c->state == CONN_GREETING)
                        conn_wrong_code(c);
                else if (r < 0)
                        conn_end(c, r == -EPROTONOSUPPORT ? REFLECT_BYE_VERSION : REFLECT_BYE_BAD);
                else if (w.event == SESSION_BODY)
                        conn_request(c, w.body, w.body_size);
                else if (w.event == SESSION_BYE)
                        conn_end(c, REFLECT_BYE_OTHER);
                else if (w.event == SESSION_MORE)
                        return;
        }
}

static void on_conn_data(Stream *stream, const uint8_t *data, size_t size, void *userdata)
{
        Conn *c = userdata;

        if (c->state == CONN_ENDING)
                return;
        if (buf_append(&c->in, data, size) < 0)
                conn_end(c, REFLECT_BYE_BAD);
        else
                conn_process(c);
}

static void on_conn_drained(Stream *stream, void *userdata)
{
        Conn *c = userdata;

        if (c->state == CONN_ENDING)
                (void)shutdown(stream_fd(stream), SHUT_WR);
}

static void on_conn_closed(Stream *stream, int error, void *userdata)
{
        conn_free(userdata);
}

static int on_conn_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        Conn *c = userdata;

        if (c->state == CONN_ENDING)
                conn_free(c);
        else
                conn_end(c, REFLECT_BYE_SLOW);
        return 0;
}

static usec_t rtt_of(int fd)
{
        StreamFacts f;

        return probe_stream_facts(fd, &f) < 0 ? 0 : f.rtt;
}

static int conn_new(Serve *s, int fd, const Addr *peer, const Addr *local, Conn **ret)
{
        static const StreamOps ops = {.on_data = on_conn_data,
                                      .on_drained = on_conn_drained,
                                      .on_closed = on_conn_closed};
        _cleanup_buf_ Buf out = {0};
        _cleanup_close_ int own = fd;

        _cleanup_(conn_freep) Conn *c = new0(Conn, 1);
        if (!c)
                return -ENOMEM;
        c->serve = s;
        c->number = s->n_accepted++;
        c->ends = (ViewEnds){.observed = *peer, .local = *local};
        c->in.limit = 2 * REFLECT_FRAME_MAX; /* a frame, and what comes on its heels */
        int r = session_init(&c->session, SESSION_SERVER, &s->policy.code);
        if (r >= 0)
                r = session_hello(&c->session, &out);
        if (r >= 0)
                r = reflect_asker_new(s->reflector, &c->ends, rtt_of(fd), on_reply, c, &c->asker);
        if (r >= 0)
                r = sd_event_add_time_relative(s->event, &c->deadline_timer, CLOCK_MONOTONIC,
                                               deadline_of(c), USEC_PER_MSEC, on_conn_deadline, c);
        if (r >= 0)
                r = stream_new_fd(s->event, own, &ops, c, &c->stream);
        if (r < 0)
                return r;
        TAKE_FD(own); /* the stream's now */
        r = stream_write(c->stream, buf_data(&out), buf_size(&out));
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* --- all of them --------------------------------------------------------------------------------
 */

/* Where the next connection goes. The oldest stranger makes room: half-open and silent ones must
 * not keep out who knows the code. NULL when nobody is a stranger. */
static Conn **free_slot(Serve *s)
{
        Conn **oldest = NULL;

        for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
                Conn **c = &s->conns[i];
                if (!*c)
                        return c;
                if (((*c)->state == CONN_GREETING || (*c)->state == CONN_ENDING) &&
                    (!oldest || (*c)->number < (*oldest)->number))
                        oldest = c;
        }
        if (oldest)
                conn_free(*oldest);
        return oldest;
}

static void refuse_busy(int fd)
{
        _cleanup_buf_ Buf out = {0};

        if (reflect_frame_bye(&out, REFLECT_BYE_BUSY) >= 0)
                (void)send(fd, buf_data(&out), buf_size(&out), MSG_DONTWAIT | MSG_NOSIGNAL);
        safe_close(fd);
}

static void on_accepted(Acceptor *a, int fd, const Addr *peer, const Addr *local, void *userdata)
{
        Serve *s = userdata;
        Conn *c;

        Conn **slot = free_slot(s);
        if (!slot)
                refuse_busy(fd);
        else if (conn_new(s, fd, peer, local, &c) >= 0)
                *slot = c;
}

unsigned serve_n_connections(const Serve *s)
{
        unsigned n = 0;

        for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
                n += s->conns[i] != NULL;
        return n;
}

static int on_end_source(sd_event_source *source, void *userdata)
{
        Serve *s = userdata;

        s->ops.on_end(s, s->why, s->userdata);
        return 0;
}

static void serve_end(Serve *s, ServeEnd why)
{
        if (!s->acceptor)
                return;
        s->why = why;
        s->acceptor = acceptor_free(s->acceptor);
        for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
                if (s->conns[i])
                        conn_end(s->conns[i], REFLECT_BYE_OVER);
        (void)sd_event_source_set_enabled(s->end_source, SD_EVENT_ONESHOT);
}

static int on_lifetime_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        serve_end(userdata, SERVE_END_TIME);
        return 0;
}

static void on_test(const ReflectAsker *a, const Addr *peer, const char *text, void *userdata)
{
        Serve *s = userdata;

        if (s->ops.on_line)
                s->ops.on_line(peer, text, s->userdata);
}

int serve_new(sd_event *event, int fd, const ServePolicy *policy, const ServeOps *ops,
              void *userdata, Serve **ret)
{
        static const ReflectorOps reflector_ops = {.on_test = on_test};

        _cleanup_(serve_freep) Serve *s = new0(Serve, 1);
        if (!s)
                return -ENOMEM;
        s->event = event;
        s->policy = *policy;
        s->ops = *ops;
        s->userdata = userdata;
        int r = reflector_new(event, &policy->reflect, &reflector_ops, s, &s->reflector);
        if (r >= 0)
                r = sd_event_add_defer(event, &s->end_source, on_end_source, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->end_source, SD_EVENT_OFF);
        /* a machine that sleeps does not make the code live longer */
        if (r >= 0)
                r = sd_event_add_time_relative(event, &s->lifetime_timer, CLOCK_BOOTTIME,
                                               policy->lifetime ? policy->lifetime : SERVE_LIFETIME,
                                               USEC_PER_MSEC, on_lifetime_timer, s);
        if (r >= 0)
                r = acceptor_new(event, fd, on_accepted, s, &s->acceptor);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

Serve *serve_free(Serve *s)
{
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->lifetime_timer);
        sd_event_source_disable_unref(s->end_source);
        acceptor_free(s->acceptor);
        for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
                conn_free(s->conns[i]);
        reflector_free(s->reflector);
        mac_forget(&s->policy.code, sizeof(s->policy.code));
        free(s);
        return NULL;
}
