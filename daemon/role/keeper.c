/* Over 500 lines by its list of small questions: what is decided is in keep.c, what is carried out
 * in launch.c, block.c and tls-turn.c. */
#include "role/keeper.h"

#include <errno.h>

#include "base/exit.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/repair.h"
#include "role/block.h"
#include "role/launch.h"
#include "role/running.h"
#include "role/tls-turn.h"

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
        bool seen;         /* the unit's state was known once */
        EngineState known; /* and was this last */
        Wish wish;
        KeeperWant want; /* strings owned */
        bool restart;
        char *repairs; /* the restart is a repair, for this reason; NULL = it is not */

        Repair repair;
        bool failed;  /* the last end was not asked for */
        bool stopped; /* and it was an orderly stop */
        usec_t starting_since, stopping_since, pause_until, running_since;
        Block block; /* the machine is not ready */

        KeepPhase phase;
        char *text;
        Running running;
        char **due; /* keys that wait for a restart */
        sd_event_source *work, *timer, *turn_timer;
};

static void schedule(Keeper *k)
{
        (void)sd_event_source_set_enabled(k->work, SD_EVENT_ONESHOT);
}

/* --- events of the unit -------------------------------------------------------------------------
 */

/* The supervisor looked at what only user ray can see, and did not begin: no failure to repair. */
static bool note_refusal(Keeper *k, EngineState now)
{
        int status = now == ENGINE_FAILED ? engine_unit_exit_status(k->unit) : -1;
        const char *said = engine_unit_status(k->unit);

        if (status != EXIT_ENGINE_VERSIONS && status != EXIT_ENGINE_BLOCKED)
                return false;
        k->block.by_unit = true;
        block_set(&k->block, status == EXIT_ENGINE_VERSIONS ? MSG_VERSION_MISMATCH : MSG_BLOCKED,
                  isempty(said) ? engine_unit_result(k->unit) : said);
        return true;
}

static void note_failure(Keeper *k, EngineState now)
{
        usec_t pause = repair_next(&k->repair);

        k->failed = true;
        free(TAKE_PTR(k->repairs));
        if (now == ENGINE_FAILED)
                log_event(LOG_ERR, MSG_ENGINE_FAILED, NULL, "%s ended: %s",
                          engine_unit_name(k->unit), engine_unit_result(k->unit));
        else /* by hand, which is told when it is undone; or at shutdown, and our end comes next */
                pause = MAX(pause, STOPPED_PAUSE);
        k->stopped = now == ENGINE_STOPPED;
        k->pause_until = usec_add(now_mono(), pause);
}

static void note_end(Keeper *k, EngineState before, EngineState now)
{
        bool restart = k->restart, asked = restart || k->stopping_since != 0;

        if (before == ENGINE_RUNNING || before == ENGINE_STOPPING)
                repair_note_ended(&k->repair, now_mono());
        k->running_since = 0;
        k->starting_since = 0;
        k->stopping_since = 0;
        k->restart = false;
        if (!asked) {
                if (!note_refusal(k, now))
                        note_failure(k, now);
                return;
        }
        log_event(LOG_INFO, MSG_ENGINE_STOPPED, NULL, "Ray stopped as asked");
        if (restart && k->repairs)
                k->pause_until = usec_add(now_mono(), repair_at_once(&k->repair));
}

static void note_first(Keeper *k, EngineState now)
{
        k->seen = true;
        if (now != ENGINE_RUNNING && now != ENGINE_STARTING)
                return;
        running_read(&k->running, k->role);
        char *fields[] = {NULL};
        log_event(LOG_INFO, MSG_ENGINE_READOPTED, fields,
                  "took up Ray again, which runs in %s (main process %d)",
                  engine_unit_name(k->unit), (int)engine_unit_main_pid(k->unit));
}

static void on_unit_state(EngineUnit *u, EngineState before, EngineState now, void *userdata)
{
        Keeper *k = userdata;

        if (before == ENGINE_UNKNOWN) /* the bus was gone: what ended meanwhile has ended, too */
                before = k->known;
        if (now != ENGINE_UNKNOWN)
                k->known = now;
        bool down = now == ENGINE_STOPPED || now == ENGINE_FAILED;
        bool was_up = engine_state_is_up(before) || before == ENGINE_STOPPING;

        if (before != now)
                log_debug("%s: %s -> %s", engine_unit_name(k->unit), engine_state_to_string(before),
                          engine_state_to_string(now));
        if (now != ENGINE_UNKNOWN && !k->seen)
                note_first(k, now);
        if (engine_state_is_up(now))
                k->starting_since = 0;
        if (now == ENGINE_RUNNING && k->running_since == 0) {
                k->running_since = now_mono();
                k->failed = false;
                free(TAKE_PTR(k->repairs));
                block_clear(&k->block);
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
                log_event(LOG_ERR, MSG_BLOCKED, NULL, "%s does not stop: %s",
                          engine_unit_name(k->unit), text);
                return;
        }
        block_set(&k->block, MSG_BLOCKED, text);
        schedule(k);
}

