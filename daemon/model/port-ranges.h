/* What became of many ports of one machine, folded into ranges of one result: a person reads
 * "10002-19999 rejected", not ten thousand lines. No fd, no clock. */
#pragma once

#include "model/icmp.h"
#include "model/reflection.h"

typedef enum PortState {
        PORT_UNKNOWN,  /* not tried, or not often enough to say */
        PORT_OPEN,     /* a connection came about */
        PORT_REFUSED,  /* a reset: the way is open and nobody listens, or a firewall resets */
        PORT_REJECTED, /* ICMP; `icmp` says which and from whom */
        PORT_SILENT,   /* nothing came back, again and again */
        PORT_FAILED,   /* who tried could not send: `error` */
        _PORT_STATE_MAX,
        _PORT_STATE_INVALID = -EINVAL,
} PortState;

DECLARE_STRTAB(port_state, PortState);

typedef struct PortResult {
        uint16_t port;
        PortState state;
        int error; /* positive errno of PORT_FAILED */
        IcmpNote icmp;
        /* PORT_REJECTED: this port was told so itself. Senders ration ICMP, so that of a rejected
         * range only some ports are answered. */
        bool told;
} PortResult;

typedef struct PortRange {
        uint16_t first, last;
        PortState state;
        int error;
        IcmpNote icmp;
        unsigned n_tried; /* ports of it that were tried; fewer than its width for a sample */
        unsigned n_told;  /* of PORT_REJECTED: ports that were answered */
} PortRange;

/* Ports that were to be tried, without the results. */
typedef struct PortSpan {
        uint16_t first, last;
} PortSpan;

/* Sorts the results by port, in place, and folds neighbours of one state, errno, and ICMP type,
 * code and sender. Neighbours have consecutive numbers, or both lie in `sampled` (NULL = no such
 * range), of which only some ports were tried. A port given twice counts once.
 * Caller frees *ret; NULL with *ret_n = 0 when there is nothing. -ENOMEM. */
int port_ranges_fold(PortResult *results, size_t n, const PortSpan *sampled, PortRange **ret,
                     size_t *ret_n);

/* Connect-backs of a reflector to one of our addresses (way-back.h), in the terms of this file.
 * sampled: as above. Caller frees. */
int port_ranges_of_back(const Reflection *r, const Addr *to, const PortSpan *sampled,
                        PortRange **ret, size_t *ret_n);

/* Of one state, errno, and ICMP type, code and sender. */
bool port_range_alike(const PortRange *a, const PortRange *b);

#define PORT_MASK(state) (1U << (state))
/* What keeps Ray from a port, whoever listens there. */
#define PORT_MASK_BLOCKED                                                                          \
        (PORT_MASK(PORT_REJECTED) | PORT_MASK(PORT_SILENT) | PORT_MASK(PORT_FAILED))

/* "6379-6387, 10002-19999" of the ranges whose state is in mask; neighbours are joined, whatever
 * their states. Of more than PORT_WORDS_MAX the rest is counted: "…, 19999 and 40 more". "" when
 * there are none; NULL when out of memory. Caller frees. */
#define PORT_WORDS_MAX 6
char *port_ranges_format(const PortRange *ranges, size_t n, unsigned mask);
/* The same for a firewall's command line, "6379-6387,10002-19999": at most PORT_LIST_MAX members,
 * which is what ufw and iptables take; of more, those with the least between them are joined. */
#define PORT_LIST_MAX 14
char *port_ranges_list(const PortRange *ranges, size_t n, unsigned mask);
/* How many ports these ranges have. */
size_t port_ranges_count(const PortRange *ranges, size_t n, unsigned mask);
