/* A GCS for tests: answers what raycluster asks of Ray, or misbehaves as told.
 *
 *     fake-gcs [--port N] [--address A] [--control FILE] [--KEY VALUE]… [--KEY=VALUE]…
 *
 * Prints "port N" when it listens (127.0.0.1 and a free port unless told), ends on SIGTERM or
 * SIGINT with 0. The control file has lines "KEY VALUE", "#" begins a comment; it is read again
 * whenever it changed, on top of the command line. Keys:
 *
 *     mode MODE        below; healthy
 *     version V        Ray's version; 2.60.0
 *     python V         Python's version; 3.11.2
 *     cluster HEX      cluster id, filled up with zeros; aa…
 *     token T          wanted in "authorization" of everything but health
 *     node K=V,K=V…    one node more: id (hex, filled up) hostname address name instance group port
 *                      head=1 state=alive|draining|dead cpus gpus idle (ms) start reason
 *     nodes N          N nodes more, made up
 *     agents A,B       pids for GetAgentPIDs
 *     pending N        pending resource requests
 *     log FILE         appends one line a request, METHOD token=yes|no, and one a connection,
 *                      "connect"
 *
 * Modes: healthy · silent (accepts, says nothing) · mute (SETTINGS, no answer) · garbage · zeros ·
 * http1 · ssh · redis · eof and rst (at once) · eof-later and rst-later (after the request) ·
 * goaway (instead of an answer) · goaway-after (behind each answer) · half-header (half a frame's
 * head, then nothing) · cut (half an answer, then EOF) · status-N or status-N:TEXT (for every call)
 * · http-N (HTTP status) · html (wrong content type) · no-status · two-messages · compressed · huge
 * (a length of 2 GiB) · long (a length that the body does not have) · flood (a body without end) ·
 * headers (2000 of them) · pings (a flood of them) · drip (a byte every 20 ms) · bad-proto ·
 * short-id (ids of 5 bytes) · not-found (the KV is empty) · refuse (drains are refused) · codes
 * (GcsStatus with code 12) · not-serving (health) · late (an answer after 300 ms)
 *
 * As Ray does, it dies (status 134) of a request with an id that is not 28 bytes, and of a drain
 * without a reason: a client that sends one fails its test. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/time.h"
#include "model/node.h"
#include "sys/stream.h"
#include "wire/gcs.pb-c.h"
#include "wire/grpc.h"

#define BODY_MAX ((size_t)256 << 20)

typedef struct FakeNode {
        uint8_t id[RAY_ID_SIZE];
        char hostname[64], address[64], name[64], instance[64], group[64], reason[64];
        int port, state; /* state: NodeState */
        bool head;
        double cpus, gpus;
        long long idle, start;
} FakeNode;

typedef struct World {
        char mode[128], version[32], python[32], token[256], log[256];
        uint8_t cluster[RAY_ID_SIZE];
        FakeNode *nodes;
        size_t n_nodes, cap_nodes;
        int agents[2];
        int pending;
} World;

typedef struct Fake {
        sd_event *event;
        sd_event_source *accept;
        int fd;
        char **settings; /* "key value" from the command line */
        char *control;
        struct stat seen;
        World world;
} Fake;

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

typedef struct Conn {
        Fake *fake;
        Stream *stream;
        nghttp2_session *session;
        sd_event_source *drip;
        Buf slow;
        Call *calls;
        bool ending, ended, reset, stuck;
} Conn;

/* --- the world ----------------------------------------------------------------------------------
 */

static void fill_id(uint8_t *id, const char *hex)
{
        memset(id, 0, RAY_ID_SIZE);
        for (size_t i = 0; i < RAY_ID_SIZE && hex[0] && hex[1]; i++, hex += 2) {
                unsigned v;
                if (sscanf(hex, "%2x", &v) != 1)
                        return;
                id[i] = (uint8_t)v;
        }
}

static void set_str(char *dest, size_t size, const char *s)
{
        (void)snprintf(dest, size, "%s", s);
}

