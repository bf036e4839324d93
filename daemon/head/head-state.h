/* The head's states, and the decision which one it is. Pure.
 *
 *     starting ──────> blocked <──────> engine-starting ──> serving <──> degraded
 *        │                ^                  ^   ^             │            │
 *        │ Ray runs       │ not ready        │   └── start ────┤            │
 *        │ already        └───────────── repairing <───────────┴────────────┘
 *        └──> serving                        Ray ended, or has to
 *     any ── told to stop ──> stopping
 */
#pragma once

#include "base/time.h"
#include "role/keep.h"

typedef enum HeadState {
        HEAD_STARTING,        /* not known yet what runs */
        HEAD_BLOCKED,         /* the machine is not ready; checked again by itself */
        HEAD_ENGINE_STARTING, /* Ray comes up, the GCS does not serve yet */
        HEAD_SERVING,         /* the GCS answers: the cluster is there */
        HEAD_DEGRADED,        /* Ray's unit runs, but the GCS or the head's own node does not */
        HEAD_REPAIRING,       /* Ray ended, or is being ended, and is started again */
        HEAD_STOPPING,
        _HEAD_STATE_MAX,
        _HEAD_STATE_INVALID = -EINVAL,
} HeadState;

DECLARE_STRTAB(head_state, HeadState);

bool head_state_may(HeadState from, HeadState to);

/* A GCS that served and misses this many answers in a row no longer serves: one may be lost on a
 * busy machine. */
#define HEAD_FAILURES_MAX 2
/* The supervisor ends a frozen engine within 30 s; this is the net below it. */
#define HEAD_DEGRADED_MAX (90 * USEC_PER_SEC)
/* How long after the unit runs the own node may be missing from the GCS. */
#define HEAD_NODE_MAX (20 * USEC_PER_SEC)

typedef struct HeadFacts {
        bool stopping;
        const char *no_address; /* why the own address is not known, or NULL */
        const char *no_tls;     /* why Ray cannot have the TLS that it is to have, or NULL */
        const char *no_token;   /* why Ray's token is not known, or NULL */
        KeepPhase phase;
        const char *keep_text;
        bool serving;         /* the last answers of the GCS */
        unsigned failures;    /* unanswered rounds in a row */
        const char *gcs_text; /* what the last unanswered round said */
        bool node_known;      /* nodes were heard since the unit runs */
        bool node_alive;      /* our own node is among the living */
        usec_t running_for;   /* since the unit runs */
        usec_t degraded_for;  /* since the GCS stopped serving */
        const char *address;  /* "10.0.0.1:6379" */
        unsigned workers;     /* alive */
        bool auth_off;
} HeadFacts;

typedef struct HeadPlan {
        HeadState state;
        char *reason;        /* one sentence; caller frees; NULL = out of memory */
        const char *restart; /* why Ray has to be restarted, or NULL; a literal */
} HeadPlan;

/* now: the state until now, which counts while a single answer is missing. */
HeadPlan head_decide(const HeadFacts *f, HeadState now);
