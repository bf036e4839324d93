/* Starts the fake GCS (tests/fake/fake-gcs.c) for a test and ends it. */
#pragma once

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"

typedef struct FakeProc {
        pid_t pid;
        Addr addr;
} FakeProc;

/* args: NULL-ended, behind the program's name. */
static inline FakeProc fake_start(const char *const *args)
{
        const char *argv[64] = {TEST_BUILD "/tests/fake/fake-gcs"};
        char line[64] = "";
        int fds[2], port = 0;

        for (size_t i = 0; args && args[i] && i < 62; i++)
                argv[i + 1] = args[i];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)dup2(fds[1], 1);
                (void)close(fds[0]);
                (void)close(fds[1]);
                (void)execv(argv[0], (char **)argv);
                _exit(127);
        }
        (void)close(fds[1]);
        FILE *f = fdopen(fds[0], "r");
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof(line), f));
        assert_int_equal(sscanf(line, "port %d", &port), 1);
        (void)fclose(f);
        return (FakeProc){.pid = pid,
                          .addr = {.family = AF_INET,
                                   .in.s_addr = htonl(INADDR_LOOPBACK),
                                   .port = (uint16_t)port}};
}

/* It must have lived: one that died of a request as Ray would fails the test. */
static inline void fake_stop(FakeProc *p)
{
        int status = 0;

        (void)kill(p->pid, SIGTERM);
        assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}
