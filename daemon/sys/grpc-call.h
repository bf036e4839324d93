/* One unary gRPC call over an h2 connection, with a deadline. Knows gRPC, not Ray: what a status or
 * a message means is read by gcs/ and probe/. */
#pragma once

#include "base/time.h"
#include "sys/h2.h"

typedef struct GrpcCall GrpcCall;

typedef enum GrpcOutcome {
        GRPC_ANSWERED,      /* a grpc-status came; with status 0 there is one message */
        GRPC_NO_CONNECTION, /* the connect failed: error */
        GRPC_CLOSED,        /* connected, then closed, reset or refused before an answer: error */
        GRPC_TIMEOUT,       /* the deadline passed; h2_phase() tells how far it came */
        GRPC_NOT_HTTP2,     /* what came first is not HTTP/2; see h2_first_bytes() */
        GRPC_NOT_GRPC,      /* HTTP/2, but not a gRPC answer: http_status, text */
        GRPC_GARBAGE,       /* broken HTTP/2, broken frame, no status, or over a limit: text */
        _GRPC_OUTCOME_MAX,
        _GRPC_OUTCOME_INVALID = -EINVAL,
} GrpcOutcome;

const char *grpc_outcome_to_string(GrpcOutcome o);

typedef struct GrpcResult {
        GrpcOutcome outcome;
        int error;       /* negative errno of the layer below, else 0 */
        int status;      /* grpc-status as sent, -1 = none came */
        int http_status; /* 0 = none came */
        /* grpc-message, decoded and cleaned, or what is wrong in a few words; never NULL. */
        const char *text;
        const uint8_t *message; /* of GRPC_ANSWERED with status 0 */
        size_t size;
} GrpcResult;

typedef struct GrpcRequest {
        const char *path; /* "/ray.rpc.NodeInfoGcsService/CheckAlive" */
        const void *message;
        size_t size;
        const char *token;      /* "authorization: Bearer …", or NULL */
        const char *cluster_id; /* 56 hex digits for "ray_cluster_id", or NULL */
        usec_t timeout;         /* from now, connecting included */
        size_t reply_max;       /* bytes of the message; 0 = GRPC_REPLY_MAX */
} GrpcRequest;

#define GRPC_REPLY_MAX ((size_t)1 << 20)

/* The result is valid during the callback. The call, and the connection, may be freed inside it. */
typedef void (*grpc_cb)(GrpcCall *call, const GrpcResult *result, void *userdata);

/* Everything in the request is copied. Ends in exactly one callback, from the loop, unless freed
 * before; the caller frees the call in either case. Freed before its end it is cancelled. -EPIPE
 * when the connection takes no more calls, -EBUSY when it has H2_REQUESTS_MAX under way, -EINVAL
 * for a token that no header can carry. When the connection is freed first, no callback comes any
 * more. */
int grpc_call_new(sd_event *event, H2 *h, const GrpcRequest *request, grpc_cb cb, void *userdata,
                  GrpcCall **ret);
GrpcCall *grpc_call_free(GrpcCall *call);
DEFINE_CLEANUP(GrpcCall *, grpc_call_free);