/* --- actions ------------------------------------------------------------------------------------
 */

static EnginePlan plan_of(const Keeper *k)
{
        return (EnginePlan){
                .role = k->role,
                .settings = k->settings,
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
        EnginePlan plan = plan_of(k);

        if (launch(k->unit, &plan, k->want.head_ray, &e, &why, &id) <= 0) {
                block_set(&k->block, id, why ? why : "out of memory");
                return;
        }
        if (!k->block.by_unit) /* then only the unit can say that it is mended */
                block_clear(&k->block);
        k->starting_since = now_mono();
        tell_start(k, &e);
        running_read(&k->running, k->role);
}

static void stop_unit(Keeper *k)
{
        log_event(LOG_INFO, MSG_DRAINING, NULL, "draining and stopping %s",
                  engine_unit_name(k->unit));
        int r = engine_unit_stop(k->unit);
        if (r < 0)
                (void)log_warning_errno(r, "Failed to ask systemd to stop %s: %m",
                                        engine_unit_name(k->unit));
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
        bool up = engine_state_is_up(unit) || k->starting_since != 0;
        return (KeepFacts){
                .unit = unit,
                .wanted = k->wish == WISH_RUN || (k->wish == WISH_LEAVE && up),
                .restart = k->restart,
                .starting = k->starting_since != 0,
                .stopping = k->stopping_since != 0,
                .pause = now < k->pause_until,
                .blocked = now < k->block.until,
        };
}

static void update_due(Keeper *k)
{
        char **due = NULL;

        if (k->settings && engine_state_is_up(engine_unit_state(k->unit))) {
                EnginePlan now = plan_of(k);
                int r = running_due(&k->running, &now, &due);
                if (r < 0) {
                        log_debug_errno(r, "Comparing what runs with the configuration: %m");
                        return;
                }
        }
        strv_free(k->due);
        k->due = due;
}

static char *describe(const Keeper *k)
{
        return keep_describe(&(KeepWords){
                .phase = k->phase,
                .unit = engine_unit_state(k->unit),
                .name = engine_unit_name(k->unit),
                .status = engine_unit_status(k->unit),
                .result = engine_unit_result(k->unit),
                .why = k->repairs,
                .blocked = k->block.why,
                .blocked_by_unit = k->block.by_unit,
        });
}

static void arm(Keeper *k, usec_t now)
{
        usec_t next = USEC_INFINITY;

        if (k->pause_until > now)
                next = MIN(next, k->pause_until);
        if (k->block.until > now && k->phase == KEEP_BLOCKED)
                next = MIN(next, k->block.until);
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
        if (tls_turn_has_come(k->turn_timer, k->settings,
                              engine_state_is_up(engine_unit_state(k->unit)) ? k->running.args
                                                                             : NULL))
                keeper_restart(k, MSG_DRAINING, false,
                               "the certificate of its TLS ends soon, and another one is there");
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
        };
        repair_init(&k->repair);
        block_init(&k->block);
        if (!k->node_id || !k->text)
                return -ENOMEM;
        int r = sd_event_add_defer(event, &k->work, on_work, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->work, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &k->timer, CLOCK_MONOTONIC, USEC_INFINITY, 0, on_timer,
                                      k);
        if (r >= 0)
                r = sd_event_add_time(event, &k->turn_timer, CLOCK_REALTIME, USEC_INFINITY,
                                      USEC_PER_SEC, on_timer, k);
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
        sd_event_source_disable_unref(k->turn_timer);
        sd_event_unref(k->event);
        running_done(&k->running);
        block_done(&k->block);
        strv_free(k->due);
        free(k->want.cluster_id);
        free(k->want.head_ray);
        free(k->node_id);
        free(k->repairs);
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
                    addr_port_equal(&k->want.head, &want->head);
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
        free(TAKE_PTR(k->repairs));
        if (repair)
                k->repairs = strdup(why);
        schedule(k);
}

void keeper_kick(Keeper *k)
{
        block_kick(&k->block);
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
        return k->failed && !k->stopped && !k->block.why ? engine_unit_result(k->unit) : NULL;
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