static FakeNode *add_node(World *w)
{
        if (ARRAY_RESERVE(w->nodes, w->cap_nodes, w->n_nodes + 1) < 0)
                abort();
        FakeNode *n = &w->nodes[w->n_nodes++];
        *n = (FakeNode){.port = 6380, .cpus = 4, .idle = -1, .start = 1700000000000};
        return n;
}

static void read_node(World *w, const char *spec)
{
        _cleanup_strv_free_ char **pairs = NULL;
        FakeNode *n = add_node(w);

        (void)snprintf((char *)n->id, sizeof(n->id), "node-%zu", w->n_nodes);
        (void)strv_split(spec, ",", &pairs);
        for (char **p = pairs; p && *p; p++) {
                char *v = strchr(*p, '=');
                if (!v)
                        continue;
                *v++ = 0;
                if (streq(*p, "id"))
                        fill_id(n->id, v);
                else if (streq(*p, "hostname"))
                        set_str(n->hostname, sizeof(n->hostname), v);
                else if (streq(*p, "address"))
                        set_str(n->address, sizeof(n->address), v);
                else if (streq(*p, "name"))
                        set_str(n->name, sizeof(n->name), v);
                else if (streq(*p, "instance"))
                        set_str(n->instance, sizeof(n->instance), v);
                else if (streq(*p, "group"))
                        set_str(n->group, sizeof(n->group), v);
                else if (streq(*p, "reason"))
                        set_str(n->reason, sizeof(n->reason), v);
                else if (streq(*p, "port"))
                        n->port = atoi(v);
                else if (streq(*p, "head"))
                        n->head = atoi(v);
                else if (streq(*p, "cpus"))
                        n->cpus = atof(v);
                else if (streq(*p, "gpus"))
                        n->gpus = atof(v);
                else if (streq(*p, "idle"))
                        n->idle = atoll(v);
                else if (streq(*p, "start"))
                        n->start = atoll(v);
                else if (streq(*p, "state"))
                        n->state = streq(v, "dead")       ? NODE_DEAD
                                   : streq(v, "draining") ? NODE_DRAINING
                                                          : NODE_ALIVE;
                else
                        fprintf(stderr, "fake-gcs: node has no %s\n", *p);
        }
        if (!n->name[0])
                set_str(n->name, sizeof(n->name), n->address);
}

static void make_nodes(World *w, int count)
{
        for (int i = 0; i < count; i++) {
                FakeNode *n = add_node(w);
                (void)snprintf((char *)n->id, sizeof(n->id), "made-%d", i);
                (void)snprintf(n->hostname, sizeof(n->hostname), "compute%05d", i);
                (void)snprintf(n->address, sizeof(n->address), "10.%d.%d.%d", i >> 16 & 255,
                               i >> 8 & 255, i & 255);
                set_str(n->name, sizeof(n->name), n->address);
        }
}

static void set(World *w, const char *line)
{
        char key[32] = "", value[1024] = "";

        if (sscanf(line, "%31s %1023[^\n]", key, value) < 1 || key[0] == '#')
                return;
        if (streq(key, "mode"))
                set_str(w->mode, sizeof(w->mode), value);
        else if (streq(key, "version"))
                set_str(w->version, sizeof(w->version), value);
        else if (streq(key, "python"))
                set_str(w->python, sizeof(w->python), value);
        else if (streq(key, "token"))
                set_str(w->token, sizeof(w->token), value);
        else if (streq(key, "log"))
                set_str(w->log, sizeof(w->log), value);
        else if (streq(key, "cluster"))
                fill_id(w->cluster, value);
        else if (streq(key, "node"))
                read_node(w, value);
        else if (streq(key, "nodes"))
                make_nodes(w, atoi(value));
        else if (streq(key, "pending"))
                w->pending = atoi(value);
        else if (streq(key, "agents"))
                (void)sscanf(value, "%d,%d", &w->agents[0], &w->agents[1]);
        else {
                fprintf(stderr, "fake-gcs: no such key: %s\n", key);
                exit(2);
        }
}

