/* The report of an examination, made from its evidence. */
#pragma once

#include "probe/evidence.h"

/* Takes `result` over; a step that cannot be kept for want of memory is left out. at: since the
 * examination began. */
void report_add_step(ProbeReport *r, const char *name, usec_t at, usec_t took, char *result);
/* What happened inside the steps, in its place by time. began: of the examination, monotonic. */
void report_add_notes(ProbeReport *r, const Notes *notes, usec_t began);
/* Judges, and puts it into words; once. Out of memory leaves words empty. */
void report_fill(ProbeReport *r, Evidence *e);
void report_done(ProbeReport *r);
