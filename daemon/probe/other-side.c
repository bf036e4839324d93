#include "probe/other-side.h"

#include <stdio.h>

#include "base/alloc.h"
#include "probe/facts.h"
#include "sys/netstat.h"

/* A reflector near by answers sooner: its counters are then known from before our first SYN. */
#define NEAR (30 * USEC_PER_MSEC)

struct OtherSide {
        Evidence *e; /* weak */
        other_side_cb cb;
        void *userdata;
        Ask *ask;
        sd_event_source *late_timer;
        bool meets;
        NetCounters base; /* of this machine, before the head connects back */
        bool base_known;
};

OtherSide *other_side_free(OtherSide *o)
{
        if (!o)
                return NULL;
        sd_event_source_disable_unref(o->late_timer);
        ask_free(o->ask);
        free(o);
        return NULL;
}

/* A reflector that answers at the very address: the machine is alive. */
static void note_alive(Evidence *e)
{
        const Reflection *r = &e->other;

        if (!r->answered || !addr_equal(&r->dialled, &e->addr))
                return;
        e->life.alive = true;
        (void)snprintf(e->life.how, sizeof(e->life.how), "its reflector answers on port %u",
                       r->dialled.port);
}

/* What this machine threw away while the head connected. */
static void note_undelivered(OtherSide *o)
{
        BackPlan *b = &o->e->back;
        NetCounters now;

        if (!o->base_known || !o->base.undelivered_known ||
            netstat_counters(o->e->addr.family, &now) < 0 || !now.undelivered_known)
                return;
        b->undelivered_known = true;
        b->undelivered = now.undelivered > o->base.undelivered
                                 ? (uint64_t)(now.undelivered - o->base.undelivered)
                                 : 0;
}

static void on_ask_step(Ask *a, AskStep ended, void *userdata)
{
        OtherSide *o = userdata;

        if (ended == ASK_MET)
                return; /* the reflector went away, and nothing waits for it just now */
        if (ended == ASK_MEETING) {
                note_alive(o->e);
                o->meets = false;
                o->late_timer = sd_event_source_disable_unref(o->late_timer);
        } else if (ended == ASK_RETURNING)
                note_undelivered(o);
        o->cb(o, ended == ASK_MEETING ? OTHER_SIDE_MET : OTHER_SIDE_DONE, o->userdata);
}

static int on_late_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        OtherSide *o = userdata;
        o->cb(o, OTHER_SIDE_LATE, o->userdata);
        return 0;
}

bool other_side_meets(const OtherSide *o)
{
        return o->meets;
}

void other_side_set_plan(OtherSide *o, const PortPlan *plan)
{
        ask_set_plan(o->ask, plan);
}

int other_side_look(OtherSide *o)
{
        return ask_look(o->ask);
}

int other_side_back(OtherSide *o)
{
        o->base_known = netstat_counters(o->e->addr.family, &o->base) >= 0;
        /* what the GCS itself has shown need not be shown again */
        return ask_back(o->ask, o->e->large.out != LARGE_HOLE && o->e->large.in != LARGE_HOLE);
}

int other_side_new(sd_event *event, const OtherSideRequest *q, Evidence *e, other_side_cb cb,
                   void *userdata, OtherSide **ret)
{
        _cleanup_(other_side_freep) OtherSide *o = new0(OtherSide, 1);
        if (!o)
                return -ENOMEM;
        *o = (OtherSide){.e = e, .cb = cb, .userdata = userdata, .meets = true};
        AskRequest ask = {
                .transport = q->transport,
                .addrs = {e->addr},
                .n_addrs = 1,
                .port = e->addr.port,
                .node = e->back.node,
                .plan = *q->plan,
                .thorough = q->thorough,
                .here = e->here,
        };
        for (size_t i = 0; i < q->n_others && ask.n_addrs < ASK_ADDRS_MAX; i++)
                if (!addr_equal(&q->others[i], &e->addr))
                        ask.addrs[ask.n_addrs++] = q->others[i];
        ConnectPolicy policy = {.addr = e->addr};
        facts_source(e, &policy);
        ask.from = policy.from;
        ask.interface = policy.interface;
        if (!q->thorough)
                e->back.sampled = port_plan_workers(q->plan);
        int r = ask_new(event, &ask, &e->other, on_ask_step, o, &o->ask);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &o->late_timer, CLOCK_MONOTONIC, NEAR,
                                               USEC_PER_MSEC, on_late_timer, o);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}
