/* Why there is no head to join yet: the first unmet condition, in one sentence. Pure. */
#pragma once

#include "disco/disco.h"

typedef struct LadderFacts {
        const char *cluster;        /* cluster.name */
        const char *ambiguous;      /* two heads with one name, or NULL */
        const char *unconfirmed;    /* why a member knows none of them as its own, or NULL */
        const Candidate *candidate; /* NULL: none */
        bool serving;               /* it answered the last time */
        const char *why;            /* why it does not serve; "" = not known yet */
        const DiscoReport *reports;
        size_t n_reports;
} LadderFacts;

/* "waiting: …", caller frees. 1 and *ret; 0: nothing is missing, *ret is NULL; -ENOMEM. */
int ladder_text(const LadderFacts *f, char **ret);
