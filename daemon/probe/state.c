/*
 *   NAMING ──> MEETING ─────> CONNECTING ──> GREETING ──> ASKING ──> MEASURING
 *      │    (a reflector,       │    │          │           │           │
 *      │     if there is one)   │  LOOKING      │           │           │
 *      │                        │    │          │           │           │
 *      │   this address fails, the name has another: MEETING again      │
 *      │                        │    │          │           │           │
 *      │                        └────┴──────────┴─> SCANNING <──────────┤
 *      │           (all ports are asked for and the head is there) │    │
 *      │                                                           │    │
 *      │            (all is well and a reflector was met) RETURNING <───┘
 *      │                                                      │
 *      └────────────────────────────────────────────────────> DONE
 *
 * and to DONE from anywhere, by the deadline or as the cause is plain.
 */
#include "probe/state.h"

#include "probe/text.h"

static const uint32_t next_states[_PROBE_STATE_MAX] = {
        [PROBE_NAMING] = 1U << PROBE_MEETING | 1U << PROBE_CONNECTING | 1U << PROBE_DONE,
        [PROBE_MEETING] = 1U << PROBE_CONNECTING | 1U << PROBE_DONE,
        [PROBE_CONNECTING] = 1U << PROBE_CONNECTING | 1U << PROBE_MEETING | 1U << PROBE_GREETING |
                             1U << PROBE_LOOKING | 1U << PROBE_SCANNING | 1U << PROBE_DONE,
        [PROBE_LOOKING] = 1U << PROBE_CONNECTING | 1U << PROBE_MEETING | 1U << PROBE_SCANNING |
                          1U << PROBE_DONE,
        [PROBE_GREETING] = 1U << PROBE_ASKING | 1U << PROBE_SCANNING | 1U << PROBE_DONE,
        [PROBE_ASKING] = 1U << PROBE_MEASURING | 1U << PROBE_SCANNING | 1U << PROBE_RETURNING |
                         1U << PROBE_DONE,
        [PROBE_MEASURING] = 1U << PROBE_SCANNING | 1U << PROBE_RETURNING | 1U << PROBE_DONE,
        [PROBE_SCANNING] = 1U << PROBE_RETURNING | 1U << PROBE_DONE,
        [PROBE_RETURNING] = 1U << PROBE_DONE,
};

/* A stage with steps of its own has no name here. */
static const char *const step_names[_PROBE_STATE_MAX] = {
        [PROBE_NAMING] = "name",        [PROBE_CONNECTING] = "connect",
        [PROBE_ASKING] = "check-alive", [PROBE_MEETING] = "reflector",
        [PROBE_LOOKING] = "look",       [PROBE_RETURNING] = "back",
        [PROBE_MEASURING] = "measure",  [PROBE_SCANNING] = "ports",
};

static const char *const doing[_PROBE_STATE_MAX] = {
        [PROBE_NAMING] = "looking up the name",
        [PROBE_CONNECTING] = "waiting for an answer to the SYNs",
        [PROBE_ASKING] = "asking the GCS whether it is alive",
        [PROBE_MEETING] = "meeting the reflector",
        [PROBE_LOOKING] = "asking the reflector what it saw",
        [PROBE_RETURNING] = "waiting for the head to connect back",
        [PROBE_MEASURING] = "measuring the way",
        [PROBE_SCANNING] = "trying every port of the head",
        [PROBE_DONE] = "done",
};

bool probe_state_may(ProbeState from, ProbeState to)
{
        return next_states[from] & 1U << to;
}

const char *probe_state_step(ProbeState state)
{
        return step_names[state];
}

const char *probe_state_doing(ProbeState state)
{
        return strempty(doing[state]);
}

static char *connect_result(const Evidence *e)
{
        const ConnectFacts *t = &e->tcp;
        char from[ADDR_MAX] = "";

        if (t->outcome == CONNECT_ESTABLISHED)
                return strdup("connected");
        if (t->outcome == CONNECT_PENDING)
                return str_printf("silence: %u SYNs, %u sent again", t->n_sockets,
                                  t->total_retrans);
        if (!t->icmp.seen)
                return strdup(strerror(t->error));
        if (addr_is_set(&t->icmp.from))
                addr_format(from, &t->icmp.from);
        return str_printf("%s: ICMP %u/%u from %s", strerror(t->error), t->icmp.type, t->icmp.code,
                          from);
}

char *probe_state_result(ProbeState state, const Evidence *e, const PortsFacts *ports)
{
        char addr[ADDR_PORT_MAX];

        switch (state) {
        case PROBE_NAMING:
                return addr_is_set(&e->addr) ? strdup(addr_format(addr, &e->addr))
                                             : strdup(e->name_text);
        case PROBE_CONNECTING:
                return connect_result(e);
        case PROBE_ASKING:
                return strdup(e->alive.outcome == ALIVE_OK ? "serving" : e->alive.text);
        case PROBE_SCANNING:
                return str_printf("%zu ports in %zu ranges",
                                  port_ranges_count(ports->ranges, ports->n, ~0U), ports->n);
        case PROBE_MEETING:
                if (!e->other.answered && isempty(e->other.text))
                        return strdup("no answer yet");
                _fallthrough_;
        case PROBE_LOOKING:
        case PROBE_RETURNING:
                return strdup(!isempty(text_other_side(e)) ? text_other_side(e) : "answered");
        case PROBE_MEASURING:
                return strdup(e->large.out == LARGE_HOLE || e->large.in == LARGE_HOLE
                                      ? "large packets vanish"
                              : e->large.out == LARGE_ARRIVED ? "large packets pass"
                                                              : "as far as it can be seen");
        default:
                return NULL;
        }
}
