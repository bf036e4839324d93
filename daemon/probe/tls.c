/* connect ──> handshake ──> (what it says, greeted after a while) ──> answer */
#include "probe/tls.h"

#include "base/alloc.h"
#include "base/fd.h"

struct TlsStage {
        sd_event *event; /* weak */
        tls_stage_cb cb;
        void *userdata;

        Addr addr;
        char *host;
        const TlsContext *context; /* weak */
        TlsContext *bare;          /* of a look */
        ProbeSock *sock;           /* while connecting */
        Stream *stream;
        TlsClient *client; /* the stream's */
        sd_event_source *deadline_timer;
        sd_event_source *greet_timer;
        usec_t begin;
        uint8_t data[SERVICE_BYTES_MAX];
        size_t size;
        bool ended;
};

TlsStage *tls_stage_free(TlsStage *t)
{
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->deadline_timer);
        sd_event_source_disable_unref(t->greet_timer);
        probe_sock_free(t->sock);
        stream_free(t->stream); /* and the client */
        tls_context_free(t->bare);
        free(t->host);
        free(t);
        return NULL;
}

void tls_stage_snapshot(const TlsStage *t, TlsFacts *ret_facts, TalkAnswer *ret_answer)
{
        int fd = t->stream ? stream_fd(t->stream) : -EBADF;

        *ret_facts = (TlsFacts){.alert = -1};
        *ret_answer = (TalkAnswer){.connected = t->stream, .took = usec_sub(now_mono(), t->begin)};
        if (t->client)
                tls_client_facts(t->client, ret_facts);
        if (ret_facts->negotiated) {
                ret_answer->data = t->data;
                ret_answer->size = t->size;
                ret_answer->kind = service_identify(t->data, t->size, false);
        } else if (t->client)
                ret_answer->size = tls_client_first_bytes(t->client, &ret_answer->data);
        ret_answer->stream_known = fd >= 0 && probe_stream_facts(fd, &ret_answer->stream) >= 0;
}

static void end(TlsStage *t, ServiceKind kind, int closed)
{
        TlsFacts facts;
        TalkAnswer a;

        if (t->ended)
                return;
        t->ended = true;
        tls_stage_snapshot(t, &facts, &a);
        a.kind = kind;
        a.closed = closed;
        t->deadline_timer = sd_event_source_disable_unref(t->deadline_timer);
        t->greet_timer = sd_event_source_disable_unref(t->greet_timer);
        t->cb(t, &facts, &a, t->userdata);
}

static int on_greet_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        TlsStage *t = userdata;
        size_t size;
        const uint8_t *bytes = greeting_bytes(GREETING_HTTP2, &size);

        (void)stream_write(t->stream, bytes, size); /* trouble comes by on_closed */
        return 0;
}

static int on_deadline_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        end(userdata, SERVICE_UNKNOWN, 0);
        return 0;
}

static void on_stream_connected(Stream *s, void *userdata)
{
        TlsStage *t = userdata;
        TlsFacts f;

        tls_client_facts(t->client, &f);
        /* the cause is known; what is left is whether it hangs up over our certificate as well */
        if (!t->bare && tls_facts_defect(&f))
                (void)sd_event_source_set_time_relative(t->deadline_timer, TLS_DEFECT_WAIT);
        if (t->bare ||
            sd_event_add_time_relative(t->event, &t->greet_timer, CLOCK_MONOTONIC, TLS_GREET_AFTER,
                                       USEC_PER_MSEC, on_greet_timer, t) < 0)
                end(t, SERVICE_UNKNOWN, 0);
}

static void on_stream_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        TlsStage *t = userdata;
        size_t n = MIN(size, sizeof(t->data) - t->size);

        memcpy(t->data + t->size, data, n);
        t->size += n;
        ServiceKind kind = service_identify(t->data, t->size, false);
        if (kind == SERVICE_UNKNOWN && t->size == sizeof(t->data))
                kind = SERVICE_OTHER;
        if (kind != SERVICE_UNKNOWN)
                end(t, kind, 0);
}

static void on_stream_closed(Stream *s, int error, void *userdata)
{
        TlsStage *t = userdata;
        TlsFacts f;
        ServiceKind kind = SERVICE_CLOSED;

        tls_client_facts(t->client, &f);
        if (f.negotiated && t->size > 0)
                kind = service_identify(t->data, t->size, true);
        else if (f.outcome == TLS_OUTCOME_NOT_SPOKEN)
                kind = SERVICE_OTHER;
        end(t, kind, f.error);
}

static const StreamOps stream_ops = {
        .on_connected = on_stream_connected,
        .on_data = on_stream_data,
        .on_closed = on_stream_closed,
};

/* fd stays the caller's on failure. */
static int begin(TlsStage *t, int fd)
{
        const TlsContext *c = t->context ? t->context : t->bare;

        int r = tls_client_new(c, t->host, &t->addr, false, &t->client);
        if (r < 0)
                return r;
        r = stream_new_fd(t->event, fd, &stream_ops, t, &t->stream);
        if (r < 0) {
                t->client = tls_client_free(t->client);
                return r;
        }
        stream_set_layer(t->stream, &tls_client_layer, t->client);
        t->begin = now_mono();
        return 0;
}

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        TlsStage *t = userdata;
        int error = f->error;
        _cleanup_close_ int fd = f->outcome == CONNECT_ESTABLISHED ? probe_sock_take_fd(p) : -EBADF;

        t->sock = probe_sock_free(t->sock); /* and the facts with it */
        if (fd < 0)
                /* a reset, not a refusal: it was accepted first */
                end(t, error == ECONNRESET ? SERVICE_CLOSED : SERVICE_UNKNOWN, error);
        else if (begin(t, fd) < 0)
                end(t, SERVICE_UNKNOWN, 0);
        else
                (void)TAKE_FD(fd);
}

int tls_stage_new(sd_event *event, int fd, const ConnectPolicy *policy,
                  const TlsStageRequest *request, tls_stage_cb cb, void *userdata, TlsStage **ret)
{
        _cleanup_(tls_stage_freep) TlsStage *t = new0(TlsStage, 1);
        TlsMistake none;
        if (!t)
                return -ENOMEM;
        *t = (TlsStage){
                .event = event,
                .cb = cb,
                .userdata = userdata,
                .addr = policy->addr,
                .context = request->context,
                .begin = now_mono(),
        };
        int r = request->host ? free_and_strdup(&t->host, request->host) : 0;
        if (r >= 0 && !t->context)
                r = tls_context_new(&(TlsFiles){0}, &none, &t->bare);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &t->deadline_timer, CLOCK_MONOTONIC,
                                               request->timeout, USEC_PER_MSEC, on_deadline_timer,
                                               t);
        if (r >= 0)
                r = fd >= 0 ? begin(t, fd)
                            : probe_sock_new(event, policy, on_sock_answer, t, &t->sock);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
