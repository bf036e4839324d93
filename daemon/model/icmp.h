/* What an ICMP error says about a connection attempt, whatever the family (RFC 792, RFC 4443,
 * probe.md 2.3). */
#pragma once

#include "base/addr.h"

typedef struct IcmpNote {
        bool seen;
        uint8_t type, code; /* of ICMP or ICMPv6, by the family of `from` */
        int error;          /* positive errno that the kernel made of it; 0 = not known */
        Addr from;          /* who sent it; may be one of our own addresses */
} IcmpNote;

typedef enum IcmpMeaning {
        ICMP_MEANS_UNKNOWN,
        ICMP_MEANS_PORT,       /* nobody there, or a firewall that says so */
        ICMP_MEANS_PROHIBITED, /* only filters say this */
        ICMP_MEANS_HOST,       /* the last router, or we, got no answer from the neighbour */
        ICMP_MEANS_NET,        /* no route */
        ICMP_MEANS_PROTO,      /* Linux hosts speak TCP: a filter */
        ICMP_MEANS_LOOP,       /* died of old age on the way */
} IcmpMeaning;

/* family: AF_INET or AF_INET6, of the packet that the error is about. */
IcmpMeaning icmp_meaning(int family, const IcmpNote *n);
/* The message in words: "host-prohibited"; NULL for one without a name. */
const char *icmp_name(int family, uint8_t type, uint8_t code);
