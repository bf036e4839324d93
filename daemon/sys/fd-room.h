/* Room for many descriptors at once: this process's soft limit is raised for as long as they are
 * needed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

typedef struct FdRoom {
        struct rlimit found; /* the limit, before */
        bool raised;
} FdRoom;

/* Descriptors that are left for everything else. */
#define FD_ROOM_SPARE 32

/* How many can be opened now, up to `wanted`, and at least one; the soft limit is raised where the
 * hard one allows. any: a descriptor that is open. *ret is given back with fd_room_done(). */
size_t fd_room_find(int any, size_t wanted, FdRoom *ret);
/* The limit is as it was found. */
void fd_room_done(FdRoom *r);
