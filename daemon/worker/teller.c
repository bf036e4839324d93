#include "worker/teller.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/ratelimit.h"

/* A reason of waiting that stood this long is told; one that always changes, after this. */
#define TELL_AFTER   (USEC_PER_SEC / 2)
#define TELL_AT_LAST (10 * USEC_PER_SEC)
/* One verdict whose words change is told again after this. */
#define SAME_AGAIN USEC_PER_MIN

struct Teller {
        const Status *status; /* weak */
        const Scout *scout;   /* weak */
        bool looking, lost, blocked;
        bool found;               /* MSG_HEAD_FOUND was told for the present head */
        sd_event_source *telling; /* of a reason of waiting, when it has settled */
        usec_t unsettled_since;
        char *told;           /* the last reason of waiting in the journal, */
        Verdict told_verdict; /* its verdict, */
        usec_t told_at;       /* and when; monotonic */
        RateLimit waiting;    /* lines about changed reasons of waiting */
};

static char **fields_of(const Teller *t)
{
        const Status *s = t->status;
        char **l = NULL;

        if (strv_extendf(&l, "RAYCLUSTER_NODE=%s", s->text[STATUS_NODE_NAME]) < 0 ||
            strv_extendf(&l, "RAYCLUSTER_HEAD=%s", s->text[STATUS_HEAD]) < 0 ||
            strv_extendf(&l, "RAYCLUSTER_HEAD_ADDRESS=%s", s->text[STATUS_HEAD_ADDRESS]) < 0 ||
            strv_extendf(&l, "RAYCLUSTER_CLUSTER_ID=%s", s->text[STATUS_CLUSTER_ID]) < 0 ||
            strv_extendf(&l, "RAYCLUSTER_VERDICT=%s", s->text[STATUS_VERDICT]) < 0 ||
            strv_extendf(&l, "RAYCLUSTER_REMEDY=%s", s->text[STATUS_REMEDY]) < 0)
                (void)log_oom();
        return l;
}

MessageId teller_message(Verdict v)
{
        int code = verdict_code(v);

        if (v == VERDICT_VERSION_MISMATCH)
                return MSG_VERSION_MISMATCH;
        if (code >= 60 && code <= 65)
                return MSG_WAIT_TLS;
        switch (code / 10) {
        case 1:
                return MSG_WAIT_NAME;
        case 2:
                return MSG_WAIT_LOCAL;
        case 3:
                return MSG_WAIT_PATH;
        case 4:
                return MSG_WAIT_FIREWALL;
        case 5:
                return MSG_WAIT_SERVICE;
        case 6:
                return MSG_WAIT_ACCESS;
        case 7:
                return MSG_WAIT_BACK;
        case 8:
                return MSG_WAIT_QUALITY;
        default:
                return MSG_WORKER_WAITING;
        }
}

usec_t teller_wait_before(Verdict told, usec_t passed, Verdict now)
{
        return now >= 0 && now == told ? usec_sub(SAME_AGAIN, passed) : 0;
}

static void keep_told(Teller *t, const char *reason, Verdict v)
{
        (void)free_and_strdup(&t->told, reason);
        t->told_verdict = v;
        t->told_at = now_mono();
}

/* How long to wait before it may be told; 0: it was, or is nothing to tell. */
static usec_t tell_waiting(Teller *t)
{
        const char *reason = t->status->text[STATUS_REASON];
        Verdict v = verdict_from_string(t->status->text[STATUS_VERDICT]);
        _cleanup_strv_free_ char **fields = NULL;
        _cleanup_free_ char *line = NULL;

        if (streq_ptr(t->told, reason) || (t->lost && v < 0))
                return 0;
        usec_t wait =
                t->told ? teller_wait_before(t->told_verdict, usec_sub(now_mono(), t->told_at), v)
                        : 0;
        if (wait > 0)
                return wait;
        if (!ratelimit_below(&t->waiting, now_mono()))
                return TELL_AT_LAST;
        fields = fields_of(t);
        line = status_line(t->status);
        log_event(LOG_NOTICE,
                  scout_is_ambiguous(t->scout) ? MSG_HEADS_AMBIGUOUS : teller_message(v), fields,
                  "%s", line ? line : reason);
        keep_told(t, reason, v);
        t->waiting.suppressed = 0;
        return 0;
}

