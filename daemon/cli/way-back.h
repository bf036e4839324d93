/* What came of the test that a machine takes before Ray starts on it: told to who has just joined.
 */
#pragma once

#include "cli/cli.h"

/* Waits for it, some seconds at most, and prints it. Returns whether Ray is kept from starting. */
bool way_back_tell(const Cli *cli);
