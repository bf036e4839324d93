/* What the rooms of the gate share: the gate, and a visitor of it. */
#pragma once

#include "base/ratelimit.h"
#include "member/gate.h"
#include "member/guests.h"
#include "sys/deadline.h"
#include "sys/listen.h"

typedef enum VisitorState {
        VISITOR_ARRIVING,   /* TLS and Hello */
        VISITOR_ASKING,     /* no certificate: an Enrol is due */
        VISITOR_LEAVING,    /* it has its answer; it hangs up */
        VISITOR_INTRODUCED, /* of the roster: Facts are due */
        VISITOR_EXPIRED,    /* the same, but its certificate is over: a Renew is due */
        VISITOR_MEMBER,
        _VISITOR_STATE_MAX,
        _VISITOR_STATE_INVALID = -EINVAL,
} VisitorState;

/* gate.c makes them, gate-visitor.c lets them live. */
typedef struct Visitor Visitor;
struct Visitor {
        Gate *gate; /* weak */
        Guest guest;
        VisitorState state;
        bool gone;
        Peer *peer;
        Addr from;
        Deadline *deadline; /* to become a member; then to be heard again */
        MemberRow row;
        MemberFacts facts;
        uint64_t can;                                         /* MEMBER_CAN_*, of its Hello */
        struct GateCommand *command;                          /* that it has not answered yet */
        char serial[PKI_SERIAL_MAX], renewed[PKI_SERIAL_MAX]; /* its certificate, the one after */
        Addr replaced; /* where the connection came from that this one took the place of */
        usec_t replaced_at;
        unsigned roster_version; /* at which `row` was looked up */
        RateLimit events, renewals;
        unsigned settings, ray_token; /* the version that it was sent; 0 = none */
};

struct Gate {
        sd_event *event; /* weak */
        GatePolicy policy;
        char *cluster, *ray_token, *settings;
        uint64_t last_command;
        unsigned roster_version; /* of the changes that visitor_cut_off() was told of */
        unsigned settings_version, ray_token_version; /* from 1; 0 = no settings yet */
        const RayAuthority *ray_authority;            /* weak, or NULL */
        GateOps ops;
        void *userdata;
        Acceptor *acceptor;
        Deadline *room; /* all places are taken: when it is looked again who keeps it waiting */
        usec_t in_vain; /* when nobody did */
        EnrolmentDesk desk;
        Guests guests;
};

/* --- gate.c */

/* As GateOps. */
void gate_abused(Gate *g, GateAbuse what, const Addr *from, const char *name);

/* --- gate-visitor.c: states, and what visitors say */

/* Takes over fd on success; the visitor frees itself when it leaves. */
int visitor_new(Gate *g, int fd, const Addr *from);
int visitor_set_state(Visitor *v, VisitorState state);
void visitor_free(Visitor *v);
/* The end of a visit; the last thing in an event. */
void visitor_send_away(Visitor *v, GateLoss why);
/* It is told why, and given the time to read it. */
void visitor_refuse(Visitor *v, const MemberRefused *f, const char *name, int error, usec_t locked);
/* A member that is none any more; true: it was there. */
bool visitor_cut_off(Gate *g, const char *node);
GateMember visitor_as_member(const Visitor *v);
/* NULL is none. */
Visitor *visitor_of(Guest *x);
Visitor *visitor_find(const Gate *g, const char *node, const Visitor *but);

/* --- gate-push.c: what all members have to know */

/* Sends what it has not got yet. As peer_send(). */
int visitor_push(Visitor *v);

/* --- gate-command.c: one member at a time */

typedef struct GateCommand GateCommand;

GateCommand *gate_command_free(GateCommand *c);
/* The end of a command, which it frees: tells whoever gave it. NULL is none. */
void gate_command_end(GateCommand *c, const GateCommandResult *r);
/* The member is there by another connection. */
void visitor_inherit_command(Visitor *v, Visitor *from);
void visitor_done(Visitor *v, const MemberCommandDone *d);

/* --- gate-reflect.c: what a member asks of the head's reflector */

void visitor_reflect(Visitor *v, MemberBytes request);

/* --- gate-enrol.c: certificates for who asks */

/* gate-approval.c: it is told that an admin is asked. As peer_send(). */
int visitor_wait(Visitor *v, const EnrolmentAnswer *a);
void visitor_enrol(Visitor *v, const MemberEnrol *e);
void visitor_renew(Visitor *v, MemberBytes csr);
/* kind: ISSUED, or RAY_ISSUED. As peer_send(), and pki_cert_to_der(). */
int visitor_send_issued(Visitor *v, MemberKind kind, const PkiCert *cert, const PkiCert *ca);

/* --- gate-ray.c: certificates for Ray */

/* Of a member. */
void visitor_ray_issue(Visitor *v, MemberBytes csr);
