#include "head/reflections.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "base/str.h"
#include "head/member-log.h"

#define REQUESTS_EVERY (10 * USEC_PER_SEC)
/* Lines of the journal in a minute; what is beyond is counted. */
#define FORBIDDEN_LINES 20

typedef struct Talk {
        Reflections *reflections; /* weak */
        Gate *gate;               /* weak */
        char node[STORE_ID_MAX];
        char name[MEMBER_NAME_MAX];
        ReflectAsker *asker; /* NULL: this place is free */
        RateLimit requests;
        usec_t last; /* monotonic */
} Talk;

struct Reflections {
        Reflector *reflector;
        Talk talks[REFLECTIONS_MAX];
        uint64_t n_forbidden;
        RateLimit forbidden;
};

/* --- answers ------------------------------------------------------------------------------------
 */

/* What cannot be said to it now, it does not wait for: it has a clock of its own. */
static void answer(Gate *g, const char *node, const ReflectReply *reply)
{
        _cleanup_buf_ Buf out = {0};
        ReflectReply p = *reply;

        p.t3_usec = (int64_t)now_real();
        int r = reflect_encode_reply(&out, &p);
        if (r >= 0)
                r = gate_reflect(g, node, buf_data(&out), buf_size(&out));
        if (r < 0)
                log_debug_errno(r, "Answering what %s asked the reflector: %m", node);
}

static void refuse(Gate *g, const char *node, ReflectRefusal why, const char *text, usec_t retry)
{
        ReflectReply p = {.refusal = why, .retry = retry};

        str_copy(p.text, sizeof(p.text), text);
        answer(g, node, &p);
}

static void on_reply(ReflectAsker *a, const ReflectReply *p, void *userdata)
{
        const Talk *t = userdata;
        answer(t->gate, t->node, p);
}

/* --- lines for the journal ----------------------------------------------------------------------
 */

static const Talk *talk_of(const Reflections *r, const ReflectAsker *a)
{
        for (size_t i = 0; i < REFLECTIONS_MAX; i++)
                if (r->talks[i].asker == a)
                        return &r->talks[i];
        return NULL;
}

static void on_test(const ReflectAsker *a, const Addr *peer, const char *text, void *userdata)
{
        const Talk *t = talk_of(userdata, a);
        char at[ADDR_MAX];

        if (t)
                log_info("%s at %s asked for a two-way test; %s", t->name, addr_format(at, peer),
                         text);
}

static void on_forbidden(const ReflectAsker *a, const Addr *peer, const char *text, void *userdata)
{
        Reflections *r = userdata;
        const Talk *t = talk_of(r, a);

        r->n_forbidden++;
        if (!t || !ratelimit_below(&r->forbidden, now_mono()))
                return;
        member_log_forbidden(t->name, peer, text, r->n_forbidden);
        r->forbidden.suppressed = 0;
}

/* --- conversations ------------------------------------------------------------------------------
 */

static void talk_end(Talk *t)
{
        t->asker = reflect_asker_free(t->asker);
}

static Talk *find(Reflections *r, const char *node)
{
        for (size_t i = 0; i < REFLECTIONS_MAX; i++)
                if (r->talks[i].asker && streq(r->talks[i].node, node))
                        return &r->talks[i];
        return NULL;
}

/* A free place, or that of the one who was silent longest; NULL: all of them run tests. */
static Talk *make_room(Reflections *r)
{
        Talk *oldest = NULL;

        for (size_t i = 0; i < REFLECTIONS_MAX; i++) {
                Talk *t = &r->talks[i];
                if (!t->asker)
                        return t;
                if (!reflect_asker_is_busy(t->asker) && (!oldest || t->last < oldest->last))
                        oldest = t;
        }
        if (oldest)
                talk_end(oldest);
        return oldest;
}

