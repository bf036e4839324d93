/* Does this machine hear the head by multicast DNS? What avahi-daemon knows or hears within two
 * seconds, asked by its D-Bus API. An empty answer says nothing about the head: firewalls that drop
 * UDP port 5353 are common (probe.md 1.12). */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/time.h"
#include "sys/bus.h"

typedef struct HearFacts {
        bool asked, ended;
        bool deaf;       /* there is no avahi-daemon to ask: `text` */
        bool heard;      /* the head announces itself with this address */
        unsigned others; /* heads heard that have another address */
        char text[160];  /* why it is deaf, or the name of another head; escaped */
} HearFacts;

typedef struct Hear Hear;

/* From the loop, once. The object may be freed inside. */
typedef void (*hear_cb)(Hear *h, const HearFacts *facts, void *userdata);

/* addr: the head's; bus is weak, NULL = the system bus cannot be reached. */
int hear_new(sd_event *event, Bus *bus, const Addr *addr, usec_t timeout, hear_cb cb,
             void *userdata, Hear **ret);
Hear *hear_free(Hear *h);
DEFINE_CLEANUP(Hear *, hear_free);
