/* What systemd is told about us: sd_notify(3) behind one door. Every call does nothing when nobody
 * listens (NOTIFY_SOCKET not set), and none fails loudly: a service that cannot talk to its manager
 * has nobody better to tell. Texts are one line; longer than NOTIFY_STATUS_MAX bytes they are cut.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/time.h"

#define NOTIFY_STATUS_MAX 1024

/* READY=1, also what ends a reload; with the new STATUS=. */
void notify_ready(const char *fmt, ...) _printf_(1, 2);
void notify_status(const char *fmt, ...) _printf_(1, 2);
void notify_stopping(const char *fmt, ...) _printf_(1, 2);
/* RELOADING=1 with the time systemd 253 wants; notify_ready() must follow. */
void notify_reloading(void);
/* The start or stop that is under way may take until `t` from now, whatever the unit says. */
void notify_extend_timeout(usec_t t);

/* The loop pings the watchdog by itself, when the unit has one. -errno. */
int notify_watchdog(sd_event *event);
