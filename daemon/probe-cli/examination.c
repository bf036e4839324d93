#include "probe-cli/examination.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "probe-cli/nss.h"

/* The name servers answered long ago, the rest of nsswitch.conf is given so much more. */
#define NSS_PATIENCE (20 * USEC_PER_MSEC)
/* The name servers answered, and nothing else is left to ask; of silent ones nobody else here hears
 * more, unless it did already. */
#define NSS_LAST USEC_PER_SEC

#define DEADLINE_DEFAULT (6 * USEC_PER_SEC)

struct Examination {
        sd_event *event; /* weak */
        ProbeRequest request;
        examination_cb cb;
        void *userdata;
        usec_t end;
        Nss nss;   /* what the system knows of the name */
        Addr addr; /* from there, where DNS does not know it */
        char note[512];
        Probe *probe;
};

static void on_report(Probe *p, const ProbeReport *report, void *userdata);

static bool is_nameless(Verdict v)
{
        return v == VERDICT_NAME_NOT_FOUND || v == VERDICT_DNS_UNAVAILABLE;
}

/* DNS does not know the name: go on as ssh and ping on this machine would. */
static int try_nss(Examination *x, Probe *p, const ProbeReport *report)
{
        char addr[ADDR_MAX];
        NssFacts f;
        usec_t left = usec_sub(x->end, now_mono());
        usec_t patience = report->verdict == VERDICT_NAME_NOT_FOUND ? NSS_LAST : NSS_PATIENCE;

        if (!is_nameless(report->verdict) || addr_is_set(&x->addr) ||
            nss_wait(&x->nss, MIN(left, patience), &f) <= 0 || f.n == 0)
                return -ENOENT;
        x->addr = f.addrs[0];
        (void)snprintf(x->note, sizeof(x->note), "%s; this system (nsswitch.conf) says %s",
                       strempty(report->because), addr_format(addr, &x->addr));
        x->request.addr = &x->addr;
        x->request.note = x->note;
        if (!x->request.all)
                x->request.deadline = MAX(usec_sub(x->end, now_mono()), USEC_PER_MSEC);
        int r = probe_new(x->event, &x->request, on_report, x, &x->probe);
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

static void on_nss(NssFacts *ret, void *userdata)
{
        Examination *x = userdata;
        (void)nss_wait(&x->nss, NSS_PATIENCE, ret);
}

int examination_new(sd_event *event, const ProbeRequest *request, examination_cb cb, void *userdata,
                    Examination **ret)
{
        Addr literal;
        _cleanup_(examination_freep) Examination *x = new0(Examination, 1);
        if (!x)
                return -ENOMEM;
        *x = (Examination){.event = event, .request = *request, .cb = cb, .userdata = userdata};
        x->end = usec_add(now_mono(), request->deadline ? request->deadline : DEADLINE_DEFAULT);
        x->nss.fd = -EBADF;
        x->request.nss = on_nss;
        x->request.nss_userdata = x;
        if (!request->addr && addr_parse(request->host, &literal) == -EINVAL)
                nss_begin(&x->nss, request->host, request->family);
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
        nss_done(&x->nss);
        probe_free(x->probe);
        free(x);
        return NULL;
}

const char *examination_doing(const Examination *x, usec_t *ret_since)
{
        return probe_doing(x->probe, ret_since);
}
