/* Whether large packets come through in one direction: 64 KiB over a line of its own. When they
 * stall, they are sent again, over one line as before and over one with segments of 536 bytes,
 * which fit through every tunnel: only the difference of the two tells a hole from bad luck. */
#pragma once

#include "base/time.h"
#include "reflect/line.h"
#include "wire/reflect-codec.h"

typedef struct Bulk Bulk;

typedef struct BulkResult {
        bool known;   /* it was tried to the end */
        bool stalled; /* twice they did not arrive whole */
        bool small;   /* and in small segments they did */
} BulkResult;

/* Once, from the loop, within about three times BULK_STALL; twice that where no line comes up. May
 * be freed inside. */
typedef void (*bulk_cb)(Bulk *b, const BulkResult *result, void *userdata);

/* A transfer that does not move for so long has stalled: TCP repeats what is lost after 200 ms and
 * again 400 ms later. */
#define BULK_STALL (700 * USEC_PER_MSEC)

/* kind: REFLECT_DOWN (from the head) or REFLECT_UP. policy->mss is not looked at. */
int bulk_new(sd_event *event, const Transport *transport, const LinePolicy *policy,
             ReflectKind kind, bulk_cb cb, void *userdata, Bulk **ret);
Bulk *bulk_free(Bulk *b);
DEFINE_CLEANUP(Bulk *, bulk_free);
