/*
 *   MEETING --BEGIN answered--> MET --ask_look()--> LOOKING ----answered or too late----> MET
 *      |                         └───ask_back()--> RETURNING --all has an end, too late-> MET
 *      └──no line, no answer, too late; later: the line broke──> LOST
 *
 * In RETURNING three things go on beside each other: BACK on the line there is, and a Bulk in each
 * direction.
 */
#include "reflect/ask.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/time.h"
#include "reflect/bulk.h"
#include "reflect/doors.h"
#include "reflect/heard.h"
#include "sys/mac.h"
#include "sys/netlink.h"

/* Other addresses of the head are tried this much later than the one examined: what is seen there
 * is of the very way in question. */
#define OTHERS_AFTER (250 * USEC_PER_MSEC)
/* Connect-backs are tried up to three times where nothing comes back, eight at a time. Behind a
 * translator they go to two addresses, and fewer ports must do. */
#define TRANSLATED_SAMPLE 6

typedef struct Candidate {
        Ask *ask; /* weak */
        Addr addr;
        Line *line;
} Candidate;

struct Ask {
        sd_event *event; /* weak */
        Reflection *r;   /* weak */
        AskRequest q;
        char interface[IF_NAMESIZE];
        ask_cb cb;
        void *userdata;

        AskStep state;
        Candidate candidates[ASK_ADDRS_MAX];
        Candidate *chosen; /* weak; whose line is up */
        int64_t t1_usec;
        sd_event_source *others_timer;
        sd_event_source *deadline_timer;

        bool awaits; /* a reply is due on the line */
        bool range;  /* it is the one about the range */
        uint8_t nonce[REFLECT_NONCE_SIZE];
        Doors *doors;
        Bulk *down, *up;
};

static const uint32_t next_states[_ASK_STEP_MAX] = {
        [ASK_MEETING] = 1U << ASK_MET | 1U << ASK_LOST,
        [ASK_MET] = 1U << ASK_LOOKING | 1U << ASK_RETURNING | 1U << ASK_LOST,
        [ASK_LOOKING] = 1U << ASK_MET | 1U << ASK_LOST,
        [ASK_RETURNING] = 1U << ASK_MET | 1U << ASK_LOST,
};

static int ask_set_state(Ask *a, AskStep state)
{
        if (!(next_states[a->state] & 1U << state))
                return -EPROTO;
        a->state = state;
        return 0;
}

/* What one step started. */
static void stop_step(Ask *a)
{
        a->others_timer = sd_event_source_disable_unref(a->others_timer);
        a->deadline_timer = sd_event_source_disable_unref(a->deadline_timer);
        a->down = bulk_free(a->down);
        a->up = bulk_free(a->up);
        a->doors = doors_free(a->doors);
        a->awaits = false;
}

static void drop_lines(Ask *a, const Candidate *but)
{
        for (size_t i = 0; i < ASK_ADDRS_MAX; i++)
                if (&a->candidates[i] != but)
                        a->candidates[i].line = line_free(a->candidates[i].line);
}

Ask *ask_free(Ask *a)
{
        if (!a)
                return NULL;
        stop_step(a);
        drop_lines(a, NULL);
        free(a);
        return NULL;
}

/* The end of a step; the last thing in an event. */
static void end_step(Ask *a, AskStep to)
{
        AskStep ended = a->state;

        if (ask_set_state(a, to) < 0)
                return;
        stop_step(a);
        if (to == ASK_LOST) {
                drop_lines(a, NULL);
                a->chosen = NULL;
        }
        a->cb(a, ended, a->userdata);
}

static void note(Ask *a, const char *why)
{
        str_copy(a->r->text, sizeof(a->r->text), why);
}

static int send_request(Ask *a, ReflectRequest *q)
{
        _cleanup_buf_ Buf out = {0};

        q->dialled = a->r->dialled;
        q->port = a->q.port;
        q->here = a->q.here;
        q->t1_usec = a->t1_usec = (int64_t)now_real();
        int r = reflect_encode_request(&out, q);
        if (r >= 0)
                r = line_send(a->chosen->line, buf_data(&out), buf_size(&out));
        a->awaits = r >= 0;
        return r;
}

