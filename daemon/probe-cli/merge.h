/* ray-probe --merge: two one-sided reports taken together, where no port is open between the two
 * machines that a reflector could be asked by. */
#pragma once

#include "probe-cli/args.h"

/* An exit status, or a negative errno. */
int merge_command(const Args *args);
