/* One test of a head: connects to addresses and ports of a machine that asks, and looks whether it
 * is that machine which answers. At most 64 bytes are read, compared and forgotten. */
#pragma once

#include <systemd/sd-event.h>

#include "reflect/back-rules.h"

/* When the last BACK_PER_SECOND connects began, of all tests together. Zeros to begin with. */
typedef struct BackBudget {
        usec_t begun[BACK_PER_SECOND];
        unsigned next; /* the oldest */
} BackBudget;

/* 0: one more may begin now, and is counted; else how long to wait. */
usec_t back_budget_take(BackBudget *b, usec_t now);

/* A test ends by then, with what is known: the asker waits no longer than that and a way there. */
#define BACK_TEST_MAX (2500 * USEC_PER_MSEC)

typedef struct Back Back;

/* Once, from the loop. The object may be freed inside. */
typedef void (*back_cb)(Back *b, const BackTry *tries, size_t n_tries, void *userdata);

/* Of a request of kind REFLECT_BACK with a list of ports, to addrs (back_addrs()) and nowhere else.
 * Ports outside the plan are not tried. Connects and repeated connects together: BACK_TRIES_MAX.
 * rtt: of the asker's connection, 0 = not known; budget: outlives the object. */
int back_new(sd_event *event, const BackPolicy *policy, BackBudget *budget, const ReflectRequest *q,
             const Addr *addrs, size_t n_addrs, usec_t rtt, back_cb cb, void *userdata, Back **ret);
Back *back_free(Back *b);
DEFINE_CLEANUP(Back *, back_free);
