/* The daemon's object on the system bus, org.raycluster1.Head or .Worker: shows a Status, passes
 * calls on. The contract is units/dbus/; a test compares what is served with it. The object comes
 * back by itself after the broker restarted. */
#pragma once

#include "base/strv.h"
#include "model/node.h"
#include "model/role.h"
#include "role/status.h"
#include "sys/bus.h"

typedef struct DaemonBus DaemonBus;

/* Most GetNodes calls that wait for the GCS at one time: anyone on the machine may call. The next
 * one gets LimitsExceeded. */
#define DAEMON_BUS_WAITING_MAX 64

typedef struct DaemonBusOps {
        /* The name is ours (error 0); or never will be: -EEXIST a second daemon of this role,
         * -EBUSY the other role runs on this machine, -EACCES the bus policy does not let us. text:
         * the sentence. May come again after the broker restarted. */
        void (*on_name)(int error, const char *text, void *userdata);
        /* A caller waits for nodes: daemon_bus_reply_nodes(), now or later. */
        void (*on_get_nodes)(void *userdata);
        /* 0, or a negative errno and *reterr_text (callee frees): what to tell the caller. */
        int (*on_restart_engine)(char **reterr_text, void *userdata);
        int (*on_reload)(char **reterr_text, void *userdata);
} DaemonBusOps;

/* Copies ops; status is read whenever a client asks and outlives this. */
int daemon_bus_new(Bus *bus, Role role, const Status *status, const DaemonBusOps *ops,
                   void *userdata, DaemonBus **ret);
DaemonBus *daemon_bus_free(DaemonBus *b);
DEFINE_CLEANUP(DaemonBus *, daemon_bus_free);

/* PropertiesChanged for the marked properties of this role (status_take_dirty()). */
void daemon_bus_emit(DaemonBus *b, uint32_t dirty);
void daemon_bus_emit_state(DaemonBus *b, const char *before, const char *now, const char *reason);
/* Answers everyone who waits. nodes may be NULL (none known); age USEC_INFINITY: never heard. */
void daemon_bus_reply_nodes(DaemonBus *b, const NodeSet *nodes, usec_t age);
