/* What to do next about Ray's unit: a pure function of what is known. role/keeper carries it out.
 *
 *     asking ── systemd answers ──> idle │ starting │ running │ repairing
 *     idle ── wanted ──> starting ── ready ──> running
 *       ^                   │ not ready             │
 *       │                blocked ── mended ──> starting
 *       │                                           │ failed, or ended unasked
 *       │                repairing <────────────────┘
 *       │                   └── back-off over ──> starting (or blocked)
 *       └── stopping <── no longer wanted, or a restart is due ── starting │ running
 */
#pragma once

#include "engine/unit.h"

typedef enum KeepPhase {
        KEEP_ASKING,    /* systemd has not said yet what is there */
        KEEP_IDLE,      /* not running, and not wanted */
        KEEP_BLOCKED,   /* wanted, but the machine is not ready */
        KEEP_STARTING,  /* asked for, or coming up */
        KEEP_RUNNING,   /* the raylet serves */
        KEEP_STOPPING,  /* draining or ending */
        KEEP_REPAIRING, /* ended unasked, or for the same reason again; started after a pause */
        _KEEP_PHASE_MAX,
        _KEEP_PHASE_INVALID = -EINVAL,
} KeepPhase;

DECLARE_STRTAB(keep_phase, KeepPhase);

typedef enum KeepAction {
        KEEP_DO_NOTHING,
        KEEP_DO_START, /* check the machine, write the arguments, start the unit */
        KEEP_DO_STOP,
        _KEEP_ACTION_MAX,
} KeepAction;

typedef struct KeepFacts {
        EngineState unit;
        bool wanted;   /* there is a cluster to run for, and nobody told us to stop */
        bool restart;  /* what runs must end first: wrong cluster, dead node, a person asked */
        bool starting; /* a start was asked of systemd and its outcome is not seen yet */
        bool stopping; /* likewise a stop */
        bool pause;    /* the back-off after a failure is not over */
        bool blocked;  /* the last check found the machine not ready; the next is not due */
} KeepFacts;

typedef struct KeepPlan {
        KeepPhase phase;
        KeepAction action;
} KeepPlan;

KeepPlan keep_decide(const KeepFacts *f);

/* What a sentence on the phase is made of. */
typedef struct KeepWords {
        KeepPhase phase;
        EngineState unit;
        const char *name;     /* the unit's */
        const char *status;   /* what it says itself, "" if nothing */
        const char *result;   /* how it ended */
        const char *why;      /* it was ended for this, to be started again; or NULL */
        const char *blocked;  /* why the machine is not ready, or NULL */
        bool blocked_by_unit; /* the unit found that out */
} KeepWords;

/* Caller frees; NULL when out of memory. */
char *keep_describe(const KeepWords *w);
