/*     idle ── seek ──> knocking at address 1, 2, … of the best candidate, in turn; of a member, at
 *                         │ the address that is confirmed
 *                         │ no answer: an inquiry finds out why, discovery is asked again
 *                         └ answer: stays at this address
 *
 * Over 500 lines by the questions that others ask it; why a head is silent is in inquiry.c, who is
 * in line in line-up.c.
 */
#include "worker/scout.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/str.h"
#include "worker/inquiry.h"
#include "worker/ladder.h"
#include "worker/line-up.h"

/* A head that does not take a connection in this time is tried at its next address. */
#define KNOCK_TIMEOUT (2 * USEC_PER_SEC)
#define SLOW_AFTER    USEC_PER_MIN

struct Scout {
        sd_event *event;
        Bus *bus; /* weak */
        char *last_known_path, *cluster, *token;
        const EngineTls *tls; /* weak */
        ScoutOps ops;
        void *userdata;
        Disco *disco;
        ScoutHead head; /* without `why`: */
        char *head_why;
        Candidate *candidate; /* a copy of the best one, or a member's head */
        Watch *watch;         /* of candidate->addrs[at] */
        size_t at;
        LineUp *line_up; /* of the heads that answer to one name */
        bool seek;
        Addr avoid;
        bool beside; /* the head in question is the one to avoid */
        usec_t seeking_since;
        Inquiry *inquiry; /* into the head in question */
        char *ladder;     /* NULL: serves */
        Backoff asking;
        sd_event_source *ask_timer;
};

/* Discovery is asked again, after a pause that grows. */
static void ask_later(Scout *s)
{
        (void)sd_event_source_set_time_relative(s->ask_timer, backoff_next(&s->asking));
        (void)sd_event_source_set_enabled(s->ask_timer, SD_EVENT_ONESHOT);
}

static bool serves(const Scout *s)
{
        return s->watch && watch_facts(s->watch)->serving_since != 0;
}

static bool has_addr(const Candidate *c, const Addr *a)
{
        return c && addr_is_set(a) && addr_port_in(c->addrs, c->n_addrs, a);
}

static size_t found(const Scout *s, const Candidate *ret[DISCO_CANDIDATES_MAX])
{
        return s->disco ? disco_candidates(s->disco, ret) : 0;
}

static const char *ambiguous(const Scout *s)
{
        const char *text = line_up_text(s->line_up);

        if (!scout_is_ambiguous(s))
                return NULL;
        return text ? text : disco_ambiguous(s->disco);
}

static void line_up(Scout *s)
{
        const Candidate *all[DISCO_CANDIDATES_MAX];

        line_up_set(s->line_up, s->cluster, all, scout_is_ambiguous(s) ? found(s, all) : 0);
}

/* NULL: it has one, is no member, or nothing was found. */
static const char *unconfirmed(const Scout *s)
{
        const Candidate *all[DISCO_CANDIDATES_MAX];

        return s->head.member && !s->candidate && found(s, all) > 0 ? strempty(s->head_why) : NULL;
}

