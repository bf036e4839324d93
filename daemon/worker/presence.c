#include "worker/presence.h"

#include "base/alloc.h"
#include "base/str.h"

#define GCS_TIMEOUT   (3 * USEC_PER_SEC)
#define NODES_JOINED  (4 * USEC_PER_SEC)
#define NODES_WAITING (USEC_PER_SEC / 2)

struct Presence {
        sd_event *event;
        const Keeper *keeper;    /* weak */
        const char *instance_id; /* weak */
        PresenceOps ops;
        void *userdata;

        Watch *watch;         /* while Ray's unit is up */
        usec_t lost_since;    /* it does not answer; 0 = it does */
        usec_t missing_since; /* its node tables have no living node of ours; 0 = they do */
};

/* --- the own row --------------------------------------------------------------------------------
 */

/* Whether the raylet that runs here is among the living. A row of its predecessor stays ALIVE for
 * up to a minute when that one froze or the machine lost power (ray-facts 4): it is told apart by
 * the node id, as far as the supervisor has said it. */
static const Node *find_own(const Presence *p, bool alive)
{
        const WatchFacts *f = watch_facts(p->watch);
        char want[ENGINE_NODE_MAX], id[RAY_ID_STR_MAX];

        engine_status_node(keeper_unit_status(p->keeper), want);
        if (!alive && !*want) /* which of the dead would be ours? */
                return NULL;
        for (size_t i = 0; f->own && i < f->own->n; i++) {
                const Node *n = &f->own->nodes[i];
                if ((n->state != NODE_DEAD) == alive && streq_ptr(n->instance_id, p->instance_id) &&
                    startswith(ray_id_format(id, &n->id), want))
                        return n;
        }
        return NULL;
}

bool presence_is_alive(const Presence *p)
{
        return p->watch && find_own(p, true);
}

bool presence_is_dead(const Presence *p)
{
        return p->watch && watch_facts(p->watch)->serving_since != 0 && !find_own(p, true) &&
               find_own(p, false);
}

/* --- the watch ----------------------------------------------------------------------------------
 */

static void note_round(Presence *p)
{
        const WatchFacts *f = watch_facts(p->watch);
        usec_t now = now_mono();

        if (f->serving_since == 0) {
                if (p->lost_since == 0)
                        p->lost_since = now;
                p->missing_since = 0;
                return;
        }
        p->lost_since = 0;
        if (!f->own || presence_is_alive(p))
                p->missing_since = 0;
        else if (p->missing_since == 0)
                p->missing_since = now;
}

static void on_round(Watch *w, void *userdata)
{
        Presence *p = userdata;

        note_round(p);
        p->ops.on_round(p, p->userdata);
}

int presence_watch(Presence *p, const Addr *head, const Addr *own, const char *token,
                   const TlsFiles *tls)
{
        static const WatchOps ops = {.on_round = on_round};
        static const WatchPace pace = {.round = USEC_PER_SEC, .nodes = NODES_WAITING};

        if (p->watch)
                return 0;
        GcsClientPolicy policy = {
                .addr = *head, .token = token, .tls = tls, .timeout = GCS_TIMEOUT};
        int r = watch_new(p->event, &policy, &pace, 0, &ops, p, &p->watch);
        return r < 0 ? r : watch_set_own(p->watch, own);
}

void presence_drop(Presence *p)
{
        p->watch = watch_free(p->watch);
}

void presence_end(Presence *p)
{
        presence_drop(p);
        p->lost_since = p->missing_since = 0;
}

void presence_set_pace(Presence *p, bool joined)
{
        WatchPace pace = {.round = USEC_PER_SEC, .nodes = NODES_WAITING};

        if (!p->watch)
                return;
        if (joined && p->missing_since == 0)
                pace = (WatchPace){.round = 2 * USEC_PER_SEC, .nodes = NODES_JOINED};
        watch_set_pace(p->watch, &pace);
}

void presence_refresh(Presence *p)
{
        if (p->watch)
                watch_refresh(p->watch);
}

const Addr *presence_addr(const Presence *p)
{
        return p->watch ? watch_addr(p->watch) : NULL;
}

const WatchFacts *presence_facts(const Presence *p)
{
        return p->watch ? watch_facts(p->watch) : NULL;
}

usec_t presence_lost_since(const Presence *p)
{
        return p->lost_since;
}

usec_t presence_missing_since(const Presence *p)
{
        return p->missing_since;
}

/* --- the object ---------------------------------------------------------------------------------
 */

int presence_new(sd_event *event, const Keeper *keeper, const char *instance_id,
                 const PresenceOps *ops, void *userdata, Presence **ret)
{
        Presence *p = new0(Presence, 1);
        if (!p)
                return -ENOMEM;
        *p = (Presence){
                .event = sd_event_ref(event),
                .keeper = keeper,
                .instance_id = instance_id,
                .ops = *ops,
                .userdata = userdata,
        };
        *ret = p;
        return 0;
}

Presence *presence_free(Presence *p)
{
        if (!p)
                return NULL;
        watch_free(p->watch);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}
