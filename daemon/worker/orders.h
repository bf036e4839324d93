/* What the head's admin has this machine do (raycluster node start, stop, …): taken one at a time,
 * and answered when it has come about, or after ORDERS_ANSWER_MAX with how far it is.
 *
 * A stop holds: Ray stays off over restarts of the daemon and of the machine, until a start, or
 * until the machine is no member any more and nobody could start it. A drain is the same as a stop:
 * Ray has the time of engine.drain to end in both. */
#pragma once

#include "engine/tls.h"
#include "member/link.h"
#include "role/keeper.h"
#include "worker/presence.h"
#include "worker/scout.h"
#include "worker/worker-state.h"

typedef struct Orders Orders;

/* Before the head gives up (GATE_COMMAND_MAX). */
#define ORDERS_ANSWER_MAX (50 * USEC_PER_SEC)

/* In the state directory, while a stop holds. */
#define ORDERS_HELD "held"

typedef struct OrdersPolicy {
        const char *state_dir; /* copied */
        Keeper *keeper;        /* these three outlive it */
        const Scout *scout;
        const Presence *presence;
} OrdersPolicy;

/* From the loop, or inside orders_take() and orders_look(). */
typedef struct OrdersOps {
        void (*on_answer)(Orders *o, uint64_t number, bool ok, const char *text, void *userdata);
        /* orders_holds() is another than before. */
        void (*on_hold)(Orders *o, void *userdata);
} OrdersOps;

int orders_new(sd_event *event, const OrdersPolicy *p, const OrdersOps *ops, void *userdata,
               Orders **ret);
Orders *orders_free(Orders *o);
DEFINE_CLEANUP(Orders *, orders_free);

/* What an examination of the head uses. token is copied, and may be NULL; tls is kept by pointer.
 */
int orders_configure(Orders *o, const char *token, const EngineTls *tls);

/* A later one takes the place of one that is not answered yet: its head has given that up. */
void orders_take(Orders *o, const MemberCommand *c);
/* The worker has decided anew: whether what was ordered has come about. */
void orders_look(Orders *o, WorkerState state, const char *reason);
/* The machine is no member any more. */
void orders_release(Orders *o);

bool orders_holds(const Orders *o);
