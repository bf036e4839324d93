/* Control of ray-engine@<role>.service through systemd's D-Bus API: start, stop, watch. No policy
 * here: when to repair is decided in engine/repair and the daemons. */
#pragma once

#include "model/role.h"
#include "sys/bus.h"

typedef struct EngineUnit EngineUnit;

/* The unit as systemd sees it, boiled down. */
typedef enum EngineState {
        ENGINE_UNKNOWN,  /* not asked yet, or systemd does not answer */
        ENGINE_STOPPED,  /* inactive */
        ENGINE_STARTING, /* activating: Ray comes up */
        ENGINE_RUNNING,  /* active: the raylet serves */
        ENGINE_STOPPING, /* deactivating: draining or ending */
        ENGINE_FAILED,   /* failed: engine_unit_result() says how */
        ENGINE_MISSING,  /* systemd does not know the unit: the package is not whole */
        _ENGINE_STATE_MAX,
        _ENGINE_STATE_INVALID = -EINVAL,
} EngineState;

DECLARE_STRTAB(engine_state, EngineState);

/* Ray runs or comes up. */
bool engine_state_is_up(EngineState s);

typedef struct EngineUnitOps {
        /* The state changed, or (before == now) only its status text or main PID. May call
         * engine_unit_free(). */
        void (*on_state)(EngineUnit *u, EngineState before, EngineState now, void *userdata);
        /* A start or stop that we asked for could not be carried out (polkit said no, no such
         * unit): text with the remedy. */
        void (*on_refused)(EngineUnit *u, const char *what, const char *text, void *userdata);
} EngineUnitOps;

int engine_unit_new(Bus *bus, Role role, const EngineUnitOps *ops, void *userdata,
                    EngineUnit **ret);
EngineUnit *engine_unit_free(EngineUnit *u);
DEFINE_CLEANUP(EngineUnit *, engine_unit_free);

/* Watches the unit from now on; the first on_state() tells what is there already (a daemon that
 * restarted finds it running). */
int engine_unit_watch(EngineUnit *u);

/* Queued in systemd; results come by on_state / on_refused. start resets a failed state first. */
int engine_unit_start(EngineUnit *u);
int engine_unit_stop(EngineUnit *u);
int engine_unit_restart(EngineUnit *u);

/* "ray-engine@worker.service" */
const char *engine_unit_name(const EngineUnit *u);
EngineState engine_unit_state(const EngineUnit *u);
/* StatusText of the supervisor ("waiting for the GCS"), "" if none. */
const char *engine_unit_status(const EngineUnit *u);
/* The beginning of Ray's node id, as the supervisor's status says once the raylet serves ("running:
 * …, node 046048c91135, …"): which of several rows with our instance id is the raylet that runs. ""
 * when it says none. */
#define ENGINE_NODE_MAX 64
char *engine_status_node(const char *status, char ret[ENGINE_NODE_MAX]);
/* Likewise the version of the Ray that runs. */
char *engine_status_ray(const char *status, char ret[32]);
/* How it ended: "exit-code 1: gcs_server (pid 123) was killed by signal KILL", "timeout"; valid
 * until the next on_state. */
const char *engine_unit_result(const EngineUnit *u);
/* The supervisor's exit status when the unit failed with one (base/exit.h), else -1. */
int engine_unit_exit_status(const EngineUnit *u);
/* 0 when not running. */
pid_t engine_unit_main_pid(const EngineUnit *u);
