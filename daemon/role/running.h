/* What Ray runs with: the arguments as they were written for it, read back from /run/raycluster, so
 * that a daemon that comes back knows as much as the one that started it. */
#pragma once

#include "engine/args.h"

typedef struct Running {
        char *text;       /* the file; NULL = none that can be read */
        EngineArgs *args; /* the same, parsed */
} Running;

void running_done(Running *r);
/* What was written last for this role; nothing when it is missing or damaged. */
void running_read(Running *r, Role role);

/* Keys of the configuration that wait for a restart of Ray: `now` would write other arguments.
 * engine, address, head and cluster_id of `now` are set here. *ret: caller frees. */
int running_due(const Running *r, const EnginePlan *now, char ***ret);
