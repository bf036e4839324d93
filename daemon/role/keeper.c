#include "role/keeper.h"

#include <errno.h>

#include "base/exit.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/ready.h"
#include "engine/repair.h"
#include "role/running.h"

/* A start or stop that systemd took and whose outcome never shows is asked again after this. */
#define ASKED_MAX (15 * USEC_PER_SEC)
/* An engine that somebody else stopped is started again after this. At shutdown our own end comes
 * first. */
#define STOPPED_PAUSE (3 * USEC_PER_SEC)

typedef enum Wish { WISH_LEAVE, WISH_RUN, WISH_STOP } Wish;

struct Keeper {
        sd_event *event;
        Role role;
        char *node_id;
        const Settings *settings; /* weak */
        const char *node_name;    /* weak */
        KeeperOps ops;
        void *userdata;

        EngineUnit *unit;
        bool seen; /* the unit's state was known once */
        Wish wish;
        KeeperWant want; /* strings owned */
        bool restart;

        Repair repair;
        bool failed;  /* the last end was not asked for */
        bool stopped; /* and it was an orderly stop */
        usec_t starting_since, stopping_since, pause_until, blocked_until, running_since;
        Backoff recheck;
        char *blocked; /* why the machine is not ready, or NULL */
        bool blocked_by_unit;

        KeepPhase phase;
        char *text;
        Running running;
        char **due; /* keys that wait for a restart */
        sd_event_source *work, *timer;
};

static void schedule(Keeper *k)
{
        (void)sd_event_source_set_enabled(k->work, SD_EVENT_ONESHOT);
}

static const char *unit_name(const Keeper *k)
{
        return k->role == ROLE_HEAD ? "ray-engine@head.service" : "ray-engine@worker.service";
}

/* --- events of the unit -------------------------------------------------------------------------
 */

static void block(Keeper *k, MessageId id, const char *why)
{
        if (free_and_strdup(&k->blocked, why) != 0)
                log_event(LOG_WARNING, id, NULL, "blocked: %s", why);
        k->blocked_until = usec_add(now_mono(), backoff_next(&k->recheck));
}

static void unblock(Keeper *k)
{
        if (k->blocked)
                log_event(LOG_INFO, MSG_UNBLOCKED, NULL, "the machine is ready: no longer \"%s\"",
                          k->blocked);
        free(TAKE_PTR(k->blocked));
        k->blocked_by_unit = false;
        k->blocked_until = 0;
        backoff_reset(&k->recheck);
}

/* The supervisor looked at what only user ray can see, and did not begin: no failure to repair. */
static bool note_refusal(Keeper *k, EngineState now)
{
        int status = now == ENGINE_FAILED ? engine_unit_exit_status(k->unit) : -1;
        const char *said = engine_unit_status(k->unit);

        if (status != EXIT_ENGINE_VERSIONS && status != EXIT_ENGINE_BLOCKED)
                return false;
        k->blocked_by_unit = true;
        block(k, status == EXIT_ENGINE_VERSIONS ? MSG_VERSION_MISMATCH : MSG_BLOCKED,
              isempty(said) ? engine_unit_result(k->unit) : said);
        return true;
}

static void note_failure(Keeper *k, EngineState now)
{
        usec_t pause = repair_next(&k->repair);

        k->failed = true;
        if (now == ENGINE_FAILED)
                log_event(LOG_ERR, MSG_ENGINE_FAILED, NULL, "%s ended: %s", unit_name(k),
                          engine_unit_result(k->unit));
        else /* by hand, which is told when it is undone; or at shutdown, and our end comes next */
                pause = MAX(pause, STOPPED_PAUSE);
        k->stopped = now == ENGINE_STOPPED;
        k->pause_until = usec_add(now_mono(), pause);
}

