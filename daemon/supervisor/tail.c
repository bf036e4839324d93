#include "supervisor/tail.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "wire/lines.h"

/* Writers write in bursts: looked at this often while something moves. */
#define LOOK  (100 * USEC_PER_MSEC)
#define QUIET (250 * USEC_PER_MSEC)
/* Read of one file at one look; others have their turn. */
#define CHUNK ((size_t)64 << 10)
#define TURN  ((uint64_t)512 << 10)
/* Kept of a backlog that is given up. */
#define BACKLOG_KEPT ((uint64_t)64 << 10)

typedef struct File {
        char *name;
        void *user;
        ino_t ino; /* 0 = not seen yet */
        uint64_t offset;
        Lines lines;
        bool dirty;        /* may have grown */
        bool active;       /* on the list below */
        struct File *next; /* of those to look at */
        usec_t quiet_at;
        Tail *tail; /* weak */
} File;

struct Tail {
        int dir, inotify;
        const TailOps *ops;
        void *userdata;
        void *files; /* tsearch(3), by name */
        size_t n_files;
        bool full;
        File *active;
        uint32_t move_cookie; /* of the last IN_MOVED_FROM */
        char *move_name;
        sd_event_source *io, *timer;
};

static int by_name(const void *a, const void *b)
{
        return strcmp(((const File *)a)->name, ((const File *)b)->name);
}

static File *file_find(Tail *t, const char *name)
{
        File key = {.name = (char *)name};
        File *const *found = tfind(&key, &t->files, by_name);

        return found ? *found : NULL;
}

static void file_free(File *f)
{
        if (f->user)
                f->tail->ops->on_gone(f->user, f->tail->userdata);
        lines_done(&f->lines);
        free(f->name);
        free(f);
}

/* NULL: not of interest, or no room. */
static File *file_add(Tail *t, const char *name)
{
        if (t->n_files >= TAIL_FILES_MAX) {
                if (!t->full)
                        t->ops->on_full(t->userdata);
                t->full = true;
                return NULL;
        }
        File *f = new0(File, 1);
        if (!f)
                return NULL;
        *f = (File){.name = strdup(name), .tail = t};
        if (f->name && (f->user = t->ops->on_file(name, t->userdata)) &&
            tsearch(f, &t->files, by_name)) {
                t->n_files++;
                return f;
        }
        file_free(f);
        return NULL;
}

static void file_remove(Tail *t, File *f)
{
        for (File **p = &t->active; *p; p = &(*p)->next)
                if (*p == f) {
                        *p = f->next;
                        break;
                }
        (void)tdelete(f, &t->files, by_name);
        t->n_files--;
        file_free(f);
}

/* --- reading --------------------------------------------------------------------------------- */

static int on_line(const char *line, void *userdata)
{
        File *f = userdata;

        f->tail->ops->on_line(f->user, line, f->tail->userdata);
        return 0;
}

