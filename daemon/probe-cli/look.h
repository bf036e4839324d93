/* What a run of ray-probe does with its examinations: one, told as it ends, or with --watch one
 * after the other until all is well, telling every change. */
#pragma once

#include "probe-cli/args.h"
#include "probe/probe.h"

typedef struct Look Look;

/* args and request: not copied, must live as long. Ends the loop with the exit status. */
int look_new(sd_event *event, const Args *args, const ProbeRequest *request, Look **ret);
Look *look_free(Look *l);
DEFINE_CLEANUP(Look *, look_free);