static void add_claim(ReflectRequest *q, const Addr *addr)
{
        if (!addr_is_set(addr) || q->n_claimed == CLAIMED_MAX)
                return;
        for (size_t i = 0; i < q->n_claimed; i++)
                if (addr_equal(&q->claimed[i], addr))
                        return;
        q->claimed[q->n_claimed] = *addr;
        q->claimed[q->n_claimed++].port = 0;
}

/* By which address Ray will announce this machine, then the one that this line has. */
static void claim(const Ask *a, ReflectRequest *q)
{
        add_claim(q, &a->q.node);
        add_claim(q, &a->r->here);
}

/* Half-open connections of ours are counted by our addresses, of which a machine may have many. */
static void claim_all(const Ask *a, ReflectRequest *q)
{
        _cleanup_free_ NetAddr *addrs = NULL;
        size_t n = 0;

        claim(a, q);
        if (netlink_addrs(AF_UNSPEC, &addrs, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (addrs[i].global && addrs[i].usable)
                        add_claim(q, &addrs[i].addr);
}

/* --- the steps ----------------------------------------------------------------------------------
 */

static void returned(Ask *a)
{
        if (!a->awaits && !a->down && !a->up)
                end_step(a, ASK_MET);
}

static int range_start(Ask *a);

/* The fixed ports are done: the range, where it is wanted. Without it the rest is still known. */
static void take_returned(Ask *a, const ReflectReply *p)
{
        if (p->refusal == REFLECT_NONE)
                heard_back(a->r, p, a->doors);
        if (p->refusal == REFLECT_NONE && a->q.thorough && !a->range && range_start(a) >= 0)
                return;
        a->r->back_waits = false;
        returned(a);
}

static void on_line_reply(Line *l, const void *body, size_t size, void *userdata)
{
        Ask *a = ((Candidate *)userdata)->ask;
        int64_t t4 = (int64_t)now_real();
        ReflectReply p;

        if (!a->awaits)
                return;
        a->awaits = false;
        int r = reflect_decode_reply(body, size, &p);
        if (r < 0) {
                note(a, r == -ENOMEM ? "out of memory" : "the reflector's answer makes no sense");
                end_step(a, ASK_LOST);
                return;
        }
        if (p.refusal != REFLECT_NONE)
                heard_refusal(a->r, &p);
        heard_clock(a->r, &p, a->t1_usec, t4);
        switch (a->state) {
        case ASK_MEETING:
                if (p.refusal != REFLECT_NONE) {
                        end_step(a, ASK_LOST);
                        return;
                }
                heard_begin(a->r, &p);
                end_step(a, ASK_MET);
                return;
        case ASK_LOOKING:
                if (p.refusal == REFLECT_NONE)
                        heard_look(a->r, &p);
                end_step(a, ASK_MET);
                return;
        case ASK_RETURNING:
                take_returned(a, &p);
                return;
        default:
                return;
        }
}

static bool any_line(const Ask *a)
{
        for (size_t i = 0; i < ASK_ADDRS_MAX; i++)
                if (a->candidates[i].line)
                        return true;
        return false;
}

static void others_start(Ask *a);

/* One address has no reflector: another may, unless this is the one that was met. */
static void on_line_down(Line *l, const char *why, void *userdata)
{
        Candidate *c = userdata;
        Ask *a = c->ask;

        c->line = line_free(c->line);
        /* what the address examined says goes first */
        if (c == &a->candidates[0] || isempty(a->r->text))
                note(a, why);
        if (a->chosen != c && a->others_timer)
                others_start(a);
        if (a->chosen == c || !any_line(a))
                end_step(a, ASK_LOST);
}

static void on_line_up(Line *l, void *userdata)
{
        Candidate *c = userdata;
        Ask *a = c->ask;
        ReflectRequest q = {.kind = REFLECT_BEGIN};
        Addr there;

        a->chosen = c;
        a->others_timer = sd_event_source_disable_unref(a->others_timer);
        drop_lines(a, c);
        line_ends(l, &a->r->here, &there);
        a->r->dialled = there;
        claim_all(a, &q);
        int r = send_request(a, &q);
        if (r < 0) {
                note(a, strerror(-r));
                end_step(a, ASK_LOST);
        }
}

static const LineOps line_ops = {
        .on_up = on_line_up,
        .on_reply = on_line_reply,
        .on_down = on_line_down,
};

static void policy_of(const Ask *a, const Addr *to, LinePolicy *ret)
{
        *ret = (LinePolicy){.to = *to};
        if (to->family == a->q.from.family)
                ret->from = a->q.from;
        ret->interface = isempty(a->interface) ? NULL : a->interface;
}

static int candidate_start(Ask *a, size_t i)
{
        Candidate *c = &a->candidates[i];
        LinePolicy policy;

        *c = (Candidate){.ask = a, .addr = a->q.addrs[i]};
        policy_of(a, &c->addr, &policy);
        return line_open(a->q.transport, a->event, &policy, &line_ops, c, &c->line);
}

static void others_start(Ask *a)
{
        a->others_timer = sd_event_source_disable_unref(a->others_timer);
        for (size_t i = 1; i < a->q.n_addrs; i++)
                (void)candidate_start(a, i);
}

static int on_others_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        others_start(userdata);
        return 0;
}

static int on_deadline_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Ask *a = userdata;
        bool silent = a->awaits || a->state == ASK_MEETING;

        if (silent && isempty(a->r->text))
                note(a, a->state == ASK_MEETING ? "no reflector answers"
                                                : "the reflector did not answer in time");
        a->r->bulk_waits = false;
        /* a reply that comes later would be taken for that of the next request */
        end_step(a, silent ? ASK_LOST : ASK_MET);
        return 0;
}

