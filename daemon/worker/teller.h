/* What the worker tells the journal as its state moves. While it looks for a head, the reason
 * changes from line to line: only what stands for a moment is told, and not too often. */
#pragma once

#include "base/messages.h"
#include "model/verdict.h"
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
/* It looks for a head, its own one is silent or does not get back to it, and the reason in the
 * status is new. A changed verdict is told as soon as it has settled; one and the same in other
 * words, once a minute. */
void teller_wait(Teller *t);

/* How long the reason of verdict `now` still waits, when one of `told` was told `passed` ago: other
 * words (a time, a count) for the same verdict are no news. 0: not at all. */
usec_t teller_wait_before(Verdict told, usec_t passed, Verdict now);

/* The message of a reason of waiting that is this verdict's: one for each family of causes. */
MessageId teller_message(Verdict v);
