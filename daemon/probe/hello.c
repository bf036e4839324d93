/*
 *   PLAIN ──hung up without a byte──> TLS ──no TLS either──> HTTP ──> SILENCE ──> DONE
 *     └────────────────────────────────┴─────something answers─────────────────────┘
 *
 * and where we are to speak TLS
 *
 *   TLS ──no TLS there──> PLAIN ──hung up without a byte──> HTTP ──> SILENCE ──> DONE
 *    └──────────────────────┴──────something answers─────────────────────────────┘
 *
 * SILENCE: a reset overtakes an answer that is lost, and who hangs up on bytes that it has not read
 * sends a reset. So when TLS ended in one, the last connection says nothing: its end is a FIN, and
 * nothing of what came before a FIN is missing.
 */
#include "probe/hello.h"

#include <stdio.h>

#include "base/alloc.h"
#include "probe/facts.h"
#include "probe/talk.h"
#include "probe/tls.h"

#define GREETING_TIMEOUT (1950 * USEC_PER_MSEC)
/* after so much silence a second connection is tried with segments that fit through every tunnel */
#define SECOND_AFTER (500 * USEC_PER_MSEC)
#define SECOND_MSS   536
#define SECOND_TICK  (100 * USEC_PER_MSEC)
/* its silence counts from here */
#define SECOND_ENOUGH USEC_PER_SEC
/* retransmissions in vain on each of the two connections: five packets are not lost by bad luck */
#define LOST_AFTER    2
#define RETRY_TIMEOUT USEC_PER_SEC
/* it hung up at once, three times: a fourth time it takes no longer */
#define SILENCE_TIMEOUT (500 * USEC_PER_MSEC)

typedef enum HelloState {
        HELLO_PLAIN,   /* greeted in the clear */
        HELLO_TLS,     /* a TLS handshake */
        HELLO_HTTP,    /* asked in HTTP/1 */
        HELLO_SILENCE, /* connected, nothing said */
        HELLO_DONE,    /* the owner was told */
        _HELLO_STATE_MAX,
        _HELLO_STATE_INVALID = -EINVAL,
} HelloState;

struct HelloStage {
        sd_event *event; /* weak */
        Evidence *e;     /* weak */
        HelloOps ops;
        void *userdata;
        const TlsContext *context; /* weak; NULL = we speak none */

        HelloState state;
        usec_t state_since;
        Talk *talk;
        Talk *second;
        bool second_begun;
        TlsStage *tls;
        bool tls_reset; /* the TLS greeting was answered by a reset */
        sd_event_source *second_timer;
};

static const uint32_t next_states[_HELLO_STATE_MAX] = {
        [HELLO_PLAIN] = 1U << HELLO_TLS | 1U << HELLO_HTTP | 1U << HELLO_DONE,
        [HELLO_TLS] = 1U << HELLO_PLAIN | 1U << HELLO_HTTP | 1U << HELLO_DONE,
        [HELLO_HTTP] = 1U << HELLO_SILENCE | 1U << HELLO_DONE,
        [HELLO_SILENCE] = 1U << HELLO_DONE,
};

static const char *const step_names[_HELLO_STATE_MAX] = {
        [HELLO_PLAIN] = "service",
        [HELLO_TLS] = "tls",
        [HELLO_HTTP] = "http",
        [HELLO_SILENCE] = "silence",
};

static const char *const doing[_HELLO_STATE_MAX] = {
        [HELLO_PLAIN] = "connected, waiting for a greeting",
        [HELLO_TLS] = "connected, in a TLS handshake",
        [HELLO_HTTP] = "trying HTTP/1",
        [HELLO_SILENCE] = "connected, saying nothing",
        [HELLO_DONE] = "done",
};

static void stop_work(HelloStage *h)
{
        h->second_timer = sd_event_source_disable_unref(h->second_timer);
        h->talk = talk_free(h->talk);
        h->second = talk_free(h->second);
        h->tls = tls_stage_free(h->tls);
}

