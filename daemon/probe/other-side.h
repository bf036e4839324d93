/* The other side's part in an examination: meets the reflector at the head, before the first SYN
 * where it is near, has it look when a connect comes to nothing, and has it connect back when all
 * is well. Writes into e->other and e->back. */
#pragma once

#include "probe/evidence.h"
#include "reflect/ask.h"

typedef struct OtherSide OtherSide;

typedef struct OtherSideRequest {
        const Transport *transport; /* outlives it */
        const Addr *others;         /* further addresses of the head; copied */
        size_t n_others;
        const PortPlan *plan; /* copied */
        bool thorough;        /* every port of the worker processes, not a sample */
} OtherSideRequest;

typedef enum OtherSideEvent {
        OTHER_SIDE_LATE, /* it is no near one: met beside whatever follows; once, before MET */
        OTHER_SIDE_MET,  /* or not, and will not be any more */
        OTHER_SIDE_DONE, /* looked, or connected back */
} OtherSideEvent;

/* From the loop, once for each step that was begun, whatever came of it. May be freed inside. */
typedef void (*other_side_cb)(OtherSide *o, OtherSideEvent event, void *userdata);

/* Begins to meet. e is weak; e->addr is set. */
int other_side_new(sd_event *event, const OtherSideRequest *q, Evidence *e, other_side_cb cb,
                   void *userdata, OtherSide **ret);
OtherSide *other_side_free(OtherSide *o);
DEFINE_CLEANUP(OtherSide *, other_side_free);
/* Neither met nor given up. */
bool other_side_meets(const OtherSide *o);
/* The ports of this machine are others than those of the request. */
void other_side_set_plan(OtherSide *o, const PortPlan *plan);
/* The next steps; -ENOTCONN when the reflector was not met or is lost. */
int other_side_look(OtherSide *o);
int other_side_back(OtherSide *o);
