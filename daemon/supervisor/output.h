/* What `ray start` itself prints: to the journal, and remembered, because the reason of a failed
 * start stands in its last lines. */
#pragma once

#include <systemd/sd-event.h>

#include "supervisor/carry.h"

typedef struct Output Output;

/* fd: non-blocking read end, not taken over. out: where lines go, weak. */
int output_new(sd_event *event, int fd, const CarryOut *out, Output **ret);
Output *output_free(Output *o);
DEFINE_CLEANUP(Output *, output_free);

/* Reads what is there now, without the loop, and lets go of what waits for more. */
void output_drain(Output *o);
/* The last error it told of, else the last line without time and level; "" if none came. */
const char *output_reason(const Output *o);
