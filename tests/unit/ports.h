/* Ports for a test that wants many with known numbers. They lie below those that the system gives
 * out by itself; the same test, or another one, may run beside it on this machine. */
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* Who has which, so that none meets another: */
#define PORTS_ASK           12000 /* 30 blocks of 240 */
#define PORTS_MEMBERS       19200 /* 100 blocks of 8 */
#define PORTS_DAEMONS       20000 /* 250 blocks of 40 */
#define PORTS_SCANNED_FIRST 30000 /* at an address of the test's own */
#define PORTS_SCANNED_LAST  32767

/* -EBADF when somebody has it. */
static inline int port_listen(unsigned port)
{
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)port)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 1) < 0)
                return safe_close(fd);
        return fd;
}

/* One of n blocks of `size` ports from `first` on, whose first port is free and which nobody else
 * has as long as *ret_lock is open. That one listens `at` ports behind the block's beginning, a
 * port that the test itself leaves alone. */
static inline unsigned ports_take(unsigned first, unsigned n, unsigned size, unsigned at,
                                  int *ret_lock)
{
        for (unsigned i = 0; i < n; i++) {
                unsigned base = first + ((unsigned)getpid() + i) % n * size;
                int lock = port_listen(base + at), probe = lock < 0 ? -EBADF : port_listen(base);
                (void)safe_close(probe);
                if (probe >= 0) {
                        *ret_lock = lock;
                        return base;
                }
                (void)safe_close(lock);
        }
        fail_msg("no free block of ports from %u on", first);
        return 0;
}
