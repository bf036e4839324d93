#include "wire/gcs-codec.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "wire/gcs.pb-c.h"
#include "wire/json.h"
#include "wire/pb.h"
#include "wire/text.h"

static const struct {
        const char *path;
        size_t reply_max;
} methods[_GCS_METHOD_MAX] = {
        [GCS_METHOD_CHECK_ALIVE] = {"/ray.rpc.NodeInfoGcsService/CheckAlive", 64 << 10},
        [GCS_METHOD_GET_CLUSTER_ID] = {"/ray.rpc.NodeInfoGcsService/GetClusterId", 64 << 10},
        [GCS_METHOD_GET_ALL_NODE_INFO] = {"/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
                                          GCS_TABLE_MAX},
        [GCS_METHOD_GET_CLUSTER_STATUS] =
                {"/ray.rpc.autoscaler.AutoscalerStateService/GetClusterStatus", GCS_TABLE_MAX},
        [GCS_METHOD_DRAIN_NODE] = {"/ray.rpc.autoscaler.AutoscalerStateService/DrainNode",
                                   64 << 10},
        [GCS_METHOD_KV_GET] = {"/ray.rpc.InternalKVGcsService/InternalKVGet",
                               GCS_VALUE_MAX + (64 << 10)},
        [GCS_METHOD_HEALTH] = {"/grpc.health.v1.Health/Check", 64 << 10},
        [GCS_METHOD_GET_AGENT_PIDS] = {"/ray.rpc.NodeManagerService/GetAgentPIDs", 64 << 10},
};

const char *gcs_method_path(GcsMethod m)
{
        return m >= 0 && m < _GCS_METHOD_MAX ? methods[m].path : NULL;
}

size_t gcs_method_reply_max(GcsMethod m)
{
        return m >= 0 && m < _GCS_METHOD_MAX ? methods[m].reply_max : 0;
}

/* --- requests -----------------------------------------------------------------------------------
 */

static ProtobufCBinaryData bytes(const void *data, size_t size)
{
        return (ProtobufCBinaryData){.data = (uint8_t *)data, .len = size};
}

int gcs_encode_node_query(Buf *out, const GcsNodeQuery *query)
{
        Gcspb__GetAllNodeInfoRequest m = GCSPB__GET_ALL_NODE_INFO_REQUEST__INIT;
        Gcspb__GetAllNodeInfoRequest__Selector s, *selectors[] = {&s};

        gcspb__get_all_node_info_request__selector__init(&s);
        if (query->limit > NODE_SET_MAX || (!!query->id + !!query->address + query->head) > 1)
                return -EINVAL;
        if (query->id) {
                if (ray_id_is_nil(query->id))
                        return -EINVAL;
                s.selector_case = GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_NODE_ID;
                s.node_id = bytes(query->id->b, RAY_ID_SIZE);
        } else if (query->address) {
                if (isempty(query->address) || strlen(query->address) > GCS_KV_NAME_MAX)
                        return -EINVAL;
                s.selector_case =
                        GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_NODE_IP_ADDRESS;
                s.node_ip_address = (char *)query->address;
        } else if (query->head) {
                s.selector_case = GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_IS_HEAD_NODE;
                s.is_head_node = true;
        }
        if (s.selector_case) {
                m.node_selectors = selectors;
                m.n_node_selectors = 1;
        }
        m.has_limit_case = GCSPB__GET_ALL_NODE_INFO_REQUEST__HAS_LIMIT_LIMIT;
        m.limit = query->limit ? (int64_t)query->limit : NODE_SET_MAX;
        return pb_pack(out, &m.base);
}

int gcs_encode_kv_get(Buf *out, const char *ns, const char *key)
{
        Gcspb__InternalKVGetRequest m = GCSPB__INTERNAL_KVGET_REQUEST__INIT;

        if (isempty(key) || strlen(key) > GCS_KV_NAME_MAX || strlen(ns) > GCS_KV_NAME_MAX)
                return -EINVAL;
        m.key = bytes(key, strlen(key));
        m.namespace_name = bytes(ns, strlen(ns));
        return pb_pack(out, &m.base);
}

int gcs_encode_drain(Buf *out, const RayId *id, int reason, const char *text, uint64_t deadline_ms)
{
        Gcspb__AutoscalerDrainNodeRequest m = GCSPB__AUTOSCALER_DRAIN_NODE_REQUEST__INIT;

        if (ray_id_is_nil(id) || (reason != 1 && reason != 2) || deadline_ms == 0 ||
            deadline_ms > INT64_MAX || strlen(text) > GCS_DRAIN_TEXT_MAX)
                return -EINVAL;
        m.node_id = bytes(id->b, RAY_ID_SIZE);
        m.reason = reason;
        m.reason_message = (char *)text;
        m.deadline_timestamp_ms = (int64_t)deadline_ms;
        return pb_pack(out, &m.base);
}

