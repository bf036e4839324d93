#include "supervisor/supervisor.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "supervisor/prune.h"
#include "sys/notify.h"

/* How often things are looked at that do not report by themselves. */
#define TICK (100 * USEC_PER_MSEC)
/* The last step to READY is short; what waits for the unit should not wait for a tick. */
#define TICK_REGISTERING (50 * USEC_PER_MSEC)
#define TICK_RUNNING     USEC_PER_SEC
#define TICK_ENDING      (20 * USEC_PER_MSEC)
/* While draining, systemd hears this often that it goes on. */
#define TICK_STOPPING USEC_PER_SEC
#define EXTEND        (20 * USEC_PER_SEC)

static usec_t tick_of(Stage stage)
{
        switch (stage) {
        case STAGE_REGISTERING:
                return TICK_REGISTERING;
        case STAGE_RUNNING:
                return TICK_RUNNING;
        case STAGE_STOPPING:
                return TICK_STOPPING;
        case STAGE_ENDING:
                return TICK_ENDING;
        default:
                return TICK;
        }
}

static void arm(sd_event_source *source, usec_t in)
{
        if (in == USEC_INFINITY) {
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time_relative(source, in);
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int supervisor_set_stage(Supervisor *s, Stage stage, usec_t max)
{
        if (!stage_may_follow(s->stage, stage))
                return log_error_errno(-EPROTO, "Stage %s cannot follow %s.",
                                       stage_to_string(stage), stage_to_string(s->stage));
        log_debug("Stage %s -> %s", stage_to_string(s->stage), stage_to_string(stage));
        s->stage = stage;
        arm(s->deadline, max);
        arm(s->tick, stage == STAGE_ENDED ? USEC_INFINITY : tick_of(stage));
        return 0;
}

/* --- the end --------------------------------------------------------------------------------- */

/* Returns how many are there still. Everything below us is Ray's: it started them, and we took in
 * its orphans. A zombie counts: of a process with threads the first one to end is one, while the
 * others still hold its ports; once it is whole, the reaper takes it. */
static size_t kill_descendants(void)
{
        _cleanup_free_ Proc *l = NULL;
        size_t n = 0;

        if (procs_descendants(NULL, getpid(), &l, &n) < 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                /* by number: we are their reaper or their reaper's, so it is not reused under us
                 * unless their own parent reaps them in this very moment, and then the kernel
                 * would have to hand it out again in the same moment */
                if (l[i].state != 'Z')
                        (void)kill(l[i].pid, SIGKILL);
        return n;
}

void supervisor_end(Supervisor *s)
{
        s->health[0] = health_free(s->health[0]);
        s->health[1] = health_free(s->health[1]);
        if (supervisor_set_stage(s, STAGE_ENDING, ENDING_MAX) < 0)
                return;
        (void)kill_descendants();
}

static void ended(Supervisor *s)
{
        if (supervisor_set_stage(s, STAGE_ENDED, USEC_INFINITY) < 0)
                return;
        if (s->output)
                output_drain(s->output);
        if (s->logs)
                logs_drain(s->logs);
        (void)sd_event_exit(s->event, s->exit_status);
}

static void set_reason(Supervisor *s, int exit_status, char *text)
{
        s->exit_status = exit_status;
        free(s->reason);
        s->reason = text;
}

void supervisor_fail(Supervisor *s, int exit_status, MessageId id, const char *fmt, ...)
{
        char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        int n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        if (s->stage >= STAGE_STOPPING) {
                log_debug("While %s: %s", stage_to_string(s->stage), strna(text));
                free(text);
                return;
        }
        set_reason(s, exit_status, text);
        log_event(LOG_ERR, id, NULL, "%s", strempty(s->reason));
        notify_status("%s", strempty(s->reason));
        supervisor_end(s);
}

void supervisor_fail_errno(Supervisor *s, int error, const char *doing)
{
        supervisor_fail(s, EXIT_INTERNAL, MSG_ENGINE_FAILED, "cannot %s: %s", doing,
                        strerror(error < 0 ? -error : error));
}

/* --- old files ------------------------------------------------------------------------------- */

void supervisor_prune(Supervisor *s)
{
        _cleanup_free_ char *option = str_printf("--prune=%s", s->args->engine.temp_dir);
        _cleanup_free_ char *journal =
                str_printf("JOURNAL_STREAM=%s", strempty(getenv("JOURNAL_STREAM")));
        char *const argv[] = {(char *)"ray-engine", option, NULL};
        char *const env[] = {getenv("JOURNAL_STREAM") ? journal : NULL, NULL};
        usec_t now = now_mono();

        if (now < s->prune_next || !option || !journal)
                return;
        s->prune_next = now + PRUNE_INTERVAL;
        child_done(&s->pruning); /* of an hour ago; reaped by the loop */
        int r = spawn(&(SpawnSpec){.path = "/proc/self/exe", .argv = argv, .env = env, .cwd = "/"},
                      &s->pruning);
        if (r < 0)
                (void)log_warning_errno(r, "Cannot start the removal of old files: %m");
}

/* --- stop ------------------------------------------------------------------------------------ */

/* With the GCS gone, the drain's own call would wait its full 30 s for nothing (ray-facts 4); and
 * of a node that the GCS calls dead nothing is left to be drained. why: NULL = drain. */
static void stop_ray(Supervisor *s, const char *why)
{
        int signo = why ? SIGINT : SIGTERM;

        if (s->stage != STAGE_STOPPING)
                return;
        int r = children_kill(s->children, CHILD_RAY_START, signo);
        log_debug("Sent SIG%s to ray start: %s", sigabbrev_np(signo), r < 0 ? strerror(-r) : "ok");
        if (!why)
                return;
        log_info("%s: Ray is stopped without a drain.", why);
        arm(s->deadline, INTERRUPT_MAX);
}

static void on_alive(GcsClient *c, const GcsResult *result, const char *ray_version, void *userdata)
{
        stop_ray(userdata, result->status == GCS_OK ? NULL : "The GCS does not answer");
}

static void on_own_node(GcsClient *c, const GcsResult *result, NodeSet **nodes, void *userdata)
{
        Supervisor *s = userdata;
        const RayId *id = children_node_id(s->children);

        if (result->status != GCS_OK) {
                stop_ray(s, "The GCS does not answer");
                return;
        }
        const Node *node = id ? node_set_find(*nodes, id) : NULL;
        stop_ray(s, node && node->state != NODE_DEAD ? NULL : "The GCS calls this node dead");
}

/* Asks the GCS whether there is something to drain. */
static int ask_before_stop(Supervisor *s, Stage before)
{
        const RayId *id = before == STAGE_RUNNING ? children_node_id(s->children) : NULL;

        return id ? gcs_client_find_nodes(s->gcs, &(GcsNodeFilter){.id = id}, on_own_node, s)
                  : gcs_client_check_alive(s->gcs, on_alive, s);
}

static void stop(Supervisor *s)
{
        char drain[DURATION_MAX];
        Stage before = s->stage;

        if (supervisor_set_stage(s, STAGE_STOPPING,
                                 usec_add(s->args->engine.drain, STOPPING_EXTRA)) < 0)
                return;
        (void)format_duration(drain, s->args->engine.drain);
        notify_stopping("draining: running tasks have %s", drain);
        notify_extend_timeout(EXTEND);
        log_event(LOG_INFO, MSG_DRAINING, NULL, "Stop asked for: running tasks have %s to end.",
                  drain);
        if (ask_before_stop(s, before) < 0)
                stop_ray(s, NULL);
}

static void on_signal_stop(int signo, void *userdata)
{
        Supervisor *s = userdata;

        s->asked = true;
        if (s->stage == STAGE_CHECKING) {
                notify_stopping("stopped before Ray was started");
                supervisor_end(s);
        } else if (s->stage < STAGE_STOPPING)
                stop(s);
        else if (s->stage == STAGE_STOPPING && signo == SIGINT)
                /* somebody at a terminal has no patience left: SIGINT cuts Ray's drain short */
                (void)children_kill(s->children, CHILD_RAY_START, SIGINT);
}

/* --- the clock ------------------------------------------------------------------------------- */

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        Supervisor *s = userdata;
        Stage before = s->stage;

        if (s->stage <= STAGE_RUNNING)
                start_tick(s);
        else if (s->stage == STAGE_STOPPING)
                notify_extend_timeout(EXTEND);
        else if (s->stage == STAGE_ENDING && kill_descendants() == 0)
                ended(s);
        if (s->stage == before)
                arm(s->tick, tick_of(s->stage));
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        Supervisor *s = userdata;

        if (s->stage == STAGE_STOPPING) {
                log_warning("Ray did not stop in time and is killed.");
                supervisor_end(s);
        } else if (s->stage == STAGE_ENDING) {
                log_warning("Some of Ray's processes could not be ended; systemd will.");
                ended(s);
        } else
                start_deadline(s);
        return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int supervisor_new(sd_event *event, const EngineArgs *args, const EnginePaths *paths,
                   Supervisor **ret)
{
        static const SignalOps signal_ops = {.on_signal_stop = on_signal_stop};
        _cleanup_(supervisor_freep) Supervisor *s = new0(Supervisor, 1);

        if (!s)
                return -ENOMEM;
        *s = (Supervisor){.event = event,
                          .args = args,
                          .paths = *paths,
                          .ray = CHILD_NONE,
                          .pruning = CHILD_NONE};
        int r = signals_new(event, &signal_ops, s, &s->signals);
        if (r >= 0)
                r = reaper_new(event, NULL, NULL, &s->reaper);
        if (r >= 0)
                r = sd_event_add_time(event, &s->tick, CLOCK_MONOTONIC, 0, 1, on_tick, s);
        if (r >= 0)
                r = sd_event_add_time(event, &s->deadline, CLOCK_MONOTONIC, 0, 0, on_deadline, s);
        if (r < 0)
                return r;
        r = engine_tls_of(args->tls_dir, &s->tls);
        if (r < 0)
                return r;
        arm(s->tick, TICK);
        arm(s->deadline, CHECKING_MAX + VERSIONS_TIMEOUT);
        *ret = TAKE_PTR(s);
        return 0;
}

Supervisor *supervisor_free(Supervisor *s)
{
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->deadline);
        sd_event_source_disable_unref(s->tick);
        health_free(s->health[0]);
        health_free(s->health[1]);
        children_free(s->children);
        output_free(s->output);
        logs_free(s->logs);
        child_done(&s->ray);
        child_done(&s->pruning);
        gcs_client_free(s->raylet);
        gcs_client_free(s->gcs);
        versions_query_free(s->query);
        reaper_free(s->reaper);
        signals_free(s->signals);
        engine_tls_done(&s->tls);
        free(s->reason);
        free(s);
        return NULL;
}

int supervisor_start(Supervisor *s)
{
        s->since = now_mono();
        return start_check(s);
}
