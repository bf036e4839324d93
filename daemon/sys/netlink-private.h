/* One request to the kernel and its replies, for whatever speaks netlink here. For sys/ only. */
#pragma once

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "base/macro.h"

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free);

/* One message of the reply. Negative errno: kept (the first), and the rest is read all the same. */
typedef int (*netlink_parse_func)(struct nlmsghdr *h, void *arg);

/* *ret with the fixed part of its body in place. -ENOMEM. */
int netlink_message_new(int type, int flags, const void *body, size_t size, struct nl_msg **ret);
/* protocol: NETLINK_ROUTE and the like. 0, the kernel's own errno, or the parser's. */
int netlink_request(int protocol, struct nl_msg *msg, netlink_parse_func parse, void *arg);
