/* Where a member's head is, as the head itself has proved: at this address the control port has a
 * certificate of the cluster's authority, and the certificate names the address. The one place that
 * Ray is started for, and that Ray's token goes to: Ray says its token in clear to whoever is
 * there. Kept in the state directory, for the days when the control port is down. */
#pragma once

#include "base/addr.h"
#include "sys/pki-cert.h"

typedef struct Confirmed Confirmed;

/* Reads what was kept; a file that cannot be read counts as none. -ENOMEM. */
int confirmed_new(const char *state_dir, Confirmed **ret);
Confirmed *confirmed_free(Confirmed *c);
DEFINE_CLEANUP(Confirmed *, confirmed_free);

/* A head of our authority is connected at this control address, and showed this certificate. 1: the
 * address holds; 0: the certificate does not name it, and nothing changes: somebody in between may
 * pass on what both say. Of loopback that is not asked: what is sent there stays here. Negative
 * errno: it holds, and could not be kept. */
int confirmed_prove(Confirmed *c, const Addr *at, const PkiCert *head);
/* An attempt at this address ended without a head. stranger: somebody else answers there now. True:
 * confirmed_addr() is another than before. */
bool confirmed_miss(Confirmed *c, const Addr *at, bool stranger);
/* Another cluster, or none. */
void confirmed_forget(Confirmed *c);

/* With the control port; NULL: none holds. */
const Addr *confirmed_addr(const Confirmed *c);
/* The same, or what was kept and is not asked yet: the place to dial first. */
const Addr *confirmed_last(const Confirmed *c);
