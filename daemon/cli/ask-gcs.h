/* The GCS by itself, without any daemon of ours: is it there, and which nodes does it name? */
#pragma once

#include "cli/snapshot.h"

/* Asks the head as far as this machine's files know it (cluster.head, else this machine). Fills
 * gcs, gcs_ray, nodes and age of s; leaves them alone when nothing answers. -ENOMEM. */
int ask_gcs(Snapshot *s);
