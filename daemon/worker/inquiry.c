/*     quiet ── refused, or begun ──> waiting ── a pause is over ──> examining
 *       ^                            │  ^                             │
 *       │<── nothing is in question ─┘  └──── a reason, then a pause ─┘
 *       │
 *       └── dropped, from anywhere
 *
 * waiting: the timer runs; examining: there is a probe; never both.
 */
#include "worker/inquiry.h"

#include <errno.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/args.h"
#include "probe/probe.h"

/* Another trouble than was explained is examined after this; the same one in other words, so long
 * after it was explained. */
#define PROBE_AGAIN (USEC_PER_SEC / 4)
#define PROBE_PAUSE (3 * USEC_PER_SEC)
#define WHY_FRESH   USEC_PER_SEC

struct Inquiry {
        sd_event *event;
        InquiryOps ops;
        void *userdata;
        char *token;
        bool auth_off;
        const EngineTls *tls;       /* weak */
        TlsContext *context;        /* of the probe under way */
        const Transport *reflector; /* weak */
        const PortPlan *plan;       /* weak */
        GcsStatus refused;          /* what the last unanswered round was, */
        char *refusal;              /* and its words, "" */
        char *why;                  /* the last examination's sentence, "" */
        Verdict verdict;            /* why is of this one; invalid: of none */
        char *remedy;               /* and what to do, "" */
        usec_t why_at;
        Backoff pause;
        Probe *probe;
        sd_event_source *due_timer;
};

static bool is_waiting(const Inquiry *i)
{
        return sd_event_source_get_enabled(i->due_timer, NULL) > 0;
}

static void wait_for(Inquiry *i, usec_t in)
{
        if (i->probe)
                return;
        (void)sd_event_source_set_time_relative(i->due_timer, in);
        (void)sd_event_source_set_enabled(i->due_timer, SD_EVENT_ONESHOT);
}

/* --- the reason ---------------------------------------------------------------------------------
 */

static void set_why(Inquiry *i, Verdict verdict, const char *why, const char *remedy)
{
        int a = free_and_strdup(&i->why, strempty(why));
        int b = free_and_strdup(&i->remedy, strempty(remedy));
        i->verdict = a < 0 || b < 0 || isempty(why) ? _VERDICT_INVALID : verdict;
}

/* There is a token, and user raycluster may not read it. */
static bool token_is_hidden(const ProbeReport *report)
{
        return report->verdict == VERDICT_TOKEN_REQUIRED && access(ENGINE_TOKEN_FILE, R_OK) < 0 &&
               errno == EACCES;
}

static void explain(Inquiry *i, const ProbeReport *report)
{
        if (report->verdict == VERDICT_OK) {
                /* what the probe finds in order, the last round's own words explain */
                set_why(i, _VERDICT_INVALID, i->refusal, NULL);
        } else if (report->verdict == VERDICT_TOKEN_REQUIRED && i->auth_off) {
                /* a token, which may well be there, is not used */
                _cleanup_free_ char *text =
                        str_printf("%s: auth.mode is \"disabled\" here", report->sentence);
                set_why(i, report->verdict, text,
                        "here, as root: set auth.mode = \"auto\" (raycluster config says in which "
                        "file it is switched off), then systemctl reload ray-worker");
        } else if (token_is_hidden(report)) {
                _cleanup_free_ char *text =
                        str_printf("%s that user raycluster can read", report->sentence);
                set_why(i, report->verdict, text,
                        "here, as root: chown root:ray " ENGINE_TOKEN_FILE
                        " && chmod 640 " ENGINE_TOKEN_FILE);
        } else
                set_why(i, report->verdict, report->sentence, report->hint);
        i->why_at = now_mono();
}

/* --- examinations -------------------------------------------------------------------------------
 */

static void on_probe(Probe *p, const ProbeReport *report, void *userdata)
{
        Inquiry *i = userdata;

        explain(i, report);
        i->probe = probe_free(i->probe);
        wait_for(i, backoff_next(&i->pause));
        i->ops.on_change(i, i->userdata);
}

