/* connect ──> CheckAlive ──┬─> the versions in the KV store ──┬──────────────────────> answer
 *                          └──────── WrongClusterID ──────────┴─> the cluster's id ──┘ */
#include "probe/alive.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "sys/grpc-call.h"
#include "wire/gcs-codec.h"
#include "wire/grpc.h"

#define STATUS_UNIMPLEMENTED   12
#define STATUS_UNAUTHENTICATED 16

struct Alive {
        sd_event *event; /* weak */
        alive_cb cb;
        void *userdata;
        char *token, *cluster, *host;
        const TlsContext *tls; /* weak */
        Addr addr;
        char authority[ADDR_PORT_MAX];
        usec_t begin, deadline;

        ProbeSock *sock;
        H2 *h2;
        GrpcCall *call;
        sd_event_source *deadline_timer; /* while connecting; the calls have their own */
        AliveFacts facts;
        Versions head;
        bool ended;
};

Alive *alive_free(Alive *a)
{
        if (!a)
                return NULL;
        sd_event_source_disable_unref(a->deadline_timer);
        grpc_call_free(a->call);
        h2_free(a->h2);
        probe_sock_free(a->sock);
        free(a->token);
        free(a->cluster);
        free(a->host);
        free(a);
        return NULL;
}

static void end(Alive *a, AliveOutcome outcome, const char *text)
{
        if (a->ended)
                return;
        a->ended = true;
        a->deadline_timer = sd_event_source_disable_unref(a->deadline_timer);
        a->facts.outcome = outcome;
        a->facts.took = usec_sub(now_mono(), a->begin);
        if (text != a->facts.text)
                str_copy(a->facts.text, sizeof(a->facts.text), text);
        a->cb(a, &a->facts, &a->head, a->userdata);
}

/* The cluster id goes with CheckAlive only: with GetClusterId any is refused, and the table of
 * versions is to be read whatever the id. */
static int ask(Alive *a, GcsMethod method, const Buf *message, grpc_cb cb)
{
        GrpcRequest request = {
                .path = gcs_method_path(method),
                .message = message ? buf_data(message) : NULL,
                .size = message ? buf_size(message) : 0,
                .token = a->token,
                .cluster_id = method == GCS_METHOD_CHECK_ALIVE ? a->cluster : NULL,
                .timeout = MAX(usec_sub(a->deadline, now_mono()), USEC_PER_MSEC),
                .reply_max = gcs_method_reply_max(method),
        };
        a->call = grpc_call_free(a->call);
        return grpc_call_new(a->event, a->h2, &request, cb, a, &a->call);
}

/* Whatever comes of this: what CheckAlive said is known, and a->facts has it. */
static void on_cluster_answer(GrpcCall *call, const GrpcResult *r, void *userdata)
{
        Alive *a = userdata;
        GcsReplyStatus status;
        RayId id;

        if (r->outcome == GRPC_ANSWERED && r->status == 0 &&
            gcs_decode_cluster_id(r->message, r->size, &status, &id) >= 0 && status.code == 0) {
                ray_id_format(a->facts.cluster, &id);
                if (!streq(a->facts.cluster, a->cluster))
                        a->facts.outcome = ALIVE_WRONG_CLUSTER;
        }
        end(a, a->facts.outcome, a->facts.text);
}

/* CheckAlive has its answer; which cluster is it really? */
static void end_or_ask_cluster(Alive *a, AliveOutcome outcome, const char *text)
{
        a->facts.outcome = outcome;
        str_copy(a->facts.text, sizeof(a->facts.text), text);
        if (!a->cluster || ask(a, GCS_METHOD_GET_CLUSTER_ID, NULL, on_cluster_answer) < 0)
                end(a, outcome, a->facts.text);
}

/* Whatever comes of this: the GCS serves, that is known. */
static void on_metadata_answer(GrpcCall *call, const GrpcResult *r, void *userdata)
{
        Alive *a = userdata;
        GcsReplyStatus status;
        Versions v;
        _cleanup_free_ void *value = NULL;
        size_t size;

        if (r->outcome == GRPC_ANSWERED && r->status == 0 &&
            gcs_decode_kv_get(r->message, r->size, &status, &value, &size) >= 0 &&
            status.code == 0 && gcs_decode_cluster_metadata(value, size, &v) >= 0) {
                /* Ray's own start compares with the table */
                if (isempty(v.ray))
                        memcpy(v.ray, a->head.ray, sizeof(v.ray));
                a->head = v;
        }
        end_or_ask_cluster(a, ALIVE_OK, "serving");
}