static void load_world(Fake *f)
{
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *text = NULL;
        struct stat st = {0};

        if (f->world.mode[0]) {
                if (!f->control || stat(f->control, &st) < 0 ||
                    (st.st_mtim.tv_sec == f->seen.st_mtim.tv_sec &&
                     st.st_mtim.tv_nsec == f->seen.st_mtim.tv_nsec && st.st_ino == f->seen.st_ino &&
                     st.st_size == f->seen.st_size))
                        return;
        } else if (f->control)
                (void)stat(f->control, &st);
        f->seen = st;
        free(f->world.nodes);
        f->world = (World){.mode = "healthy", .version = "2.60.0", .python = "3.11.2"};
        memset(f->world.cluster, 0xaa, sizeof(f->world.cluster));
        for (char **s = f->settings; s && *s; s++)
                set(&f->world, *s);
        if (f->control && read_file(f->control, 16 << 20, &text, NULL) >= 0 &&
            strv_split(text, "\n", &lines) >= 0)
                for (char **s = lines; s && *s; s++)
                        set(&f->world, *s);
}

static const char *mode_is(const Fake *f, const char *prefix)
{
        return startswith(f->world.mode, prefix);
}

static bool in_mode(const Fake *f, const char *mode)
{
        return streq(f->world.mode, mode);
}

/* --- answers ------------------------------------------------------------------------------------
 */

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
        else
                refuse(q, 12, "");
}

static void log_line(const Fake *f, const char *what, bool token)
{
        _cleanup_fclose_ FILE *log = f->world.log[0] ? fopen(f->world.log, "ae") : NULL;

        if (log && streq(what, "connect"))
                fprintf(log, "connect\n");
        else if (log)
                fprintf(log, "%s token=%s\n", what, token ? "yes" : "no");
}

static void make_answer(Fake *f, Call *q)
{
        const char *method = strrchr(q->path, '/'), *arg;
        bool health = startswith(q->path, "/grpc.health.v1.");
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

/* --- HTTP/2 -------------------------------------------------------------------------------------
 */

static nghttp2_nv nv(const char *name, const char *value)
{
        return (nghttp2_nv){.name = (uint8_t *)name,
                            .namelen = strlen(name),
                            .value = (uint8_t *)value,
                            .valuelen = strlen(value)};
}

static Call *call_free(Call *q)
{
        sd_event_source_disable_unref(q->late);
        buf_done(&q->in);
        buf_done(&q->out);
        free(q);
        return NULL;
}

static void conn_free(Conn *c)
{
        for (Call *q = c->calls, *next; q; q = next) {
                next = q->next;
                call_free(q);
        }
        sd_event_source_disable_unref(c->drip);
        stream_free(c->stream);
        nghttp2_session_del(c->session);
        buf_done(&c->slow);
        free(c);
}

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *data, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
        Conn *c = userdata;
        Call *q = source->ptr;
        size_t n = MIN(size, buf_size(&q->out));
        char status[16], escaped[1024], *e = escaped;

        if (n > 0) {
                memcpy(data, buf_data(&q->out), n);
                buf_consume(&q->out, n);
        }
        if (buf_size(&q->out) > 0)
                return (ssize_t)n;
        if (q->endless) {
                memset(data + n, 0, size - n);
                return (ssize_t)size;
        }
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (in_mode(c->fake, "no-status"))
                return (ssize_t)n;
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        (void)snprintf(status, sizeof(status), "%d", q->status);
        for (const char *s = q->message; *s && e < escaped + sizeof(escaped) - 4; s++)
                e += *s == '%' || *s < 0x20 || *s > 0x7e ? sprintf(e, "%%%02X", (uint8_t)*s)
                                                         : sprintf(e, "%c", *s);
        *e = 0;
        nghttp2_nv trailers[] = {nv("grpc-status", status), nv("grpc-message", escaped)};
        (void)nghttp2_submit_trailer(session, id, trailers, 2);
        return (ssize_t)n;
}

