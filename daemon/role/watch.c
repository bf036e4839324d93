/* waiting ──timer, refresh──> alive ──> cluster id ──> versions (once) ──> nodes (when due) ──┐
 *    ^                          │            │              │                    │         │
 *    └──────────────────────────┴── failed ──┴──────────────┴────────────────────┴─────────┘
 */
#include "role/watch.h"

#include <errno.h>

#include "base/backoff.h"
#include "base/str.h"

struct Watch {
        sd_event *event;
        Addr addr;
        WatchPace pace;
        WatchOps ops;
        void *userdata;
        GcsClient *client;
        sd_event_source *timer;
        WatchFacts facts;
        char *own; /* address, or NULL */
        bool busy;
};

static void next_round(Watch *w, usec_t in)
{
        (void)sd_event_source_set_time_relative(w->timer, in);
        (void)sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

/* The last thing a round does. */
static void end_round(Watch *w)
{
        Backoff jitter = {.base = w->pace.round, .max = w->pace.round};

        w->busy = false;
        w->facts.rounds++;
        next_round(w, w->facts.refreshing ? 0 : backoff_next(&jitter));
        w->ops.on_round(w, w->userdata);
}

static void fail_round(Watch *w, const GcsResult *result)
{
        w->facts.failures++;
        w->facts.refreshing = false;
        w->facts.status = result->status;
        w->facts.serving_since = 0;
        (void)free_and_strdup(&w->facts.text, result->text);
        end_round(w);
}

static void call_failed(Watch *w)
{
        fail_round(w, &(GcsResult){.status = GCS_UNREACHABLE, .text = "no memory for the call"});
}

static void on_nodes(GcsClient *c, const GcsResult *result, NodeSet **nodes,
                     const GcsDemand *demand, void *userdata)
{
        Watch *w = userdata;

        w->facts.refreshing = false;
        if (result->status == GCS_OK) {
                node_set_free(w->facts.nodes);
                w->facts.nodes = TAKE_PTR(*nodes);
                w->facts.nodes_at = now_mono();
        }
        end_round(w);
}

static void on_own(GcsClient *c, const GcsResult *result, NodeSet **nodes, void *userdata)
{
        Watch *w = userdata;

        if (result->status == GCS_OK) {
                node_set_free(w->facts.own);
                w->facts.own = TAKE_PTR(*nodes);
                w->facts.own_at = now_mono();
        }
        end_round(w);
}

static bool is_due(const Watch *w, const NodeSet *nodes, usec_t at)
{
        return w->pace.nodes != USEC_INFINITY &&
               (!nodes || usec_sub(now_mono(), at) >= w->pace.nodes);
}

/* Living nodes come first, and at most one of an address lives; a few dead ones are told apart
 * from none. */
#define OWN_ROWS 4

static void ask_nodes(Watch *w)
{
        int r = 0;

        if (w->facts.refreshing || (!w->own && is_due(w, w->facts.nodes, w->facts.nodes_at)))
                r = gcs_client_get_cluster(w->client, on_nodes, w);
        else if (w->own && is_due(w, w->facts.own, w->facts.own_at))
                r = gcs_client_find_nodes(w->client,
                                          &(GcsNodeFilter){.address = w->own, .limit = OWN_ROWS},
                                          on_own, w);
        else
                end_round(w);
        if (r < 0)
                call_failed(w);
}

static void on_versions(GcsClient *c, const GcsResult *result, const Versions *v, void *userdata)
{
        Watch *w = userdata;

        /* a GCS that just came up has not written its versions yet: asked again next round */
        if (result->status == GCS_OK)
                w->facts.versions = *v;
        ask_nodes(w);
}

static void on_cluster_id(GcsClient *c, const GcsResult *result, const RayId *id, void *userdata)
{
        Watch *w = userdata;

        if (result->status != GCS_OK) {
                fail_round(w, result);
                return;
        }
        if (!ray_id_equal(&w->facts.cluster_id, id)) {
                w->facts.cluster_id = *id;
                w->facts.versions = (Versions){};
                w->facts.nodes = node_set_free(w->facts.nodes);
                w->facts.own = node_set_free(w->facts.own);
        }
        if (*w->facts.versions.ray && *w->facts.versions.python)
                ask_nodes(w);
        else if (gcs_client_get_versions(w->client, on_versions, w) < 0)
                call_failed(w);
}

static void on_alive(GcsClient *c, const GcsResult *result, const char *ray_version, void *userdata)
{
        Watch *w = userdata;

        if (result->status != GCS_OK) {
                fail_round(w, result);
                return;
        }
        w->facts.status = GCS_OK;
        w->facts.failures = 0;
        w->facts.served_at = now_mono();
        if (w->facts.serving_since == 0)
                w->facts.serving_since = w->facts.served_at;
        if (!isempty(ray_version) && !streq(w->facts.versions.ray, ray_version))
                w->facts.versions = (Versions){}; /* another Ray on the old tables: asked anew */
        (void)free_and_strdup(&w->facts.text, "");
        if (gcs_client_get_cluster_id(w->client, on_cluster_id, w) < 0)
                call_failed(w);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Watch *w = userdata;

        if (w->busy)
                return 0;
        w->busy = true;
        if (gcs_client_check_alive(w->client, on_alive, w) < 0)
                call_failed(w);
        return 0;
}

int watch_new(sd_event *event, const GcsClientPolicy *policy, const WatchPace *pace, usec_t first,
              const WatchOps *ops, void *userdata, Watch **ret)
{
        _cleanup_(watch_freep) Watch *w = new0(Watch, 1);
        if (!w)
                return -ENOMEM;
        *w = (Watch){
                .event = sd_event_ref(event),
                .addr = policy->addr,
                .pace = *pace,
                .ops = *ops,
                .userdata = userdata,
                .facts.text = strdup(""),
        };
        if (!w->facts.text)
                return -ENOMEM;
        int r = gcs_client_new(event, policy, &w->client);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, first, 1,
                                               on_timer, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

Watch *watch_free(Watch *w)
{
        if (!w)
                return NULL;
        gcs_client_free(w->client);
        sd_event_source_disable_unref(w->timer);
        sd_event_unref(w->event);
        node_set_free(w->facts.nodes);
        node_set_free(w->facts.own);
        free(w->facts.text);
        free(w->own);
        free(w);
        return NULL;
}

void watch_set_pace(Watch *w, const WatchPace *pace)
{
        bool faster = pace->round < w->pace.round;
        w->pace = *pace;
        if (faster && !w->busy)
                next_round(w, pace->round);
}

int watch_set_own(Watch *w, const Addr *own)
{
        char text[ADDR_MAX];
        return free_and_strdup(&w->own, addr_format(text, own)) < 0 ? -ENOMEM : 0;
}

void watch_refresh(Watch *w)
{
        w->facts.refreshing = true;
        if (!w->busy)
                next_round(w, 0);
}

const WatchFacts *watch_facts(const Watch *w)
{
        return &w->facts;
}

const Addr *watch_addr(const Watch *w)
{
        return &w->addr;
}

bool watch_is_known(const WatchFacts *f)
{
        static const RayId none = {0};
        return f->serving_since != 0 && !ray_id_equal(&f->cluster_id, &none) && *f->versions.ray &&
               *f->versions.python;
}
