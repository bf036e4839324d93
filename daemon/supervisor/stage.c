/*
 *   CHECKING ──► STARTING ──► REGISTERING ──► RUNNING
 *      │  └─(worker)───────────▲  │               │
 *      │            │             │ stop asked for│
 *      │            └────────►  STOPPING  ◄───────┘
 *      │ refused, or a stop       │
 *      └──────────────────────►  ENDING  ◄── anything that went wrong, from every stage above
 *                                 │ no descendant left, or ENDING_MAX
 *                                 ▼
 *                               ENDED
 */
#include "supervisor/stage.h"

static const char *const stage_table[_STAGE_MAX] = {
        [STAGE_CHECKING] = "checking",
        [STAGE_STARTING] = "starting",
        [STAGE_REGISTERING] = "registering",
        [STAGE_RUNNING] = "running",
        [STAGE_STOPPING] = "stopping",
        [STAGE_ENDING] = "ending",
        [STAGE_ENDED] = "ended",
};
DEFINE_STRTAB(stage, Stage);

#define BIT(x) (1U << (x))

static const uint32_t next[_STAGE_MAX] = {
        [STAGE_CHECKING] = BIT(STAGE_STARTING) | BIT(STAGE_REGISTERING) | BIT(STAGE_ENDING),
        [STAGE_STARTING] = BIT(STAGE_REGISTERING) | BIT(STAGE_STOPPING) | BIT(STAGE_ENDING),
        [STAGE_REGISTERING] = BIT(STAGE_RUNNING) | BIT(STAGE_STOPPING) | BIT(STAGE_ENDING),
        [STAGE_RUNNING] = BIT(STAGE_STOPPING) | BIT(STAGE_ENDING),
        [STAGE_STOPPING] = BIT(STAGE_ENDING),
        [STAGE_ENDING] = BIT(STAGE_ENDED),
        [STAGE_ENDED] = 0,
};

bool stage_may_follow(Stage before, Stage after)
{
        if (before < 0 || before >= _STAGE_MAX || after < 0 || after >= _STAGE_MAX)
                return false;
        return next[before] & BIT(after);
}
