/* The GCS by itself, without any daemon of ours: is it there, and which nodes does it name? */
#pragma once

#include "cli/snapshot.h"
#include "model/settings.h"

/* Asks the head as far as this machine's files know it (cluster.head, else this machine). Fills
 * gcs, gcs_ray, nodes and age of s; leaves them alone when nothing answers. -ENOMEM. */
int ask_gcs(Snapshot *s);
/* The same, as these settings know it. */
int ask_gcs_of(Snapshot *s, const Settings *settings);
