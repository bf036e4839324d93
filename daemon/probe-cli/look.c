/*      LOOKING ── report: told when it is new ──> RESTING ── timer ──> LOOKING …
 *         │                                          │
 *         └── not --watch, or OK: the loop ends      └── Ctrl-C: the loop ends
 */
#include "probe-cli/look.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/exit.h"
#include "base/str.h"
#include "probe-cli/examination.h"
#include "probe-cli/output.h"
#include "probe-cli/progress.h"
#include "sys/signals.h"

/* A person who mends a firewall waits for the next look: never long, and never a load. */
#define REST_BASE USEC_PER_SEC
#define REST_MAX  (8 * USEC_PER_SEC)
/* A reflector connects back to one machine every ten seconds. */
#define REST_REFLECTOR (10 * USEC_PER_SEC + 500 * USEC_PER_MSEC)

struct Look {
        sd_event *event; /* weak */
        const Args *args;
        const ProbeRequest *request;
        Examination *examination; /* NULL: resting */
        Signals *signals;
        Progress *progress;
        sd_event_source *rest_timer;
        Backoff rest;
        bool told; /* once at least; then: */
        Verdict verdict;
        ProbePlace place;
        Addr where;
        char *sentence;
        usec_t since; /* monotonic */
};

static void begin(Look *l);

static void end(Look *l, int status)
{
        progress_erase(l->progress);
        (void)sd_event_exit(l->event, status);
}

/* Words alone are no news: a time or a count in them changes from look to look. With --all they are
 * the ranges of ports, of which one is opened after the other. */
static bool is_news(const Look *l, const ProbeReport *r)
{
        return !l->told || l->verdict != r->verdict || l->place != r->place ||
               !addr_equal(&l->where, &r->where) ||
               (l->args->all && !streq_ptr(l->sentence, r->sentence));
}

static int tell(Look *l, const ProbeReport *r)
{
        OutputStyle style = {
                .json = l->args->json, .verbose = l->args->verbose, .stream = l->args->watch};

        l->told = true;
        l->verdict = r->verdict;
        l->place = r->place;
        l->where = r->where;
        (void)free_and_strdup(&l->sentence, r->sentence);
        l->since = now_mono();
        backoff_reset(&l->rest);
        progress_erase(l->progress);
        return output_report(r, &style);
}

static int on_rest_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        begin(userdata);
        return 0;
}

/* reflected: the head was asked to connect back. */
static void rest(Look *l, bool reflected)
{
        usec_t pause = backoff_next(&l->rest);

        if (reflected)
                pause = MAX(pause, REST_REFLECTOR);
        l->examination = examination_free(l->examination);
        (void)sd_event_source_set_time_relative(l->rest_timer, pause);
        (void)sd_event_source_set_enabled(l->rest_timer, SD_EVENT_ONESHOT);
}

static void on_report(Examination *x, const ProbeReport *report, void *userdata)
{
        Look *l = userdata;

        int r = is_news(l, report) ? tell(l, report) : 0;
        if (r < 0)
                end(l, EXIT_INTERNAL);
        else if (!l->args->watch || report->verdict == VERDICT_OK)
                end(l, verdict_code(report->verdict));
        else
                rest(l, report->other);
}

static void begin(Look *l)
{
        int r = examination_new(l->event, l->request, on_report, l, &l->examination);
        if (r < 0) {
                fprintf(stderr, "ray-probe: cannot examine the connection: %s\n", strerror(-r));
                end(l, EXIT_INTERNAL);
        }
}

static void on_progress(char *buf, size_t size, usec_t *ret_since, void *userdata)
{
        const Look *l = userdata;

        if (l->told) {
                (void)snprintf(buf, size, "still %s, %s (Ctrl-C ends)",
                               verdict_to_string(l->verdict),
                               l->examination ? "looking" : "looking again soon");
                *ret_since = l->since;
        } else
                (void)snprintf(buf, size, "%s: %s", l->args->host,
                               examination_doing(l->examination, ret_since));
}

static void on_signal_stop(int signo, void *userdata)
{
        Look *l = userdata;

        if (l->told) {
                end(l, verdict_code(l->verdict));
                return;
        }
        /* nothing to say yet: end as any program does */
        sigset_t set;
        progress_erase(l->progress);
        sigemptyset(&set);
        sigaddset(&set, signo);
        (void)signal(signo, SIG_DFL);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void)raise(signo);
}

/* The terminal went away, and whoever read it. */
static void on_signal_hangup(void *userdata)
{
        on_signal_stop(SIGHUP, userdata);
}

int look_new(sd_event *event, const Args *args, const ProbeRequest *request, Look **ret)
{
        static const SignalOps ops = {.on_signal_stop = on_signal_stop,
                                      .on_signal_reload = on_signal_hangup};
        _cleanup_(look_freep) Look *l = new0(Look, 1);
        if (!l)
                return -ENOMEM;
        *l = (Look){.event = event,
                    .args = args,
                    .request = request,
                    .rest = {.base = REST_BASE, .max = REST_MAX}};
        int r = sd_event_add_time(event, &l->rest_timer, CLOCK_MONOTONIC, USEC_INFINITY,
                                  USEC_PER_MSEC, on_rest_timer, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->rest_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = signals_new(event, &ops, l, &l->signals);
        if (r >= 0)
                r = progress_new(event, on_progress, l, &l->progress);
        if (r >= 0)
                r = examination_new(event, request, on_report, l, &l->examination);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

Look *look_free(Look *l)
{
        if (!l)
                return NULL;
        progress_free(l->progress);
        examination_free(l->examination);
        sd_event_source_disable_unref(l->rest_timer);
        signals_free(l->signals);
        free(l->sentence);
        free(l);
        return NULL;
}
