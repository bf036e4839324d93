/* org.raycluster1.Reflector on the worker's object: what ray-probe of anybody on this machine may
 * ask the head by its connection. Who may call what is the bus policy's matter; how often is here:
 * for all users together, as for the head this machine is one. */
#pragma once

#include "sys/bus.h"
#include "worker/mirror.h"
#include "worker/trial.h"

typedef struct ReflectorBus ReflectorBus;

/* Questions of all users in ten seconds; an examination has four. */
#define REFLECTOR_BUS_QUESTIONS 12

/* Who waits for the test before Ray starts, at the same time, and for how long. */
#define REFLECTOR_BUS_WAITERS  8
#define REFLECTOR_BUS_WAIT_MAX (8 * USEC_PER_SEC)

/* mirror and trial outlive this. */
int reflector_bus_new(sd_event *event, Bus *bus, Mirror *mirror, const Trial *trial,
                      ReflectorBus **ret);
/* The trial may be over: who waits for that is answered. */
void reflector_bus_check(ReflectorBus *b);
ReflectorBus *reflector_bus_free(ReflectorBus *b);
DEFINE_CLEANUP(ReflectorBus *, reflector_bus_free);