static void note_end(Keeper *k, EngineState before, EngineState now)
{
        bool asked = k->stopping_since != 0 || k->restart;

        if (before == ENGINE_RUNNING || before == ENGINE_STOPPING)
                repair_note_ended(&k->repair, now_mono());
        k->running_since = 0;
        k->starting_since = 0;
        k->stopping_since = 0;
        k->restart = false;
        if (asked)
                log_event(LOG_INFO, MSG_ENGINE_STOPPED, NULL, "Ray stopped as asked");
        else if (!note_refusal(k, now))
                note_failure(k, now);
}

static void note_first(Keeper *k, EngineState now)
{
        k->seen = true;
        if (now != ENGINE_RUNNING && now != ENGINE_STARTING)
                return;
        running_read(&k->running, k->role);
        char *fields[] = {NULL};
        log_event(LOG_INFO, MSG_ENGINE_READOPTED, fields,
                  "took up Ray again, which runs in %s (main process %d)", unit_name(k),
                  (int)engine_unit_main_pid(k->unit));
}

static void on_unit_state(EngineUnit *u, EngineState before, EngineState now, void *userdata)
{
        Keeper *k = userdata;
        bool down = now == ENGINE_STOPPED || now == ENGINE_FAILED;
        bool was_up =
                before == ENGINE_STARTING || before == ENGINE_RUNNING || before == ENGINE_STOPPING;

        if (before != now)
                log_debug("%s: %s -> %s", unit_name(k), engine_state_to_string(before),
                          engine_state_to_string(now));
        if (now != ENGINE_UNKNOWN && !k->seen)
                note_first(k, now);
        if (now == ENGINE_STARTING || now == ENGINE_RUNNING)
                k->starting_since = 0;
        if (now == ENGINE_RUNNING && k->running_since == 0) {
                k->running_since = now_mono();
                k->failed = false;
                unblock(k);
                repair_note_running(&k->repair, k->running_since);
        }
        if (down && was_up)
                note_end(k, before, now);
        else if (now == ENGINE_FAILED && before == ENGINE_STOPPED && k->starting_since != 0)
                note_end(k, before, now); /* failed faster than we could look */
        schedule(k);
}

static void on_unit_refused(EngineUnit *u, const char *what, const char *text, void *userdata)
{
        Keeper *k = userdata;

        k->starting_since = 0;
        if (k->stopping_since != 0) { /* asked again when ASKED_MAX is over */
                log_event(LOG_ERR, MSG_BLOCKED, NULL, "%s does not stop: %s", unit_name(k), text);
                return;
        }
        block(k, MSG_BLOCKED, text);
        schedule(k);
}

/* --- actions ------------------------------------------------------------------------------------
 */

static int check(Keeper *k, Engine *ret_engine, char **ret_why, MessageId *ret_id)
{
        const char *token;

        int r = engine_select(&k->settings->engine, NULL, k->want.head_ray, ret_engine, ret_why);
        if (r == 0 && !isempty(k->want.head_ray)) {
                /* is it the version, or is there none at all? */
                _cleanup_(engine_done) Engine other = {0};
                _cleanup_free_ char *why = NULL;
                if (engine_select(&k->settings->engine, NULL, NULL, &other, &why) > 0)
                        *ret_id = MSG_VERSION_MISMATCH;
        }
        if (r <= 0)
                return r;
        if (engine_auth(k->settings, NULL, &token) == -ENOENT) {
                *ret_why = strdup("auth.mode is \"token\", and there is no " ENGINE_TOKEN_FILE
                                  ": put Ray's token there, 0640 root:ray, the same on all nodes");
                return *ret_why ? 0 : -ENOMEM;
        }
        return engine_ready(k->settings, k->role, ret_why);
}

static EnginePlan plan_of(const Keeper *k, const Engine *engine)
{
        return (EnginePlan){
                .role = k->role,
                .settings = k->settings,
                .engine = engine,
                .address = &k->want.address,
                .head = addr_is_set(&k->want.head) ? &k->want.head : NULL,
                .node_id = k->node_id,
                .node_name = k->node_name,
                .cluster_id = k->want.cluster_id,
        };
}

