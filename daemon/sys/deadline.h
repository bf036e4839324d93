/* A deadline that is judged after what has come by then was read.
 *
 * A machine under load, one that was suspended, or a daemon that was stopped for a while lets the
 * loop run when both the answer lies in the socket and the time is over. Which of the two sd-event
 * would hand out first is chance: so an expired deadline lets every source that is ready by then
 * have its turn, once. A peer that never stops to send does not hold it up. */
#pragma once

#include <systemd/sd-event.h>

#include "base/time.h"

typedef struct Deadline Deadline;

/* May free the deadline. */
typedef void (*deadline_cb)(void *userdata);

/* Expires once, after `in` from now (USEC_INFINITY: never); monotonic, at most `accuracy` late if
 * the loop is free. */
int deadline_new(sd_event *event, usec_t in, usec_t accuracy, deadline_cb cb, void *userdata,
                 Deadline **ret);
Deadline *deadline_free(Deadline *d);
DEFINE_CLEANUP(Deadline *, deadline_free);

/* Expires after `in` from now instead, also when it has expired. */
int deadline_move(Deadline *d, usec_t in);