/* --- replies ------------------------------------------------------------------------------------
 */

static void set_status(GcsReplyStatus *status, int code, const char *text)
{
        _cleanup_free_ char *clean = text_clean(text, strlen(text), sizeof(status->text) - 1);

        *status = (GcsReplyStatus){.code = code};
        if (clean)
                memcpy(status->text, clean, strlen(clean) + 1);
}

/* 0: go on; 1: Ray said no. */
static int take_status(GcsReplyStatus *status, const Gcspb__Status *s)
{
        if (!s || s->code == 0) {
                *status = (GcsReplyStatus){0};
                return 0;
        }
        set_status(status, s->code, s->message);
        return 1;
}

static int take_id(RayId *id, const ProtobufCBinaryData *b)
{
        if (b->len != RAY_ID_SIZE)
                return -EBADMSG;
        memcpy(id->b, b->data, RAY_ID_SIZE);
        return 0;
}

int gcs_decode_check_alive(const void *data, size_t size, GcsReplyStatus *status,
                           char ret_ray[static 32])
{
        _cleanup_pb_ Gcspb__CheckAliveReply *m = NULL;

        int r = pb_unpack(&gcspb__check_alive_reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        if (take_status(status, m->status))
                return 0;
        return text_version(ret_ray, m->ray_version);
}

int gcs_decode_cluster_id(const void *data, size_t size, GcsReplyStatus *status, RayId *ret)
{
        _cleanup_pb_ Gcspb__GetClusterIdReply *m = NULL;

        int r = pb_unpack(&gcspb__get_cluster_id_reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        if (take_status(status, m->status))
                return 0;
        return take_id(ret, &m->cluster_id);
}

int gcs_decode_kv_get(const void *data, size_t size, GcsReplyStatus *status, void **ret,
                      size_t *ret_size)
{
        _cleanup_pb_ Gcspb__InternalKVGetReply *m = NULL;

        int r = pb_unpack(&gcspb__internal_kvget_reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        if (take_status(status, m->status))
                return 0;
        if (m->value.len > GCS_VALUE_MAX)
                return -EMSGSIZE;
        char *p = malloc(m->value.len + 1);
        if (!p)
                return -ENOMEM;
        if (m->value.len > 0)
                memcpy(p, m->value.data, m->value.len);
        p[m->value.len] = 0;
        *ret = p;
        *ret_size = m->value.len;
        return 0;
}

int gcs_decode_cluster_metadata(const void *data, size_t size, Versions *ret)
{
        _cleanup_json_ Json *top = NULL;
        Versions v = {0};

        int r = json_parse(data, size, &top);
        if (r < 0)
                return r == -E2BIG ? -EMSGSIZE : r;
        r = text_version(v.ray, strempty(json_get_str(top, "ray_version")));
        if (r < 0)
                return r;
        r = text_version(v.python, strempty(json_get_str(top, "python_version")));
        if (r < 0)
                return r;
        *ret = v;
        return 0;
}

int gcs_decode_drain(const void *data, size_t size, GcsReplyStatus *status, bool *ret_accepted)
{
        _cleanup_pb_ Gcspb__AutoscalerDrainNodeReply *m = NULL;

        int r = pb_unpack(&gcspb__autoscaler_drain_node_reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        set_status(status, 0, m->rejection_reason_message);
        *ret_accepted = m->is_accepted;
        return 0;
}

int gcs_decode_health(const void *data, size_t size, int *ret)
{
        _cleanup_pb_ Gcspb__HealthCheckReply *m = NULL;

        int r = pb_unpack(&gcspb__health_check_reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        *ret = m->status;
        return 0;
}

int gcs_decode_agent_pids(const void *data, size_t size, int *ret_dashboard, int *ret_runtime_env)
{
        _cleanup_pb_ Gcspb__GetAgentPIDsReply *m = NULL;

        int r = pb_unpack(&gcspb__get_agent_pids_reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        /* a pid of 1 or less ends up in no kill() and no pidfd_open() of ours */
        *ret_dashboard = m->dashboard_agent_pid > 1 ? m->dashboard_agent_pid : 0;
        *ret_runtime_env = m->runtime_env_agent_pid > 1 ? m->runtime_env_agent_pid : 0;
        return 0;
}
