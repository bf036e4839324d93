/* Names that DNS does not know and this system does: .local names by mDNS, LDAP, other sources of
 * nsswitch.conf. Synchronous; for the command line only. */
#pragma once

#include "base/addr.h"

/* The first usable address, IPv4 before IPv6, else the first one; port 0. -ENOENT. */
int nss_lookup(const char *host, Addr *ret);
