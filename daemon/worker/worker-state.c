#include "worker/worker-state.h"

static const char *const worker_state_table[_WORKER_STATE_MAX] = {
        [WORKER_STARTING] = "starting",
        [WORKER_LOOKING] = "looking",
        [WORKER_CHECKING] = "checking",
        [WORKER_BLOCKED] = "blocked",
        [WORKER_ENGINE_STARTING] = "engine-starting",
        [WORKER_JOINED] = "joined",
        [WORKER_LOST_HEAD] = "lost-head",
        [WORKER_REPAIRING] = "repairing",
        [WORKER_HELD] = "held",
        [WORKER_STOPPING] = "stopping",
};
DEFINE_STRTAB(worker_state, WorkerState);

#define BIT(s)  (UINT32_C(1) << WORKER_##s)
#define DOWN    (BIT(LOOKING) | BIT(CHECKING) | BIT(BLOCKED) | BIT(ENGINE_STARTING) | BIT(HELD))
#define RUNNING (BIT(JOINED) | BIT(LOST_HEAD) | BIT(REPAIRING))
/* starting: systemd or the bus went away under us */
#define ALWAYS (BIT(STARTING) | BIT(STOPPING))

static const uint32_t next[_WORKER_STATE_MAX] = {
        [WORKER_STARTING] = DOWN | RUNNING | BIT(STOPPING),
        /* running at once: somebody started the unit by hand */
        [WORKER_LOOKING] = ALWAYS | DOWN | RUNNING,
        [WORKER_CHECKING] = ALWAYS | DOWN | RUNNING,
        [WORKER_BLOCKED] = ALWAYS | DOWN | RUNNING,
        [WORKER_ENGINE_STARTING] = ALWAYS | DOWN | RUNNING,
        /* down at once: somebody stopped or restarted the unit by hand */
        [WORKER_JOINED] = ALWAYS | DOWN | RUNNING,
        [WORKER_LOST_HEAD] = ALWAYS | DOWN | RUNNING,
        [WORKER_REPAIRING] = ALWAYS | DOWN | RUNNING,
        /* running at once: started again before Ray had ended */
        [WORKER_HELD] = ALWAYS | DOWN | RUNNING,
        [WORKER_STOPPING] = 0,
};

bool worker_state_may(WorkerState from, WorkerState to)
{
        return from >= 0 && from < _WORKER_STATE_MAX && to >= 0 && to < _WORKER_STATE_MAX &&
               (from == to || (next[from] & UINT32_C(1) << to));
}

static WorkerPlan plan(WorkerState state, char *reason)
{
        return (WorkerPlan){.state = state, .reason = reason};
}

static char *say_joined(const WorkerFacts *f)
{
        return str_printf("joined head %s%s%s", f->head, isempty(f->ray) ? "" : ", Ray ", f->ray);
}

static WorkerPlan restart(WorkerRestart why, char *reason)
{
        return (WorkerPlan){.state = WORKER_REPAIRING, .reason = reason, .restart = why};
}

static WorkerPlan decide_unserved(const WorkerFacts *f, WorkerState now)
{
        if (f->moved)
                return restart(WORKER_RESTART_MOVED,
                               str_printf("head %s is gone, and one serves at %s: Ray is started "
                                          "anew for it",
                                          f->head, f->moved));
        if (f->phase == KEEP_STARTING)
                return plan(WORKER_ENGINE_STARTING, strdup(f->keep_text));
        if (now == WORKER_JOINED && f->failures < WORKER_FAILURES_MAX)
                return plan(WORKER_JOINED, say_joined(f));
        if (now != WORKER_LOST_HEAD && f->failures < WORKER_FAILURES_MAX)
                return plan(WORKER_ENGINE_STARTING,
                            str_printf("Ray runs; asking head %s", f->head));
        return plan(WORKER_LOST_HEAD,
                    str_printf("head %s does not answer, Ray keeps running%s%s", f->head,
                               isempty(f->gcs_text) ? "" : ": ", f->gcs_text));
}

