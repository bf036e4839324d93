#include "probe-cli/examination.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "probe-cli/nss.h"

struct Examination {
        sd_event *event; /* weak */
        ProbeRequest request;
        examination_cb cb;
        void *userdata;
        Addr nss; /* what the system knows of a name that DNS does not */
        char note[512];
        Probe *probe;
};

static void on_report(Probe *p, const ProbeReport *report, void *userdata);

/* DNS does not know the name: ask as ssh and ping on this machine would. */
static int try_nss(Examination *x, Probe *p, const ProbeReport *report)
{
        char addr[ADDR_MAX];

        if (report->verdict != VERDICT_NAME_NOT_FOUND || addr_is_set(&x->nss))
                return -ENOENT;
        int r = nss_lookup(x->request.host, &x->nss);
        if (r < 0)
                return r;
        (void)snprintf(x->note, sizeof(x->note), "%s; this system (nsswitch.conf) says %s",
                       strempty(report->because), addr_format(addr, &x->nss));
        x->request.addr = &x->nss;
        x->request.note = x->note;
        r = probe_new(x->event, &x->request, on_report, x, &x->probe);
        if (r >= 0)
                probe_free(p); /* the report went with it */
        return r;
}

static void on_report(Probe *p, const ProbeReport *report, void *userdata)
{
        Examination *x = userdata;
        if (try_nss(x, p, report) < 0)
                x->cb(x, report, x->userdata);
}

int examination_new(sd_event *event, const ProbeRequest *request, examination_cb cb, void *userdata,
                    Examination **ret)
{
        _cleanup_(examination_freep) Examination *x = new0(Examination, 1);
        if (!x)
                return -ENOMEM;
        *x = (Examination){.event = event, .request = *request, .cb = cb, .userdata = userdata};
        int r = probe_new(event, &x->request, on_report, x, &x->probe);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(x);
        return 0;
}

Examination *examination_free(Examination *x)
{
        if (!x)
                return NULL;
        probe_free(x->probe);
        free(x);
        return NULL;
}

const char *examination_doing(const Examination *x, usec_t *ret_since)
{
        return probe_doing(x->probe, ret_since);
}
