#include "reflect/back-range.h"

#include "sys/port-scan.h"

struct BackRangeTest {
        Addr addr;
        PortScan *scan;
        back_range_cb cb;
        void *userdata;
};

BackRangeTest *back_range_free(BackRangeTest *t)
{
        if (!t)
                return NULL;
        port_scan_free(t->scan);
        free(t);
        return NULL;
}

static BackResult result_of(PortState state)
{
        switch (state) {
        case PORT_OPEN:
                return BACK_OPEN;
        case PORT_REFUSED:
                return BACK_REFUSED;
        case PORT_REJECTED:
                return BACK_REJECTED;
        case PORT_SILENT:
                return BACK_SILENT;
        case PORT_FAILED:
                return BACK_NO_WAY;
        default:
                return BACK_NOT_TRIED;
        }
}

static BackTry try_of(const Addr *addr, const PortRange *r)
{
        BackTry t = {
                .addr = *addr,
                .result = result_of(r->state),
                .error = r->state == PORT_FAILED ? r->error : 0,
                .icmp = r->icmp,
                .last_port = r->last > r->first ? r->last : 0,
        };
        t.addr.port = r->first;
        return t;
}

/* Returns how many ranges there are, of which the first ones are in ret. */
static int fold(const Addr *addr, PortResult *results, size_t n, BackTry ret[static BACK_TRIES_MAX])
{
        _cleanup_free_ PortRange *ranges = NULL;
        size_t n_ranges;

        int r = port_ranges_fold(results, n, NULL, &ranges, &n_ranges);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_ranges && i < BACK_TRIES_MAX; i++)
                ret[i] = try_of(addr, &ranges[i]);
        return (int)n_ranges;
}

int back_range_fold(const Addr *addr, PortResult *results, size_t n,
                    BackTry ret[static BACK_TRIES_MAX])
{
        int k = fold(addr, results, n, ret);

        if (k > BACK_TRIES_MAX) {
                for (size_t i = 0; i < n; i++)
                        if (results[i].state == PORT_REFUSED)
                                results[i].state = PORT_OPEN;
                k = fold(addr, results, n, ret);
        }
        if (k > BACK_TRIES_MAX) {
                BackTry *rest = &ret[BACK_TRIES_MAX - 1];
                *rest = (BackTry){.addr = rest->addr, .last_port = results[n - 1].port};
                k = BACK_TRIES_MAX;
        }
        return k;
}

static void on_scan(PortScan *s, const PortScanFacts *facts, void *userdata)
{
        BackRangeTest *t = userdata;
        BackTry tries[BACK_TRIES_MAX];

        int n = back_range_fold(&t->addr, facts->results, facts->n, tries);
        for (int i = 0; i < n; i++)
                tries[i].took = facts->took;
        t->cb(t, tries, n > 0 ? (size_t)n : 0, t->userdata);
}

int back_range_new(sd_event *event, const BackPolicy *policy, const Addr *addr, uint16_t first,
                   uint16_t last, usec_t rtt, back_range_cb cb, void *userdata, BackRangeTest **ret)
{
        PortSpan spans[PORT_PLAN_SPANS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < policy->n_ports; i++) {
                PortSpan s = {MAX(first, policy->ports[i].first), MIN(last, policy->ports[i].last)};
                if (s.first <= s.last)
                        spans[n++] = s;
        }
        if (n == 0)
                return -EINVAL;
        _cleanup_(back_range_freep) BackRangeTest *t = new0(BackRangeTest, 1);
        if (!t)
                return -ENOMEM;
        *t = (BackRangeTest){.addr = *addr, .cb = cb, .userdata = userdata};
        const PortScanPolicy scan = {.addr = *addr, .spans = spans, .n_spans = n, .rtt = rtt};
        int r = port_scan_new(event, &scan, on_scan, t, &t->scan);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