static int talk_begin(Talk *t, Reflections *r, Gate *g, const GateMember *m, const GateReach *reach)
{
        const ViewEnds ends = {.observed = reach->there, .local = reach->here};
        *t = (Talk){.reflections = r,
                    .gate = g,
                    .requests = {.interval = REQUESTS_EVERY, .burst = REFLECTIONS_REQUESTS}};
        str_copy(t->node, sizeof(t->node), m->node);
        str_copy(t->name, sizeof(t->name), m->name);
        return reflect_asker_new(r->reflector, &ends, reach->rtt, on_reply, t, &t->asker);
}

/* NULL: it was told why. A certificate that was renewed meanwhile may name other addresses. */
static Talk *talk_with(Reflections *r, Gate *g, const GateMember *m)
{
        Talk *t = find(r, m->node);
        GateReach reach;

        int k = gate_reach(g, m->node, &reach) ? 0 : -ENOTCONN;
        if (!t) {
                t = make_room(r);
                if (!t) {
                        refuse(g, m->node, REFLECT_BUSY, "too many machines are tested just now",
                               0);
                        return NULL;
                }
                if (k >= 0)
                        k = talk_begin(t, r, g, m, &reach);
        }
        if (k >= 0) {
                reflect_asker_set_own(t->asker, reach.certified, reach.n_certified);
                return t;
        }
        log_debug_errno(k, "Beginning a two-way test with %s: %m", m->name);
        refuse(g, m->node, REFLECT_BUSY, "the head cannot test anything just now", 0);
        return NULL;
}

void reflections_request(Reflections *r, Gate *g, const GateMember *m, MemberBytes request)
{
        int64_t t2 = (int64_t)now_real();
        ReflectReply p;
        ReflectRequest q;

        Talk *t = talk_with(r, g, m);
        if (!t)
                return;
        t->last = now_mono();
        if (!ratelimit_below(&t->requests, t->last)) {
                refuse(g, m->node, REFLECT_RATE, "too many requests within ten seconds",
                       REQUESTS_EVERY);
                return;
        }
        int k = reflect_decode_request(request.data, request.size, &q);
        if (k >= 0)
                k = reflect_asker_ask(t->asker, &q, t2, &p);
        if (k < 0)
                refuse(g, m->node, k == -ENOMEM ? REFLECT_BUSY : REFLECT_BAD,
                       k == -ENOMEM ? "the head is out of memory"
                                    : "the request is not to be understood",
                       0);
        else if (k > 0)
                answer(g, m->node, &p);
}

void reflections_forget(Reflections *r, const char *node)
{
        Talk *t = find(r, node);

        if (t)
                talk_end(t);
}

void reflections_forget_all(Reflections *r)
{
        for (size_t i = 0; r && i < REFLECTIONS_MAX; i++)
                talk_end(&r->talks[i]);
}

/* --- the object ---------------------------------------------------------------------------------
 */

int reflections_new(sd_event *event, Reflections **ret)
{
        static const ReflectorOps ops = {.on_test = on_test, .on_forbidden = on_forbidden};
        const ReflectPolicy nothing = {0};
        _cleanup_(reflections_freep) Reflections *r = new0(Reflections, 1);
        if (!r)
                return -ENOMEM;
        r->forbidden = (RateLimit){.interval = USEC_PER_MIN, .burst = FORBIDDEN_LINES};
        int k = reflector_new(event, &nothing, &ops, r, &r->reflector);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

Reflections *reflections_free(Reflections *r)
{
        if (!r)
                return NULL;
        reflections_forget_all(r);
        reflector_free(r->reflector);
        free(r);
        return NULL;
}

void reflections_configure(Reflections *r, const ReflectPolicy *p)
{
        ReflectPolicy policy = *p;

        policy.back.claimed = true;
        reflector_set_policy(r->reflector, &policy);
}

size_t reflections_count(const Reflections *r)
{
        size_t n = 0;

        for (size_t i = 0; i < REFLECTIONS_MAX; i++)
                n += r->talks[i].asker != NULL;
        return n;
}

uint64_t reflections_forbidden(const Reflections *r)
{
        return r->n_forbidden;
}