static void submit_header_flood(Conn *c, Call *q)
{
        static char names[2000][16];
        static nghttp2_nv fields[2000];

        fields[0] = nv(":status", "200");
        for (size_t i = 1; i < ELEMENTSOF(fields); i++) {
                (void)snprintf(names[i], sizeof(names[i]), "x-%zu", i);
                fields[i] = nv(names[i], "y");
        }
        (void)nghttp2_submit_headers(c->session, NGHTTP2_FLAG_END_STREAM, q->id, NULL, fields,
                                     ELEMENTSOF(fields), NULL);
}

static void conn_flush(Conn *c);

static void submit_answer(Conn *c, Call *q)
{
        const char *http = mode_is(c->fake, "http-");
        nghttp2_data_provider body = {.source.ptr = q, .read_callback = give_body};

        nghttp2_nv fields[] = {
                nv(":status", http ? http : "200"),
                nv("content-type", in_mode(c->fake, "html") ? "text/html" : "application/grpc"),
        };
        if (in_mode(c->fake, "headers"))
                submit_header_flood(c, q);
        else
                (void)nghttp2_submit_response(c->session, q->id, fields, ELEMENTSOF(fields), &body);
        if (in_mode(c->fake, "goaway-after"))
                (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, q->id,
                                            NGHTTP2_INTERNAL_ERROR, (uint8_t *)"Cancelling", 10);
}

static int on_late(sd_event_source *s, uint64_t usec, void *userdata)
{
        Call *q = userdata;

        submit_answer(q->conn, q);
        conn_flush(q->conn);
        return 0;
}

/* The request is whole. */
static void on_request(Conn *c, Call *q)
{
        Fake *f = c->fake;

        if (in_mode(f, "mute"))
                return;
        if (in_mode(f, "eof-later") || in_mode(f, "rst-later")) {
                c->ending = true;
                c->reset = in_mode(f, "rst-later");
                return;
        }
        if (in_mode(f, "goaway")) {
                (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, 0,
                                            NGHTTP2_INTERNAL_ERROR, (uint8_t *)"Cancelling", 10);
                return;
        }
        if (in_mode(f, "pings"))
                for (size_t i = 0; i < 20000; i++)
                        (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
        make_answer(f, q);
        spoil(f, q);
        if (in_mode(f, "late"))
                (void)sd_event_add_time_relative(f->event, &q->late, CLOCK_MONOTONIC,
                                                 300 * USEC_PER_MSEC, 0, on_late, q);
        else
                submit_answer(c, q);
}

static int note_begin(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
        Conn *c = userdata;
        Call *q = new0(Call, 1);

        if (!q || frame->hd.type != NGHTTP2_HEADERS)
                abort();
        q->id = frame->hd.stream_id;
        q->conn = c;
        q->next = c->calls;
        c->calls = q;
        (void)nghttp2_session_set_stream_user_data(session, q->id, q);
        return 0;
}

static int note_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *userdata)
{
        Call *q = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        const char *n = (const char *)name, *v = (const char *)value;

        if (!q)
                return 0;
        if (streq(n, ":path"))
                set_str(q->path, sizeof(q->path), v);
        else if (streq(n, "authorization")) {
                q->token = true;
                set_str(q->authorization, sizeof(q->authorization), v);
        } else if (streq(n, "ray_cluster_id")) {
                q->cluster = true;
                set_str(q->cluster_id, sizeof(q->cluster_id), v);
        }
        return 0;
}

static int note_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                     size_t size, void *userdata)
{
        Call *q = nghttp2_session_get_stream_user_data(session, id);

        return q && buf_append(&q->in, data, size) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int note_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
        Call *q = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

        if (q && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
            (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS))
                on_request(userdata, q);
        return 0;
}

