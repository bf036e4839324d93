/* What a daemon knows of the cluster, asked of the GCS again and again: cluster id and nodes.
 *
 * On the head (address NULL): the whole table with availability and demand; the cache behind
 * `raycluster status`. On a worker: only its own node, so that a room of thousands does not ask for
 * thousands of rows a second: by address until the node with our instance id is found, then by its
 * node id. (GetAllNodeInfo selects by node id, name, address or head; not by instance id.)
 *
 * A round is GetClusterId, then the nodes; it ends in at most one on_change, from the loop. The
 * poll may be freed inside it. */
#pragma once

#include "gcs/client.h"

typedef struct GcsPoll GcsPoll;

typedef struct GcsPollPolicy {
        GcsClientPolicy client;
        usec_t interval;         /* between rounds while the GCS answers */
        usec_t retry;            /* after the first failure; then doubled with jitter */
        usec_t retry_max;        /* at most, before jitter */
        const char *address;     /* own --node-ip-address, or NULL = the whole table; copied */
        const char *instance_id; /* raycluster's own node id; with address; copied */
} GcsPollPolicy;

typedef enum GcsPollChange {
        GCS_POLL_UP = 1 << 0,   /* the first answer, or the first after failures */
        GCS_POLL_DOWN = 1 << 1, /* no answer any more, or another reason than before: _result() */
        GCS_POLL_CLUSTER = 1 << 2, /* the cluster id is known, or another than before */
        GCS_POLL_NODES = 1 << 3, /* nodes came, went, changed state; availability does not count */
} GcsPollChange;

typedef void (*gcs_poll_cb)(GcsPoll *p, unsigned changes, void *userdata);

/* Begins with the next turn of the loop. */
int gcs_poll_new(sd_event *event, const GcsPollPolicy *policy, gcs_poll_cb on_change,
                 void *userdata, GcsPoll **ret);
GcsPoll *gcs_poll_free(GcsPoll *p);
DEFINE_CLEANUP(GcsPoll *, gcs_poll_free);

/* Something happened (a unit changed, a link came up): ask at once, unless a round is under way;
 * back-off begins anew. */
void gcs_poll_now(GcsPoll *p);

bool gcs_poll_is_up(const GcsPoll *p);
/* Of the last round; its text stays valid until the next one ends. Status GCS_TIMEOUT with text
 * "not asked yet" before the first. */
const GcsResult *gcs_poll_result(const GcsPoll *p);
/* Failed rounds since the last good one. */
unsigned gcs_poll_failures(const GcsPoll *p);
/* What was known last stays known while the GCS is down; NULL = never known. Valid until the next
 * round ends. A new cluster id forgets the nodes. */
const RayId *gcs_poll_cluster_id(const GcsPoll *p);
const NodeSet *gcs_poll_nodes(const GcsPoll *p);
const GcsDemand *gcs_poll_demand(const GcsPoll *p); /* whole table only, else NULL */
/* Own node, also when the GCS has called it dead; NULL: none with our instance id yet. */
const Node *gcs_poll_self(const GcsPoll *p);
/* Since the last good round; USEC_INFINITY = never. */
usec_t gcs_poll_age(const GcsPoll *p);
/* For calls of one's own (drain, versions) over the same connection; the poll's, do not free. */
GcsClient *gcs_poll_client(const GcsPoll *p);
