/* What the head has set for all machines, in a file of this one: the daemon reads it as it reads
 * its own configuration. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "role/daemon.h"
#include "worker/membership-private.h"

/* Until what the head has set is written again. */
#define KEEP_PAUSE (30 * USEC_PER_SEC)

static void on_unkept(void *userdata);

static int write_settings(const Membership *m)
{
        _cleanup_free_ char *path = path_join(m->state_dir, DAEMON_HEAD_CONF);

        if (!path)
                return -ENOMEM;
        if (!m->settings)
                return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
        return write_file_atomic(path, m->settings, strlen(m->settings), 0600, (gid_t)-1);
}

/* Only what is written holds, as it is read from there: a full disk is waited for. */
static void keep_settings(Membership *m)
{
        int r = write_settings(m);

        if (r < 0 && !m->unkept)
                (void)log_error_errno(r, "Failed to keep what the head has set, it is tried again: "
                                         "%m");
        m->unkept = deadline_free(m->unkept);
        if (r < 0)
                (void)deadline_new(m->event, KEEP_PAUSE, USEC_PER_SEC, on_unkept, m, &m->unkept);
        else
                m->ops.on_settings(m, m->userdata);
}

static void on_unkept(void *userdata)
{
        keep_settings(userdata);
}

void membership_take_settings(Membership *m, const char *text)
{
        int r = free_and_strdup(&m->settings, text);
        if (r < 0)
                (void)log_oom();
        else if (r > 0 || m->unkept)
                keep_settings(m);
}