HelloStage *hello_stage_free(HelloStage *h)
{
        if (!h)
                return NULL;
        stop_work(h);
        free(h);
        return NULL;
}

const char *hello_stage_doing(const HelloStage *h, usec_t *ret_since)
{
        *ret_since = h->state_since;
        return doing[h->state];
}

const char *hello_host(const Evidence *e)
{
        bool numeric = strspn(e->host, "0123456789.") == strlen(e->host);
        return e->name == NAME_RESOLVED && !numeric ? e->host : NULL;
}

static const char *step_result(const HelloStage *h)
{
        const HelloFacts *f = &h->e->hello;
        const TlsFacts *t = &h->e->tls;

        switch (h->state) {
        case HELLO_TLS:
                return t->negotiated ? t->protocol : t->spoken ? "TLS" : "no TLS";
        case HELLO_HTTP:
                return service_kind_to_string(f->by_http);
        case HELLO_SILENCE:
                return f->again ? "closed" : "unknown";
        default:
                return service_kind_to_string(f->kind);
        }
}

static void tell_step(HelloStage *h)
{
        h->ops.on_step(h, step_names[h->state], step_result(h), h->state_since, h->userdata);
}

static int hello_set_state(HelloStage *h, HelloState state)
{
        if (!(next_states[h->state] & 1U << state))
                return -EPROTO;
        tell_step(h);
        h->state = state;
        h->state_since = now_mono();
        return 0;
}

static void note_second(HelloFacts *f, const TalkAnswer *a)
{
        bool silent = a->connected && a->kind == SERVICE_UNKNOWN && a->size == 0;
        f->second_silent = silent && a->stream_known && a->stream.unsent == 0;
        f->second_lost = silent && a->stream_known && a->stream.unsent > 0;
        f->second_spoke = a->size > 0;
}

static void finish(HelloStage *h, bool serves)
{
        TalkAnswer a;

        /* begun late on a busy machine, and silent for long enough */
        if (h->second && h->e->hello.kind == SERVICE_UNKNOWN) {
                talk_snapshot(h->second, &a);
                if (a.took >= SECOND_ENOUGH)
                        note_second(&h->e->hello, &a);
        }
        if (hello_set_state(h, HELLO_DONE) < 0)
                return;
        stop_work(h);
        h->ops.on_end(h, serves, h->userdata);
}

static bool is_grpc(ServiceKind k)
{
        return k == SERVICE_GRPC || k == SERVICE_HTTP2;
}

/* The first line of a foreign text. */
static void copy_words(char *buf, size_t size, const uint8_t *data, size_t n)
{
        size_t len = 0;
        while (len < n && data[len] != '\r' && data[len] != '\n')
                len++;
        _cleanup_free_ char *s = str_escape((const char *)data, len, size - 1);
        if (s)
                (void)snprintf(buf, size, "%s", s);
}

static void note_hello(Evidence *e, const TalkAnswer *a)
{
        HelloFacts *h = &e->hello;
        h->asked = true;
        h->kind = a->kind;
        h->began = a->size > 0;
        h->closed = a->closed;
        h->took = a->took;
        h->stream = a->stream;
        h->stream_known = a->stream_known;
        copy_words(h->text, sizeof(h->text), a->data, a->size);
}

/* --- a second connection, when the first is silent ----------------------------------------------
 */

static void on_second_answer(Talk *t, const TalkAnswer *a, void *userdata)
{
        HelloStage *h = userdata;
        note_second(&h->e->hello, a);
        h->second = talk_free(h->second);
}

static void start_second(HelloStage *h)
{
        ConnectPolicy policy = {.addr = h->e->addr, .n_sockets = 1, .mss = SECOND_MSS};
        facts_source(h->e, &policy);
        /* ends before the first one does; trouble leaves "second" unknown */
        (void)talk_new(h->event, -EBADF, &policy, h->context ? GREETING_TLS : GREETING_HTTP2,
                       GREETING_TIMEOUT - SECOND_AFTER - 100 * USEC_PER_MSEC, on_second_answer, h,
                       &h->second);
}

