/* The own address that Ray is told, and why there is none: told to the journal when that is new,
 * and when it is over. */
#pragma once

#include "base/addr.h"
#include "model/role.h"
#include "model/settings.h"

/* Looks for it as own_address() of disco/ownaddr.h does, with the same parameters. Returns whether
 * *ret is set. *missing: the sentence why not, owned by the caller between calls; NULL = there is
 * one, or nobody looked. */
bool address_find(const NodeSettings *node, Role role, const Addr *head, char **missing, Addr *ret);

/* All global addresses of this machine that others may use, as the kernel lists them: how many, at
 * most max. Negative errno: they are not known, and *reterr (caller frees) says so. */
int address_own(Addr *ret, size_t max, char **reterr);
