/* Listeners for the time of one test: whoever connects gets the nonce and nothing else. So the head
 * can tell this machine from another one that answers in its place. Where something listens already
 * there is no door. Nothing is left behind, no connection in TIME_WAIT either, which would keep
 * Ray from the port. */
#pragma once

#include <systemd/sd-event.h>

#include "model/port-plan.h"
#include "wire/reflect-codec.h"

typedef struct Doors Doors;

/* Most connections at a time, of all doors together; the head has at most eight. Beyond that the
 * oldest is closed. */
#define DOORS_GUESTS_MAX 32

/* On all addresses of this machine. A port that cannot be opened is left out. -ENOMEM only. */
int doors_open(sd_event *event, const uint16_t *ports, size_t n_ports,
               const uint8_t nonce[static REFLECT_NONCE_SIZE], Doors **ret);
Doors *doors_free(Doors *d);
DEFINE_CLEANUP(Doors *, doors_free);
bool doors_have(const Doors *d, uint16_t port);
