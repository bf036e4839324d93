/* The supervisor: one run of Ray from its arguments to its end. This header is the room's own. */
#pragma once

#include <systemd/sd-event.h>

#include "base/messages.h"
#include "engine/tls.h"
#include "gcs/client.h"
#include "supervisor/children.h"
#include "supervisor/environment.h"
#include "supervisor/health.h"
#include "supervisor/logs.h"
#include "supervisor/output.h"
#include "supervisor/stage.h"
#include "supervisor/versions.h"
#include "sys/procs.h"
#include "sys/signals.h"
#include "sys/spawn.h"

/* A worker's daemon has just seen the GCS answer; a moment of weakness is forgiven. */
#define CHECKING_MAX (15 * USEC_PER_SEC)
/* A large RocksDB takes its time to load (design 5). */
#define STARTING_MAX (120 * USEC_PER_SEC)
/* From the GCS's first answer to this node ALIVE. */
#define REGISTERING_MAX (60 * USEC_PER_SEC)
/* What a stop may take beyond the drain. */
#define STOPPING_EXTRA (15 * USEC_PER_SEC)
/* From SIGINT, when there is no GCS and so nothing to drain, to the end; Ray takes 1 to 3 s, and
 * for ever while it still starts and asks a GCS that is gone. */
#define INTERRUPT_MAX (5 * USEC_PER_SEC)
/* From the verdict to the end of the unit; systemd kills what is left then. */
#define ENDING_MAX (3 * USEC_PER_SEC)
/* No call to the GCS is worth waiting longer. */
#define GCS_TIMEOUT_USEC (2 * USEC_PER_SEC)

typedef struct Supervisor {
        sd_event *event;        /* weak */
        const EngineArgs *args; /* weak */
        EnginePaths paths;
        EngineTls tls; /* of our own calls to Ray */
        Stage stage;
        usec_t since;    /* when Ray was started */
        bool asked;      /* the stop was asked for */
        int exit_status; /* of the first thing that went wrong, 0 = nothing */
        char *reason;    /* the same in words */

        Signals *signals;
        Reaper *reaper;
        VersionsQuery *query;
        Versions here;
        bool here_known, head_known;
        GcsClient *gcs;               /* of the head */
        GcsClient *raylet;            /* our own, made when it is first asked */
        bool raylet_serves, agent_up; /* on its way to be registered */
        bool calling;                 /* one call to the GCS at a time */
        usec_t ask_next;              /* not before */
        usec_t ask_pause;
        Child ray;
        Logs *logs;
        Output *output;
        Children *children;
        usec_t scan_until; /* more of them are looked for */
        Health *health[2]; /* raylet; head: GCS */
        Child pruning;
        usec_t prune_next;
        sd_event_source *deadline, *tick;
} Supervisor;

/* args and paths must outlive it. */
int supervisor_new(sd_event *event, const EngineArgs *args, const EnginePaths *paths,
                   Supervisor **ret);
Supervisor *supervisor_free(Supervisor *s);
DEFINE_CLEANUP(Supervisor *, supervisor_free);
/* Begins; the loop exits with the exit status once it is over. */
int supervisor_start(Supervisor *s);

/* --- between supervisor.c and start.c --------------------------------------------------------- */

/* max: USEC_INFINITY = none. Refuses what may not follow (-EPROTO). */
int supervisor_set_stage(Supervisor *s, Stage stage, usec_t max);
/* The verdict: said once, with its MESSAGE_ID; what is left of Ray is ended. */
void supervisor_fail(Supervisor *s, int exit_status, MessageId id, const char *fmt, ...)
        _printf_(4, 5);
void supervisor_fail_errno(Supervisor *s, int error, const char *doing);
/* Ends what is left of Ray, then the loop. */
void supervisor_end(Supervisor *s);

/* Removes old files in a process of its own, now and then. */
void supervisor_prune(Supervisor *s);

/* start.c: from CHECKING to RUNNING. */
int start_check(Supervisor *s);
void start_tick(Supervisor *s);
void start_deadline(Supervisor *s);