static WorkerPlan decide_served(const WorkerFacts *f, WorkerState now)
{
        if (f->other_cluster)
                return restart(WORKER_RESTART_CLUSTER,
                               str_printf("head %s has a new cluster: Ray is started anew for it",
                                          f->head));
        if (f->phase == KEEP_STARTING)
                return plan(WORKER_ENGINE_STARTING, strdup(f->keep_text));
        if (f->other_ray)
                return restart(WORKER_RESTART_RAY,
                               str_printf("head %s runs Ray %s now: Ray is started anew with it",
                                          f->head, f->ray));
        if (f->node_alive)
                return plan(WORKER_JOINED, say_joined(f));
        if (f->node_dead ||
            (f->running_for >= WORKER_NODE_MAX && f->node_missing >= WORKER_MISSING_MAX))
                return restart(WORKER_RESTART_DEAD,
                               str_printf("head %s calls this node dead while Ray runs: it rejoins "
                                          "as a new node",
                                          f->head));
        if (now == WORKER_JOINED)
                return plan(WORKER_JOINED, say_joined(f));
        return plan(WORKER_ENGINE_STARTING,
                    str_printf("Ray runs; head %s does not count this node among the living yet",
                               f->head));
}

static WorkerPlan decide_down(const WorkerFacts *f)
{
        if (f->no_cert)
                return plan(WORKER_BLOCKED, str_printf("blocked: %s", f->no_cert));
        if (f->asking && f->failure)
                return plan(WORKER_REPAIRING,
                            str_printf("ray-engine@worker.service ended: %s; asking head %s",
                                       f->failure, f->head));
        if (f->asking)
                return plan(WORKER_CHECKING, str_printf("asking head %s", f->head));
        if (f->ladder)
                return plan(WORKER_LOOKING, strdup(f->ladder));
        if (f->no_address)
                return plan(WORKER_BLOCKED, str_printf("blocked: %s", f->no_address));
        if (!f->checked)
                return plan(WORKER_CHECKING,
                            str_printf("head %s serves; asking which cluster it is", f->head));
        if (f->refused)
                return plan(WORKER_BLOCKED, str_printf("blocked: %s", f->refused));
        if (!f->tested)
                return plan(WORKER_CHECKING,
                            str_printf("head %s serves; testing the way back from it", f->head));
        WorkerState state = f->phase == KEEP_BLOCKED     ? WORKER_BLOCKED
                            : f->phase == KEEP_REPAIRING ? WORKER_REPAIRING
                                                         : WORKER_ENGINE_STARTING;
        const char *text = f->phase == KEEP_IDLE ? "starting Ray" : f->keep_text;
        return (WorkerPlan){.state = state, .reason = strdup(text), .run = true};
}

static WorkerPlan decide_held(const WorkerFacts *f)
{
        static const char why[] = "held: stopped by the head's admin";
        bool over = f->phase == KEEP_IDLE || f->phase == KEEP_BLOCKED || f->phase == KEEP_REPAIRING;

        return (WorkerPlan){
                .state = WORKER_HELD,
                .reason = over ? strdup(why) : str_printf("%s; %s", why, f->keep_text),
                .hold = true,
        };
}

WorkerPlan worker_decide(const WorkerFacts *f, WorkerState now)
{
        if (f->stopping)
                return plan(WORKER_STOPPING, strdup(f->keep_text));
        if (f->held)
                return decide_held(f);
        switch (f->phase) {
        case KEEP_STARTING:
        case KEEP_RUNNING:
                return f->serving ? decide_served(f, now) : decide_unserved(f, now);
        case KEEP_STOPPING:
                return plan(WORKER_REPAIRING, strdup(f->keep_text));
        case KEEP_IDLE:
        case KEEP_BLOCKED:
        case KEEP_REPAIRING:
                return decide_down(f);
        default:
                return plan(WORKER_STARTING, strdup(f->keep_text));
        }
}
