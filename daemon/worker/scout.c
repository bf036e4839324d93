/*     idle ── seek ──> knocking at address 1, 2, … of the best candidate, in turn
 *                         │ no answer: a probe finds out why, discovery is asked again
 *                         └ answer: stays at this address
 */
#include "worker/scout.h"

#include <errno.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/args.h"
#include "probe/probe.h"
#include "worker/ladder.h"

/* A head that does not take a connection in this time is tried at its next address. */
#define KNOCK_TIMEOUT (2 * USEC_PER_SEC)
#define PROBE_AGAIN   (USEC_PER_SEC / 4)
#define PROBE_PAUSE   (3 * USEC_PER_SEC)
#define WHY_FRESH     USEC_PER_SEC
#define SLOW_AFTER    USEC_PER_MIN

struct Scout {
        sd_event *event;
        Bus *bus; /* weak */
        char *last_known_path, *cluster, *token;
        bool auth_off; /* by the configuration of this machine */
        ScoutOps ops;
        void *userdata;
        Disco *disco;
        Candidate *candidate; /* a copy of the best one */
        Watch *watch;         /* of candidate->addrs[at] */
        size_t at;
        bool seek;
        Addr avoid;
        bool beside; /* the head in question is the one to avoid */
        usec_t seeking_since;
        Probe *probe;
        GcsStatus refused; /* what the last unanswered round was */
        char *refusal;     /* the last unanswered round's, "" */
        usec_t why_at;
        char *why;       /* the last probe's sentence, "" */
        Verdict verdict; /* why is of this one; invalid: of none */
        char *remedy;    /* and what to do, "" */
        char *ladder;    /* NULL: serves */
        Backoff asking, probing;
        sd_event_source *ask_timer, *probe_timer;
};

static void arm(sd_event_source *s, usec_t in)
{
        (void)sd_event_source_set_time_relative(s, in);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static bool serves(const Scout *s)
{
        return s->watch && watch_facts(s->watch)->serving_since != 0;
}

static bool has_addr(const Candidate *c, const Addr *a)
{
        for (size_t i = 0; c && addr_is_set(a) && i < c->n_addrs; i++)
                if (addr_equal(&c->addrs[i], a) && c->addrs[i].port == a->port)
                        return true;
        return false;
}

static void climb(Scout *s)
{
        DiscoReport reports[_DISCO_SOURCE_MAX];
        LadderFacts f = {
                .cluster = s->cluster,
                .ambiguous = s->disco ? disco_ambiguous(s->disco) : NULL,
                .candidate = s->candidate,
                .serving = serves(s),
                .why = !isempty(s->why) ? s->why
                       : s->watch       ? watch_facts(s->watch)->text
                                        : "",
                .reports = reports,
                .n_reports = s->disco ? disco_reports(s->disco, reports) : 0,
        };
        char *text;

        if (ladder_text(&f, &text) >= 0) {
                free(s->ladder);
                s->ladder = text;
        }
}

static void update(Scout *s)
{
        climb(s);
        s->ops.on_change(s, s->userdata);
}

/* --- why not ------------------------------------------------------------------------------------
 */

static void set_why(Scout *s, Verdict verdict, const char *why, const char *remedy)
{
        int a = free_and_strdup(&s->why, strempty(why));
        int b = free_and_strdup(&s->remedy, strempty(remedy));
        s->verdict = a < 0 || b < 0 || isempty(why) ? _VERDICT_INVALID : verdict;
}

/* There is a token, and user raycluster may not read it. */
static bool token_is_hidden(const ProbeReport *report)
{
        return report->verdict == VERDICT_TOKEN_REQUIRED && access(ENGINE_TOKEN_FILE, R_OK) < 0 &&
               errno == EACCES;
}

static void explain(Scout *s, const ProbeReport *report)
{
        if (report->verdict == VERDICT_OK) {
                /* what the probe finds in order, the last round's own words explain */
                set_why(s, _VERDICT_INVALID, s->refusal, NULL);
        } else if (report->verdict == VERDICT_TOKEN_REQUIRED && s->auth_off) {
                /* a token, which may well be there, is not used */
                _cleanup_free_ char *text =
                        str_printf("%s: auth.mode is \"off\" here", report->sentence);
                set_why(s, report->verdict, text,
                        "here, as root: set auth.mode = \"auto\" (raycluster config says in which "
                        "file it is off), then systemctl reload ray-worker");
        } else if (token_is_hidden(report)) {
                _cleanup_free_ char *text =
                        str_printf("%s that user raycluster can read", report->sentence);
                set_why(s, report->verdict, text,
                        "here, as root: chown root:ray " ENGINE_TOKEN_FILE
                        " && chmod 640 " ENGINE_TOKEN_FILE);
        } else
                set_why(s, report->verdict, report->sentence, report->hint);
        s->why_at = now_mono();
}

static void on_probe(Probe *p, const ProbeReport *report, void *userdata)
{
        Scout *s = userdata;

        explain(s, report);
        s->probe = probe_free(s->probe);
        arm(s->probe_timer, backoff_next(&s->probing));
        update(s);
}

/* The address that is knocked at, or the one that Ray runs for and that others watch; NULL: none,
 * or it answers. */
static const Addr *in_question(const Scout *s)
{
        if (s->watch)
                return !serves(s) && !isempty(s->refusal) ? watch_addr(s->watch) : NULL;
        return s->seek && addr_is_set(&s->avoid) ? &s->avoid : NULL;
}

static void start_probe(Scout *s)
{
        const Addr *addr = in_question(s);

        if (s->probe || !addr)
                return;
        ProbeRequest request = {
                .host = has_addr(s->candidate, addr) ? s->candidate->name : "",
                .port = addr->port,
                .addr = addr,
                .token = s->token,
        };
        int r = probe_new(s->event, &request, on_probe, s, &s->probe);
        if (r < 0) {
                log_debug_errno(r, "Probing the head: %m");
                set_why(s, _VERDICT_INVALID, s->refusal, NULL);
        }
}

static int on_probe_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Scout *s = userdata;
        start_probe(s);
        return 0;
}

