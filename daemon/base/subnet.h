/* "10.0.0.0/24", "fd00:1::/48": a network as an address and how many of its bits count. */
#pragma once

#include "base/addr.h"

typedef struct Subnet {
        Addr addr; /* family AF_UNSPEC = no network, which has every address in it */
        unsigned bits;
} Subnet;

/* With /BITS, or an address alone, which is itself only. -EINVAL: no such thing, or bits are set
 * behind those that count ("10.0.0.1/24" is a mistake more often than a network). */
int subnet_parse(const char *s, Subnet *ret);
#define SUBNET_MAX (ADDR_MAX + 4)
/* "" for no network. */
char *subnet_format(char buf[SUBNET_MAX], const Subnet *s);
bool subnet_has(const Subnet *s, const Addr *a);
