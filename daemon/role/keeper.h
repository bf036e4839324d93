/* Keeps Ray's unit as the role wants it: checks the machine, writes the arguments, starts, watches,
 * repairs with back-off, takes a running engine up again after a restart of the daemon. Decisions
 * are role/keep's; each is logged here, once, with its MESSAGE_ID. */
#pragma once

#include <systemd/sd-event.h>

#include "base/messages.h"
#include "engine/args.h"
#include "role/keep.h"

typedef struct Keeper Keeper;

typedef struct KeeperOps {
        /* Phase, text, or the unit's own status changed. From the loop. */
        void (*on_change)(Keeper *k, void *userdata);
} KeeperOps;

/* What Ray is to run for. */
typedef struct KeeperWant {
        Addr address;     /* own, as Ray is told */
        Addr head;        /* worker: the GCS with port; head: not set */
        char *cluster_id; /* hex, "" = any; owned by the caller */
        char *head_ray;   /* the Ray version to run, "" = as configured; owned by the caller */
} KeeperWant;

/* node_id is copied. */
int keeper_new(sd_event *event, Bus *bus, Role role, const char *node_id, const KeeperOps *ops,
               void *userdata, Keeper **ret);
Keeper *keeper_free(Keeper *k);
DEFINE_CLEANUP(Keeper *, keeper_free);

/* Kept by pointer: valid until the next keeper_configure(). */
void keeper_configure(Keeper *k, const Settings *s, const char *node_name);
/* Begins to watch the unit. */
int keeper_start(Keeper *k);

/* Run Ray for this. A running engine is left as it is: what it runs for is keeper_running(), and
 * keeper_restart() is the role's decision. */
int keeper_want(Keeper *k, const KeeperWant *want);
/* Nothing to run for: a running engine is stopped. */
void keeper_unwant(Keeper *k);
/* Neither want nor unwant: leave what runs, start nothing. The state at the beginning. */
void keeper_leave(Keeper *k);
/* Drain and end what runs; it is started again as wanted. Logged with the id; counted if it is a
 * repair. Does nothing when nothing runs. */
void keeper_restart(Keeper *k, MessageId id, bool repair, const char *why);
/* Something changed (addresses, packages, configuration): check now what would be checked later. */
void keeper_kick(Keeper *k);

KeepPhase keeper_phase(const Keeper *k);
/* One sentence on the phase; valid until the next on_change. */
const char *keeper_text(const Keeper *k);
EngineState keeper_unit_state(const Keeper *k);
const char *keeper_unit_status(const Keeper *k);
/* How the unit ended unasked the last time, while it has not run since; else NULL. */
const char *keeper_failure(const Keeper *k);
unsigned keeper_repairs(const Keeper *k);
/* The arguments of what runs or was last started; NULL = never. Valid until the next on_change. */
const EngineArgs *keeper_running(const Keeper *k);
/* When the unit began to run, monotonic as this daemon saw it; 0 = it does not run. */
usec_t keeper_running_since(const Keeper *k);
/* Keys that wait for a restart; empty while nothing runs. Valid until the next on_change. */
char *const *keeper_due(const Keeper *k);