static void climb(Scout *s)
{
        DiscoReport reports[_DISCO_SOURCE_MAX];
        const char *why = inquiry_why(s->inquiry);
        LadderFacts f = {
                .cluster = s->cluster,
                .ambiguous = ambiguous(s),
                .unconfirmed = unconfirmed(s),
                .candidate = s->candidate,
                .serving = serves(s),
                .why = isempty(why) && s->watch ? watch_facts(s->watch)->text : why,
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

static void on_line_up(void *userdata)
{
        update(userdata);
}

/* --- why not ------------------------------------------------------------------------------------
 */

/* The address that is knocked at, or the one that Ray runs for and that others watch; NULL: none,
 * or it answers. */
static const Addr *in_question(const Scout *s)
{
        if (s->watch)
                return !serves(s) && !isempty(inquiry_refusal(s->inquiry)) ? watch_addr(s->watch)
                                                                           : NULL;
        return s->seek && addr_is_set(&s->avoid) ? &s->avoid : NULL;
}

static void on_inquiry_due(Inquiry *i, void *userdata)
{
        Scout *s = userdata;
        const Addr *addr = in_question(s);

        if (addr)
                inquiry_examine(i, has_addr(s->candidate, addr) ? s->candidate->name : "", addr);
}

static void on_inquiry_change(Inquiry *i, void *userdata)
{
        update(userdata);
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
                inquiry_drop(s->inquiry);
                backoff_reset(&s->asking);
                update(s);
                return;
        }
        inquiry_refused(s->inquiry, watch_facts(w)->status, watch_facts(w)->text,
                        s->candidate && s->candidate->n_addrs == 1);
        if (sd_event_source_get_enabled(s->ask_timer, NULL) <= 0)
                ask_later(s);
        bool slow = usec_sub(now_mono(), s->seeking_since) >= SLOW_AFTER;
        next_address(s, slow ? SCOUT_ROUND_SLOW : SCOUT_ROUND);
        update(s);
}

/* Nobody to knock at. Why the head that Ray runs for is silent is asked all the same. */
static void leave(Scout *s)
{
        s->watch = watch_free(s->watch);
        if (!s->beside || !in_question(s))
                inquiry_drop(s->inquiry);
        s->beside = in_question(s);
        if (s->beside)
                inquiry_begin(s->inquiry);
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
                inquiry_drop(s->inquiry); /* it was about the other one */
        s->beside = false;
        if (s->at >= s->candidate->n_addrs)
                s->at = 0;
        GcsClientPolicy policy = {.addr = s->candidate->addrs[s->at],
                                  .token = s->token,
                                  .tls = engine_tls_files(s->tls),
                                  .timeout = KNOCK_TIMEOUT};
        int r = watch_new(s->event, &policy,
                          &(WatchPace){.round = SCOUT_ROUND, .nodes = USEC_INFINITY}, first, &ops,
                          s, &s->watch);
        if (r < 0)
                log_debug_errno(r, "Knocking at the head: %m");
}

/* --- discovery ----------------------------------------------------------------------------------
 */

/* Under the name that discovery has for the address, if it has one. NULL: out of memory. */
static Candidate *own_head(const Scout *s)
{
        const Candidate *all[DISCO_CANDIDATES_MAX], *same = NULL;
        char text[ADDR_MAX];

        for (size_t i = 0, n = found(s, all); i < n && !same; i++)
                if (candidate_has(all[i], &s->head.addr))
                        same = all[i];
        const Candidate unnamed = {.source = DISCO_LAST_KNOWN,
                                   .name = addr_format(text, &s->head.addr),
                                   .cluster = s->cluster,
                                   .how = (char *)"its certificate"};
        Candidate *c = candidate_copy(same ? same : &unnamed);
        if (!c)
                return NULL;
        c->addrs[0] = s->head.addr;
        c->n_addrs = 1;
        return c;
}

static void take_best(Scout *s)
{
        const Candidate *best = s->disco && !s->head.member ? disco_best(s->disco) : NULL;
        _cleanup_(candidate_freep) Candidate *c = NULL;

        if (s->head.member && addr_is_set(&s->head.addr))
                c = own_head(s);
        else if (best)
                c = candidate_copy(best);
        if (candidate_equal(c, s->candidate))
                return;
        candidate_free(s->candidate);
        s->candidate = TAKE_PTR(c);
        s->at = 0;
        inquiry_drop(s->inquiry);
}

static void on_disco(Disco *d, void *userdata)
{
        Scout *s = userdata;

        take_best(s);
        line_up(s);
        knock(s, 0);
        update(s);
}

static int on_ask_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Scout *s = userdata;

        if (!s->seek || serves(s))
                return 0;
        ask_later(s);
        if (s->disco)
                disco_refresh(s->disco);
        return 0;
}

int scout_configure(Scout *s, const DiscoSettings *settings, const char *token, bool auth_off,
                    const EngineTls *tls)
{
        static const DiscoOps ops = {.on_change = on_disco};

        int a = free_and_strdup(&s->token, token);
        int b = free_and_strdup(&s->cluster, settings->cluster);
        int c = inquiry_configure(s->inquiry, token, auth_off, tls);
        if (a < 0 || b < 0 || c < 0)
                return -ENOMEM;
        s->tls = tls;
        s->watch = watch_free(s->watch);
        s->candidate = candidate_free(s->candidate);
        s->disco = disco_free(s->disco);
        int r = disco_new(s->event, s->bus, settings, s->last_known_path, &ops, s, &s->disco);
        if (r >= 0)
                r = disco_start(s->disco);
        if (r < 0)
                return r;
        backoff_reset(&s->asking);
        ask_later(s);
        take_best(s);
        knock(s, 0);
        climb(s);
        return 0;
}