static void drop_probe(Scout *s)
{
        s->probe = probe_free(s->probe);
        set_why(s, _VERDICT_INVALID, NULL, NULL);
        (void)free_and_strdup(&s->refusal, "");
        (void)sd_event_source_set_enabled(s->probe_timer, SD_EVENT_OFF);
        backoff_reset(&s->probing);
}

/* --- knocking -----------------------------------------------------------------------------------
 */

static void knock(Scout *s, usec_t first);

/* The next address of the same head, after the others had their turn within one round. */
static void next_address(Scout *s, usec_t round)
{
        size_t n = s->candidate ? s->candidate->n_addrs : 0;

        if (n < 2) {
                watch_set_pace(s->watch, &(WatchPace){.round = round, .nodes = USEC_INFINITY});
                return;
        }
        s->at = (s->at + 1) % n;
        s->watch = watch_free(s->watch);
        knock(s, round / n);
}

static void on_round(Watch *w, void *userdata)
{
        Scout *s = userdata;

        if (serves(s)) {
                drop_probe(s);
                backoff_reset(&s->asking);
                update(s);
                return;
        }
        bool reworded = free_and_strdup(&s->refusal, watch_facts(w)->text) > 0;
        if (watch_facts(w)->status != s->refused) { /* another trouble than was explained */
                s->refused = watch_facts(w)->status;
                /* a probe sees it as soon as a round does: what it just said is about this */
                if (usec_sub(now_mono(), s->why_at) >= WHY_FRESH)
                        set_why(s, _VERDICT_INVALID, NULL, NULL);
                backoff_reset(&s->probing);
                if (!s->probe)
                        arm(s->probe_timer, PROBE_AGAIN);
        } else if (reworded && s->candidate && s->candidate->n_addrs == 1 && !s->probe)
                /* refused in another way than before: a firewall was opened, a server started */
                arm(s->probe_timer,
                    MAX(PROBE_AGAIN, usec_sub(PROBE_PAUSE, usec_sub(now_mono(), s->why_at))));
        if (!s->probe && sd_event_source_get_enabled(s->probe_timer, NULL) <= 0)
                arm(s->probe_timer, 0);
        if (sd_event_source_get_enabled(s->ask_timer, NULL) <= 0)
                arm(s->ask_timer, backoff_next(&s->asking));
        bool slow = usec_sub(now_mono(), s->seeking_since) >= SLOW_AFTER;
        next_address(s, slow ? SCOUT_ROUND_SLOW : SCOUT_ROUND);
        update(s);
}

