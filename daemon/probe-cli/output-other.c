#include "probe-cli/output-other.h"

#include <errno.h>

#include "model/way-back.h"

static int set_str(Json *o, const char *key, const char *v)
{
        return json_set_str(o, key, isempty(v) ? NULL : v);
}

static int set_ip(Json *o, const char *key, const Addr *a)
{
        char buf[ADDR_MAX];
        return json_set_str(o, key, addr_is_set(a) ? addr_format(buf, a) : NULL);
}

/* {ip, port}, or null. */
static int set_end(Json *o, const char *key, const Addr *a)
{
        _cleanup_json_ Json *end = addr_is_set(a) ? json_object_new() : json_null_new();
        int k = end ? 0 : -ENOMEM;

        if (k >= 0 && addr_is_set(a))
                k = set_ip(end, "ip", a);
        if (k >= 0 && addr_is_set(a))
                k = json_set_int(end, "port", a->port);
        return k < 0 ? k : json_set(o, key, TAKE_PTR(end));
}

static int set_who(Json *o, const Reflection *r)
{
        int k = json_set_str(o, "answered", r->answered ? "yes" : NULL);
        if (k >= 0)
                k = set_str(o, "text", r->text);
        if (k >= 0)
                k = set_str(o, "hostname", r->hostname);
        if (k >= 0)
                k = json_set_str(o, "firewall",
                                 r->firewall == FIREWALL_UNKNOWN
                                         ? NULL
                                         : firewall_manager_to_string(r->firewall));
        if (k >= 0)
                k = set_str(o, "ray_version", r->head.ray);
        if (k >= 0)
                k = set_str(o, "python_version", r->head.python);
        return k >= 0 ? set_ip(o, "announces", &r->head_node) : k;
}

static int set_ends(Json *o, const Reflection *r)
{
        int k = set_end(o, "own", &r->here);
        if (k >= 0)
                k = set_end(o, "observed", &r->observed);
        if (k >= 0)
                k = set_end(o, "dialled", &r->dialled);
        return k >= 0 ? set_end(o, "local", &r->local) : k;
}

static int set_clock(Json *o, const Reflection *r)
{
        _cleanup_json_ Json *clock = r->clock_known ? json_object_new() : json_null_new();
        int k = clock ? 0 : -ENOMEM;

        if (k >= 0 && r->clock_known) {
                k = json_set_real(clock, "offset_ms",
                                  (double)r->clock_offset_usec / (double)USEC_PER_MSEC);
                if (k >= 0)
                        k = json_set_real(clock, "error_ms",
                                          (double)r->clock_error / (double)USEC_PER_MSEC);
                if (k >= 0)
                        k = json_set_str(clock, "sync",
                                         r->clock_sync == CLOCK_SYNC_UNKNOWN
                                                 ? NULL
                                                 : clock_sync_to_string(r->clock_sync));
        }
        return k < 0 ? k : json_set(o, "clock", TAKE_PTR(clock));
}

static int set_port(Json *o, const Reflection *r)
{
        const PortView *p = &r->port;
        _cleanup_json_ Json *port = p->known ? json_object_new() : json_null_new();
        int k = port ? 0 : -ENOMEM;

        if (k >= 0 && p->known) {
                k = json_set_str(port, "listener",
                                 !p->listening      ? "none"
                                 : p->loopback_only ? "loopback"
                                                    : "any");
                if (k >= 0)
                        k = json_set_int(port, "queue", p->queue);
                if (k >= 0)
                        k = json_set_int(port, "room", p->room);
                if (k >= 0)
                        k = json_set_int(port, "half_open", p->syn_recv);
        }
        return k < 0 ? k : json_set(o, "port", TAKE_PTR(port));
}

static int set_counters(Json *o, const Reflection *r)
{
        const CounterRise *c = &r->rise;
        const struct {
                const char *name;
                uint64_t value;
        } counters[] = {
                {"listen_overflows", c->listen_overflows},
                {"listen_drops", c->listen_drops},
                {"rp_filter", c->rp_filter},
                {"no_routes", c->no_routes},
                {"resets", c->resets},
                {"undelivered", c->undelivered},
        };
        _cleanup_json_ Json *all = c->known ? json_object_new() : json_null_new();
        int k = all ? 0 : -ENOMEM;

        for (size_t i = 0; i < ELEMENTSOF(counters) && k >= 0 && c->known; i++)
                k = streq(counters[i].name, "undelivered") && !c->undelivered_known
                            ? json_set_str(all, counters[i].name, NULL)
                            : json_set_int(all, counters[i].name,
                                           (int64_t)MIN(counters[i].value, (uint64_t)INT64_MAX));
        return k < 0 ? k : json_set(o, "counters", TAKE_PTR(all));
}

