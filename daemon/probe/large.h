/* Do large packets pass? 16 KiB to a gRPC server, as a frame of a kind that it ignores, with a PING
 * behind it; then a question whose answer has some 8 KiB: what gRPC's reflection says of its own
 * channelz, which a GCS answers without a token and without a log line (ray-facts 5). What vanishes
 * is tried again in smaller segments, several sizes at once (probe.md 1.9, 1.10, C4, C5). One PING
 * a connection: more would be too_many_pings. */
#pragma once

#include <systemd/sd-event.h>

#include "sys/probe-sock.h"

typedef enum LargeOutcome {
        LARGE_UNKNOWN, /* not tried to the end, or the answer was not large */
        LARGE_ARRIVED,
        LARGE_HOLE, /* nothing of it in large packets, all of it in small ones */
        LARGE_LOST, /* not in small ones either */
        _LARGE_OUTCOME_MAX,
        _LARGE_OUTCOME_INVALID = -EINVAL,
} LargeOutcome;

typedef struct LargeFacts {
        bool asked;
        LargeOutcome out, in; /* towards the head, from it */
        unsigned tried;       /* bytes of the packets first sent */
        unsigned fits;        /* of a hole: of the largest packets that pass; 0 = not known */
        unsigned pmtu;        /* of the path, as the kernel learned it meanwhile; 0 = not known */
        unsigned lost;        /* segments that had to be sent again, of some twelve */
        bool in_vain;         /* it came to no end in its time, in any size: nothing is known */
} LargeFacts;

typedef struct Large Large;

/* From the loop, once, within 2.2 s. The object may be freed inside. */
typedef void (*large_cb)(Large *l, const LargeFacts *facts, void *userdata);

/* Takes over fd on success: greeted (GREETING_HTTP2), and the n bytes at `seen` read from it
 * already. policy: for further connections; copied, but for the name of the interface, which must
 * live as long. */
int large_new(sd_event *event, int fd, const uint8_t *seen, size_t n, const ConnectPolicy *policy,
              large_cb cb, void *userdata, Large **ret);
Large *large_free(Large *l);
DEFINE_CLEANUP(Large *, large_free);
/* As far as it is known now, for a deadline that cuts it short. */
void large_snapshot(const Large *l, LargeFacts *ret);
