/* How far the engine is, as values; what may follow what. */
#pragma once

#include "base/strtab.h"

typedef enum Stage {
        STAGE_CHECKING,    /* arguments, machine, versions; Ray is not started */
        STAGE_STARTING,    /* head: `ray start` runs, its GCS does not answer yet */
        STAGE_REGISTERING, /* the GCS answers, this node is not ALIVE in it yet */
        STAGE_RUNNING,     /* READY: the raylet serves */
        STAGE_STOPPING,    /* a stop was asked for: Ray drains */
        STAGE_ENDING,      /* what is left of Ray is killed and reaped */
        STAGE_ENDED,       /* the loop exits */
        _STAGE_MAX,
        _STAGE_INVALID = -EINVAL,
} Stage;

DECLARE_STRTAB(stage, Stage);

bool stage_may_follow(Stage before, Stage after);
