/* Ray's GCS messages (2.60.0) to values of model/ and back. No fd, no clock.
 *
 * The encoder cannot express what aborts Ray (ray-facts 3): ids are RayId, so 28 bytes; DrainNode
 * wants a reason; a last-seen version is never sent; UnregisterNode does not exist. The decoder
 * bounds everything that repeats and cleans every text (wire/text). */
#pragma once

#include "base/buf.h"
#include "model/identity.h"
#include "model/node.h"

typedef enum GcsMethod {
        GCS_METHOD_CHECK_ALIVE,
        GCS_METHOD_GET_CLUSTER_ID, /* to be sent without a cluster id: any is refused */
        GCS_METHOD_GET_ALL_NODE_INFO,
        GCS_METHOD_GET_CLUSTER_STATUS,
        GCS_METHOD_DRAIN_NODE,
        GCS_METHOD_KV_GET,
        GCS_METHOD_HEALTH,         /* grpc.health.v1, on the GCS and on a raylet */
        GCS_METHOD_GET_AGENT_PIDS, /* on a raylet */
        _GCS_METHOD_MAX,
        _GCS_METHOD_INVALID = -22,
} GcsMethod;

/* "/ray.rpc.NodeInfoGcsService/CheckAlive" */
const char *gcs_method_path(GcsMethod m);
/* Longest answer that is read, in bytes. A table of NODE_SET_MAX nodes with long resource lists
 * fits in GCS_TABLE_MAX; a KV value in GCS_VALUE_MAX and some; all others are a few hundred bytes.
 */
#define GCS_TABLE_MAX ((size_t)32 << 20)
#define GCS_VALUE_MAX ((size_t)1 << 20)
size_t gcs_method_reply_max(GcsMethod m);

/* --- requests. What has no encoder here is sent as an empty message. ----------------------------
 */

/* Which nodes; at most one of address, id, head. Nothing set: all. limit: NODE_SET_MAX when 0; Ray
 * lists living nodes first. */
typedef struct GcsNodeQuery {
        const RayId *id;
        const char
                *address; /* as given to --node-ip-address; all nodes ever at it, dead ones too */
        bool head;
        size_t limit;
} GcsNodeQuery;

/* All return 0, -EINVAL (must not be sent), -ENOMEM. */
int gcs_encode_node_query(Buf *out, const GcsNodeQuery *query);
#define GCS_KV_NAME_MAX 256
int gcs_encode_kv_get(Buf *out, const char *ns, const char *key);
#define GCS_DRAIN_TEXT_MAX 200
/* reason 1 or 2; deadline_ms: Unix time. */
int gcs_encode_drain(Buf *out, const RayId *id, int reason, const char *text, uint64_t deadline_ms);

/* --- replies ------------------------------------------------------------------------------------
 * All return 0, -EBADMSG (cannot be decoded), -EMSGSIZE (over a bound), -ENOMEM. Those that carry
 * Ray's own status fill *status; with a code other than 0 nothing else is set. */

#define GCS_STATUS_NOT_FOUND 17
typedef struct GcsReplyStatus {
        int code;       /* 0 = OK */
        char text[256]; /* Ray's words, cleaned */
} GcsReplyStatus;

/* *ret_ray = "" when it did not say. */
int gcs_decode_check_alive(const void *data, size_t size, GcsReplyStatus *status,
                           char ret_ray[static 32]);
int gcs_decode_cluster_id(const void *data, size_t size, GcsReplyStatus *status, RayId *ret);

/* Resources kept of one node; "node:…" entries, which every node has, are left out. */
#define GCS_RESOURCES_MAX 128
/* Sorted; of more than NODE_SET_MAX nodes the rest is counted in n_dropped. whole: all nodes were
 * asked for, so what Ray says there are in all and did not send is counted too (its own
 * num_filtered does not tell a selector from a limit). A node with an id that is not 28 bytes
 * spoils the whole table. */
int gcs_decode_nodes(const void *data, size_t size, bool whole, GcsReplyStatus *status,
                     NodeSet **ret);

/* GetClusterStatus merged into a table: availability, idle time, draining; nodes that the table has
 * not are skipped. */
int gcs_decode_cluster_status(const void *data, size_t size, NodeSet *nodes, size_t *ret_shapes,
                              uint64_t *ret_requests);

/* A new block of *ret_size bytes with a NUL behind. */
int gcs_decode_kv_get(const void *data, size_t size, GcsReplyStatus *status, void **ret,
                      size_t *ret_size);
/* The JSON of cluster/CLUSTER_METADATA. */
int gcs_decode_cluster_metadata(const void *data, size_t size, Versions *ret);
/* false: refused, *status.text has the reason. */
int gcs_decode_drain(const void *data, size_t size, GcsReplyStatus *status, bool *ret_accepted);
/* *ret: 1 = serving. */
int gcs_decode_health(const void *data, size_t size, int *ret);
int gcs_decode_agent_pids(const void *data, size_t size, int *ret_dashboard, int *ret_runtime_env);