/* Nobody to knock at. Why the head that Ray runs for is silent is asked all the same. */
static void leave(Scout *s)
{
        s->watch = watch_free(s->watch);
        if (!s->beside || !in_question(s))
                drop_probe(s);
        s->beside = in_question(s);
        if (s->beside && !s->probe && sd_event_source_get_enabled(s->probe_timer, NULL) <= 0)
                arm(s->probe_timer, 0);
}

static void knock(Scout *s, usec_t first)
{
        static const WatchOps ops = {.on_round = on_round};

        if (!s->seek || !s->candidate || s->candidate->n_addrs == 0 ||
            has_addr(s->candidate, &s->avoid)) {
                leave(s);
                return;
        }
        if (s->watch && has_addr(s->candidate, watch_addr(s->watch)))
                return;
        s->watch = watch_free(s->watch);
        if (s->beside)
                drop_probe(s); /* it was about the other one */
        s->beside = false;
        if (s->at >= s->candidate->n_addrs)
                s->at = 0;
        GcsClientPolicy policy = {
                .addr = s->candidate->addrs[s->at], .token = s->token, .timeout = KNOCK_TIMEOUT};
        int r = watch_new(s->event, &policy,
                          &(WatchPace){.round = SCOUT_ROUND, .nodes = USEC_INFINITY}, first, &ops,
                          s, &s->watch);
        if (r < 0)
                log_debug_errno(r, "Knocking at the head: %m");
}

/* --- discovery ----------------------------------------------------------------------------------
 */

static void take_best(Scout *s)
{
        const Candidate *best = s->disco ? disco_best(s->disco) : NULL;

        if (candidate_equal(best, s->candidate))
                return;
        s->candidate = candidate_free(s->candidate);
        if (best)
                s->candidate = candidate_copy(best);
        s->at = 0;
        drop_probe(s);
}

static void on_disco(Disco *d, void *userdata)
{
        Scout *s = userdata;

        take_best(s);
        knock(s, 0);
        update(s);
}

static int on_ask_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Scout *s = userdata;

        if (!s->seek || serves(s))
                return 0;
        arm(s->ask_timer, backoff_next(&s->asking));
        if (s->disco)
                disco_refresh(s->disco);
        return 0;
}

int scout_configure(Scout *s, const DiscoSettings *settings, const char *token, bool auth_off)
{
        static const DiscoOps ops = {.on_change = on_disco};

        int a = free_and_strdup(&s->token, token);
        int b = free_and_strdup(&s->cluster, settings->cluster);
        if (a < 0 || b < 0)
                return -ENOMEM;
        s->auth_off = auth_off;
        s->watch = watch_free(s->watch);
        drop_probe(s);
        s->candidate = candidate_free(s->candidate);
        s->disco = disco_free(s->disco);
        int r = disco_new(s->event, s->bus, settings, s->last_known_path, &ops, s, &s->disco);
        if (r >= 0)
                r = disco_start(s->disco);
        if (r < 0)
                return r;
        backoff_reset(&s->asking);
        arm(s->ask_timer, backoff_next(&s->asking));
        take_best(s);
        knock(s, 0);
        climb(s);
        return 0;
}

void scout_seek(Scout *s, bool seek, const Addr *avoid)
{
        Addr to_avoid = avoid ? *avoid : (Addr){0};

        if (s->seek == seek && addr_equal(&s->avoid, &to_avoid) && s->avoid.port == to_avoid.port)
                return;
        if (seek && !s->seek) {
                s->seeking_since = now_mono();
                backoff_reset(&s->asking);
                arm(s->ask_timer, backoff_next(&s->asking));
        }
        if (!addr_equal(&s->avoid, &to_avoid))
                drop_probe(s); /* it was about another one */
        s->seek = seek;
        s->avoid = to_avoid;
        knock(s, 0);
        climb(s);
}

void scout_kick(Scout *s)
{
        backoff_reset(&s->asking);
        backoff_reset(&s->probing);
        if (s->disco)
                disco_refresh(s->disco);
}

void scout_remember(Scout *s)
{
        int r = s->disco && s->candidate ? disco_remember(s->disco, s->candidate) : 0;
        if (r < 0)
                log_debug_errno(r, "Remembering the head: %m");
}

