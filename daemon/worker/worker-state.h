/* The worker's states, and the decision which one it is. Pure.
 *
 *     starting ──────> looking ──> checking ──> engine-starting ──> joined <──> lost-head
 *        │               ^  ^         │  ^            │  ^             │            │
 *        │ Ray runs      │  │         v  │            │  │ start       │            │
 *        │ already       │  └────── blocked <─────────┘  │             │            │
 *        ├──> joined     │                               │             │            │
 *        └──> lost-head  └─── no head ──────────── repairing <─────────┴────────────┘
 *                                                     Ray ended, or has to (new cluster, dead node)
 *     any ── the head's admin stops it ──> held ── he starts it ──> looking │ checking │ …
 *     any ── told to stop ──> stopping
 *
 * A head that does not answer never ends what runs: Ray's own patience decides (design 5).
 */
#pragma once

#include "base/time.h"
#include "role/keep.h"

typedef enum WorkerState {
        WORKER_STARTING,        /* not known yet what runs */
        WORKER_LOOKING,         /* no head that serves; the reason says what was tried */
        WORKER_CHECKING,        /* a head was found; whether it serves and who it is, is asked */
        WORKER_BLOCKED,         /* the machine is not ready; checked again by itself */
        WORKER_ENGINE_STARTING, /* Ray comes up, or the GCS does not call it alive yet */
        WORKER_JOINED,          /* the own node is ALIVE in the GCS */
        WORKER_LOST_HEAD,       /* Ray runs, its head does not answer */
        WORKER_REPAIRING,       /* Ray ended, or is being ended, and is started again */
        WORKER_HELD,            /* Ray is off, or ends, until the head's admin starts it again */
        WORKER_STOPPING,
        _WORKER_STATE_MAX,
        _WORKER_STATE_INVALID = -EINVAL,
} WorkerState;

DECLARE_STRTAB(worker_state, WorkerState);

bool worker_state_may(WorkerState from, WorkerState to);

/* One lost answer on a busy network is no lost head. */
#define WORKER_FAILURES_MAX 2
/* A node that the GCS calls dead is given up at once: it cannot come back under its old id
 * (ray-facts 4). One that it does not list at all although its unit runs, after this. */
#define WORKER_NODE_MAX    (20 * USEC_PER_SEC)
#define WORKER_MISSING_MAX (8 * USEC_PER_SEC)

typedef struct WorkerFacts {
        bool stopping;
        bool held; /* by the head's admin */
        KeepPhase phase;
        const char *keep_text;
        /* looking; only looked at while Ray does not run */
        const char *ladder;  /* what is missing to a head that serves; NULL: one serves */
        const char *no_cert; /* what is missing to Ray's TLS, or NULL; before it, nobody is asked */
        bool asking;         /* there is a head to ask, and its first answer is not here yet */
        const char *failure; /* how Ray ended unasked before, or NULL */
        bool checked;        /* its cluster id and versions are known */
        const char *no_address; /* why the own address is not known, or NULL */
        bool tested;            /* the head gets back to this machine, as far as is known */
        const char *refused;    /* why not, when it does not; with tested unset */
        /* both */
        const char *head; /* "compute04 (10.0.0.1:6379)" */
        const char *ray;  /* version */
        /* running */
        bool serving;         /* the GCS that Ray runs for answers */
        unsigned failures;    /* unanswered rounds in a row */
        const char *gcs_text; /* what the last unanswered round said */
        bool other_cluster;   /* it is another cluster than Ray was started for */
        bool other_ray;       /* it runs another version of Ray than we do */
        const char *moved;    /* where a head of ours serves now instead, or NULL */
        bool node_alive;      /* our node is among the living */
        bool node_dead;       /* the GCS says in so many words that it is dead */
        usec_t node_missing;  /* for so long it is not, by lists of a GCS that serves */
        usec_t running_for;   /* since the unit runs */
} WorkerFacts;

typedef enum WorkerRestart {
        WORKER_RESTART_NO,
        WORKER_RESTART_CLUSTER, /* the head has a new cluster id */
        WORKER_RESTART_RAY,     /* the head runs another version of Ray now */
        WORKER_RESTART_MOVED,   /* the head is at another address now */
        WORKER_RESTART_DEAD,    /* the GCS calls our node dead */
} WorkerRestart;

typedef struct WorkerPlan {
        WorkerState state;
        char *reason; /* one sentence; caller frees; NULL = out of memory */
        bool run;     /* a head to run for is there: start Ray */
        bool hold;    /* end Ray, and keep it off */
        WorkerRestart restart;
} WorkerPlan;

WorkerPlan worker_decide(const WorkerFacts *f, WorkerState now);
