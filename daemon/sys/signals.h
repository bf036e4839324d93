/* The signals a service lives by, on the loop: SIGTERM and SIGINT stop, SIGHUP reloads, SIGPIPE is
 * ignored. They stay blocked for the process; sys/spawn unblocks them in children. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct SignalOps {
        /* each time one comes; signo is SIGTERM or SIGINT */
        void (*on_signal_stop)(int signo, void *userdata);
        /* NULL: SIGHUP is ignored */
        void (*on_signal_reload)(void *userdata);
} SignalOps;

typedef struct Signals Signals;

/* ops is not copied: a static const table. -errno. */
int signals_new(sd_event *event, const SignalOps *ops, void *userdata, Signals **ret);
/* The signals stay blocked: what comes after this is held until the process ends. */
Signals *signals_free(Signals *s);
DEFINE_CLEANUP(Signals *, signals_free);
