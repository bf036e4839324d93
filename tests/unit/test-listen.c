/* Sockets that systemd hands over. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/listen.h"

static uint16_t port_of(int fd)
{
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);

        assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
        return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                              : ((struct sockaddr_in *)&sa)->sin_port);
}

/* In a process of its own, whose descriptors 3 and 4 are what systemd would hand over. */
static int in_child(int listening, int other, uint16_t port)
{
        char pid[16];
        int fd = -EBADF, again = -EBADF;

        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        if (dup2(other, 200) < 0 || dup2(listening, 4) < 0 || dup2(200, 3) < 0)
                return 1;
        if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "2", 1) < 0)
                return 2;
        if (tcp_listen_inherited(port == 65535 ? 65534 : port + 1, &fd) != -ENOENT)
                return 3;
        if (tcp_listen_inherited(port, &fd) < 0 || fd <= 4 || port_of(fd) != port)
                return 4;
        if (!(fcntl(fd, F_GETFL) & O_NONBLOCK) || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
                return 5;
        (void)close(fd);
        /* it is asked for again when the port is opened anew */
        return tcp_listen_inherited(port, &again) < 0 ? 6 : 0;
}

static void test_inherited(void **state)
{
        int listening = -EBADF, status = 0;

        assert_int_equal(tcp_listen(0, 1, &listening), 0);
        int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(other >= 0);
        uint16_t port = port_of(listening);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(in_child(listening, other, port));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        int fd = -EBADF;
        assert_int_equal(tcp_listen_inherited(port, &fd), -ENOENT); /* nothing was handed to us */
        (void)safe_close(listening);
        (void)safe_close(other);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_inherited),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