static bool is_lost(const TalkAnswer *a)
{
        return a->size == 0 && a->stream_known && a->stream.unsent > 0 &&
               a->stream.retransmits >= LOST_AFTER;
}

static void on_plain_answer(Talk *t, const TalkAnswer *a, void *userdata);
static void on_tls_answer(TlsStage *t, const TlsFacts *facts, const TalkAnswer *a, void *userdata);

/* Whether nothing that is sent on either connection arrives, which more waiting would not change:
 * then the first one is over. */
static bool end_lost(HelloStage *h)
{
        TalkAnswer first = {0}, second;
        TlsFacts facts;

        if (!h->second)
                return false;
        talk_snapshot(h->second, &second);
        if (h->state == HELLO_PLAIN && h->talk)
                talk_snapshot(h->talk, &first);
        else if (h->state == HELLO_TLS && h->tls && h->context)
                tls_stage_snapshot(h->tls, &facts, &first);
        if (!is_lost(&first) || !is_lost(&second))
                return false;
        h->e->hello.second_lost = true;
        if (h->state == HELLO_PLAIN)
                on_plain_answer(h->talk, &first, h);
        else
                on_tls_answer(h->tls, &facts, &first, h);
        return true;
}

static int on_second_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        HelloStage *h = userdata;

        if (!h->second_begun) {
                h->second_begun = true;
                start_second(h);
        } else if (end_lost(h))
                return 0;
        (void)sd_event_source_set_time_relative(s, SECOND_TICK);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

/* --- the greetings -------------------------------------------------------------------------------
 */

static void ask_again(HelloStage *h, HelloState state, Greeting g, usec_t timeout, talk_cb cb)
{
        ConnectPolicy policy = {.addr = h->e->addr, .n_sockets = 2};
        facts_source(h->e, &policy);
        int r = hello_set_state(h, state);
        stop_work(h);
        if (r < 0 || talk_new(h->event, -EBADF, &policy, g, timeout, cb, h, &h->talk) < 0)
                finish(h, false);
}

static void on_silence_answer(Talk *t, const TalkAnswer *a, void *userdata)
{
        HelloStage *h = userdata;
        h->e->hello.again = a->kind == SERVICE_CLOSED && a->closed == 0;
        finish(h, false);
}

static void on_http_answer(Talk *t, const TalkAnswer *a, void *userdata)
{
        HelloStage *h = userdata;
        HelloFacts *f = &h->e->hello;
        f->by_http = a->kind;
        f->again = f->again && a->kind != SERVICE_UNKNOWN;
        if (!f->again || !h->tls_reset) {
                finish(h, false);
                return;
        }
        f->again = false; /* unless this says so */
        ask_again(h, HELLO_SILENCE, GREETING_NONE, SILENCE_TIMEOUT, on_silence_answer);
}

static void look_for_tls(HelloStage *h);

static void on_plain_answer(Talk *t, const TalkAnswer *a, void *userdata)
{
        HelloStage *h = userdata;

        note_hello(h->e, a);
        if (a->kind == SERVICE_GRPC && !h->context)
                h->ops.on_connection(h, talk_take_fd(t), a->data, a->size, h->userdata);
        if (a->kind != SERVICE_CLOSED)
                finish(h, is_grpc(a->kind) && !h->context);
        else if (h->context)
                ask_again(h, HELLO_HTTP, GREETING_HTTP1, RETRY_TIMEOUT, on_http_answer);
        else
                look_for_tls(h);
}

static void note_tls(HelloStage *h, const TlsFacts *facts)
{
        h->e->tls = *facts;
        h->e->hello.tls = facts->spoken && !h->context;
        h->e->hello.again = tls_facts_ended(facts);
        if (h->context && facts->negotiated) /* both were answered; what is missing comes later */
                h->e->hello.second_spoke = false;
        if (facts->early || facts->late)
                facts_clock(h->e);
}

