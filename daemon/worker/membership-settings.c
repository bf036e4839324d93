/* What the head has set for all machines, in a file of this one: the daemon reads it as it reads
 * its own configuration; and the head's token of Ray. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "role/daemon.h"
#include "role/token.h"
#include "sys/mac.h"
#include "worker/membership-private.h"

/* Until what could not be written is written again. */
#define KEEP_PAUSE (10 * USEC_PER_SEC)

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

/* --- Ray's token --------------------------------------------------------------------------------
 */

static void forget_token(Membership *m)
{
        m->untaken = deadline_free(m->untaken);
        mac_forget_text(&m->token);
}

static void on_untaken(void *userdata)
{
        Membership *m = userdata;
        _cleanup_forget_text_ char *token = strdup(m->token);

        if (!token)
                (void)deadline_move(m->untaken, KEEP_PAUSE);
        else if (membership_take_token(m, token))
                m->ops.on_token(m, m->userdata);
}

bool membership_take_token(Membership *m, const char *token)
{
        bool again = m->untaken, other;

        forget_token(m);
        int r = token_take(m->state_dir, token, &other);
        if (r >= 0)
                return other;
        if (!again)
                (void)log_error_errno(r, "Failed to keep Ray's token in %s, it is tried again: %m",
                                      m->state_dir);
        m->token = strdup(token);
        if (m->token)
                (void)deadline_new(m->event, KEEP_PAUSE, USEC_PER_SEC, on_untaken, m, &m->untaken);
        return other;
}

void membership_settings_done(Membership *m)
{
        deadline_free(m->unkept);
        forget_token(m);
        free(m->settings);
}
