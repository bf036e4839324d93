/* What the worker tells the journal as its state moves. While it looks for a head, the reason
 * changes from line to line: only what stands for a moment is told, and not too often. */
#pragma once

#include "role/status.h"
#include "worker/scout.h"
#include "worker/worker-state.h"

typedef struct Teller Teller;

/* status, which has the present reason, and scout outlive it. */
int teller_new(sd_event *event, const Status *status, const Scout *scout, Teller **ret);
Teller *teller_free(Teller *t);
DEFINE_CLEANUP(Teller *, teller_free);

/* From one state to another. up: Ray's unit runs or comes up. */
void teller_move(Teller *t, WorkerState before, WorkerState now, const char *reason, bool up);
/* It looks for a head, and the reason in the status is new. */
void teller_wait(Teller *t);
