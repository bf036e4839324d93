/* This machine's turn to restart Ray for its certificate (engine/tls.h): Ray reads it when it
 * starts, and goes on with one that ends. */
#pragma once

#include <systemd/sd-event.h>

#include "model/settings.h"
#include "wire/engine-args.h"

/* Whether it has come for what runs now (NULL = nothing). If not, `timer`, one of CLOCK_REALTIME,
 * is set to when that is to be asked again: at the turn, or after TLS_TURN_LOOK, because the files
 * may have changed. */
bool tls_turn_has_come(sd_event_source *timer, const Settings *s, const EngineArgs *running);

#define TLS_TURN_LOOK (60 * USEC_PER_MIN)
