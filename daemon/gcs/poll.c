/*
 *   WAITING --timer, gcs_poll_now()--> CLUSTER_ID --answer--> NODES --answer--> WAITING (interval)
 *      ^                                   |                    |
 *      +------------- failure, back-off ---+--------------------+
 */
#include "gcs/poll.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"

/* Own nodes at one address: the living one and what earlier starts left. */
#define OWN_NODES_MAX 64
#define TEXT_MAX      512

struct GcsPoll {
        sd_event *event;
        GcsClient *client;
        sd_event_source *round_timer;
        bool asking; /* a round is under way */
        usec_t interval;
        Backoff backoff;
        char *address;
        char *instance_id;

        bool up;
        unsigned failures;
        GcsResult result;
        char text[TEXT_MAX];
        bool has_cluster, cluster_new; /* new: not told yet */
        RayId cluster, self;           /* self: nil = not known */
        NodeSet *nodes;
        bool has_demand;
        GcsDemand demand;
        usec_t answered; /* monotonic, 0 = never */

        gcs_poll_cb on_change;
        void *userdata;
};

static void poll_arm(GcsPoll *p, usec_t delay)
{
        (void)sd_event_source_set_time_relative(p->round_timer, delay);
        (void)sd_event_source_set_enabled(p->round_timer, SD_EVENT_ONESHOT);
}

/* Both ends of a round come here and call back last: the poll may be gone afterwards. */
static void poll_end(GcsPoll *p, const GcsResult *result, usec_t delay, unsigned changes)
{
        p->asking = false;
        (void)snprintf(p->text, sizeof(p->text), "%s", result->text);
        p->result = *result;
        p->result.text = p->text;
        poll_arm(p, delay);
        if (p->cluster_new) {
                p->cluster_new = false;
                changes |= GCS_POLL_CLUSTER;
        }
        if (changes)
                p->on_change(p, changes, p->userdata);
}

static void poll_failed(GcsPoll *p, const GcsResult *result)
{
        bool told = p->failures > 0 && p->result.status == result->status &&
                    p->result.error == result->error;

        p->up = false;
        p->failures++;
        if (p->cluster_new) /* these were another cluster's */
                p->nodes = node_set_free(p->nodes);
        poll_end(p, result, backoff_next(&p->backoff), told ? 0 : GCS_POLL_DOWN);
}

static void poll_failed_here(GcsPoll *p, int error)
{
        poll_failed(p, &(GcsResult){.status = GCS_UNREACHABLE,
                                    .error = error,
                                    .grpc_status = -1,
                                    .text = strerror(-error)});
}

static void poll_done(GcsPoll *p, const GcsResult *result, unsigned changes)
{
        if (!p->up)
                changes |= GCS_POLL_UP;
        p->up = true;
        p->failures = 0;
        p->answered = now_mono();
        backoff_reset(&p->backoff);
        poll_end(p, result, p->interval, changes);
}

/* --- nodes --------------------------------------------------------------------------------------
 */

/* A worker's set holds what is its own: by instance id, and the node it knew before, which may be
 * dead by now. */
static void find_self(GcsPoll *p)
{
        const Node *n =
                isempty(p->instance_id) ? NULL : node_set_find_instance(p->nodes, p->instance_id);

        if (n)
                p->self = n->id;
        else if (!node_set_find(p->nodes, &p->self))
                p->self = (RayId){0};
}

static void take_nodes(GcsPoll *p, const GcsResult *result, NodeSet **nodes)
{
        unsigned changes = 0;

        if (result->status != GCS_OK) {
                poll_failed(p, result);
                return;
        }
        if (!p->nodes || !node_set_same(p->nodes, *nodes))
                changes |= GCS_POLL_NODES;
        node_set_free(p->nodes);
        p->nodes = TAKE_PTR(*nodes);
        find_self(p);
        poll_done(p, result, changes);
}

static void on_nodes(GcsClient *c, const GcsResult *result, NodeSet **nodes, void *userdata)
{
        take_nodes(userdata, result, nodes);
}

static void on_cluster(GcsClient *c, const GcsResult *result, NodeSet **nodes,
                       const GcsDemand *demand, void *userdata)
{
        GcsPoll *p = userdata;

        if (demand) {
                p->demand = *demand;
                p->has_demand = true;
        }
        take_nodes(p, result, nodes);
}

