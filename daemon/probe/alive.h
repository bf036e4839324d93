/* The question to a GCS: are you there, which Ray and Python are you? CheckAlive, and the versions
 * from its table, over one connection of its own. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct Alive Alive;

/* From the loop, once. head: "" where it did not say. May be freed inside. */
typedef void (*alive_cb)(Alive *a, const AliveFacts *facts, const Versions *head, void *userdata);

/* token may be NULL. */
int alive_new(sd_event *event, const Addr *addr, const char *token, usec_t timeout, alive_cb cb,
              void *userdata, Alive **ret);
Alive *alive_free(Alive *a);
DEFINE_CLEANUP(Alive *, alive_free);
