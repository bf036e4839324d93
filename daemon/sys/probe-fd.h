/* The sockets of a probe: opened so that they tell of ICMP, and looked at in the one right order.
 * Shared by probe-sock (one port, watched closely) and port-scan (many ports). */
#pragma once

#include <linux/tcp.h> /* not <netinet/tcp.h>: its struct tcp_info ends too soon */

#include "sys/probe-sock.h"

/* A non-blocking socket, SOCK_STREAM or SOCK_DGRAM, of the family of policy->addr, bound as the
 * policy asks. Negative errno. */
int probe_fd_open(const ConnectPolicy *policy, int type);
int probe_fd_recverr(int fd, int family, int on);

/* Takes everything from the error queue; *note is set to the last ICMP that is a refusal
 * ("fragmentation needed" is advice, not a refusal), else left alone. */
void probe_fd_icmp(int fd, IcmpNote *note);

/* What a connecting socket came to: SO_ERROR first, then the error queue, then TCP_INFO. The queue
 * first would make SO_ERROR say "connected" of a dead host. *ret_error: positive errno of
 * CONNECT_FAILED; *note as above. */
ConnectOutcome probe_fd_look(int fd, int *ret_error, IcmpNote *note);

int probe_fd_tcp_info(int fd, struct tcp_info *ret);
