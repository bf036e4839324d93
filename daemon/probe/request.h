/* What an examination is asked for, as it stands in the evidence from the beginning. */
#pragma once

#include "probe/evidence.h"
#include "probe/probe.h"

/* -EINVAL without a port or without a host and an address; -ENAMETOOLONG. */
int request_evidence(const ProbeRequest *q, Evidence *e);
