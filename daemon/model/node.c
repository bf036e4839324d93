#include "model/node.h"

#include "base/hex.h"
#include "base/strtab.h"

static const char *const node_state_table[_NODE_STATE_MAX] = {
        [NODE_ALIVE] = "alive",
        [NODE_DRAINING] = "draining",
        [NODE_DEAD] = "dead",
};
DEFINE_STRTAB(node_state, NodeState);

bool ray_id_is_nil(const RayId *id)
{
        for (size_t i = 1; i < RAY_ID_SIZE; i++)
                if (id->b[i] != id->b[0])
                        return false;
        return id->b[0] == 0xff || id->b[0] == 0;
}

bool ray_id_equal(const RayId *a, const RayId *b)
{
        return memcmp(a->b, b->b, RAY_ID_SIZE) == 0;
}

char *ray_id_format(char buf[RAY_ID_STR_MAX], const RayId *id)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < RAY_ID_SIZE; i++) {
                buf[i * 2] = digits[id->b[i] >> 4];
                buf[i * 2 + 1] = digits[id->b[i] & 15];
        }
        buf[RAY_ID_SIZE * 2] = 0;
        return buf;
}

int ray_id_parse(const char *s, RayId *ret)
{
        return hex_decode(s, ret->b, RAY_ID_SIZE);
}

static void node_done(Node *n)
{
        free(n->name);
        free(n->hostname);
        free(n->address);
        free(n->instance_id);
        free(n->group);
        free(n->death_reason);
        for (size_t i = 0; i < n->n_resources; i++)
                free(n->resources[i].name);
        free(n->resources);
}

NodeSet *node_set_free(NodeSet *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n; i++)
                node_done(&s->nodes[i]);
        free(s->nodes);
        free(s);
        return NULL;
}

static int compare(const void *pa, const void *pb)
{
        const Node *a = pa, *b = pb;

        if ((a->state == NODE_DEAD) != (b->state == NODE_DEAD))
                return a->state == NODE_DEAD ? 1 : -1;
        if (a->is_head != b->is_head)
                return a->is_head ? -1 : 1;
        int c = strcmp(strempty(a->hostname), strempty(b->hostname));
        if (c != 0)
                return c;
        if (a->start_time_ms != b->start_time_ms)
                return a->start_time_ms < b->start_time_ms ? 1 : -1;
        return memcmp(a->id.b, b->id.b, RAY_ID_SIZE); /* no two tables in another order */
}

void node_set_sort(NodeSet *s)
{
        if (s->n > 1)
                qsort(s->nodes, s->n, sizeof(Node), compare);
}

const Node *node_set_find(const NodeSet *s, const RayId *id)
{
        for (size_t i = 0; i < s->n; i++)
                if (ray_id_equal(&s->nodes[i].id, id))
                        return &s->nodes[i];
        return NULL;
}

const Node *node_set_find_instance(const NodeSet *s, const char *instance_id)
{
        const Node *best = NULL;

        for (size_t i = 0; i < s->n; i++) {
                const Node *n = &s->nodes[i];
                if (n->state != NODE_DEAD && streq_ptr(n->instance_id, instance_id) &&
                    (!best || n->start_time_ms > best->start_time_ms))
                        best = n;
        }
        return best;
}

size_t node_set_count_alive(const NodeSet *s, bool workers_only)
{
        size_t k = 0;

        for (size_t i = 0; i < s->n; i++)
                k += s->nodes[i].state != NODE_DEAD && !(workers_only && s->nodes[i].is_head);
        return k;
}

static bool same_ports(const Node *a, const Node *b)
{
        return a->node_manager_port == b->node_manager_port &&
               a->object_manager_port == b->object_manager_port &&
               a->runtime_env_agent_port == b->runtime_env_agent_port &&
               a->dashboard_agent_grpc_port == b->dashboard_agent_grpc_port &&
               a->dashboard_agent_port == b->dashboard_agent_port &&
               a->metrics_export_port == b->metrics_export_port;
}

static bool node_same(const Node *a, const Node *b)
{
        if (!ray_id_equal(&a->id, &b->id) || a->state != b->state || a->is_head != b->is_head ||
            !same_ports(a, b) || a->n_resources != b->n_resources ||
            a->start_time_ms != b->start_time_ms || a->end_time_ms != b->end_time_ms ||
            !streq_ptr(a->name, b->name) || !streq_ptr(a->hostname, b->hostname) ||
            !streq_ptr(a->address, b->address) || !streq_ptr(a->instance_id, b->instance_id) ||
            !streq_ptr(a->group, b->group) || !streq_ptr(a->death_reason, b->death_reason))
                return false;
        for (size_t i = 0; i < a->n_resources; i++)
                if (a->resources[i].total != b->resources[i].total ||
                    !streq_ptr(a->resources[i].name, b->resources[i].name))
                        return false;
        return true;
}

bool node_set_same(const NodeSet *a, const NodeSet *b)
{
        if (a->n != b->n || a->n_dropped != b->n_dropped)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!node_same(&a->nodes[i], &b->nodes[i]))
                        return false;
        return true;
}