void scout_set_head(Scout *s, const ScoutHead *h)
{
        int r = free_and_strdup(&s->head_why, strempty(h->why));

        if (r == 0 && s->head.member == h->member && addr_port_equal(&s->head.addr, &h->addr))
                return;
        s->head = (ScoutHead){.member = h->member, .addr = h->addr};
        take_best(s);
        line_up(s);
        /* nobody else gets Ray's token, not even once more */
        if (s->watch && !has_addr(s->candidate, watch_addr(s->watch)))
                s->watch = watch_free(s->watch);
        knock(s, 0);
        climb(s);
}

size_t scout_control(const Scout *s, uint16_t port, Addr *ret, size_t max)
{
        const Candidate *all[DISCO_CANDIDATES_MAX];

        return candidates_control(all, found(s, all), port, ret, max);
}

void scout_set_reflector(Scout *s, const Transport *reflector, const PortPlan *plan)
{
        inquiry_set_reflector(s->inquiry, reflector, plan);
}

void scout_seek(Scout *s, bool seek, const Addr *avoid)
{
        Addr to_avoid = avoid ? *avoid : (Addr){0};

        if (s->seek == seek && addr_port_equal(&s->avoid, &to_avoid))
                return;
        if (seek && !s->seek) {
                s->seeking_since = now_mono();
                backoff_reset(&s->asking);
                ask_later(s);
        }
        if (!addr_equal(&s->avoid, &to_avoid))
                inquiry_drop(s->inquiry); /* it was about another one */
        s->seek = seek;
        s->avoid = to_avoid;
        knock(s, 0);
        climb(s);
}

void scout_kick(Scout *s)
{
        backoff_reset(&s->asking);
        inquiry_kick(s->inquiry);
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
        static const InquiryOps inquiry_ops = {.on_due = on_inquiry_due,
                                               .on_change = on_inquiry_change};
        _cleanup_(scout_freep) Scout *s = new0(Scout, 1);
        if (!s)
                return -ENOMEM;
        *s = (Scout){
                .event = sd_event_ref(event),
                .bus = bus,
                .last_known_path = strdup(last_known_path),
                .cluster = strdup(""),
                .ops = *ops,
                .userdata = userdata,
                .asking = {.base = 2 * USEC_PER_SEC, .max = 15 * USEC_PER_SEC},
        };
        if (!s->last_known_path || !s->cluster)
                return -ENOMEM;
        int r = sd_event_add_time(event, &s->ask_timer, CLOCK_MONOTONIC, USEC_INFINITY, 0,
                                  on_ask_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->ask_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = inquiry_new(event, &inquiry_ops, s, &s->inquiry);
        if (r >= 0)
                r = line_up_new(event, on_line_up, s, &s->line_up);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

Scout *scout_free(Scout *s)
{
        if (!s)
                return NULL;
        inquiry_free(s->inquiry);
        line_up_free(s->line_up);
        watch_free(s->watch);
        disco_free(s->disco);
        candidate_free(s->candidate);
        sd_event_source_disable_unref(s->ask_timer);
        sd_event_unref(s->event);
        free(s->last_known_path);
        free(s->cluster);
        free(s->token);
        free(s->head_why);
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
        return s->disco && !s->head.member && disco_ambiguous(s->disco);
}

const char *scout_ladder(const Scout *s)
{
        return serves(s) && !scout_is_ambiguous(s) ? NULL : strempty(s->ladder);
}

const char *scout_why(const Scout *s)
{
        return inquiry_why(s->inquiry);
}

Verdict scout_verdict(const Scout *s)
{
        return scout_is_ambiguous(s) ? _VERDICT_INVALID : inquiry_verdict(s->inquiry);
}

const char *scout_remedy(const Scout *s)
{
        return scout_is_ambiguous(s) ? "" : inquiry_remedy(s->inquiry);
}

bool scout_is_busy(const Scout *s)
{
        DiscoReport reports[_DISCO_SOURCE_MAX];
        size_t n = s->disco ? disco_reports(s->disco, reports) : 0;

        for (size_t i = 0; !s->candidate && i < n; i++)
                if (reports[i].state == SOURCE_ASKING)
                        return true;
        return s->watch && !serves(s) && inquiry_is_busy(s->inquiry);
}

bool scout_is_asking(const Scout *s)
{
        return s->watch && !serves(s) && !scout_is_ambiguous(s) &&
               isempty(inquiry_refusal(s->inquiry)) && isempty(inquiry_why(s->inquiry));
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
