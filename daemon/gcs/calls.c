/* The calls of gcs/client.h: what each sends, how its answer is read, how its caller hears of it.
 */
#include <stdio.h>
#include <string.h>

#include "gcs/call.h"

/* Ray's own status inside an answer. */
static bool call_refused(Call *call, const GcsReplyStatus *status)
{
        if (status->code == 0)
                return false;
        call->verdict = status->code == GCS_STATUS_NOT_FOUND ? GCS_NOT_FOUND : GCS_REFUSED;
        (void)snprintf(call->words, sizeof(call->words), "%s: %s (code %d)",
                       gcs_client_name(call->client),
                       isempty(status->text) ? "no reason given" : status->text, status->code);
        return true;
}

/* --- the calls ----------------------------------------------------------------------------------
 */

static int read_alive(Call *call, const uint8_t *data, size_t size)
{
        GcsReplyStatus status;

        int r = gcs_decode_check_alive(data, size, &status, call->versions.ray);
        if (r >= 0)
                (void)call_refused(call, &status);
        return r;
}

static void tell_alive(GcsClient *c, Call *call, const GcsResult *result)
{
        call->cb.alive(c, result, result->status == GCS_OK ? call->versions.ray : NULL,
                       call->userdata);
}

int gcs_client_check_alive(GcsClient *c, gcs_alive_cb cb, void *userdata)
{
        return call_begin(c, (Call){.tell = tell_alive, .cb.alive = cb, .userdata = userdata},
                          GCS_METHOD_CHECK_ALIVE, NULL, read_alive);
}

static int read_cluster_id(Call *call, const uint8_t *data, size_t size)
{
        GcsReplyStatus status;

        int r = gcs_decode_cluster_id(data, size, &status, &call->id);
        if (r >= 0)
                (void)call_refused(call, &status);
        return r;
}

static void tell_cluster_id(GcsClient *c, Call *call, const GcsResult *result)
{
        call->cb.cluster_id(c, result, result->status == GCS_OK ? &call->id : NULL, call->userdata);
}

int gcs_client_get_cluster_id(GcsClient *c, gcs_cluster_id_cb cb, void *userdata)
{
        return call_begin(
                c, (Call){.tell = tell_cluster_id, .cb.cluster_id = cb, .userdata = userdata},
                GCS_METHOD_GET_CLUSTER_ID, NULL, read_cluster_id);
}

static int read_nodes(Call *call, const uint8_t *data, size_t size)
{
        GcsReplyStatus status;

        int r = gcs_decode_nodes(data, size, call->whole, &status, &call->nodes);
        if (r >= 0)
                (void)call_refused(call, &status);
        return r;
}

static void tell_nodes(GcsClient *c, Call *call, const GcsResult *result)
{
        call->cb.nodes(c, result, result->status == GCS_OK ? &call->nodes : NULL, call->userdata);
}

static int query_nodes(GcsClient *c, Call proto, const GcsNodeQuery *query, CallRead read)
{
        _cleanup_buf_ Buf message = {0};

        proto.whole = !query->id && !query->address && !query->head;
        int r = gcs_encode_node_query(&message, query);
        if (r < 0) {
                buf_done(&proto.later);
                return r;
        }
        return call_begin(c, proto, GCS_METHOD_GET_ALL_NODE_INFO, &message, read);
}

int gcs_client_find_nodes(GcsClient *c, const GcsNodeFilter *filter, gcs_nodes_cb cb,
                          void *userdata)
{
        return query_nodes(c, (Call){.tell = tell_nodes, .cb.nodes = cb, .userdata = userdata},
                           &(GcsNodeQuery){.id = filter->id,
                                           .address = filter->address,
                                           .head = filter->head,
                                           .limit = filter->limit},
                           read_nodes);
}

int gcs_client_get_nodes(GcsClient *c, gcs_nodes_cb cb, void *userdata)
{
        return gcs_client_find_nodes(c, &(GcsNodeFilter){0}, cb, userdata);
}

static int read_cluster_status(Call *call, const uint8_t *data, size_t size)
{
        return gcs_decode_cluster_status(data, size, call->nodes, &call->demand.n_shapes,
                                         &call->demand.n_requests);
}

static int read_cluster_nodes(Call *call, const uint8_t *data, size_t size)
{
        int r = read_nodes(call, data, size);
        if (r < 0 || call->verdict != GCS_OK)
                return r;
        r = call_step(call, GCS_METHOD_GET_CLUSTER_STATUS, NULL, read_cluster_status);
        return r < 0 ? r : 1;
}

static void tell_cluster(GcsClient *c, Call *call, const GcsResult *result)
{
        bool ok = result->status == GCS_OK;

        call->cb.cluster(c, result, ok ? &call->nodes : NULL, ok ? &call->demand : NULL,
                         call->userdata);
}

int gcs_client_get_cluster(GcsClient *c, gcs_cluster_cb cb, void *userdata)
{
        return query_nodes(c, (Call){.tell = tell_cluster, .cb.cluster = cb, .userdata = userdata},
                           &(GcsNodeQuery){0}, read_cluster_nodes);
}

static int read_kv(Call *call, const uint8_t *data, size_t size)
{
        GcsReplyStatus status;

        int r = gcs_decode_kv_get(data, size, &status, &call->value, &call->value_size);
        if (r >= 0)
                (void)call_refused(call, &status);
        return r;
}