/* Opens it under `name` (its own, or the one it was rotated to); -errno when it is not a file. */
static int file_open(File *f, const char *name, struct stat *ret_st)
{
        /* not a stranger's link, not a pipe that would block us */
        _cleanup_close_ int fd = openat(f->tail->dir, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (fstat(fd, ret_st) < 0)
                return -errno;
        if (!S_ISREG(ret_st->st_mode))
                return -EINVAL;
        return TAKE_FD(fd);
}

/* Where to read on, in view of what the file is now. */
static void file_settle(File *f, const struct stat *st)
{
        uint64_t size = (uint64_t)st->st_size;

        if (f->ino != st->st_ino || size < f->offset) {
                (void)lines_flush(&f->lines, on_line, f);
                f->ino = st->st_ino;
                f->offset = 0;
        }
        if (size - f->offset > TAIL_BACKLOG_MAX) {
                uint64_t to = size - BACKLOG_KEPT;
                f->tail->ops->on_skipped(f->user, to - f->offset, f->tail->userdata);
                f->lines.n = 0;
                f->offset = to;
        }
}

/* At most `max` bytes more; true when there may be still more. */
static bool file_read(File *f, int fd, uint64_t max)
{
        char buf[CHUNK];

        for (uint64_t done = 0; done < max;) {
                ssize_t n = pread(fd, buf, sizeof(buf), (off_t)f->offset);
                if (n <= 0)
                        return false;
                f->offset += (uint64_t)n;
                done += (uint64_t)n;
                (void)lines_feed(&f->lines, buf, (size_t)n, on_line, f);
        }
        return true;
}

static bool file_look(File *f, uint64_t max)
{
        struct stat st = {};

        _cleanup_close_ int fd = file_open(f, f->name, &st);
        if (fd < 0)
                return false;
        file_settle(f, &st);
        bool more = file_read(f, fd, max);
        if (f->lines.n == 0)
                lines_done(&f->lines); /* thousands of files, few in the middle of a line */
        return more;
}

/* Renamed: the rest of it is behind its new name, and what comes next under the old one is a new
 * file. to: NULL when files of the new name are not followed. */
static void file_rotated(File *f, File *to, const char *name)
{
        struct stat st = {};

        _cleanup_close_ int fd = file_open(f, name, &st);
        if (fd >= 0 && st.st_ino == f->ino) {
                file_settle(f, &st);
                (void)file_read(f, fd, TAIL_BACKLOG_MAX);
                (void)lines_flush(&f->lines, on_line, f);
                if (to) {
                        to->ino = f->ino;
                        to->offset = f->offset;
                }
        }
        f->ino = 0;
        f->offset = 0;
}

/* --- when to look ---------------------------------------------------------------------------- */

static void arm(Tail *t)
{
        int on = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(t->timer, &on) >= 0 && on != SD_EVENT_OFF)
                return;
        (void)sd_event_source_set_time_relative(t->timer, LOOK);
        (void)sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

static void mark(Tail *t, File *f)
{
        f->dirty = true;
        if (!f->active) {
                f->active = true;
                f->next = t->active;
                t->active = f;
        }
        arm(t);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Tail *t = userdata;
        usec_t now = now_mono();

        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        for (File **p = &t->active, *f; (f = *p);) {
                if (f->dirty) {
                        f->dirty = file_look(f, TURN);
                        f->quiet_at = now + QUIET;
                } else if (now >= f->quiet_at) {
                        t->ops->on_quiet(f->user, t->userdata);
                        f->active = false;
                        *p = f->next;
                        continue;
                }
                p = &f->next;
        }
        if (t->active)
                arm(t);
        return 0;
}

static int scan(Tail *t, bool from_end)
{
        int fd = openat(t->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir) {
                int r = -errno;
                (void)safe_close(fd);
                return r;
        }
        for (struct dirent *e; (e = readdir(dir));) {
                File *f = file_find(t, e->d_name);
                struct stat st;
                bool known = f;
                if (!f && !(f = file_add(t, e->d_name)))
                        continue;
                if (from_end && !known && fstatat(t->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) >= 0) {
                        f->ino = st.st_ino;
                        f->offset = (uint64_t)st.st_size;
                } else
                        mark(t, f);
        }
        closedir(dir);
        return 0;
}

static void on_name(Tail *t, const struct inotify_event *e)
{
        File *f = file_find(t, e->name);

        if (e->mask & IN_MOVED_FROM) {
                t->move_cookie = e->cookie;
                (void)free_and_strdup(&t->move_name, e->name);
                return;
        }
        if (e->mask & IN_MOVED_TO && e->cookie == t->move_cookie && t->move_name) {
                File *from = file_find(t, t->move_name);
                if (!f)
                        f = file_add(t, e->name);
                if (from)
                        file_rotated(from, f, e->name);
        }
        if (e->mask & IN_DELETE) {
                if (f)
                        file_remove(t, f);
                return;
        }
        if (f || (f = file_add(t, e->name)))
                mark(t, f);
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        char buf[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
        Tail *t = userdata;

        ssize_t n = read(fd, buf, sizeof(buf));
        for (char *p = buf; n > 0 && p < buf + n;) {
                const struct inotify_event *e = (const struct inotify_event *)(const void *)p;
                if (e->mask & IN_Q_OVERFLOW)
                        (void)scan(t, false);
                else if (e->len > 0 && !(e->mask & IN_ISDIR))
                        on_name(t, e);
                p += sizeof(*e) + e->len;
        }
        return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int tail_new(sd_event *event, const char *dir, bool from_end, const TailOps *ops, void *userdata,
             Tail **ret)
{
        _cleanup_(tail_freep) Tail *t = new0(Tail, 1);

        if (!t)
                return -ENOMEM;
        *t = (Tail){.dir = -EBADF, .inotify = -EBADF, .ops = ops, .userdata = userdata};
        t->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (t->dir < 0)
                return -errno;
        t->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (t->inotify < 0)
                return -errno;
        if (inotify_add_watch(t->inotify, dir,
                              IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
                                      IN_ONLYDIR) < 0)
                return -errno;
        int r = sd_event_add_io(event, &t->io, t->inotify, EPOLLIN, on_inotify, t);
        if (r >= 0)
                r = sd_event_add_time(event, &t->timer, CLOCK_MONOTONIC, 0, 0, on_timer, t);
        if (r >= 0)
                r = sd_event_source_set_enabled(t->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = scan(t, from_end);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

static void free_node(void *f)
{
        file_free(f);
}

Tail *tail_free(Tail *t)
{
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->io);
        sd_event_source_disable_unref(t->timer);
        tdestroy(t->files, free_node);
        (void)safe_close(t->inotify);
        (void)safe_close(t->dir);
        free(t->move_name);
        free(t);
        return NULL;
}

static void drain_one(const void *node, VISIT which, int depth)
{
        File *f = *(File *const *)node;

        if (which != postorder && which != leaf)
                return;
        (void)file_look(f, TAIL_BACKLOG_MAX);
        (void)lines_flush(&f->lines, on_line, f);
        f->tail->ops->on_quiet(f->user, f->tail->userdata);
}

void tail_drain(Tail *t)
{
        (void)on_inotify(NULL, t->inotify, 0, t);
        twalk(t->files, drain_one);
}
