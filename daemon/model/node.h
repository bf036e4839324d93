/* The cluster as the GCS sees it: nodes and what they hold. Values only; filled by wire/gcs-codec.
 */
#pragma once

#include "base/strtab.h"
#include "base/time.h"

/* Every Ray id of a node or cluster is 28 bytes; any other length aborts gcs_server (ray-facts 3).
 */
#define RAY_ID_SIZE 28

typedef struct RayId {
        uint8_t b[RAY_ID_SIZE];
} RayId;

bool ray_id_is_nil(const RayId *id); /* all 0xff: Ray's nil; or all zero: not set */
bool ray_id_equal(const RayId *a, const RayId *b);
#define RAY_ID_STR_MAX (RAY_ID_SIZE * 2 + 1)
char *ray_id_format(char buf[RAY_ID_STR_MAX], const RayId *id);
int ray_id_parse(const char *s, RayId *ret);

typedef enum NodeState {
        NODE_ALIVE,
        NODE_DRAINING, /* alive, takes no new work */
        NODE_DEAD,
        _NODE_STATE_MAX,
        _NODE_STATE_INVALID = -EINVAL,
} NodeState;

DECLARE_STRTAB(node_state, NodeState);

typedef struct Resource {
        char *name;
        double total;
        double available; /* negative = not known */
} Resource;

typedef struct Node {
        RayId id;
        NodeState state;
        bool is_head;
        char *name;     /* node_name */
        char *hostname; /* node_manager_hostname */
        char *address;  /* node_manager_address */
        /* 0 = not known, or not listening yet */
        uint16_t node_manager_port, object_manager_port, runtime_env_agent_port,
                dashboard_agent_grpc_port, dashboard_agent_port, metrics_export_port;
        char *instance_id; /* raycluster's node id, "" when Ray was started by hand */
        char *group;       /* node_type_name */
        uint64_t start_time_ms, end_time_ms; /* Unix time; 0 = not known */
        char *death_reason;                  /* "" while alive */
        int64_t idle_ms;                     /* -1 = not known or busy */
        Resource *resources;
        size_t n_resources;
} Node;

/* A GCS keeps at most some thousand dead nodes; what is beyond this is counted, not kept. */
#define NODE_SET_MAX 16384

typedef struct NodeSet {
        Node *nodes; /* head first, then by hostname, alive before dead */
        size_t n;
        size_t n_dropped; /* beyond NODE_SET_MAX */
} NodeSet;

NodeSet *node_set_free(NodeSet *s);
DEFINE_CLEANUP(NodeSet *, node_set_free);
void node_set_sort(NodeSet *s);
const Node *node_set_find(const NodeSet *s, const RayId *id);
/* The newest ALIVE or DRAINING node with this instance id; NULL if there is none. */
const Node *node_set_find_instance(const NodeSet *s, const char *instance_id);
/* The same nodes in the same state, with the same totals; what changes every second (available,
 * idle) does not count. Both sorted. */
bool node_set_same(const NodeSet *a, const NodeSet *b);
size_t node_set_count_alive(const NodeSet *s, bool workers_only);
