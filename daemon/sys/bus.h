/* sd-bus behind one door: the system bus on the event loop, reconnected by itself when the broker
 * restarts.
 *
 * Features hold a Bus and hear of its coming and going; they make their matches and calls in
 * on_connected and drop them in on_disconnected. Calls are asynchronous. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct Bus Bus;
typedef struct BusUser BusUser;

typedef struct BusOps {
        void (*on_connected)(sd_bus *bus, void *userdata);
        void (*on_disconnected)(void *userdata);
} BusOps;

/* Connects in the background; never fails for want of a broker. address: NULL = the system bus
 * (DBUS_SYSTEM_BUS_ADDRESS honoured). */
int bus_new(sd_event *event, const char *address, Bus **ret);
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free);

/* on_connected comes from the loop, also when the bus is connected already. */
int bus_subscribe(Bus *b, const BusOps *ops, void *userdata, BusUser **ret);
BusUser *bus_unsubscribe(BusUser *u);
DEFINE_CLEANUP(BusUser *, bus_unsubscribe);

/* NULL while disconnected. */
sd_bus *bus_get(const Bus *b);
