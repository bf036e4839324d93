/* How well a way works that works at all: large packets in both directions, loss and time of a
 * round trip, and, when asked for, whether the head is heard by mDNS. It begins beside the other
 * questions and only adds to them where something is suspected. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct Measure Measure;

/* From the loop, once, after measure_finish(). May be freed inside. */
typedef void (*measure_cb)(Measure *m, void *userdata);

/* e is weak and filled; e->addr, e->from and e->tcp are set. discover: listen for the head by
 * avahi-daemon, too. */
int measure_new(sd_event *event, Evidence *e, bool discover, measure_cb cb, void *userdata,
                Measure **ret);
Measure *measure_free(Measure *m);
DEFINE_CLEANUP(Measure *, measure_free);

/* The greeted connection of a gRPC server, and what was read from it; the fd is taken over in any
 * case. */
void measure_connection(Measure *m, int fd, const uint8_t *seen, size_t n);
/* It serves: come to an end. */
void measure_finish(Measure *m);
/* Brings e up to now, for an end without measure_finish(). */
void measure_snapshot(Measure *m);
