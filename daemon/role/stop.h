/* Stop is not restart: why did systemd send us SIGTERM? Asked of systemd's own job queue. Only a
 * job of type "stop" (systemctl stop, package removal, shutdown) means that Ray is to end with us;
 * a restart, a crash, an upgrade (which may come without a visible job, room.md 6) leave it. */
#pragma once

#include "sys/bus.h"

typedef struct StopAsk StopAsk;

/* engine_too: Ray is to stop. text: why, for the journal; valid during the callback. */
typedef void (*stop_cb)(bool engine_too, const char *text, void *userdata);

/* Exactly one callback, from the loop, within STOP_ASK_TIMEOUT_USEC; none after stop_ask_free(),
 * which may be called inside it. */
#define STOP_ASK_TIMEOUT_USEC (5 * UINT64_C(1000000))
int stop_ask_new(sd_event *event, Bus *bus, const char *unit, stop_cb cb, void *userdata,
                 StopAsk **ret);
StopAsk *stop_ask_free(StopAsk *a);
DEFINE_CLEANUP(StopAsk *, stop_ask_free);