void inquiry_examine(Inquiry *i, const char *name, const Addr *addr)
{
        ProbeRequest request = {.host = name,
                                .port = addr->port,
                                .addr = addr,
                                .token = i->token,
                                .reflect = i->reflector,
                                .reflect_optional = true,
                                .plan = i->plan};
        const TlsFiles *files = engine_tls_files(i->tls);
        TlsMistake mistake;

        if (i->probe)
                return;
        i->context = tls_context_free(i->context);
        /* files that will not do are in the refusal's words already */
        int r = files ? tls_context_new(files, &mistake, &i->context) : 0;
        request.tls = i->context;
        if (r >= 0)
                r = probe_new(i->event, &request, on_probe, i, &i->probe);
        if (r < 0) {
                log_debug_errno(r, "Probing the head: %m");
                set_why(i, _VERDICT_INVALID, i->refusal, NULL);
        }
}

static int on_due_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Inquiry *i = userdata;
        i->ops.on_due(i, i->userdata);
        return 0;
}

void inquiry_begin(Inquiry *i)
{
        if (!is_waiting(i))
                wait_for(i, 0);
}

void inquiry_refused(Inquiry *i, GcsStatus status, const char *text, bool alone)
{
        bool reworded = free_and_strdup(&i->refusal, text) > 0;
        usec_t passed = usec_sub(now_mono(), i->why_at);

        if (status != i->refused) { /* another trouble than was explained */
                i->refused = status;
                /* a probe sees it as soon as a round does: what it just said is about this */
                if (passed >= WHY_FRESH)
                        set_why(i, _VERDICT_INVALID, NULL, NULL);
                backoff_reset(&i->pause);
                wait_for(i, PROBE_AGAIN);
        } else if (reworded && alone)
                /* refused in another way than before: a firewall was opened, a server started */
                wait_for(i, MAX(PROBE_AGAIN, usec_sub(PROBE_PAUSE, passed)));
        inquiry_begin(i);
}

void inquiry_drop(Inquiry *i)
{
        i->probe = probe_free(i->probe);
        set_why(i, _VERDICT_INVALID, NULL, NULL);
        (void)free_and_strdup(&i->refusal, "");
        (void)sd_event_source_set_enabled(i->due_timer, SD_EVENT_OFF);
        backoff_reset(&i->pause);
}

void inquiry_kick(Inquiry *i)
{
        backoff_reset(&i->pause);
}

/* --- the object ---------------------------------------------------------------------------------
 */

int inquiry_configure(Inquiry *i, const char *token, bool auth_off, const EngineTls *tls)
{
        int r = free_and_strdup(&i->token, token);
        if (r < 0)
                return r;
        i->auth_off = auth_off;
        i->tls = tls;
        inquiry_drop(i);
        return 0;
}

void inquiry_set_reflector(Inquiry *i, const Transport *reflector, const PortPlan *plan)
{
        i->reflector = reflector;
        i->plan = plan;
}

int inquiry_new(sd_event *event, const InquiryOps *ops, void *userdata, Inquiry **ret)
{
        _cleanup_(inquiry_freep) Inquiry *i = new0(Inquiry, 1);
        if (!i)
                return -ENOMEM;
        *i = (Inquiry){
                .event = sd_event_ref(event),
                .ops = *ops,
                .userdata = userdata,
                .refusal = strdup(""),
                .why = strdup(""),
                .verdict = _VERDICT_INVALID,
                .remedy = strdup(""),
                .pause = {.base = 3 * USEC_PER_SEC, .max = 30 * USEC_PER_SEC},
        };
        if (!i->refusal || !i->why || !i->remedy)
                return -ENOMEM;
        int r = sd_event_add_time(event, &i->due_timer, CLOCK_MONOTONIC, USEC_INFINITY, 1,
                                  on_due_timer, i);
        if (r >= 0)
                r = sd_event_source_set_enabled(i->due_timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

Inquiry *inquiry_free(Inquiry *i)
{
        if (!i)
                return NULL;
        probe_free(i->probe);
        tls_context_free(i->context);
        sd_event_source_disable_unref(i->due_timer);
        sd_event_unref(i->event);
        free(i->token);
        free(i->refusal);
        free(i->why);
        free(i->remedy);
        free(i);
        return NULL;
}

const char *inquiry_refusal(const Inquiry *i)
{
        return i->refusal;
}

const char *inquiry_why(const Inquiry *i)
{
        return i->why;
}

Verdict inquiry_verdict(const Inquiry *i)
{
        return i->verdict;
}

const char *inquiry_remedy(const Inquiry *i)
{
        return i->remedy;
}

bool inquiry_is_busy(const Inquiry *i)
{
        return isempty(i->why) && (i->probe || is_waiting(i));
}