/* We were hung up on; is it TLS that is wanted? */
static void on_look_answer(TlsStage *t, const TlsFacts *facts, const TalkAnswer *a, void *userdata)
{
        HelloStage *h = userdata;

        note_tls(h, facts);
        h->tls_reset = a->closed != 0;
        h->e->hello.again = h->e->hello.again && a->connected;
        if (facts->spoken)
                finish(h, false);
        else
                ask_again(h, HELLO_HTTP, GREETING_HTTP1, RETRY_TIMEOUT, on_http_answer);
}

/* In small segments: a certificate is large, and this is not the time to find a hole. */
static void look_for_tls(HelloStage *h)
{
        ConnectPolicy policy = {.addr = h->e->addr, .n_sockets = 2, .mss = SECOND_MSS};
        TlsStageRequest request = {.host = hello_host(h->e), .timeout = GREETING_TIMEOUT};
        facts_source(h->e, &policy);
        int r = hello_set_state(h, HELLO_TLS);
        stop_work(h);
        if (r < 0 ||
            tls_stage_new(h->event, -EBADF, &policy, &request, on_look_answer, h, &h->tls) < 0)
                finish(h, false);
}

static void on_tls_answer(TlsStage *t, const TlsFacts *facts, const TalkAnswer *a, void *userdata)
{
        HelloStage *h = userdata;
        bool silent = !tls_facts_ended(facts);

        note_hello(h->e, a);
        note_tls(h, facts);
        h->tls_reset = a->closed != 0;
        /* whatever it is, it speaks no TLS: what does it speak in the clear? */
        if (!facts->spoken && !silent)
                ask_again(h, HELLO_PLAIN, GREETING_HTTP2, RETRY_TIMEOUT, on_plain_answer);
        else
                finish(h, facts->negotiated && !tls_facts_defect(facts) && is_grpc(a->kind));
}

static int begin(HelloStage *h, int fd)
{
        ConnectPolicy policy = {.addr = h->e->addr};
        TlsStageRequest request = {
                .context = h->context, .host = hello_host(h->e), .timeout = GREETING_TIMEOUT};
        if (h->context)
                return tls_stage_new(h->event, fd, &policy, &request, on_tls_answer, h, &h->tls);
        return talk_new(h->event, fd, NULL, GREETING_HTTP2, GREETING_TIMEOUT, on_plain_answer, h,
                        &h->talk);
}

int hello_stage_new(sd_event *event, Evidence *e, int fd, const TlsContext *tls,
                    const HelloOps *ops, void *userdata, HelloStage **ret)
{
        _cleanup_(hello_stage_freep) HelloStage *h = new0(HelloStage, 1);
        if (!h)
                return -ENOMEM;
        *h = (HelloStage){
                .event = event,
                .e = e,
                .ops = *ops,
                .userdata = userdata,
                .context = tls,
                .state = tls ? HELLO_TLS : HELLO_PLAIN,
                .state_since = now_mono(),
        };
        e->tls_wanted = tls;
        str_copy(e->tls_ca_file, sizeof(e->tls_ca_file), tls ? tls_context_ca_file(tls) : "");
        str_copy(e->tls_cert_file, sizeof(e->tls_cert_file), tls ? tls_context_cert_file(tls) : "");
        e->tls = (TlsFacts){.alert = -1};
        int r = sd_event_add_time_relative(event, &h->second_timer, CLOCK_MONOTONIC, SECOND_AFTER,
                                           USEC_PER_MSEC, on_second_timer, h);
        if (r >= 0)
                r = begin(h, fd); /* the last that can fail: the descriptor goes with it */
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

void hello_stage_snapshot(HelloStage *h)
{
        TalkAnswer a;
        TlsFacts facts;

        if (h->state == HELLO_PLAIN && h->talk) {
                talk_snapshot(h->talk, &a);
                note_hello(h->e, &a);
        } else if (h->state == HELLO_TLS && h->tls) {
                tls_stage_snapshot(h->tls, &facts, &a);
                if (h->context)
                        note_hello(h->e, &a);
                note_tls(h, &facts);
        }
        tell_step(h);
}
