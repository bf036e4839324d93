/* The question to a GCS: are you there, which Ray and Python are you? One CheckAlive, and its table
 * of versions, over a connection of their own. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct Alive Alive;

/* From the loop, once. head: "" where it did not say. May be freed inside. */
typedef void (*alive_cb)(Alive *a, const AliveFacts *facts, const Versions *head, void *userdata);

/* token may be NULL. timeout: for all of it; of a GCS that answers CheckAlive and then nothing more
 * the outcome is still OK. */
int alive_new(sd_event *event, const ConnectPolicy *policy, const char *token, usec_t timeout,
              alive_cb cb, void *userdata, Alive **ret);
Alive *alive_free(Alive *a);
DEFINE_CLEANUP(Alive *, alive_free);
