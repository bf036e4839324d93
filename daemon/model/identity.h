/* Which Ray runs: compared before a worker starts. Ray must match exactly, Python to the patch
 * level (ray-facts 11). */
#pragma once

#include "base/str.h"

typedef struct Versions {
        char ray[32];    /* "2.60.0"; "" = not known */
        char python[32]; /* "3.11.2"; "3.11" = its patch level is not known; "" = nothing is */
} Versions;

/* Whether two versions can be the same: each part that both have is. "" matches everything. */
bool version_matches(const char *a, const char *b);
/* NULL when they go together, else one sentence (caller frees) with both versions and what to
 * install. */
char *versions_mismatch(const Versions *head, const Versions *here);
