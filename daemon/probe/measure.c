/*
 *   large packets ───────────────┐
 *   measure_finish() ──┬─────────┴─all known──> told
 *                      ├─suspicion of loss: samples ─┘
 *   mDNS, 1.9 s ───────┘
 */
#include "probe/measure.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "probe/facts.h"

#define HEAR_TIMEOUT (1900 * USEC_PER_MSEC)

struct Measure {
        sd_event *event; /* weak */
        Evidence *e;     /* weak */
        measure_cb cb;
        void *userdata;

        Large *large;
        Samples *samples;
        Bus *bus;
        Hear *hear;
        sd_event_source *look_defer;
        bool finishing, told;
};

Measure *measure_free(Measure *m)
{
        if (!m)
                return NULL;
        sd_event_source_disable_unref(m->look_defer);
        large_free(m->large);
        samples_free(m->samples);
        hear_free(m->hear);
        bus_free(m->bus);
        free(m);
        return NULL;
}

/* From the loop: the stages are inside their own callbacks when they end. */
static void look_soon(Measure *m)
{
        (void)sd_event_source_set_enabled(m->look_defer, SD_EVENT_ONESHOT);
}

/* What the connections made so far say. One packet sent again may be the kernel's impatience; where
 * the path's MTU was learned, the first flight is lost by design. */
static bool suspected(const Evidence *e)
{
        const LargeFacts *l = &e->large;
        return e->tcp.n_sockets > 1 || e->tcp.total_retrans > 0 || e->tcp.rtt > SAMPLES_SLOW ||
               (l->lost >= 2 && l->pmtu == l->tried) ||
               (e->hello.stream_known &&
                (e->hello.stream.total_retrans > 0 || e->hello.stream.rtt > SAMPLES_SLOW));
}

static void on_samples(Samples *s, const SampleFacts *facts, void *userdata)
{
        Measure *m = userdata;
        m->e->samples = *facts;
        m->samples = samples_free(m->samples);
        look_soon(m);
}

static bool wants_samples(const Measure *m)
{
        return !m->e->samples.asked && !m->samples && m->e->large.out != LARGE_HOLE &&
               m->e->large.in != LARGE_HOLE && suspected(m->e);
}

static int on_look(sd_event_source *source, void *userdata)
{
        Measure *m = userdata;

        if (!m->finishing || m->told || m->large)
                return 0;
        if (wants_samples(m)) {
                ConnectPolicy policy = {.addr = m->e->addr};
                facts_source(m->e, &policy);
                if (samples_new(m->event, &policy, on_samples, m, &m->samples) >= 0)
                        return 0;
        }
        if (m->samples || (m->e->hear.asked && !m->e->hear.ended))
                return 0;
        m->told = true;
        m->cb(m, m->userdata);
        return 0;
}

static void on_large(Large *l, const LargeFacts *facts, void *userdata)
{
        Measure *m = userdata;
        m->e->large = *facts;
        m->large = large_free(m->large);
        look_soon(m);
}

void measure_connection(Measure *m, int fd, const uint8_t *seen, size_t n)
{
        _cleanup_close_ int conn = fd;
        ConnectPolicy policy = {.addr = m->e->addr};

        facts_source(m->e, &policy);
        if (!m->large && large_new(m->event, conn, seen, n, &policy, on_large, m, &m->large) >= 0)
                (void)TAKE_FD(conn);
}

static void on_hear(Hear *h, const HearFacts *facts, void *userdata)
{
        Measure *m = userdata;
        m->e->hear = *facts;
        m->hear = hear_free(m->hear);
        look_soon(m);
}

static int listen_for_head(Measure *m)
{
        int r = bus_new(m->event, NULL, &m->bus);
        if (r >= 0)
                r = hear_new(m->event, m->bus, &m->e->addr, HEAR_TIMEOUT, on_hear, m, &m->hear);
        if (r >= 0)
                m->e->hear = (HearFacts){.asked = true};
        return r;
}

void measure_finish(Measure *m)
{
        m->finishing = true;
        look_soon(m);
}

void measure_snapshot(Measure *m)
{
        if (m->large)
                large_snapshot(m->large, &m->e->large);
}

int measure_new(sd_event *event, Evidence *e, bool discover, measure_cb cb, void *userdata,
                Measure **ret)
{
        _cleanup_(measure_freep) Measure *m = new0(Measure, 1);
        if (!m)
                return -ENOMEM;
        *m = (Measure){.event = event, .e = e, .cb = cb, .userdata = userdata};
        int r = sd_event_add_defer(event, &m->look_defer, on_look, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->look_defer, SD_EVENT_OFF);
        if (r >= 0 && discover)
                r = listen_for_head(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}
