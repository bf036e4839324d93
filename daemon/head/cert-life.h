/* How long certificates live that this head gives out, where tests want other times than a year. */
#pragma once

#include "base/time.h"

/* RAYCLUSTER_CERT_LIFE: tests make certificates that end in minutes; 0 = not set. */
usec_t cert_life_of_tests(void);
/* How often the head looks whether its own are to be renewed, by the clock that goes on while the
 * machine sleeps: a certificate may be over after that, or when the time was set. */
usec_t cert_look_every(void);
