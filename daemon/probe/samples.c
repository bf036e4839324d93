#include "probe/samples.h"

#include <stdlib.h>

#include "base/alloc.h"

#define STAGGER (25 * USEC_PER_MSEC)
/* under the kernel's own second, after which it would send the SYN again */
#define PATIENCE (450 * USEC_PER_MSEC)

typedef struct Sample {
        Samples *samples; /* weak */
        ProbeSock *sock;
        bool answered;
        usec_t took;
} Sample;

struct Samples {
        sd_event *event; /* weak */
        ConnectPolicy policy;
        samples_cb cb;
        void *userdata;

        Sample list[SAMPLES_MAX];
        unsigned n, n_answered, wanted;
        usec_t sent_at; /* the latest one */
        sd_event_source *tick_timer;
        bool ended;
};

static int by_time(const void *a, const void *b)
{
        usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;
        return (x > y) - (x < y);
}

static void end(Samples *s)
{
        if (s->ended)
                return;
        s->ended = true;
        SampleFacts f = {.asked = true, .sent = s->n, .lost = s->n - s->n_answered};
        usec_t took[SAMPLES_MAX];
        unsigned n = 0;

        for (unsigned i = 0; i < s->n; i++)
                if (s->list[i].answered)
                        took[n++] = s->list[i].took;
        qsort(took, n, sizeof(took[0]), by_time);
        f.rtt = n > 0 ? took[n / 2] : 0;
        s->tick_timer = sd_event_source_disable_unref(s->tick_timer);
        s->cb(s, &f, s->userdata);
}

/* Another round, where the first one leaves a doubt. */
static bool go_on(Samples *s)
{
        unsigned lost = s->n - s->n_answered;
        if (s->wanted == SAMPLES_MAX || lost * 100 <= s->n * SAMPLES_LOST_PERCENT)
                return false;
        s->wanted = SAMPLES_MAX;
        return true;
}

/* The last thing in a callback: it may be freed inside. */
static void look(Samples *s)
{
        if (s->n < s->wanted)
                return;
        if (s->n_answered < s->n && usec_sub(now_mono(), s->sent_at) < PATIENCE)
                return;
        if (!go_on(s))
                end(s);
}

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Sample *one = userdata;

        one->answered =
                f->outcome == CONNECT_ESTABLISHED || (f->outcome == CONNECT_FAILED && !f->at_once);
        /* the kernel's clock is not held up by what this machine does meanwhile */
        one->took = f->rtt > 0 ? f->rtt : f->took;
        one->samples->n_answered += one->answered;
        one->sock = probe_sock_free(one->sock);
        look(one->samples);
}

static void send_one(Samples *s)
{
        Sample *one = &s->list[s->n++];
        ConnectPolicy policy = s->policy;

        *one = (Sample){.samples = s};
        policy.n_sockets = 1;
        s->sent_at = now_mono();
        (void)probe_sock_new(s->event, &policy, on_sock_answer, one, &one->sock);
}

static int on_tick_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Samples *s = userdata;

        if (s->n < s->wanted)
                send_one(s);
        (void)sd_event_source_set_time_relative(source, STAGGER);
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        look(s);
        return 0;
}

Samples *samples_free(Samples *s)
{
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->tick_timer);
        for (unsigned i = 0; i < s->n; i++)
                probe_sock_free(s->list[i].sock);
        free(s);
        return NULL;
}

int samples_new(sd_event *event, const ConnectPolicy *policy, samples_cb cb, void *userdata,
                Samples **ret)
{
        _cleanup_(samples_freep) Samples *s = new0(Samples, 1);
        if (!s)
                return -ENOMEM;
        *s = (Samples){.event = event,
                       .policy = *policy,
                       .cb = cb,
                       .userdata = userdata,
                       .wanted = SAMPLES_ROUND};
        int r = sd_event_add_time_relative(event, &s->tick_timer, CLOCK_MONOTONIC, 0, 1,
                                           on_tick_timer, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
