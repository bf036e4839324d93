/* The two-way test that a member's machine takes before Ray starts on it: does the head get back to
 * it? A machine that fails gets no Ray, is told why in the words of ray-probe, and is tested again;
 * where the test finds out nothing, Ray starts. What ran once needs no test. */
#pragma once

#include "engine/tls.h"
#include "probe/probe.h"

/* For the connection to the head to come up, and for the test then. */
#define TRIAL_LINK_MAX USEC_PER_SEC
#define TRIAL_TEST_MAX (4 * USEC_PER_SEC)
/* Clocks that differ by more do not even agree on certificates made now (probe.md 3.2). */
#define TRIAL_SKEW_MAX USEC_PER_MIN

typedef enum TrialState {
        TRIAL_IDLE,    /* nothing is to be started */
        TRIAL_WAITING, /* for the connection to the head */
        TRIAL_TESTING,
        TRIAL_REFUSED, /* until the next test, which is due after a pause */
        TRIAL_AGAIN,   /* refused, and tested again just now */
        TRIAL_PASSED,  /* or could not be found out */
        _TRIAL_STATE_MAX,
        _TRIAL_STATE_INVALID = -EINVAL,
} TrialState;

DECLARE_STRTAB(trial_state, TrialState);

bool trial_state_may(TrialState from, TrialState to);

typedef enum TrialOutcome {
        TRIAL_GOOD,     /* nothing is wrong with the way back, or nothing that is known */
        TRIAL_DOUBTFUL, /* Ray runs all the same; an admin should see it */
        TRIAL_BAD,      /* Ray would hang: nobody gets to its ports here */
        TRIAL_UNKNOWN,  /* the head did not say */
} TrialOutcome;

/* What a report means for Ray. Pure. */
TrialOutcome trial_judge(const ProbeReport *r);

typedef struct Trial Trial;

typedef struct TrialOps {
        /* State or words changed, or something is due: trial_want() again. From the loop. */
        void (*on_change)(Trial *t, void *userdata);
} TrialOps;

int trial_new(sd_event *event, const TrialOps *ops, void *userdata, Trial **ret);
Trial *trial_free(Trial *t);
DEFINE_CLEANUP(Trial *, trial_free);

/* What is to be started. Nothing is kept but the two addresses, and while a test runs the
 * reflector. */
typedef struct TrialWant {
        const Addr *head, *own; /* the GCS with port; as Ray will announce this machine */
        const char *name;       /* of the head, or "" */
        const char *token;      /* Ray's, or NULL */
        const EngineTls *tls;
        const PortPlan *plan;
        const EngineSettings *engine; /* whose Ray is to start */
        const Transport *reflector;
} TrialWant;

/* Ray is to be started for this, or, with NULL, nothing is. */
void trial_want(Trial *t, const TrialWant *w);
/* Ray runs for this already. */
void trial_grant(Trial *t, const Addr *head, const Addr *own);
/* Something changed on this machine: a refused one is tested again soon. */
void trial_kick(Trial *t);

TrialState trial_state(const Trial *t);
static inline bool trial_is_refused(const Trial *t)
{
        return trial_state(t) == TRIAL_REFUSED || trial_state(t) == TRIAL_AGAIN;
}
/* It has an answer. */
static inline bool trial_is_over(const Trial *t)
{
        return trial_is_refused(t) || trial_state(t) == TRIAL_PASSED;
}
/* Of the last test: its sentence, verdict and remedy; "" and invalid while there is none. Valid
 * until the next on_change. */
const char *trial_text(const Trial *t);
Verdict trial_verdict(const Trial *t);
const char *trial_remedy(const Trial *t);
