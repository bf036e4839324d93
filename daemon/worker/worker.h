/* The worker daemon: finds the head, keeps Ray's worker unit running for it, in the right cluster.
 */
#pragma once

#include "role/daemon.h"

typedef struct Worker Worker;

/* Takes *conf when it succeeds. */
int worker_new(const Options *o, Conf **conf, Worker **ret);
Worker *worker_free(Worker *w);
DEFINE_CLEANUP(Worker *, worker_free);

/* Begins: watches the unit and the network, looks for the head. */
int worker_start(Worker *w);
/* Until told to stop; the exit status. */
int worker_run(Worker *w);