static int note_close(nghttp2_session *session, int32_t id, uint32_t code, void *userdata)
{
        Conn *c = userdata;

        for (Call **p = &c->calls; *p; p = &(*p)->next)
                if ((*p)->id == id) {
                        Call *q = *p;
                        *p = q->next;
                        call_free(q);
                        break;
                }
        return 0;
}

/* --- a connection -------------------------------------------------------------------------------
 */

/* A reset, or an orderly end: reading goes on, because closing with unread input is a reset too. */
static void conn_end(Conn *c, bool reset)
{
        struct linger l = {.l_onoff = 1};

        if (reset) {
                (void)setsockopt(stream_fd(c->stream), SOL_SOCKET, SO_LINGER, &l, sizeof(l));
                conn_free(c);
                return;
        }
        c->ended = true;
        (void)shutdown(stream_fd(c->stream), SHUT_WR);
}

static int on_drip(sd_event_source *s, uint64_t usec, void *userdata)
{
        Conn *c = userdata;

        if (buf_size(&c->slow) > 0) {
                (void)stream_write(c->stream, buf_data(&c->slow), 1);
                buf_consume(&c->slow, 1);
        }
        (void)sd_event_source_set_time_relative(s, 20 * USEC_PER_MSEC);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

static void conn_flush(Conn *c)
{
        const uint8_t *data;
        ssize_t n;
        bool answered = false;

        while (!c->stuck && stream_pending(c->stream) < STREAM_OUTPUT_MAX / 2 &&
               (n = nghttp2_session_mem_send(c->session, &data)) > 0) {
                answered = answered || (n > 9 && data[3] == NGHTTP2_HEADERS);
                if (in_mode(c->fake, "drip"))
                        (void)buf_append(&c->slow, data, (size_t)n);
                else if (answered && in_mode(c->fake, "half-header")) {
                        (void)stream_write(c->stream, data, 5);
                        c->stuck = true;
                        return;
                } else if (answered && in_mode(c->fake, "cut")) {
                        (void)stream_write(c->stream, data, (size_t)n / 2);
                        c->ending = true;
                        return;
                } else
                        (void)stream_write(c->stream, data, (size_t)n);
        }
        if (in_mode(c->fake, "drip") && !c->drip)
                (void)sd_event_add_time_relative(c->fake->event, &c->drip, CLOCK_MONOTONIC,
                                                 20 * USEC_PER_MSEC, 0, on_drip, c);
}

static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Conn *c = userdata;

        load_world(c->fake);
        if (in_mode(c->fake, "silent") || c->ended)
                return;
        if (nghttp2_session_mem_recv(c->session, data, size) < 0) {
                conn_free(c);
                return;
        }
        conn_flush(c);
        if (c->ending)
                conn_end(c, c->reset);
}

static void on_drained(Stream *s, void *userdata)
{
        conn_flush(userdata);
}

static void on_closed(Stream *s, int error, void *userdata)
{
        conn_free(userdata);
}

/* What is said before anybody asks; false: nothing more comes. */
static bool greet(Conn *c)
{
        static const uint8_t zeros[4096];
        const Fake *f = c->fake;
        const char *text = in_mode(f, "http1")     ? "HTTP/1.1 400 Bad Request\r\n\r\n<html>"
                           : in_mode(f, "ssh")     ? "SSH-2.0-OpenSSH_9.2p1\r\n"
                           : in_mode(f, "redis")   ? "-ERR unknown command 'PRI'\r\n"
                           : in_mode(f, "garbage") ? "\001\002\003garbage of all kinds \377\376"
                                                   : NULL;

        if (in_mode(f, "silent"))
                return false;
        if (text)
                (void)stream_write(c->stream, text, strlen(text));
        else if (in_mode(f, "zeros"))
                (void)stream_write(c->stream, zeros, sizeof(zeros));
        else
                return true;
        return false;
}

