/* How good is the way? Eight SYNs to a port that is known to answer, eight more when some are lost
 * (probe.md 5.2, 83). Only for a way that is suspected: the connections made before say so. */
#pragma once

#include <systemd/sd-event.h>

#include "sys/probe-sock.h"

#define SAMPLES_ROUND 8
#define SAMPLES_MAX   16

/* More than this share lost, or a median round trip longer than this, is worth a word. */
#define SAMPLES_LOST_PERCENT 20
#define SAMPLES_SLOW         (50 * USEC_PER_MSEC)

typedef struct SampleFacts {
        bool asked;
        unsigned sent, lost;
        usec_t rtt; /* median of those that came back; 0 = none did */
} SampleFacts;

typedef struct Samples Samples;

/* From the loop, once, within 2 s. The object may be freed inside. */
typedef void (*samples_cb)(Samples *s, const SampleFacts *facts, void *userdata);

/* policy: address and source; copied, but for the name of the interface, which must live as long.
 */
int samples_new(sd_event *event, const ConnectPolicy *policy, samples_cb cb, void *userdata,
                Samples **ret);
Samples *samples_free(Samples *s);
DEFINE_CLEANUP(Samples *, samples_free);
