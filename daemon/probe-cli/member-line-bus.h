/* Lines to the reflector of the head that this machine is a member of: ray-workerd, which has the
 * connection, asks it for everybody (org.raycluster1.Reflector). */
#pragma once

#include "reflect/line.h"

typedef struct MemberLines MemberLines;

/* Asks the daemon, for half a second at most. *ret: NULL when there is none, when it is not
 * connected to a head, or has one without reflector; no reason to say anything. -ENOMEM and the
 * like. */
int member_lines_new(sd_event *event, MemberLines **ret);
/* After its lines. */
MemberLines *member_lines_free(MemberLines *m);
DEFINE_CLEANUP(MemberLines *, member_lines_free);

/* To the head, at any of its addresses. The object's. */
const Transport *member_lines_transport(const MemberLines *m);
/* What the head has set for all machines, as configuration text (conf_load_member()); or "". */
const char *member_lines_settings(const MemberLines *m);
