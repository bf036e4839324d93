/* The file that remembers the head that served last: "key=value" lines.
 *
 *   raycluster-last-known=1
 *   cluster=default
 *   id=0a1b2c…            (may be empty)
 *   name=compute04.lab.example
 *   control=6388
 *   address=10.0.0.4:6379  (one to CANDIDATE_ADDRS_MAX)
 *
 * Ours, but on a disk: a damaged file is an error, never half a candidate. */
#pragma once

#include "model/candidate.h"

/* Ten times what sixteen IPv6 addresses and a long name need. */
#define LAST_KNOWN_SIZE_MAX 16384

/* text: size bytes, need not be NUL-ended. -EBADMSG for anything that is not such a file; unknown
 * keys are skipped. The candidate is of DISCO_LAST_KNOWN, how is "". */
int last_known_parse(const char *text, size_t size, Candidate **ret);
/* The reverse; -EINVAL for a candidate without address or with a name that does not fit a line. */
int last_known_format(const Candidate *c, const char *cluster, char **ret);
