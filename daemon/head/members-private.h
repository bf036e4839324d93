/* The members from inside, for the files that are them: members.c opens the control port and hears
 * the gate, members-admin.c does what an admin wants. */
#pragma once

#include "base/backoff.h"
#include "head/member-log.h"
#include "head/members.h"
#include "head/reflections.h"

struct Members {
        sd_event *event; /* weak */
        MembersOps ops;
        void *userdata;
        char *state_dir, *node_id, *name, *cluster, *ray_token, *settings, *no_token;
        const RayAuthority *ray_authority; /* weak */
        Addr address;
        uint16_t port;
        Authority *authority;
        Db *db;
        Gate *gate;
        Reflections *reflections;
        MemberLog log;
        sd_event_source *again, *renewal;
        Backoff backoff;
        char *text;
        size_t n_roster;
};

/* Anew how many are in the roster; and the sentence of it. */
void members_count(Members *m);
void members_show(Members *m);
/* Out of the roster, and who is about to be that member is looked up again. */
int members_drop(Members *m, const char *node);
/* -ENOTCONN and *reterr (caller frees) while the port is closed. */
int members_need_open(const Members *m, char **reterr);
