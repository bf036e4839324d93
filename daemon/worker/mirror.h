/* The head's reflector, as this machine has it over its member's connection: a line
 * (reflect/line.h) for the daemon's own examinations, and single questions for ray-probe of whoever
 * works here. One conversation at a time; the daemon's own comes first. */
#pragma once

#include "reflect/line.h"
#include "worker/membership.h"

typedef struct Mirror Mirror;

/* A conversation of somebody else is over when he says nothing for so long. */
#define MIRROR_HOLD (8 * USEC_PER_SEC)
/* The head's longest test, and a way there: what is not answered by then will not be. */
#define MIRROR_ANSWER_MAX (5 * USEC_PER_SEC)

/* membership outlives it. */
int mirror_new(sd_event *event, const Membership *membership, Mirror **ret);
/* After its lines. */
Mirror *mirror_free(Mirror *m);
DEFINE_CLEANUP(Mirror *, mirror_free);

/* To the head that this machine is connected to, at any of its addresses. One line at a time: what
 * is opened beside it goes down. The mirror's. */
const Transport *mirror_transport(const Mirror *m);
/* There is a connection, and the head has a reflector. */
bool mirror_is_there(const Mirror *m);
/* false: it is not there. */
bool mirror_head(const Mirror *m, MemberLinkHead *ret);

/* An on_reflect() of the membership. */
void mirror_take(Mirror *m, MemberBytes reply);
/* The connection may have gone: who waits for an answer is told. */
void mirror_check(Mirror *m);

/* error: 0, or negative errno and no reply: -ENOTCONN: the connection ended; -ETIMEDOUT; -EBUSY:
 * the daemon asks for itself now. From the loop. */
typedef void (*mirror_cb)(int error, MemberBytes reply, void *userdata);
/* One question of somebody (his unique name on the bus; copied). cb comes once, unless the mirror
 * is freed before. -EBUSY: it is asked by another, or his last question is not answered; -ENOTCONN:
 * it is not there; as peer_send(). */
int mirror_ask(Mirror *m, const char *who, MemberBytes request, mirror_cb cb, void *userdata);
/* He has gone: the next one may ask at once. */
void mirror_leave(Mirror *m, const char *who);
