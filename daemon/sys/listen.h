/* Listening for TCP connections, and taking them in without being held up by anyone. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"

/* A socket on all addresses of this machine, IPv6 and IPv4, or IPv4 alone where there is no IPv6.
 * Negative errno: -EADDRINUSE, -EACCES (a port below 1024). */
int tcp_listen(uint16_t port, int backlog, int *ret_fd);
/* The socket of that port that systemd listens on for this process (sd_listen_fds(3)): a copy,
 * the caller's. -ENOENT: there is none. */
int tcp_listen_inherited(uint16_t port, int *ret_fd);

/* The other side has closed the connection, or its half of it, whatever it said before. */
bool tcp_has_hung_up(int fd);

typedef struct Acceptor Acceptor;

/* A connection: the callee owns fd, non-blocking. peer, local: its ends with port, IPv4 never in
 * IPv6's clothes. The acceptor may be freed inside. */
typedef void (*acceptor_cb)(Acceptor *a, int fd, const Addr *peer, const Addr *local,
                            void *userdata);

/* Takes over fd on success. Without descriptors left it pauses instead of turning in circles. */
int acceptor_new(sd_event *event, int fd, acceptor_cb cb, void *userdata, Acceptor **ret);
/* While held the kernel keeps who comes, as far as the backlog goes. */
void acceptor_hold(Acceptor *a, bool hold);
Acceptor *acceptor_free(Acceptor *a);
DEFINE_CLEANUP(Acceptor *, acceptor_free);
