/* The GCS as one daemon sees it: asked again and again whether it serves, which cluster and Ray it
 * is, and which nodes it has. Facts only; what they mean is the role's matter.
 *
 * A round is CheckAlive, then GetClusterId (a GCS without a store has a new id after a crash), then
 * what is due of versions and nodes. At most one call is under way. A worker asks for the rows of
 * its own address only: a room of thousands must not ask for thousands of rows a second. */
#pragma once

#include "gcs/client.h"

typedef struct Watch Watch;

typedef struct WatchPace {
        usec_t round; /* from the end of one round to the next, give or take a fifth */
        usec_t nodes; /* nodes are asked when older than this; USEC_INFINITY: only by
                         watch_refresh() */
} WatchPace;

typedef struct WatchFacts {
        unsigned rounds;      /* finished so far */
        unsigned failures;    /* rounds in a row that found no GCS serving */
        GcsStatus status;     /* of the last round's CheckAlive */
        char *text;           /* its sentence; "" when it served */
        usec_t served_at;     /* monotonic: last time it served; 0 = never */
        usec_t serving_since; /* monotonic: 0 = it does not */
        Versions versions;    /* "" = not said yet */
        RayId cluster_id;     /* all zero = not known yet */
        NodeSet *nodes;       /* the whole table; NULL = never heard */
        usec_t nodes_at;      /* monotonic, of `nodes` */
        NodeSet *own;         /* rows of the own address (watch_set_own()); NULL = never heard */
        usec_t own_at;
        bool refreshing; /* watch_refresh() is not answered yet: a later round will */
} WatchFacts;

typedef struct WatchOps {
        /* A round ended, or nodes came. From the loop; may call watch_free(). */
        void (*on_round)(Watch *w, void *userdata);
} WatchOps;

/* The first round begins after `first`. policy is copied. */
int watch_new(sd_event *event, const GcsClientPolicy *policy, const WatchPace *pace, usec_t first,
              const WatchOps *ops, void *userdata, Watch **ret);
Watch *watch_free(Watch *w);
DEFINE_CLEANUP(Watch *, watch_free);

void watch_set_pace(Watch *w, const WatchPace *pace);
/* From now on a round asks for the rows of this address instead of the whole table. */
int watch_set_own(Watch *w, const Addr *own);
/* The whole table is wanted now: the next on_round() that is not refreshing has new ones, or a
 * failure. */
void watch_refresh(Watch *w);
const WatchFacts *watch_facts(const Watch *w);
const Addr *watch_addr(const Watch *w);

/* It serves, and cluster id and versions are known. */
bool watch_is_known(const WatchFacts *f);
