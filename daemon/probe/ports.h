/* The whole port plan, from here: every port that Ray uses on the head is tried, and where the GCS
 * answers, its node table says which those are. Ends within its deadline. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct PortsStage PortsStage;

typedef struct PortsRequest {
        const PortPlan *plan; /* copied */
        const char *token;    /* Ray's, or NULL; for the node table */
        bool table;           /* there is a GCS to be asked, in the clear */
        bool dashboard_local; /* the dashboard is to be reached on the head alone: not judged */
        usec_t deadline;      /* for all of it */
} PortsRequest;

/* From the loop, once; the facts are filled. May be freed inside. */
typedef void (*ports_stage_cb)(PortsStage *s, void *userdata);

/* e: weak; connected, or at least tried. ret_facts: weak, emptied first; the ranges in it are the
 * caller's, ports_facts_done(). */
int ports_stage_new(sd_event *event, const PortsRequest *request, const Evidence *e,
                    PortsFacts *ret_facts, ports_stage_cb cb, void *userdata, PortsStage **ret);
PortsStage *ports_stage_free(PortsStage *s);
DEFINE_CLEANUP(PortsStage *, ports_stage_free);
/* Brings the facts up to now, for a deadline that cuts the stage short; no callback follows. */
void ports_stage_cut(PortsStage *s);

void ports_facts_done(PortsFacts *f);
