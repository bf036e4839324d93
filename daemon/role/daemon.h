/* What both daemons are before they are a head or a worker: the event loop, signals, the bus
 * object, systemd's notifications, the configuration and its reload, and the end. */
#pragma once

#include <systemd/sd-event.h>

#include "base/exit.h"
#include "conf/conf.h"
#include "role/daemon-bus.h"
#include "role/options.h"
#include "role/status.h"

typedef struct Daemon Daemon;

typedef struct DaemonOps {
        /* daemon_conf() is a new one; before: the one that was, valid during the call. */
        void (*on_reload)(const Conf *before, void *userdata);
        /* 0, or a negative errno and *reterr_text. */
        int (*on_restart_engine)(char **reterr_text, void *userdata);
        /* Someone waits: daemon_bus_reply_nodes(daemon_object()). */
        void (*on_get_nodes)(void *userdata);
        /* The end is near: tidy up, with Ray's engine if engine_too, then daemon_exit(). text: why
         * the engine goes or stays. */
        void (*on_stop)(bool engine_too, const char *text, void *userdata);
} DaemonOps;

/* Name of the daemon's program: "ray-headd". */
const char *daemon_name(Role role);

/* From StateDirectory= (systemd.exec(5)), else where it is on every machine. */
const char *daemon_state_dir(void);

/* What a head has set for its members, as a member keeps it in the state directory. */
#define DAEMON_HEAD_CONF "head.conf"

/* Reads the configuration of o, on a worker with the head's word over it; mistakes are all told.
 * Returns 0, -EBADMSG (wrong configuration; exit EXIT_CONF), another negative errno. */
int daemon_load_conf(Role role, const Options *o, Conf **ret);

/* Takes *conf when it succeeds. Copies ops. */
int daemon_new(Role role, const Options *o, Conf **conf, const DaemonOps *ops, void *userdata,
               Daemon **ret);
Daemon *daemon_free(Daemon *d);
DEFINE_CLEANUP(Daemon *, daemon_free);

sd_event *daemon_event(const Daemon *d);
Bus *daemon_bus(const Daemon *d);
DaemonBus *daemon_object(const Daemon *d);
Status *daemon_status(Daemon *d);
const Conf *daemon_conf(const Daemon *d);
const char *daemon_node_id(const Daemon *d);
bool daemon_is_stopping(const Daemon *d);

/* As for SIGHUP: the configuration is read again, DAEMON_HEAD_CONF too. */
int daemon_reload(Daemon *d);

/* The one way to a new state or reason. before: the state's name until now. Shown by the end of the
 * loop's round. */
void daemon_set_state(Daemon *d, const char *state, const char *reason);

/* Runs the loop until daemon_exit(); returns the exit status. */
int daemon_run(Daemon *d);
void daemon_exit(Daemon *d, int status);