static int ask_nodes(GcsPoll *p)
{
        const Node *self = gcs_poll_self(p);

        if (!p->address)
                return gcs_client_get_cluster(p->client, on_cluster, p);
        /* the node we know, as long as it lives; else look who is at our address now */
        if (self && self->state != NODE_DEAD)
                return gcs_client_find_nodes(p->client, &(GcsNodeFilter){.id = &self->id}, on_nodes,
                                             p);
        return gcs_client_find_nodes(
                p->client, &(GcsNodeFilter){.address = p->address, .limit = OWN_NODES_MAX},
                on_nodes, p);
}

/* --- the round ----------------------------------------------------------------------------------
 */

static void on_cluster_id(GcsClient *c, const GcsResult *result, const RayId *id, void *userdata)
{
        GcsPoll *p = userdata;

        if (result->status != GCS_OK) {
                poll_failed(p, result);
                return;
        }
        if (!p->has_cluster || !ray_id_equal(&p->cluster, id)) {
                p->cluster = *id;
                p->has_cluster = true;
                p->cluster_new = true; /* told at the end of the round */
                p->self = (RayId){0};
        }
        int r = ask_nodes(p);
        if (r < 0)
                poll_failed_here(p, r);
}

static int on_round(sd_event_source *source, uint64_t usec, void *userdata)
{
        GcsPoll *p = userdata;

        p->asking = true;
        int r = gcs_client_get_cluster_id(p->client, on_cluster_id, p);
        if (r < 0)
                poll_failed_here(p, r);
        return 0;
}

int gcs_poll_new(sd_event *event, const GcsPollPolicy *policy, gcs_poll_cb on_change,
                 void *userdata, GcsPoll **ret)
{
        if (policy->interval == 0 || policy->retry == 0 || policy->retry_max < policy->retry)
                return -EINVAL;
        _cleanup_(gcs_poll_freep) GcsPoll *p = new0(GcsPoll, 1);
        if (!p)
                return -ENOMEM;
        *p = (GcsPoll){
                .event = sd_event_ref(event),
                .interval = policy->interval,
                .backoff = {.base = policy->retry, .max = policy->retry_max},
                .text = "Not asked yet",
                .on_change = on_change,
                .userdata = userdata,
        };
        p->result = (GcsResult){.status = GCS_TIMEOUT, .grpc_status = -1, .text = p->text};
        if (free_and_strdup(&p->address, policy->address) < 0 ||
            free_and_strdup(&p->instance_id, policy->instance_id) < 0)
                return -ENOMEM;
        int r = gcs_client_new(event, &policy->client, &p->client);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &p->round_timer, CLOCK_MONOTONIC, 0,
                                       10 * USEC_PER_MSEC, on_round, p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

GcsPoll *gcs_poll_free(GcsPoll *p)
{
        if (!p)
                return NULL;
        sd_event_source_disable_unref(p->round_timer);
        gcs_client_free(p->client);
        node_set_free(p->nodes);
        free(p->address);
        free(p->instance_id);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}

void gcs_poll_now(GcsPoll *p)
{
        if (p->asking)
                return;
        backoff_reset(&p->backoff);
        poll_arm(p, 0);
}

bool gcs_poll_is_up(const GcsPoll *p)
{
        return p->up;
}

const GcsResult *gcs_poll_result(const GcsPoll *p)
{
        return &p->result;
}

unsigned gcs_poll_failures(const GcsPoll *p)
{
        return p->failures;
}

const RayId *gcs_poll_cluster_id(const GcsPoll *p)
{
        return p->has_cluster ? &p->cluster : NULL;
}

const NodeSet *gcs_poll_nodes(const GcsPoll *p)
{
        return p->nodes;
}

const GcsDemand *gcs_poll_demand(const GcsPoll *p)
{
        return p->has_demand ? &p->demand : NULL;
}

const Node *gcs_poll_self(const GcsPoll *p)
{
        return p->nodes && !ray_id_is_nil(&p->self) ? node_set_find(p->nodes, &p->self) : NULL;
}

usec_t gcs_poll_age(const GcsPoll *p)
{
        return p->answered ? usec_sub(now_mono(), p->answered) : USEC_INFINITY;
}

GcsClient *gcs_poll_client(const GcsPoll *p)
{
        return p->client;
}
