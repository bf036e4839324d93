/* A membership from inside, for the files that are it: the standing connection is in membership.c,
 * joining and leaving in membership-join.c, what the head has set in membership-settings.c, what it
 * is told of this machine in membership-facts.c. */
#pragma once

#include "base/backoff.h"
#include "member/confirmed.h"
#include "sys/deadline.h"
#include "worker/admission.h"
#include "worker/membership.h"

/* What was said last of the connection, so that the journal says it once. */
typedef enum Told {
        TOLD_NOTHING,
        TOLD_HERE,
        TOLD_LOST,
        TOLD_REFUSED,
        _TOLD_MAX,
        _TOLD_INVALID = -EINVAL,
} Told;

struct Membership {
        sd_event *event; /* weak */
        MembershipOps ops;
        void *userdata;
        char *state_dir, *path, *node_id, *name;
        char *text, *settings;
        Deadline *unkept;  /* settings could not be written: until they are tried again */
        char *token;       /* of Ray, which could not be written, or NULL */
        Deadline *untaken; /* until it is tried again */
        MemberFacts facts;
        Addr address;   /* that Ray is told; not set: not known yet */
        Deadline *look; /* at them, again */

        bool member; /* there is an identity */
        bool left;   /* it was told to leave, and nothing since: kept in the file `left` */
        MemberLink *link;
        bool leaving; /* the link says so to the head, and is not to be touched until it has */
        Told told;
        HeadTurns heads; /* the one whose turn it is, is dialled */
        Confirmed *confirmed;
        bool damaged;       /* an identity is there, and cannot be read */
        Addr stranger;      /* where another head was met last; not set: nowhere */
        Addr refuser;       /* where this machine was not let in last; not set: nowhere */
        char refusal[300];  /* the sentence on that */
        bool unnamed;       /* connected at an address that the head's certificate does not name */
        bool passed;        /* such a head was left in this round */
        Deadline *passing;  /* runs since all of a round were left */
        Backoff pass_pause; /* of it; from the start when the head is where it says */

        Admission *admission; /* on the way to be a member */
        bool waited;          /* for a head, until somebody had it join */
        bool sighted;         /* and had met it: an admin's word was waited for */
        membership_cb cb;     /* whoever waits for that, or for leaving */
        void *cb_userdata;
};

/* The sentence on where it stands; the owner hears when it is another one: true. */
bool membership_say(Membership *m, const char *fmt, ...) _printf_(2, 3);
/* Why it is no member, for membership_say(). */
const char *membership_none(const Membership *m);
/* What the head is told of this machine, looked at anew. */
void membership_find_facts(Membership *m);
/* Once, and from now on again and again. */
int membership_begin_looking(Membership *m);
/* The connection to the head whose turn it is, anew; none while the machine is no member. Not while
 * it leaves. */
void membership_connect(Membership *m);
/* The one whose turn it is; returns buf. */
const char *membership_head_text(const Membership *m, char buf[ADDR_PORT_MAX]);
/* Kept, and told to the owner; NULL: the head has none for us any more. */
void membership_take_settings(Membership *m, const char *text);
/* The same of Ray's token; "": there is none any more. True: it is another one, which the owner is
 * told by the caller. */
bool membership_take_token(Membership *m, const char *token);
/* Of membership_free(). */
void membership_settings_done(Membership *m);
/* The mark of a machine that has left (caller frees), or NULL: no memory. */
char *membership_left_path(const Membership *m);
/* The head knows that this machine leaves, or cannot be told. */
void membership_on_left(MemberLink *l, void *userdata);
