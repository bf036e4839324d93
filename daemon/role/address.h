/* The own address that Ray is told, and why there is none: told to the journal when that is new,
 * and when it is over. */
#pragma once

#include "base/addr.h"
#include "model/role.h"
#include "model/settings.h"
#include "sys/netlink.h"

/* Looks for it as own_address() of disco/ownaddr.h does, with the same parameters. Returns whether
 * *ret is set. *missing: the sentence why not, owned by the caller between calls; NULL = there is
 * one, or nobody looked. */
bool address_find(const NodeSettings *node, Role role, const Addr *head, char **missing, Addr *ret);

/* All global addresses of this machine that others may use, for its certificates: how many, at most
 * max. `first`, that Ray is told, stands first, as a list that has no room for all loses the last;
 * NULL, or not set: it is not known, and they stand as the kernel lists them. What is lost is told
 * to the journal, once. Negative errno: they are not known, and *reterr (caller frees) says so. */
int address_own(const Addr *first, Addr *ret, size_t max, char **reterr);
/* The same of this list; returns how many there are, which may be more than max. */
size_t address_order(const NetAddr *list, size_t n, const Addr *first, Addr *ret, size_t max);
