#include "role/keep.h"

#include "base/str.h"

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

/* The unit looks once more whether what it refused for is mended: until it knows, that stands. */
static bool looks_again(const KeepWords *w, const char *status)
{
        return w->blocked && w->blocked_by_unit &&
               (isempty(status) || startswith(status, "checking"));
}

char *keep_describe(const KeepWords *w)
{
        const char *status = w->status;

        switch (w->phase) {
        case KEEP_ASKING:
                return str_printf("asking systemd about %s", w->name);
        case KEEP_BLOCKED:
                if (w->unit == ENGINE_MISSING)
                        return str_printf("blocked: systemd does not know %s: install the package "
                                          "raycluster again",
                                          w->name);
                return str_printf("blocked: %s", strna(w->blocked));
        case KEEP_STARTING:
                if (w->unit != ENGINE_STARTING)
                        status = ""; /* of the last run */
                if (looks_again(w, status))
                        return str_printf("blocked: %s", w->blocked);
                return str_printf("starting Ray%s%s", isempty(status) ? "" : ": ", status);
        case KEEP_RUNNING:
                return strdup(isempty(status) ? "Ray runs" : status);
        case KEEP_STOPPING:
                return str_printf("stopping Ray%s%s", isempty(status) ? "" : ": ", status);
        case KEEP_REPAIRING:
                if (w->why)
                        return str_printf("starting Ray again in a moment: %s", w->why);
                if (w->unit == ENGINE_STOPPED)
                        return strdup("Ray was stopped by somebody else; starting it again");
                return str_printf("%s ended: %s; starting it again", w->name, w->result);
        default:
                return strdup("Ray does not run");
        }
}