static void arm_telling(Teller *t, usec_t in)
{
        (void)sd_event_source_set_time_relative(t->telling, in);
        (void)sd_event_source_set_enabled(t->telling, SD_EVENT_ONESHOT);
}

static int on_telling(sd_event_source *s, uint64_t usec, void *userdata)
{
        Teller *t = userdata;

        /* of what else blocks, role/keeper.c tells */
        bool refused = t->blocked && !isempty(t->status->text[STATUS_VERDICT]);
        if (!t->looking && !t->lost && !refused)
                return 0;
        /* the answer of a busy one is what people want to read */
        usec_t wait = scout_is_busy(t->scout) ? TELL_AFTER : tell_waiting(t);
        if (wait > 0)
                arm_telling(t, wait);
        return 0;
}

/* A reason goes to the journal once it has stood for a moment: while sources answer and neighbours
 * speak it changes from line to line. One that never stands is told all the same. */
void teller_wait(Teller *t)
{
        usec_t now = now_mono();
        bool armed = sd_event_source_get_enabled(t->telling, NULL) > 0;

        if (!armed)
                t->unsettled_since = now;
        if (!armed || usec_sub(now, t->unsettled_since) < TELL_AT_LAST)
                arm_telling(t, TELL_AFTER);
}

/* Once, each time the looking ends. */
static void tell_found(Teller *t, WorkerState now, bool up, char *const *fields)
{
        const Candidate *c = scout_candidate(t->scout);

        if (now == WORKER_LOOKING || now == WORKER_STARTING)
                t->found = false;
        if (t->found || !c || scout_ladder(t->scout) || up)
                return;
        t->found = true;
        log_event(LOG_INFO, MSG_HEAD_FOUND, fields, "head %s found by %s serves", c->name, c->how);
}

void teller_move(Teller *t, WorkerState before, WorkerState now, const char *reason, bool up)
{
        _cleanup_strv_free_ char **fields = fields_of(t);

        t->looking = now == WORKER_LOOKING;
        t->lost = now == WORKER_LOST_HEAD;
        t->blocked = now == WORKER_BLOCKED;
        tell_found(t, now, up, fields);
        if (now != WORKER_LOOKING && now != WORKER_CHECKING) {
                free(TAKE_PTR(t->told)); /* the next waiting is a new story */
                t->told_verdict = _VERDICT_INVALID;
        }
        if (now == WORKER_JOINED)
                log_event(LOG_INFO, MSG_WORKER_JOINED, fields, "%s", reason);
        else if (now == WORKER_LOST_HEAD) {
                log_event(LOG_WARNING, MSG_WORKER_WAITING, fields, "%s", reason);
                keep_told(t, reason, _VERDICT_INVALID);
        } else if (now != WORKER_LOOKING)
                log_debug("%s -> %s: %s", worker_state_to_string(before),
                          worker_state_to_string(now), reason);
}

int teller_new(sd_event *event, const Status *status, const Scout *scout, Teller **ret)
{
        _cleanup_(teller_freep) Teller *t = new0(Teller, 1);
        if (!t)
                return -ENOMEM;
        *t = (Teller){
                .status = status,
                .scout = scout,
                .told_verdict = _VERDICT_INVALID,
                .waiting = {.interval = USEC_PER_MIN, .burst = 6},
        };
        int r = sd_event_add_time(event, &t->telling, CLOCK_MONOTONIC, USEC_INFINITY,
                                  USEC_PER_SEC / 10, on_telling, t);
        if (r >= 0)
                r = sd_event_source_set_enabled(t->telling, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

Teller *teller_free(Teller *t)
{
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->telling);
        free(t->told);
        free(t);
        return NULL;
}
