/* The head's side of the control port: takes connections in, enrols machines that have a token,
 * welcomes members, and knows which of them are there.
 *
 * A stranger can hold a place for PEER_GREETING_MAX, GATE_PER_SOURCE of them from one address; when
 * GATE_STRANGERS places are taken the rest waits in the kernel, so that a room that comes back all
 * at once is served at the pace of the head. Then whoever keeps the head waiting has GATE_PATIENCE
 * and no more, and those go first whose source, of many addresses perhaps, has the most places. A
 * member that is not heard for three beats is lost. */
#pragma once

#include "member/enrolment.h"
#include "member/peer.h"
#include "member/ray-authority.h"
#include "model/key-words.h"

typedef struct Gate Gate;

#define GATE_STRANGERS  256
#define GATE_PER_SOURCE 8
/* A machine has its answer in some milliseconds, and a lost packet is sent again by then. */
#define GATE_PATIENCE (2 * USEC_PER_SEC)
/* Of the listening socket: as many as a slow head, a hundred a second, serves before they give up
 * (PEER_GREETING_MAX). A longer queue would have it busy with those that are about to, and nobody
 * would get through; who finds the queue full costs nothing, and his kernel knocks again. */
#define GATE_BACKLOG 512
#define GATE_BEAT    (3 * USEC_PER_SEC)
/* Beats that may be missed before a member is lost: seen within ten seconds. */
#define GATE_MISSED 3
/* Events of one member in a minute; more are dropped and counted: a machine that reports without
 * end must not fill the head's journal. */
#define GATE_EVENTS 60
/* A machine that was off for so long after the end of its certificate gets the next by the same
 * key; nothing else is done for it before. */
#define GATE_GRACE (30 * 24 * 60 * USEC_PER_MIN)
/* Certificates in a minute that one connection asks for, Ray's among them: each is a signature, and
 * most a write. */
#define GATE_RENEWALS 6
/* Who takes a place back within this time was not dead. */
#define GATE_IN_TURN (5 * USEC_PER_MIN)
/* Until an answer to a command. */
#define GATE_COMMAND_MAX (60 * USEC_PER_SEC)

typedef struct GatePolicy {
        const Authority *authority; /* weak */
        Db *db;                     /* weak */
        const char *cluster;        /* its name for people; copied */
        const char *ray_token;      /* for members, or NULL; copied */
        usec_t beat;                /* 0 = GATE_BEAT */
} GatePolicy;

/* A machine that waits for approval. words: of its key, as they stand on its own screen. */
typedef struct GatePending {
        const char *node, *name;
        const char *takes; /* the member whose place it would take, or NULL */
        bool takes_living; /* which is there */
        bool approved;     /* it will hear it when it asks again */
        Addr from;
        const uint8_t *pin; /* STORE_PIN_SIZE */
        char words[KEY_WORDS_MAX];
        usec_t first, last; /* asked; Unix time */
} GatePending;

typedef struct GateMember {
        const char *node, *name;
        const MemberFacts *facts;
        Addr from;
} GateMember;

typedef enum GateLoss {
        GATE_LOSS_CLOSED,   /* it hung up, or the way broke */
        GATE_LOSS_SILENT,   /* not heard for GATE_MISSED beats */
        GATE_LOSS_REPLACED, /* it came again, by another connection, and not to renew */
        GATE_LOSS_REVOKED,
        _GATE_LOSS_MAX,
        _GATE_LOSS_INVALID = -EINVAL,
} GateLoss;

DECLARE_STRTAB(gate_loss, GateLoss);

typedef enum GateAbuse {
        GATE_ABUSE_SOURCE,   /* GATE_PER_SOURCE connections of one address: one more was closed */
        GATE_ABUSE_FULL,     /* GATE_STRANGERS places are taken; from: by whom most of them are that
                              * keep the head waiting, of which one was closed */
        GATE_ABUSE_SLOW,     /* it did not come to the end of what it had to say */
        GATE_ABUSE_NONSENSE, /* it said what is no TLS, no frame, too long, or no message */
        GATE_ABUSE_TURN,     /* it said what it may not, or not now */
        _GATE_ABUSE_MAX,
        _GATE_ABUSE_INVALID = -EINVAL,
} GateAbuse;

DECLARE_STRTAB(gate_abuse, GateAbuse);

/* From the loop; the gate must not be freed inside. Every one is worth a line in the journal. */
typedef struct GateOps {
        void (*on_enrolled)(Gate *g, const MemberRow *m, const Addr *from, void *userdata);
        /* name, text: of whoever asked; error: of the store; locked: the source is, for so long */
        void (*on_refused)(Gate *g, const MemberRefused *r, const char *name, const Addr *from,
                           int error, usec_t locked, void *userdata);
        void (*on_member)(Gate *g, const GateMember *m, void *userdata);
        void (*on_lost)(Gate *g, const GateMember *m, GateLoss why, void *userdata);
        /* The key of a member is used by two machines at once: their boots differ, or two
         * addresses take its place from each other in turn. */
        void (*on_copied)(Gate *g, const GateMember *here, const GateMember *there, void *userdata);
        /* dropped: so many before this one; may be NULL */
        void (*on_event)(Gate *g, const GateMember *m, const MemberEvent *e, unsigned dropped,
                         void *userdata);
        /* It goes and does not come back by itself; in place of on_lost(). The gate leaves it in
         * the roster: the callee has it forgotten. May be NULL: then on_lost(). */
        void (*on_left)(Gate *g, const GateMember *m, void *userdata);
        /* It has a later certificate; it comes by another connection now, of which nothing is
         * told. May be NULL. */
        void (*on_renewed)(Gate *g, const MemberRow *m, const Addr *from, void *userdata);
        /* It asks the reflector of the head something (wire/reflect-codec.h, not looked at here);
         * to be answered by gate_reflect(), also later. May be NULL: then nobody answers. */
        void (*on_reflect)(Gate *g, const GateMember *m, MemberBytes request, void *userdata);
        /* What is known of a member that is there has changed. May be NULL. */
        void (*on_facts)(Gate *g, const GateMember *m, void *userdata);
        /* A machine waits for approval that did not before. May be NULL. */
        void (*on_pending)(Gate *g, const GatePending *p, void *userdata);
        /* As often as somebody likes. name: of a member, or "". May be NULL. */
        void (*on_abused)(Gate *g, GateAbuse what, const Addr *from, const char *name,
                          void *userdata);
} GateOps;

