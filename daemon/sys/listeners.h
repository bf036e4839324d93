/* Who listens on this machine's TCP ports, from /proc/net/tcp and tcp6: no privilege needed; the
 * owner is known by user, and by process name where the kernel lets us look. */
#pragma once

#include <sys/types.h>

#include "base/addr.h"

typedef struct Listener {
        Addr addr; /* with port */
        uid_t uid;
        unsigned long inode;
} Listener;

/* At most this many are kept: a machine has hundreds. */
#define LISTENERS_MAX 8192

/* All listening TCP sockets of this network namespace; caller frees *ret. proc: NULL = "/proc". */
int listeners_read(const char *proc, Listener **ret, size_t *ret_n);

/* "redis-server (pid 812, user redis)", or, when it may not be looked at, "a process of user redis
 * (named by ss -Hltnp sport = :6379 as root)". Caller frees. */
char *listener_owner(const Listener *l);
