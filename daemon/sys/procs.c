#include "sys/procs.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/strv.h"

#define PROC_STAT_MAX 4096

static int read_proc(const char *proc, pid_t pid, const char *name, size_t max, char **ret,
                     size_t *ret_size)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%d/%s", proc ? proc : "/proc", (int)pid, name);
        int r = read_file(path, max, ret, ret_size);
        return r == -ENOENT ? -ESRCH : r;
}

/* "pid (comm) state ppid …": comm may hold anything, also parentheses; the last one ends it. The
 * 52nd field is the exit code, as wait(2) gives it; zero while the process lives. */
static int stat_parse(char *text, Proc *ret, int *ret_status)
{
        Proc p = {};
        int ppid = 0;

        char *open = strchr(text, '('), *close = strrchr(text, ')');
        if (!open || !close || close < open || close[1] != ' ')
                return -EBADMSG;
        *close = 0;
        (void)snprintf(p.comm, sizeof(p.comm), "%s", open + 1);
        if (sscanf(close + 2, "%c %d", &p.state, &ppid) != 2) /* NOLINT(cert-err34-c) */
                return -EBADMSG;
        p.pid = (pid_t)strtol(text, NULL, 10);
        p.ppid = ppid;
        if (ret_status) {
                char *last = strrchr(close + 2, ' ');
                *ret_status = p.state == 'Z' && last ? (int)strtol(last, NULL, 10) : -1;
        }
        *ret = p;
        return 0;
}

int proc_read(const char *proc, pid_t pid, Proc *ret, int *ret_status)
{
        _cleanup_free_ char *text = NULL;

        int r = read_proc(proc, pid, "stat", PROC_STAT_MAX, &text, NULL);
        return r < 0 ? r : stat_parse(text, ret, ret_status);
}

int proc_cmdline(const char *proc, pid_t pid, char ***ret)
{
        _cleanup_strv_free_ char **l = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        int r = read_proc(proc, pid, "cmdline", PROC_CMDLINE_MAX, &text, &size);
        if (r < 0)
                return r;
        for (size_t i = 0; i < size; i += strlen(text + i) + 1) {
                r = strv_extend(&l, text + i);
                if (r < 0)
                        return r;
        }
        if (!l)
                return -ESRCH;
        *ret = TAKE_PTR(l);
        return 0;
}

/* --- the tree -------------------------------------------------------------------------------- */

static inline void closedirp(DIR **d)
{
        if (*d)
                closedir(*d);
}

static int read_all(const char *proc, Proc **ret, size_t *ret_n)
{
        _cleanup_(closedirp) DIR *dir = opendir(proc ? proc : "/proc");
        _cleanup_free_ Proc *all = NULL;
        size_t n = 0, cap = 0;
        unsigned pid;

        if (!dir)
                return -errno;
        for (struct dirent *e; (e = readdir(dir));) {
                if (parse_unsigned(e->d_name, &pid) < 0 || pid == 0)
                        continue;
                int r = ARRAY_RESERVE(all, cap, n + 1);
                if (r < 0)
                        return r;
                if (proc_read(proc, (pid_t)pid, &all[n], NULL) >= 0)
                        n++;
        }
        *ret = TAKE_PTR(all);
        *ret_n = n;
        return 0;
}

static int by_ppid(const void *a, const void *b)
{
        const Proc *x = a, *y = b;

        if (x->ppid != y->ppid)
                return x->ppid < y->ppid ? -1 : 1;
        return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* First of all[0…n) (sorted by parent) whose parent is ppid, or n. */
static size_t first_child(const Proc *all, size_t n, pid_t ppid)
{
        size_t lo = 0, hi = n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (all[mid].ppid < ppid)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

int procs_descendants(const char *proc, pid_t root, Proc **ret, size_t *ret_n)
{
        _cleanup_free_ Proc *all = NULL, *found = NULL;
        size_t n_all = 0, n = 0, cap = 0;

        int r = read_all(proc, &all, &n_all);
        if (r < 0)
                return r;
        if (n_all > 0)
                qsort(all, n_all, sizeof(*all), by_ppid);
        /* breadth first: found[next] is the one whose children are added */
        pid_t parent = root;
        for (size_t next = 0;; parent = found[next++].pid) {
                for (size_t i = first_child(all, n_all, parent);
                     i < n_all && all[i].ppid == parent && n < PROCS_MAX; i++) {
                        r = ARRAY_RESERVE(found, cap, n + 1);
                        if (r < 0)
                                return r;
                        found[n++] = all[i];
                }
                if (next == n)
                        break;
        }
        *ret = TAKE_PTR(found);
        *ret_n = n;
        return 0;
}

/* --- their end ------------------------------------------------------------------------------- */

struct ProcWatch {
        pid_t pid;
        int pidfd;
        proc_ended_cb cb;
        void *userdata;
        sd_event_source *source;
};

static int on_pidfd(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        ProcWatch *w = userdata;
        int status = -1;
        Proc p;

        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (proc_read(NULL, w->pid, &p, &status) < 0)
                status = -1;
        w->cb(w, w->pid, status, w->userdata);
        return 0;
}

int proc_watch_new(sd_event *event, pid_t pid, pid_t ppid, proc_ended_cb cb, void *userdata,
                   ProcWatch **ret)
{
        _cleanup_(proc_watch_freep) ProcWatch *w = new0(ProcWatch, 1);
        Proc p;

        if (!w)
                return -ENOMEM;
        *w = (ProcWatch){.pid = pid, .pidfd = -EBADF, .cb = cb, .userdata = userdata};
        w->pidfd = pidfd_open(pid, 0);
        if (w->pidfd < 0)
                return -errno;
        if (ppid > 0) {
                int r = proc_read(NULL, pid, &p, NULL);
                if (r < 0)
                        return r;
                if (p.ppid != ppid)
                        return -ESRCH;
        }
        int r = sd_event_add_io(event, &w->source, w->pidfd, EPOLLIN, on_pidfd, w);
        if (r >= 0) /* before SIGCHLD, so that a zombie's status can still be read */
                r = sd_event_source_set_priority(w->source, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

ProcWatch *proc_watch_free(ProcWatch *w)
{
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        (void)safe_close(w->pidfd);
        free(w);
        return NULL;
}

int proc_watch_kill(ProcWatch *w, int signo)
{
        return pidfd_send_signal(w->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

/* --- orphans --------------------------------------------------------------------------------- */

struct Reaper {
        reaped_cb cb;
        void *userdata;
        sd_event_source *source;
};

static int on_sigchld(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        Reaper *r = userdata;
        int status;

        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
                if (r->cb)
                        r->cb(pid, status, r->userdata);
        return 0;
}

int reaper_new(sd_event *event, reaped_cb cb, void *userdata, Reaper **ret)
{
        _cleanup_(reaper_freep) Reaper *r = new0(Reaper, 1);
        sigset_t set;

        if (!r)
                return -ENOMEM;
        *r = (Reaper){.cb = cb, .userdata = userdata};
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return -errno;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        int k = sd_event_add_signal(event, &r->source, SIGCHLD, on_sigchld, r);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

Reaper *reaper_free(Reaper *r)
{
        if (!r)
                return NULL;
        sd_event_source_disable_unref(r->source);
        free(r);
        return NULL;
}
