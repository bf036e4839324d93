/* A report on standard output, for people or for programs. */
#pragma once

#include "probe/probe.h"

typedef struct OutputStyle {
        bool json;
        bool verbose; /* text: the steps, the facts and what is not known, too */
        bool stream;  /* one of several: text begins with the time, JSON is one line */
} OutputStyle;

/* -EIO when it cannot be written, -ENOMEM. */
int output_report(const ProbeReport *r, const OutputStyle *style);

/* Line 1: VERDICT and the sentence; then what it rests on, and what to try. */
int output_text(const ProbeReport *r, const OutputStyle *style);
/* The same as one JSON object, schema 1 (ray-probe.schema.json, ray-probe(1)). */
int output_json(const ProbeReport *r, const OutputStyle *style);
