/* One c-ares channel on the event loop: its sockets and its timer. Only sys/resolve and its queries
 * use it. */
#pragma once

#include <ares.h>
#include <systemd/sd-event.h>

#include "base/time.h"

typedef struct DnsChannel DnsChannel;

typedef struct DnsChannelOptions {
        const char *servers; /* csv, NULL = resolv.conf's */
        const char *lookups; /* "f" (/etc/hosts) or "b" (the wire) */
        usec_t try_timeout;  /* first resend after this; doubled each round */
        bool raw_rcode;      /* take the first server's refusal as the answer: with c-ares' own way
                                of asking the next one, the rcode is lost */
} DnsChannelOptions;

/* Reads resolv.conf, nsswitch.conf now. */
int dns_channel_new(sd_event *event, const DnsChannelOptions *options, DnsChannel **ret);
/* Callbacks of requests under way come with ARES_EDESTRUCTION. Not from inside a callback. */
DnsChannel *dns_channel_free(DnsChannel *c);
DEFINE_CLEANUP(DnsChannel *, dns_channel_free);

ares_channel dns_channel_ares(DnsChannel *c);
/* After a request was started: sets the timer. */
int dns_channel_arm(DnsChannel *c);
/* The servers it asks, "10.0.0.53, 10.0.0.54:5300"; caller frees; NULL when out of memory. */
char *dns_channel_servers(DnsChannel *c);
