/* A call:   begin ──> step ──> answer ──> (next step …) ──> finish: the one callback
 *
 * The connection is made by the first call and kept. It is given up, and the next call makes a new
 * one, when the peer ends it or a call on it times out without a byte having come. A given-up
 * connection lives until its last call ended. */
#include "gcs/client.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "gcs/call.h"
#include "gcs/tls.h"
#include "wire/grpc.h"

static const char *const gcs_status_table[_GCS_STATUS_MAX] = {
        [GCS_OK] = "ok",
        [GCS_UNREACHABLE] = "unreachable",
        [GCS_TIMEOUT] = "timeout",
        [GCS_TLS] = "tls",
        [GCS_NOT_GRPC] = "not-grpc",
        [GCS_NOT_RAY] = "not-ray",
        [GCS_WRONG_CLUSTER] = "wrong-cluster",
        [GCS_TOKEN] = "token",
        [GCS_REFUSED] = "refused",
        [GCS_NOT_FOUND] = "not-found",
        [GCS_GARBAGE] = "garbage",
};
DEFINE_STRTAB(gcs_status, GcsStatus);

struct Conn {
        H2 *h2;
        GcsTls tls;
        GcsClient *client; /* weak */
        unsigned n_calls;
        bool stale; /* no new calls; freed with its last one */
};

struct GcsClient {
        sd_event *event;
        Addr addr;
        char name[ADDR_PORT_MAX]; /* of addr, for texts */
        char *token;
        char *ca, *cert, *key;        /* paths of TLS; NULL = in clear */
        char cluster[RAY_ID_STR_MAX]; /* "" = not said */
        usec_t timeout;
        Conn *conn; /* NULL = the next call connects */
        Call *calls;
};

/* --- the connection -----------------------------------------------------------------------------
 */

static Conn *conn_free(Conn *conn)
{
        if (!conn)
                return NULL;
        h2_free(conn->h2);
        gcs_tls_done(&conn->tls);
        free(conn);
        return NULL;
}
DEFINE_CLEANUP(Conn *, conn_free);

static void conn_give_up(Conn *conn)
{
        conn->stale = true;
        if (conn->client->conn == conn)
                conn->client->conn = NULL;
        if (conn->n_calls == 0)
                conn_free(conn);
}

static void on_h2_phase(H2 *h, H2Phase before, H2Phase now, void *userdata)
{
        Conn *conn = userdata;

        if (now >= H2_GOING && !conn->stale)
                conn_give_up(conn);
}

static int client_connect(GcsClient *c, Conn **ret)
{
        static const H2Ops ops = {.on_phase = on_h2_phase};

        if (c->conn && h2_phase(c->conn->h2) >= H2_GOING)
                conn_give_up(c->conn);
        if (!c->conn) {
                _cleanup_(conn_freep) Conn *conn = new0(Conn, 1);
                if (!conn)
                        return -ENOMEM;
                conn->client = c;
                int r = h2_connect(c->event, &c->addr, &ops, conn, &conn->h2);
                if (r >= 0 && c->key)
                        r = gcs_tls_begin(&conn->tls, &(TlsFiles){c->ca, c->cert, c->key}, &c->addr,
                                          conn->h2);
                if (r < 0)
                        return r;
                c->conn = TAKE_PTR(conn);
        }
        *ret = c->conn;
        return 0;
}

/* --- a call -------------------------------------------------------------------------------------
 */

static void call_leave_conn(Call *call)
{
        Conn *conn = TAKE_PTR(call->conn);

        call->grpc = grpc_call_free(call->grpc);
        if (conn && --conn->n_calls == 0 && conn->stale)
                conn_free(conn);
}

static void call_unlink(Call *call)
{
        for (Call **p = &call->client->calls; *p; p = &(*p)->next)
                if (*p == call) {
                        *p = call->next;
                        return;
                }
}

