/* A report for people and for programs, on standard output. */
#pragma once

#include "probe/probe.h"

/* Line 1: VERDICT and the sentence; then what it rests on, and what to try. */
int output_text(const ProbeReport *r);
/* The same as one JSON object, schema 1 (ray-probe(1)). */
int output_json(const ProbeReport *r);
