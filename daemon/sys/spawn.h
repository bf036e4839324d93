/* Starts a program with nothing inherited but what is named: its environment, its working
 * directory, standard output and error on a pipe of ours, standard input from /dev/null, no other
 * descriptor, no blocked signal, a session of its own (Ctrl-C of a terminal reaches only us). */
#pragma once

#include <errno.h>
#include <sys/types.h>

#include "base/macro.h"

typedef struct SpawnSpec {
        const char *path;  /* absolute */
        char *const *argv; /* argv[0] included, NULL-ended */
        char *const *env;  /* "KEY=value", NULL-ended; NULL = empty */
        const char *cwd;   /* NULL = stay */
} SpawnSpec;

typedef struct Child {
        pid_t pid;
        int pidfd; /* close-on-exec; readable when it has ended */
        int out;   /* non-blocking read end of its stdout and stderr */
} Child;

#define CHILD_NONE ((Child){.pid = 0, .pidfd = -EBADF, .out = -EBADF})

/* Exit status of a child that could not be executed; the reason is on its pipe, as a line. */
#define SPAWN_EXIT_EXEC 127

/* -errno when there is no child; a program that cannot be executed ends with SPAWN_EXIT_EXEC. The
 * caller owns both descriptors and reaps. */
int spawn(const SpawnSpec *spec, Child *ret);
/* Closes the descriptors; neither ends nor reaps. */
void child_done(Child *c);

/* "exit status 1", "killed by SIGKILL", "killed by SIGSEGV (core dumped)" for a status of wait(2).
 */
#define WAIT_STATUS_MAX 64
char *wait_status_format(char buf[WAIT_STATUS_MAX], int status);
