/* A client of Ray's GCS: unary gRPC calls on an sd-event loop, one connection, every call with a
 * deadline (gcs-min.proto).
 *
 * Calls that can crash Ray are refused before a byte is sent, with -EINVAL: ids that are not 28
 * bytes cannot be expressed (RayId), DrainNode wants a reason, last_seen versions are always 0,
 * UnregisterNode does not exist here (ray-facts 3).
 *
 * Every call ends in exactly one callback, from the loop, never from inside the call.
 * gcs_client_free() drops what is under way without calling back. The client may be freed from
 * inside its own callback. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "model/identity.h"
#include "model/node.h"
#include "sys/tls-context.h"

typedef struct GcsClient GcsClient;

/* What became of a call; the connect, HTTP/2 and gRPC layers folded into what a caller can act on.
 */
typedef enum GcsStatus {
        GCS_OK,
        GCS_UNREACHABLE, /* no connection: refused, no route, reset; `error` is the negative errno
                          */
        GCS_TIMEOUT,     /* connected or not, no answer in time */
        GCS_TLS,         /* TLS with it failed: no files, not spoken there, a certificate that does
                            not do */
        GCS_NOT_GRPC,    /* something else answers on this port */
        GCS_NOT_RAY, /* gRPC, but without this service or method (status 12): the wrong port, or not
                        a GCS */
        GCS_WRONG_CLUSTER, /* status 16 WrongClusterID */
        GCS_TOKEN,         /* status 16 InvalidAuthToken: missing or wrong */
        GCS_REFUSED,   /* Ray understood and said no (GcsStatus code, ABORTED, is_accepted = false);
                          text has its words */
        GCS_NOT_FOUND, /* KV: no such key */
        GCS_GARBAGE,   /* the answer cannot be decoded or is over its limit */
        _GCS_STATUS_MAX,
        _GCS_STATUS_INVALID = -EINVAL,
} GcsStatus;

DECLARE_STRTAB(gcs_status, GcsStatus);

typedef struct GcsResult {
        GcsStatus status;
        int error;        /* negative errno of the layer below, or 0 */
        int grpc_status;  /* as sent by the server, -1 = none came */
        const char *text; /* one sentence for people; valid during the callback, never NULL */
} GcsResult;

typedef struct GcsClientPolicy {
        Addr addr;           /* with port */
        const char *token;   /* Ray's token, or NULL; copied; goes into "authorization" and nowhere
                                else */
        const TlsFiles *tls; /* all three, copied; read for each connection. NULL: in clear */
        usec_t timeout;      /* of every call, from the call to the callback, connecting included */
} GcsClientPolicy;

int gcs_client_new(sd_event *event, const GcsClientPolicy *policy, GcsClient **ret);
GcsClient *gcs_client_free(GcsClient *c);
DEFINE_CLEANUP(GcsClient *, gcs_client_free);

/* From now on every call but GetClusterId says which cluster it means; another one answers
 * GCS_WRONG_CLUSTER. NULL: none is said. */
void gcs_client_set_cluster(GcsClient *c, const RayId *id);

/* In all callbacks the payload is valid only when result->status == GCS_OK, and belongs to the
 * client unless said. */

/* CheckAlive: is a GCS there, and which Ray is it ("" = it did not say). */
typedef void (*gcs_alive_cb)(GcsClient *c, const GcsResult *result, const char *ray_version,
                             void *userdata);
int gcs_client_check_alive(GcsClient *c, gcs_alive_cb cb, void *userdata);

typedef void (*gcs_cluster_id_cb)(GcsClient *c, const GcsResult *result, const RayId *id,
                                  void *userdata);
int gcs_client_get_cluster_id(GcsClient *c, gcs_cluster_id_cb cb, void *userdata);

/* All nodes with totals; *nodes may be taken by setting it to NULL. */
typedef void (*gcs_nodes_cb)(GcsClient *c, const GcsResult *result, NodeSet **nodes,
                             void *userdata);
int gcs_client_get_nodes(GcsClient *c, gcs_nodes_cb cb, void *userdata);

/* As get_nodes, but a few nodes only: the one with this id, all that ever were at this address
 * (dead ones too), or the head's. At most `limit` (0 = NODE_SET_MAX), living ones first. -EINVAL:
 * more than one of them, a nil id. Strings are copied. */
typedef struct GcsNodeFilter {
        const RayId *id;
        const char *address;
        bool head;
        size_t limit;
} GcsNodeFilter;
int gcs_client_find_nodes(GcsClient *c, const GcsNodeFilter *filter, gcs_nodes_cb cb,
                          void *userdata);

/* GetClusterStatus: as get_nodes, plus what is available, idle and draining, merged into one set;
 * pending demand as a count. */
typedef struct GcsDemand {
        size_t n_shapes;     /* different resource requests pending */
        uint64_t n_requests; /* requests pending in all */
} GcsDemand;
typedef void (*gcs_cluster_cb)(GcsClient *c, const GcsResult *result, NodeSet **nodes,
                               const GcsDemand *demand, void *userdata);
int gcs_client_get_cluster(GcsClient *c, gcs_cluster_cb cb, void *userdata);

/* InternalKVGet; at most GCS_KV_VALUE_MAX bytes, else GCS_GARBAGE. */
#define GCS_KV_VALUE_MAX (1U << 20)
typedef void (*gcs_kv_cb)(GcsClient *c, const GcsResult *result, const void *value, size_t size,
                          void *userdata);
int gcs_client_kv_get(GcsClient *c, const char *ns, const char *key, gcs_kv_cb cb, void *userdata);

/* Versions from CheckAlive and KV cluster/CLUSTER_METADATA, in one. */
typedef void (*gcs_versions_cb)(GcsClient *c, const GcsResult *result, const Versions *v,
                                void *userdata);
int gcs_client_get_versions(GcsClient *c, gcs_versions_cb cb, void *userdata);

typedef enum GcsDrainReason {
        GCS_DRAIN_IDLE = 1,       /* refused while the node is busy */
        GCS_DRAIN_PREEMPTION = 2, /* always accepted */
} GcsDrainReason;
typedef void (*gcs_done_cb)(GcsClient *c, const GcsResult *result, void *userdata);
/* deadline_ms: Unix time in ms, > now. The id is looked up first: GCS_NOT_FOUND when no living node
 * has it (Ray itself would "accept"). text ≤ 200 bytes. */
int gcs_client_drain_node(GcsClient *c, const RayId *id, GcsDrainReason reason, const char *text,
                          uint64_t deadline_ms, gcs_done_cb cb, void *userdata);

/* grpc.health.v1 Health/Check; works on the GCS and on a raylet's node-manager port, needs no
 * token. */
int gcs_client_health(GcsClient *c, gcs_done_cb cb, void *userdata);

/* On a raylet's port: NodeManagerService/GetAgentPIDs. 0 = not said. */
typedef void (*gcs_agents_cb)(GcsClient *c, const GcsResult *result, pid_t dashboard_agent,
                              pid_t runtime_env_agent, void *userdata);
int gcs_client_get_agent_pids(GcsClient *c, gcs_agents_cb cb, void *userdata);
