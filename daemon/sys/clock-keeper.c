#include "sys/clock-keeper.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

static const char *const clock_keeper_table[_CLOCK_KEEPER_MAX] = {
        [CLOCK_KEEPER_UNKNOWN] = "unknown",
        [CLOCK_KEEPER_CHRONY] = "chrony",
        [CLOCK_KEEPER_TIMESYNCD] = "timesyncd",
};
DEFINE_STRTAB(clock_keeper, ClockKeeper);

/* Also a link that leads nowhere: systemd keeps one for each active unit, for journald. */
static bool is_there(const char *root, const char *path)
{
        char target[64];
        _cleanup_free_ char *full = str_printf("%s%s", strempty(root), path);
        return full && (readlink(full, target, sizeof(target)) > 0 || access(full, F_OK) >= 0);
}

ClockKeeper clock_keeper(const char *root)
{
        static const struct {
                ClockKeeper keeper;
                const char *path;
        } traces[] = {
                {CLOCK_KEEPER_CHRONY, "/run/systemd/units/invocation:chrony.service"},
                {CLOCK_KEEPER_CHRONY, "/run/systemd/units/invocation:chronyd.service"},
                {CLOCK_KEEPER_TIMESYNCD, "/run/systemd/units/invocation:systemd-timesyncd.service"},
                {CLOCK_KEEPER_CHRONY, "/usr/sbin/chronyd"},
                {CLOCK_KEEPER_TIMESYNCD, "/usr/lib/systemd/systemd-timesyncd"},
                {CLOCK_KEEPER_TIMESYNCD, "/lib/systemd/systemd-timesyncd"},
        };
        for (size_t i = 0; i < ELEMENTSOF(traces); i++)
                if (is_there(root, traces[i].path))
                        return traces[i].keeper;
        return CLOCK_KEEPER_UNKNOWN;
}