/* --- the object ---------------------------------------------------------------------------------
 */

int scout_new(sd_event *event, Bus *bus, const char *last_known_path, const ScoutOps *ops,
              void *userdata, Scout **ret)
{
        _cleanup_(scout_freep) Scout *s = new0(Scout, 1);
        if (!s)
                return -ENOMEM;
        *s = (Scout){
                .event = sd_event_ref(event),
                .bus = bus,
                .last_known_path = strdup(last_known_path),
                .cluster = strdup(""),
                .refusal = strdup(""),
                .why = strdup(""),
                .remedy = strdup(""),
                .verdict = _VERDICT_INVALID,
                .ops = *ops,
                .userdata = userdata,
                .asking = {.base = 2 * USEC_PER_SEC, .max = 15 * USEC_PER_SEC},
                .probing = {.base = 3 * USEC_PER_SEC, .max = 30 * USEC_PER_SEC},
        };
        if (!s->last_known_path || !s->cluster || !s->refusal || !s->why || !s->remedy)
                return -ENOMEM;
        int r = sd_event_add_time(event, &s->ask_timer, CLOCK_MONOTONIC, USEC_INFINITY, 0,
                                  on_ask_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->ask_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &s->probe_timer, CLOCK_MONOTONIC, USEC_INFINITY, 1,
                                      on_probe_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->probe_timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

Scout *scout_free(Scout *s)
{
        if (!s)
                return NULL;
        probe_free(s->probe);
        watch_free(s->watch);
        disco_free(s->disco);
        candidate_free(s->candidate);
        sd_event_source_disable_unref(s->ask_timer);
        sd_event_source_disable_unref(s->probe_timer);
        sd_event_unref(s->event);
        free(s->last_known_path);
        free(s->cluster);
        free(s->token);
        free(s->refusal);
        free(s->why);
        free(s->remedy);
        free(s->ladder);
        free(s);
        return NULL;
}

const Candidate *scout_candidate(const Scout *s)
{
        return s->candidate;
}

bool scout_is_ambiguous(const Scout *s)
{
        return s->disco && disco_ambiguous(s->disco);
}

const char *scout_ladder(const Scout *s)
{
        return serves(s) && !scout_is_ambiguous(s) ? NULL : strempty(s->ladder);
}

const char *scout_why(const Scout *s)
{
        return s->why;
}

Verdict scout_verdict(const Scout *s)
{
        return scout_is_ambiguous(s) ? _VERDICT_INVALID : s->verdict;
}

const char *scout_remedy(const Scout *s)
{
        return scout_is_ambiguous(s) ? "" : s->remedy;
}

bool scout_is_busy(const Scout *s)
{
        DiscoReport reports[_DISCO_SOURCE_MAX];
        size_t n = s->disco ? disco_reports(s->disco, reports) : 0;

        for (size_t i = 0; !s->candidate && i < n; i++)
                if (reports[i].state == SOURCE_ASKING)
                        return true;
        return s->watch && !serves(s) && isempty(s->why) &&
               (s->probe || sd_event_source_get_enabled(s->probe_timer, NULL) > 0);
}

bool scout_is_asking(const Scout *s)
{
        return s->watch && !serves(s) && !scout_is_ambiguous(s) && isempty(s->refusal) &&
               isempty(s->why);
}

const WatchFacts *scout_facts(const Scout *s)
{
        return s->watch ? watch_facts(s->watch) : NULL;
}

const Addr *scout_addr(const Scout *s)
{
        return s->watch ? watch_addr(s->watch) : NULL;
}

void scout_show(const Scout *s, Status *status)
{
        const Candidate *c = s->candidate;
        DiscoReport reports[_DISCO_SOURCE_MAX];
        size_t n = s->disco ? disco_reports(s->disco, reports) : 0;

        (void)status_set(status, STATUS_HEAD, c ? c->name : "");
        (void)status_set(status, STATUS_HEAD_SOURCE, c ? disco_source_to_string(c->source) : "");
        for (size_t i = 0; i < n; i++)
                (void)status_set_source(status, i, disco_source_to_string(reports[i].source),
                                        source_state_to_string(reports[i].state), reports[i].text);
        status_set_n_sources(status, n);
}
