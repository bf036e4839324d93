/* What `raycluster status` knows, gathered before a line is printed. */
#pragma once

#include "cli/client.h"
#include "cli/down.h"
#include "wire/json.h"

typedef struct Snapshot {
        const char *host; /* -H, or NULL */
        bool up;          /* a daemon answered */
        bool hangs;       /* a daemon is on the bus and does not answer */
        Role role;        /* of the daemon; when none: of the unit that is to blame */
        View view;        /* if up */
        Down down;        /* if not up */
        char *sentence;   /* if not up: why */
        NodeSet *nodes;   /* from the daemon or, without one, from the GCS itself; or NULL */
        usec_t age;       /* of nodes; USEC_INFINITY = never heard */
        char *nodes_text; /* why there are no nodes, or NULL */
        char *gcs;        /* address:port of the GCS that was asked by ourselves, or NULL */
        char *gcs_ray;    /* its Ray version, or NULL */
} Snapshot;

void snapshot_done(Snapshot *s);
#define _cleanup_snapshot_ _cleanup_(snapshot_done)

/* 0, or a negative errno that was said already. */
int snapshot_take(const Cli *cli, Snapshot *ret);

void snapshot_print(const Snapshot *s, bool all);
/* Schema 1; NULL when out of memory. */
Json *snapshot_json(const Snapshot *s);
