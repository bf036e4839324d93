/* What the fake GCS answers, method by method, and how it spoils an answer. */
#pragma once

#include <unistd.h>

#include "base/buf.h"
#include "wire/gcs.pb-c.h"
#include "wire/grpc.h"

#include "fake-gcs-world.h"

#define BODY_MAX ((size_t)256 << 20)

typedef struct Call {
        int32_t id;
        char path[256];
        bool token, cluster;
        char cluster_id[128], authorization[512];
        Buf in, out;
        int status;
        char message[256];
        sd_event_source *late;
        struct Conn *conn;
        struct Call *next;
        bool endless;
} Call;

static void die_as_ray(const char *why)
{
        fprintf(stderr, "fake-gcs: a real Ray would have aborted: %s\n", why);
        _exit(134);
}

static void check_id(const ProtobufCBinaryData *b)
{
        if (b->len != 0 && b->len != RAY_ID_SIZE)
                die_as_ray("an id that is not 28 bytes");
}

static void answer(Call *q, const ProtobufCMessage *m)
{
        size_t size = protobuf_c_message_get_packed_size(m);
        _cleanup_free_ uint8_t *p = malloc(size + 1);

        if (!p)
                abort();
        protobuf_c_message_pack(m, p);
        q->out.limit = BODY_MAX;
        if (grpc_frame(&q->out, p, size) < 0)
                abort();
}

static ProtobufCBinaryData id_bytes(const Fake *f, const uint8_t *id)
{
        return (ProtobufCBinaryData){.data = (uint8_t *)id,
                                     .len = in_mode(f, "short-id") ? 5 : RAY_ID_SIZE};
}

static Gcspb__Status *ray_status(const Fake *f)
{
        static Gcspb__Status s;

        gcspb__status__init(&s);
        if (in_mode(f, "codes")) {
                s.code = 12;
                s.message = (char *)"Timed out while waiting for GCS to become available.";
        }
        return &s;
}

static void answer_alive(Fake *f, Call *q)
{
        Gcspb__CheckAliveReply m = GCSPB__CHECK_ALIVE_REPLY__INIT;

        m.status = ray_status(f);
        m.ray_version = f->world.version;
        answer(q, &m.base);
}

static void answer_cluster_id(Fake *f, Call *q)
{
        Gcspb__GetClusterIdReply m = GCSPB__GET_CLUSTER_ID_REPLY__INIT;

        m.status = ray_status(f);
        m.cluster_id = id_bytes(f, f->world.cluster);
        answer(q, &m.base);
}

