/* The certificate of Ray's TLS on a member: what is kept is put where Ray reads it, and the next is
 * asked for over the standing connection, when it is time to and when the head comes up: it may
 * have another authority by then.
 *
 *     off ── auth.tls ──> none ── connected ──> asked ── Issued ──> kept ──┐ two thirds of its life
 *                          ^                      │ ^                      │
 *                          └── refused, or lost ──┘ └──────────────────────┘
 */
#pragma once

#include "engine/tls.h"
#include "worker/membership.h"

typedef struct RayCert RayCert;

/* There is another certificate, or it is time for ray_cert_look(). From the loop. */
typedef void (*ray_cert_cb)(RayCert *c, void *userdata);

/* The strings are copied; m: weak. name: own host name. */
int ray_cert_new(sd_event *event, const char *state_dir, const char *name, Membership *m,
                 ray_cert_cb cb, void *userdata, RayCert **ret);
RayCert *ray_cert_free(RayCert *c);
DEFINE_CLEANUP(RayCert *, ray_cert_free);

/* Things may be other than they were: does what is to be done. tls: as configured; address: that
 * Ray has, if it is known; running: it does run. Once the machine is no member, nothing is kept. */
void ray_cert_look(RayCert *c, const EngineTls *tls, const Addr *address, bool running);
/* As of MembershipOps. */
void ray_cert_issued(RayCert *c, const MemberIssued *m);
void ray_cert_refused(RayCert *c, const char *why);

/* Why Ray cannot be started with TLS, with what is missing; NULL: it can, it runs, or needs none.
 * Valid until the next ray_cert_look(). */
const char *ray_cert_missing(const RayCert *c);
