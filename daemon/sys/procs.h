/* Processes: who descends from whom, by /proc; their end, by pidfd; and taking in orphans.
 *
 * A name is what a process says of itself, and Ray runs strangers' processes: use it only to choose
 * among processes whose place in the tree is known. */
#pragma once

#include <sys/types.h>

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct Proc {
        pid_t pid, ppid;
        char state;    /* of /proc/PID/stat: R, S, D, T, Z … */
        char comm[16]; /* cut by the kernel */
} Proc;

/* At most this many descendants are looked at: Ray starts some tens, users some hundreds. */
#define PROCS_MAX 32768

/* All descendants of `root`, parents before their children, `root` itself left out; zombies are in.
 * proc: NULL = "/proc". Caller frees *ret. A snapshot: they come and go while it is read. */
int procs_descendants(const char *proc, pid_t root, Proc **ret, size_t *ret_n);

/* /proc/PID/stat; -ESRCH. ret_status: what wait(2) will say, known of zombies only (else -1). */
int proc_read(const char *proc, pid_t pid, Proc *ret, int *ret_status);

/* The command line as a list; -ESRCH, also for zombies. At most PROC_CMDLINE_MAX bytes are read. */
#define PROC_CMDLINE_MAX ((size_t)64 << 10)
int proc_cmdline(const char *proc, pid_t pid, char ***ret);

/* Calls back once, from the loop, when the process has ended. status: of wait(2) when it could
 * still be read (a zombie of our user), else -1. The watch may be freed from inside. */
typedef struct ProcWatch ProcWatch;
typedef void (*proc_ended_cb)(ProcWatch *w, pid_t pid, int status, void *userdata);
/* ppid: 0 = do not check; else -ESRCH unless the process (still) is a child of it: the number is
 * then surely not somebody else's by now. */
int proc_watch_new(sd_event *event, pid_t pid, pid_t ppid, proc_ended_cb cb, void *userdata,
                   ProcWatch **ret);
ProcWatch *proc_watch_free(ProcWatch *w);
DEFINE_CLEANUP(ProcWatch *, proc_watch_free);
/* By pidfd, so never to somebody else. -ESRCH. */
int proc_watch_kill(ProcWatch *w, int signo);

/* Makes this process the parent of every orphaned descendant (PR_SET_CHILD_SUBREAPER) and reaps
 * every child from the loop; on_reaped may be NULL. */
typedef struct Reaper Reaper;
typedef void (*reaped_cb)(pid_t pid, int status, void *userdata);
int reaper_new(sd_event *event, reaped_cb cb, void *userdata, Reaper **ret);
Reaper *reaper_free(Reaper *r);
DEFINE_CLEANUP(Reaper *, reaper_free);
