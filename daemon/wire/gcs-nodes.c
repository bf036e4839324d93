/* The tables of gcs-codec.h: walked field by field, one node unpacked at a time, so that memory
 * grows with what is kept and not with what a peer sends. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "wire/gcs-codec.h"
#include "wire/gcs.pb-c.h"
#include "wire/pb.h"
#include "wire/text.h"

/* A node's texts: names are at most 255 bytes on Linux; a death reason is a sentence or two, rarely
 * with a stack trace behind. */
#define NAME_SIZE_MAX   ((size_t)255)
#define REASON_SIZE_MAX ((size_t)512)

static int take_text(char **ret, const char *s, size_t max)
{
        *ret = text_clean(s, strlen(s), max);
        return *ret ? 0 : -ENOMEM;
}

static int compare_resources(const void *a, const void *b)
{
        return strcmp(((const Resource *)a)->name, ((const Resource *)b)->name);
}

static int take_resources(Node *n, Gcspb__NodeInfo__ResourcesTotalEntry **entries, size_t n_entries)
{
        if (n_entries == 0)
                return 0;
        n->resources = new0(Resource, MIN(n_entries, (size_t)GCS_RESOURCES_MAX));
        if (!n->resources)
                return -ENOMEM;
        for (size_t i = 0; i < n_entries && n->n_resources < GCS_RESOURCES_MAX; i++) {
                if (startswith(entries[i]->key, "node:") || !isfinite(entries[i]->value) ||
                    entries[i]->value < 0)
                        continue;
                Resource *res = &n->resources[n->n_resources];
                int r = take_text(&res->name, entries[i]->key, NAME_SIZE_MAX);
                if (r < 0)
                        return r;
                res->total = entries[i]->value;
                res->available = -1;
                n->n_resources++;
        }
        if (n->n_resources > 1)
                qsort(n->resources, n->n_resources, sizeof(Resource), compare_resources);
        return 0;
}

static int take_death(Node *n, const Gcspb__NodeDeathInfo *d)
{
        static const char *const reasons[] = {
                "", "ended as asked", "ended unexpectedly", "drained", "drained when idle",
        };

        if (n->state != NODE_DEAD || !d)
                return take_text(&n->death_reason, n->state == NODE_DEAD ? "not said" : "", 16);
        if (!isempty(d->reason_message))
                return take_text(&n->death_reason, d->reason_message, REASON_SIZE_MAX);
        bool known = d->reason > 0 && (size_t)d->reason < ELEMENTSOF(reasons);
        return take_text(&n->death_reason, known ? reasons[d->reason] : "not said", 32);
}

static uint16_t take_port(int32_t port)
{
        return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* On failure *n is half-built; the set that holds it frees it. */
static int take_node(Node *n, const Gcspb__NodeInfo *m)
{
        const struct {
                char **dest;
                const char *src;
        } texts[] = {
                {&n->name, m->node_name},
                {&n->hostname, m->node_manager_hostname},
                {&n->address, m->node_manager_address},
                {&n->instance_id, m->instance_id},
                {&n->group, m->node_type_name},
        };

        if (m->node_id.len != RAY_ID_SIZE)
                return -EBADMSG;
        *n = (Node){
                .state = m->state == 1                                        ? NODE_DEAD
                         : m->state_snapshot && m->state_snapshot->state == 3 ? NODE_DRAINING
                                                                              : NODE_ALIVE,
                .is_head = m->is_head_node,
                .node_manager_port = take_port(m->node_manager_port),
                .object_manager_port = take_port(m->object_manager_port),
                .runtime_env_agent_port = take_port(m->runtime_env_agent_port),
                .dashboard_agent_grpc_port = take_port(m->metrics_agent_port),
                .dashboard_agent_port = take_port(m->dashboard_agent_listen_port),
                .metrics_export_port = take_port(m->metrics_export_port),
                .start_time_ms = m->start_time_ms,
                .end_time_ms = m->end_time_ms,
                .idle_ms = -1,
        };
        memcpy(n->id.b, m->node_id.data, RAY_ID_SIZE);
        if (n->state == NODE_ALIVE && m->state_snapshot && m->state_snapshot->state == 1 &&
            m->state_snapshot->idle_duration_ms >= 0)
                n->idle_ms = m->state_snapshot->idle_duration_ms;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                int r = take_text(texts[i].dest, texts[i].src, NAME_SIZE_MAX);
                if (r < 0)
                        return r;
        }
        int r = take_death(n, m->death_info);
        if (r < 0)
                return r;
        return take_resources(n, m->resources_total, m->n_resources_total);
}

static int append_node(NodeSet *set, size_t *cap, const PbField *f)
{
        _cleanup_pb_ Gcspb__NodeInfo *m = NULL;

        if (!f->data)
                return -EBADMSG;
        if (set->n >= NODE_SET_MAX) {
                set->n_dropped++;
                return 0;
        }
        int r = pb_unpack(&gcspb__node_info__descriptor, f->data, f->size, &m);
        if (r < 0)
                return r;
        r = ARRAY_RESERVE(set->nodes, *cap, set->n + 1);
        if (r < 0)
                return r;
        set->nodes[set->n] = (Node){0};
        return take_node(&set->nodes[set->n++], m);
}