static Call *call_free(Call *call)
{
        if (!call)
                return NULL;
        call_leave_conn(call);
        node_set_free(call->nodes);
        free(call->value);
        buf_done(&call->later);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(Call *, call_free);

static void call_finish(Call *call, GcsStatus status, int error, int grpc_status, const char *text)
{
        _cleanup_(call_freep) Call *owned = call;
        GcsResult res = {
                .status = status, .error = error, .grpc_status = grpc_status, .text = text};

        call_unlink(call);
        call_leave_conn(call);
        call->tell(call->client, call, &res);
}

static GcsStatus status_of(const GrpcResult *r)
{
        switch (r->outcome) {
        case GRPC_ANSWERED:
                break;
        case GRPC_NO_CONNECTION:
        case GRPC_CLOSED:
                return GCS_UNREACHABLE;
        case GRPC_TIMEOUT:
                return GCS_TIMEOUT;
        case GRPC_NOT_HTTP2:
        case GRPC_NOT_GRPC:
                return GCS_NOT_GRPC;
        default:
                return GCS_GARBAGE;
        }
        switch (r->status) {
        case 0:
                return GCS_OK;
        case 4:
                return GCS_TIMEOUT;
        case 12:
                return GCS_NOT_RAY;
        case 14:
                return GCS_UNREACHABLE;
        case 16:
                return startswith(r->text, "WrongClusterID") ? GCS_WRONG_CLUSTER : GCS_TOKEN;
        default:
                return GCS_REFUSED;
        }
}

static bool tls_is_reason(const Call *call)
{
        char text[CALL_WORDS_MAX];

        return gcs_tls_is_reason(&call->conn->tls, call->client->name,
                                 h2_received(call->conn->h2) > 0, text, sizeof(text));
}

/* One sentence about a call that got no answer in order. */
static void explain(const Call *call, const GrpcResult *r, GcsStatus status,
                    char text[CALL_WORDS_MAX])
{
        const char *name = call->client->name;
        char took[DURATION_MAX];
        const uint8_t *first;
        bool silent = h2_first_bytes(call->conn->h2, &first) == 0;

        switch (status) {
        case GCS_UNREACHABLE:
                if (r->outcome == GRPC_ANSWERED)
                        (void)snprintf(text, CALL_WORDS_MAX, "%s cannot serve now: %s", name,
                                       r->text);
                else if (r->outcome == GRPC_NO_CONNECTION)
                        (void)snprintf(text, CALL_WORDS_MAX, "No connection to %s: %s", name,
                                       strerror(-r->error));
                else if (silent)
                        (void)snprintf(text, CALL_WORDS_MAX,
                                       "%s closed the connection without a word (it may want TLS)",
                                       name);
                else
                        (void)snprintf(text, CALL_WORDS_MAX, "Connection to %s lost: %s", name,
                                       r->text);
                break;
        case GCS_TLS:
                (void)gcs_tls_is_reason(&call->conn->tls, name, !silent, text, CALL_WORDS_MAX);
                break;
        case GCS_TIMEOUT:
                (void)snprintf(text, CALL_WORDS_MAX, "%s %s within %s", name,
                               h2_was_connected(call->conn->h2) ? "did not answer"
                                                                : "could not be connected to",
                               format_duration(took, call->client->timeout));
                break;
        case GCS_NOT_GRPC:
                (void)snprintf(text, CALL_WORDS_MAX, "What answers on %s is not a GCS: %s", name,
                               r->text);
                break;
        case GCS_NOT_RAY:
                (void)snprintf(text, CALL_WORDS_MAX, "What answers on %s is gRPC, but knows no %s",
                               name, gcs_method_path(call->method) + 1);
                break;
        case GCS_WRONG_CLUSTER:
                (void)snprintf(text, CALL_WORDS_MAX, "%s belongs to another cluster now", name);
                break;
        case GCS_TOKEN:
                (void)snprintf(text, CALL_WORDS_MAX, "%s refused our token: it is %s", name,
                               call->client->token ? "wrong" : "missing");
                break;
        case GCS_REFUSED:
                (void)snprintf(text, CALL_WORDS_MAX, "%s refused %s: %s %s", name,
                               gcs_method_path(call->method) + 1, grpc_status_name(r->status),
                               r->text);
                break;
        default:
                (void)snprintf(text, CALL_WORDS_MAX, "The answer of %s cannot be read: %s", name,
                               r->text);
        }
}

static void on_grpc_done(GrpcCall *grpc, const GrpcResult *result, void *userdata)
{
        Call *call = userdata;
        GcsClient *c = call->client;
        GcsStatus status = status_of(result);
        char text[CALL_WORDS_MAX] = "";

        if (status == GCS_UNREACHABLE && tls_is_reason(call))
                status = GCS_TLS;
        if (status != GCS_OK) {
                explain(call, result, status, text);
                if (result->outcome == GRPC_TIMEOUT && !call->conn->stale &&
                    h2_received(call->conn->h2) == call->received)
                        conn_give_up(call->conn); /* a frozen peer, or a cut link */
                call_finish(call, status, result->error, result->status, text);
                return;
        }
        int r = call->read(call, result->message, result->size);
        if (r > 0)
                return;
        if (r < 0) {
                (void)snprintf(text, sizeof(text), "The answer of %s to %s cannot be read: %s",
                               c->name, gcs_method_path(call->method) + 1,
                               r == -EMSGSIZE ? "over its limit"
                               : r == -ENOMEM ? "out of memory"
                                              : "not as expected");
                call_finish(call, GCS_GARBAGE, r, 0, text);
                return;
        }
        (void)snprintf(text, sizeof(text), "%s", call->words);
        call_finish(call, call->verdict, 0, 0, text);
}

/* Sends one request of the call; from the second on the rest of the time is left. */
int call_step(Call *call, GcsMethod method, const Buf *message, CallRead read)
{
        GcsClient *c = call->client;

        call_leave_conn(call);
        int r = client_connect(c, &call->conn);
        if (r < 0)
                return r;
        call->conn->n_calls++;
        call->method = method;
        call->read = read;
        call->received = h2_received(call->conn->h2);
        return grpc_call_new(
                c->event, call->conn->h2,
                &(GrpcRequest){
                        .path = gcs_method_path(method),
                        .message = message ? buf_data(message) : NULL,
                        .size = message ? buf_size(message) : 0,
                        .token = c->token,
                        .cluster_id = method == GCS_METHOD_GET_CLUSTER_ID || isempty(c->cluster)
                                              ? NULL
                                              : c->cluster,
                        .timeout = MAX(usec_sub(call->deadline, now_mono()), USEC_PER_MSEC),
                        .reply_max = gcs_method_reply_max(method),
                },
                on_grpc_done, call, &call->grpc);
}

int call_begin(GcsClient *c, Call proto, GcsMethod method, const Buf *message, CallRead read)
{
        _cleanup_(call_freep) Call *call = new0(Call, 1);
        if (!call) {
                buf_done(&proto.later);
                return -ENOMEM;
        }
        *call = proto;
        call->client = c;
        call->deadline = usec_add(now_mono(), c->timeout);
        int r = call_step(call, method, message, read);
        if (r < 0)
                return r;
        call->next = c->calls;
        c->calls = TAKE_PTR(call);
        return 0;
}

/* --- the client ---------------------------------------------------------------------------------
 */

static int take_files(GcsClient *c, const TlsFiles *tls)
{
        if (!tls)
                return 0;
        if (!tls->ca || !tls->cert || !tls->key)
                return -EINVAL;
        c->ca = strdup(tls->ca);
        c->cert = strdup(tls->cert);
        c->key = strdup(tls->key);
        return c->ca && c->cert && c->key ? 0 : -ENOMEM;
}

int gcs_client_new(sd_event *event, const GcsClientPolicy *policy, GcsClient **ret)
{
        if (!addr_is_set(&policy->addr) || policy->addr.port == 0 || policy->timeout == 0)
                return -EINVAL;
        _cleanup_(gcs_client_freep) GcsClient *c = new0(GcsClient, 1);
        if (!c)
                return -ENOMEM;
        *c = (GcsClient){
                .event = sd_event_ref(event), .addr = policy->addr, .timeout = policy->timeout};
        (void)addr_format_port(c->name, &c->addr);
        if (policy->token) {
                c->token = strdup(policy->token);
                if (!c->token)
                        return -ENOMEM;
        }
        int r = take_files(c, policy->tls);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

GcsClient *gcs_client_free(GcsClient *c)
{
        if (!c)
                return NULL;
        while (c->calls) {
                Call *call = c->calls;
                c->calls = call->next;
                call_free(call);
        }
        conn_free(c->conn);
        if (c->token)
                explicit_bzero(c->token, strlen(c->token));
        free(c->token);
        free(c->ca);
        free(c->cert);
        free(c->key);
        sd_event_unref(c->event);
        free(c);
        return NULL;
}

void gcs_client_set_cluster(GcsClient *c, const RayId *id)
{
        if (id)
                (void)ray_id_format(c->cluster, id);
        else
                c->cluster[0] = 0;
}

const char *gcs_client_name(const GcsClient *c)
{
        return c->name;
}
