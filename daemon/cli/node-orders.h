/* What members are told to do: raycluster node start, stop, … */
#pragma once

#include <systemd/sd-bus.h>

#include "cli/cli.h"

/* A member of GetMembers: name, node id, state, …, key as words. */
#define NODE_MEMBER_TYPE "(ssssstttuutsss)"

bool node_orders_has(const char *order);
/* names: NULL-ended; none with `all`. One line for each; an exit status. */
int node_orders_run(const Cli *cli, sd_bus *bus, const char *order, char *const *names, bool all);
