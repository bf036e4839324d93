/* What this system itself says of a name: /etc/hosts, DNS, mDNS, LDAP, all that nsswitch.conf
 * names. getaddrinfo() may hang as long as it likes: a child asks, and is ended when nobody waits
 * for it any more. For the command line only. */
#pragma once

#include <sys/types.h>

#include "base/time.h"
#include "probe/host.h"

typedef struct Nss {
        pid_t pid; /* 0 = none */
        int fd;    /* where it writes what it found */
        NssFacts facts;
} Nss;

/* family: AF_UNSPEC for both. Trouble leaves the answer unknown. */
void nss_begin(Nss *n, const char *host, int family);
void nss_done(Nss *n);
/* Waits for the answer at most so long. > 0: it is there. */
int nss_wait(Nss *n, usec_t timeout, NssFacts *ret);
