#include "supervisor/prune.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"

/* How deep a session's folders are followed: Ray's own are four deep; what a task made deeper is
 * left, and its session with it. */
#define DEPTH_MAX 32

static inline void closedirp(DIR **d)
{
        if (*d)
                closedir(*d);
}

/* --- the plan -------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
        const PruneItem *x = a, *y = b;

        if (x->changed != y->changed)
                return x->changed > y->changed ? -1 : 1;
        return strcmp(x->path, y->path);
}

void prune_plan(PruneItem *items, size_t n, const PruneLimits *limits, usec_t now)
{
        uint64_t bytes = 0;
        size_t count = 0;

        if (n > 0)
                qsort(items, n, sizeof(*items), newest_first);
        for (size_t i = 0; i < n; i++) {
                usec_t age = usec_sub(now, items[i].changed);
                bool fits = bytes + items[i].bytes <= limits->bytes && count < limits->count &&
                            age <= limits->age;
                items[i].gone = !fits && age > limits->grace;
                if (items[i].gone)
                        continue;
                bytes += items[i].bytes;
                count++;
        }
}

/* --- what is there --------------------------------------------------------------------------- */

typedef struct Items {
        PruneItem *items;
        size_t n, cap;
} Items;

static void items_done(Items *l)
{
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].path);
        free(l->items);
}

static int items_add(Items *l, const char *dir, const char *name, uint64_t bytes, usec_t changed)
{
        int r = ARRAY_RESERVE(l->items, l->cap, l->n + 1);
        char *path = path_join(dir, name);

        if (r < 0 || !path) {
                free(path);
                return -ENOMEM;
        }
        l->items[l->n++] = (PruneItem){.path = path, .bytes = bytes, .changed = changed};
        return 0;
}

static usec_t stat_changed(const struct stat *st)
{
        return (usec_t)st->st_mtim.tv_sec * USEC_PER_SEC + (usec_t)st->st_mtim.tv_nsec / 1000;
}

static DIR *open_dir_at(int at, const char *name)
{
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

        if (!d)
                (void)safe_close(fd);
        return d;
}

static bool is_dots(const char *name)
{
        return streq(name, ".") || streq(name, "..");
}

/* Bytes and latest change of everything below. */
static void measure(int at, const char *name, unsigned depth, uint64_t *bytes, usec_t *changed)
{
        _cleanup_(closedirp) DIR *d = depth < DEPTH_MAX ? open_dir_at(at, name) : NULL;
        struct stat st;

        for (struct dirent *e; d && (e = readdir(d));) {
                if (is_dots(e->d_name) ||
                    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISDIR(st.st_mode))
                        measure(dirfd(d), e->d_name, depth + 1, bytes, changed);
                else {
                        *bytes += (uint64_t)st.st_blocks * 512;
                        *changed = MAX(*changed, stat_changed(&st));
                }
        }
}

/* --- which files are open -------------------------------------------------------------------- */

typedef struct Open {
        dev_t dev;
        ino_t ino;
} Open;

typedef struct OpenSet {
        Open *l;
        size_t n, cap;
} OpenSet;

static int by_inode(const void *a, const void *b)
{
        const Open *x = a, *y = b;

        if (x->ino != y->ino)
                return x->ino < y->ino ? -1 : 1;
        return x->dev < y->dev ? -1 : x->dev > y->dev;
}

/* Of one process; others' may not be looked at, and cannot hold our files open for writing. */
static int open_of_process(OpenSet *s, int proc, const char *pid)
{
        char path[PATH_MAX];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/fd", pid);
        _cleanup_(closedirp) DIR *d = open_dir_at(proc, path);
        for (struct dirent *e; d && (e = readdir(d));) {
                if (is_dots(e->d_name) || fstatat(dirfd(d), e->d_name, &st, 0) < 0 ||
                    !S_ISREG(st.st_mode))
                        continue;
                int r = ARRAY_RESERVE(s->l, s->cap, s->n + 1);
                if (r < 0)
                        return r;
                s->l[s->n++] = (Open){st.st_dev, st.st_ino};
        }
        return 0;
}

static int open_files(OpenSet *s, const char *proc)
{
        _cleanup_(closedirp) DIR *d = opendir(proc ? proc : "/proc");
        unsigned pid;
        int r = 0;

        if (!d)
                return -errno;
        for (struct dirent *e; r >= 0 && (e = readdir(d));)
                if (parse_unsigned(e->d_name, &pid) >= 0)
                        r = open_of_process(s, dirfd(d), e->d_name);
        if (s->n > 0)
                qsort(s->l, s->n, sizeof(*s->l), by_inode);
        return r;
}