static int check_status(const PbField *f, GcsReplyStatus *status)
{
        _cleanup_pb_ Gcspb__Status *m = NULL;

        int r = f->data ? pb_unpack(&gcspb__status__descriptor, f->data, f->size, &m) : -EBADMSG;
        if (r < 0)
                return r;
        *status = (GcsReplyStatus){.code = m->code};
        if (m->code == 0)
                return 0;
        _cleanup_free_ char *text =
                text_clean(m->message, strlen(m->message), sizeof(status->text) - 1);
        if (!text)
                return -ENOMEM;
        memcpy(status->text, text, strlen(text) + 1);
        return 1;
}

int gcs_decode_nodes(const void *data, size_t size, bool whole, GcsReplyStatus *status,
                     NodeSet **ret)
{
        _cleanup_(node_set_freep) NodeSet *set = new0(NodeSet, 1);
        const uint8_t *p = data, *end = p + size;
        uint64_t total = 0;
        size_t cap = 0;
        PbField f;
        int r;

        if (!set)
                return -ENOMEM;
        *status = (GcsReplyStatus){0};
        while ((r = pb_next(&p, end, &f)) > 0) {
                if (f.number == 1) {
                        r = check_status(&f, status);
                        if (r > 0)
                                return 0;
                } else if (f.number == 2)
                        r = append_node(set, &cap, &f);
                else if (f.number == 3)
                        total = f.value;
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (whole && total <= INT64_MAX && total > set->n + set->n_dropped)
                set->n_dropped = (size_t)total - set->n;
        node_set_sort(set);
        *ret = TAKE_PTR(set);
        return 0;
}

/* --- GetClusterStatus ---------------------------------------------------------------------------
 */

static int compare_ids(const void *a, const void *b)
{
        return memcmp((*(Node *const *)a)->id.b, (*(Node *const *)b)->id.b, RAY_ID_SIZE);
}

static Node *find(Node **index, size_t n, const ProtobufCBinaryData *id)
{
        Node key = {0}, *pkey = &key;

        if (id->len != RAY_ID_SIZE || n == 0)
                return NULL;
        memcpy(key.id.b, id->data, RAY_ID_SIZE);
        Node **hit = bsearch(&pkey, index, n, sizeof(*index), compare_ids);
        return hit ? *hit : NULL;
}

static void merge_available(Node *n, Gcspb__NodeState__AvailableResourcesEntry **entries,
                            size_t n_entries)
{
        for (size_t i = 0; i < n->n_resources; i++)
                n->resources[i].available = 0; /* Ray leaves out what is used up */
        for (size_t i = 0; i < n_entries; i++) {
                Resource key = {.name = entries[i]->key}, *res = NULL;
                if (n->n_resources > 0 && isfinite(entries[i]->value) && entries[i]->value >= 0)
                        res = bsearch(&key, n->resources, n->n_resources, sizeof(Resource),
                                      compare_resources);
                if (res)
                        res->available = entries[i]->value;
        }
}

static int merge_state(Node **index, size_t n_index, const PbField *f)
{
        _cleanup_pb_ Gcspb__NodeState *m = NULL;

        int r = f->data ? pb_unpack(&gcspb__node_state__descriptor, f->data, f->size, &m)
                        : -EBADMSG;
        if (r < 0)
                return r;
        Node *n = find(index, n_index, &m->node_id);
        if (!n || n->state == NODE_DEAD || m->status == 2)
                return 0;
        if (m->status == 4)
                n->state = NODE_DRAINING;
        n->idle_ms = m->status == 3 && m->idle_duration_ms >= 0 ? m->idle_duration_ms : -1;
        merge_available(n, m->available_resources, m->n_available_resources);
        return 0;
}

static int count_demand(const PbField *f, size_t *shapes, uint64_t *requests)
{
        _cleanup_pb_ Gcspb__ResourceRequestByCount *m = NULL;

        int r = f->data ? pb_unpack(&gcspb__resource_request_by_count__descriptor, f->data, f->size,
                                    &m)
                        : -EBADMSG;
        if (r < 0)
                return r;
        if (m->count <= 0)
                return 0;
        (*shapes)++;
        if (__builtin_add_overflow(*requests, (uint64_t)m->count, requests))
                *requests = UINT64_MAX;
        return 0;
}

static int merge_cluster(const PbField *cluster, Node **index, size_t n_index, size_t *shapes,
                         uint64_t *requests)
{
        const uint8_t *p = cluster->data, *end = p + cluster->size;
        PbField f;
        int r;

        if (!p)
                return -EBADMSG;
        while ((r = pb_next(&p, end, &f)) > 0) {
                if (f.number == 3)
                        r = merge_state(index, n_index, &f);
                else if (f.number == 4)
                        r = count_demand(&f, shapes, requests);
                if (r < 0)
                        return r;
        }
        return r;
}

int gcs_decode_cluster_status(const void *data, size_t size, NodeSet *nodes, size_t *ret_shapes,
                              uint64_t *ret_requests)
{
        const uint8_t *p = data, *end = p + size;
        _cleanup_free_ Node **index = new0(Node *, nodes->n + 1);
        size_t shapes = 0;
        uint64_t requests = 0;
        PbField f;
        int r;

        if (!index)
                return -ENOMEM;
        for (size_t i = 0; i < nodes->n; i++)
                index[i] = &nodes->nodes[i];
        qsort(index, nodes->n, sizeof(*index), compare_ids);
        while ((r = pb_next(&p, end, &f)) > 0) {
                if (f.number == 2)
                        r = merge_cluster(&f, index, nodes->n, &shapes, &requests);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret_shapes = shapes;
        *ret_requests = requests;
        return 0;
}
