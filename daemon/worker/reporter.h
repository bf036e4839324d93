/* Tells the head what this machine's journal has of Ray and of its own health, so that one journal
 * has the room. The head's connection may be away just when there is something to tell: the last
 * REPORTER_KEPT events wait for it. */
#pragma once

#include "base/messages.h"
#include "worker/membership.h"

typedef struct Reporter Reporter;

#define REPORTER_KEPT 16
/* In a minute; under what a head takes (GATE_EVENTS). What is held back is counted in the next. */
#define REPORTER_BURST 30

/* Hears the log's events until it is freed; there is one in a process. membership outlives it. */
int reporter_new(sd_event *event, Membership *membership, Reporter **ret);
Reporter *reporter_free(Reporter *r);
DEFINE_CLEANUP(Reporter *, reporter_free);

/* The connection may be there again. */
void reporter_kick(Reporter *r);

/* Whether a head's admin wants to know of it: not of what the head has seen itself. */
bool reporter_tells(MessageId id);