static bool is_open(const OpenSet *s, const struct stat *st)
{
        Open key = {st->st_dev, st->st_ino};

        return s->n > 0 && bsearch(&key, s->l, s->n, sizeof(key), by_inode);
}

/* --- finding --------------------------------------------------------------------------------- */

static int find_sessions(const char *temp_dir, const char *current, Items *l)
{
        _cleanup_(closedirp) DIR *d = opendir(temp_dir);
        struct stat st;
        int r = 0;

        if (!d)
                return -errno;
        for (struct dirent *e; r >= 0 && (e = readdir(d));) {
                uint64_t bytes = 0;
                usec_t changed = 0;
                if (!startswith(e->d_name, "session_2") || streq(e->d_name, current) ||
                    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISDIR(st.st_mode))
                        continue;
                changed = stat_changed(&st);
                measure(dirfd(d), e->d_name, 0, &bytes, &changed);
                r = items_add(l, temp_dir, e->d_name, bytes, changed);
        }
        return r;
}

static int find_closed(const char *dir, const OpenSet *open, Items *l)
{
        _cleanup_(closedirp) DIR *d = open_dir_at(AT_FDCWD, dir);
        struct stat st;
        int r = 0;

        if (!d)
                return errno == ENOENT ? 0 : -errno;
        for (struct dirent *e; r >= 0 && (e = readdir(d));)
                if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                    S_ISREG(st.st_mode) && !is_open(open, &st))
                        r = items_add(l, dir, e->d_name, (uint64_t)st.st_blocks * 512,
                                      stat_changed(&st));
        return r;
}

/* --- removing -------------------------------------------------------------------------------- */

/* Never follows a link: what a task links to is not Ray's. */
static int remove_tree(int at, const char *name, unsigned depth)
{
        int first = 0;

        if (unlinkat(at, name, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR)
                return -errno;
        if (depth >= DEPTH_MAX)
                return -ELOOP;
        _cleanup_(closedirp) DIR *d = open_dir_at(at, name);
        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));) {
                int r = is_dots(e->d_name) ? 0 : remove_tree(dirfd(d), e->d_name, depth + 1);
                if (r < 0 && first == 0)
                        first = r;
        }
        if (unlinkat(at, name, AT_REMOVEDIR) < 0 && first == 0)
                first = -errno;
        return first;
}

static int carry_out(const Items *l, size_t *count, uint64_t *bytes)
{
        int first = 0;

        for (size_t i = 0; i < l->n; i++) {
                if (!l->items[i].gone)
                        continue;
                int r = remove_tree(AT_FDCWD, l->items[i].path, 0);
                if (r < 0 && first == 0)
                        first = r;
                if (r >= 0) {
                        (*count)++;
                        *bytes += l->items[i].bytes;
                }
        }
        return first;
}

/* The folder that session_latest names, "" = none. */
static void read_current(const char *temp_dir, char buf[NAME_MAX + 1])
{
        _cleanup_free_ char *link = path_join(temp_dir, "session_latest");
        char target[PATH_MAX];

        *buf = 0;
        ssize_t n = link ? readlink(link, target, sizeof(target) - 1) : -1;
        if (n <= 0)
                return;
        target[n] = 0;
        const char *slash = strrchr(target, '/');
        (void)snprintf(buf, NAME_MAX + 1, "%.255s", slash ? slash + 1 : target);
}

static int prune_files(const char *session, const char *proc, usec_t now, PruneResult *result)
{
        static const char *const dirs[] = {"logs", "logs/old"};
        OpenSet open = {};
        Items l = {};

        int r = open_files(&open, proc);
        for (size_t i = 0; i < ELEMENTSOF(dirs) && r >= 0; i++) {
                _cleanup_free_ char *dir = path_join(session, dirs[i]);
                r = dir ? find_closed(dir, &open, &l) : -ENOMEM;
        }
        if (r >= 0) {
                prune_plan(l.items, l.n, &PRUNE_FILES, now);
                r = carry_out(&l, &result->files, &result->bytes);
        }
        items_done(&l);
        free(open.l);
        return r;
}

int prune_run(const char *temp_dir, const char *proc, usec_t now, PruneResult *ret)
{
        char current[NAME_MAX + 1];
        PruneResult result = {};
        Items l = {};

        read_current(temp_dir, current);
        int r = find_sessions(temp_dir, current, &l);
        if (r >= 0) {
                prune_plan(l.items, l.n, &PRUNE_SESSIONS, now);
                r = carry_out(&l, &result.sessions, &result.bytes);
        }
        items_done(&l);
        _cleanup_free_ char *session = *current ? path_join(temp_dir, current) : NULL;
        int k = session ? prune_files(session, proc, now, &result) : 0;
        *ret = result;
        return r < 0 ? r : k;
}
