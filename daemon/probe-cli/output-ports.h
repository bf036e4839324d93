/* The member ports of a report: ranges of one result, in either direction. */
#pragma once

#include "probe/probe.h"
#include "wire/json.h"

/* null when they were not asked for; NULL when out of memory. Caller frees. */
Json *ports_json(const ProbeReport *r);
