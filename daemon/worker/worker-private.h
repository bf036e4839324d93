/* The worker's manager from inside, for the files that are it: worker.c decides and carries out,
 * worker-member.c is what a member's features tell it and are told. */
#pragma once

#include "engine/tls.h"
#include "role/changes.h"
#include "role/keeper.h"
#include "worker/membership-bus.h"
#include "worker/mirror.h"
#include "worker/orders.h"
#include "worker/presence.h"
#include "worker/ray-cert.h"
#include "worker/reflector-bus.h"
#include "worker/reporter.h"
#include "worker/scout.h"
#include "worker/teller.h"
#include "worker/trial.h"
#include "worker/worker-state.h"
#include "worker/worker.h"

struct Worker {
        Daemon *daemon;
        Keeper *keeper;
        Scout *scout;
        Presence *presence;
        Teller *teller;
        Membership *membership;
        MembershipBus *membership_bus;
        RayCert *ray_cert;
        Mirror *mirror;
        Trial *trial;
        ReflectorBus *reflector_bus;
        Orders *orders;
        Reporter *reporter;
        Changes *changes;
        WorkerState state;
        Addr address;     /* own, as Ray is or will be told; not set: not known */
        char *no_address; /* why the own address is not known, or NULL */
        char *token;
        EngineTls tls; /* as configured */
        bool left;     /* it is no member any more, and Ray has to end */
        sd_event_source *work;
};

static inline const Settings *worker_settings(const Worker *w)
{
        return daemon_conf(w->daemon)->settings;
}

static inline void worker_schedule(Worker *w)
{
        (void)sd_event_source_set_enabled(w->work, SD_EVENT_ONESHOT);
}

static inline bool worker_is_up(const Worker *w)
{
        return engine_state_is_up(keeper_unit_state(w->keeper));
}

static inline const Addr *worker_find_served(const Worker *w)
{
        return scout_ladder(w->scout) ? NULL : scout_addr(w->scout);
}

/* Settings or the token are others: all that work with them begin anew. */
void worker_configure(Worker *w);
/* Makes the features of a member; the keeper, the scout and the presence are there. */
int worker_new_member(Worker *w);
/* Ray's versions, for the head's lists. */
void worker_tell_versions(Worker *w);
/* The way back is tested: of a member; who belongs to no cluster has no head to ask. */
bool worker_is_tried(const Worker *w);
void worker_try_way_back(Worker *w);
