#include "head/head-state.h"

static const char *const head_state_table[_HEAD_STATE_MAX] = {
        [HEAD_STARTING] = "starting",
        [HEAD_BLOCKED] = "blocked",
        [HEAD_ENGINE_STARTING] = "engine-starting",
        [HEAD_SERVING] = "serving",
        [HEAD_DEGRADED] = "degraded",
        [HEAD_REPAIRING] = "repairing",
        [HEAD_STOPPING] = "stopping",
};
DEFINE_STRTAB(head_state, HeadState);

#define BIT(s) (UINT32_C(1) << HEAD_##s)

static const uint32_t next[_HEAD_STATE_MAX] = {
        [HEAD_STARTING] = BIT(BLOCKED) | BIT(ENGINE_STARTING) | BIT(SERVING) | BIT(DEGRADED) |
                          BIT(REPAIRING) | BIT(STOPPING),
        [HEAD_BLOCKED] = BIT(STARTING) | BIT(ENGINE_STARTING) | BIT(SERVING) | BIT(REPAIRING) |
                         BIT(STOPPING),
        [HEAD_ENGINE_STARTING] = BIT(STARTING) | BIT(BLOCKED) | BIT(SERVING) | BIT(DEGRADED) |
                                 BIT(REPAIRING) | BIT(STOPPING),
        /* starting: systemd or the bus went away under us; engine-starting, blocked: somebody
         * restarted the unit by hand */
        [HEAD_SERVING] = BIT(STARTING) | BIT(BLOCKED) | BIT(ENGINE_STARTING) | BIT(DEGRADED) |
                         BIT(REPAIRING) | BIT(STOPPING),
        [HEAD_DEGRADED] = BIT(STARTING) | BIT(BLOCKED) | BIT(ENGINE_STARTING) | BIT(SERVING) |
                          BIT(REPAIRING) | BIT(STOPPING),
        [HEAD_REPAIRING] = BIT(STARTING) | BIT(BLOCKED) | BIT(ENGINE_STARTING) | BIT(SERVING) |
                           BIT(DEGRADED) | BIT(STOPPING),
        [HEAD_STOPPING] = 0,
};

bool head_state_may(HeadState from, HeadState to)
{
        return from >= 0 && from < _HEAD_STATE_MAX && to >= 0 && to < _HEAD_STATE_MAX &&
               (from == to || (next[from] & UINT32_C(1) << to));
}

static char *say_serving(const HeadFacts *f)
{
        return str_printf("serving at %s with %u worker%s%s", f->address, f->workers,
                          f->workers == 1 ? "" : "s", f->auth_off ? ", authentication is off" : "");
}

static HeadPlan decide_running(const HeadFacts *f, HeadState now)
{
        bool lost = f->node_known && !f->node_alive && f->running_for >= HEAD_NODE_MAX;

        if (f->serving && !lost)
                return (HeadPlan){.state = HEAD_SERVING, .reason = say_serving(f)};
        if (f->serving)
                return (HeadPlan){
                        .state = HEAD_DEGRADED,
                        .reason = strdup("the GCS serves, but has no living node of this machine"),
                        .restart = "the GCS has no living node of this machine"};
        if (f->failures < HEAD_FAILURES_MAX) {
                if (now == HEAD_SERVING)
                        return (HeadPlan){.state = HEAD_SERVING, .reason = say_serving(f)};
                if (now == HEAD_ENGINE_STARTING || now == HEAD_STARTING)
                        return (HeadPlan){.state = HEAD_ENGINE_STARTING,
                                          .reason = strdup("Ray runs; asking its GCS")};
        }
        return (HeadPlan){.state = HEAD_DEGRADED,
                          .reason = str_printf("Ray's unit runs, but its GCS does not serve: %s",
                                               f->gcs_text),
                          .restart = f->degraded_for >= HEAD_DEGRADED_MAX
                                             ? "its GCS has not served for a minute and a half"
                                             : NULL};
}

HeadPlan head_decide(const HeadFacts *f, HeadState now)
{
        bool up = f->phase == KEEP_RUNNING || f->phase == KEEP_STARTING;
        const char *missing = f->no_address ? f->no_address : f->no_tls ? f->no_tls : f->no_token;

        if (f->stopping)
                return (HeadPlan){.state = HEAD_STOPPING, .reason = strdup(f->keep_text)};
        if (missing && !up && f->phase != KEEP_ASKING)
                return (HeadPlan){.state = HEAD_BLOCKED,
                                  .reason = str_printf("blocked: %s", missing)};
        if (f->no_token && up) /* nobody asks the GCS without it */
                return (HeadPlan){
                        .state = now == HEAD_BLOCKED ? HEAD_BLOCKED : HEAD_DEGRADED,
                        .reason = str_printf("Ray's unit runs, but its GCS cannot be asked: %s",
                                             f->no_token)};
        switch (f->phase) {
        case KEEP_RUNNING:
                return decide_running(f, now);
        case KEEP_STARTING:
                if (f->serving || (now == HEAD_SERVING && f->failures < HEAD_FAILURES_MAX))
                        return (HeadPlan){.state = HEAD_SERVING, .reason = say_serving(f)};
                return (HeadPlan){.state = HEAD_ENGINE_STARTING, .reason = strdup(f->keep_text)};
        case KEEP_BLOCKED:
                return (HeadPlan){.state = HEAD_BLOCKED, .reason = strdup(f->keep_text)};
        case KEEP_STOPPING:
        case KEEP_REPAIRING:
                return (HeadPlan){.state = HEAD_REPAIRING, .reason = strdup(f->keep_text)};
        default:
                return (HeadPlan){.state = HEAD_STARTING, .reason = strdup(f->keep_text)};
        }
}