static void on_connected(Stream *s, void *userdata)
{
        Conn *c = userdata;

        if (in_mode(c->fake, "eof") || in_mode(c->fake, "rst")) {
                conn_end(c, in_mode(c->fake, "rst"));
                return;
        }
        if (!greet(c))
                return;
        nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
        (void)nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, &settings, 1);
        conn_flush(c);
}

static void conn_new(Fake *f, int fd)
{
        static const StreamOps ops = {.on_connected = on_connected,
                                      .on_data = on_data,
                                      .on_drained = on_drained,
                                      .on_closed = on_closed};
        nghttp2_session_callbacks *callbacks;
        Conn *c = new0(Conn, 1);

        if (!c || nghttp2_session_callbacks_new(&callbacks) != 0)
                abort();
        c->fake = f;
        c->slow.limit = BODY_MAX;
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, note_begin);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, note_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, note_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, note_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, note_close);
        if (nghttp2_session_server_new(&c->session, callbacks, c) != 0 ||
            stream_new_fd(f->event, fd, &ops, c, &c->stream) < 0)
                abort();
        nghttp2_session_callbacks_del(callbacks);
}

static int on_accept(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Fake *f = userdata;
        int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        load_world(f);
        if (conn >= 0) {
                log_line(f, "connect", false);
                conn_new(f, conn);
        }
        return 0;
}

/* --- main ---------------------------------------------------------------------------------------
 */

static int listen_on(Fake *f, const char *address, uint16_t port)
{
        Addr a;
        SockAddr sa;
        socklen_t len;
        int one = 1;

        if (addr_parse(address, &a) < 0)
                return -EINVAL;
        a.port = port;
        len = addr_to_sockaddr(&a, &sa);
        f->fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (f->fd < 0 || bind(f->fd, &sa.sa, len) < 0 || listen(f->fd, 128) < 0 ||
            getsockname(f->fd, &sa.sa, &len) < 0)
                return -errno;
        printf("port %u\n", ntohs(sa.sa.sa_family == AF_INET6 ? sa.in6.sin6_port : sa.in.sin_port));
        return fflush(stdout) == 0 ? 0 : -EIO;
}

static void usage(void)
{
        fprintf(stderr, "usage: fake-gcs [--port N] [--address A] [--control FILE] [--KEY VALUE]…\n"
                        "the keys and modes stand on top of tests/fake/fake-gcs.c\n");
        exit(2);
}

int main(int argc, char **argv)
{
        Fake f = {.fd = -EBADF};
        const char *address = "127.0.0.1", *port = "0";
        sigset_t mask;

        for (int i = 1; i < argc; i++) {
                char *key = argv[i], *value;
                if (strncmp(key, "--node_id=", 10) == 0)
                        continue; /* it plays a raylet, whose id stands there */
                if (strncmp(key, "--", 2) != 0)
                        usage();
                key += 2;
                value = strchr(key, '=');
                if (value)
                        *value++ = 0;
                else if (!(value = argv[++i]))
                        usage();
                if (streq(key, "port"))
                        port = value;
                else if (streq(key, "address"))
                        address = value;
                else if (streq(key, "control"))
                        f.control = value;
                else if (strv_extendf(&f.settings, "%s %s", key, value) < 0)
                        abort();
        }
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGTERM);
        (void)sigaddset(&mask, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        load_world(&f);
        int r = listen_on(&f, address, (uint16_t)atoi(port));
        if (r < 0) {
                fprintf(stderr, "fake-gcs: %s:%s: %s\n", address, port, strerror(-r));
                return 1;
        }
        if (sd_event_new(&f.event) < 0 ||
            sd_event_add_signal(f.event, NULL, SIGTERM, NULL, NULL) < 0 ||
            sd_event_add_signal(f.event, NULL, SIGINT, NULL, NULL) < 0 ||
            sd_event_add_io(f.event, &f.accept, f.fd, EPOLLIN, on_accept, &f) < 0)
                abort();
        r = sd_event_loop(f.event);
        _exit(r < 0); /* connections are the kernel's to close */
}