static void tell_start(const Keeper *k, const Engine *e)
{
        char head[ADDR_PORT_MAX], own[ADDR_MAX];
        const char *version = isempty(e->ray) ? "" : " ";

        addr_format(own, &k->want.address);
        if (k->failed && k->stopped)
                log_event(LOG_WARNING, MSG_ENGINE_REPAIR, NULL,
                          "starting Ray again, repair %u: somebody else stopped it (systemctl stop "
                          "ray-%s stops both)",
                          k->repair.count, role_to_string(k->role));
        else if (k->failed)
                log_event(LOG_WARNING, MSG_ENGINE_REPAIR, NULL, "starting Ray again, repair %u: %s",
                          k->repair.count, engine_unit_result(k->unit));
        if (addr_is_set(&k->want.head))
                log_event(LOG_INFO, MSG_ENGINE_STARTED, NULL,
                          "starting Ray%s%s from %s as %s for the head at %s", version, e->ray,
                          e->venv, own, addr_format_port(head, &k->want.head));
        else
                log_event(LOG_INFO, MSG_ENGINE_STARTED, NULL, "starting Ray%s%s from %s as %s",
                          version, e->ray, e->venv, own);
}

static void start_unit(Keeper *k)
{
        _cleanup_(engine_done) Engine e = {0};
        _cleanup_free_ char *why = NULL;

        MessageId id = MSG_BLOCKED;
        int r = check(k, &e, &why, &id);
        if (r > 0) {
                EnginePlan plan = plan_of(k, &e);
                r = engine_args_write(&plan, running_dir(), NULL);
                if (r < 0)
                        why = str_printf("cannot write to %s: %s: is it there, owned by user "
                                         "raycluster? (systemd-tmpfiles --create)",
                                         running_dir(), strerror(-r));
                else
                        r = engine_unit_start(k->unit);
                if (r < 0 && !why)
                        why = str_printf("systemd cannot be asked to start %s: %s", unit_name(k),
                                         strerror(-r));
        } else if (r < 0)
                why = str_printf("the machine cannot be checked: %s", strerror(-r));
        if (why) {
                block(k, id, why);
                return;
        }
        if (!k->blocked_by_unit) /* then only the unit can say that it is mended */
                unblock(k);
        k->starting_since = now_mono();
        tell_start(k, &e);
        running_read(&k->running, k->role);
}

static void stop_unit(Keeper *k)
{
        log_event(LOG_INFO, MSG_DRAINING, NULL, "draining and stopping %s", unit_name(k));
        int r = engine_unit_stop(k->unit);
        if (r < 0)
                (void)log_warning_errno(r, "Failed to ask systemd to stop %s: %m", unit_name(k));
        k->stopping_since = now_mono();
}

/* --- decide, then act ---------------------------------------------------------------------------
 */

static KeepFacts facts_of(Keeper *k, usec_t now)
{
        if (k->starting_since != 0 && usec_sub(now, k->starting_since) >= ASKED_MAX)
                k->starting_since = 0;
        if (k->stopping_since != 0 && engine_unit_state(k->unit) != ENGINE_STOPPING &&
            usec_sub(now, k->stopping_since) >= ASKED_MAX)
                k->stopping_since = 0;
        EngineState unit = engine_unit_state(k->unit);
        bool up = unit == ENGINE_STARTING || unit == ENGINE_RUNNING || k->starting_since != 0;
        return (KeepFacts){
                .unit = unit,
                .wanted = k->wish == WISH_RUN || (k->wish == WISH_LEAVE && up),
                .restart = k->restart,
                .starting = k->starting_since != 0,
                .stopping = k->stopping_since != 0,
                .pause = now < k->pause_until,
                .blocked = now < k->blocked_until,
        };
}

