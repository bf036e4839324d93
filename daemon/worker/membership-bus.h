/* org.raycluster1.Membership on the worker's object: joining and leaving. Who may call what is the
 * bus policy's matter. */
#pragma once

#include "sys/bus.h"
#include "worker/membership.h"

typedef struct MembershipBus MembershipBus;

/* membership outlives this. */
int membership_bus_new(Bus *bus, Membership *membership, MembershipBus **ret);
MembershipBus *membership_bus_free(MembershipBus *b);
DEFINE_CLEANUP(MembershipBus *, membership_bus_free);
