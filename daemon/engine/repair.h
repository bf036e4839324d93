/* When a broken engine is started again: back-off with jitter, forgotten after a minute of health.
 * A plain value; pure. */
#pragma once

#include "base/backoff.h"

typedef struct Repair {
        Backoff backoff;
        usec_t running_since; /* monotonic; 0 = not running */
        unsigned count;       /* repairs since the daemon started */
} Repair;

/* The first repair comes after about half a second, the slowest after a minute: Ray itself takes
 * five to ten to start. */
#define REPAIR_BASE (500 * USEC_PER_MSEC)
#define REPAIR_MAX  (60 * USEC_PER_SEC)
/* An engine that ran this long was healthy: its next failure is a new story. */
#define REPAIR_FORGET (60 * USEC_PER_SEC)

void repair_init(Repair *r);
/* The engine runs / no longer runs. */
void repair_note_running(Repair *r, usec_t now);
void repair_note_ended(Repair *r, usec_t now);
/* How long to wait before the next start; counts it. */
usec_t repair_next(Repair *r);
/* The same where the engine did not fail but is in the wrong place (called dead, another cluster):
 * at once, and only when that did not help it waits. */
usec_t repair_at_once(Repair *r);
/* Something changed for the better (configuration, head, remedy): the next start is soon again. */
void repair_forget(Repair *r);