static void update_due(Keeper *k)
{
        EngineState s = engine_unit_state(k->unit);
        char **due = NULL;

        if (k->settings && (s == ENGINE_RUNNING || s == ENGINE_STARTING)) {
                EnginePlan now = plan_of(k, NULL);
                int r = running_due(&k->running, &now, &due);
                if (r < 0) {
                        log_debug_errno(r, "Comparing what runs with the configuration: %m");
                        return;
                }
        }
        strv_free(k->due);
        k->due = due;
}

/* The unit looks once more whether what it refused for is mended: until it knows, that stands. */
static bool looks_again(const Keeper *k, const char *status)
{
        return k->blocked && k->blocked_by_unit &&
               (isempty(status) || startswith(status, "checking"));
}

static char *describe(const Keeper *k)
{
        const char *status = engine_unit_status(k->unit), *result = engine_unit_result(k->unit);

        switch (k->phase) {
        case KEEP_ASKING:
                return str_printf("asking systemd about %s", unit_name(k));
        case KEEP_BLOCKED:
                if (engine_unit_state(k->unit) == ENGINE_MISSING)
                        return str_printf("blocked: systemd does not know %s: install the package "
                                          "raycluster again",
                                          unit_name(k));
                return str_printf("blocked: %s", strna(k->blocked));
        case KEEP_STARTING:
                if (engine_unit_state(k->unit) != ENGINE_STARTING)
                        status = ""; /* of the last run */
                if (looks_again(k, status))
                        return str_printf("blocked: %s", k->blocked);
                return str_printf("starting Ray%s%s", isempty(status) ? "" : ": ", status);
        case KEEP_RUNNING:
                return strdup(isempty(status) ? "Ray runs" : status);
        case KEEP_STOPPING:
                return str_printf("stopping Ray%s%s", isempty(status) ? "" : ": ", status);
        case KEEP_REPAIRING:
                if (engine_unit_state(k->unit) == ENGINE_STOPPED)
                        return strdup("Ray was stopped by somebody else; starting it again");
                return str_printf("%s ended: %s; starting it again", unit_name(k), result);
        default:
                return strdup("Ray does not run");
        }
}