static int set_deadline(Ask *a, usec_t timeout)
{
        int r = sd_event_add_time_relative(a->event, &a->deadline_timer, CLOCK_MONOTONIC, timeout,
                                           USEC_PER_MSEC, on_deadline_timer, a);
        /* an answer that is there already is no late one */
        return r < 0 ? r
                     : sd_event_source_set_priority(a->deadline_timer,
                                                    SD_EVENT_PRIORITY_NORMAL + 1);
}

int ask_look(Ask *a)
{
        ReflectRequest q = {.kind = REFLECT_LOOK};

        if (!a->chosen || ask_set_state(a, ASK_LOOKING) < 0)
                return -ENOTCONN;
        claim_all(a, &q);
        int r = send_request(a, &q);
        if (r >= 0)
                r = set_deadline(a, ASK_LOOK_TIMEOUT);
        if (r < 0)
                (void)ask_set_state(a, ASK_MET);
        return r;
}

static void on_bulk_result(Bulk *b, const BulkResult *result, void *userdata)
{
        Ask *a = userdata;
        Reflection *r = a->r;
        bool known = result->known, stalled = known && result->stalled,
             small = known && result->small;

        r->bulk_known = r->bulk_known || known;
        if (b == a->down) {
                r->down_known = known, r->down_stalled = stalled, r->down_small = small;
                a->down = bulk_free(a->down);
        } else {
                r->up_known = known, r->up_stalled = stalled, r->up_small = small;
                a->up = bulk_free(a->up);
        }
        r->bulk_waits = a->down || a->up;
        returned(a);
}

/* Trouble here only leaves it unknown. */
static void bulks_start(Ask *a)
{
        LinePolicy policy;

        policy_of(a, &a->chosen->addr, &policy);
        a->r->bulk_asked = true;
        (void)bulk_new(a->event, a->q.transport, &policy, REFLECT_DOWN, on_bulk_result, a,
                       &a->down);
        (void)bulk_new(a->event, a->q.transport, &policy, REFLECT_UP, on_bulk_result, a, &a->up);
        a->r->bulk_waits = a->down || a->up;
}

static bool is_translated(const Reflection *r)
{
        return addr_is_set(&r->observed) && !addr_equal(&r->observed, &r->here);
}