typedef enum GateCommandEnd {
        GATE_COMMAND_DONE, /* it answered: `ok`, `text` */
        GATE_COMMAND_LATE, /* not in GATE_COMMAND_MAX, or the time that was given */
        GATE_COMMAND_LOST, /* it, or the gate, went before it had answered: nobody knows */
        _GATE_COMMAND_END_MAX,
        _GATE_COMMAND_END_INVALID = -EINVAL,
} GateCommandEnd;

DECLARE_STRTAB(gate_command_end, GateCommandEnd);

typedef struct GateCommandResult {
        GateCommandEnd end;
        bool ok;
        const char *text; /* "" when it did not answer */
} GateCommandResult;

/* Once, from the loop or from gate_free(), where g must not be used any more. */
typedef void (*gate_command_cb)(Gate *g, const char *node, const GateCommandResult *r,
                                void *userdata);

/* Takes over fd, a listening socket, on success. */
int gate_new(sd_event *event, int fd, const GatePolicy *p, const GateOps *ops, void *userdata,
             Gate **ret);
Gate *gate_free(Gate *g);
DEFINE_CLEANUP(Gate *, gate_free);

/* Tells a member to do something; one command at a time. deadline: 0 = GATE_COMMAND_MAX. -ENOENT:
 * it is not there; -EOPNOTSUPP: its raycluster takes no commands; -EBUSY: it has one; -EINVAL: the
 * argument is too long; -ENOMEM; as peer_send(). Then cb is not called. */
int gate_command(Gate *g, const char *node, MemberOrder order, const char *argument,
                 usec_t deadline, gate_command_cb cb, void *userdata);

/* Settings for all machines (lines of text, copied): to every member that has not got them yet, now
 * or at its next beat, and to those who come, before their Welcome; each gets its own node.group
 * behind them, if its token had one. -EINVAL: over MEMBER_SETTINGS_MAX less GATE_SETTINGS_EACH
 * bytes, or no UTF-8 text; -ENOMEM. */
#define GATE_SETTINGS_EACH ((size_t)1 << 10)
int gate_set_settings(Gate *g, const char *text);
/* Another Ray token, or NULL for none: all are welcomed again. -EINVAL: too long; -ENOMEM. */
int gate_set_ray_token(Gate *g, const char *token);

/* Of whom members have their certificates for Ray (weak); NULL: Ray has no TLS. */
void gate_set_ray_authority(Gate *g, const RayAuthority *a);
/* How a member is connected, and which addresses are its own: its certificate's, but for those that
 * another member has come from since. */
typedef struct GateReach {
        Addr here, there; /* the ends of its connection, with ports */
        usec_t rtt;       /* 0 = not measured */
        Addr certified[PKI_ADDRS_MAX];
        size_t n_certified;
} GateReach;

/* false: it is not there, or its certificate cannot be read. */
bool gate_reach(const Gate *g, const char *node, GateReach *ret);
/* The answer to an on_reflect(). -ENOENT: it is not there any more; as peer_send(). */
int gate_reflect(Gate *g, const char *node, const void *reply, size_t size);

size_t gate_count(const Gate *g); /* of members */
size_t gate_strangers(const Gate *g);
/* The member of that node id, as long as it is there; false: it is not. */
bool gate_find(const Gate *g, const char *node, GateMember *ret);
/* After every change of the roster for the worse (roster_revoke(), roster_forget()): cuts that
 * member off, and whoever is about to be one is looked up again; true: it was there. */
bool gate_revoke(Gate *g, const char *node);

/* --- approval */

/* The words of the head's authority, as they stand on a machine that asks. Returns buf. */
char *gate_words(const Gate *g, char buf[static KEY_WORDS_MAX]);
/* The i-th that waits, in no order, which an admin is shown; false: there are no more. Valid until
 * the loop runs. */
bool gate_pending(Gate *g, size_t i, GatePending *ret);
/* who: host name, node id, or the pin as 64 hex digits or as words. Holds for that key under that
 * name for a day (member/approvals.h), and gives it the place of `takes`. 1; 0: nobody of that name
 * waits; -ENOTUNIQ: more than one does; -ESTALE: it asks for something else than gate_pending() has
 * shown, or for a place that it has not shown; errors of the store. */
int gate_approve(Gate *g, const char *who);
/* The same, and it is refused for a day, whatever was shown. */
int gate_deny(Gate *g, const char *who);
/* Who comes from there is approved until then (Unix time), but for names that are taken; a time
 * that has passed ends it. As auto_approvals_put(). */
int gate_auto_approve(Gate *g, const Subnet *subnet, usec_t until);
