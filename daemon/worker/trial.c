/*   IDLE ──wanted──> WAITING ──connected──> TESTING ──good, or not known──> PASSED
 *                       └──too long──> PASSED  └──bad──> REFUSED ──pause──> AGAIN
 *                                                           └──bad, not known──┘└──good──> PASSED
 *   from all but PASSED: nothing to be started; from all: another head, another address ──> IDLE
 */
#include "worker/trial.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/select.h"
#include "worker/teller.h"

/* A head connects back to one machine every ten seconds; a pause may be a quarter shorter. */
#define PAUSE     (14 * USEC_PER_SEC)
#define PAUSE_MAX USEC_PER_MIN

struct Trial {
        sd_event *event; /* weak */
        TrialOps ops;
        void *userdata;
        TrialState state;
        Addr head, own;
        Probe *probe;
        TlsContext *context;    /* the probe's */
        sd_event_source *timer; /* of WAITING, and of REFUSED */
        bool due;               /* it has run out */
        Backoff pause;
        char *pinned; /* engine.version, as the last test had it, or NULL: any that is there */
        char *text, *remedy;
        Verdict verdict;
};

static const char *const trial_state_table[_TRIAL_STATE_MAX] = {
        [TRIAL_IDLE] = "idle",       [TRIAL_WAITING] = "waiting", [TRIAL_TESTING] = "testing",
        [TRIAL_REFUSED] = "refused", [TRIAL_AGAIN] = "again",     [TRIAL_PASSED] = "passed",
};
DEFINE_STRTAB(trial_state, TrialState);

static const uint32_t next_states[_TRIAL_STATE_MAX] = {
        [TRIAL_IDLE] = 1U << TRIAL_WAITING | 1U << TRIAL_PASSED,
        [TRIAL_WAITING] = 1U << TRIAL_TESTING | 1U << TRIAL_PASSED | 1U << TRIAL_IDLE,
        [TRIAL_TESTING] = 1U << TRIAL_PASSED | 1U << TRIAL_REFUSED | 1U << TRIAL_IDLE,
        [TRIAL_REFUSED] = 1U << TRIAL_AGAIN | 1U << TRIAL_IDLE,
        [TRIAL_AGAIN] = 1U << TRIAL_PASSED | 1U << TRIAL_REFUSED | 1U << TRIAL_IDLE,
        [TRIAL_PASSED] = 1U << TRIAL_IDLE,
};

bool trial_state_may(TrialState from, TrialState to)
{
        return from >= 0 && from < _TRIAL_STATE_MAX && to >= 0 && to < _TRIAL_STATE_MAX &&
               (next_states[from] & 1U << to);
}

static int trial_set_state(Trial *t, TrialState state)
{
        if (!trial_state_may(t->state, state))
                return -EPROTO;
        log_debug("trial: %s -> %s", trial_state_to_string(t->state), trial_state_to_string(state));
        t->state = state;
        t->due = false;
        (void)sd_event_source_set_enabled(t->timer, SD_EVENT_OFF);
        t->probe = probe_free(t->probe);
        return 0;
}

