#include "role/keep.h"

static const char *const keep_phase_table[_KEEP_PHASE_MAX] = {
        [KEEP_ASKING] = "asking",       [KEEP_IDLE] = "idle",       [KEEP_BLOCKED] = "blocked",
        [KEEP_STARTING] = "starting",   [KEEP_RUNNING] = "running", [KEEP_STOPPING] = "stopping",
        [KEEP_REPAIRING] = "repairing",
};
DEFINE_STRTAB(keep_phase, KeepPhase);

static KeepPlan decide_up(const KeepFacts *f)
{
        if (!f->wanted || f->restart)
                return (KeepPlan){KEEP_STOPPING, f->stopping ? KEEP_DO_NOTHING : KEEP_DO_STOP};
        return (KeepPlan){f->unit == ENGINE_RUNNING ? KEEP_RUNNING : KEEP_STARTING,
                          KEEP_DO_NOTHING};
}

static KeepPlan decide_down(const KeepFacts *f)
{
        if (!f->wanted) /* a start on its way through systemd has to be called back */
                return (KeepPlan){f->starting ? KEEP_STOPPING : KEEP_IDLE,
                                  f->starting && !f->stopping ? KEEP_DO_STOP : KEEP_DO_NOTHING};
        if (f->starting)
                return (KeepPlan){KEEP_STARTING, KEEP_DO_NOTHING};
        if (f->pause)
                return (KeepPlan){KEEP_REPAIRING, KEEP_DO_NOTHING};
        if (f->blocked)
                return (KeepPlan){KEEP_BLOCKED, KEEP_DO_NOTHING};
        return (KeepPlan){KEEP_STARTING, KEEP_DO_START};
}

KeepPlan keep_decide(const KeepFacts *f)
{
        switch (f->unit) {
        case ENGINE_MISSING:
                return (KeepPlan){f->wanted ? KEEP_BLOCKED : KEEP_IDLE, KEEP_DO_NOTHING};
        case ENGINE_STARTING:
        case ENGINE_RUNNING:
                return decide_up(f);
        case ENGINE_STOPPING:
                return (KeepPlan){KEEP_STOPPING, KEEP_DO_NOTHING};
        case ENGINE_STOPPED:
        case ENGINE_FAILED:
                return decide_down(f);
        default:
                return (KeepPlan){KEEP_ASKING, KEEP_DO_NOTHING};
        }
}
