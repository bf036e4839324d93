#include "member/restore.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"

#define STAMP_MAX 32

static int complain(char **reterr, int r, const char *what, const char *why)
{
        if (r == -ENOMEM)
                return r;
        *reterr = str_printf("%s: %s", what, why);
        return *reterr ? r : -ENOMEM;
}

static char *stamp(char buf[static STAMP_MAX], usec_t now)
{
        time_t t = (time_t)(now / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(buf, STAMP_MAX, "%Y%m%dT%H%M%SZ", &tm) == 0)
                str_copy(buf, STAMP_MAX, "before");
        return buf;
}

/* --- the state ----------------------------------------------------------------------------------
 */

/* The directory that is not finished yet; taken away when it is not taken over. */
typedef struct Draft {
        char *path; /* NULL: nothing to take away */
} Draft;

static void draft_done(Draft *d)
{
        for (size_t i = 0; d->path && backup_state_files[i]; i++) {
                _cleanup_free_ char *file = path_join(d->path, backup_state_files[i]);
                if (file)
                        (void)unlink(file);
        }
        if (d->path)
                (void)rmdir(d->path);
        free(d->path);
}

static int write_state(const Backup *b, const char *draft, uid_t owner, gid_t group, char **reterr)
{
        for (size_t i = 0; i < b->n_files; i++) {
                const BackupFile *f = &b->files[i];
                if (backup_kind(f->name) != BACKUP_STATE)
                        continue;
                _cleanup_free_ char *path = path_join(draft, f->name);
                if (!path)
                        return -ENOMEM;
                int r = write_file_atomic(path, f->data, f->size, 0600, (gid_t)-1);
                if (r >= 0 && chown(path, owner, group) < 0)
                        r = -errno;
                if (r < 0)
                        return complain(reterr, r, path, strerror(-r));
        }
        int r = chown(draft, owner, group) < 0 ? -errno : sync_dir(draft);
        return r < 0 ? complain(reterr, r, draft, strerror(-r)) : 0;
}

/* Of a head or of a member: it is not to be replaced by mistake. */
static bool has_identity(const char *dir)
{
        for (size_t i = 0; backup_state_files[i]; i++) {
                _cleanup_free_ char *path = path_join(dir, backup_state_files[i]);
                if (!path || access(path, F_OK) == 0)
                        return true;
        }
        return false;
}

static const char *why_not(int error)
{
        if (error == EBUSY)
                return "is a mount point; unmount it, restore, and move what is then there into it";
        if (error == EINVAL)
                return "its file system cannot exchange two directories in one step; move this one "
                       "away and try again";
        return strerror(error);
}

static int exchange(const char *draft, const char *dir, bool there, char **reterr)
{
        int r = there ? renameat2(AT_FDCWD, draft, AT_FDCWD, dir, RENAME_EXCHANGE)
                      : rename(draft, dir);
        return r < 0 ? complain(reterr, -errno, dir, why_not(errno)) : 0;
}

/* What lies at `draft` now is what was there before. *ret_old NULL: there was nothing in it. */
static int keep_old(Draft *d, const char *dir, usec_t now, char **ret_old, char **reterr)
{
        char when[STAMP_MAX];
        _cleanup_free_ char *draft = TAKE_PTR(d->path);
        _cleanup_free_ char *old = str_printf("%s.old-%s", dir, stamp(when, now));

        if (rmdir(draft) == 0)
                return 0;
        if (!old)
                return -ENOMEM;
        if (rename(draft, old) < 0)
                return complain(reterr, -errno, draft,
                                "the state is restored, but what was there before still has this "
                                "name");
        *ret_old = TAKE_PTR(old);
        return 0;
}

static int parent_of(const char *dir, char **ret)
{
        const char *slash = strrchr(dir, '/');

        *ret = !slash ? strdup(".") : slash == dir ? strdup("/") : strndup(dir, slash - dir);
        return *ret ? 0 : -ENOMEM;
}

