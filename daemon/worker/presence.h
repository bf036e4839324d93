/* The GCS that Ray runs for, watched while Ray's unit is up: whether it answers, and whether the
 * raylet of this machine is among its living. Facts; the worker decides what follows. */
#pragma once

#include "role/keeper.h"
#include "role/watch.h"

typedef struct Presence Presence;

typedef struct PresenceOps {
        /* A round of the watch ended. From the loop; presence_facts() are not NULL. */
        void (*on_round)(Presence *p, void *userdata);
} PresenceOps;

/* keeper, which knows the raylet that runs, and instance_id outlive it. */
int presence_new(sd_event *event, const Keeper *keeper, const char *instance_id,
                 const PresenceOps *ops, void *userdata, Presence **ret);
Presence *presence_free(Presence *p);
DEFINE_CLEANUP(Presence *, presence_free);

/* Ray runs for the GCS at `head`, which knows this machine as `own`. All are copied; token and
 * tls may be
 * NULL. Does nothing while one is watched. */
int presence_watch(Presence *p, const Addr *head, const Addr *own, const char *token,
                   const TlsFiles *tls);
/* No longer watched, until the next presence_watch(); how long it is lost goes on. */
void presence_drop(Presence *p);
/* Ray does not run. */
void presence_end(Presence *p);
/* A worker that has joined asks less often, unless it is missing. */
void presence_set_pace(Presence *p, bool joined);
/* The whole table of nodes is wanted: on_round() follows, as watch_refresh() says. */
void presence_refresh(Presence *p);

/* NULL while nothing is watched. */
const Addr *presence_addr(const Presence *p);
const WatchFacts *presence_facts(const Presence *p);
/* Monotonic: the GCS does not answer; 0 = it does, or nothing is watched. */
usec_t presence_lost_since(const Presence *p);
/* Monotonic: it answers, and has no living node of ours; 0 = it has, or does not answer. */
usec_t presence_missing_since(const Presence *p);
/* Our raylet is among the living. */
bool presence_is_alive(const Presence *p);
/* The GCS has given up the raylet that runs here: it will not take it back. */
bool presence_is_dead(const Presence *p);