static int set_route(Json *o, const Reflection *r)
{
        _cleanup_json_ Json *route = r->route_known ? json_object_new() : json_null_new();
        int k = route ? 0 : -ENOMEM;

        if (k >= 0 && r->route_known) {
                k = json_set_str(route, "error", r->route_error ? strerror(r->route_error) : NULL);
                if (k >= 0)
                        k = set_str(route, "interface", r->route_dev);
                if (k >= 0)
                        k = set_ip(route, "source", &r->route_source);
                if (k >= 0)
                        k = r->route_mtu ? json_set_int(route, "mtu", r->route_mtu)
                                         : json_set_str(route, "mtu", NULL);
        }
        return k < 0 ? k : json_set(o, "route", TAKE_PTR(route));
}

static int set_icmp(Json *o, const BackTry *t)
{
        bool has = t->result == BACK_REJECTED && t->icmp.seen;
        _cleanup_json_ Json *icmp = has ? json_object_new() : json_null_new();
        int k = icmp ? 0 : -ENOMEM;

        if (k >= 0 && has) {
                k = json_set_int(icmp, "type", t->icmp.type);
                if (k >= 0)
                        k = json_set_int(icmp, "code", t->icmp.code);
                if (k >= 0)
                        k = set_ip(icmp, "from", &t->icmp.from);
        }
        return k < 0 ? k : json_set(o, "icmp", TAKE_PTR(icmp));
}

static int push_range(Json *array, const BackRange *b)
{
        const BackTry *t = b->try;
        _cleanup_json_ Json *o = json_object_new();
        int k = o ? set_ip(o, "ip", &t->addr) : -ENOMEM;

        if (k >= 0)
                k = json_set_int(o, "first", b->first);
        if (k >= 0)
                k = json_set_int(o, "last", b->last);
        if (k >= 0)
                k = json_set_str(o, "result", back_result_to_string(t->result));
        if (k >= 0)
                k = json_set_str(o, "listener", t->ours ? "test" : NULL);
        if (k >= 0)
                k = json_set_str(o, "error", t->result == BACK_NO_WAY ? strerror(t->error) : NULL);
        if (k >= 0)
                k = set_icmp(o, t);
        return k < 0 ? k : json_push(array, TAKE_PTR(o));
}

/* Every address that was tried, in the order of the tries. */
static int set_back(Json *o, const ProbeReport *report)
{
        const Reflection *r = report->other;
        BackRange ranges[BACK_TRIES_MAX];
        _cleanup_json_ Json *back = json_array_new();
        int k = back ? 0 : -ENOMEM;

        for (size_t i = 0; i < r->n_back && k >= 0; i++) {
                size_t seen = 0;
                while (seen < i && !addr_equal(&r->back[seen].addr, &r->back[i].addr))
                        seen++;
                if (seen < i)
                        continue;
                size_t n = back_ranges(r, &r->back[i].addr, &report->sampled, ranges);
                for (size_t m = 0; m < n && k >= 0; m++)
                        k = push_range(back, &ranges[m]);
        }
        return k < 0 ? k : json_set(o, "back", TAKE_PTR(back));
}

/* NULL: not known. */
static const char *bulk_words(bool known, bool stalled, bool small)
{
        if (!known)
                return NULL;
        return !stalled ? "whole" : small ? "only in small packets" : "stalled";
}

static int set_bulk(Json *o, const Reflection *r)
{
        _cleanup_json_ Json *bulk = r->bulk_known ? json_object_new() : json_null_new();
        int k = bulk ? 0 : -ENOMEM;

        if (k >= 0 && r->bulk_known) {
                k = json_set_str(bulk, "down",
                                 bulk_words(r->down_known, r->down_stalled, r->down_small));
                if (k >= 0)
                        k = json_set_str(bulk, "up",
                                         bulk_words(r->up_known, r->up_stalled, r->up_small));
        }
        return k < 0 ? k : json_set(o, "bulk", TAKE_PTR(bulk));
}

Json *other_side_json(const ProbeReport *report)
{
        const Reflection *r = report->other;
        if (!r)
                return json_null_new();
        _cleanup_json_ Json *o = json_object_new();
        int k = o ? set_who(o, r) : -ENOMEM;
        if (k >= 0)
                k = set_ends(o, r);
        if (k >= 0)
                k = set_clock(o, r);
        if (k >= 0)
                k = set_port(o, r);
        if (k >= 0)
                k = set_counters(o, r);
        if (k >= 0)
                k = set_route(o, r);
        if (k >= 0)
                k = set_back(o, report);
        if (k >= 0)
                k = set_bulk(o, r);
        return k < 0 ? NULL : TAKE_PTR(o);
}
