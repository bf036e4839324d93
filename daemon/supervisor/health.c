#include "supervisor/health.h"

#include "gcs/client.h"

struct Health {
        GcsClient *client;
        health_frozen_cb cb;
        void *userdata;
        usec_t asked, answered;
        sd_event_source *timer;
};

static void on_health(GcsClient *c, const GcsResult *result, void *userdata);

static void arm(Health *h, usec_t when)
{
        (void)sd_event_source_set_time(h->timer, when);
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Health *h = userdata;

        h->asked = now_mono();
        if (gcs_client_health(h->client, on_health, h) < 0)
                arm(h, h->asked + HEALTH_INTERVAL); /* out of memory: not its fault */
        return 0;
}

static void on_health(GcsClient *c, const GcsResult *result, void *userdata)
{
        Health *h = userdata;
        usec_t now = now_mono();

        /* a refused connection is a process that is gone, and somebody else's to notice; any
         * answer, even a strange one, comes from a process that runs */
        if (result->status != GCS_TIMEOUT)
                h->answered = now;
        if (now - h->answered >= HEALTH_BOUND) {
                h->cb(h, now - h->answered, h->userdata);
                return;
        }
        arm(h, MAX(h->asked + HEALTH_INTERVAL, now));
}

int health_new(sd_event *event, const Addr *addr, const TlsFiles *tls, health_frozen_cb cb,
               void *userdata, Health **ret)
{
        _cleanup_(health_freep) Health *h = new0(Health, 1);
        GcsClientPolicy policy = {.addr = *addr, .tls = tls, .timeout = HEALTH_TIMEOUT};

        if (!h)
                return -ENOMEM;
        *h = (Health){.cb = cb, .userdata = userdata, .answered = now_mono()};
        int r = gcs_client_new(event, &policy, &h->client);
        if (r >= 0)
                r = sd_event_add_time(event, &h->timer, CLOCK_MONOTONIC,
                                      h->answered + HEALTH_INTERVAL, 0, on_timer, h);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

Health *health_free(Health *h)
{
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->timer);
        gcs_client_free(h->client);
        free(h);
        return NULL;
}
