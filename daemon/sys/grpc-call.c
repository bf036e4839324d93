#include "sys/grpc-call.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/deadline.h"
#include "wire/grpc.h"

struct GrpcCall {
        H2Request *request;
        H2 *h; /* weak; only to ask its phase */
        Deadline *deadline;
        size_t reply_max;
        grpc_cb cb;
        void *userdata;
};

static const char *const outcome_table[_GRPC_OUTCOME_MAX] = {
        [GRPC_ANSWERED] = "answered",    [GRPC_NO_CONNECTION] = "no connection",
        [GRPC_CLOSED] = "closed",        [GRPC_TIMEOUT] = "timeout",
        [GRPC_NOT_HTTP2] = "not HTTP/2", [GRPC_NOT_GRPC] = "not gRPC",
        [GRPC_GARBAGE] = "garbage",
};

const char *grpc_outcome_to_string(GrpcOutcome o)
{
        return o >= 0 && o < _GRPC_OUTCOME_MAX ? outcome_table[o] : NULL;
}

GrpcCall *grpc_call_free(GrpcCall *call)
{
        if (!call)
                return NULL;
        deadline_free(call->deadline);
        h2_request_free(call->request);
        free(call);
        return NULL;
}

/* The connection or the stream ended without an answer in order. */
static void read_failure(const GrpcCall *call, const H2Response *response, GrpcResult *res)
{
        H2Phase phase = h2_phase(call->h);

        res->error = response->error;
        if (response->error == -EMSGSIZE) {
                res->outcome = GRPC_GARBAGE;
                res->text = "the answer is over its limit";
        } else if (!h2_was_connected(call->h)) {
                res->outcome = GRPC_NO_CONNECTION;
                res->text = "no connection";
        } else if (phase == H2_NOT_HTTP2) {
                res->outcome = GRPC_NOT_HTTP2;
                res->text = "what answers does not speak HTTP/2";
        } else if (phase == H2_BROKEN) {
                res->outcome = GRPC_GARBAGE;
                res->text = "broken HTTP/2";
        } else {
                res->outcome = GRPC_CLOSED;
                res->text = response->error == -EPIPE          ? "the peer closed the connection"
                            : response->error == -ECONNABORTED ? "the peer refused the call"
                                                               : "the connection broke";
        }
}

/* A status in the trailers is the answer, whatever came before it; without one it is not gRPC, or
 * was cut. */
static void read_answer(const GrpcCall *call, const H2Response *response, GrpcResult *res,
                        char **text)
{
        const char *http = h2_response_header(response, ":status");
        const char *status = h2_response_header(response, "grpc-status");
        const char *message = h2_response_header(response, "grpc-message");

        res->http_status = http ? atoi(http) : 0; /* three digits, nghttp2 has looked */
        if (!grpc_is_content_type(h2_response_header(response, "content-type")) ||
            res->http_status != 200) {
                res->outcome = GRPC_NOT_GRPC;
                *text = str_printf("HTTP status %d without a gRPC answer", res->http_status);
                return;
        }
        res->outcome = GRPC_GARBAGE;
        if (!status) {
                res->text = "the answer ends without a status";
                return;
        }
        res->status = grpc_parse_status(status);
        if (res->status < 0) {
                res->status = -1;
                res->text = "the answer has no status that exists";
                return;
        }
        if (message)
                *text = grpc_decode_message(message);
        if (res->status == 0) {
                int r = grpc_unframe_only(response->body, response->body_size, call->reply_max,
                                          &res->message, &res->size);
                if (r < 0) {
                        res->error = r;
                        res->text = r == -EMSGSIZE ? "the answer is over its limit"
                                                   : "the answer's frame is broken";
                        return;
                }
        }
        res->outcome = GRPC_ANSWERED;
}

static void on_response(H2Request *q, const H2Response *response, void *userdata)
{
        GrpcCall *call = userdata;
        GrpcResult res = {.status = -1, .text = ""};
        _cleanup_free_ char *text = NULL;

        call->deadline = deadline_free(call->deadline);
        if (response->error == 0 ||
            (response->error == -ECONNABORTED && h2_response_header(response, "grpc-status")))
                read_answer(call, response, &res, &text);
        else
                read_failure(call, response, &res);
        if (text && isempty(res.text))
                res.text = text;
        call->cb(call, &res, call->userdata);
}

static void on_deadline(void *userdata)
{
        GrpcCall *call = userdata;
        GrpcResult res = {.outcome = GRPC_TIMEOUT,
                          .error = -ETIMEDOUT,
                          .status = -1,
                          .text = "no answer in time"};

        call->deadline = deadline_free(call->deadline);
        call->request = h2_request_free(call->request);
        call->cb(call, &res, call->userdata);
}

/* Visible ASCII and no line ends: what a header can carry. */
static bool is_header_value(const char *s)
{
        for (; *s; s++)
                if (*s <= 0x20 || *s >= 0x7f)
                        return false;
        return true;
}

static int submit(GrpcCall *call, H2 *h, const GrpcRequest *request)
{
        _cleanup_buf_ Buf body = {0};
        _cleanup_free_ char *authorization = NULL;
        char timeout[32];
        H2Header headers[6];
        size_t n = 0;

        int r = grpc_frame(&body, request->message, request->size);
        if (r < 0)
                return r;
        (void)snprintf(timeout, sizeof(timeout), "%llum",
                       (unsigned long long)MIN(request->timeout / USEC_PER_MSEC, (usec_t)99999999));
        headers[n++] = (H2Header){"content-type", "application/grpc"};
        headers[n++] = (H2Header){"te", "trailers"};
        headers[n++] = (H2Header){"user-agent", "raycluster/" RAYCLUSTER_VERSION};
        headers[n++] = (H2Header){"grpc-timeout", timeout};
        if (request->token) {
                if (!is_header_value(request->token))
                        return -EINVAL;
                authorization = str_printf("Bearer %s", request->token);
                if (!authorization)
                        return -ENOMEM;
                headers[n++] = (H2Header){"authorization", authorization};
        }
        if (request->cluster_id)
                headers[n++] = (H2Header){"ray_cluster_id", request->cluster_id};
        r = h2_post(h, request->path, headers, n, buf_data(&body), buf_size(&body),
                    call->reply_max + GRPC_FRAME_HEAD, on_response, call, &call->request);
        if (authorization)
                explicit_bzero(authorization, strlen(authorization));
        return r;
}

int grpc_call_new(sd_event *event, H2 *h, const GrpcRequest *request, grpc_cb cb, void *userdata,
                  GrpcCall **ret)
{
        _cleanup_(grpc_call_freep) GrpcCall *call = new0(GrpcCall, 1);
        if (!call)
                return -ENOMEM;
        *call = (GrpcCall){.h = h,
                           .reply_max = request->reply_max ? request->reply_max : GRPC_REPLY_MAX,
                           .cb = cb,
                           .userdata = userdata};
        int r = deadline_new(event, request->timeout, 10 * USEC_PER_MSEC, on_deadline, call,
                             &call->deadline);
        if (r < 0)
                return r;
        r = submit(call, h, request);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(call);
        return 0;
}