/* Ports behind the fixed ones may be left out evenly. */
static size_t thin_out(const PortPlan *plan, uint16_t *ports, size_t n, size_t keep)
{
        size_t fixed = 0;
        while (fixed < n && ports[fixed] < plan->worker_first)
                fixed++;
        size_t sampled = n - fixed;
        if (sampled <= keep || keep < 2)
                return n;
        for (size_t i = 0; i < keep; i++)
                ports[fixed + i] = ports[fixed + i * (sampled - 1) / (keep - 1)];
        return fixed + keep;
}

static size_t choose_ports(const Ask *a, uint16_t ret[BACK_PORTS_MAX])
{
        uint64_t seed;
        PortPlan plan = a->q.plan;
        memcpy(&seed, a->nonce, sizeof(seed));
        if (a->q.thorough)
                plan.worker_first = plan.worker_last = 0;
        size_t n = plan_back_ports(&plan, seed, ret);
        bool two = is_translated(a->r) ||
                   (addr_is_set(&a->q.node) && !addr_equal(&a->q.node, &a->r->here));
        return two ? thin_out(&a->q.plan, ret, n, TRANSLATED_SAMPLE) : n;
}

static int range_start(Ask *a)
{
        ReflectRequest q = {
                .kind = REFLECT_BACK,
                .back_first = a->q.plan.worker_first,
                .back_last = a->q.plan.worker_last,
        };

        claim(a, &q);
        a->deadline_timer = sd_event_source_disable_unref(a->deadline_timer);
        int r = set_deadline(a, ASK_RANGE_TIMEOUT);
        if (r >= 0)
                r = send_request(a, &q);
        a->range = r >= 0;
        return r;
}

static int back_start(Ask *a)
{
        ReflectRequest q = {.kind = REFLECT_BACK, .has_nonce = true};
        uint16_t ports[BACK_PORTS_MAX];

        a->range = false;
        a->r->n_back = 0;
        int r = random_bytes(a->nonce, sizeof(a->nonce));
        if (r < 0)
                return r;
        memcpy(q.nonce, a->nonce, sizeof(q.nonce));
        size_t n = choose_ports(a, ports);
        r = doors_open(a->event, ports, n, a->nonce, &a->doors);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                q.back[q.n_back++] = (ReflectBackPort){.port = ports[i],
                                                       .nonce = doors_have(a->doors, ports[i])};
        claim(a, &q);
        return send_request(a, &q);
}

void ask_set_plan(Ask *a, const PortPlan *plan)
{
        a->q.plan = *plan;
}

int ask_back(Ask *a, bool bulk)
{
        if (!a->chosen || ask_set_state(a, ASK_RETURNING) < 0)
                return -ENOTCONN;
        int r = back_start(a);
        if (r >= 0)
                r = set_deadline(a, ASK_BACK_TIMEOUT);
        if (r < 0) {
                stop_step(a);
                (void)ask_set_state(a, ASK_MET);
                return r;
        }
        a->r->back_waits = true;
        if (bulk && !a->q.transport->single)
                bulks_start(a);
        return 0;
}

int ask_new(sd_event *event, const AskRequest *q, Reflection *refl, ask_cb cb, void *userdata,
            Ask **ret)
{
        if (q->n_addrs == 0 || q->n_addrs > ASK_ADDRS_MAX)
                return -EINVAL;
        _cleanup_(ask_freep) Ask *a = new0(Ask, 1);
        if (!a)
                return -ENOMEM;
        *a = (Ask){.event = event, .r = refl, .q = *q, .cb = cb, .userdata = userdata};
        str_copy(a->interface, sizeof(a->interface), strempty(q->interface));
        *refl = (Reflection){.asked = true};
        int r = candidate_start(a, 0);
        if (r >= 0 && q->n_addrs > 1)
                r = sd_event_add_time_relative(event, &a->others_timer, CLOCK_MONOTONIC,
                                               OTHERS_AFTER, USEC_PER_MSEC, on_others_timer, a);
        if (r >= 0)
                r = set_deadline(a, ASK_MEET_TIMEOUT);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}
