/* The command line of `ray start`: every port and address pinned, so that nothing is left to chance
 * or to a route of the moment. Pure. */
#pragma once

#include "wire/engine-args.h"

/* argv[0] is the path of the program: <venv>/bin/ray. Caller frees. */
int command_build(const EngineArgs *a, char ***ret);
