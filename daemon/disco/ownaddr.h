/* This machine's own address, as Ray is to be told (design 4). Synchronous, local, from the
 * kernel's tables (libnl). */
#pragma once

#include "base/addr.h"
#include "model/role.h"
#include "model/settings.h"

/* Worker: node.address, else node.interface's address, else the source address of the route to
 * *head. Head: the same two keys, else *head (what cluster.head resolves to, if it is set and one
 * of our own), else the only global address. head may be NULL. Returns 1 and *ret; or 0 and
 * *ret_why (one sentence with the remedy, caller frees): "node.interface: eth7 has no address …",
 * several addresses and no hint: all listed; or a negative errno. */
int own_address(const NodeSettings *node, Role role, const Addr *head, Addr *ret, char **ret_why);
