/* The stages of an examination; the picture is in state.c. */
#pragma once

#include "probe/evidence.h"
#include "probe/ports.h"

typedef enum ProbeState {
        PROBE_NAMING,     /* the name is looked up */
        PROBE_MEETING,    /* a reflector near by is met, before anything is sent to the port */
        PROBE_CONNECTING, /* the connect stage runs */
        PROBE_GREETING,   /* connected, the hello stage runs: who answers? */
        PROBE_ASKING,     /* it speaks gRPC: is it a GCS, and which? */
        PROBE_LOOKING,    /* no connection: what did the reflector see of it? */
        PROBE_RETURNING,  /* all is well: does the head get back here? */
        PROBE_MEASURING,  /* it is: how well does the way work? */
        PROBE_SCANNING,   /* the head is there: what about its other ports? */
        PROBE_DONE,       /* the report was given */
        _PROBE_STATE_MAX,
        _PROBE_STATE_INVALID = -EINVAL,
} ProbeState;

bool probe_state_may(ProbeState from, ProbeState to);
/* What the stage is called in a report; NULL for one whose steps are told by itself. */
const char *probe_state_step(ProbeState state);
/* The same for people who wait for its end. */
const char *probe_state_doing(ProbeState state);
/* What came of it, for people. New; NULL when out of memory or there is nothing to say. */
char *probe_state_result(ProbeState state, const Evidence *e, const PortsFacts *ports);