static void tell_kv(GcsClient *c, Call *call, const GcsResult *result)
{
        bool ok = result->status == GCS_OK;

        call->cb.kv(c, result, ok ? call->value : NULL, ok ? call->value_size : 0, call->userdata);
}

int gcs_client_kv_get(GcsClient *c, const char *ns, const char *key, gcs_kv_cb cb, void *userdata)
{
        _cleanup_buf_ Buf message = {0};

        int r = gcs_encode_kv_get(&message, ns, key);
        if (r < 0)
                return r;
        return call_begin(c, (Call){.tell = tell_kv, .cb.kv = cb, .userdata = userdata},
                          GCS_METHOD_KV_GET, &message, read_kv);
}

static int read_metadata(Call *call, const uint8_t *data, size_t size)
{
        Versions v;

        int r = read_kv(call, data, size);
        if (r < 0 || call->verdict != GCS_OK)
                return r;
        r = gcs_decode_cluster_metadata(call->value, call->value_size, &v);
        if (r < 0)
                return r;
        /* what Ray's own start compares with is the metadata; CheckAlive fills what it lacks */
        if (isempty(v.ray))
                memcpy(v.ray, call->versions.ray, sizeof(v.ray));
        call->versions = v;
        return 0;
}

static int read_versions(Call *call, const uint8_t *data, size_t size)
{
        _cleanup_buf_ Buf message = {0};

        int r = read_alive(call, data, size);
        if (r < 0 || call->verdict != GCS_OK)
                return r;
        r = gcs_encode_kv_get(&message, "cluster", "CLUSTER_METADATA");
        if (r < 0)
                return r;
        r = call_step(call, GCS_METHOD_KV_GET, &message, read_metadata);
        return r < 0 ? r : 1;
}

static void tell_versions(GcsClient *c, Call *call, const GcsResult *result)
{
        call->cb.versions(c, result, result->status == GCS_OK ? &call->versions : NULL,
                          call->userdata);
}

int gcs_client_get_versions(GcsClient *c, gcs_versions_cb cb, void *userdata)
{
        return call_begin(c, (Call){.tell = tell_versions, .cb.versions = cb, .userdata = userdata},
                          GCS_METHOD_CHECK_ALIVE, NULL, read_versions);
}

static void tell_done(GcsClient *c, Call *call, const GcsResult *result)
{
        call->cb.done(c, result, call->userdata);
}

static int read_drain(Call *call, const uint8_t *data, size_t size)
{
        GcsReplyStatus status;
        bool accepted;

        int r = gcs_decode_drain(data, size, &status, &accepted);
        if (r >= 0 && !accepted) {
                call->verdict = GCS_REFUSED;
                (void)snprintf(call->words, sizeof(call->words), "%s",
                               isempty(status.text) ? "Ray refused without a reason" : status.text);
        }
        return r;
}

static int read_drain_target(Call *call, const uint8_t *data, size_t size)
{
        int r = read_nodes(call, data, size);
        if (r < 0 || call->verdict != GCS_OK)
                return r;
        const Node *n = node_set_find(call->nodes, &call->id);
        if (!n || n->state == NODE_DEAD) {
                char id[RAY_ID_STR_MAX];
                call->verdict = GCS_NOT_FOUND;
                (void)snprintf(call->words, sizeof(call->words), "No living node has the id %s",
                               ray_id_format(id, &call->id));
                return 0;
        }
        r = call_step(call, GCS_METHOD_DRAIN_NODE, &call->later, read_drain);
        return r < 0 ? r : 1;
}

int gcs_client_drain_node(GcsClient *c, const RayId *id, GcsDrainReason reason, const char *text,
                          uint64_t deadline_ms, gcs_done_cb cb, void *userdata)
{
        Call proto = {.tell = tell_done, .cb.done = cb, .userdata = userdata, .id = *id};

        if (deadline_ms <= now_real() / USEC_PER_MSEC)
                return -EINVAL;
        int r = gcs_encode_drain(&proto.later, id, (int)reason, text, deadline_ms);
        if (r >= 0)
                r = query_nodes(c, proto, &(GcsNodeQuery){.id = id}, read_drain_target);
        return r;
}

static int read_health(Call *call, const uint8_t *data, size_t size)
{
        int health;

        int r = gcs_decode_health(data, size, &health);
        if (r >= 0 && health != 1) {
                call->verdict = GCS_REFUSED;
                (void)snprintf(call->words, sizeof(call->words), "%s says that it does not serve",
                               gcs_client_name(call->client));
        }
        return r;
}

int gcs_client_health(GcsClient *c, gcs_done_cb cb, void *userdata)
{
        return call_begin(c, (Call){.tell = tell_done, .cb.done = cb, .userdata = userdata},
                          GCS_METHOD_HEALTH, NULL, read_health);
}

static int read_agents(Call *call, const uint8_t *data, size_t size)
{
        return gcs_decode_agent_pids(data, size, &call->dashboard_agent, &call->runtime_env_agent);
}

static void tell_agents(GcsClient *c, Call *call, const GcsResult *result)
{
        bool ok = result->status == GCS_OK;

        call->cb.agents(c, result, ok ? call->dashboard_agent : 0, ok ? call->runtime_env_agent : 0,
                        call->userdata);
}

int gcs_client_get_agent_pids(GcsClient *c, gcs_agents_cb cb, void *userdata)
{
        return call_begin(c, (Call){.tell = tell_agents, .cb.agents = cb, .userdata = userdata},
                          GCS_METHOD_GET_AGENT_PIDS, NULL, read_agents);
}
