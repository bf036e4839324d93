/* The member other_side of a report: what a reflector said. */
#pragma once

#include "probe/probe.h"
#include "wire/json.h"

/* null when there was none to ask; NULL when out of memory. Caller frees. */
Json *other_side_json(const ProbeReport *r);