static void take_alive(Alive *a, const GrpcResult *r)
{
        GcsReplyStatus status;
        _cleanup_buf_ Buf message = {0};

        if (gcs_decode_check_alive(r->message, r->size, &status, a->head.ray) < 0) {
                a->head = (Versions){0};
                end(a, ALIVE_GARBAGE, "its answer to CheckAlive cannot be read");
        } else if (status.code != 0)
                end(a, ALIVE_OTHER, status.text);
        else if (gcs_encode_kv_get(&message, "cluster", "CLUSTER_METADATA") < 0 ||
                 ask(a, GCS_METHOD_KV_GET, &message, on_metadata_answer) < 0)
                end_or_ask_cluster(a, ALIVE_OK, "serving");
}

static void take_status(Alive *a, const GrpcResult *r)
{
        char text[sizeof(a->facts.text)];
        (void)snprintf(text, sizeof(text), "%s%s%s", grpc_status_name(r->status),
                       isempty(r->text) ? "" : ": ", r->text);
        switch (r->status) {
        case 0:
                take_alive(a, r);
                return;
        case STATUS_UNIMPLEMENTED:
                end(a, ALIVE_NO_METHOD, text);
                return;
        case STATUS_UNAUTHENTICATED:
                /* Ray has two of these, told apart by their words (ray-facts 2) */
                if (startswith(r->text, "WrongClusterID"))
                        end_or_ask_cluster(a, ALIVE_WRONG_CLUSTER, text);
                else
                        end(a, startswith(r->text, "InvalidAuthToken") ? ALIVE_TOKEN : ALIVE_OTHER,
                            text);
                return;
        default:
                end(a, ALIVE_OTHER, text);
                return;
        }
}

static void on_alive_answer(GrpcCall *call, const GrpcResult *r, void *userdata)
{
        Alive *a = userdata;
        switch (r->outcome) {
        case GRPC_ANSWERED:
                take_status(a, r);
                return;
        case GRPC_TIMEOUT:
                end(a, ALIVE_SILENT, "no answer");
                return;
        case GRPC_NO_CONNECTION:
        case GRPC_CLOSED:
                end(a, ALIVE_CLOSED, isempty(r->text) ? "closed without an answer" : r->text);
                return;
        default:
                end(a, ALIVE_GARBAGE, isempty(r->text) ? "an answer that is no gRPC" : r->text);
                return;
        }
}

static int add_tls(Alive *a)
{
        TlsClient *client;

        int r = tls_client_new(a->tls, a->host, &a->addr, true, &client);
        if (r >= 0)
                h2_set_layer(a->h2, &tls_client_layer, client);
        return r;
}

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Alive *a = userdata;
        _cleanup_close_ int fd = -EBADF;

        a->deadline_timer = sd_event_source_disable_unref(a->deadline_timer);
        if (f->outcome == CONNECT_ESTABLISHED)
                fd = probe_sock_take_fd(p);
        int r = fd < 0 ? -ENOTCONN : h2_new_fd(a->event, fd, a->authority, NULL, NULL, &a->h2);
        if (r >= 0) {
                (void)TAKE_FD(fd);
                r = a->tls ? add_tls(a) : 0;
        }
        if (r >= 0)
                r = ask(a, GCS_METHOD_CHECK_ALIVE, NULL, on_alive_answer);
        a->sock = probe_sock_free(a->sock);
        if (r < 0)
                end(a, ALIVE_CLOSED, "a second connection failed");
}

static int on_deadline_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        end(userdata, ALIVE_SILENT, "a second connection got no answer");
        return 0;
}

int alive_new(sd_event *event, const ConnectPolicy *policy, const AliveRequest *request,
              alive_cb cb, void *userdata, Alive **ret)
{
        _cleanup_(alive_freep) Alive *a = new0(Alive, 1);
        if (!a)
                return -ENOMEM;
        *a = (Alive){.event = event, .cb = cb, .userdata = userdata, .begin = now_mono()};
        a->addr = policy->addr;
        a->tls = request->tls;
        a->deadline = usec_add(a->begin, request->timeout);
        addr_format_port(a->authority, &policy->addr);
        int r = free_and_strdup(&a->token, request->token);
        if (r >= 0)
                r = free_and_strdup(&a->cluster, request->cluster);
        if (r >= 0)
                r = free_and_strdup(&a->host, request->host);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &a->deadline_timer, CLOCK_MONOTONIC,
                                               request->timeout, USEC_PER_MSEC, on_deadline_timer,
                                               a);
        if (r >= 0)
                r = probe_sock_new(event, policy, on_sock_answer, a, &a->sock);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}
