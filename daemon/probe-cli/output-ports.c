#include "probe-cli/output-ports.h"

#include <errno.h>

static int push_range(Json *array, const PortRange *r)
{
        _cleanup_json_ Json *o = json_object_new();
        char from[ADDR_MAX];
        int k = o ? json_set_int(o, "first", r->first) : -ENOMEM;

        if (k >= 0)
                k = json_set_int(o, "last", r->last);
        if (k >= 0)
                k = json_set_str(o, "state", port_state_to_string(r->state));
        if (k >= 0)
                k = json_set_str(o, "from",
                                 r->state == PORT_REJECTED && addr_is_set(&r->icmp.from)
                                         ? addr_format(from, &r->icmp.from)
                                         : NULL);
        return k < 0 ? k : json_push(array, TAKE_PTR(o));
}

static int set_ranges(Json *o, const char *key, const PortRange *ranges, size_t n)
{
        _cleanup_json_ Json *array = ranges ? json_array_new() : json_null_new();
        int k = array ? 0 : -ENOMEM;

        for (size_t i = 0; ranges && i < n && k >= 0; i++)
                k = push_range(array, &ranges[i]);
        return k < 0 ? k : json_set(o, key, TAKE_PTR(array));
}

Json *ports_json(const ProbeReport *r)
{
        if (!r->all)
                return json_null_new();
        _cleanup_json_ Json *o = json_object_new();
        int k = o ? set_ranges(o, "forward", r->ports, r->n_ports) : -ENOMEM;
        if (k >= 0)
                k = set_ranges(o, "back", r->back, r->n_back);
        return k < 0 ? NULL : TAKE_PTR(o);
}
