/* What --verbose adds to the text: steps with their times, facts, what is not known. */
#pragma once

#include "probe/probe.h"

void timeline_print(const ProbeReport *r);
