/* The asking side of the two-way test: meets the reflector at a head, has it look at its port and
 * connect back, sends large packets both ways, and puts what it learns into a Reflection.
 *
 * Unprivileged, non-blocking. Listeners are opened for the connect-backs and closed with them. */
#pragma once

#include "model/port-plan.h"
#include "reflect/line.h"

/* Addresses of the head at which its reflector is looked for. */
#define ASK_ADDRS_MAX 4

/* How long each step takes at most: what a head that swaps may need, and still leaves the one-sided
 * examination its time. */
#define ASK_MEET_TIMEOUT (1500 * USEC_PER_MSEC)
#define ASK_LOOK_TIMEOUT (1500 * USEC_PER_MSEC)
#define ASK_BACK_TIMEOUT (3 * USEC_PER_SEC)
/* Of a whole range, once more: silence is believed after 2 s, rationed ICMP takes longer. */
#define ASK_RANGE_TIMEOUT (15 * USEC_PER_SEC)

typedef struct AskRequest {
        const Transport *transport; /* outlives the Ask */
        Addr addrs[ASK_ADDRS_MAX];  /* of the head: the one examined first, then others it has; all
                                       are tried at once, the first is waited for a little */
        size_t n_addrs;
        uint16_t port;         /* of the head, that all this is about */
        Addr from;             /* own address to bind, or unset */
        const char *interface; /* to bind, or NULL; copied */
        Addr node;             /* what Ray is told to announce, or unset */
        PortPlan plan;         /* whose worker's ports are connected back to */
        bool thorough;         /* to every port of the worker processes, not to a sample; only a
                                  reflector that a person started does so */
        Versions here;
} AskRequest;

typedef enum AskStep {
        ASK_MEETING, /* to the reflector, and BEGIN */
        ASK_MET,     /* nothing goes on; what was learned stands in the Reflection */
        ASK_LOOKING,
        ASK_RETURNING, /* BACK, and where wanted DOWN and UP beside it */
        ASK_LOST,      /* no reflector, or no longer */
        _ASK_STEP_MAX,
        _ASK_STEP_INVALID = -EINVAL,
} AskStep;

typedef struct Ask Ask;

/* From the loop, when a step has come to its end; ASK_MET: the reflector was lost while no step
 * went on. May be freed inside. */
typedef void (*ask_cb)(Ask *a, AskStep ended, void *userdata);

/* Begins to meet. r: weak, outlives the Ask; emptied, then filled step by step: `answered` with the
 * first answer, `text` with what went wrong. */
int ask_new(sd_event *event, const AskRequest *q, Reflection *r, ask_cb cb, void *userdata,
            Ask **ret);
Ask *ask_free(Ask *a);
DEFINE_CLEANUP(Ask *, ask_free);

/* -ENOTCONN when there is no reflector to ask. bulk: large transfers beside it, on lines of their
 * own, where the transport has them. */
int ask_look(Ask *a);
/* Other ports than those of the request are to be connected back to. */
void ask_set_plan(Ask *a, const PortPlan *plan);
int ask_back(Ask *a, bool bulk);
