/* Does a process still answer? grpc.health.v1 on its own port: a frozen one (SIGSTOP, swap, a stuck
 * disk) keeps its pid and its sockets, and only silence tells. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/time.h"
#include "sys/tls-context.h"

/* Asked this often; silence this long is called frozen. Ask + timeout divide the bound so that it
 * is found between 25 and 32 s (design 5: 30 s on a machine that schedules us). */
#define HEALTH_INTERVAL (5 * USEC_PER_SEC)
#define HEALTH_TIMEOUT  (7 * USEC_PER_SEC)
#define HEALTH_BOUND    (25 * USEC_PER_SEC)

typedef struct Health Health;

/* Once, when nothing was answered for `silent`; may free the Health. */
typedef void (*health_frozen_cb)(Health *h, usec_t silent, void *userdata);

/* addr with port; tls as in GcsClientPolicy. Begins to count now: the process must have answered
 * before. */
int health_new(sd_event *event, const Addr *addr, const TlsFiles *tls, health_frozen_cb cb,
               void *userdata, Health **ret);
Health *health_free(Health *h);
DEFINE_CLEANUP(Health *, health_free);
