/* One interface of ours on the bus, there whenever the bus is. */
#pragma once

#include "sys/bus.h"

typedef struct BusObject BusObject;

/* path, interface, vtable and ops outlive it; userdata goes to the vtable's methods and to ops,
 * which may be NULL: on_connected comes when the interface is there, on_disconnected when the bus
 * has gone (not at the end of the object). */
int bus_object_new(Bus *bus, const char *path, const char *interface, const sd_bus_vtable *vtable,
                   const BusOps *ops, void *userdata, BusObject **ret);
BusObject *bus_object_free(BusObject *o);
DEFINE_CLEANUP(BusObject *, bus_object_free);

/* NULL while the interface is on no bus. */
sd_bus *bus_object_bus(const BusObject *o);

/* Answers a call with an array of n structures of the type `element` ("(st)"); append puts the one
 * at i. Returns what a method's handler returns. */
int bus_answer_list(sd_bus_message *call, const char *element, size_t n,
                    int (*append)(sd_bus_message *m, size_t i, void *userdata), void *userdata);
