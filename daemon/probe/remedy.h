/* Remedies that can be pasted as they stand, the remark behind a # included: the exact line for the
 * exact ports, in the words of the firewall manager that the guilty machine runs. Pure; all strings
 * are new (caller frees), NULL when out of memory. `machine` is a name or an address; REMEDY_HERE
 * for this machine. */
#pragma once

#include "base/addr.h"
#include "model/reflection.h"
#include "sys/clock-keeper.h"

#define REMEDY_HERE NULL

/* The services that raycluster ships for firewalld and ufw (units/firewalld, units/ufw). */
typedef enum RemedyProfile {
        REMEDY_PROFILE_NONE,   /* the ports alone */
        REMEDY_PROFILE_HEAD,   /* everything that a head listens on */
        REMEDY_PROFILE_WORKER, /* a worker's agents and its worker processes */
        _REMEDY_PROFILE_MAX,
        _REMEDY_PROFILE_INVALID = -EINVAL,
} RemedyProfile;

/* "on compute04, as root: ", "here, as root: ": what stands before a command. */
char *remedy_where(const char *machine);

/* Lets TCP connections to these ports in. `ports` are numbers and ranges, "6379" or
 * "6380-6385,10002-19999"; fewer than 15 of them, which is what ufw and iptables take. family:
 * AF_INET or AF_INET6, of the address that is blocked; AF_UNSPEC: both. A manager that has the
 * profile gets it by its name, the others get the ports. */
char *remedy_open_ports(FirewallManager m, const char *machine, int family, const char *ports,
                        RemedyProfile profile);
/* Lets TCP connections from `machine` out to this address and its port, or to `ports` of it,
 * written as above; NULL = its own port. */
char *remedy_open_out(FirewallManager m, const char *machine, const Addr *to, const char *ports);
/* What shows the rule that blocks, where the rule itself must be changed by who wrote it. */
char *remedy_show_rules(const char *machine);

/* via: unset when the router is not known; the reader knows it. */
char *remedy_route(const char *machine, const Addr *to, const Addr *via);
char *remedy_clock(ClockKeeper k, const char *machine);
/* The key of /etc/raycluster.conf that tells Ray its own address. */
char *remedy_node_address(const char *machine, const Addr *address);
