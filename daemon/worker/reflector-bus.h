/* org.raycluster1.Reflector on the worker's object: what ray-probe of anybody on this machine may
 * ask the head by its connection. Who may call what is the bus policy's matter; how often is here:
 * for all users together, as for the head this machine is one. */
#pragma once

#include "sys/bus.h"
#include "worker/mirror.h"

typedef struct ReflectorBus ReflectorBus;

/* Questions of all users in ten seconds; an examination has four. */
#define REFLECTOR_BUS_QUESTIONS 12

/* mirror outlives this. */
int reflector_bus_new(Bus *bus, Mirror *mirror, ReflectorBus **ret);
ReflectorBus *reflector_bus_free(ReflectorBus *b);
DEFINE_CLEANUP(ReflectorBus *, reflector_bus_free);