static void append_node(Fake *f, Call *q, const FakeNode *n, Buf *out)
{
        Gcspb__NodeInfo m = GCSPB__NODE_INFO__INIT;
        Gcspb__NodeSnapshot snapshot = GCSPB__NODE_SNAPSHOT__INIT;
        Gcspb__NodeDeathInfo death = GCSPB__NODE_DEATH_INFO__INIT;
        Gcspb__NodeInfo__ResourcesTotalEntry e[2], *entries[2] = {&e[0], &e[1]};
        size_t n_entries = 0;

        if (n->cpus > 0) {
                gcspb__node_info__resources_total_entry__init(&e[n_entries]);
                e[n_entries].key = (char *)"CPU";
                e[n_entries++].value = n->cpus;
        }
        if (n->gpus > 0) {
                gcspb__node_info__resources_total_entry__init(&e[n_entries]);
                e[n_entries].key = (char *)"GPU";
                e[n_entries++].value = n->gpus;
        }
        m.node_id = id_bytes(f, n->id);
        m.node_manager_address = (char *)n->address;
        m.node_manager_port = n->port;
        m.object_manager_port = n->object_manager;
        m.metrics_export_port = n->metrics;
        m.runtime_env_agent_port = n->runtime_env;
        m.metrics_agent_port = n->agent_grpc;
        m.dashboard_agent_listen_port = n->agent;
        m.state = n->state == NODE_DEAD;
        m.node_manager_hostname = (char *)n->hostname;
        m.node_name = (char *)n->name;
        m.instance_id = (char *)n->instance;
        m.node_type_name = (char *)n->group;
        m.start_time_ms = (uint64_t)n->start;
        m.is_head_node = n->head;
        m.resources_total = entries;
        m.n_resources_total = n->state == NODE_DEAD ? 0 : n_entries;
        snapshot.state = n->state == NODE_DRAINING ? 3 : n->idle >= 0 ? 1 : 2;
        snapshot.idle_duration_ms = MAX(n->idle, 0LL);
        m.state_snapshot = &snapshot;
        death.reason = 2;
        death.reason_message = (char *)n->reason;
        if (n->state == NODE_DEAD)
                m.death_info = &death;

        uint8_t *p, head[8] = {2 << 3 | 2};
        size_t size = protobuf_c_message_get_packed_size(&m.base), k = 1;
        for (size_t v = size; k == 1 || v > 0; v >>= 7)
                head[k++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        if (buf_append(out, head, k) < 0 || buf_reserve(out, size, &p) < 0)
                abort();
        buf_commit(out, protobuf_c_message_pack(&m.base, p));
}

static bool is_selected(const Gcspb__GetAllNodeInfoRequest *m, const FakeNode *n)
{
        if (m->n_node_selectors == 0)
                return true;
        for (size_t i = 0; i < m->n_node_selectors; i++) {
                const Gcspb__GetAllNodeInfoRequest__Selector *s = m->node_selectors[i];
                switch (s->selector_case) {
                case GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_NODE_ID:
                        check_id(&s->node_id);
                        if (s->node_id.len && memcmp(s->node_id.data, n->id, RAY_ID_SIZE) == 0)
                                return true;
                        break;
                case GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_NODE_NAME:
                        if (streq(s->node_name, n->name))
                                return true;
                        break;
                case GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_NODE_IP_ADDRESS:
                        if (streq(s->node_ip_address, n->address))
                                return true;
                        break;
                case GCSPB__GET_ALL_NODE_INFO_REQUEST__SELECTOR__SELECTOR_IS_HEAD_NODE:
                        if (s->is_head_node == n->head)
                                return true;
                        break;
                default:
                        break;
                }
        }
        return false;
}

static void answer_nodes(Fake *f, Call *q, const uint8_t *data, size_t size)
{
        Gcspb__GetAllNodeInfoRequest *m =
                gcspb__get_all_node_info_request__unpack(NULL, size, data);
        Gcspb__GetAllNodeInfoReply tail = GCSPB__GET_ALL_NODE_INFO_REPLY__INIT;
        _cleanup_buf_ Buf out = {.limit = BODY_MAX};
        int64_t limit;

        if (!m) {
                q->status = 13;
                set_str(q->message, sizeof(q->message), "Unable to parse request");
                return;
        }
        limit = m->has_limit_case ? m->limit : INT64_MAX;
        for (int dead = 0; dead < 2; dead++)
                for (size_t i = 0; i < f->world.n_nodes; i++) {
                        const FakeNode *n = &f->world.nodes[i];
                        if ((n->state == NODE_DEAD) != dead)
                                continue;
                        tail.total++;
                        if (is_selected(m, n) &&
                            (!m->has_state_filter_case || m->state_filter == dead) && limit-- > 0)
                                append_node(f, q, n, &out);
                        else
                                tail.num_filtered++; /* as Ray: by the limit, too */
                }
        gcspb__get_all_node_info_request__free_unpacked(m, NULL);
        tail.status = ray_status(f);
        uint8_t *p;
        if (buf_reserve(&out, protobuf_c_message_get_packed_size(&tail.base), &p) < 0)
                abort();
        buf_commit(&out, protobuf_c_message_pack(&tail.base, p));
        q->out.limit = BODY_MAX;
        if (grpc_frame(&q->out, buf_data(&out), buf_size(&out)) < 0)
                abort();
}

static void answer_cluster_status(Fake *f, Call *q)
{
        Gcspb__GetClusterStatusReply m = GCSPB__GET_CLUSTER_STATUS_REPLY__INIT;
        Gcspb__ClusterResourceState c = GCSPB__CLUSTER_RESOURCE_STATE__INIT;
        Gcspb__ResourceRequestByCount want = GCSPB__RESOURCE_REQUEST_BY_COUNT__INIT,
                                      *wants[] = {&want};
        size_t n = f->world.n_nodes;
        _cleanup_free_ Gcspb__NodeState *states = new0(Gcspb__NodeState, n + 1);
        _cleanup_free_ Gcspb__NodeState **list = new0(Gcspb__NodeState *, n + 1);
        _cleanup_free_ Gcspb__NodeState__AvailableResourcesEntry *e =
                new0(Gcspb__NodeState__AvailableResourcesEntry, n + 1);
        _cleanup_free_ Gcspb__NodeState__AvailableResourcesEntry **entries =
                new0(Gcspb__NodeState__AvailableResourcesEntry *, n + 1);

        for (size_t i = 0; i < n; i++) {
                const FakeNode *node = &f->world.nodes[i];
                gcspb__node_state__init(&states[i]);
                gcspb__node_state__available_resources_entry__init(&e[i]);
                states[i].node_id = id_bytes(f, node->id);
                states[i].status = node->state == NODE_DEAD       ? 2
                                   : node->state == NODE_DRAINING ? 4
                                   : node->idle >= 0              ? 3
                                                                  : 1;
                states[i].idle_duration_ms = MAX(node->idle, 0LL);
                e[i].key = (char *)"CPU";
                e[i].value = node->idle >= 0 ? node->cpus : node->cpus / 2;
                entries[i] = &e[i];
                states[i].available_resources = &entries[i];
                states[i].n_available_resources = node->state != NODE_DEAD && node->cpus > 0;
                list[i] = &states[i];
        }
        c.node_states = list;
        c.n_node_states = n;
        want.count = f->world.pending;
        c.pending_resource_requests = wants;
        c.n_pending_resource_requests = f->world.pending > 0;
        m.cluster_resource_state = &c;
        answer(q, &m.base);
}

static void answer_drain(Fake *f, Call *q, const uint8_t *data, size_t size)
{
        Gcspb__AutoscalerDrainNodeRequest *m =
                gcspb__autoscaler_drain_node_request__unpack(NULL, size, data);
        Gcspb__AutoscalerDrainNodeReply reply = GCSPB__AUTOSCALER_DRAIN_NODE_REPLY__INIT;

        if (!m)
                die_as_ray("a drain that cannot be parsed");
        check_id(&m->node_id);
        if (m->reason != 1 && m->reason != 2)
                die_as_ray("a drain without a reason");
        reply.is_accepted = !in_mode(f, "refuse");
        if (in_mode(f, "refuse"))
                reply.rejection_reason_message =
                        (char *)"The node to be idle terminated is no longer idle.";
        for (size_t i = 0; i < f->world.n_nodes && reply.is_accepted; i++)
                if (m->node_id.len &&
                    memcmp(f->world.nodes[i].id, m->node_id.data, RAY_ID_SIZE) == 0)
                        f->world.nodes[i].state = NODE_DRAINING;
        gcspb__autoscaler_drain_node_request__free_unpacked(m, NULL);
        answer(q, &reply.base);
}

static void answer_kv(Fake *f, Call *q, const uint8_t *data, size_t size)
{
        Gcspb__InternalKVGetRequest *m = gcspb__internal_kvget_request__unpack(NULL, size, data);
        Gcspb__InternalKVGetReply reply = GCSPB__INTERNAL_KVGET_REPLY__INIT;
        Gcspb__Status status = GCSPB__STATUS__INIT;
        char value[256];

        reply.status = &status;
        if (m && m->key.len == 16 && memcmp(m->key.data, "CLUSTER_METADATA", 16) == 0 &&
            !in_mode(f, "not-found")) {
                int n = snprintf(value, sizeof(value),
                                 "{\"ray_version\": \"%s\", \"python_version\": \"%s\", "
                                 "\"ray_init_cluster\": false}",
                                 f->world.version, f->world.python);
                reply.value = (ProtobufCBinaryData){.data = (uint8_t *)value, .len = (size_t)n};
        } else {
                status.code = 17;
                status.message = (char *)"Failed to find the key";
        }
        if (m)
                gcspb__internal_kvget_request__free_unpacked(m, NULL);
        answer(q, &reply.base);
}

static void answer_agents(Fake *f, Call *q)
{
        Gcspb__GetAgentPIDsReply m = GCSPB__GET_AGENT_PIDS_REPLY__INIT;

        m.dashboard_agent_pid = f->world.agents[0];
        m.runtime_env_agent_pid = f->world.agents[1];
        answer(q, &m.base);
}

/* As large as Ray's is for channelz; nobody reads it. */
static void answer_reflection(Fake *f, Call *q)
{
        _cleanup_free_ uint8_t *p = calloc(1, (size_t)f->world.reflection);

        q->out.limit = BODY_MAX;
        if (!p || grpc_frame(&q->out, p, (size_t)f->world.reflection) < 0)
                abort();
}

static void answer_health(Fake *f, Call *q)
{
        Gcspb__HealthCheckReply m = GCSPB__HEALTH_CHECK_REPLY__INIT;

        m.status = in_mode(f, "not-serving") ? 2 : 1;
        answer(q, &m.base);
}

static void refuse(Call *q, int status, const char *message)
{
        q->status = status;
        set_str(q->message, sizeof(q->message), message);
}

static void answer_method(Fake *f, Call *q, const char *method)
{
        const uint8_t *data;
        size_t size;

        if (grpc_unframe_only(buf_data(&q->in), buf_size(&q->in), BODY_MAX, &data, &size) < 0)
                refuse(q, 13, "Unable to parse request");
        else if (streq(method, "CheckAlive"))
                answer_alive(f, q);
        else if (streq(method, "GetClusterId"))
                answer_cluster_id(f, q);
        else if (streq(method, "GetAllNodeInfo"))
                answer_nodes(f, q, data, size);
        else if (streq(method, "GetClusterStatus"))
                answer_cluster_status(f, q);
        else if (streq(method, "DrainNode"))
                answer_drain(f, q, data, size);
        else if (streq(method, "InternalKVGet"))
                answer_kv(f, q, data, size);
        else if (streq(method, "GetAgentPIDs"))
                answer_agents(f, q);
        else if (streq(method, "Check"))
                answer_health(f, q);
        else if (streq(method, "ServerReflectionInfo") && f->world.reflection > 0)
                answer_reflection(f, q);
        else
                refuse(q, 12, "");
}

static void log_line(const Fake *f, const char *what, bool token)
{
        _cleanup_fclose_ FILE *log = f->world.log[0] ? fopen(f->world.log, "ae") : NULL;

        if (log && (streq(what, "connect") || streq(what, "ping") || streq(what, "ping-again")))
                fprintf(log, "%s\n", what);
        else if (log)
                fprintf(log, "%s token=%s\n", what, token ? "yes" : "no");
}

static void make_answer(Fake *f, Call *q)
{
        const char *method = strrchr(q->path, '/'), *arg;
        bool health = startswith(q->path, "/grpc.health.v1.") ||
                      startswith(q->path, "/grpc.reflection.v1alpha.");
        char want[512], cluster[RAY_ID_STR_MAX];

        (void)snprintf(want, sizeof(want), "Bearer %s", f->world.token);
        log_line(f, method ? method + 1 : q->path, q->token);
        if ((arg = mode_is(f, "status-"))) {
                const char *text = strchr(arg, ':');
                refuse(q, atoi(arg), text ? text + 1 : "");
        } else if (f->world.token[0] && !health && !streq(q->authorization, want))
                refuse(q, 16, "InvalidAuthToken: Authentication token is missing or incorrect");
        else if (q->cluster && !health &&
                 (endswith(q->path, "/GetClusterId") ||
                  !streq(q->cluster_id, ray_id_format(cluster, (RayId *)f->world.cluster))))
                refuse(q, 16,
                       "WrongClusterID: Perhaps the client is accessing GCS after it has "
                       "restarted.");
        else
                answer_method(f, q, method ? method + 1 : "");
}

/* What is wrong with an answer that was right. */
static void spoil(Fake *f, Call *q)
{
        uint8_t *p = q->out.data ? q->out.data + q->out.begin : NULL;
        size_t n = buf_size(&q->out);

        if (!p || n < GRPC_FRAME_HEAD)
                return;
        if (in_mode(f, "compressed"))
                p[0] = 1;
        else if (in_mode(f, "huge"))
                p[1] = 0x7f;
        else if (in_mode(f, "long"))
                p[4]++;
        else if (in_mode(f, "bad-proto"))
                memset(p + GRPC_FRAME_HEAD, 0xff, n - GRPC_FRAME_HEAD);
        else if (in_mode(f, "two-messages")) {
                uint8_t again[GRPC_FRAME_HEAD] = {0};
                (void)buf_append(&q->out, again, sizeof(again));
        } else if (in_mode(f, "flood"))
                q->endless = true;
}
