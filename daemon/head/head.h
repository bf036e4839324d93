/* The head daemon: keeps Ray's head unit running, watches its GCS, announces it while it serves. */
#pragma once

#include "role/daemon.h"

typedef struct Head Head;

/* Takes *conf when it succeeds. */
int head_new(const Options *o, Conf **conf, Head **ret);
Head *head_free(Head *h);
DEFINE_CLEANUP(Head *, head_free);

/* Begins: watches the unit, the network, the GCS. */
int head_start(Head *h);
/* Until told to stop; the exit status. */
int head_run(Head *h);