static void set_timer(Trial *t, usec_t in)
{
        (void)sd_event_source_set_time_relative(t->timer, in);
        (void)sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

static void set_words(Trial *t, Verdict v, const char *text, const char *remedy)
{
        int a = free_and_strdup(&t->text, strempty(text));
        int b = free_and_strdup(&t->remedy, strempty(remedy));

        t->verdict = a < 0 || b < 0 ? _VERDICT_INVALID : v;
}

/* --- what a report means ------------------------------------------------------------------------
 */

static bool was_connected_back(const Reflection *o)
{
        for (size_t i = 0; o && o->answered && i < o->n_back; i++)
                if (o->back[i].result != BACK_NOT_TRIED)
                        return true;
        return false;
}

static bool is_far_off(const Reflection *o)
{
        int64_t off = o && o->clock_known ? o->clock_offset_usec : 0;

        return (usec_t)(off < 0 ? -off : off) > TRIAL_SKEW_MAX;
}

TrialOutcome trial_judge(const ProbeReport *r)
{
        bool proven = r->confidence == PROBE_PROVEN;

        switch (r->verdict) {
        case VERDICT_WRONG_INTERFACE:
        case VERDICT_NAT_NO_WAY_BACK:
        case VERDICT_NAT_FORWARDED:
        case VERDICT_REVERSE_BLOCKED:
        case VERDICT_REVERSE_PORTS_PARTIAL:
        case VERDICT_WRONG_PEER:
                /* a guess keeps nobody out */
                return proven ? TRIAL_BAD : TRIAL_DOUBTFUL;
        case VERDICT_VERSION_MISMATCH:
                return TRIAL_BAD;
        case VERDICT_CLOCK_SKEW:
                return proven && is_far_off(r->other) ? TRIAL_BAD : TRIAL_DOUBTFUL;
        case VERDICT_NAT_ONE_WAY: /* Ray announces the address by which it works */
        case VERDICT_HEAD_BEHIND_DNAT:
        case VERDICT_MTU_HOLE_OUT:
        case VERDICT_MTU_HOLE_IN:
        case VERDICT_LOSSY_OR_SLOW:
                return TRIAL_DOUBTFUL;
        default:
                /* what else keeps it from the head, is not found out here */
                return r->verdict == VERDICT_OK && was_connected_back(r->other) ? TRIAL_GOOD
                                                                                : TRIAL_UNKNOWN;
        }
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void tell_doubts(const Trial *t)
{
        _cleanup_strv_free_ char **fields = NULL;

        (void)strv_extendf(&fields, "RAYCLUSTER_VERDICT=%s", verdict_to_string(t->verdict));
        (void)strv_extendf(&fields, "RAYCLUSTER_REMEDY=%s", t->remedy);
        log_event(LOG_WARNING, teller_message(t->verdict), fields, "%s; Ray starts all the same",
                  t->text);
}

/* Another engine would not help where the configuration wants this one. */
static void set_words_pinned(Trial *t, const ProbeReport *r)
{
        _cleanup_free_ char *text = str_printf("the head runs Ray %s, and engine.version says %s",
                                               r->head.ray, t->pinned);

        set_words(t, text ? r->verdict : _VERDICT_INVALID, text,
                  "here: set engine.version to \"auto\" in /etc/raycluster.conf, or give the head "
                  "the same version");
}

static void take(Trial *t, const ProbeReport *r)
{
        bool again = t->state == TRIAL_AGAIN;
        TrialOutcome o = trial_judge(r);

        /* whom the head did not get back to, one silent test does not let in */
        if (o == TRIAL_UNKNOWN && again) {
                if (trial_set_state(t, TRIAL_REFUSED) >= 0)
                        set_timer(t, backoff_next(&t->pause));
                return;
        }
        if (r->verdict == VERDICT_VERSION_MISMATCH && t->pinned)
                set_words_pinned(t, r);
        else
                set_words(t, r->verdict, r->sentence, r->hint);
        if (trial_set_state(t, o == TRIAL_BAD ? TRIAL_REFUSED : TRIAL_PASSED) < 0)
                return;
        if (o == TRIAL_BAD)
                set_timer(t, backoff_next(&t->pause));
        else if (o == TRIAL_DOUBTFUL)
                tell_doubts(t);
}

static void on_probe(Probe *p, const ProbeReport *report, void *userdata)
{
        Trial *t = userdata;

        take(t, report);
        t->ops.on_change(t, t->userdata);
}

/* A site's own environment only the supervisor asks for its versions: they are not compared here.
 */
static int add_versions(Trial *t, const EngineSettings *e, ProbeRequest *q, Versions **ret)
{
        bool own = !isempty(e->venv), pinned = !own && !streq(e->version, "auto");

        int r = free_and_strdup(&t->pinned, pinned ? e->version : NULL);
        if (r < 0 || own)
                return r;
        if (pinned)
                str_copy(q->here.ray, sizeof(q->here.ray), e->version);
        else
                r = engine_list(NULL, ret, &q->n_engines) == -ENOMEM ? -ENOMEM : 0;
        q->engines = *ret;
        return r;
}

/* Trouble here is none of the way's. */
static void test(Trial *t, const TrialWant *w)
{
        const TlsFiles *files = engine_tls_files(w->tls);
        _cleanup_free_ Versions *engines = NULL;
        TlsMistake mistake;
        ProbeRequest q = {.host = w->name,
                          .port = w->head->port,
                          .addr = w->head,
                          .token = w->token,
                          .deadline = TRIAL_TEST_MAX,
                          .reflect = w->reflector,
                          .reflect_optional = true,
                          .plan = w->plan,
                          .node = w->own};

        if (trial_set_state(t, t->state == TRIAL_REFUSED ? TRIAL_AGAIN : TRIAL_TESTING) < 0)
                return;
        t->context = tls_context_free(t->context);
        int r = files ? tls_context_new(files, &mistake, &t->context) : 0;
        q.tls = t->context;
        if (r >= 0)
                r = add_versions(t, w->engine, &q, &engines);
        if (r >= 0)
                r = probe_new(t->event, &q, on_probe, t, &t->probe);
        if (r < 0) {
                log_debug_errno(r, "Testing the way back: %m");
                set_words(t, _VERDICT_INVALID, "the way back from the head could not be tested",
                          NULL);
                (void)trial_set_state(t, TRIAL_PASSED);
        }
}

/* --- what is wanted -----------------------------------------------------------------------------
 */

static bool is_same(const Trial *t, const Addr *head, const Addr *own)
{
        return addr_port_equal(&t->head, head) && addr_equal(&t->own, own);
}

static void forget(Trial *t)
{
        set_words(t, _VERDICT_INVALID, NULL, NULL);
        if (t->state != TRIAL_IDLE)
                (void)trial_set_state(t, TRIAL_IDLE);
}

static void begin(Trial *t, const Addr *head, const Addr *own)
{
        forget(t);
        t->head = *head;
        t->own = *own;
        backoff_reset(&t->pause);
}

void trial_want(Trial *t, const TrialWant *w)
{
        if (!w) {
                if (t->state != TRIAL_PASSED)
                        forget(t);
                return;
        }
        if (!is_same(t, w->head, w->own))
                begin(t, w->head, w->own);
        if (t->state == TRIAL_IDLE && trial_set_state(t, TRIAL_WAITING) >= 0)
                set_timer(t, TRIAL_LINK_MAX);
        bool reaches = transport_reaches(w->reflector, w->head);
        if ((t->state == TRIAL_WAITING && reaches) || (t->state == TRIAL_REFUSED && t->due))
                test(t, w);
        else if (t->state == TRIAL_WAITING && t->due) {
                set_words(t, _VERDICT_INVALID,
                          "the way back from the head was not tested: its control port is not "
                          "connected",
                          NULL);
                (void)trial_set_state(t, TRIAL_PASSED);
        }
}

void trial_grant(Trial *t, const Addr *head, const Addr *own)
{
        if (t->state == TRIAL_PASSED && is_same(t, head, own))
                return;
        begin(t, head, own);
        (void)trial_set_state(t, TRIAL_PASSED);
}

void trial_kick(Trial *t)
{
        usec_t at;

        if (t->state != TRIAL_REFUSED || sd_event_source_get_time(t->timer, &at) < 0)
                return;
        backoff_reset(&t->pause);
        usec_t in = backoff_next(&t->pause);
        if (usec_add(now_mono(), in) < at) /* else one that is kicked all day is never tested */
                set_timer(t, in);
}

/* --- the object ---------------------------------------------------------------------------------
 */

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Trial *t = userdata;

        t->due = true;
        t->ops.on_change(t, t->userdata);
        return 0;
}

int trial_new(sd_event *event, const TrialOps *ops, void *userdata, Trial **ret)
{
        _cleanup_(trial_freep) Trial *t = new0(Trial, 1);
        if (!t)
                return -ENOMEM;
        *t = (Trial){
                .event = event,
                .ops = *ops,
                .userdata = userdata,
                .text = strdup(""),
                .remedy = strdup(""),
                .verdict = _VERDICT_INVALID,
                .pause = {.base = PAUSE, .max = PAUSE_MAX},
        };
        if (!t->text || !t->remedy)
                return -ENOMEM;
        int r = sd_event_add_time(event, &t->timer, CLOCK_MONOTONIC, USEC_INFINITY, USEC_PER_MSEC,
                                  on_timer, t);
        if (r >= 0)
                r = sd_event_source_set_enabled(t->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

Trial *trial_free(Trial *t)
{
        if (!t)
                return NULL;
        probe_free(t->probe);
        tls_context_free(t->context);
        sd_event_source_disable_unref(t->timer);
        free(t->pinned);
        free(t->text);
        free(t->remedy);
        free(t);
        return NULL;
}

TrialState trial_state(const Trial *t)
{
        return t->state;
}

const char *trial_text(const Trial *t)
{
        return t->text;
}

Verdict trial_verdict(const Trial *t)
{
        return t->verdict;
}

const char *trial_remedy(const Trial *t)
{
        return t->remedy;
}
