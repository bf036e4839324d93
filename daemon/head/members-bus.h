/* org.raycluster1.Members on the head's object: tokens and members, for the admin's tools. Who may
 * call what is the bus policy's matter. */
#pragma once

#include "head/members.h"
#include "sys/bus.h"

typedef struct MembersBus MembersBus;

/* members outlives this. */
int members_bus_new(Bus *bus, Members *members, MembersBus **ret);
MembersBus *members_bus_free(MembersBus *b);
DEFINE_CLEANUP(MembersBus *, members_bus_free);

/* For methods in files of their own. */
Members *members_bus_members(MembersBus *b);
/* The caller is told why; NULL: the words of r. Returns what the method returns. */
int members_bus_refuse(sd_bus_error *error, int r, const char *why);
