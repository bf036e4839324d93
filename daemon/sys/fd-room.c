#include "sys/fd-room.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/macro.h"

/* Where the limit cannot be read: few enough for any. */
#define ROOM_UNKNOWN 256

size_t fd_room_find(int any, size_t wanted, FdRoom *ret)
{
        *ret = (FdRoom){0};
        /* the lowest free number: descriptors lie close together */
        _cleanup_close_ int lowest = fcntl(any, F_DUPFD_CLOEXEC, 0);
        rlim_t used = (rlim_t)MAX(lowest, 0) + FD_ROOM_SPARE, need = used + wanted;

        if (getrlimit(RLIMIT_NOFILE, &ret->found) < 0)
                return MIN(wanted, (size_t)ROOM_UNKNOWN);
        rlim_t have = ret->found.rlim_cur;
        if (have < need && have < ret->found.rlim_max) {
                struct rlimit more = {MIN(need, ret->found.rlim_max), ret->found.rlim_max};
                ret->raised = setrlimit(RLIMIT_NOFILE, &more) >= 0;
                if (ret->raised)
                        have = more.rlim_cur;
        }
        return have >= need ? wanted : have > used ? (size_t)(have - used) : 1;
}

void fd_room_done(FdRoom *r)
{
        if (r->raised)
                (void)setrlimit(RLIMIT_NOFILE, &r->found);
        r->raised = false;
}