static int new_draft(const char *dir, Draft *ret, char **reterr)
{
        _cleanup_free_ char *path = str_printf("%s.new-XXXXXX", dir);

        if (!path)
                return -ENOMEM;
        if (!mkdtemp(path))
                return complain(reterr, ERRNO_OR(EIO), path, strerror(errno));
        ret->path = TAKE_PTR(path);
        return 0;
}

int restore_state(const Backup *b, const char *dir, bool force, uid_t owner, gid_t group,
                  usec_t now, char **ret_old, char **reterr)
{
        _cleanup_(draft_done) Draft d = {0};
        _cleanup_free_ char *parent = NULL, *old = NULL;
        struct stat st;

        bool there = lstat(dir, &st) == 0;
        if (!there && errno != ENOENT)
                return complain(reterr, -errno, dir, strerror(errno));
        if (there && !S_ISDIR(st.st_mode))
                return complain(reterr, -ENOTDIR, dir, "is no directory");
        if (there && !force && has_identity(dir))
                return complain(reterr, -EEXIST, dir,
                                "this machine is a head or a member already; --force replaces what "
                                "it is, and keeps the old state beside");
        int r = parent_of(dir, &parent);
        if (r >= 0)
                r = new_draft(dir, &d, reterr);
        if (r >= 0)
                r = write_state(b, d.path, there ? st.st_uid : owner, there ? st.st_gid : group,
                                reterr);
        if (r >= 0)
                r = exchange(d.path, dir, there, reterr);
        if (r < 0)
                return r;
        if (there)
                r = keep_old(&d, dir, now, &old, reterr);
        else
                d.path = (free(d.path), NULL);
        if (r >= 0) {
                r = sync_dir(parent);
                if (r < 0)
                        return complain(reterr, r, parent, strerror(-r));
                *ret_old = TAKE_PTR(old);
        }
        return r;
}

/* --- settings -----------------------------------------------------------------------------------
 */

static bool is_same(const char *path, const BackupFile *f)
{
        _cleanup_free_ char *text = NULL;
        size_t n;

        return read_file(path, f->size, &text, &n) >= 0 && n == f->size &&
               memcmp(text, f->data, n) == 0;
}

static int write_setting(const BackupFile *f, const char *path, bool in_place, usec_t now,
                         char ***ret)
{
        char when[STAMP_MAX];
        _cleanup_free_ char *beside = str_printf("%s.restored", path);
        _cleanup_free_ char *old = str_printf("%s.old-%s", path, stamp(when, now));
        const char *to = in_place ? path : beside;

        if (!beside || !old)
                return -ENOMEM;
        if (in_place && link(path, old) < 0 && errno != ENOENT)
                return -errno;
        /* a file may have secrets in its variables: no more people read it than before */
        struct stat st;
        bool there = stat(path, &st) == 0;
        int r = write_file_atomic(to, f->data, f->size, there ? st.st_mode & 0777 : 0644,
                                  there ? st.st_gid : (gid_t)-1);
        return r < 0 ? r : strv_extend(ret, to);
}

int restore_settings(const Backup *b, const char *conf_file, const char *conf_dir, bool in_place,
                     usec_t now, char ***ret, char **reterr)
{
        for (size_t i = 0; i < b->n_files; i++) {
                const BackupFile *f = &b->files[i];
                const char *part = startswith(f->name, BACKUP_CONF_DIR "/");
                if (backup_kind(f->name) != BACKUP_SETTING)
                        continue;
                _cleanup_free_ char *path = part ? path_join(conf_dir, part) : strdup(conf_file);
                if (!path)
                        return -ENOMEM;
                if (is_same(path, f))
                        continue;
                if (part && mkdir(conf_dir, 0755) < 0 && errno != EEXIST)
                        return complain(reterr, -errno, conf_dir, strerror(errno));
                int r = write_setting(f, path, in_place, now, ret);
                if (r < 0)
                        return complain(reterr, r, path, strerror(-r));
        }
        return 0;
}
