/* No daemon answers: what systemd says about its unit, and the last word of its journal. */
#pragma once

#include <systemd/sd-bus.h>

#include "cli/cli.h"
#include "model/role.h"

typedef struct Down {
        bool known;     /* systemd was asked, and knows the unit */
        char *unit;     /* "ray-head.service" */
        char *load;     /* "loaded", "not-found", "masked" */
        char *file;     /* "enabled", "disabled", "" */
        char *active;   /* "inactive", "failed", "activating", "active" */
        char *sub;      /* "dead", "auto-restart" */
        char *result;   /* "exit-code", "signal", "success" */
        bool refused;   /* an Assert…= did not hold at the last start: the other role runs */
        int32_t status; /* ExecMainStatus */
        int32_t code;   /* ExecMainCode: CLD_EXITED, CLD_KILLED, 0 = never ran */
        char *last;     /* last journal line, NULL = none or not readable */
} Down;

void down_done(Down *d);
#define _cleanup_down_ _cleanup_(down_done)

/* Never fails for what it cannot learn. -ENOMEM. */
int down_ask(sd_bus *bus, const Cli *cli, Role role, Down *ret);

/* One sentence: why it is down, with what to do. Caller frees. */
char *down_sentence(const Down *d, Role role);