static void arm(Keeper *k, usec_t now)
{
        usec_t next = USEC_INFINITY;

        if (k->pause_until > now)
                next = MIN(next, k->pause_until);
        if (k->blocked_until > now && k->phase == KEEP_BLOCKED)
                next = MIN(next, k->blocked_until);
        if (k->starting_since != 0)
                next = MIN(next, k->starting_since + ASKED_MAX);
        if (k->stopping_since != 0)
                next = MIN(next, MAX(now + USEC_PER_SEC, k->stopping_since + ASKED_MAX));
        (void)sd_event_source_set_time(k->timer, next);
        (void)sd_event_source_set_enabled(k->timer,
                                          next == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_work(sd_event_source *s, void *userdata)
{
        Keeper *k = userdata;
        KeepFacts f = facts_of(k, now_mono());

        KeepPlan plan = keep_decide(&f);
        if (plan.action == KEEP_DO_START)
                start_unit(k);
        else if (plan.action == KEEP_DO_STOP)
                stop_unit(k);
        bool refused = plan.action == KEEP_DO_START && k->starting_since == 0;
        k->phase = refused ? KEEP_BLOCKED : plan.phase;
        char *text = describe(k);
        if (text) {
                free(k->text);
                k->text = text;
        }
        update_due(k);
        arm(k, now_mono());
        k->ops.on_change(k, k->userdata);
        return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        schedule(userdata);
        return 0;
}

/* --- the object ---------------------------------------------------------------------------------
 */

int keeper_new(sd_event *event, Bus *bus, Role role, const char *node_id, const KeeperOps *ops,
               void *userdata, Keeper **ret)
{
        static const EngineUnitOps unit_ops = {.on_state = on_unit_state,
                                               .on_refused = on_unit_refused};
        _cleanup_(keeper_freep) Keeper *k = new0(Keeper, 1);
        if (!k)
                return -ENOMEM;
        *k = (Keeper){
                .event = sd_event_ref(event),
                .role = role,
                .node_id = strdup(node_id),
                .text = strdup(""),
                .ops = *ops,
                .userdata = userdata,
                .recheck = {.base = USEC_PER_SEC, .max = 15 * USEC_PER_SEC},
        };
        repair_init(&k->repair);
        if (!k->node_id || !k->text)
                return -ENOMEM;
        int r = sd_event_add_defer(event, &k->work, on_work, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->work, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &k->timer, CLOCK_MONOTONIC, USEC_INFINITY, 0, on_timer,
                                      k);
        if (r >= 0)
                r = engine_unit_new(bus, role, &unit_ops, k, &k->unit);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

Keeper *keeper_free(Keeper *k)
{
        if (!k)
                return NULL;
        engine_unit_free(k->unit);
        sd_event_source_disable_unref(k->work);
        sd_event_source_disable_unref(k->timer);
        sd_event_unref(k->event);
        running_done(&k->running);
        strv_free(k->due);
        free(k->want.cluster_id);
        free(k->want.head_ray);
        free(k->node_id);
        free(k->blocked);
        free(k->text);
        free(k);
        return NULL;
}

void keeper_configure(Keeper *k, const Settings *s, const char *node_name)
{
        k->settings = s;
        k->node_name = node_name;
        keeper_kick(k);
}

int keeper_start(Keeper *k)
{
        schedule(k);
        return engine_unit_watch(k->unit);
}

static void set_wish(Keeper *k, Wish wish)
{
        if (k->wish == wish)
                return;
        k->wish = wish;
        schedule(k);
}

int keeper_want(Keeper *k, const KeeperWant *want)
{
        int a = free_and_strdup(&k->want.cluster_id, strempty(want->cluster_id));
        int b = free_and_strdup(&k->want.head_ray, strempty(want->head_ray));
        if (a < 0 || b < 0)
                return -ENOMEM;
        bool same = a == 0 && b == 0 && addr_equal(&k->want.address, &want->address) &&
                    addr_equal(&k->want.head, &want->head) && k->want.head.port == want->head.port;
        k->want.address = want->address;
        k->want.head = want->head;
        set_wish(k, WISH_RUN);
        if (!same) /* for another head the machine may be ready */
                keeper_kick(k);
        return 0;
}

void keeper_unwant(Keeper *k)
{
        set_wish(k, WISH_STOP);
}

void keeper_leave(Keeper *k)
{
        set_wish(k, WISH_LEAVE);
}

void keeper_restart(Keeper *k, MessageId id, bool repair, const char *why)
{
        EngineState s = engine_unit_state(k->unit);

        if (k->restart || (s != ENGINE_RUNNING && s != ENGINE_STARTING))
                return;
        log_event(LOG_NOTICE, id, NULL, "Ray is restarted: %s", why);
        k->restart = true;
        if (repair)
                k->repair.count++;
        schedule(k);
}

void keeper_kick(Keeper *k)
{
        k->blocked_until = 0;
        backoff_reset(&k->recheck);
        schedule(k);
}

KeepPhase keeper_phase(const Keeper *k)
{
        return k->phase;
}

const char *keeper_text(const Keeper *k)
{
        return k->text;
}

EngineState keeper_unit_state(const Keeper *k)
{
        return engine_unit_state(k->unit);
}

const char *keeper_unit_status(const Keeper *k)
{
        return engine_unit_status(k->unit);
}

const char *keeper_failure(const Keeper *k)
{
        return k->failed && !k->stopped && !k->blocked ? engine_unit_result(k->unit) : NULL;
}

unsigned keeper_repairs(const Keeper *k)
{
        return k->repair.count;
}

const EngineArgs *keeper_running(const Keeper *k)
{
        return k->running.args;
}

usec_t keeper_running_since(const Keeper *k)
{
        return k->running_since;
}

char *const *keeper_due(const Keeper *k)
{
        return k->due;
}
