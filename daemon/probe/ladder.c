#include "probe/ladder.h"

#include "base/alloc.h"

/* A router answers in its round trip. What it rations comes later or not at all. */
#define RUNG_WAIT   (250 * USEC_PER_MSEC)
#define SILENCE_MAX 3

struct Ladder {
        sd_event *event; /* weak */
        ConnectPolicy policy;
        LadderFacts *facts; /* weak */
        ProbeSock *rung;
        unsigned ttl, silent;
        sd_event_source *rung_timer;
};

Ladder *ladder_free(Ladder *l)
{
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->rung_timer);
        probe_sock_free(l->rung);
        free(l);
        return NULL;
}

static void stop(Ladder *l)
{
        l->facts->ended = true;
        l->rung = probe_sock_free(l->rung);
        (void)sd_event_source_set_enabled(l->rung_timer, SD_EVENT_OFF);
}

static void next_rung(Ladder *l);

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Ladder *l = userdata;
        LadderFacts *facts = l->facts;
        bool died =
                f->icmp.seen && icmp_meaning(l->policy.addr.family, &f->icmp) == ICMP_MEANS_LOOP;

        if (died && addr_is_set(&f->icmp.from) && l->ttl <= LADDER_HOPS_MAX) {
                facts->hops[l->ttl - 1] = f->icmp.from;
                facts->n_hops = l->ttl;
                l->silent = 0;
                next_rung(l);
                return;
        }
        /* an answer to the SYN itself, from the head or in its name; or it could not be sent */
        facts->arrived = !f->at_once && !died;
        stop(l);
}

static void next_rung(Ladder *l)
{
        ConnectPolicy policy = l->policy;

        l->rung = probe_sock_free(l->rung);
        if (l->silent >= SILENCE_MAX || l->ttl >= LADDER_HOPS_MAX) {
                stop(l);
                return;
        }
        policy.ttl = (int)++l->ttl;
        policy.n_sockets = 1;
        (void)sd_event_source_set_time_relative(l->rung_timer, RUNG_WAIT);
        (void)sd_event_source_set_enabled(l->rung_timer, SD_EVENT_ONESHOT);
        if (probe_sock_new(l->event, &policy, on_sock_answer, l, &l->rung) < 0)
                stop(l);
}

static int on_rung_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Ladder *l = userdata;
        l->silent++;
        next_rung(l);
        return 0;
}

int ladder_new(sd_event *event, const ConnectPolicy *policy, LadderFacts *facts, Ladder **ret)
{
        _cleanup_(ladder_freep) Ladder *l = new0(Ladder, 1);
        if (!l)
                return -ENOMEM;
        *l = (Ladder){.event = event, .policy = *policy, .facts = facts};
        *facts = (LadderFacts){.asked = true};
        int r = sd_event_add_time_relative(event, &l->rung_timer, CLOCK_MONOTONIC, RUNG_WAIT,
                                           USEC_PER_MSEC, on_rung_timer, l);
        if (r < 0)
                return r;
        next_rung(l);
        *ret = TAKE_PTR(l);
        return 0;
}
