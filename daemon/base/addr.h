/* IP addresses as values: IPv4, IPv6 with scope, and with a port. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/macro.h"

typedef struct Addr {
        int family; /* AF_UNSPEC (not set), AF_INET or AF_INET6 */
        union {
                struct in_addr in;
                struct in6_addr in6;
        };
        uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
        uint16_t port;  /* host order; 0 = none */
} Addr;

typedef union SockAddr {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage storage;
} SockAddr;

/* A literal address, "10.0.0.1", "fe80::1%eth0", "[::1]" (no port, no name). -EINVAL; -ENODEV for
 * an unknown zone. */
int addr_parse(const char *s, Addr *ret);
/* The address without port. IPv6 link-local with %zone. */
#define ADDR_MAX (INET6_ADDRSTRLEN + IF_NAMESIZE + 1)
char *addr_format(char buf[ADDR_MAX], const Addr *a);
/* "10.0.0.1:6379", "[2001:db8::1]:6379" */
#define ADDR_PORT_MAX (ADDR_MAX + 8)
char *addr_format_port(char buf[ADDR_PORT_MAX], const Addr *a);
/* The reverse: a literal with its port, 1 to 65535; IPv6 in brackets. -EINVAL, -ERANGE, -ENODEV. */
int addr_parse_port(const char *s, Addr *ret);

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, Addr *ret);
socklen_t addr_to_sockaddr(const Addr *a, SockAddr *ret);

/* An IPv4 address in IPv6's clothes (::ffff:10.0.0.1, of a listener for both) becomes IPv4. */
void addr_unmap(Addr *a);

/* Without the port. */
bool addr_equal(const Addr *a, const Addr *b);
/* With it. */
bool addr_port_equal(const Addr *a, const Addr *b);
bool addr_port_in(const Addr *list, size_t n, const Addr *a);
/* One machine may have both: an IPv4 address, or what is in a /64 of IPv6. */
bool addr_same_source(const Addr *a, const Addr *b);
bool addr_is_set(const Addr *a);
bool addr_is_loopback(const Addr *a);
bool addr_is_link_local(const Addr *a);
bool addr_is_multicast(const Addr *a);
bool addr_is_any(const Addr *a);
/* Neither loopback, link-local, multicast nor unspecified: one that Ray can be told to use. */
bool addr_is_usable(const Addr *a);
